// What training does beside the network itself: the optimizer's step and dropout masks.
#include "binding/arrays.h"
#include "common/threads.h"
#include "training/adamw.h"
#include "training/dropout.h"
#include "training/kernels.h"

namespace charrnn {
namespace {

void adamw(int threads, const Output& weights, const Input& gradients, const Output& means, const Output& squares,
           float rate, float decay, float beta1, float beta2, float epsilon, float mean_scale, float square_scale) {
  check_threads(threads);
  const std::size_t count = weights.size();
  require(gradients.size() == count && means.size() == count && squares.size() == count,
          "weights, gradients, means and squares differ in size");
  AdamW step{};
  step.weights = weights.data(), step.gradients = gradients.data();
  step.means = means.data(), step.squares = squares.data();
  step.count = (long)count;
  step.rate = rate, step.decay = decay;
  step.beta1 = beta1, step.beta2 = beta2, step.epsilon = epsilon;
  step.mean_scale = mean_scale, step.square_scale = square_scale;

  nb::gil_scoped_release unlocked;
  run(threads, [&](Team& team) { training_kernels().adamw(step, team); });
}

void dropout_mask(int threads, std::int64_t seed, double dropped, const Output& mask) {
  check_threads(threads);
  require(dropped >= 0 && dropped < 1, "the fraction dropped must be at least 0 and below 1");
  Dropout job{};
  job.mask = mask.data();
  job.count = (long)mask.size();
  job.seed = (std::uint64_t)seed;
  job.dropped = (std::uint32_t)(dropped * 0x1p32);
  job.kept = (float)(1 / (1 - dropped));

  nb::gil_scoped_release unlocked;
  run(threads, [&](Team& team) { training_kernels().dropout(job, team); });
}

}  // namespace

void bind_updates(nb::module_& module) {
  module.def("adamw", &adamw, "threads"_a, "weights"_a.noconvert(), "gradients"_a.noconvert(), "means"_a.noconvert(),
             "squares"_a.noconvert(), "rate"_a, "decay"_a, "beta1"_a, "beta2"_a, "epsilon"_a, "mean_scale"_a,
             "square_scale"_a);
  module.def("dropout_mask", &dropout_mask, "threads"_a, "seed"_a, "dropped"_a, "mask"_a.noconvert());
}

}  // namespace charrnn
