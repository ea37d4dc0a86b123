// Exponentials in double precision, by the same steps on every instruction set: what choosing and scoring are made of.
// Double, so that even where logits differ in their last bits, as numpy's do, the chosen symbol practically never does.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "common/vectors.h"

namespace {

typedef double Double __attribute__((vector_size(width * 4)));
typedef std::int64_t Long __attribute__((vector_size(width * 4)));
constexpr int doubles = width / 2;

// e^x for x <= 0, to the last bits but one; 0 below -700.
INLINE Double exponential(Double x) {
  constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52: adding it leaves the rounded number in the low bits
  const Double bounded = x < -700.0 ? Double{} - 700.0 : x;
  const Double shifted = bounded * 1.4426950408889634 + magic, n = shifted - magic;
  const Double r = (bounded - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;  // ln 2 in two parts
  Double sum = Double{} + 1.0 / 479001600.0;  // the series of e^r, from its last term, 1 / 12!
  for (double part : {1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120,
                      1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0})
    sum = sum * r + part;
  const Double scale = (Double)(((Long)shifted << 52) + 0x3ff0000000000000);
  return x < -700.0 ? Double{} : sum * scale;
}

// weights[i] = e^((logits[i] - highest) / temperature); both have room for whole vectors.
INLINE void exponentials(const float* logits, int count, float highest, double temperature, double* weights) {
  typedef float Half __attribute__((vector_size(doubles * 4)));
  for (int i = 0; i < count; i += doubles) {
    Half part;
    std::memcpy(&part, logits + i, sizeof part);
    Double e = exponential((__builtin_convertvector(part, Double) - (double)highest) / temperature);
    std::memcpy(weights + i, &e, sizeof e);
  }
}

INLINE float highest_of(const float* logits, int count) {
  Vec lanes = broadcast(logits[0]);
  int i = 0;
  for (; i + width <= count; i += width) {
    const Vec part = load(logits + i);
    lanes = part > lanes ? part : lanes;
  }
  float highest = lanes[0];
  for (int lane = 1; lane < width; ++lane) highest = std::max(highest, lanes[lane]);
  for (; i < count; ++i) highest = std::max(highest, logits[i]);
  return highest;
}

// -ln of the target's probability. The sum runs in the order of the symbols.
double nats(const float* logits, int symbols, int target) {
  const float highest = highest_of(logits, symbols);
  double sum = 0;
  alignas(64) double weights[64 + doubles];
  for (int i = 0; i < symbols; i += 64) {
    const int count = std::min(64, symbols - i);
    exponentials(logits + i, count, highest, 1.0, weights);
    for (int j = 0; j < count; ++j) sum += weights[j];
  }
  return std::log(sum) + highest - logits[target];
}

}  // namespace
