// Adding what the n-gram experts say to the logits of one stream; charrnn/inference/numpy_experts.py does the same
// additions in the same order.
#pragma once
#include <algorithm>
#include <limits>

#include "sampling/cells.h"
#include "sampling/network.h"

namespace {

void add_shares(const charrnn::Network& net, const std::int32_t* contexts, float* logits) {
  using charrnn::ExpertNode;
  const int order = net.experts.order;
  const ExpertNode* nodes = net.experts.nodes.as<ExpertNode>();
  const float* shares = net.experts.shares.as<float>();
  static_assert(charrnn::most_ngram_order % width == 0);
  alignas(64) float gates[charrnn::most_ngram_order] = {};
  std::copy(logits + net.symbols, logits + net.symbols + order, gates);
  std::fill(logits + net.symbols, logits + net.symbols + order, -std::numeric_limits<float>::infinity());
  for (int k = 0; k < order; k += width) store(gates + k, 2.0f * reproducible_sigmoid(load(gates + k)));

  for (int k = 0; k < order; ++k, shares += charrnn::ngram_buckets * charrnn::ngram_codes) {
    const std::int32_t node = contexts[k + 1];
    if (node == charrnn::no_node) continue;
    const ExpertNode *child = nodes + nodes[node].first_child, *last = nodes + nodes[node + 1].first_child;
    for (; child < last; ++child) logits[child->symbol] += gates[k] * shares[child->slot];
  }
}

}  // namespace
