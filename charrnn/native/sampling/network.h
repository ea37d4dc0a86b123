// A trained model ready to sample from and to judge text: what its kernels read and write.
//
// Words: B streams, L layers, H hidden units, V symbols, G gates of the cell. A *vector* is `width` rows of a matrix
// side by side in one register, a *block* is `width` hidden units, so G vectors of a weight matrix belong to each
// block. Every instruction set does the same additions and multiplications in the same order on the same numbers: the
// text that a seed gives depends on neither the machine nor the number of threads nor how many streams there are.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/memory.h"
#include "training/layer.h"

namespace charrnn {

struct NetworkKernels;

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
  Matrix decoder;
  Buffer decoder_bias;  // (padded V), -infinity past the last symbol
  const NetworkKernels* kernels;
};

// Streams in the middle of a text. h has two places, `now` and `1 - now`, because other threads still read the old one.
struct Streams {
  int count, now;
  float *h[2], *c;          // (L, B, padded)
  std::int8_t* rounded[2];  // int8: h as it enters the products, (L, B, padded)
  const std::int64_t* ids;  // (B): what is read next
  float* logits;            // (B, padded V)
};

// Which symbols may come next, as a machine that reads what is written: its tables are the caller's.
struct Automaton {
  int states, classes;               // 0 states: no automaton
  const std::int32_t* symbol_class;  // (V)
  const std::int32_t* next;          // (states, classes): the state after a symbol of this class; negative: forbidden
  const std::uint8_t* final;         // (states): not 0: on entering it the stream ends
  const std::int32_t* distance;      // (states): the fewest symbols from here to where the stream may end
};

struct Choice {
  double temperature, top_p, min_p;  // 0 is greedy; 1 and 0 leave the filters out
  int top_k;                         // 0: all
  const std::uint8_t* allowed;       // (V), or null for all
  Automaton automaton;
};

// Why a stream has ended.
enum Ended : std::int8_t { goes_on = 0, final_state = 1, nothing_allowed = 2 };

// Room for one choice, used again and again.
struct Candidates {
  std::vector<float> logits;
  std::vector<double> weights;
  std::vector<int> ids, order;
};

// What one instruction set offers.
struct NetworkKernels {
  const char* name;
  int width;
  // h, c and rounded h of one layer after one more symbol, for the blocks in groups [first, last).
  void (*step)(const Network&, const Streams&, int layer, int first, int last);
  // Logits of all streams, for groups [first, last) of the decoder.
  void (*decode)(const Network&, const Streams&, int first, int last);
  // A symbol drawn from V logits with a number in [0, 1), or -1 if none is allowed; `left` more may follow it.
  int (*choose)(const float* logits, int symbols, const Choice&, int automaton_state, std::int64_t left, double uniform,
                Candidates&);
  // What `target` costs, in nats.
  double (*nats)(const float* logits, int symbols, int target);
};

// Blocks of hidden units in a group: with all gates of all blocks, 6 to 8 sums.
constexpr int blocks_of_group(Cell cell) { return cell == Cell::lstm || cell == Cell::gru ? 2 : 8; }
constexpr int decoder_group = 8;

// Names of all that this machine can run, slowest first.
std::vector<std::string> network_kernels();

// Those called `name`; empty: the best, with no wider vectors than the instruction set in use (instruction_set.h) has.
const NetworkKernels& network_kernels(const std::string& name);

}  // namespace charrnn
