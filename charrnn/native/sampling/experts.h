// The n-gram experts of a network: what followed each context of a text (charrnn/experts/table.py), and what that adds
// to the logits, packed for walking along what is read and written.
//
// Words: M nodes, K the length of the longest contexts, V symbols.
#pragma once
#include <cstdint>

#include "common/memory.h"
#include "common/ngrams.h"

namespace charrnn {

// All that is asked of a node stands together. So when the shares of a context's children have been added, the context
// after any of them is in the cache, and its own children are one access to memory away.
struct ExpertNode {
  std::uint32_t first_child;  // its last child is before the next node's first
  std::uint16_t symbol;
  std::uint16_t slot;  // where its share is among those of its length: by the bucket of its context and its own code
};

struct Experts {
  int order, symbols;  // K, 0 if there are no experts; V
  Buffer nodes;        // (M + 1), level by level; the last one only tells where the children of the one before it end
  Buffer shares;       // (K, buckets, codes)

  // One stream's contexts[k], k = 0 ... K, are the nodes of the last k symbols that it has read, or no_node.

  // Where nothing was read.
  void forget(std::int32_t* contexts) const;
  // After recent (K), the last symbols, as inference/network.py keeps them.
  void find(std::int32_t* contexts, const std::int32_t* recent) const;
  // After one more symbol. V is the unknown one, which ends all contexts.
  void advance(std::int32_t* contexts, std::int64_t symbol) const;
};

// Copies the table and shares (K, buckets, codes), so that both may go.
void pack_experts(const NgramTable& table, const float* shares, Experts& experts);

}  // namespace charrnn
