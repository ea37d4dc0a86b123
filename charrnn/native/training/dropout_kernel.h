// The loop that draws a dropout mask, compiled once for each instruction set.
#pragma once
#include <algorithm>

#include "common/threads.h"
#include "training/dropout.h"

namespace charrnn {
namespace {

// Spreads every bit of x over all others; the multipliers are those of Wellons's "lowbias32".
inline std::uint32_t mixed(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

void dropout(const Dropout& job, Team& team) {
  constexpr long line = 16;  // a thread takes whole cache lines, so that no two write to one
  const long lines = (job.count + line - 1) / line;
  const long begin = lines * team.index / team.count * line;
  const long end = std::min(job.count, lines * (team.index + 1) / team.count * line);
  // Masks whose places are the same but for a shift differ after the second round.
  const std::uint32_t first = (std::uint32_t)job.seed, second = (std::uint32_t)(job.seed >> 32), dropped = job.dropped;
  const float kept = job.kept;
  float* __restrict mask = job.mask;
  for (long i = begin; i < end; ++i) {
    const std::uint32_t drawn = mixed(mixed((std::uint32_t)i + first) ^ second);
    mask[i] = drawn < dropped ? 0.0f : kept;
  }
}

}  // namespace
}  // namespace charrnn
