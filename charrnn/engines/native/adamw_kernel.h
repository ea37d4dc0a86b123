// The loops of one AdamW step, compiled once for each instruction set.
#pragma once
#include <algorithm>
#include <cmath>

#include "adamw.h"
#include "threads.h"

namespace charrnn {
namespace {

// Numbers [begin, end) that a thread works on: whole cache lines, so that no two threads write to one.
struct Part {
  long begin, end;
};
inline Part part_of(long count, const Team& team) {
  constexpr long line = 16;
  const long lines = (count + line - 1) / line;
  auto first = [&](long index) { return std::min(count, lines * index / team.count * line); };
  return {first(team.index), first(team.index + 1)};
}

// First both moments, and how many of their numbers point where the gradient points; then the weights, where they do.
void adamw(const AdamW& step, Team& team) {
  const Part part = part_of(step.count, team);
  const float *__restrict gradients = step.gradients;
  float *__restrict means = step.means, *__restrict squares = step.squares, *__restrict weights = step.weights;
  const float keep1 = step.beta1, take1 = 1 - step.beta1, keep2 = step.beta2, take2 = 1 - step.beta2;
  std::int32_t agreeing = 0;
  for (long i = part.begin; i < part.end; ++i) {
    const float g = gradients[i];
    means[i] = keep1 * means[i] + take1 * g;
    squares[i] = keep2 * squares[i] + take2 * g * g;
    agreeing += means[i] * g > 0;
  }
  step.agreeing[team.index] = agreeing;
  team.wait();
  long agree = 0;
  for (int thread = 0; thread < team.count; ++thread) agree += step.agreeing[thread];
  const float rate = step.rate * step.mean_scale * (float)step.count / (float)(agree + 1);
  const float kept = 1 - step.decay, scale = step.square_scale, epsilon = step.epsilon;
  for (long i = part.begin; i < part.end; ++i) {
    const float update = rate * means[i] / (std::sqrt(squares[i] * scale) + epsilon);
    weights[i] = kept * weights[i] - (means[i] * gradients[i] > 0 ? update : 0.0f);
  }
}

}  // namespace
}  // namespace charrnn
