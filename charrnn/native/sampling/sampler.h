// A network at work: it reads, scores and writes, with `threads` threads that share the units of every layer. The
// results do not depend on how many there are.
#pragma once
#include <string>

#include "sampling/network.h"
#include "sampling/parameters.h"

namespace charrnn {

// What B streams carry from symbol to symbol: arrays of the caller, changed in place. c only where the cell has it,
// recent only where the network has experts.
struct State {
  float *h, *c;          // (L, B, H)
  std::int32_t* recent;  // (B, K): the last K symbols that were read, the newest last, each as its id + 1; 0 is none
};

// Why a stream has ended: not yet; the automaton is in a final state; no symbol was allowed.
enum Ended : std::int8_t { goes_on = 0, final_state = 1, nothing_allowed = 2 };

// Where each of B streams stands that are being written. The arrays are the caller's, changed in place.
struct WriterState {
  State carried;
  std::int64_t* last;             // (B): the id that is read next
  std::int32_t* automaton_state;  // (B)
  std::int8_t* ended;             // (B): see Ended
  std::uint64_t position;         // symbols that each stream has written so far
  std::int64_t symbols_left;      // that each may still write, by this call and later ones
  std::int64_t record_end;        // after this symbol a stream goes on from the zero state; -1: after none
};

class Sampler {
 public:
  // `kernels` is the name of those to use; empty for the best.
  Sampler(const NetworkSource& source, const std::string& kernels) : network_(pack(source, kernels)) {}

  // Writes `steps` symbols of each of `count` streams to out (steps, B), -1 where a stream has ended; stops early where
  // all have. Random number `position + n` of stream b under the seed chooses its n-th symbol. Returns how many steps
  // it took.
  int write(int threads, const WriterState& state, int count, int steps, const SamplingParameters& how,
            std::int32_t* out) const;
  // Reads ids (steps, B); writes logits (B, V) after the last of them unless null.
  void read(int threads, State state, int count, int steps, const std::int64_t* ids, float* logits) const;
  // Reads ids (steps, B); writes what targets (steps, B) cost to nats (steps, B).
  void score(int threads, State state, int count, int steps, const std::int64_t* ids, const std::int64_t* targets,
             double* nats) const;

  const Network& network() const { return network_; }

 private:
  Network network_;
};

}  // namespace charrnn
