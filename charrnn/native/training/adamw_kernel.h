// The loop of one AdamW step, compiled once for each instruction set.
#pragma once
#include <algorithm>
#include <cmath>

#include "common/threads.h"
#include "training/adamw.h"

namespace charrnn {
namespace {

void adamw(const AdamW& step, Team& team) {
  constexpr long line = 16;  // a thread takes whole cache lines, so that no two write to one
  const long lines = (step.count + line - 1) / line;
  const long begin = lines * team.index / team.count * line;
  const long end = std::min(step.count, lines * (team.index + 1) / team.count * line);
  const float* __restrict gradients = step.gradients;
  float* __restrict means = step.means;
  float* __restrict squares = step.squares;
  float* __restrict weights = step.weights;
  const float keep1 = step.beta1, take1 = 1 - step.beta1, keep2 = step.beta2, take2 = 1 - step.beta2;
  const float rate = step.rate * step.mean_scale, kept = 1 - step.decay;
  const float scale = step.square_scale, epsilon = step.epsilon;
  for (long i = begin; i < end; ++i) {
    const float g = gradients[i], mean = keep1 * means[i] + take1 * g, square = keep2 * squares[i] + take2 * g * g;
    // Cautious: a weight does not move where its mean gradient and this one disagree in sign; it only decays.
    const float update = rate * mean / (std::sqrt(square * scale) + epsilon);
    means[i] = mean;
    squares[i] = square;
    weights[i] = kept * weights[i] - (mean * g > 0 ? update : 0.0f);
  }
}

}  // namespace
}  // namespace charrnn
