// A trained model packed for sampling and scoring.
//
// Words: B streams, L layers, H hidden units, V symbols, G gates of the cell, K lengths of contexts that experts know
// (0: there are no experts). A *vector* is `width` rows of a matrix side by side in one register, a *block* is `width`
// hidden units, so G vectors of a weight matrix belong to each block.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/cells.h"
#include "common/memory.h"
#include "sampling/experts.h"

namespace charrnn {

struct SamplingKernels;

// How weights are kept. fp32 and bf16: sums are fp32, h is not rounded. int8: a scale for each row, h times 127
// rounded, exact sums.
enum class Weights { fp32, bf16, int8 };

// A matrix (rows, columns) whose rows are `gates` equal parts. Vectors come in groups, so that a group's sums fill the
// registers: (groups, steps, vectors of the group, width), where a step is 1, 2 (bf16) or 4 (int8) neighbouring columns
// of each row.
struct Matrix {
  int gates = 0, vectors = 0, group = 0, steps = 0;
  Buffer packed;
  Buffer scales;   // int8: (vectors, width) floats that turn a sum of products into the product of the two real numbers
  Buffer offsets;  // int8: (vectors, width), 128 times the sum of each row, for kernels that see h + 128
};

struct NetworkLayer {
  Matrix weight_hh, weight_ih;  // the first layer has no weight_ih: its input is a row of the table
  Buffer bias_hh, bias_ih;      // (vectors, width)
};

struct Network {
  Cell cell;
  Weights weights;
  int hidden, symbols, width;
  int blocks, padded;  // ceil(H / width), and that many whole vectors
  Buffer table;  // (V + 1, G * padded): the first layer's share of each symbol, the last row that of the unknown one
  std::vector<NetworkLayer> layers;
  Matrix decoder;       // (V + K, H): the last rows are the gates of the experts
  Buffer decoder_bias;  // (padded V + K): 0 for the gates, -infinity past them
  Experts experts;
  const SamplingKernels* kernels;
};

// The caller's arrays, contiguous, in torch's layout.
struct NetworkSource {
  Cell cell;
  Weights weights;
  int layers, hidden, symbols;
  const float* table;                            // (V + 1, G*H), with bias_ih
  std::vector<const float*> weight_ih, bias_ih;  // of layers 1 and up: (G*H, H), (G*H)
  std::vector<const float*> weight_hh, bias_hh;  // (G*H, H), (G*H)
  const float *decoder, *decoder_bias;           // (V, H), (V)
  const NgramTable* ngrams;                      // of the experts; null: there are none
  const float *gate, *shares;                    // of the experts: (K, H), (K, buckets, codes)
};

// Copies the weights, so the source may go. `kernels` is the name of those to use; empty for the best.
Network pack(const NetworkSource& source, const std::string& kernels);

// The nearest integer, ties to even, of a small number: how weights and h are rounded in int8.
std::int8_t nearest(float x);

// Vectors of a group, at most, and blocks of hidden units in a group with all their gates: 6 to 8 sums.
constexpr int group_vectors = 8;
constexpr int group_blocks(Cell cell) { return group_vectors / facts_of(cell).gates; }

}  // namespace charrnn
