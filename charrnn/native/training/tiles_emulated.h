// The AMX intrinsics that tiles.h uses, in plain C++, so that its source can be checked on machines without them.
#pragma once
#include <cstdint>
#include <cstring>

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps

namespace {

struct EmulatedTile {
  int rows, row_bytes;
  unsigned char bytes[16][64];
};
thread_local EmulatedTile emulated_tiles[8];

inline void _tile_loadconfig(const void* config) {
  const unsigned char* bytes = static_cast<const unsigned char*>(config);
  for (int i = 0; i < 8; ++i) {
    std::uint16_t row_bytes;
    std::memcpy(&row_bytes, bytes + 16 + 2 * i, 2);
    emulated_tiles[i] = {bytes[48 + i], row_bytes, {}};
  }
}
inline void _tile_release() {
  for (EmulatedTile& tile : emulated_tiles) tile = {};
}
inline void _tile_zero(int i) { std::memset(emulated_tiles[i].bytes, 0, sizeof emulated_tiles[i].bytes); }
inline void _tile_loadd(int i, const void* from, long stride) {
  EmulatedTile& tile = emulated_tiles[i];
  for (int r = 0; r < tile.rows; ++r)
    std::memcpy(tile.bytes[r], static_cast<const char*>(from) + r * stride, tile.row_bytes);
}
inline void _tile_stored(int i, void* to, long stride) {
  EmulatedTile& tile = emulated_tiles[i];
  for (int r = 0; r < tile.rows; ++r) std::memcpy(static_cast<char*>(to) + r * stride, tile.bytes[r], tile.row_bytes);
}
inline float emulated_bf16(const unsigned char* at) {
  std::uint16_t half;
  std::memcpy(&half, at, 2);
  const std::uint32_t bits = std::uint32_t(half) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline void _tile_dpbf16ps(int sum, int left, int right) {
  EmulatedTile &c = emulated_tiles[sum], &a = emulated_tiles[left], &b = emulated_tiles[right];
  for (int m = 0; m < c.rows; ++m)
    for (int n = 0; n < c.row_bytes / 4; ++n) {
      float value;
      std::memcpy(&value, c.bytes[m] + 4 * n, 4);
      for (int k = 0; k < a.row_bytes / 4; ++k)
        for (int p = 0; p < 2; ++p)
          value += emulated_bf16(a.bytes[m] + 4 * k + 2 * p) * emulated_bf16(b.bytes[k] + 4 * n + 2 * p);
      std::memcpy(c.bytes[m] + 4 * n, &value, 4);
    }
}

}  // namespace
