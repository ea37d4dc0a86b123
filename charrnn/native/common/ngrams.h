// The trie of n-gram counts, as charrnn/experts/table.py describes it: which symbols follow each context of a text.
//
// Words: M nodes, I of them with children, contexts of 1 to `order` symbols, V symbols.
#pragma once
#include <cstdint>

namespace charrnn {

constexpr int ngram_levels = 8, ngram_kinds = 4;           // classes of contexts: how often seen, in how many ways
constexpr int ngram_buckets = ngram_levels * ngram_kinds;  // of one length
constexpr int ngram_codes = 128;                           // codes of counts
constexpr int most_ngram_order = 16;
constexpr std::int32_t no_node = -1;

// The class of a context by how often it was seen: the level of its count's code.
constexpr int ngram_level(int code) {
  if (code < 8) return (code > 0) + (code > 1) + (code > 3);
  return code < 20 ? 2 + code / 4 : ngram_levels - 1;
}

// The last `order` symbols that were read, each as its id + 1, the newest last, after one more of `symbols`; 0 is none.
inline void remember_symbol(std::int32_t* recent, int order, std::int64_t symbols, std::int64_t read) {
  for (int k = 1; k < order; ++k) recent[k - 1] = read == symbols ? 0 : recent[k];
  recent[order - 1] = read == symbols ? 0 : (std::int32_t)read + 1;
}

struct NgramTable {
  int order, symbols;                // the length of the longest contexts, V
  std::int64_t nodes, inner;         // M, I
  const std::uint16_t* symbol;       // (M)
  const std::uint8_t* code;          // (M): of the count
  const std::uint32_t* first_child;  // (I + 1): of each node; its last child is before the next node's first
  const std::uint8_t* held_out;      // (folds, M): codes of the counts in all folds but one; null: not kept
  int folds;

  // The child of a node for a symbol, or no_node.
  std::int32_t child(std::int32_t node, std::int64_t wanted) const {
    if (node < 0) return no_node;
    std::uint32_t low = first_child[node], count = first_child[node + 1] - low;
    while (count > 1) {  // without branches: which half is taken is as good as random
      const std::uint32_t half = count / 2;
      low += symbol[low + half - 1] < wanted ? half : 0;
      count -= half;
    }
    return count == 1 && symbol[low] == wanted ? (std::int32_t)low : no_node;
  }

  // nodes[k], k = 0 .. order, are the contexts of k symbols; they become those after one more symbol. V is the unknown
  // symbol, which ends all contexts.
  void advance(std::int32_t* nodes, std::int64_t read) const {
    for (int k = order - 1; k > 0; --k)
      if (nodes[k] >= 0) __builtin_prefetch(symbol + first_child[nodes[k]]);
    for (int k = order; k > 0; --k) nodes[k] = read == symbols ? no_node : child(nodes[k - 1], read);
  }

  // nodes[0 .. order] after the last `order` symbols, each as its id + 1, the newest last; 0 is none.
  void begin(std::int32_t* nodes, const std::int32_t* recent) const {
    nodes[0] = 0;
    for (int k = 1; k <= order; ++k) nodes[k] = no_node;
    for (int k = 0; k < order; ++k) advance(nodes, recent[k] ? recent[k] - 1 : symbols);
  }

  // `recent` after one more symbol.
  void remember(std::int32_t* recent, std::int64_t read) const { remember_symbol(recent, order, symbols, read); }
};

}  // namespace charrnn
