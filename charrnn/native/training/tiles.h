// bf16 products on AMX tiles. Only kernels_amx.cpp includes this.
//
// NOT YET RUN ON REAL HARDWARE: checked against a software emulation of the six intrinsics (tiles_emulated.h), never
// timed.
//
// A tile is 16 rows of 64 bytes. One instruction adds the product of 16 rows x 32 bf16 with 32 x 16 to 16 x 16 sums.
// The packed weights of the other bf16 kernels already have the layout of the right operand: 16 lanes (pairs along the
// long axis) of 16 columns.
#pragma once
#include "common/vectors.h"
#if defined(CHARRNN_EMULATE_AMX)
#include "training/tiles_emulated.h"
#endif

namespace {

constexpr int tile_rows = 16, tile_lanes = 16;

// Tiles 0-3 hold sums, 4 and 5 the operands, 6 and 7 operands of half the length for what is left of the long axis.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 32, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 8};
};

// A thread may use tiles while it holds one of these.
class Tiles {
 public:
  Tiles() {
    const TileConfig config;
    _tile_loadconfig(&config);
  }
  ~Tiles() { _tile_release(); }
};

// The intrinsics want tile numbers as literals, hence the unrolled columns.
template <int C, bool Half>
INLINE void add_product(const float* left, long left_stride, const float* right, long column_stride,
                        long right_stride) {
  const long row = left_stride * 4, lane = right_stride * 4;
  if constexpr (Half) {
    _tile_loadd(6, left, row);
    _tile_loadd(7, right, lane);
    _tile_dpbf16ps(0, 6, 7);
    if constexpr (C > 1) {
      _tile_loadd(7, right + column_stride, lane);
      _tile_dpbf16ps(1, 6, 7);
    }
    if constexpr (C > 2) {
      _tile_loadd(7, right + 2 * column_stride, lane);
      _tile_dpbf16ps(2, 6, 7);
    }
    if constexpr (C > 3) {
      _tile_loadd(7, right + 3 * column_stride, lane);
      _tile_dpbf16ps(3, 6, 7);
    }
  } else {
    _tile_loadd(4, left, row);
    _tile_loadd(5, right, lane);
    _tile_dpbf16ps(0, 4, 5);
    if constexpr (C > 1) {
      _tile_loadd(5, right + column_stride, lane);
      _tile_dpbf16ps(1, 4, 5);
    }
    if constexpr (C > 2) {
      _tile_loadd(5, right + 2 * column_stride, lane);
      _tile_dpbf16ps(2, 4, 5);
    }
    if constexpr (C > 3) {
      _tile_loadd(5, right + 3 * column_stride, lane);
      _tile_dpbf16ps(3, 4, 5);
    }
  }
}

template <int C>
INLINE void load_sums(const float* from, long stride) {
  _tile_loadd(0, from, stride * 4);
  if constexpr (C > 1) _tile_loadd(1, from + width, stride * 4);
  if constexpr (C > 2) _tile_loadd(2, from + 2 * width, stride * 4);
  if constexpr (C > 3) _tile_loadd(3, from + 3 * width, stride * 4);
}

template <int C>
INLINE void zero_sums() {
  _tile_zero(0);
  if constexpr (C > 1) _tile_zero(1);
  if constexpr (C > 2) _tile_zero(2);
  if constexpr (C > 3) _tile_zero(3);
}

template <int C>
INLINE void store_sums(float* to, long stride) {
  _tile_stored(0, to, stride * 4);
  if constexpr (C > 1) _tile_stored(1, to + width, stride * 4);
  if constexpr (C > 2) _tile_stored(2, to + 2 * width, stride * 4);
  if constexpr (C > 3) _tile_stored(3, to + 3 * width, stride * 4);
}

}  // namespace
