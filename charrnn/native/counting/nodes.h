// From the sorted grams of a text to the nodes of the trie that common/ngrams.h walks: which n-grams are kept, how
// often they were seen, and how often outside of each fold of the text.
//
// A node of depth d is d symbols in a row; all grams that begin with them lie side by side. So one look along the grams
// meets the nodes of each depth in their order.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "common/ngrams.h"
#include "counting/grams.h"

namespace charrnn {

constexpr std::uint8_t not_counted = 255;  // the fold of a symbol that is only read
constexpr int most_folds = 15;

// A text whose n-grams are counted. Each symbol is from 1 to `vocabulary`, or a break; each is of a fold from 0 to
// `folds` - 1, but the first one of all and one behind a break may be not_counted.
struct CountedText {
  std::int64_t length;
  int vocabulary, folds;
  const std::uint16_t* symbol;  // (length)
  const std::uint8_t* fold;     // (length)
};

// For contexts of 0 to `order` symbols: how often one must have been seen, and how often what continues it, to be kept.
// No longer context asks for less than a shorter one.
struct LeastCounts { std::array<std::int64_t, most_ngram_order + 1> contexts, continuations; };

// What a table is made of; common/ngrams.h has the shapes.
struct TableArrays {
  std::uint16_t* symbol;
  std::uint8_t* code;
  std::uint32_t* first_child;
  std::uint8_t* held_out;
};

class NgramCounter {
 public:
  NgramCounter(const CountedText& text, int order, int threads);

  const CountedText text;
  const int order, threads;
  SortedGrams grams;  // to be sorted before anything is counted

  // The number of nodes of depth 0 to order + 1 that are kept; {} if all depths together have more than `most`.
  std::vector<std::int64_t> count(const LeastCounts& least, std::int64_t most);
  // Writes the nodes whose number the last count() told. Code c of 0 to ngram_codes - 1 stands for counts from
  // least_of_code[c] on.
  void fill(const std::int64_t* least_of_code, const TableArrays& table) const;

 private:
  std::int64_t& nodes(int symbol, int depth) { return nodes_[(std::size_t)symbol * (order + 2) + depth]; }

  std::vector<std::int64_t> seen_;   // (V + 1) how often each symbol is counted
  std::vector<int> symbols_;         // those that begin a gram, the most frequent first
  LeastCounts least_{};              // of the last count()
  std::vector<std::int64_t> nodes_;  // (V + 1, order + 2) its nodes, by first symbol and depth
};

}  // namespace charrnn
