// Ranges cut into parts, and numbers that a kernel needs to know when it is compiled.
#pragma once
#include "common/threads.h"
#include "common/vectors.h"

namespace {

struct Range { int begin, end; };

// This thread's share of [0, total). Which thread takes what changes no sum: each is made by one thread.
INLINE Range share(long total, const charrnn::Team& team) {
  return {(int)(total * team.index / team.count), (int)(total * (team.index + 1) / team.count)};
}

// Calls f(first, count) for [begin, end) cut into the fewest parts of at most `most`, as even as can be.
template <class F> INLINE void in_parts(int begin, int end, int most, F&& f) {
  int n = end - begin, parts = (n + most - 1) / most;
  for (int i = 0; i < parts; ++i) {
    int first = begin + (long)n * i / parts;
    f(first, (int)(begin + (long)n * (i + 1) / parts) - first);
  }
}

// A number known to the compiler, chosen at run time: calls f(Constant<n>) for 1 <= n <= Most.
template <int N> struct Constant { static constexpr int value = N; };
template <int Most, class F> INLINE void with_constant(int n, F&& f) {
  if constexpr (Most > 1) {
    if (n < Most) return with_constant<Most - 1>(n, f);
  }
  f(Constant<Most>{});
}

}  // namespace
