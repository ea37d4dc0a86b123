// A layer with the memory it needs for one window: what forward leaves for backward.
#pragma once
#include <vector>

#include "common/memory.h"
#include "training/layer.h"

namespace charrnn {

class Window {
 public:
  // Shapes, cell and what the caller hands in must be set in `layer`; the workspace is added here.
  Window(const Layer& layer, int threads);
  Window(const Window&) = delete;

  void forward();
  // Needs the gradients in `layer` and the inputs of forward once more. Only once: it works in place.
  void backward(int threads);

  Layer layer;
  bool spent = false;

 private:
  template <class T> T* take(std::size_t count);
  std::size_t padded(int units) const;
  void plan_threads(int threads);

  const Kernels& kernels_;
  int threads_;
  std::vector<Buffer> buffers_;
};

}  // namespace charrnn
