// Sampling and scoring: a network, and how it writes, reads and scores.
#include <nanobind/stl/map.h>

#include "binding/arrays.h"
#include "binding/names.h"
#include "binding/ngrams.h"
#include "sampling/kernels.h"
#include "sampling/sampler.h"

namespace charrnn {
namespace {

using Bytes = Array<const std::uint8_t>;
using Ints = Array<const std::int32_t>;

Weights checked_weights(const std::string& precision) {
  if (precision == "fp32") return Weights::fp32;
  if (precision == "bf16") return Weights::bf16;
  if (precision == "int8") return Weights::int8;
  throw std::invalid_argument("precision '" + precision + "' is not one of fp32, bf16, int8");
}

std::vector<const float*> checked_all(const char* name, const std::vector<Input>& arrays, long count,
                                      std::initializer_list<long> shape) {
  require((long)arrays.size() == count, std::string(name) + " has the wrong length");
  std::vector<const float*> data;
  for (const Input& array : arrays) data.push_back(checked(name, array, shape));
  return data;
}

void check_ids(const char* name, const std::int64_t* ids, long count, long most) {
  for (long i = 0; i < count; ++i)
    if (ids[i] < 0 || ids[i] > most)
      throw std::invalid_argument(std::string(name) + " holds " + std::to_string(ids[i]) + ", which is no symbol");
}

typedef Maybe<Array<std::int32_t>> Recent;

State checked_state(const Network& net, const Output& h, const Maybe<Output>& c, const Recent& recent, long count) {
  const long layers = (long)net.layers.size(), order = net.experts.order;
  check_has_c(net.cell, bool(c));
  require(bool(recent) == (order > 0),
          order ? "`recent` is missing" : "the network has no experts to remember `recent`");
  const State state{checked("h", h, {layers, count, net.hidden}), checked("c", c, {layers, count, net.hidden}),
                    checked("recent", recent, {1, count, order})};
  for (long i = 0; i < count * order; ++i)
    require(state.recent[i] >= 0 && state.recent[i] <= net.symbols, "recent holds what is no symbol");
  return state;
}

void make_sampler(Sampler* self, const std::string& cell, const std::string& precision, const Input& table,
                  const std::vector<Input>& weight_ih, const std::vector<Input>& bias_ih,
                  const std::vector<Input>& weight_hh, const std::vector<Input>& bias_hh, const Input& decoder,
                  const Input& decoder_bias, const KeptNgramTable* ngrams, const Maybe<Input>& gate,
                  const Maybe<Input>& shares, const std::string& kernels) {
  NetworkSource from{};
  require(decoder.ndim() == 2 && decoder.shape(0) > 0 && decoder.shape(1) > 0 && !weight_hh.empty(),
          "no axis may be empty");
  from.cell = checked_cell(cell);
  from.weights = checked_weights(precision);
  from.layers = (int)weight_hh.size();
  from.symbols = (int)decoder.shape(0);
  from.hidden = (int)decoder.shape(1);
  const long hidden = from.hidden, rows = facts_of(from.cell).gates * hidden;
  from.table = checked("table", table, {from.symbols + 1, rows});
  from.weight_ih = checked_all("weight_ih", weight_ih, from.layers - 1, {rows, hidden});
  from.bias_ih = checked_all("bias_ih", bias_ih, from.layers - 1, {rows});
  from.weight_hh = checked_all("weight_hh", weight_hh, from.layers, {rows, hidden});
  from.bias_hh = checked_all("bias_hh", bias_hh, from.layers, {rows});
  from.decoder = decoder.data();
  from.decoder_bias = checked("decoder_bias", decoder_bias, {from.symbols});
  require(bool(ngrams) == bool(gate) && bool(ngrams) == bool(shares), "experts need ngrams, gate and shares");
  if (ngrams) {
    const long order = ngrams->table.order;
    require(ngrams->table.symbols == from.symbols, "the n-grams are of another vocabulary");
    from.ngrams = &ngrams->table;
    from.gate = checked("gate", gate, {order, hidden});
    from.shares = checked("shares", shares, {order, ngram_buckets, ngram_codes});
  }
  nb::gil_scoped_release unlocked;
  new (self) Sampler(from, kernels);
}

// An automaton with the arrays that its tables point into. It is checked once, when it is made.
struct KeptAutomaton {
  Ints symbol_class, next;
  Bytes final;
  Ints distance;
  Automaton tables{};

  KeptAutomaton(const Ints& symbol_class, const Ints& next_state, const Bytes& final, const Ints& distance)
      : symbol_class(symbol_class), next(next_state), final(final), distance(distance) {
    require(next.ndim() == 2 && next.shape(0) > 0 && next.shape(1) > 0, "the automaton has no states");
    require(symbol_class.ndim() == 1, "symbol_class has shape " + shape_of(symbol_class) + ", not (V)");
    tables.states = (int)next.shape(0);
    tables.classes = (int)next.shape(1);
    tables.symbol_class = symbol_class.data();
    tables.next = next.data();
    tables.final = checked("final", final, {tables.states});
    tables.distance = checked("distance", distance, {tables.states});
    for (std::size_t i = 0; i < symbol_class.size(); ++i)
      require(tables.symbol_class[i] >= 0 && tables.symbol_class[i] < tables.classes,
              "a symbol's class does not exist");
    for (std::size_t i = 0; i < next.size(); ++i)
      require(tables.next[i] < tables.states, "the automaton leads to a state that does not exist");
  }
};

int write(const Sampler& self, int threads, const Output& h, const Maybe<Output>& c, const Recent& recent,
          const Array<std::int64_t>& last, const Array<std::int32_t>& automaton_state, const Array<std::int8_t>& ended,
          std::uint64_t position, std::int64_t symbols_left, std::int64_t record_end, std::uint64_t seed,
          double temperature, const std::map<std::string, double>& filters, const Maybe<Bytes>& allowed,
          const KeptAutomaton* automaton, const Array<std::int32_t>& out) {
  const Network& net = self.network();
  check_threads(threads);
  require(out.ndim() == 2 && out.shape(1) > 0, "out is not (steps, B)");
  const long count = (long)out.shape(1);
  WriterState state{};
  state.carried = checked_state(net, h, c, recent, count);
  state.last = checked("last", last, {count});
  state.automaton_state = checked("automaton_state", automaton_state, {count});
  state.ended = checked("ended", ended, {count});
  state.position = position;
  state.symbols_left = symbols_left;
  state.record_end = record_end;
  check_ids("last", state.last, count, net.symbols);

  SamplingParameters how{};
  require(temperature >= 0, "the temperature may not be negative");
  how.seed = seed;
  how.temperature = temperature;
  how.filters = active_filters(net.kernels->filters, filters);
  how.allowed = checked("allowed", allowed, {net.symbols});
  if (automaton) {
    checked("symbol_class", automaton->symbol_class, {net.symbols});
    how.automaton = automaton->tables;
    for (long i = 0; i < count; ++i)
      require(state.automaton_state[i] >= 0 && state.automaton_state[i] < automaton->tables.states,
              "a stream's automaton state does not exist");
  }
  // The arguments keep the arrays alive; what they hold must not change before this returns.
  nb::gil_scoped_release unlocked;
  return self.write(threads, state, (int)count, (int)out.shape(0), how, out.data());
}

void read(const Sampler& self, int threads, const Ids& ids, const Output& h, const Maybe<Output>& c,
          const Recent& recent, const Maybe<Output>& logits) {
  const Network& net = self.network();
  check_threads(threads);
  require(ids.ndim() == 2 && ids.shape(1) > 0, "ids are not (T, B)");
  const long steps = (long)ids.shape(0), count = (long)ids.shape(1);
  const State state = checked_state(net, h, c, recent, count);
  require(!logits || steps > 0, "no symbol, no logits");
  float* to = checked("logits", logits, {count, net.symbols});
  check_ids("ids", ids.data(), steps * count, net.symbols);
  nb::gil_scoped_release unlocked;
  self.read(threads, state, (int)count, (int)steps, ids.data(), to);
}

void score(const Sampler& self, int threads, const Ids& ids, const Ids& targets, const Output& h,
           const Maybe<Output>& c, const Recent& recent, const Array<double>& nats) {
  const Network& net = self.network();
  check_threads(threads);
  require(ids.ndim() == 2 && ids.shape(1) > 0, "ids are not (T, B)");
  const long steps = (long)ids.shape(0), count = (long)ids.shape(1);
  const State state = checked_state(net, h, c, recent, count);
  const std::int64_t* to = checked("targets", targets, {steps, count});
  double* costs = checked("nats", nats, {steps, count});
  check_ids("ids", ids.data(), steps * count, net.symbols);
  check_ids("targets", to, steps * count, net.symbols - 1);
  nb::gil_scoped_release unlocked;
  self.score(threads, state, (int)count, (int)steps, ids.data(), to, costs);
}

}  // namespace

void bind_sampler(nb::module_& module) {
  nb::class_<KeptAutomaton>(module, "Automaton", "Which symbols may come next.")
      .def(nb::init<const Ints&, const Ints&, const Bytes&, const Ints&>(), nb::kw_only(), "symbol_class"_a.noconvert(),
           "next_state"_a.noconvert(), "final"_a.noconvert(), "distance"_a.noconvert());
  nb::class_<Sampler>(module, "Sampler", "A network packed for sampling and scoring.")
      .def("__init__", &make_sampler, nb::kw_only(), "cell"_a, "precision"_a, "table"_a.noconvert(), "weight_ih"_a,
           "bias_ih"_a, "weight_hh"_a, "bias_hh"_a, "decoder"_a.noconvert(), "decoder_bias"_a.noconvert(),
           "ngrams"_a.none(), "gate"_a.noconvert().none(), "shares"_a.noconvert().none(), "kernels"_a = "")
      .def("write", &write, nb::kw_only(), "threads"_a, "h"_a.noconvert(), "c"_a.noconvert().none(),
           "recent"_a.noconvert().none(), "last"_a.noconvert(), "automaton_state"_a.noconvert(), "ended"_a.noconvert(),
           "position"_a, "symbols_left"_a, "record_end"_a, "seed"_a, "temperature"_a, "filters"_a,
           "allowed"_a.noconvert().none(), "automaton"_a.none(), "out"_a.noconvert())
      .def("read", &read, nb::kw_only(), "threads"_a, "ids"_a.noconvert(), "h"_a.noconvert(), "c"_a.noconvert().none(),
           "recent"_a.noconvert().none(), "logits"_a.noconvert().none())
      .def("score", &score, nb::kw_only(), "threads"_a, "ids"_a.noconvert(), "targets"_a.noconvert(), "h"_a.noconvert(),
           "c"_a.noconvert().none(), "recent"_a.noconvert().none(), "nats"_a.noconvert())
      .def("kernels", [](const Sampler& self) { return self.network().kernels->name; });
  module.def("sampler_kernels", &available_sampling_kernels);
  module.def("filters", [] {
    std::vector<std::string> names;
    for (const Filter& filter : sampling_kernels("").filters) names.push_back(filter.name);
    return names;
  });
}

}  // namespace charrnn
