// One symbol through the recurrent stack and the decoder, for all streams. C is the cell (cells.h), W the precision of
// the weights (matrix.h).
#pragma once
#include "sampling/cells.h"
#include "sampling/kernels.h"
#include "sampling/matrix.h"

namespace {

using charrnn::Network;
using charrnn::NetworkLayer;
using charrnn::Streams;

// h * 127, rounded to even, as bytes.
INLINE void store_rounded(std::int8_t* to, Vec h) {
  typedef std::int8_t Bytes __attribute__((vector_size(width)));
  const Bytes bytes = __builtin_convertvector((Int)(h * 127.0f + 12582912.0f) & 0xff, Bytes);
  std::memcpy(to, &bytes, sizeof bytes);
}

// The hidden units as they enter the products, rounded if the weights are bytes. `place` is 0 or 1: which of the two
// buffers, the one that holds the last step or the one that the step before it left.
template <class W> INLINE const typename W::Input* inputs_of(const Streams& s, int place) {
  if constexpr (sizeof(typename W::Input) == 1) return s.rounded[place];
  else return s.h[place];
}

// N blocks of hidden units of one layer: the products of all their gates, then the cell. The first layer's input is a
// row of the table, any other's is the new h of the layer below, which all threads have finished.
template <Cell C, class W, int N> void step_group(const Network& net, const Streams& s, int layer, int group) {
  constexpr int G = charrnn::facts_of(C).gates, R = N * G, most = streams_of_pass(R);
  const NetworkLayer& l = net.layers[layer];
  const int block = group * charrnn::group_blocks(C), first = block * G, next = 1 - s.now;
  const long stride = net.padded, here = (long)layer * s.count * stride, below = here - s.count * stride;
  alignas(64) float recurrent[most * R * width],
      above[most * R * width];  // (streams, R, width): by weight_hh, weight_ih
  // As many streams at a time as share a pass over the weights.
  in_parts(0, s.count, most, [&](int stream, int count) {
    multiply_streams<W, R>(l.weight_hh, first, inputs_of<W>(s, s.now) + here + stream * stride, stride, count,
                           recurrent);
    if (layer > 0)
      multiply_streams<W, R>(l.weight_ih, first, inputs_of<W>(s, next) + below + stream * stride, stride, count, above);
    for (int i = 0; i < count; ++i) {
      float* x = above + i * R * width;
      const float* row = net.table.as<float>() + (layer ? 0 : s.ids[stream + i]) * (long)G * net.padded + first * width;
      if (layer > 0)
        for (int r = 0; r < R; ++r)
          store(x + r * width, load(x + r * width) + load(l.bias_ih.as<float>() + (first + r) * width));
      for (int b = 0; b < N; ++b) {
        const int gates = b * G * width;
        const long unit = here + (stream + i) * stride + (block + b) * width;
        const Vec h =
            SamplingCell<C>::next((layer ? x : row) + gates, recurrent + i * R * width + gates,
                                  l.bias_hh.as<float>() + first * width + gates, load(s.h[s.now] + unit), s.c + unit);
        store(s.h[next] + unit, h);
        if constexpr (sizeof(typename W::Input) == 1) store_rounded(s.rounded[next] + unit, h);
      }
    }
  });
}

template <Cell C, class W> void step_groups(const Network& net, const Streams& s, int layer, int first, int last) {
  constexpr int most = charrnn::group_blocks(C);
  for (int group = first; group < last; ++group)
    with_constant<most>(std::min(most, net.blocks - group * most),
                        [&](auto n) { step_group<C, W, decltype(n)::value>(net, s, layer, group); });
}

// Padded symbols get the logit -infinity from their bias.
template <class W> void decode_groups(const Network& net, const Streams& s, int first, int last) {
  constexpr int most = charrnn::group_vectors;
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

// --- from values to types ---

template <class F> INLINE void with_weights(const Network& net, F&& f) {
  if (net.weights == charrnn::Weights::int8) f(Int8Weights{});
  else if (net.weights == charrnn::Weights::bf16) f(Bf16Weights{});
  else f(Fp32Weights{});
}

void step(const Network& net, const Streams& s, int layer, int first, int last) {
  with_weights(net, [&](auto weights) {
    charrnn::with_cell(net.cell,
                       [&](auto cell) { step_groups<cell.value, decltype(weights)>(net, s, layer, first, last); });
  });
}

void decode(const Network& net, const Streams& s, int first, int last) {
  with_weights(net, [&](auto weights) { decode_groups<decltype(weights)>(net, s, first, last); });
}

}  // namespace
