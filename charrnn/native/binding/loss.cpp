// Decoder and loss over one window, forward and backward.
#include <nanobind/stl/unique_ptr.h>

#include <memory>

#include "binding/arrays.h"
#include "binding/names.h"
#include "training/loss.h"

namespace charrnn {
namespace {

std::unique_ptr<LossWindow> loss_forward(const std::string& precision, int threads, const Input& x,
                                         const Maybe<Input>& mask, const Input& weight, const Input& bias,
                                         const Ids& targets, const Output& nats) {
  Loss loss{};
  loss.precision = checked_precision(precision);
  check_threads(threads);
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

void bind_loss(nb::module_& module) {
  nb::class_<LossWindow>(module, "LossWindow", "What loss_forward keeps for loss_backward.");
  module.def("loss_forward", &loss_forward, "precision"_a, "threads"_a, "x"_a.noconvert(), "mask"_a.noconvert().none(),
             "weight"_a.noconvert(), "bias"_a.noconvert(), "targets"_a.noconvert(), "nats"_a.noconvert());
  module.def("loss_backward", &loss_backward, "window"_a, "mask"_a.noconvert().none(), "weight"_a.noconvert(),
             "d_x"_a.noconvert(), "d_weight"_a.noconvert(), "d_bias"_a.noconvert());
}

}  // namespace charrnn
