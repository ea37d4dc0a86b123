// One recurrent layer over one window: everything the kernels read and write.
//
// Words: T steps, B batch rows, I inputs, H hidden units, V rows of the table, G gates of the cell.
// A *block* is `width` hidden units (one vector register); H is padded with zeros to whole blocks, so no kernel
// has a tail in its inner loops: a padded unit has zero weights, stays zero and gives nothing to anybody.
#pragma once
#include <cstddef>
#include <cstdint>

namespace charrnn {

enum class Cell { lstm, gru, rnn };
enum class Precision { fp32, bf16 };

struct Team;     // the threads that work on this layer together (threads.h)
struct Loss;     // decoder and loss (loss.h)
struct AdamW;    // the optimizer's step (adamw.h)
struct Dropout;  // a mask (dropout.h)

// Number of gates in torch's parameters, and of vectors kept per block. A GRU keeps four, n(h), r, z, n(x), because its
// candidate multiplies the recurrent part alone by r: the recurrent product owns the first three, the input product the
// last three.
constexpr int gates_of(Cell cell) { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }
constexpr int slots_of(Cell cell) { return cell == Cell::lstm || cell == Cell::gru ? 4 : 1; }

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
  const float *h_first, *c_first;                // (B, H)
  float *out, *h_last, *c_last;                  // (T, B, H), (B, H)
  const float *d_out, *d_h_last, *d_c_last;      // gradients coming in, each may be null
  float *d_table, *d_x, *d_weight_ih, *d_weight_hh, *d_bias_hh, *d_h_first, *d_c_first;  // going out; d_x may be null

  // Workspace. An element is a float or a bfloat16, as the precision says; strides count elements.
  int blocks, input_blocks;             // ceil(H / width), ceil(I / width)
  int h_stride, x_stride, gate_stride;  // of one row of the three below
  void* h_rows;                         // (T + 1, B, h_stride): h before step t
  void* x_rows;                         // (T, B, x_stride): the masked input
  void* gates;                          // (T, B, gate_stride): gates [block][slot][width], later their gradients
  float* carry;                         // LSTM: c, (T + 1, B, padded H) or without the T; GRU: h in fp32
  float* d_carry;                       // (B, padded H): dc of an LSTM, the direct part of dh of a GRU
  float* packed_table;                  // (V, blocks, slots, width): table + bias_hh
  void *packed_ih, *packed_hh;          // weights in the order the product reads them
  float* scratch;                       // per thread, for the weight gradients
  std::size_t scratch_floats;           // of one thread
};

// What one instruction set offers. Each function is called by every thread of the team.
struct Kernels {
  const char* name;
  int width;         // floats in a vector
  bool native_bf16;  // false: bf16 works, but fp32 is faster
  void (*forward)(const Layer&, Team&);
  void (*backward)(const Layer&, Team&);
  void (*loss_forward)(const Loss&, Team&);
  void (*loss_backward)(const Loss&, Team&);
  void (*adamw)(const AdamW&, Team&);
  void (*dropout)(const Dropout&, Team&);
};

// Columns of the right-hand side of a weight gradient are packed this many rows at a time, in this much scratch.
constexpr int gradient_depth = 256;
constexpr std::size_t gradient_scratch(std::size_t vectors, int width) {
  return (vectors * (gradient_depth + 1) + 2 * gradient_depth) * width;
}

// Rows whose logits lie in scratch at a time, at most.
constexpr std::size_t most_loss_rows = 128;

// A row of `bytes`, in whole cache lines. Long rows take an odd number of them: rows a power of two apart would all
// compete for the same few lines of the first cache.
constexpr std::size_t row_bytes(std::size_t bytes) {
  const std::size_t lines = (bytes + 63) / 64;
  return (lines >= 16 ? lines | 1 : lines) * 64;
}
constexpr std::size_t spare_rows = 15;  // a product on tiles reads 16 rows, whatever it needs

}  // namespace charrnn
