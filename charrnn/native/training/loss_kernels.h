// Decoder and loss over one window, forward and backward, compiled for one instruction set.
//
// Every thread of the team runs the same function and takes its share of the rows or of the symbols. Each sum is made
// by one thread: the result does not depend on how many there are.
#pragma once
#include <cmath>

#include "common/threads.h"
#include "training/expert_shares.h"
#include "training/gradients.h"
#include "training/loss.h"
#include "training/packing.h"
#include "training/product.h"

namespace {

using charrnn::Loss;

constexpr float least_power = -90.0f;  // 2^this counts as zero: a denormal number costs a hundred cycles a product

// Logits (padded V + K) of one row, without their bias, turn into d_logits, the gradient of its nats / counted rows.
// Returns its nats. The gradient is (p - [v = target]) / rows with p = e^(logit - highest) / sum: no exponential can
// overflow.
template <class P> float softmax_row(const Loss& loss, float* logits, int row, typename P::Element* d_logits) {
  const long target = loss.targets[row];
  if (target < 0) {
    for (int at = 0; at < loss.blocks * width; at += width) P::store_elements(d_logits + at, Vec{});
    return 0.0f;
  }
  Vec most = broadcast(no_symbol);
  for (int at = 0; at < loss.blocks * width; at += width)
    store(logits + at, load(logits + at) + load(loss.padded_bias + at));
  if (loss.lengths) add_shares(loss, row, logits);
  for (int at = 0; at < loss.blocks * width; at += width) {
    Vec v = load(logits + at);
    most = v > most ? v : most;
  }
  float highest = most[0];
  for (int l = 1; l < width; ++l) highest = most[l] > highest ? most[l] : highest;
  const float wanted = logits[target] - highest;

  Vec sums{};
  for (int at = 0; at < loss.blocks * width; at += width) {
    Vec x = (load(logits + at) - highest) * 1.44269504f;
    Power e = power_of_two<Fp32>(x);
    Vec v = x < least_power ? Vec{} : e.scale * e.rest + e.scale;
    store(logits + at, v);
    sums += v;
  }
  float sum = 0.0f;
  for (int l = 0; l < width; ++l) sum += sums[l];

  logits[target] -= sum;
  const float scale = 1.0f / (sum * (float)loss.counted);
  if (loss.lengths) gate_gradients(loss, row, logits);
  for (int at = 0; at < loss.blocks * width; at += width) P::store_elements(d_logits + at, load(logits + at) * scale);
  return std::log(sum) - wanted;
}

// Logits lie in the thread's scratch only until they have become their gradients: (N, V) is written once.
template <class P>
void loss_forward_window(const Loss& loss, Team& team) {
  typedef typename P::Element Element;
  constexpr int part = most_rows<P>(most_columns<P>);
  static_assert(8 * part <= charrnn::most_loss_rows);
  const Range rows = share(loss.rows, team);
  const int outputs = loss.symbols + loss.lengths;
  const int x_lanes = loss.hidden_blocks * width / P::per_lane, padded = loss.blocks * width;
  const Element* x_rows = (const Element*)loss.x_rows;

  int group = 0;
  in_parts(0, loss.blocks, most_columns<P>, [&](int first, int count) {
    if (group++ % team.count != team.index) return;
    for (int b = first; b < first + count; ++b) {
      float* to = (float*)loss.packed + ((long)first * x_lanes + (b - first)) * width;
      pack_units<P>(loss.weight, b * width, outputs, loss.hidden, to, count * width);
      for (int l = 0; l < width; ++l)
        loss.padded_bias[b * width + l] = b * width + l < loss.symbols ? loss.bias[b * width + l]
                                          : b * width + l < outputs    ? 0.0f
                                                                       : no_symbol;
    }
  });
  team.wait();  // each thread has packed its share of the decoder, and reads all

  float* logits = loss.scratch + team.index * loss.scratch_floats;
  in_parts(rows.begin, rows.end, part * 8, [&](int first_row, int some_rows) {  // these stay in cache for all symbols
    convert_rows<P>(loss.x, loss.mask, loss.hidden, (Element*)loss.x_rows, loss.x_stride,
                    {first_row, first_row + some_rows});
    in_parts(0, loss.blocks, most_columns<P>, [&](int first, int columns) {
      in_parts(first_row, first_row + some_rows, part, [&](int row, int count) {
        alignas(64) float tile[part * most_columns<P> * width];
        with_constant<most_columns<P>>(columns, [&](auto c) {
          multiply_rows<P, decltype(c)::value>(
              count, {(const float*)(x_rows + (long)row * loss.x_stride), loss.x_stride / P::per_lane, 1, x_lanes, 0},
              (const float*)loss.packed + (long)first * x_lanes * width, tile, most_columns<P> * width, false);
        });
        for (int r = 0; r < count; ++r)
          for (int c = 0; c < columns; ++c)
            store(logits + (long)(row + r - first_row) * padded + (first + c) * width,
                  load(tile + (r * most_columns<P> + c) * width));
      });
    });
    for (int r = first_row; r < first_row + some_rows; ++r)
      loss.row_nats[r] = softmax_row<P>(loss, logits + (long)(r - first_row) * padded, r,
                                        (Element*)loss.d_logits + (long)r * loss.logit_stride);
  });
  // One thread adds up all rows in their order, so that the mean does not depend on the shares.
  team.wait();
  if (team.index) return;
  double sum = 0.0;
  for (int r = 0; r < loss.rows; ++r) sum += loss.row_nats[r];
  *loss.nats = (float)(sum / std::max(1, loss.counted));
}

// d_x (N, H) = d_logits @ weight, d_bias = the column sums of d_logits, d_weight (V + K, H) = d_logits^T @ x.
template <class P>
void loss_backward_window(const Loss& loss, Team& team) {
  typedef typename P::Element Element;
  constexpr int part = most_rows<P>(most_columns<P>), tile_stride = most_columns<P> * width;
  // This thread's share: of d_x its rows, of d_bias its symbols, of d_weight its columns.
  const Range rows = share(loss.rows, team), blocks = share(loss.blocks, team);
  const Range columns = share(loss.hidden_blocks, team);
  const int lanes = loss.blocks * width / P::per_lane;
  const Element* d_logits = (const Element*)loss.d_logits;
  const int outputs = loss.symbols + loss.lengths;

  int group = 0;
  in_parts(0, loss.hidden_blocks, most_columns<P>, [&](int first, int count) {
    if (group++ % team.count != team.index) return;
    float* to = (float*)loss.packed + (long)first * lanes * width;
    for (int symbol = 0; symbol < loss.blocks * width; symbol += P::per_lane)
      for (int v = first; v < first + count; ++v, to += width) {
        auto weights = [&](int s) {
          return s < outputs ? load_part(loss.weight + (long)s * loss.hidden + v * width, loss.hidden - v * width)
                             : Vec{};
        };
        store(to, P::lanes(weights(symbol), weights(symbol + P::per_lane - 1)));
      }
  });
  team.wait();  // each thread has packed its share of the decoder, and reads all

  in_parts(rows.begin, rows.end, part * 8, [&](int first_row, int some_rows) {  // these stay in cache for all columns
    in_parts(0, loss.hidden_blocks, most_columns<P>, [&](int first, int count) {
      in_parts(first_row, first_row + some_rows, part, [&](int row, int row_count) {
        alignas(64) float tile[part * tile_stride];
        with_constant<most_columns<P>>(count, [&](auto c) {
          multiply_rows<P, decltype(c)::value>(
              row_count,
              {(const float*)(d_logits + (long)row * loss.logit_stride), loss.logit_stride / P::per_lane, 1, lanes, 0},
              (const float*)loss.packed + (long)first * lanes * width, tile, tile_stride, false);
        });
        for (int r = 0; r < row_count; ++r)
          for (int c = 0; c < count; ++c) {
            const int at = (first + c) * width, left = loss.hidden - at;
            const long unit = (long)(row + r) * loss.hidden + at;
            Vec d = load(tile + r * tile_stride + c * width);
            if (loss.mask) d *= load_part(loss.mask + unit, left);
            store_part(loss.d_x + unit, d, left);
          }
      });
    });
  });

  for (int b = blocks.begin; b < blocks.end; ++b) {
    Vec sum{};
    for (int r = 0; r < loss.rows; ++r) sum += P::load_elements(d_logits + (long)r * loss.logit_stride + b * width);
    if (b * width < loss.symbols) store_part(loss.d_bias + b * width, sum, loss.symbols - b * width);
  }
  for (int k = team.index; k < loss.lengths; k += team.count) share_gradients<P>(loss, k);
  transposed_product<P>(
      loss.rows, {0, loss.blocks}, [&](int b) { return d_logits + b * width; }, loss.logit_stride, columns,
      (const Element*)loss.x_rows, loss.x_stride, loss.hidden, loss.scratch + team.index * loss.scratch_floats,
      [&](int b, int r) {
        return b * width + r < outputs ? loss.d_weight + (long)(b * width + r) * loss.hidden : nullptr;
      });
}

void loss_forward(const Loss& loss, Team& team) {
  Tiles tiles;
  loss.precision == Precision::fp32 ? loss_forward_window<Fp32>(loss, team) : loss_forward_window<Bf16>(loss, team);
}
void loss_backward(const Loss& loss, Team& team) {
  Tiles tiles;
  loss.precision == Precision::fp32 ? loss_backward_window<Fp32>(loss, team) : loss_backward_window<Bf16>(loss, team);
}

}  // namespace
