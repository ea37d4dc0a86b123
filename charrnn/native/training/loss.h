// The decoder and its loss over one window: the mean nats of the targets, and the gradients. Everything its kernels
// read and write.
//
// Words as in layer.h: N = T*B rows, H hidden units, V symbols. V and H are padded to whole blocks like the layers'
// units.
#pragma once
#include <vector>

#include "common/memory.h"
#include "training/kernels.h"
#include "training/layer.h"

namespace charrnn {

struct Loss {
  Precision precision;
  int rows, hidden, symbols;  // N, H, V

  // From the caller, contiguous.
  const float *x, *mask, *weight, *bias;  // (N, H), (N, H) or null, (V, H), (V)
  const std::int64_t* targets;            // (N)
  float* nats;                            // one: the mean over all rows
  float *d_x, *d_weight, *d_bias;         // going out, of the mean

  // Workspace. Strides count elements.
  int blocks, hidden_blocks;      // ceil(V / width), ceil(H / width)
  int x_stride, logit_stride;     // of one row of the two below
  void* x_rows;                   // (N, x_stride): the masked input
  void* d_logits;                 // (N, logit_stride): gradients of the logits
  void* packed;                   // the weights in the order the product reads them
  float *padded_bias, *row_nats;  // (padded V), (N)
  float* scratch;                 // per thread: logits of some rows, then columns of the weight gradient
  std::size_t scratch_floats;     // of one thread
};

// Rows whose logits lie in scratch at a time, at most.
constexpr std::size_t most_loss_rows = 128;

// A loss with the memory it needs for one window.
class LossWindow {
 public:
  // Shapes and what the caller hands in must be set in `loss`; the workspace is added here.
  LossWindow(const Loss& loss, int threads);
  LossWindow(const LossWindow&) = delete;

  void forward();
  // Needs the gradients in `loss` and mask and weight once more.
  void backward();

  Loss loss;

 private:
  const TrainingKernels& kernels_;
  int threads_;
  std::vector<Buffer> buffers_;
};

}  // namespace charrnn
