// Runs every cell and the loss, in every precision and instruction set, and checks that the result is finite and does
// not depend on the number of threads.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>

#include "common/instruction_set.h"
#include "common/memory.h"
#include "exercise/numbers.h"
#include "training/loss.h"
#include "training/window.h"

using namespace charrnn;

namespace {

struct Sizes { int steps, batch, inputs, hidden, rows; };

// Everything that comes out of one forward and one backward, in one list.
Floats run_layer(Cell cell, Precision precision, Sizes n, int threads, bool save) {
  const bool has_c = facts_of(cell).has_c;
  const std::size_t gates = facts_of(cell).gates * std::size_t(n.hidden), unit = std::size_t(n.batch) * n.hidden;
  const std::size_t steps = n.steps, table_rows = n.inputs ? 1 : n.rows;
  Random random;
  Floats table = random.floats(table_rows * gates), x = random.floats(steps * n.batch * n.inputs);
  Floats mask = random.floats(x.size()), weight_ih = random.floats(gates * n.inputs);
  Floats weight_hh = random.floats(gates * n.hidden), bias = random.floats(gates);
  Floats h = random.floats(unit), c = random.floats(unit), d_out = random.floats(steps * unit);
  Floats d_h = random.floats(unit), d_c = random.floats(unit);
  std::vector<std::int64_t> ids(steps * n.batch);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = i % n.rows;

  std::vector<std::unique_ptr<Floats>> results;
  auto result = [&](std::size_t count) {
    results.push_back(std::make_unique<Floats>(count));
    return results.back()->data();
  };
  Layer layer{};
  layer.cell = cell, layer.precision = precision, layer.save = save;
  layer.steps = n.steps, layer.batch = n.batch, layer.inputs = n.inputs, layer.hidden = n.hidden;
  layer.rows = int(table_rows);
  layer.ids = n.inputs ? nullptr : ids.data();
  layer.table = table.data(), layer.weight_hh = weight_hh.data(), layer.bias_hh = bias.data();
  layer.h_first = h.data();
  if (n.inputs) layer.x = x.data(), layer.mask = mask.data(), layer.weight_ih = weight_ih.data();
  layer.out = result(steps * unit), layer.h_last = result(unit);
  if (has_c) layer.c_first = c.data(), layer.c_last = result(unit);
  Window window(layer, threads);
  window.forward();
  if (save) {
    Layer& l = window.layer;
    l.d_out = d_out.data(), l.d_h_last = d_h.data();
    l.d_table = result(table.size()), l.d_weight_hh = result(weight_hh.size()), l.d_bias_hh = result(gates);
    l.d_h_first = result(unit);
    if (n.inputs) l.d_x = result(x.size()), l.d_weight_ih = result(weight_ih.size());
    if (has_c) l.d_c_last = d_c.data(), l.d_c_first = result(unit);
    window.backward(threads);
  }
  Floats all;
  for (auto& values : results) all.insert(all.end(), values->begin(), values->end());
  return all;
}

// The same of decoder and loss.
Floats run_loss(Precision precision, int rows, int hidden, int symbols, int threads) {
  const std::size_t units = std::size_t(rows) * hidden;
  Random random;
  Floats x = random.floats(units), mask = random.floats(units), weight = random.floats(std::size_t(symbols) * hidden);
  Floats bias = random.floats(symbols), d_x(units), d_weight(weight.size()), d_bias(symbols), all(1);
  std::vector<std::int64_t> targets(rows);
  for (int i = 0; i < rows; ++i) targets[i] = symbols - 1 - i % symbols;
  Loss loss{};
  loss.precision = precision, loss.rows = rows, loss.hidden = hidden, loss.symbols = symbols;
  loss.x = x.data(), loss.mask = mask.data(), loss.weight = weight.data(), loss.bias = bias.data();
  loss.targets = targets.data(), loss.nats = all.data();
  LossWindow window(loss, threads);
  window.forward();
  window.loss.d_x = d_x.data(), window.loss.d_weight = d_weight.data(), window.loss.d_bias = d_bias.data();
  window.backward();
  for (const Floats* values : {&d_x, &d_weight, &d_bias}) all.insert(all.end(), values->begin(), values->end());
  return all;
}

bool all_finite(const Floats& values) {
  for (float v : values)
    if (!std::isfinite(v)) return false;
  return true;
}

bool layer_is_sound(Cell cell, Precision precision, const Sizes& shape) {
  const Floats expected = run_layer(cell, precision, shape, 1, true);
  const Floats forward_only = run_layer(cell, precision, shape, 2, false);
  bool sound = all_finite(expected) && std::equal(forward_only.begin(), forward_only.end(), expected.begin());
  for (int threads : {2, 3}) sound = sound && run_layer(cell, precision, shape, threads, true) == expected;
  if (!sound) std::printf("%s: bad %s, H %d\n", name_of(instruction_set()), facts_of(cell).name, shape.hidden);
  return sound;
}

bool loss_is_sound(Precision precision, int rows, int hidden, int symbols) {
  const Floats expected = run_loss(precision, rows, hidden, symbols, 1);
  bool sound = all_finite(expected);
  for (int threads : {2, 3}) sound = sound && run_loss(precision, rows, hidden, symbols, threads) == expected;
  if (!sound) std::printf("%s: bad loss, V %d\n", name_of(instruction_set()), symbols);
  return sound;
}

}  // namespace

bool exercise_training() {
  const Sizes shapes[] = {{1, 1, 0, 1, 2},    {1, 1, 1, 1, 1},  {3, 7, 0, 100, 5},    {2, 5, 33, 17, 3},
                          {4, 13, 20, 48, 2}, {5, 3, 0, 16, 9}, {2, 50, 100, 100, 2}, {40, 17, 0, 19, 4},
                          {2, 13, 0, 449, 3}};  // the last: weights beyond a core's cache, so threads share hidden
                                                // units
  const std::array<int, 3> losses[] = {{1, 1, 1}, {5, 33, 65}, {17, 16, 48}, {600, 20, 19}, {3, 7, 1001}};
  int runs = 0;
  for (const std::string& set : available_instruction_sets()) {
    cap_instruction_set(set);
    for (Precision precision : {Precision::fp32, Precision::bf16}) {
      for (const CellFacts& cell : all_cells)
        for (const Sizes& shape : shapes) {
          if (!layer_is_sound(*cell_named(cell.name), precision, shape)) return false;
          release_free_buffers();  // so that an overrun cannot hide in a larger buffer
          ++runs;
        }
      for (const auto [rows, hidden, symbols] : losses) {
        if (!loss_is_sound(precision, rows, hidden, symbols)) return false;
        release_free_buffers();
        ++runs;
      }
    }
  }
  std::printf("%d shapes are sound\n", runs);
  return true;
}
