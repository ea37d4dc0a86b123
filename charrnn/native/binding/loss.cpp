// Decoder and loss over one window, forward and backward.
#include <nanobind/stl/unique_ptr.h>

#include <algorithm>
#include <memory>

#include "binding/arrays.h"
#include "binding/names.h"
#include "binding/ngrams.h"
#include "training/loss.h"

namespace charrnn {
namespace {

using Nodes = Array<const std::int32_t>;
using Folds = Array<const std::uint8_t>;

std::unique_ptr<LossWindow> loss_forward(const std::string& precision, int threads, const Input& x,
                                         const Maybe<Input>& mask, const Input& weight, const Input& bias,
                                         const Ids& targets, const Output& nats, const KeptNgramTable* ngrams,
                                         const Maybe<Nodes>& nodes, const Maybe<Folds>& folds,
                                         const Maybe<Input>& shares, const Maybe<Output>& row_nats) {
  Loss loss{};
  loss.precision = checked_precision(precision);
  check_threads(threads);
  require(x.ndim() == 2, "x has shape " + shape_of(x) + ", not (N, H)");
  require(weight.ndim() == 2, "weight has shape " + shape_of(weight) + ", not (V + K, H)");
  if (ngrams) loss.ngrams = ngrams->table;
  loss.lengths = loss.ngrams.order;
  loss.rows = (int)x.shape(0);
  loss.hidden = (int)x.shape(1);
  loss.symbols = (int)weight.shape(0) - loss.lengths;
  require(loss.rows && loss.hidden && loss.symbols, "no axis may be empty");
  loss.x = x.data();
  loss.mask = checked("mask", mask, {loss.rows, loss.hidden});
  loss.weight = checked("weight", weight, {loss.symbols + loss.lengths, loss.hidden});
  loss.bias = checked("bias", bias, {loss.symbols});
  loss.targets = checked("targets", targets, {loss.rows});
  loss.nats = checked("nats", nats, {});
  for (int i = 0; i < loss.rows; ++i)
    require(loss.targets[i] < loss.symbols, "target " + std::to_string(loss.targets[i]) + " is not one of " +
                                                std::to_string(loss.symbols) + " symbols");
  if (ngrams) {
    require(nodes && shares, "experts need nodes and shares");
    require(loss.ngrams.symbols == loss.symbols, "the n-grams are of another vocabulary");
    loss.nodes = checked("nodes", nodes, {loss.rows, loss.lengths});
    loss.folds = checked("folds", folds, {loss.rows});
    loss.shares = checked("shares", shares, {loss.lengths, ngram_buckets, ngram_codes});
    for (long i = 0; i < (long)loss.rows * loss.lengths; ++i)
      require(loss.nodes[i] >= no_node && loss.nodes[i] < loss.ngrams.inner, "a node is none of the table");
    for (int i = 0; loss.folds && i < loss.rows; ++i)
      require(loss.folds[i] < loss.ngrams.folds, "a fold is none of the table");
  }

  float* each = checked("row_nats", row_nats, {loss.rows});
  nb::gil_scoped_release unlocked;
  auto window = std::make_unique<LossWindow>(loss, threads);
  window->forward();
  if (each) std::copy(window->loss.row_nats, window->loss.row_nats + loss.rows, each);
  return window;
}

void loss_backward(LossWindow& window, const Maybe<Input>& mask, const Input& weight, const Output& d_x,
                   const Output& d_weight, const Output& d_bias, const Maybe<Output>& d_shares) {
  Loss& loss = window.loss;
  loss.mask = checked("mask", mask, {loss.rows, loss.hidden});
  loss.weight = checked("weight", weight, {loss.symbols + loss.lengths, loss.hidden});
  loss.d_x = checked("d_x", d_x, {loss.rows, loss.hidden});
  loss.d_weight = checked("d_weight", d_weight, {loss.symbols + loss.lengths, loss.hidden});
  loss.d_bias = checked("d_bias", d_bias, {loss.symbols});
  loss.d_shares = checked("d_shares", d_shares, {loss.lengths, ngram_buckets, ngram_codes});
  require(!loss.lengths || loss.d_shares, "experts need d_shares");

  nb::gil_scoped_release unlocked;
  window.backward();
}

}  // namespace

void bind_loss(nb::module_& module) {
  nb::class_<LossWindow>(module, "LossWindow", "What loss_forward keeps for loss_backward.");
  module.def("loss_forward", &loss_forward, nb::keep_alive<0, 9>(), "precision"_a, "threads"_a, "x"_a.noconvert(),
             "mask"_a.noconvert().none(), "weight"_a.noconvert(), "bias"_a.noconvert(), "targets"_a.noconvert(),
             "nats"_a.noconvert(), "ngrams"_a.none() = nb::none(), "nodes"_a.noconvert().none() = nb::none(),
             "folds"_a.noconvert().none() = nb::none(), "shares"_a.noconvert().none() = nb::none(),
             "row_nats"_a.noconvert().none() = nb::none());
  module.def("loss_backward", &loss_backward, "window"_a, "mask"_a.noconvert().none(), "weight"_a.noconvert(),
             "d_x"_a.noconvert(), "d_weight"_a.noconvert(), "d_bias"_a.noconvert(),
             "d_shares"_a.noconvert().none() = nb::none());
}

}  // namespace charrnn
