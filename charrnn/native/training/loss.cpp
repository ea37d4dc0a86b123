#include "training/loss.h"

#include <algorithm>

#include "common/threads.h"

namespace charrnn {

LossWindow::LossWindow(const Loss& wanted, int threads)
    : loss(wanted), kernels_(training_kernels()), threads_(std::clamp(threads, 1, wanted.rows)) {
  const std::size_t element = bytes_of(loss.precision), width = kernels_.width;
  auto take = [this](std::size_t bytes) { return buffers_.emplace_back(bytes).as<void>(); };
  loss.blocks = int((loss.symbols + loss.lengths + width - 1) / width);
  loss.hidden_blocks = int((loss.hidden + width - 1) / width);
  const std::size_t symbols = loss.blocks * width, hidden = loss.hidden_blocks * width;
  const std::size_t x_row = row_bytes(hidden * element), logit_row = row_bytes(symbols * element);
  loss.x_stride = int(x_row / element);
  loss.logit_stride = int(logit_row / element);
  loss.x_rows = take((loss.rows + spare_rows) * x_row);
  loss.d_logits = take((loss.rows + spare_rows) * logit_row);
  loss.packed = take(symbols * hidden * element);
  loss.padded_bias = static_cast<float*>(take(symbols * sizeof(float)));
  loss.row_nats = static_cast<float*>(take(loss.rows * sizeof(float)));
  const std::size_t contexts = (std::size_t)loss.rows * loss.lengths;
  if (contexts) loss.gates = static_cast<float*>(take(contexts * sizeof(float)));
  if (contexts) loss.buckets = static_cast<std::uint8_t*>(take(contexts));
  if (contexts) {  // kept for backward, for which a row that is left out has no contexts
    auto* nodes = static_cast<std::int32_t*>(take(contexts * sizeof(std::int32_t)));
    for (std::size_t i = 0; i < contexts; ++i) nodes[i] = loss.targets[i / loss.lengths] < 0 ? no_node : loss.nodes[i];
    loss.nodes = nodes;
  }
  if (contexts && loss.folds) {
    auto* folds = static_cast<std::uint8_t*>(take(loss.rows));
    std::copy(loss.folds, loss.folds + loss.rows, folds);
    loss.folds = folds;
  }
  loss.counted = 0;
  for (int r = 0; r < loss.rows; ++r) loss.counted += loss.targets[r] >= 0;
  loss.scratch_floats = std::max(most_loss_rows * symbols, gradient_scratch(loss.hidden_blocks, kernels_.width));
  loss.scratch = static_cast<float*>(take(threads_ * loss.scratch_floats * sizeof(float)));
}

void LossWindow::forward() {
  run(threads_, [this](Team& team) { kernels_.loss_forward(loss, team); });
}

void LossWindow::backward() {
  run(threads_, [this](Team& team) { kernels_.loss_backward(loss, team); });
}

}  // namespace charrnn
