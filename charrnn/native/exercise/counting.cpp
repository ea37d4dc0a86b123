// Counts the n-grams of odd texts, and checks that the table depends neither on the number of threads nor on how
// many grams are sorted at a time.
#include <algorithm>
#include <cstdio>

#include "counting/nodes.h"
#include "exercise/numbers.h"

using namespace charrnn;

namespace {

struct Shape { int length, symbols, order, least; };

// Everything that comes out, in one list.
std::vector<std::int64_t> count(Shape n, int threads, int at_a_time) {
  Random random;
  const Floats values = random.floats(n.length), breaks = random.floats(n.length);
  std::vector<std::uint16_t> text(n.length);
  std::vector<std::uint8_t> fold(n.length);
  for (int i = 0; i < n.length; ++i) {
    const float v = values[i] + 0.5f;  // squared, so that some symbols are frequent
    text[i] = breaks[i] < -0.45f ? text_break : (std::uint16_t)(1 + v * v * n.symbols);
    fold[i] = i == 0 || text[i - 1] == text_break ? not_counted : (std::uint8_t)((std::int64_t)i * 9 / n.length);
  }
  NgramCounter counter({n.length, n.symbols, 9, text.data(), fold.data()}, n.order, threads);
  while (!counter.grams.sort(threads, at_a_time)) continue;
  LeastCounts least{};
  for (int k = 1; k <= n.order; ++k) least.contexts[k] = n.least, least.continuations[k] = k > 2 ? n.least : 1;

  std::vector<std::int64_t> all = counter.count(least, INT32_MAX), codes(ngram_codes);
  std::int64_t total = 0;
  for (std::int64_t nodes : all) total += nodes;
  const std::int64_t inner = total - all.back();
  for (int code = 0; code < ngram_codes; ++code) codes[code] = (std::int64_t)code * code;
  std::vector<std::uint16_t> symbol(total);
  std::vector<std::uint8_t> code(total), held_out(9 * total);
  std::vector<std::uint32_t> first_child(inner + 1);
  counter.fill(codes.data(), {symbol.data(), code.data(), first_child.data(), held_out.data()});
  all.insert(all.end(), symbol.begin(), symbol.end());
  all.insert(all.end(), code.begin(), code.end());
  all.insert(all.end(), first_child.begin(), first_child.end());
  all.insert(all.end(), held_out.begin(), held_out.end());
  return all;
}

}  // namespace

bool exercise_counting() {
  const Shape shapes[] = {{0, 1, 1, 0},      {1, 2, 3, 0},      {500, 1, 16, 1},   {3001, 2, 9, 0},
                          {4999, 70, 10, 1}, {4999, 70, 10, 2}, {2011, 300, 7, 0}, {3203, 65535, 16, 0}};
  int texts = 0;
  for (const Shape& shape : shapes) {
    if (count(shape, 1, 10000) != count(shape, 3, 100)) {
      std::printf("%d symbols of %d: another table from 3 threads and small shares\n", shape.length, shape.symbols);
      return false;
    }
    ++texts;
  }
  std::printf("%d texts are counted soundly\n", texts);
  return true;
}
