// Packs odd networks and lets them write, read and score with every kernel, for the sanitizers to watch, and checks
// that the results depend on neither the kernels nor the number of threads. No Python.
#include <cstdio>
#include <vector>

#include "sampling/sampler.h"

using namespace charrnn;

namespace {

struct Shape { int layers, hidden, symbols, streams; };

unsigned random_bits = 1;
std::vector<float> random_floats(std::size_t count) {
  std::vector<float> values(count);
  for (float& v : values) {
    random_bits = random_bits * 1664525u + 1013904223u;
    v = float(random_bits >> 8) / float(1 << 24) - 0.5f;
  }
  return values;
}

// Everything that comes out, in one list.
std::vector<double> run_network(Cell cell, Weights weights, Shape n, const std::string& kernels, int threads) {
  random_bits = 1;
  const std::size_t rows = gates_of(cell) * std::size_t(n.hidden), steps = 9, places = steps * n.streams;
  std::vector<std::vector<float>> kept;
  auto floats = [&](std::size_t count) {
    kept.push_back(random_floats(count));
    return kept.back().data();
  };
  NetworkSource from{cell, weights, n.layers, n.hidden, n.symbols, floats((n.symbols + 1) * rows),
                     {},   {},      {},       {},       nullptr,   nullptr};
  for (int layer = 0; layer < n.layers; ++layer) {
    from.weight_hh.push_back(floats(rows * n.hidden));
    from.bias_hh.push_back(floats(rows));
    if (layer == 0) continue;
    from.weight_ih.push_back(floats(rows * n.hidden));
    from.bias_ih.push_back(floats(rows));
  }
  from.decoder = floats((std::size_t)n.symbols * n.hidden);
  from.decoder_bias = floats(n.symbols);
  Sampler sampler(from, kernels);
  sampler.threads = threads;

  const std::size_t units = (std::size_t)n.layers * n.streams * n.hidden;
  std::vector<float> h(units), c(units), logits((std::size_t)n.streams * n.symbols);
  const State state{h.data(), cell == Cell::lstm ? c.data() : nullptr};
  std::vector<std::int64_t> ids(places), targets(places), last(n.streams, n.symbols);
  for (std::size_t i = 0; i < places; ++i) ids[i] = i % (n.symbols + 1), targets[i] = i % n.symbols;
  std::vector<double> nats(places), all;
  sampler.read(state, n.streams, steps, ids.data(), logits.data());
  sampler.score(state, n.streams, steps, ids.data(), targets.data(), nats.data());
  all.insert(all.end(), logits.begin(), logits.end());
  all.insert(all.end(), nats.begin(), nats.end());

  std::vector<std::int32_t> out(places, -1), states(n.streams), classes(n.symbols), next{1, 0, 0, -1, 2, 2},
      distance{2, 3, 0};
  std::vector<std::int8_t> ended(n.streams);
  std::vector<std::uint8_t> final{0, 0, 1}, allowed(n.symbols, 1);
  std::vector<std::uint64_t> numbers(n.streams);
  for (int i = 0; i < n.symbols; ++i) classes[i] = i % 2;
  for (int i = 0; i < n.streams; ++i) numbers[i] = i;
  const Pen pen{7, numbers.data(), 0, steps, last.data(), states.data(), ended.data(), 0};
  const Choice choices[] = {
      {1, 1, 0, 0, nullptr, {}},
      {0.7, 0.8, 0.1, 3, allowed.data(), {3, 2, classes.data(), next.data(), final.data(), distance.data()}}};
  for (const Choice& choice : choices) {
    sampler.write(state, n.streams, steps, pen, choice, out.data());
    all.insert(all.end(), out.begin(), out.end());
  }
  all.insert(all.end(), h.begin(), h.end());
  all.insert(all.end(), c.begin(), c.end());
  return all;
}

}  // namespace

bool exercise_sampler() {
  const Shape shapes[] = {{1, 1, 1, 1}, {2, 17, 5, 3}, {3, 33, 66, 1}, {1, 100, 140, 11}, {2, 50, 257, 26}};
  int runs = 0;
  for (Cell cell : {Cell::lstm, Cell::gru, Cell::rnn})
    for (Weights weights : {Weights::fp32, Weights::bf16, Weights::int8})
      for (const Shape& shape : shapes) {
        const std::vector<double> expected = run_network(cell, weights, shape, "portable", 1);
        for (const std::string& kernels : network_kernels())
          for (int threads : {1, 3}) {
            if (run_network(cell, weights, shape, kernels, threads) == expected) continue;
            std::printf("%s, %d threads: another result at H %d\n", kernels.c_str(), threads, shape.hidden);
            return false;
          }
        release_free_buffers();
        ++runs;
      }
  std::printf("%d networks are sound\n", runs);
  return true;
}
