#include "sampling/experts.h"

#include <algorithm>
#include <array>

namespace charrnn {
namespace {

// By code: ceil(log2(N + 1)), at most 7, of a count N that has it. Codes are exact up to 8, then there are four to an
// octave; charrnn/experts/codes.py says the same.
constexpr std::array<int, ngram_codes> levels = [] {
  std::array<int, ngram_codes> all{};
  for (int code = 0; code < ngram_codes; ++code) {
    const int level = code < 8 ? (code >= 1) + (code >= 2) + (code >= 4) : 4 + (code - 8) / 4;
    all[code] = std::min(ngram_levels - 1, level);
  }
  return all;
}();

// The child of a node for a symbol, or no_node.
std::int32_t child(const ExpertNode* nodes, std::int32_t node, std::int64_t symbol) {
  if (node == no_node) return no_node;
  std::uint32_t low = nodes[node].first_child, count = nodes[node + 1].first_child - low;
  while (count > 1) {  // without branches: which half is taken is as good as random
    const std::uint32_t half = count / 2;
    low += nodes[low + half - 1].symbol < symbol ? half : 0;
    count -= half;
  }
  return count == 1 && nodes[low].symbol == symbol ? (std::int32_t)low : no_node;
}

}  // namespace

void Experts::forget(std::int32_t* contexts) const {
  contexts[0] = 0;
  std::fill_n(contexts + 1, order, no_node);
}

void Experts::find(std::int32_t* contexts, const std::int32_t* recent) const {
  forget(contexts);
  for (int k = 0; k < order; ++k) advance(contexts, recent[k] ? recent[k] - 1 : symbols);
}

void Experts::advance(std::int32_t* contexts, std::int64_t symbol) const {
  const ExpertNode* all = nodes.as<ExpertNode>();
  for (int k = order; k > 0; --k) contexts[k] = symbol == symbols ? no_node : child(all, contexts[k - 1], symbol);
  // What add_shares reads at the end of this step is fetched while the network computes.
  for (int k = 1; k <= order; ++k) {
    if (contexts[k] == no_node) continue;
    const std::uint32_t first = all[contexts[k]].first_child, last = all[contexts[k] + 1].first_child;
    for (std::uint32_t i = first; i < last; i += 64 / sizeof(ExpertNode)) __builtin_prefetch(all + i);
  }
}

void pack_experts(const NgramTable& table, const float* shares, Experts& experts) {
  experts.order = table.order;
  experts.symbols = table.symbols;
  experts.nodes = Buffer((table.nodes + 1) * sizeof(ExpertNode));
  ExpertNode* nodes = experts.nodes.as<ExpertNode>();
  const std::uint32_t end = (std::uint32_t)table.nodes;
  for (std::int64_t i = 0; i < table.inner; ++i) nodes[i] = {table.first_child[i], table.symbol[i], table.code[i]};
  for (std::int64_t i = table.inner; i < table.nodes; ++i) nodes[i] = {end, table.symbol[i], table.code[i]};
  nodes[end] = {end, 0, 0};
  for (std::int64_t i = 0; i < table.inner; ++i) {
    ExpertNode *const first = nodes + nodes[i].first_child, *const last = nodes + nodes[i + 1].first_child;
    int seen = 0;  // symbols that followed this context
    for (const ExpertNode* child = first; child < last; ++child) seen += child->slot > 0;
    const int bucket = levels[table.code[i]] * ngram_kinds + (seen > 1) + (seen > 2) + (seen > 4);
    for (ExpertNode* child = first; child < last; ++child) child->slot += bucket * ngram_codes;
  }
  const long slots = (long)table.order * ngram_buckets * ngram_codes;
  float* to = make_zeros<float>(experts.shares, slots);
  std::copy(shares, shares + slots, to);
  for (long slot = 0; slot < slots; slot += ngram_codes) to[slot] = 0;  // a symbol that was not seen gets nothing
}

}  // namespace charrnn
