// A network at work: packed once, then writing, reading and scoring with threads that share the units of every layer.
#pragma once
#include <string>
#include <vector>

#include "sampling/network.h"

namespace charrnn {

// The caller's arrays, contiguous, in torch's layout.
struct NetworkSource {
  Cell cell;
  Weights weights;
  int layers, hidden, symbols;
  const float* table;                            // (V + 1, G*H), with bias_ih
  std::vector<const float*> weight_ih, bias_ih;  // of layers 1 and up: (G*H, H), (G*H)
  std::vector<const float*> weight_hh, bias_hh;  // (G*H, H), (G*H)
  const float *decoder, *decoder_bias;           // (V, H), (V)
};

// What writing needs to know beside the state, and what it changes: arrays of the caller.
struct Pen {
  std::uint64_t seed;
  const std::uint64_t* streams;  // (B): the number of each stream among the random streams
  std::uint64_t position;        // characters written so far
  std::int64_t left;             // characters that may still be written, by this call and later ones
  std::int64_t* last;            // (B): the id that is read next
  std::int32_t* states;          // (B): of the automaton
  std::int8_t* ended;            // (B): see Ended
  std::int64_t record_end;       // after this symbol a stream goes on from the zero state; -1: none
};

// The carried state, (L, B, H) each; c only for an LSTM. Changed in place.
struct State { float *h, *c; };

class Sampler {
 public:
  // `kernels` names those to use; empty for the best.
  Sampler(const NetworkSource& source, const std::string& kernels);

  // Writes `steps` symbols of each stream to out (steps, B), -1 where a stream has ended; stops early where all have.
  // Returns how many steps it took.
  int write(State state, int count, int steps, Pen pen, const Choice& choice, std::int32_t* out);
  // Reads ids (steps, B); logits (B, V) after the last of them unless null.
  void read(State state, int count, int steps, const std::int64_t* ids, float* logits);
  // Reads ids (steps, B) and adds up what targets (steps, B) cost: nats (steps, B).
  void score(State state, int count, int steps, const std::int64_t* ids, const std::int64_t* targets, double* nats);

  const Network& network() const { return network_; }

  int threads = 1;  // of each call; the results do not depend on it

 private:
  struct Desk;
  Network network_;
};

}  // namespace charrnn
