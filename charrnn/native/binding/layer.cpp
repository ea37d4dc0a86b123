// One recurrent layer over one window, forward and backward.
#include <nanobind/stl/unique_ptr.h>

#include <memory>

#include "binding/arrays.h"
#include "binding/names.h"
#include "training/window.h"

namespace charrnn {
namespace {

// What forward and backward are both given.
void set_inputs(Layer& layer, const Maybe<Ids>& ids, const Maybe<Input>& mask, const Maybe<Input>& weight_ih,
                const Input& weight_hh) {
  const long gates = facts_of(layer.cell).gates * (long)layer.hidden;
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
  layer.cell = checked_cell(cell);
  layer.precision = checked_precision(precision);
  layer.save = save;
  check_threads(threads);
  require(out.ndim() == 3, "out has shape " + shape_of(out) + ", not (T, B, H)");
  require(!x || x->ndim() == 3, "x must be (T, B, I)");
  require(table.ndim() == 2, "table has shape " + shape_of(table) + ", not (V, G*H)");
  layer.steps = (int)out.shape(0);
  layer.batch = (int)out.shape(1);
  layer.hidden = (int)out.shape(2);
  layer.inputs = x ? (int)x->shape(2) : 0;
  layer.rows = (int)table.shape(0);
  require(layer.steps && layer.batch && layer.hidden && layer.rows && (!x || layer.inputs), "no axis may be empty");
  const long gates = facts_of(layer.cell).gates * (long)layer.hidden;
  check_has_c(layer.cell, bool(c_first));
  check_has_c(layer.cell, bool(c_last));
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
  check_threads(threads);
  const long gates = facts_of(layer.cell).gates * (long)layer.hidden;
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
  check_has_c(layer.cell, bool(d_c_first));
  require(!layer.inputs || layer.d_weight_ih, "a layer with inputs needs d_weight_ih");

  nb::gil_scoped_release unlocked;
  window.backward(threads);
}

}  // namespace

void bind_layer(nb::module_& module) {
  nb::class_<Window>(module, "Window", "What forward keeps for backward.");
  module.def("forward", &forward, "cell"_a, "precision"_a, "threads"_a, "save"_a, "table"_a.noconvert(),
             "ids"_a.noconvert().none(), "x"_a.noconvert().none(), "mask"_a.noconvert().none(),
             "weight_ih"_a.noconvert().none(), "weight_hh"_a.noconvert(), "bias_hh"_a.noconvert(),
             "h_first"_a.noconvert(), "c_first"_a.noconvert().none(), "out"_a.noconvert(), "h_last"_a.noconvert(),
             "c_last"_a.noconvert().none());
  module.def("backward", &backward, "window"_a, "threads"_a, "ids"_a.noconvert().none(), "mask"_a.noconvert().none(),
             "weight_ih"_a.noconvert().none(), "weight_hh"_a.noconvert(), "d_out"_a.noconvert().none(),
             "d_h_last"_a.noconvert().none(), "d_c_last"_a.noconvert().none(), "d_table"_a.noconvert(),
             "d_x"_a.noconvert().none(), "d_weight_ih"_a.noconvert().none(), "d_weight_hh"_a.noconvert(),
             "d_bias_hh"_a.noconvert(), "d_h_first"_a.noconvert(), "d_c_first"_a.noconvert().none());
}

}  // namespace charrnn
