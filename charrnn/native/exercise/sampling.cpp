// Packs odd networks and lets them write, read and score with every kernel, and checks that the results depend on
// neither the kernels nor the number of threads.
#include <algorithm>
#include <cstdio>

#include "common/memory.h"
#include "exercise/numbers.h"
#include "sampling/kernels.h"
#include "sampling/sampler.h"

using namespace charrnn;

namespace {

struct Shape { int layers, hidden, symbols, streams, order; };

// Tables of 3 states and 2 classes of symbols; the last state is final.
struct Tables {
  std::vector<std::int32_t> symbol_class, next{1, 0, 0, -1, 2, 2}, distance{2, 3, 0};
  std::vector<std::uint8_t> final{0, 0, 1};

  explicit Tables(int symbols) : symbol_class(symbols) {
    for (int i = 0; i < symbols; ++i) symbol_class[i] = i % 2;
  }
  Automaton automaton() const { return {3, 2, symbol_class.data(), next.data(), final.data(), distance.data()}; }
};

// A table of n-grams in which a node is followed by every third symbol, and fewer as it gets deeper.
struct Counts {
  std::vector<std::uint16_t> symbol{0};
  std::vector<std::uint8_t> code{0};
  std::vector<std::uint32_t> first_child{1};
  int order, symbols;

  Counts(int order, int symbols) : order(order), symbols(symbols) {
    for (std::size_t depth = 0, node = 0; depth <= (std::size_t)order; ++depth)
      for (const std::size_t end = symbol.size(); node < end; ++node) {
        for (int v = (int)(node % 3); v < symbols && (depth < 2 || v < 5); v += 3) {
          symbol.push_back((std::uint16_t)v);
          code.push_back((node * 7 + v) % ngram_codes);
        }
        first_child.push_back((std::uint32_t)symbol.size());
      }
  }
  NgramTable table() const {
    return {order,
            symbols,
            (std::int64_t)symbol.size(),
            (std::int64_t)first_child.size() - 1,
            symbol.data(),
            code.data(),
            first_child.data(),
            nullptr,
            0};
  }
};

// No filter; each filter alone, with some of the numbers that it allows; all of them together.
std::vector<std::map<std::string, double>> filters_to_try(const SamplingKernels& kernels) {
  std::vector<std::map<std::string, double>> tried{{}};
  std::map<std::string, double> all;
  for (const Filter& filter : kernels.filters)
    for (double parameter : {0.1, 0.8, 1.0, 3.0})
      if (filter.allows(parameter)) {
        tried.push_back({{filter.name, parameter}});
        all[filter.name] = parameter;
      }
  tried.push_back(all);
  return tried;
}

// Everything that comes out, in one list.
std::vector<double> run_network(Cell cell, Weights weights, Shape n, const std::string& kernels, int threads) {
  const std::size_t rows = facts_of(cell).gates * std::size_t(n.hidden), steps = 9, places = steps * n.streams;
  Random random;
  std::vector<Floats> kept;
  auto floats = [&](std::size_t count) {
    kept.push_back(random.floats(count));
    return kept.back().data();
  };
  NetworkSource from{cell,    weights, n.layers, n.hidden, n.symbols, floats((n.symbols + 1) * rows), {}, {}, {}, {},
                     nullptr, nullptr, nullptr,  nullptr,  nullptr};
  for (int layer = 0; layer < n.layers; ++layer) {
    from.weight_hh.push_back(floats(rows * n.hidden));
    from.bias_hh.push_back(floats(rows));
    if (layer == 0) continue;
    from.weight_ih.push_back(floats(rows * n.hidden));
    from.bias_ih.push_back(floats(rows));
  }
  from.decoder = floats((std::size_t)n.symbols * n.hidden);
  from.decoder_bias = floats(n.symbols);
  const Counts counts(n.order, n.symbols);
  const NgramTable table = counts.table();
  if (n.order) {
    from.ngrams = &table;
    from.gate = floats((std::size_t)n.order * n.hidden);
    from.shares = floats((std::size_t)n.order * ngram_buckets * ngram_codes);
  }
  const Sampler sampler(from, kernels);

  const std::size_t units = (std::size_t)n.layers * n.streams * n.hidden;
  Floats h(units), c(units), logits((std::size_t)n.streams * n.symbols);
  std::vector<std::int32_t> recent((std::size_t)n.streams * n.order);
  const State carried{h.data(), facts_of(cell).has_c ? c.data() : nullptr, recent.data()};
  std::vector<std::int64_t> ids(places), targets(places), last(n.streams, n.symbols);
  for (std::size_t i = 0; i < places; ++i) ids[i] = i % (n.symbols + 1), targets[i] = i % n.symbols;
  std::vector<double> nats(places), all;
  sampler.read(threads, carried, n.streams, steps, ids.data(), logits.data());
  sampler.score(threads, carried, n.streams, steps, ids.data(), targets.data(), nats.data());
  all.insert(all.end(), logits.begin(), logits.end());
  all.insert(all.end(), nats.begin(), nats.end());

  const Tables tables(n.symbols);
  const std::vector<std::uint8_t> allowed(n.symbols, 1);
  const SamplingKernels& used = *sampler.network().kernels;
  for (const auto& parameters : filters_to_try(used))
    for (bool limited : {false, true}) {
      std::vector<std::int32_t> out(places, -1), automaton_state(n.streams);
      std::vector<std::int8_t> ended(n.streams);
      const WriterState state{carried, last.data(), automaton_state.data(), ended.data(), 0, (long)steps, 0};
      SamplingParameters how{7, limited ? 0.7 : 1, active_filters(used.filters, parameters), nullptr, {}};
      if (limited) how.allowed = allowed.data(), how.automaton = tables.automaton();
      sampler.write(threads, state, n.streams, steps, how, out.data());
      all.insert(all.end(), out.begin(), out.end());
    }
  all.insert(all.end(), h.begin(), h.end());
  all.insert(all.end(), c.begin(), c.end());
  all.insert(all.end(), recent.begin(), recent.end());
  return all;
}

}  // namespace

bool exercise_sampling() {
  const Shape shapes[] = {{1, 1, 1, 1, 0},      {2, 17, 5, 3, 0},    {3, 33, 66, 1, 0},
                          {1, 100, 140, 11, 0}, {2, 50, 257, 26, 0}, {1, 1, 1, 1, 1},
                          {2, 17, 5, 3, 16},    {1, 33, 60, 1, 6},   {1, 20, 300, 11, 3}};
  int runs = 0;
  for (const CellFacts& cell : all_cells)
    for (Weights weights : {Weights::fp32, Weights::bf16, Weights::int8})
      for (const Shape& shape : shapes) {
        const Cell value = *cell_named(cell.name);
        const std::vector<double> expected = run_network(value, weights, shape, "portable", 1);
        for (const std::string& kernels : available_sampling_kernels())
          for (int threads : {1, 3}) {
            if (run_network(value, weights, shape, kernels, threads) == expected) continue;
            std::printf("%s, %s, %d threads: another result at H %d\n", cell.name, kernels.c_str(), threads,
                        shape.hidden);
            return false;
          }
        release_free_buffers();
        ++runs;
      }
  std::printf("%d networks are sound\n", runs);
  return true;
}
