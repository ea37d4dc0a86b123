// One recurrent layer over one window: everything its kernels read and write.
//
// Words: T steps, B batch rows, I inputs, H hidden units, V rows of the table, G gates of the cell.
// A *block* is `width` hidden units (one vector register); H is padded with zeros to whole blocks, so no kernel
// has a tail in its inner loops: a padded unit has zero weights, stays zero and gives nothing to anybody.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/cells.h"

namespace charrnn {

enum class Precision { fp32, bf16 };

constexpr std::size_t bytes_of(Precision precision) { return precision == Precision::fp32 ? 4 : 2; }

struct Layer {
  Cell cell;
  Precision precision;
  int steps, batch, inputs, hidden, rows;  // T, B, I (0: rows of the table are the only input), H, V
  bool save;                               // keep what backward needs
  bool split_hidden;                       // threads share the hidden units (a barrier per step), else the batch

  // From the caller, contiguous fp32 in torch's layout.
  const std::int64_t* ids;                       // (T, B), or null: row 0 of the table for all (the input bias)
  const float *table, *x, *mask;                 // (V, G*H), (T, B, I), (T, B, I) or null
  const float *weight_ih, *weight_hh, *bias_hh;  // (G*H, I), (G*H, H), (G*H)
  const float *h_first, *c_first;                // (B, H); c_first only where the cell has c
  float *out, *h_last, *c_last;                  // (T, B, H), (B, H), (B, H)
  const float *d_out, *d_h_last, *d_c_last;      // gradients coming in, each may be null
  float *d_table, *d_x, *d_weight_ih, *d_weight_hh, *d_bias_hh, *d_h_first, *d_c_first;  // going out; d_x may be null

  // Workspace. An element is a float or a bfloat16, as the precision says; strides count elements.
  int blocks, input_blocks;             // ceil(H / width), ceil(I / width)
  int h_stride, x_stride, gate_stride;  // of one row of the three below
  void* h_rows;                         // (T + 1, B, h_stride): h before step t
  void* x_rows;                         // (T, B, x_stride): the masked input
  void* gates;                          // (T, B, gate_stride): gates [block][slot][width], later their gradients
  float* carry;                         // what the cell carries in fp32: c, (T + 1, B, padded H), or h, (B, padded H)
  float* d_carry;                       // (B, padded H): the gradient of c, or the part of h's that passes by the gates
  float* packed_table;                  // (V, blocks, slots, width): table + bias_hh
  void *packed_ih, *packed_hh;          // weights in the order the product reads them
  float* scratch;                       // for the weight gradients: `scratch_floats` of each thread
  std::size_t scratch_floats;
};

// Columns of the right-hand side of a weight gradient are packed this many rows at a time, in this much scratch.
constexpr int gradient_depth = 256;
constexpr std::size_t gradient_scratch(std::size_t vectors, int width) {
  return (vectors * (gradient_depth + 1) + 2 * gradient_depth) * width;
}

// A row of `bytes`, in whole cache lines. Long rows take an odd number of them: rows a power of two apart would all
// compete for the same few lines of the first cache.
constexpr std::size_t row_bytes(std::size_t bytes) {
  const std::size_t lines = (bytes + 63) / 64;
  return (lines >= 16 ? lines | 1 : lines) * 64;
}
constexpr std::size_t spare_rows = 15;  // a product on tiles reads 16 rows, whatever it needs

}  // namespace charrnn
