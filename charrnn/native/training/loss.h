// The decoder and its loss over one window: the mean nats of the targets, and the gradients. Everything its kernels
// read and write.
//
// Words as in layer.h: N = T*B rows, H hidden units, V symbols. V and H are padded to whole blocks like the layers'
// units.
//
// With n-gram experts of K lengths the last K rows of the decoder are the gates u_k, and the logits of a row become
//
//     z_v = (W h + b)_v + sum_k g_k shares[k][bucket][code],   g_k = 2 sigmoid(u_k . h)
//
// where bucket is that of the row's context of k symbols, and code that of the count of v after it
// (charrnn/experts/table.py).
#pragma once
#include <vector>

#include "common/memory.h"
#include "common/ngrams.h"
#include "training/kernels.h"
#include "training/layer.h"

namespace charrnn {

struct Loss {
  Precision precision;
  int rows, hidden, symbols;  // N, H, V
  int lengths;                // K; 0: no experts

  // From the caller, contiguous.
  const float *x, *mask, *weight, *bias;  // (N, H), (N, H) or null, (V + K, H), (V)
  const std::int64_t* targets;            // (N); a row whose target is negative is left out
  float* nats;                            // one: the mean over the rows that are not left out
  float *d_x, *d_weight, *d_bias;         // going out, of the mean

  // Of experts, from the caller.
  NgramTable ngrams;
  const std::int32_t* nodes;  // (N, K): the context of each length, or no_node
  const std::uint8_t* folds;  // (N): the fold whose counts are held out of each row; null: of none
  const float* shares;        // (K, buckets, codes)
  float* d_shares;            // going out

  // Workspace. Strides count elements.
  int counted;                    // rows that are not left out
  int blocks, hidden_blocks;      // ceil((V + K) / width), ceil(H / width)
  int x_stride, logit_stride;     // of one row of the two below
  void* x_rows;                   // (N, x_stride): the masked input
  void* d_logits;                 // (N, logit_stride): gradients of the logits
  void* packed;                   // the weights in the order the product reads them
  float *padded_bias, *row_nats;  // (padded V + K), (N)
  float* gates;                   // (N, K): g_k
  std::uint8_t* buckets;          // (N, K)
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
