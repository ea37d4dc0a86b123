// A layer with the memory that it needs for one window, between forward and backward.
#pragma once
#include <vector>

#include "common/memory.h"
#include "training/kernels.h"
#include "training/layer.h"

namespace charrnn {

class Window {
 public:
  // Shapes, cell and what the caller hands in must be set in `layer`; the workspace is added here.
  Window(const Layer& layer, int threads);
  Window(const Window&) = delete;

  void forward();
  // Needs the gradients in `layer` and the inputs of forward once more. Runs only once: it overwrites the gates by
  // their gradients.
  void backward(int threads);

  Layer layer;
  bool spent = false;  // backward has run

 private:
  template <class T> T* take(std::size_t count);
  std::size_t padded(int units) const;
  void plan_threads(int threads);

  const TrainingKernels& kernels_;
  int threads_;
  std::vector<Buffer> buffers_;
};

}  // namespace charrnn
