// Choosing a symbol from logits: what charrnn/sampling/filters.py does, in the same order and with the same sums.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "common/vectors.h"
#include "sampling/network.h"

namespace {

using charrnn::Automaton;
using charrnn::Candidates;
using charrnn::Choice;

typedef double Double __attribute__((vector_size(width * 4)));
typedef std::int64_t Long __attribute__((vector_size(width * 4)));
constexpr int doubles = width / 2;

// e^x for x <= 0, to the last bits but one; 0 below -700.
INLINE Double exponential(Double x) {
  constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
  const Double bounded = x < -700.0 ? Double{} - 700.0 : x;
  const Double shifted = bounded * 1.4426950408889634 + magic, n = shifted - magic;
  const Double r = (bounded - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;  // ln 2 in two parts
  Double sum = Double{} + 1.0 / 479001600.0;
  for (double part : {1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120,
                      1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0})
    sum = sum * r + part;
  const Double scale = (Double)(((Long)shifted << 52) + 0x3ff0000000000000);
  return x < -700.0 ? Double{} : sum * scale;
}

// weights[i] = e^((logits[i] - highest) / temperature); both have room for whole vectors.
INLINE void exponentials(const float* logits, int count, float highest, double temperature, double* weights) {
  typedef float Half __attribute__((vector_size(doubles * 4)));
  for (int i = 0; i < count; i += doubles) {
    Half part;
    std::memcpy(&part, logits + i, sizeof part);
    Double e = exponential((__builtin_convertvector(part, Double) - (double)highest) / temperature);
    std::memcpy(weights + i, &e, sizeof e);
  }
}

INLINE float highest_of(const float* logits, int count) {
  Vec lanes = broadcast(logits[0]);
  int i = 0;
  for (; i + width <= count; i += width) {
    const Vec part = load(logits + i);
    lanes = part > lanes ? part : lanes;
  }
  float highest = lanes[0];
  for (int lane = 1; lane < width; ++lane) highest = std::max(highest, lanes[lane]);
  for (; i < count; ++i) highest = std::max(highest, logits[i]);
  return highest;
}

// Keeps those candidates for which keep(i) is true.
template <class F>
INLINE void filter(Candidates& all, int& count, F&& keep) {
  int kept = 0;
  for (int i = 0; i < count; ++i)
    if (keep(i)) {
      all.ids[kept] = all.ids[i];
      all.logits[kept++] = all.logits[i];
    }
  count = kept;
}

// Whether candidate a is likelier than b; of equals the first is.
struct Likelier {
  const Candidates& all;
  bool operator()(int a, int b) const {
    return all.logits[a] > all.logits[b] || (all.logits[a] == all.logits[b] && a < b);
  }
};

// Keeps the candidate `last` and all that are likelier.
INLINE void keep_down_to(Candidates& all, int& count, int last) {
  const float least = all.logits[last];
  filter(all, count, [&](int i) { return all.logits[i] > least || (all.logits[i] == least && i <= last); });
}

INLINE void top_k(Candidates& all, int& count, int k) {
  if (count <= k) return;
  all.order.resize(count);
  for (int i = 0; i < count; ++i) all.order[i] = i;
  std::nth_element(all.order.begin(), all.order.begin() + (k - 1), all.order.end(), Likelier{all});
  keep_down_to(all, count, all.order[k - 1]);
}

INLINE void top_p(Candidates& all, int& count, double p) {
  exponentials(all.logits.data(), count, highest_of(all.logits.data(), count), 1.0, all.weights.data());
  double total = 0;
  for (int i = 0; i < count; ++i) total += all.weights[i];
  const double least = 0.5 * (1 - p) * total / count;  // all below this together are less than what may be left out
  all.order.clear();
  for (int i = 0; i < count; ++i)
    if (all.weights[i] >= least) all.order.push_back(i);
  std::sort(all.order.begin(), all.order.end(), Likelier{all});
  double sum = 0;
  std::size_t kept = 0;
  while (kept < all.order.size() && (kept == 0 || sum < p * total)) sum += all.weights[all.order[kept++]];
  keep_down_to(all, count, all.order[kept - 1]);
}

INLINE void min_p(Candidates& all, int& count, double p) {
  exponentials(all.logits.data(), count, highest_of(all.logits.data(), count), 1.0, all.weights.data());
  filter(all, count, [&](int i) { return all.weights[i] >= p; });
}

int choose(const float* logits, int symbols, const Choice& how, int state, std::int64_t left, double uniform,
           Candidates& all) {
  const bool limited = how.allowed || how.automaton.states || how.top_k || how.top_p < 1 || how.min_p > 0;
  const std::size_t room = symbols + width;
  if (all.weights.size() < room) {
    all.weights.resize(room);
    all.logits.resize(room);
    all.ids.resize(room);
  }
  int count = symbols;
  if (limited) {
    const Automaton& automaton = how.automaton;
    const std::int32_t* next = automaton.states ? automaton.next + (long)state * automaton.classes : nullptr;
    count = 0;
    for (int i = 0; i < symbols; ++i) {
      if (how.allowed && !how.allowed[i]) continue;
      if (next) {
        const std::int32_t after = next[automaton.symbol_class[i]];
        if (after < 0 || automaton.distance[after] > left) continue;
      }
      all.ids[count] = i;
      all.logits[count++] = logits[i];
    }
    if (count == 0) return -1;
    logits = all.logits.data();
    if (how.temperature > 0) {
      if (how.top_k) top_k(all, count, how.top_k);
      if (how.top_p < 1) top_p(all, count, how.top_p);
      if (how.min_p > 0) min_p(all, count, how.min_p);
    }
  }
  const float highest = highest_of(logits, count);
  int chosen = 0;
  if (how.temperature == 0) {
    while (logits[chosen] != highest) ++chosen;
  } else {
    exponentials(logits, count, highest, how.temperature, all.weights.data());
    double sum = 0;
    for (int i = 0; i < count; ++i) all.weights[i] = sum += all.weights[i];
    const double target = std::min(uniform * sum, std::nextafter(sum, 0.0));
    while (all.weights[chosen] <= target) ++chosen;
  }
  return limited ? all.ids[chosen] : chosen;
}

double nats(const float* logits, int symbols, int target) {
  const float highest = highest_of(logits, symbols);
  double sum = 0;
  alignas(64) double weights[64 + doubles];
  for (int i = 0; i < symbols; i += 64) {
    const int count = std::min(64, symbols - i);
    exponentials(logits + i, count, highest, 1.0, weights);
    for (int j = 0; j < count; ++j) sum += weights[j];
  }
  return std::log(sum) + highest - logits[target];
}

}  // namespace
