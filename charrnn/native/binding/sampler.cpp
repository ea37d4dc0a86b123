// The Python face of the sampler: checks every shape and value, then works without the interpreter lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "sampling/sampler.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace charrnn {
namespace {

template <class T>
using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using Floats = Array<const float>;
using Ids = Array<const std::int64_t>;
using Bytes = Array<const std::uint8_t>;

void require(bool good, const std::string& what) {
  if (!good) throw std::invalid_argument(what);
}

// The data of an array that must have exactly this shape.
template <class A>
auto checked(const char* name, const A& array, std::initializer_list<long> shape) {
  bool same = array.ndim() == shape.size();
  std::size_t axis = 0;
  for (long n : shape) same = same && (long)array.shape(axis++) == n;
  require(same, std::string(name) + " has the wrong shape");
  return array.data();
}

std::vector<const float*> checked_all(const char* name, const std::vector<Floats>& arrays, long count,
                                      std::initializer_list<long> shape) {
  require((long)arrays.size() == count, std::string(name) + " has the wrong length");
  std::vector<const float*> data;
  for (const Floats& array : arrays) data.push_back(checked(name, array, shape));
  return data;
}

void check_ids(const char* name, const std::int64_t* ids, long count, long most) {
  for (long i = 0; i < count; ++i)
    require(ids[i] >= 0 && ids[i] <= most,
            std::string(name) + " holds " + std::to_string(ids[i]) + ", which is no symbol");
}

State checked_state(const Network& net, const Array<float>& h, const std::optional<Array<float>>& c, long count) {
  const long layers = (long)net.layers.size();
  require(bool(c) == (net.cell == Cell::lstm), "an LSTM, and no other cell, has c");
  return {checked("h", h, {layers, count, net.hidden}), c ? checked("c", *c, {layers, count, net.hidden}) : nullptr};
}

void make_sampler(Sampler* self, const std::string& cell, const std::string& precision, const Floats& table,
                  const std::vector<Floats>& weight_ih, const std::vector<Floats>& bias_ih,
                  const std::vector<Floats>& weight_hh, const std::vector<Floats>& bias_hh, const Floats& decoder,
                  const Floats& decoder_bias, const std::string& kernels) {
  NetworkSource from{};
  require(cell == "lstm" || cell == "gru" || cell == "rnn", "cell '" + cell + "' is not one of lstm, gru, rnn");
  require(precision == "fp32" || precision == "bf16" || precision == "int8",
          "precision '" + precision + "' is not one of fp32, bf16, int8");
  require(decoder.ndim() == 2 && decoder.shape(0) > 0 && decoder.shape(1) > 0 && !weight_hh.empty(),
          "no axis may be empty");
  from.cell = cell == "lstm" ? Cell::lstm : cell == "gru" ? Cell::gru : Cell::rnn;
  from.weights = precision == "fp32" ? Weights::fp32 : precision == "bf16" ? Weights::bf16 : Weights::int8;
  from.layers = (int)weight_hh.size();
  from.symbols = (int)decoder.shape(0);
  from.hidden = (int)decoder.shape(1);
  const long hidden = from.hidden, rows = gates_of(from.cell) * hidden;
  from.table = checked("table", table, {from.symbols + 1, rows});
  from.weight_ih = checked_all("weight_ih", weight_ih, from.layers - 1, {rows, hidden});
  from.bias_ih = checked_all("bias_ih", bias_ih, from.layers - 1, {rows});
  from.weight_hh = checked_all("weight_hh", weight_hh, from.layers, {rows, hidden});
  from.bias_hh = checked_all("bias_hh", bias_hh, from.layers, {rows});
  from.decoder = decoder.data();
  from.decoder_bias = checked("decoder_bias", decoder_bias, {from.symbols});
  nb::gil_scoped_release unlocked;
  new (self) Sampler(from, kernels);
}

// An automaton with the arrays that its tables point into.
struct KeptAutomaton {
  Array<const std::int32_t> symbol_class, next;
  Bytes final;
  Array<const std::int32_t> distance;
  Automaton tables{};

  KeptAutomaton(const Array<const std::int32_t>& classes_of_symbols, const Array<const std::int32_t>& transitions,
                const Bytes& finals, const Array<const std::int32_t>& distances)
      : symbol_class(classes_of_symbols), next(transitions), final(finals), distance(distances) {
    require(next.ndim() == 2 && next.shape(0) > 0 && next.shape(1) > 0, "the automaton has no states");
    require(symbol_class.ndim() == 1, "symbol_class is not (V)");
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

int write(Sampler& self, const Array<float>& h, const std::optional<Array<float>>& c, const Array<std::int64_t>& last,
          const Array<std::int32_t>& states, const Array<std::int8_t>& ended, std::uint64_t seed,
          const Array<const std::uint64_t>& streams, std::uint64_t position, std::int64_t left, double temperature,
          int top_k, double top_p, double min_p, const std::optional<Bytes>& allowed, const KeptAutomaton* automaton,
          std::int64_t record_end, const Array<std::int32_t>& out) {
  const Network& net = self.network();
  require(out.ndim() == 2 && out.shape(1) > 0, "out is not (steps, B)");
  const long count = (long)out.shape(1);
  const State state = checked_state(net, h, c, count);
  Pen pen{seed,
          checked("streams", streams, {count}),
          position,
          left,
          checked("last", last, {count}),
          checked("states", states, {count}),
          checked("ended", ended, {count}),
          record_end};
  check_ids("last", pen.last, count, net.symbols);
  require(temperature >= 0 && top_k >= 0 && top_p > 0 && min_p >= 0 && min_p <= 1, "a filter is out of range");
  Choice choice{temperature, top_p, min_p, top_k, allowed ? checked("allowed", *allowed, {net.symbols}) : nullptr, {}};
  if (automaton) {
    checked("symbol_class", automaton->symbol_class, {net.symbols});
    choice.automaton = automaton->tables;
    for (long i = 0; i < count; ++i)
      require(pen.states[i] >= 0 && pen.states[i] < automaton->tables.states,
              "a stream's automaton state does not exist");
  }
  nb::gil_scoped_release unlocked;
  return self.write(state, (int)count, (int)out.shape(0), pen, choice, out.data());
}

void read(Sampler& self, const Ids& ids, const Array<float>& h, const std::optional<Array<float>>& c,
          const std::optional<Array<float>>& logits) {
  const Network& net = self.network();
  require(ids.ndim() == 2 && ids.shape(1) > 0, "ids are not (T, B)");
  const long steps = (long)ids.shape(0), count = (long)ids.shape(1);
  const State state = checked_state(net, h, c, count);
  require(!logits || steps > 0, "no symbol, no logits");
  float* to = logits ? checked("logits", *logits, {count, net.symbols}) : nullptr;
  check_ids("ids", ids.data(), steps * count, net.symbols);
  nb::gil_scoped_release unlocked;
  self.read(state, (int)count, (int)steps, ids.data(), to);
}

void score(Sampler& self, const Ids& ids, const Ids& targets, const Array<float>& h,
           const std::optional<Array<float>>& c, const Array<double>& nats) {
  const Network& net = self.network();
  require(ids.ndim() == 2 && ids.shape(1) > 0, "ids are not (T, B)");
  const long steps = (long)ids.shape(0), count = (long)ids.shape(1);
  const State state = checked_state(net, h, c, count);
  const std::int64_t* to = checked("targets", targets, {steps, count});
  double* costs = checked("nats", nats, {steps, count});
  check_ids("ids", ids.data(), steps * count, net.symbols);
  check_ids("targets", to, steps * count, net.symbols - 1);
  nb::gil_scoped_release unlocked;
  self.score(state, (int)count, (int)steps, ids.data(), to, costs);
}

}  // namespace

void bind_sampler(nb::module_& module) {
  nb::class_<KeptAutomaton>(module, "Automaton", "Which symbols may come next.")
      .def(nb::init<const Array<const std::int32_t>&, const Array<const std::int32_t>&, const Bytes&,
                    const Array<const std::int32_t>&>(),
           "symbol_class"_a.noconvert(), "next_state"_a.noconvert(), "final"_a.noconvert(), "distance"_a.noconvert());
  nb::class_<Sampler>(module, "Sampler", "A network packed for sampling and scoring.")
      .def("__init__", &make_sampler, "cell"_a, "precision"_a, "table"_a.noconvert(), "weight_ih"_a, "bias_ih"_a,
           "weight_hh"_a, "bias_hh"_a, "decoder"_a.noconvert(), "decoder_bias"_a.noconvert(), "kernels"_a = "")
      .def("write", &write, "h"_a.noconvert(), "c"_a.noconvert().none(), "last"_a.noconvert(), "states"_a.noconvert(),
           "ended"_a.noconvert(), "seed"_a, "streams"_a.noconvert(), "position"_a, "left"_a, "temperature"_a, "top_k"_a,
           "top_p"_a, "min_p"_a, "allowed"_a.noconvert().none(), "automaton"_a.none(), "record_end"_a,
           "out"_a.noconvert())
      .def("read", &read, "ids"_a.noconvert(), "h"_a.noconvert(), "c"_a.noconvert().none(),
           "logits"_a.noconvert().none())
      .def("score", &score, "ids"_a.noconvert(), "targets"_a.noconvert(), "h"_a.noconvert(), "c"_a.noconvert().none(),
           "nats"_a.noconvert())
      .def_prop_rw(
          "threads", [](const Sampler& self) { return self.threads; },
          [](Sampler& self, int threads) {
            require(threads >= 1, "threads must be at least 1");
            self.threads = threads;
          })
      .def("kernels", [](const Sampler& self) { return self.network().kernels->name; }, "Name of the kernels in use.");
  module.def(
      "sampler_kernels", [] { return network_kernels(); },
      "Names of all kernels of Sampler that this machine can run, slowest first.");
}

}  // namespace charrnn
