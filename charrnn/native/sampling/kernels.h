// What sampling and scoring run on one instruction set: a table of functions, which kernels_*.cpp fill in.
//
// Every instruction set does the same additions and multiplications in the same order on the same numbers: the text
// that a seed gives depends on neither the machine nor the number of threads nor how many streams there are.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sampling/network.h"
#include "sampling/parameters.h"

namespace charrnn {

// The state of B streams in the kernels' layout. h has two places, `now` and `1 - now`, because other threads still
// read the old one.
struct Streams {
  int count, now;
  float *h[2], *c;          // (L, B, padded)
  std::int8_t* rounded[2];  // int8: h as it enters the products, (L, B, padded)
  const std::int64_t* ids;  // (B): what is read next
  float* logits;            // (B, padded V + K): behind the logits what the experts' gates are the sigmoid of
};

struct SamplingKernels {
  const char* name;
  int width;  // floats in a vector
  // h, c and rounded h of one layer after one more symbol, for the blocks in groups [first, last).
  void (*step)(const Network&, const Streams&, int layer, int first, int last);
  // Logits of all streams, for groups [first, last) of the decoder.
  void (*decode)(const Network&, const Streams&, int first, int last);
  // Adds to one stream's logits what the experts say after `contexts`, the nodes of 0 to K symbols.
  void (*add_shares)(const Network&, const std::int32_t* contexts, float* logits);
  // A symbol drawn from V logits with `uniform` in [0, 1), or -1 if none is allowed. `symbols_left` may follow it.
  int (*choose)(const float* logits, int symbols, const SamplingParameters&, int automaton_state,
                std::int64_t symbols_left, double uniform, Candidates&);
  // What `target` costs, in nats: -ln of its probability.
  double (*nats)(const float* logits, int symbols, int target);
  // All filters that choose() can apply, in their order; the same names on every instruction set.
  std::span<const Filter> filters;
};

// Names of all that this machine can run, slowest first.
std::vector<std::string> available_sampling_kernels();

// Those called `name`; empty: the best, with no wider vectors than the instruction set in use has. Throws
// std::invalid_argument if there are none.
const SamplingKernels& sampling_kernels(const std::string& name);

}  // namespace charrnn
