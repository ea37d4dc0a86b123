// Dropout masks whose entries depend on nothing but a seed and their place: any thread can draw any part.
#pragma once
#include <cstdint>

namespace charrnn {

struct Dropout {
  float* mask;  // (count): 0, or `kept`
  long count;
  std::uint64_t seed;
  std::uint32_t dropped;  // of 2^32: the probability of a 0
  float kept;
};

}  // namespace charrnn
