// The n-gram experts' share of the logits of one row, and its gradients (see loss.h).
//
// The children of a context lie side by side: their symbols, and the codes of their counts in all folds but the row's
// own. A symbol that is not counted there has the code 0, whose share is 0, so that no child needs to be left out.
#pragma once
#include <algorithm>
#include <cmath>

#include "training/loss.h"

namespace {

using charrnn::Loss;

constexpr float no_symbol = -1e30f;  // the logit of what is no symbol: its probability is nothing

// What follows the context of one length of a row.
struct Continuations {
  int count;
  const std::uint16_t* symbols;
  const std::uint8_t* codes;
};

inline Continuations continuations(const Loss& loss, int row, std::int32_t node) {
  const charrnn::NgramTable& table = loss.ngrams;
  const std::uint32_t first = table.first_child[node];
  const std::uint8_t* codes = loss.folds ? table.held_out + loss.folds[row] * table.nodes : table.code;
  return {(int)(table.first_child[node + 1] - first), table.symbol + first, codes + first};
}

inline int bucket_of(const Loss& loss, int row, std::int32_t node, const Continuations& all) {
  const charrnn::NgramTable& table = loss.ngrams;
  const int code = loss.folds ? table.held_out[loss.folds[row] * table.nodes + node] : table.code[node];
  int kinds = 0;
  for (int i = 0; i < all.count; ++i) kinds += all.codes[i] > 0;
  return charrnn::ngram_level(code) * charrnn::ngram_kinds + (kinds > 1) + (kinds > 2) + (kinds > 4);
}

// Where the shares of one length and bucket begin, or their gradients.
inline long place_of(int length, int bucket) {
  return ((long)length * charrnn::ngram_buckets + bucket) * charrnn::ngram_codes;
}

// Asks for what the rows after this one will read, which lies scattered over the whole table.
inline void prefetch_contexts(const Loss& loss, int row) {
  const charrnn::NgramTable& table = loss.ngrams;
  for (int k = 0; k < loss.lengths; ++k) {
    if (row + 2 < loss.rows) {
      const std::int32_t node = loss.nodes[(long)(row + 2) * loss.lengths + k];
      if (node >= 0) __builtin_prefetch(table.first_child + node);
    }
    if (row + 1 < loss.rows) {
      const std::int32_t node = loss.nodes[(long)(row + 1) * loss.lengths + k];
      if (node < 0) continue;
      const std::uint32_t first = table.first_child[node];
      const std::uint8_t* codes = loss.folds ? table.held_out + loss.folds[row + 1] * table.nodes : table.code;
      __builtin_prefetch(table.symbol + first);
      __builtin_prefetch(codes + first);
      __builtin_prefetch(codes + node);
    }
  }
}

// Adds the shares to logits (V + K), whose last K become gates; keeps gates and buckets for the gradients.
inline void add_shares(const Loss& loss, int row, float* logits) {
  prefetch_contexts(loss, row);
  for (int k = 0; k < loss.lengths; ++k) {
    float& logit = logits[loss.symbols + k];
    const float gate = 2.0f / (1.0f + std::exp(-logit));
    logit = no_symbol;
    const long at = (long)row * loss.lengths + k;
    const std::int32_t node = loss.nodes[at];
    loss.gates[at] = gate;
    if (node < 0) continue;
    const Continuations all = continuations(loss, row, node);
    const int bucket = loss.buckets[at] = (std::uint8_t)bucket_of(loss, row, node, all);
    const float* shares = loss.shares + place_of(k, bucket);
    for (int i = 0; i < all.count; ++i) logits[all.symbols[i]] += gate * shares[all.codes[i]];
  }
}

// gradients (V + K) hold those of the logits of V symbols; adds those of the K rows of gates, on the same scale.
inline void gate_gradients(const Loss& loss, int row, float* gradients) {
  for (int k = 0; k < loss.lengths; ++k) {
    const long at = (long)row * loss.lengths + k;
    const std::int32_t node = loss.nodes[at];
    float sum = 0.0f;
    if (node >= 0) {
      const Continuations all = continuations(loss, row, node);
      const float* shares = loss.shares + place_of(k, loss.buckets[at]);
      for (int i = 0; i < all.count; ++i) sum += gradients[all.symbols[i]] * shares[all.codes[i]];
    }
    const float gate = loss.gates[at];
    gradients[loss.symbols + k] = sum * gate * (1.0f - 0.5f * gate);
  }
}

// d_shares of one length, from the gradients of all rows' logits.
template <class P> void share_gradients(const Loss& loss, int length) {
  typedef typename P::Element Element;
  float* d_shares = loss.d_shares + place_of(length, 0);
  std::fill(d_shares, d_shares + place_of(1, 0), 0.0f);
  for (int row = 0; row < loss.rows; ++row) {
    const long at = (long)row * loss.lengths + length;
    const std::int32_t node = loss.nodes[at];
    if (node < 0) continue;
    const Continuations all = continuations(loss, row, node);
    const Element* gradients = (const Element*)loss.d_logits + (long)row * loss.logit_stride;
    float* to = d_shares + place_of(0, loss.buckets[at]);
    for (int i = 0; i < all.count; ++i) to[all.codes[i]] += loss.gates[at] * P::number(gradients[all.symbols[i]]);
  }
}

}  // namespace
