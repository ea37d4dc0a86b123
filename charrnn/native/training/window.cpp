#include "training/window.h"

#include <unistd.h>

#include <algorithm>

#include "common/threads.h"

namespace charrnn {
namespace {

constexpr std::size_t cache_line = 64;

// The second-level cache of one core; where the system does not tell, what most of them have.
std::size_t second_cache_bytes() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  static const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return bytes;
#endif
  return std::size_t(1) << 20;
}

}  // namespace

// The extra line is for prefetches and vectors that reach past the end.
template <class T> T* Window::take(std::size_t count) {
  buffers_.emplace_back(count * sizeof(T) + cache_line);
  return buffers_.back().as<T>();
}

std::size_t Window::padded(int units) const {
  return std::size_t((units + kernels_.width - 1) / kernels_.width) * kernels_.width;
}

// Splitting the batch rows needs no barrier between steps, but each thread then reads all weights for its rows alone.
// That is as fast while they stay in its second cache, or while the rows are many; else the hidden units are split, and
// each thread reads its share of the weights for all rows.
void Window::plan_threads(int threads) {
  const std::size_t columns = layer.blocks + layer.input_blocks, element = bytes_of(layer.precision);
  const std::size_t gates = facts_of(layer.cell).gates;
  const std::size_t weights = gates * padded(layer.hidden) * columns * kernels_.width * element;
  const int rows = layer.batch / threads;
  const bool rows_suffice = rows >= 6 && (weights <= second_cache_bytes() / 4 * 3 || rows >= 32);
  layer.split_hidden = layer.blocks >= threads && !rows_suffice;
  const int parts = layer.split_hidden ? layer.blocks : std::max(layer.batch, layer.blocks);
  threads_ = std::clamp(threads, 1, std::max(1, parts));
}

Window::Window(const Layer& wanted, int threads) : layer(wanted), kernels_(training_kernels()), threads_(1) {
  const auto [name, gates, slots, has_c] = facts_of(layer.cell);
  const std::size_t element = bytes_of(layer.precision);
  const std::size_t hidden = padded(layer.hidden), inputs = padded(layer.inputs), batch = layer.batch;
  const std::size_t rows = layer.steps * batch;
  layer.blocks = int(hidden / kernels_.width);
  layer.input_blocks = int(inputs / kernels_.width);
  const std::size_t h_row = row_bytes(hidden * element), x_row = row_bytes(inputs * element);
  const std::size_t gate_row = row_bytes(slots * hidden * element);
  layer.h_stride = int(h_row / element);
  layer.x_stride = int(x_row / element);
  layer.gate_stride = int(gate_row / element);
  plan_threads(threads);

  layer.h_rows = take<char>((rows + batch + spare_rows) * h_row);
  layer.x_rows = inputs ? take<char>((rows + spare_rows) * x_row) : nullptr;
  layer.gates = layer.save ? take<char>((rows + spare_rows) * gate_row) : nullptr;
  // backward needs c of every step; h of every step is in h_rows already.
  layer.carry = take<float>((layer.save && has_c ? rows + batch : batch) * hidden);
  layer.d_carry = nullptr;
  layer.packed_table = take<float>(layer.rows * slots * hidden);
  layer.packed_hh = take<char>(gates * hidden * hidden * element);
  layer.packed_ih = inputs ? take<char>(gates * hidden * inputs * element) : nullptr;
  layer.scratch = nullptr;
}

void Window::forward() {
  run(threads_, [this](Team& team) { kernels_.forward(layer, team); });
}

void Window::backward(int threads) {
  spent = true;
  plan_threads(threads);
  const std::size_t hidden = padded(layer.hidden), vectors = std::max(layer.blocks, layer.input_blocks);
  layer.d_carry = take<float>(layer.batch * hidden);
  layer.scratch_floats = gradient_scratch(vectors, kernels_.width);
  layer.scratch = take<float>(threads_ * layer.scratch_floats);
  run(threads_, [this](Team& team) { kernels_.backward(layer, team); });
  buffers_.clear();
}

}  // namespace charrnn
