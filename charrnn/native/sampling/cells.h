// The arithmetic of each cell in sampling, for one vector of hidden units of one stream. Its lines follow
// charrnn/model/cells.py, addition by addition.
#pragma once
#include "common/cells.h"
#include "common/vectors.h"

namespace {

using charrnn::Cell;

// tanh(x) = (e^2x - 1) / (e^2x + 1) to about 1e-7, by the same steps on every instruction set.
// charrnn/inference/quantization.py does the same in numpy, to the last bit.
INLINE Vec reproducible_tanh(Vec x) {
  constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding it leaves the rounded number in the low bits
  const Vec t = clamp(x * 2.88539008f, 60.0f), shifted = t + magic, f = t - (shifted - magic);
  Vec q = f * 1.53533621e-4f + 1.33988746e-3f;  // (2^f - 1) / f on [-0.5, 0.5]
  q = q * f + 9.61843736e-3f;
  q = q * f + 5.55033247e-2f;
  q = q * f + 2.40226479e-1f;
  q = q * f + 6.93147203e-1f;
  const Vec scale = (Vec)(((Bits)shifted << 23) + 0x3f800000u), m = scale * (q * f) + (scale - 1.0f);
  return m / (m + 2.0f);
}
INLINE Vec reproducible_sigmoid(Vec x) { return 0.5f + 0.5f * reproducible_tanh(0.5f * x); }

// next(x, r, b, h, c): the input's share, the recurrent product and its bias, each (G, width), the unit's h, and its c,
// which is replaced; returns the new h.
template <Cell> struct SamplingCell;

template <> struct SamplingCell<Cell::lstm> {
  static INLINE Vec next(const float* x, const float* r, const float* b, Vec, float* c) {
    auto sum = [&](int g) { return load(x + g * width) + load(r + g * width) + load(b + g * width); };
    const Vec i = reproducible_sigmoid(sum(0)), f = reproducible_sigmoid(sum(1));
    const Vec g = reproducible_tanh(sum(2)), o = reproducible_sigmoid(sum(3)), after = f * load(c) + i * g;
    store(c, after);
    return o * reproducible_tanh(after);
  }
};

template <> struct SamplingCell<Cell::gru> {
  static INLINE Vec next(const float* x, const float* r, const float* b, Vec h, float*) {
    auto recurrent = [&](int g) { return load(r + g * width) + load(b + g * width); };
    const Vec reset = reproducible_sigmoid(load(x) + recurrent(0));
    const Vec z = reproducible_sigmoid(load(x + width) + recurrent(1));
    const Vec n = reproducible_tanh(load(x + 2 * width) + reset * recurrent(2));
    return n + z * (h - n);
  }
};

template <> struct SamplingCell<Cell::rnn> {
  static INLINE Vec next(const float* x, const float* r, const float* b, Vec, float*) {
    return reproducible_tanh(load(x) + load(r) + load(b));
  }
};

}  // namespace
