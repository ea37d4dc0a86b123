// One symbol through the recurrent stack and the decoder. Each cell's lines follow charrnn/model/cells.py, addition by
// addition.
#pragma once
#include "sampling/matrix.h"

namespace {

using charrnn::Cell;
using charrnn::Network;
using charrnn::NetworkLayer;
using charrnn::Streams;

// tanh(x) = (e^2x - 1) / (e^2x + 1) to about 1e-7. charrnn/inference/quantization.py does the same in numpy, to the
// last bit.
INLINE Vec squash(Vec x) {
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
INLINE Vec gate(Vec x) { return 0.5f + 0.5f * squash(0.5f * x); }

// next(x, r, b, h, c): the input's share, the recurrent product and its bias, each (G, width), the unit's h and its c;
// returns the new h.
struct LstmUnit {
  static constexpr Cell cell = Cell::lstm;
  static constexpr int gates = 4;
  static INLINE Vec next(const float* x, const float* r, const float* b, Vec, float* c) {
    auto sum = [&](int g) { return load(x + g * width) + load(r + g * width) + load(b + g * width); };
    const Vec i = gate(sum(0)), f = gate(sum(1)), g = squash(sum(2)), o = gate(sum(3)), after = f * load(c) + i * g;
    store(c, after);
    return o * squash(after);
  }
};

struct GruUnit {
  static constexpr Cell cell = Cell::gru;
  static constexpr int gates = 3;
  static INLINE Vec next(const float* x, const float* r, const float* b, Vec h, float*) {
    auto recurrent = [&](int g) { return load(r + g * width) + load(b + g * width); };
    const Vec reset = gate(load(x) + recurrent(0)), z = gate(load(x + width) + recurrent(1));
    const Vec n = squash(load(x + 2 * width) + reset * recurrent(2));
    return n + z * (h - n);
  }
};

struct RnnUnit {
  static constexpr Cell cell = Cell::rnn;
  static constexpr int gates = 1;
  static INLINE Vec next(const float* x, const float* r, const float* b, Vec, float*) {
    return squash(load(x) + load(r) + load(b));
  }
};

// h * 127, rounded to even, as bytes.
INLINE void store_rounded(std::int8_t* to, Vec h) {
  typedef std::int8_t Bytes __attribute__((vector_size(width)));
  const Bytes bytes = __builtin_convertvector((Int)(h * 127.0f + 12582912.0f) & 0xff, Bytes);
  std::memcpy(to, &bytes, sizeof bytes);
}

template <class W>
INLINE const typename W::Input* inputs_of(const Streams& s, int place) {
  if constexpr (sizeof(typename W::Input) == 1) return s.rounded[place];
  else return s.h[place];
}

template <class C, class W, int N>
void step_group(const Network& net, const Streams& s, int layer, int group) {
  constexpr int R = N * C::gates, most = streams_of_pass(R);
  const NetworkLayer& l = net.layers[layer];
  const int block = group * charrnn::blocks_of_group(C::cell), first = block * C::gates, next = 1 - s.now;
  const long stride = net.padded, here = (long)layer * s.count * stride, below = here - s.count * stride;
  alignas(64) float recurrent[most * R * width], above[most * R * width];
  in_parts(0, s.count, most, [&](int stream, int count) {
    multiply_streams<W, R>(l.weight_hh, first, inputs_of<W>(s, s.now) + here + stream * stride, stride, count,
                           recurrent);
    if (layer > 0)
      multiply_streams<W, R>(l.weight_ih, first, inputs_of<W>(s, next) + below + stream * stride, stride, count, above);
    for (int i = 0; i < count; ++i) {
      float* x = above + i * R * width;
      const float* row =
          net.table.as<float>() + (layer ? 0 : s.ids[stream + i]) * (long)C::gates * net.padded + first * width;
      if (layer > 0)
        for (int r = 0; r < R; ++r)
          store(x + r * width, load(x + r * width) + load(l.bias_ih.as<float>() + (first + r) * width));
      for (int b = 0; b < N; ++b) {
        const int gates = b * C::gates * width;
        const long unit = here + (stream + i) * stride + (block + b) * width;
        const Vec h = C::next((layer ? x : row) + gates, recurrent + i * R * width + gates,
                              l.bias_hh.as<float>() + first * width + gates, load(s.h[s.now] + unit), s.c + unit);
        store(s.h[next] + unit, h);
        if constexpr (sizeof(typename W::Input) == 1) store_rounded(s.rounded[next] + unit, h);
      }
    }
  });
}

template <class C, class W>
void step_groups(const Network& net, const Streams& s, int layer, int first, int last) {
  constexpr int most = charrnn::blocks_of_group(C::cell);
  for (int group = first; group < last; ++group)
    with_constant<most>(std::min(most, net.blocks - group * most),
                        [&](auto n) { step_group<C, W, decltype(n)::value>(net, s, layer, group); });
}

template <class W>
void decode_groups(const Network& net, const Streams& s, int first, int last) {
  constexpr int most = charrnn::decoder_group;
  const Matrix& m = net.decoder;
  const int layer = (int)net.layers.size() - 1, next = 1 - s.now;
  const long stride = net.padded, top = (long)layer * s.count * stride;
  for (int group = first; group < last; ++group)
    with_constant<most>(std::min(most, m.vectors - group * most), [&](auto constant) {
      constexpr int R = decltype(constant)::value, S = streams_of_pass(R);
      const int vector = group * most;
      alignas(64) float product[S * R * width];
      in_parts(0, s.count, S, [&](int stream, int count) {
        multiply_streams<W, R>(m, vector, inputs_of<W>(s, next) + top + stream * stride, stride, count, product);
        for (int i = 0; i < count; ++i)
          for (int r = 0; r < R; ++r)
            store(s.logits + ((long)(stream + i) * m.vectors + vector + r) * width,
                  load(product + (i * R + r) * width) + load(net.decoder_bias.as<float>() + (vector + r) * width));
      });
    });
}

// --- by what the network is ---

template <class F>
INLINE void with_weights(const Network& net, F&& f) {
  if (net.weights == charrnn::Weights::int8) f(Int8Weights{});
  else if (net.weights == charrnn::Weights::bf16) f(Bf16Weights{});
  else f(Fp32Weights{});
}

void step(const Network& net, const Streams& s, int layer, int first, int last) {
  with_weights(net, [&](auto weights) {
    typedef decltype(weights) W;
    if (net.cell == Cell::lstm) step_groups<LstmUnit, W>(net, s, layer, first, last);
    else if (net.cell == Cell::gru) step_groups<GruUnit, W>(net, s, layer, first, last);
    else step_groups<RnnUnit, W>(net, s, layer, first, last);
  });
}

void decode(const Network& net, const Streams& s, int first, int last) {
  with_weights(net, [&](auto weights) { decode_groups<decltype(weights)>(net, s, first, last); });
}

}  // namespace
