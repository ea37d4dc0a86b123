// The Python face of the kernels: checks every shape and type, then works without the interpreter lock.
//
// Arrays may be of numpy, torch or any library that speaks DLPack; nothing here knows which.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "common/instruction_set.h"
#include "common/memory.h"
#include "common/threads.h"
#include "training/adamw.h"
#include "training/dropout.h"
#include "training/loss.h"
#include "training/window.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace charrnn {
namespace {

template <class T>
using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using Input = Array<const float>;
using Output = Array<float>;
using Ids = Array<const std::int64_t>;
template <class A>
using Maybe = std::optional<A>;

template <class A>
std::string shape_of(const A& array) {
  std::string text = "(";
  for (std::size_t i = 0; i < array.ndim(); ++i) text += (i ? ", " : "") + std::to_string(array.shape(i));
  return text + ")";
}

// The data of an array that must have exactly this shape.
template <class A>
auto checked(const char* name, const A& array, std::initializer_list<long> shape) {
  bool same = array.ndim() == shape.size();
  std::size_t axis = 0;
  for (long n : shape) same = same && (long)array.shape(axis++) == n;
  if (!same) {
    std::string wanted;
    for (long n : shape) wanted += (wanted.empty() ? "" : ", ") + std::to_string(n);
    throw std::invalid_argument(std::string(name) + " has shape " + shape_of(array) + ", not (" + wanted + ")");
  }
  return array.data();
}
template <class A>
auto checked(const char* name, const Maybe<A>& array, std::initializer_list<long> shape) {
  return array ? checked(name, *array, shape) : nullptr;
}

void require(bool good, const std::string& what) {
  if (!good) throw std::invalid_argument(what);
}

Cell cell_named(const std::string& name) {
  if (name == "lstm") return Cell::lstm;
  if (name == "gru") return Cell::gru;
  if (name == "rnn") return Cell::rnn;
  throw std::invalid_argument("cell '" + name + "' is not one of lstm, gru, rnn");
}

Precision precision_named(const std::string& name) {
  if (name == "fp32") return Precision::fp32;
  if (name == "bf16") return Precision::bf16;
  throw std::invalid_argument("precision '" + name + "' is not one of fp32, bf16");
}

// What forward and backward are both given.
void set_inputs(Layer& layer, const Maybe<Ids>& ids, const Maybe<Input>& mask, const Maybe<Input>& weight_ih,
                const Input& weight_hh) {
  const long gates = gates_of(layer.cell) * (long)layer.hidden;
  layer.ids = checked("ids", ids, {layer.steps, layer.batch});
  layer.mask = checked("mask", mask, {layer.steps, layer.batch, layer.inputs});
  layer.weight_ih = checked("weight_ih", weight_ih, {gates, layer.inputs});
  layer.weight_hh = checked("weight_hh", weight_hh, {gates, layer.hidden});
  require(!layer.inputs || layer.weight_ih, "x needs weight_ih");
  if (layer.ids)
    for (long i = 0; i < (long)layer.steps * layer.batch; ++i)
      require(layer.ids[i] >= 0 && layer.ids[i] < layer.rows,
              "id " + std::to_string(layer.ids[i]) + " is outside the table's " + std::to_string(layer.rows) + " rows");
}

std::unique_ptr<Window> forward(const std::string& cell, const std::string& precision, int threads, bool save,
                                const Input& table, const Maybe<Ids>& ids, const Maybe<Input>& x,
                                const Maybe<Input>& mask, const Maybe<Input>& weight_ih, const Input& weight_hh,
                                const Input& bias_hh, const Input& h_first, const Maybe<Input>& c_first,
                                const Output& out, const Output& h_last, const Maybe<Output>& c_last) {
  Layer layer{};
  layer.cell = cell_named(cell);
  layer.precision = precision_named(precision);
  layer.save = save;
  require(threads >= 1, "threads must be at least 1");
  require(out.ndim() == 3, "out has shape " + shape_of(out) + ", not (T, B, H)");
  require(!x || x->ndim() == 3, "x must be (T, B, I)");
  require(table.ndim() == 2, "table has shape " + shape_of(table) + ", not (V, G*H)");
  layer.steps = (int)out.shape(0);
  layer.batch = (int)out.shape(1);
  layer.hidden = (int)out.shape(2);
  layer.inputs = x ? (int)x->shape(2) : 0;
  layer.rows = (int)table.shape(0);
  require(layer.steps && layer.batch && layer.hidden && layer.rows && (!x || layer.inputs), "no axis may be empty");
  const long gates = gates_of(layer.cell) * (long)layer.hidden;
  const bool lstm = layer.cell == Cell::lstm;
  require(bool(c_first) == lstm && bool(c_last) == lstm, "an LSTM, and no other cell, has c");
  layer.table = checked("table", table, {layer.rows, gates});
  layer.x = checked("x", x, {layer.steps, layer.batch, layer.inputs});
  layer.bias_hh = checked("bias_hh", bias_hh, {gates});
  layer.h_first = checked("h_first", h_first, {layer.batch, layer.hidden});
  layer.c_first = checked("c_first", c_first, {layer.batch, layer.hidden});
  layer.out = out.data();
  layer.h_last = checked("h_last", h_last, {layer.batch, layer.hidden});
  layer.c_last = checked("c_last", c_last, {layer.batch, layer.hidden});
  set_inputs(layer, ids, mask, weight_ih, weight_hh);

  nb::gil_scoped_release unlocked;
  auto window = std::make_unique<Window>(layer, threads);
  window->forward();
  return save ? std::move(window) : nullptr;
}

void backward(Window& window, int threads, const Maybe<Ids>& ids, const Maybe<Input>& mask,
              const Maybe<Input>& weight_ih, const Input& weight_hh, const Maybe<Input>& d_out,
              const Maybe<Input>& d_h_last, const Maybe<Input>& d_c_last, const Output& d_table,
              const Maybe<Output>& d_x, const Maybe<Output>& d_weight_ih, const Output& d_weight_hh,
              const Output& d_bias_hh, const Output& d_h_first, const Maybe<Output>& d_c_first) {
  if (window.spent)
    throw std::runtime_error("backward of a window runs only once: its gates are overwritten by their gradients");
  Layer& layer = window.layer;
  require(threads >= 1, "threads must be at least 1");
  const long gates = gates_of(layer.cell) * (long)layer.hidden;
  set_inputs(layer, ids, mask, weight_ih, weight_hh);
  layer.d_out = checked("d_out", d_out, {layer.steps, layer.batch, layer.hidden});
  layer.d_h_last = checked("d_h_last", d_h_last, {layer.batch, layer.hidden});
  layer.d_c_last = checked("d_c_last", d_c_last, {layer.batch, layer.hidden});
  layer.d_table = checked("d_table", d_table, {layer.rows, gates});
  layer.d_x = checked("d_x", d_x, {layer.steps, layer.batch, layer.inputs});
  layer.d_weight_ih = checked("d_weight_ih", d_weight_ih, {gates, layer.inputs});
  layer.d_weight_hh = checked("d_weight_hh", d_weight_hh, {gates, layer.hidden});
  layer.d_bias_hh = checked("d_bias_hh", d_bias_hh, {gates});
  layer.d_h_first = checked("d_h_first", d_h_first, {layer.batch, layer.hidden});
  layer.d_c_first = checked("d_c_first", d_c_first, {layer.batch, layer.hidden});
  require(bool(d_c_first) == (layer.cell == Cell::lstm), "an LSTM, and no other cell, has c");
  require(!layer.inputs || layer.d_weight_ih, "a layer with inputs needs d_weight_ih");

  nb::gil_scoped_release unlocked;
  window.backward(threads);
}

void adamw(int threads, const Output& weights, const Input& gradients, const Output& means, const Output& squares,
           float rate, float decay, float beta1, float beta2, float epsilon, float mean_scale, float square_scale) {
  require(threads >= 1, "threads must be at least 1");
  const long count = (long)weights.size();
  require((long)gradients.size() == count && (long)means.size() == count && (long)squares.size() == count,
          "weights, gradients, means and squares differ in size");
  const AdamW step{weights.data(), means.data(), squares.data(), gradients.data(), count,      rate,
                   decay,          beta1,        beta2,          epsilon,          mean_scale, square_scale};
  nb::gil_scoped_release unlocked;
  run(threads, [&](Team& team) { kernels().adamw(step, team); });
}

void dropout_mask(int threads, std::int64_t seed, double dropped, const Output& mask) {
  require(threads >= 1, "threads must be at least 1");
  require(dropped >= 0 && dropped < 1, "the fraction dropped must be at least 0 and below 1");
  const Dropout job{mask.data(), (long)mask.size(), (std::uint64_t)seed, (std::uint32_t)(dropped * 0x1p32),
                    (float)(1 / (1 - dropped))};
  nb::gil_scoped_release unlocked;
  run(threads, [&](Team& team) { kernels().dropout(job, team); });
}

std::unique_ptr<LossWindow> loss_forward(const std::string& precision, int threads, const Input& x,
                                         const Maybe<Input>& mask, const Input& weight, const Input& bias,
                                         const Ids& targets, const Output& nats) {
  Loss loss{};
  loss.precision = precision_named(precision);
  require(threads >= 1, "threads must be at least 1");
  require(x.ndim() == 2, "x has shape " + shape_of(x) + ", not (N, H)");
  require(weight.ndim() == 2, "weight has shape " + shape_of(weight) + ", not (V, H)");
  loss.rows = (int)x.shape(0);
  loss.hidden = (int)x.shape(1);
  loss.symbols = (int)weight.shape(0);
  require(loss.rows && loss.hidden && loss.symbols, "no axis may be empty");
  loss.x = x.data();
  loss.mask = checked("mask", mask, {loss.rows, loss.hidden});
  loss.weight = checked("weight", weight, {loss.symbols, loss.hidden});
  loss.bias = checked("bias", bias, {loss.symbols});
  loss.targets = checked("targets", targets, {loss.rows});
  loss.nats = checked("nats", nats, {});
  for (int i = 0; i < loss.rows; ++i)
    require(
        loss.targets[i] >= 0 && loss.targets[i] < loss.symbols,
        "target " + std::to_string(loss.targets[i]) + " is not one of " + std::to_string(loss.symbols) + " symbols");

  nb::gil_scoped_release unlocked;
  auto window = std::make_unique<LossWindow>(loss, threads);
  window->forward();
  return window;
}

void loss_backward(LossWindow& window, const Maybe<Input>& mask, const Input& weight, const Output& d_x,
                   const Output& d_weight, const Output& d_bias) {
  Loss& loss = window.loss;
  loss.mask = checked("mask", mask, {loss.rows, loss.hidden});
  loss.weight = checked("weight", weight, {loss.symbols, loss.hidden});
  loss.d_x = checked("d_x", d_x, {loss.rows, loss.hidden});
  loss.d_weight = checked("d_weight", d_weight, {loss.symbols, loss.hidden});
  loss.d_bias = checked("d_bias", d_bias, {loss.symbols});

  nb::gil_scoped_release unlocked;
  window.backward();
}

}  // namespace

void bind_sampler(nb::module_& module);  // sampler_binding.cpp

}  // namespace charrnn

NB_MODULE(_native, module) {
  using namespace charrnn;
  module.doc() = "The recurrent layers of charrnn in C++; see charrnn/native.";
  nb::class_<Window>(module, "Window", "What forward keeps for backward.");
  module.def("forward", &forward, "cell"_a, "precision"_a, "threads"_a, "save"_a, "table"_a.noconvert(),
             "ids"_a.noconvert().none(), "x"_a.noconvert().none(), "mask"_a.noconvert().none(),
             "weight_ih"_a.noconvert().none(), "weight_hh"_a.noconvert(), "bias_hh"_a.noconvert(),
             "h_first"_a.noconvert(), "c_first"_a.noconvert().none(), "out"_a.noconvert(), "h_last"_a.noconvert(),
             "c_last"_a.noconvert().none(),
             "Run one layer over a window into `out`; the result is for backward, or None when `save` is false.");
  module.def("backward", &backward, "window"_a, "threads"_a, "ids"_a.noconvert().none(), "mask"_a.noconvert().none(),
             "weight_ih"_a.noconvert().none(), "weight_hh"_a.noconvert(), "d_out"_a.noconvert().none(),
             "d_h_last"_a.noconvert().none(), "d_c_last"_a.noconvert().none(), "d_table"_a.noconvert(),
             "d_x"_a.noconvert().none(), "d_weight_ih"_a.noconvert().none(), "d_weight_hh"_a.noconvert(),
             "d_bias_hh"_a.noconvert(), "d_h_first"_a.noconvert(), "d_c_first"_a.noconvert().none(),
             "Fill the gradients of one layer over the window that forward saw.");
  module.def("adamw", &adamw, "threads"_a, "weights"_a.noconvert(), "gradients"_a.noconvert(), "means"_a.noconvert(),
             "squares"_a.noconvert(), "rate"_a, "decay"_a, "beta1"_a, "beta2"_a, "epsilon"_a, "mean_scale"_a,
             "square_scale"_a, "Update one parameter and its moments in place.");
  module.def("dropout_mask", &dropout_mask, "threads"_a, "seed"_a, "dropped"_a, "mask"_a.noconvert(),
             "Fill a mask: 0 with probability `dropped`, else 1 / (1 - dropped).");
  nb::class_<LossWindow>(module, "LossWindow", "What loss_forward keeps for loss_backward.");
  module.def("loss_forward", &loss_forward, "precision"_a, "threads"_a, "x"_a.noconvert(), "mask"_a.noconvert().none(),
             "weight"_a.noconvert(), "bias"_a.noconvert(), "targets"_a.noconvert(), "nats"_a.noconvert(),
             "Write the mean nats of the targets under a linear decoder of x * mask into `nats`.");
  module.def("loss_backward", &loss_backward, "window"_a, "mask"_a.noconvert().none(), "weight"_a.noconvert(),
             "d_x"_a.noconvert(), "d_weight"_a.noconvert(), "d_bias"_a.noconvert(),
             "Fill the gradients of the mean that loss_forward gave.");
  module.def("isa", [] { return kernels().name; }, "Name of the instruction set in use.");
  module.def("has_fast_bf16", [] { return kernels().native_bf16; }, "Whether bf16 is faster than fp32 here.");
  module.def("available_isas", &available, "Names of all instruction sets that this machine can run, slowest first.");
  module.def("cap_isa", &cap, "name"_a,
             "Use no better instruction set than this one; '' lifts the cap. CHARRNN_ISA does so from outside.");
  module.def("thread_source", &thread_source, "Whose threads are used: 'openmp' (a team that torch brought) or 'own'.");
  bind_sampler(module);
  module.def("release_memory", &release_free_buffers, "Give buffers kept for the next window back to the system.");
}
