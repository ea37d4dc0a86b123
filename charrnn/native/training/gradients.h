// Gradients that sum over all T*B rows at once, after the last time step. Threads share what is summed up, not what is
// summed over: every sum is one thread's, in the order of the rows.
#pragma once
#include "common/threads.h"
#include "training/layer.h"
#include "training/product.h"

namespace {

using charrnn::gradient_depth;
using charrnn::Layer;
using charrnn::Team;

constexpr int gradient_rows = width == 16 ? 8 : 4;  // divides width
constexpr int gradient_columns = 3;                 // 8 x 3 (4 x 3) sums, 3 vectors and a broadcast fill the registers

// out[r] (C vectors from `column`) = or += left (K, R)^T @ right (K, C), both packed by columns. out[r] is null for a
// padded unit.
template <class P, int R, int C>
__attribute__((noinline)) void multiply_transposed(const float* left, const float* right, long right_stride, int depth,
                                                   float* const* out, int column, int columns, bool accumulate) {
  Vec sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sum[r][c] = Vec{};
  for (int r = 0; r < R && out[r]; ++r)
    for (int c = 0; c < C; ++c) __builtin_prefetch(out[r] + column + c * width, 1);
  for (int k = 0; k < depth; ++k, left += width, right += width) {
    Vec b[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) b[c] = load(right + c * right_stride);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      Vec a = P::broadcast_lane(left + r);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[r][c] = P::multiply_add(a, b[c], sum[r][c]);
    }
  }
  // An edge that is written float by float must not pull the sums out of their registers, so they go through a tile.
  alignas(64) float tile[R * C * width];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) store(tile + (r * C + c) * width, sum[r][c]);
  for (int r = 0; r < R && out[r]; ++r)
    for (int c = 0; c < C; ++c) {
      int at = column + c * width, n = columns - at;
      float* p = out[r] + at;
      Vec v = load(tile + (r * C + c) * width);
      store_part(p, accumulate ? load_part(p, n) + v : v, n);
    }
}

// Packs `vectors` vectors of columns of rows [0, rows) for multiply_transposed: [vector][lane][width].
template <class P>
void pack_columns(const typename P::Element* from, long row_stride, int rows, int vectors, float* to,
                  long vector_stride) {
  typedef typename P::Element Element;
  const Element zeros[width] = {};
  for (int row = 0; row < rows; row += P::per_lane, from += P::per_lane * row_stride, to += width)
    for (int v = 0; v < vectors; ++v) {
      const Element* next = row + P::per_lane - 1 < rows ? from + (P::per_lane - 1) * row_stride + v * width : zeros;
      store(to + v * vector_stride, P::lanes(from + v * width, next));
    }
}

#if defined(CHARRNN_AMX)
// The same on tiles: all 16 rows of left, which is [row][lane] here; the depth is a whole number of tiles, filled up
// with zeros.
template <int C>
__attribute__((noinline)) void multiply_transposed_tiles(const float* left, const float* right, long right_stride,
                                                         int depth, float* const* out, int column, int columns,
                                                         bool accumulate) {
  alignas(64) float tile[tile_rows * C * width];
  zero_sums<C>();
  for (int k = 0; k < depth; k += tile_lanes)
    add_product<C, false>(left + k, gradient_depth, right + (long)k * width, right_stride, width);
  store_sums<C>(tile, C * width);
  for (int r = 0; r < tile_rows && out[r]; ++r)
    for (int c = 0; c < C; ++c) {
      int at = column + c * width, n = columns - at;
      float* p = out[r] + at;
      Vec sum = load(tile + (r * C + c) * width);
      store_part(p, accumulate ? load_part(p, n) + sum : sum, n);
    }
}

// packed (depth, width) -> to (width, gradient_depth).
inline void transpose_tiles(float* packed, int depth, float* to) {
  for (int k = 0; k < depth; k += width) {
    Vec rows[width];
    for (int i = 0; i < width; ++i) rows[i] = load(packed + (k + i) * width);
    transpose(rows);
    for (int i = 0; i < width; ++i) store(to + i * gradient_depth + k, rows[i]);
  }
}
#endif

// out (rows of the left vectors, columns) = left (total, M vectors)^T @ right (total, columns), for some vectors of
// either. left_of(m): where vector m of left's first row lies. out_of(m, r): row r of its result, or null for a padded
// one.
template <class P, class LeftOf, class OutOf>
void transposed_product(long total, Range left_vectors, LeftOf left_of, long left_stride, Range right_vectors,
                        const typename P::Element* right, long right_stride, int columns, float* scratch,
                        OutOf out_of) {
  if (left_vectors.begin == left_vectors.end || right_vectors.begin == right_vectors.end) return;
  const int vectors = right_vectors.end - right_vectors.begin, first_column = right_vectors.begin * width;
  const long vector_stride = (long)gradient_depth * width + width;  // not a multiple of the page: fewer cache conflicts
  float* packed_left = scratch;
  float* packed_right = packed_left + 2 * gradient_depth * width;  // behind a second place for left, which tiles need

  // Some rows at a time, so that their packed columns stay in cache for all vectors of left.
  for (long row = 0; row < total; row += gradient_depth * P::per_lane) {
    const int rows = (int)(total - row < gradient_depth * P::per_lane ? total - row : gradient_depth * P::per_lane);
    const int depth = (rows + P::per_lane - 1) / P::per_lane;
#if defined(CHARRNN_AMX)
    const int whole_depth = (depth + tile_lanes - 1) / tile_lanes * tile_lanes;
    for (int k = depth; k < whole_depth; ++k) {
      store(packed_left + k * width, Vec{});
      for (int v = 0; v < vectors; ++v) store(packed_right + v * vector_stride + k * width, Vec{});
    }
#endif
    pack_columns<P>(right + row * right_stride + first_column, right_stride, rows, vectors, packed_right,
                    vector_stride);
    for (int m = left_vectors.begin; m < left_vectors.end; ++m) {
      pack_columns<P>(left_of(m) + row * left_stride, left_stride, rows, 1, packed_left, 0);
      float* out[width];
      for (int r = 0; r < width; ++r) out[r] = out_of(m, r);
#if defined(CHARRNN_AMX)
      if constexpr (on_tiles<P>) {
        float* rows_of_lanes = packed_left + gradient_depth * width;
        transpose_tiles(packed_left, whole_depth, rows_of_lanes);
        in_parts(0, vectors, most_columns<P>, [&](int v, int n) {
          with_constant<most_columns<P>>(n, [&](auto count) {
            multiply_transposed_tiles<decltype(count)::value>(rows_of_lanes, packed_right + v * vector_stride,
                                                              vector_stride, whole_depth, out, first_column + v * width,
                                                              columns, row > 0);
          });
        });
        continue;
      }
#endif
      for (int r = 0; r < width && out[r]; r += gradient_rows)
        in_parts(0, vectors, gradient_columns, [&](int v, int n) {
          with_constant<gradient_columns>(n, [&](auto count) {
            multiply_transposed<P, gradient_rows, decltype(count)::value>(
                packed_left + r, packed_right + v * vector_stride, vector_stride, depth, out + r,
                first_column + v * width, columns, row > 0);
          });
        });
    }
  }
}

// d_weight (G*H, N) = d_gates (T*B, G of the slots)^T @ right (T*B, N): this thread's share of the rows.
template <class C, class P>
void weight_gradient(const Layer& layer, const Team& team, int first_slot, const int* gate_of_slot,
                     const typename P::Element* right, int right_stride, int columns, float* d_weight) {
  const auto* d_gates = (const typename P::Element*)layer.gates + first_slot * width;
  transposed_product<P>((long)layer.steps * layer.batch, share(layer.blocks * C::gates, team),
                        [&](int m) { return d_gates + (m / C::gates * C::slots + m % C::gates) * width; },
                        layer.gate_stride, {0, (columns + width - 1) / width}, right, right_stride, columns,
                        layer.scratch + team.index * layer.scratch_floats,
                        [&](int m, int r) {
                          const int unit = m / C::gates * width + r;
                          return unit < layer.hidden
                                     ? d_weight + ((long)gate_of_slot[m % C::gates] * layer.hidden + unit) * columns
                                     : nullptr;
                        });
}

// d_table[id] += d_gates of every row that looked id up; its column sums are the gradient of the recurrent bias.
template <class C, class P>
void table_gradient(const Layer& layer, const Team& team) {
  typedef typename P::Element Element;
  const int hidden = layer.hidden, row_floats = C::gates * hidden;
  const Range mine = share(layer.blocks, team);
  auto each_gate_vector = [&](auto&& f) {
    for (int u = mine.begin; u < mine.end; ++u)
      for (int s = 0; s < C::gates; ++s) f(u, s, C::input_gate[s] * hidden + u * width, hidden - u * width);
  };
  for (int v = 0; v < layer.rows; ++v)
    each_gate_vector([&](int, int, int at, int n) { store_part(layer.d_table + (long)v * row_floats + at, Vec{}, n); });
  each_gate_vector([&](int, int, int at, int n) { store_part(layer.d_bias_hh + at, Vec{}, n); });

  const long total = (long)layer.steps * layer.batch;
  // Where the input's share has slots of its own, slot 0 is the recurrent part of a gate, with a gradient of its own.
  const int apart = C::recurrent_gate[0] * hidden;
  for (long row = 0; row < total; ++row) {
    const Element* d_gates = (const Element*)layer.gates + row * layer.gate_stride;
    float* d_row = layer.d_table + (layer.ids ? layer.ids[row] : 0) * row_floats;
    each_gate_vector([&](int u, int s, int at, int n) {
      Vec d = P::load_elements(d_gates + (u * C::slots + C::input_slot + s) * width);
      store_part(d_row + at, load_part(d_row + at, n) + d, n);
    });
    if constexpr (C::input_slot)
      for (int u = mine.begin; u < mine.end; ++u) {
        float* p = layer.d_bias_hh + apart + u * width;
        int n = hidden - u * width;
        store_part(p, load_part(p, n) + P::load_elements(d_gates + u * C::slots * width), n);
      }
  }
  each_gate_vector([&](int, int, int at, int n) {
    if (C::input_slot && at >= apart && at < apart + hidden) return;
    Vec sum{};
    for (int v = 0; v < layer.rows; ++v) sum += load_part(layer.d_table + (long)v * row_floats + at, n);
    store_part(layer.d_bias_hh + at, sum, n);
  });
}

}  // namespace
