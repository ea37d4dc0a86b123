// The inner loop of training: a few rows times a few columns, with the sums held in registers.
#pragma once
#include "common/loops.h"
#include "common/vectors.h"
#if defined(CHARRNN_AMX)
#include "training/tiles.h"
#endif

namespace {

// Rows of a product that is `columns` vectors wide: the sums, one weight for each column and a broadcast fill the
// registers. More rows use each weight more often on its way from the caches, so no product is wider than it must be.
constexpr int register_rows(int columns) {
  if (registers == 32) return columns <= 3 ? 8 : 6;
  return columns <= 2 ? 6 : columns == 3 ? 4 : 3;
}

// Weights are fetched this many lanes ahead of their use: some 300 cycles, what the third cache takes.
constexpr int prefetched_lanes = 24;

// Rows on the left: `segment_lanes` in each of `segments` that lie `segment_stride` lanes apart, the next row at
// `row_stride`.
struct Rows {
  const float* lanes;
  long row_stride;
  int segments, segment_lanes, segment_stride;
};

// tile (R, tile_stride) = rows (R, K) @ packed (K, C * width), or += when `accumulate`.
template <class P, int R, int C>
__attribute__((noinline)) void multiply(const Rows& rows, const float* packed, float* tile, int tile_stride,
                                        bool accumulate) {
  Vec sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sum[r][c] = accumulate ? load(tile + r * tile_stride + c * width) : Vec{};
  const float* segment = rows.lanes;
  const long row_stride = rows.row_stride;
  for (int s = 0; s < rows.segments; ++s, segment += rows.segment_stride) {
    const float* a = segment;
    for (int k = 0; k < rows.segment_lanes; ++k, ++a, packed += C * width) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) __builtin_prefetch(packed + (prefetched_lanes * C + c) * width);
      Vec b[C];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) b[c] = load(packed + c * width);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        Vec left = P::broadcast_lane(a + r * row_stride);
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) sum[r][c] = P::multiply_add(left, b[c], sum[r][c]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) store(tile + r * tile_stride + c * width, sum[r][c]);
}

#if defined(CHARRNN_AMX)
template <class P> constexpr bool on_tiles = P::per_lane == 2;

// The same on tiles, always of 16 rows: what lies below the last row is read, and its sums are never looked at.
template <int C>
__attribute__((noinline)) void multiply_tiles(const Rows& rows, const float* packed, float* tile, int tile_stride,
                                              bool accumulate) {
  constexpr long lane = C * width;
  if (accumulate) load_sums<C>(tile, tile_stride);
  else zero_sums<C>();
  const float* segment = rows.lanes;
  for (int s = 0; s < rows.segments; ++s, segment += rows.segment_stride) {
    int k = 0;
    for (; k + tile_lanes <= rows.segment_lanes; k += tile_lanes, packed += tile_lanes * lane)
      add_product<C, false>(segment + k, rows.row_stride, packed, width, lane);
    if (k < rows.segment_lanes) {  // whole blocks: half a tile is left
      add_product<C, true>(segment + k, rows.row_stride, packed, width, lane);
      packed += tile_lanes / 2 * lane;
    }
  }
  store_sums<C>(tile, tile_stride);
}
#else
template <class P> constexpr bool on_tiles = false;
struct Tiles {
  Tiles() {}  // without AMX there is nothing to prepare
};
#endif

// Limits of one product: its rows; the vectors of columns that are packed together; the gates of `all` that it takes.
template <class P> constexpr int most_rows(int columns) { return on_tiles<P> ? 16 : register_rows(columns); }
template <class P> constexpr int most_columns = on_tiles<P> ? 4 : registers == 32 ? 3 : 2;
template <class P> constexpr int gates_together(int all) { return on_tiles<P> || all < 4 ? all : 2; }

// tile (count, tile_stride) = rows (count, K) @ packed (K, C * width), or += when `accumulate`.
template <class P, int C>
INLINE void multiply_rows(int count, const Rows& rows, const float* packed, float* tile, int tile_stride,
                          bool accumulate) {
#if defined(CHARRNN_AMX)
  if constexpr (on_tiles<P>) return multiply_tiles<C>(rows, packed, tile, tile_stride, accumulate);
#endif
  with_constant<register_rows(C)>(
      count, [&](auto n) { multiply<P, decltype(n)::value, C>(rows, packed, tile, tile_stride, accumulate); });
}

}  // namespace
