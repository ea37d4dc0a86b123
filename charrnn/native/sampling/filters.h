// The filters and the choice of a symbol: what charrnn/sampling/filters.py does, in the same order and with the same
// sums. A filter is a function and a line in `all_filters`.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "sampling/parameters.h"
#include "sampling/softmax.h"

namespace {

using charrnn::Candidates;
using charrnn::Filter;
using charrnn::SamplingParameters;

// Keeps those candidates i for which keep(i) is true.
template <class F> INLINE void keep_where(Candidates& all, F&& keep) {
  const int count = all.count;
  int kept = 0;
  for (int i = 0; i < count; ++i)
    if (keep(i)) {
      all.ids[kept] = all.ids[i];
      all.logits[kept++] = all.logits[i];
    }
  all.count = kept;
}

// Whether candidate a is likelier than b; of equals the first is.
struct Likelier {
  const float* logits;
  bool operator()(int a, int b) const { return logits[a] > logits[b] || (logits[a] == logits[b] && a < b); }
};

// Keeps the candidate `last` and all that are likelier.
INLINE void keep_down_to(Candidates& all, int last) {
  const float least = all.logits[last];
  keep_where(all, [&](int i) { return all.logits[i] > least || (all.logits[i] == least && i <= last); });
}

// Fills all.weights with probabilities but for a common factor: the likeliest has 1.
INLINE void weigh(Candidates& all) {
  exponentials(all.logits.data(), all.count, highest_of(all.logits.data(), all.count), 1.0, all.weights.data());
}

// Keeps the k likeliest.
void top_k(Candidates& all, double k) {
  const int count = all.count;
  if (count <= k) return;
  int* order = all.order.data();
  for (int i = 0; i < count; ++i) order[i] = i;
  int* const last = order + ((int)k - 1);
  std::nth_element(order, last, order + count, Likelier{all.logits.data()});
  keep_down_to(all, *last);
}

// Keeps the fewest of the likeliest that together have probability p.
void top_p(Candidates& all, double p) {
  weigh(all);
  const int count = all.count;
  double total = 0;
  for (int i = 0; i < count; ++i) total += all.weights[i];
  // Only what may be kept is sorted: all that are lighter than this together weigh less than what may be left out.
  const double least = 0.5 * (1 - p) * total / count;
  int* order = all.order.data();
  int sorted = 0;
  for (int i = 0; i < count; ++i)
    if (all.weights[i] >= least) order[sorted++] = i;
  std::sort(order, order + sorted, Likelier{all.logits.data()});
  double sum = 0;
  int kept = 0;
  while (kept < sorted && (kept == 0 || sum < p * total)) sum += all.weights[order[kept++]];
  keep_down_to(all, order[kept - 1]);
}

// Keeps those that are at least p times as likely as the likeliest.
void min_p(Candidates& all, double p) {
  weigh(all);
  keep_where(all, [&](int i) { return all.weights[i] >= p; });
}

// In the order in which they apply, which is llama.cpp's.
constexpr Filter all_filters[] = {
    {"top_k", [](double k) { return k >= 1 && k == std::floor(k); }, top_k},
    {"top_p", [](double p) { return p > 0 && p <= 1; }, top_p},
    {"min_p", [](double p) { return p >= 0 && p <= 1; }, min_p},
};

int choose(const float* logits, int symbols, const SamplingParameters& how, int automaton_state,
           std::int64_t symbols_left, double uniform, Candidates& all) {
  const charrnn::Automaton& automaton = how.automaton;
  // Without any limit the logits are used where they are.
  const bool limited = how.allowed || automaton.states || !how.filters.empty();
  all.count = symbols;
  if (limited) {
    const std::int32_t* next = automaton.states ? automaton.next + (long)automaton_state * automaton.classes : nullptr;
    int count = 0;
    for (int i = 0; i < symbols; ++i) {
      if (how.allowed && !how.allowed[i]) continue;
      if (next) {
        const std::int32_t after = next[automaton.symbol_class[i]];
        if (after < 0 || automaton.distance[after] > symbols_left) continue;
      }
      all.ids[count] = i;
      all.logits[count++] = logits[i];
    }
    if (count == 0) return -1;
    all.count = count;
    if (how.temperature > 0)
      for (const charrnn::ActiveFilter& filter : how.filters) filter.keep(all, filter.parameter);
    logits = all.logits.data();
  }

  const int count = all.count;
  const float highest = highest_of(logits, count);
  int chosen = 0;
  if (how.temperature == 0) {
    while (chosen + 1 < count && logits[chosen] != highest) ++chosen;
  } else {
    double* sums = all.weights.data();  // of the weights up to each candidate: its stretch of the unit interval
    exponentials(logits, count, highest, how.temperature, sums);
    double sum = 0;
    for (int i = 0; i < count; ++i) sums[i] = sum += sums[i];
    const double target = std::min(uniform * sum, std::nextafter(sum, 0.0));
    while (sums[chosen] <= target) ++chosen;
  }
  return limited ? all.ids[chosen] : chosen;
}

}  // namespace
