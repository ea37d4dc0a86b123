// Runs every cell and the loss, in every precision and instruction set, over odd shapes on arrays of exactly the right
// size, for the sanitizers to watch, and checks that the result is finite and does not depend on the number of threads.
// No Python.
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "common/instruction_set.h"
#include "common/memory.h"
#include "training/loss.h"
#include "training/window.h"

using namespace charrnn;

namespace {

typedef std::vector<float> Floats;

unsigned random_bits = 1;
Floats random_floats(std::size_t count) {
  Floats values(count);
  for (float& v : values) {
    random_bits = random_bits * 1664525u + 1013904223u;
    v = float(random_bits >> 8) / float(1 << 24) - 0.5f;
  }
  return values;
}

struct Sizes { int steps, batch, inputs, hidden, rows; };

// Everything that comes out of one forward and one backward, in one list.
Floats run(Cell cell, Precision precision, Sizes n, int threads, bool save) {
  random_bits = 1;
  const std::size_t gates = gates_of(cell) * std::size_t(n.hidden), unit = std::size_t(n.batch) * n.hidden;
  const std::size_t steps = n.steps, table_rows = n.inputs ? 1 : n.rows;
  const bool lstm = cell == Cell::lstm;
  Floats table = random_floats(table_rows * gates), x = random_floats(steps * n.batch * n.inputs),
         mask = random_floats(x.size());
  Floats weight_ih = random_floats(gates * n.inputs), weight_hh = random_floats(gates * n.hidden),
         bias = random_floats(gates);
  Floats h = random_floats(unit), c = random_floats(unit), d_out = random_floats(steps * unit);
  Floats d_h = random_floats(unit), d_c = random_floats(unit);
  std::vector<std::int64_t> ids(steps * n.batch);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = i % n.rows;

  std::vector<std::unique_ptr<Floats>> results;
  auto result = [&](std::size_t count) {
    results.push_back(std::make_unique<Floats>(count));
    return results.back()->data();
  };
  Layer layer{};
  layer.cell = cell, layer.precision = precision, layer.save = save;
  layer.steps = n.steps, layer.batch = n.batch, layer.inputs = n.inputs, layer.hidden = n.hidden,
  layer.rows = int(table_rows);
  layer.ids = n.inputs ? nullptr : ids.data();
  layer.table = table.data(), layer.weight_hh = weight_hh.data(), layer.bias_hh = bias.data(), layer.h_first = h.data();
  if (n.inputs) layer.x = x.data(), layer.mask = mask.data(), layer.weight_ih = weight_ih.data();
  layer.out = result(steps * unit), layer.h_last = result(unit);
  if (lstm) layer.c_first = c.data(), layer.c_last = result(unit);
  Window window(layer, threads);
  window.forward();
  if (save) {
    Layer& l = window.layer;
    l.d_out = d_out.data(), l.d_h_last = d_h.data();
    l.d_table = result(table.size()), l.d_weight_hh = result(weight_hh.size()), l.d_bias_hh = result(gates),
    l.d_h_first = result(unit);
    if (n.inputs) l.d_x = result(x.size()), l.d_weight_ih = result(weight_ih.size());
    if (lstm) l.d_c_last = d_c.data(), l.d_c_first = result(unit);
    window.backward(threads);
  }
  Floats all;
  for (auto& values : results) all.insert(all.end(), values->begin(), values->end());
  return all;
}

// The same of decoder and loss.
Floats run_loss(Precision precision, int rows, int hidden, int symbols, int threads) {
  random_bits = 1;
  const std::size_t units = std::size_t(rows) * hidden;
  Floats x = random_floats(units), mask = random_floats(units), weight = random_floats(std::size_t(symbols) * hidden);
  Floats bias = random_floats(symbols), d_x(units), d_weight(weight.size()), d_bias(symbols), all(1);
  std::vector<std::int64_t> targets(rows);
  for (int i = 0; i < rows; ++i) targets[i] = symbols - 1 - i % symbols;
  Loss loss{};
  loss.precision = precision, loss.rows = rows, loss.hidden = hidden, loss.symbols = symbols;
  loss.x = x.data(), loss.mask = mask.data(), loss.weight = weight.data(), loss.bias = bias.data(),
  loss.targets = targets.data();
  loss.nats = all.data();
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

}  // namespace

bool exercise_sampler();  // exercise_sampler.cpp

int main() {
  const Sizes shapes[] = {{1, 1, 0, 1, 2},    {1, 1, 1, 1, 1},  {3, 7, 0, 100, 5},    {2, 5, 33, 17, 3},
                          {4, 13, 20, 48, 2}, {5, 3, 0, 16, 9}, {2, 50, 100, 100, 2}, {40, 17, 0, 19, 4},
                          {2, 13, 0, 449, 3}};  // weights beyond a core's cache: threads share hidden units
  int runs = 0;
  for (const std::string& isa : available()) {
    cap(isa);
    for (Cell cell : {Cell::lstm, Cell::gru, Cell::rnn})
      for (Precision precision : {Precision::fp32, Precision::bf16})
        for (const Sizes& shape : shapes) {
          const Floats one = run(cell, precision, shape, 1, true);
          const Floats forward_only = run(cell, precision, shape, 2, false);
          for (int threads : {2, 3}) {
            if (run(cell, precision, shape, threads, true) == one) continue;
            std::printf("%s: %d threads give another result at H %d\n", isa.c_str(), threads, shape.hidden);
            return 1;
          }
          for (std::size_t i = 0; i < one.size(); ++i)
            if (!std::isfinite(one[i]) || (i < forward_only.size() && one[i] != forward_only[i])) {
              std::printf("%s: bad value %g at %zu, H %d\n", isa.c_str(), one[i], i, shape.hidden);
              return 1;
            }
          release_free_buffers();  // so that an overrun cannot hide in a larger buffer
          ++runs;
        }
    for (Precision precision : {Precision::fp32, Precision::bf16})
      for (auto [rows, hidden, symbols] :
           {std::array{1, 1, 1}, {5, 33, 65}, {17, 16, 48}, {600, 20, 19}, {3, 7, 1001}}) {
        const Floats one = run_loss(precision, rows, hidden, symbols, 1);
        if (!all_finite(one) || run_loss(precision, rows, hidden, symbols, 2) != one ||
            run_loss(precision, rows, hidden, symbols, 3) != one) {
          std::printf("%s: bad loss at V %d\n", isa.c_str(), symbols);
          return 1;
        }
        release_free_buffers();
        ++runs;
      }
  }
  std::printf("%d shapes are sound\n", runs);
  return exercise_sampler() ? 0 : 1;
}
