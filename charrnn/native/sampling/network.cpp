// Packing: the weights once more, in the order in which the kernels read them.
#include "sampling/network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "sampling/kernels.h"

namespace charrnn {
namespace {

constexpr int columns_of_step[] = {1, 2, 4};  // by Weights

// Row of the caller's array that lies in this lane of this vector, or -1 for padding.
long row_of(int vector, int lane, int gates, int units, int width) {
  const int unit = vector / gates * width + lane;
  return unit < units ? (long)(vector % gates) * units + unit : -1;
}

// (vectors, width): one number of each row.
void pack_numbers(const float* from, int gates, int units, int width, float padding, float* to) {
  const int vectors = (units + width - 1) / width * gates;
  for (int v = 0; v < vectors; ++v)
    for (int lane = 0; lane < width; ++lane) {
      const long row = row_of(v, lane, gates, units, width);
      to[v * width + lane] = row < 0 ? padding : from[row];
    }
}

std::uint16_t to_bf16(float x) {
  std::uint32_t b;
  std::memcpy(&b, &x, sizeof b);
  return (b + 0x7fffu + (b >> 16 & 1u)) >> 16;
}

// One row of weights as bytes; charrnn/inference/quantization.py does the same. Returns the scale of its products with
// rounded h.
float round_row(const float* row, int columns, std::int8_t* to) {
  float largest = 0;
  for (int k = 0; k < columns; ++k) largest = std::max(largest, std::fabs(row[k]));
  const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
  for (int k = 0; k < columns; ++k) to[k] = nearest(row[k] * inverse);
  return largest / 16129.0f;
}

// from (gates * units, columns) as a Matrix with `blocks` blocks of units in a group.
void pack_matrix(const float* from, int gates, int units, int columns, int blocks, Weights weights, int width,
                 Matrix& m) {
  const int per_step = columns_of_step[(int)weights];
  m.gates = gates;
  m.vectors = (units + width - 1) / width * gates;
  m.group = blocks * gates;
  m.steps = (columns + per_step - 1) / per_step;
  std::uint32_t* packed = make_zeros<std::uint32_t>(m.packed, (std::size_t)m.vectors * m.steps * width);
  float* scales = nullptr;
  std::int32_t* offsets = nullptr;
  if (weights == Weights::int8) {
    scales = make_zeros<float>(m.scales, m.vectors * width);
    offsets = make_zeros<std::int32_t>(m.offsets, m.vectors * width);
  }
  // The rows of one vector first, then all of them step by step: both walk memory forwards. The stride keeps them out
  // of step in the cache.
  const long stride = m.steps + 16;
  std::vector<std::uint32_t> rows(width * stride);
  for (int v = 0; v < m.vectors; ++v) {
    for (int lane = 0; lane < width; ++lane) {
      const long row = row_of(v, lane, gates, units, width);
      std::uint32_t* to = rows.data() + lane * stride;
      std::fill(to, to + m.steps, 0u);
      if (row < 0) continue;
      const float* numbers = from + row * columns;
      if (weights == Weights::fp32) {
        std::memcpy(to, numbers, columns * sizeof(float));
      } else if (weights == Weights::bf16) {
        for (int k = 0; k < columns; ++k) ((std::uint16_t*)to)[k] = to_bf16(numbers[k]);
      } else {
        auto* bytes = (std::int8_t*)to;
        scales[v * width + lane] = round_row(numbers, columns, bytes);
        for (int k = 0; k < columns; ++k) offsets[v * width + lane] += 128 * bytes[k];
      }
    }
    // Within its group this vector comes every `count` vectors, once for each step.
    const int first = v / m.group * m.group, count = std::min(m.group, m.vectors - first);
    std::uint32_t* to = packed + ((long)first * m.steps + (v - first)) * width;
    for (int k = 0; k < m.steps; ++k, to += (long)count * width)
      for (int lane = 0; lane < width; ++lane) to[lane] = rows[lane * stride + k];
  }
}

}  // namespace

std::int8_t nearest(float x) { return (std::int8_t)(std::int32_t)((x + 12582912.0f) - 12582912.0f); }

Network pack(const NetworkSource& from, const std::string& kernels) {
  Network net{};
  net.kernels = &sampling_kernels(kernels);
  const int width = net.width = net.kernels->width, gates = facts_of(from.cell).gates;
  net.cell = from.cell;
  net.weights = from.weights;
  net.hidden = from.hidden;
  net.symbols = from.symbols;
  net.blocks = (net.hidden + width - 1) / width;
  net.padded = net.blocks * width;

  const long row = (long)gates * net.padded;
  float* table = make_zeros<float>(net.table, (net.symbols + 1) * row);
  for (long v = 0; v <= net.symbols; ++v)
    pack_numbers(from.table + v * gates * net.hidden, gates, net.hidden, width, 0, table + v * row);

  const auto pack_weight = [&](const float* weight, const float* bias, Matrix& matrix, Buffer& packed_bias) {
    pack_matrix(weight, gates, net.hidden, net.hidden, group_blocks(net.cell), net.weights, width, matrix);
    pack_numbers(bias, gates, net.hidden, width, 0, make_zeros<float>(packed_bias, row));
  };
  net.layers.resize(from.layers);
  for (int i = 0; i < from.layers; ++i) {
    NetworkLayer& layer = net.layers[i];
    pack_weight(from.weight_hh[i], from.bias_hh[i], layer.weight_hh, layer.bias_hh);
    if (i > 0) pack_weight(from.weight_ih[i - 1], from.bias_ih[i - 1], layer.weight_ih, layer.bias_ih);
  }

  if (from.ngrams) pack_experts(*from.ngrams, from.shares, net.experts);
  const int order = net.experts.order, rows = net.symbols + order;
  std::vector<float> decoder(from.decoder, from.decoder + (long)net.symbols * net.hidden);
  std::vector<float> bias(from.decoder_bias, from.decoder_bias + net.symbols);
  decoder.insert(decoder.end(), from.gate, from.gate + (long)order * net.hidden);
  bias.resize(rows);
  pack_matrix(decoder.data(), 1, rows, net.hidden, group_vectors, net.weights, width, net.decoder);
  pack_numbers(bias.data(), 1, rows, width, -std::numeric_limits<float>::infinity(),
               make_zeros<float>(net.decoder_bias, net.decoder.vectors * width));
  return net;
}

}  // namespace charrnn
