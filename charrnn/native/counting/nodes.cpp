#include "counting/nodes.h"

#include <algorithm>
#include <atomic>

#include "common/threads.h"

namespace charrnn {
namespace {

constexpr int most_depth = most_ngram_order + 1;
constexpr int columns = most_folds + 1;  // the last is for what is not counted
static_assert((not_counted & most_folds) == most_folds);

constexpr int ahead = 16;                           // grams whose folds are asked for early
typedef std::array<std::uint32_t, columns> Counts;  // by fold

// Walks along the grams that begin with `symbol`, and tells `look` of the nodes that these begin with:
//   open(depth)         a node begins with this gram: of depth 1, or one that other grams begin with, too
//   gram(gram, depth)   a gram, and the depth of its deepest node that is open
//   close(depth, size)  an open node ends, which `size` grams begin with
template <class Look> void look_along(const SortedGrams& grams, int symbol, Look& look) {
  const std::int64_t first = grams.begin(symbol), last = grams.begin(symbol + 1);
  const std::uint8_t* shared = grams.shared();
  std::int64_t begin[most_depth + 1];
  int before = 0;  // symbols that are shared with the gram before this one, of those that begin alike
  for (std::int64_t gram = first; gram < last; ++gram) {
    const int behind = gram + 1 < last ? shared[gram + 1] & shared_bits : 0;
    const int depth = std::max({before, behind, 1});
    for (int d = before + 1; d <= depth; ++d) {
      begin[d] = gram;
      look.open(d);
    }
    look.gram(gram, depth);
    for (int d = depth; d > behind; --d) look.close(d, gram + 1 - begin[d]);
    before = behind;
  }
}

// Calls work(symbol) for all `symbols` on a team of threads, which take one after another.
template <class Work> void share_out(int threads, const std::vector<int>& symbols, const Work& work) {
  std::atomic<std::size_t> next{0};
  run(threads, [&](Team&) {
    for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < symbols.size();) work(symbols[i]);
  });
}

// Which nodes are kept below one symbol, and how they follow each other.
struct Kept {
  const SortedGrams& grams;
  const LeastCounts& least;
  int order;
  std::int64_t seen;  // how often the symbol is counted

  std::int64_t count(int depth, std::int64_t size) const { return depth == 1 ? seen : size; }
  bool is_context(int depth, std::int64_t count) const { return depth <= order && count >= least.contexts[depth]; }
  bool continues(int depth, std::int64_t count) const { return depth == 1 || count >= least.continuations[depth - 1]; }

  // The depth of the last node of those that only one gram begins with, where its node of `depth` is open; `depth` if
  // there are none. The first of them is kept only if that node is a context.
  int last_alone(std::int64_t gram, int depth) const {
    int last = depth;
    while (last <= order && continues(last + 1, 1) && (last == depth || is_context(last, 1))) ++last;
    return last == depth ? depth : std::min(last, grams.symbols_of(gram));
  }
};

// Counts the nodes below one symbol.
struct Tally {
  const Kept& kept;
  std::int64_t* nodes;                         // (order + 2) of each depth
  std::int64_t children[most_depth + 1] = {};  // of the open nodes, should they be contexts

  void open(int depth) { children[depth] = 0; }
  void gram(std::int64_t gram, int depth) {
    const int last = kept.last_alone(gram, depth);
    if (last > depth) ++children[depth];
    for (int d = depth + 2; d <= last; ++d) ++nodes[d];
  }
  void close(int depth, std::int64_t size) {
    const std::int64_t count = kept.count(depth, size);
    if (kept.is_context(depth, count)) nodes[depth + 1] += children[depth];
    if (depth > 1 && kept.continues(depth, count)) ++children[depth - 1];
  }
};

// The code of a count.
class Codes {
 public:
  explicit Codes(const std::int64_t* least_of_code) : least_(least_of_code) {
    for (std::size_t count = 0; count < small_.size(); ++count) small_[count] = search((std::int64_t)count);
  }
  std::uint8_t operator()(std::int64_t count) const {
    return count < (std::int64_t)small_.size() ? small_[(std::size_t)count] : search(count);
  }

 private:
  std::uint8_t search(std::int64_t count) const {
    return (std::uint8_t)(std::upper_bound(least_, least_ + ngram_codes, count) - least_ - 1);
  }

  const std::int64_t* least_;
  std::array<std::uint8_t, 1024> small_;
};

// Writes the nodes below one symbol. Whether a node is a context is known only when it closes: its children are then
// given up, and the next nodes take their places.
struct Filling {
  const Kept& kept;
  const CountedText& text;
  const Codes& code_of;
  const TableArrays& table;
  std::int64_t total;                     // nodes of the whole table
  std::int64_t next[most_depth + 2];      // of each depth the next node
  std::int64_t end[most_depth + 2];       // what lies behind is another symbol's; what would be there is given up later
  std::int64_t children[most_depth + 1];  // of each open node the first child
  Counts counts[most_depth + 1];          // of each open node, less those that stand deeper
  std::uint32_t place = 0;                // of the gram

  void open(int depth) {
    children[depth] = next[depth + 1];
    counts[depth] = {};
  }

  void gram(std::int64_t gram, int depth) {
    place = kept.grams.places()[gram];
    if (gram + ahead < kept.grams.length()) {  // places are as good as random: a long text is not in cache
      __builtin_prefetch(text.fold + kept.grams.places()[gram + ahead]);
      __builtin_prefetch(text.symbol + kept.grams.places()[gram + ahead]);
    }
    const std::uint8_t* fold = text.fold + place - 1;  // of the last symbol of each depth
    // A node's counts are at last added to those of the node above, which are of the fold of another symbol.
    ++counts[depth][fold[depth] & most_folds];
    for (int d = depth - 1; d > 0; --d)
      if (fold[d] != fold[d + 1]) {
        ++counts[d][fold[d] & most_folds];
        --counts[d][fold[d + 1] & most_folds];
      }
    const int last = kept.last_alone(gram, depth);
    for (int d = depth + 1; d <= last; ++d) {
      const std::int64_t node = write(d, 1, next[d + 1]);
      if (node < 0) continue;
      const bool asks = d > depth + 1 && kept.least.contexts[d - 1] == 1;  // of a context that is seen once
      for (int f = 0; f < text.folds; ++f)
        table.held_out[f * total + node] = f == fold[d] || (asks && f == fold[d - 1]) ? 0 : code_of(1);
    }
  }

  void close(int depth, std::int64_t size) {
    const std::int64_t count = kept.count(depth, size);
    const Counts& own = counts[depth];
    if (kept.is_context(depth, count)) {
      const std::int64_t last = std::min(next[depth + 1], end[depth + 1]);
      for (int f = 0; f < text.folds; ++f)
        if (count - own[f] < kept.least.contexts[depth])
          for (std::int64_t child = children[depth]; child < last; ++child) table.held_out[f * total + child] = 0;
    } else {
      next[depth + 1] = children[depth];
    }
    if (kept.continues(depth, count)) {
      const std::int64_t node = write(depth, count, children[depth]);
      if (node >= 0)
        for (int f = 0; f < text.folds; ++f)
          table.held_out[f * total + node] = kept.continues(depth, count - own[f]) ? code_of(count - own[f]) : 0;
    }
    if (depth > 1)
      for (int f = 0; f < columns; ++f) counts[depth - 1][f] += own[f];
  }

  // The number of the next node of a depth, now written but for its held-out codes; or -1 if it has no place.
  std::int64_t write(int depth, std::int64_t count, std::int64_t first_child) {
    const std::int64_t node = next[depth]++;
    if (node >= end[depth]) return -1;
    table.symbol[node] = (std::uint16_t)(text.symbol[place + depth - 1] - 1);
    table.code[node] = code_of(count);
    if (depth <= kept.order) table.first_child[node] = (std::uint32_t)first_child;
    return node;
  }
};

}  // namespace

NgramCounter::NgramCounter(const CountedText& text, int order, int threads)
    : text(text),
      order(order),
      threads(threads),
      grams(text.symbol, text.length, text.vocabulary, order + 1, threads),
      seen_(text.vocabulary + 1),
      nodes_((std::size_t)(text.vocabulary + 1) * (order + 2)) {
  for (std::int64_t place = 0; place < text.length; ++place)
    seen_[text.symbol[place]] += text.fold[place] != not_counted;
  for (int symbol = 1; symbol <= text.vocabulary; ++symbol)
    if (grams.begin(symbol) < grams.begin(symbol + 1)) symbols_.push_back(symbol);
  std::stable_sort(symbols_.begin(), symbols_.end(), [&](int a, int b) { return seen_[a] > seen_[b]; });
}

std::vector<std::int64_t> NgramCounter::count(const LeastCounts& least, std::int64_t most) {
  least_ = least;
  std::fill(nodes_.begin(), nodes_.end(), 0);
  std::atomic<std::int64_t> all{1};
  share_out(threads, symbols_, [&](int symbol) {
    if (all.load(std::memory_order_relaxed) > most) return;
    const Kept kept{grams, least_, order, seen_[symbol]};
    std::int64_t* of_depth = &nodes(symbol, 0);
    of_depth[1] = 1;
    if (kept.is_context(1, kept.seen)) {
      Tally tally{kept, of_depth};
      look_along(grams, symbol, tally);
    }
    for (int depth = 1; depth <= order + 1; ++depth) all += of_depth[depth];
  });
  if (all > most) return {};
  std::vector<std::int64_t> sums(order + 2);
  sums[0] = 1;
  for (int symbol : symbols_)
    for (int depth = 1; depth <= order + 1; ++depth) sums[depth] += nodes(symbol, depth);
  return sums;
}

void NgramCounter::fill(const std::int64_t* least_of_code, const TableArrays& table) const {
  const Codes code_of(least_of_code);
  // Where the nodes of each first symbol and depth begin.
  std::vector<std::int64_t> begins(nodes_.size());
  std::int64_t total = 1, inner = 1;
  for (int depth = 1; depth <= order + 1; ++depth) {
    inner = total;
    for (int symbol = 1; symbol <= text.vocabulary; ++symbol) {
      const std::size_t i = (std::size_t)symbol * (order + 2) + depth;
      begins[i] = total;
      total += nodes_[i];
    }
  }
  table.symbol[0] = 0;
  table.code[0] = 0;
  for (int f = 0; f < text.folds; ++f) table.held_out[f * total] = 0;
  table.first_child[0] = 1;
  table.first_child[inner] = (std::uint32_t)total;
  share_out(threads, symbols_, [&](int symbol) {
    const Kept kept{grams, least_, order, seen_[symbol]};
    Filling filling{kept, text, code_of, table, total, {}, {}, {}, {}};
    for (int depth = 1; depth <= order + 1; ++depth) {
      const std::size_t i = (std::size_t)symbol * (order + 2) + depth;
      filling.next[depth] = begins[i];
      filling.end[depth] = begins[i] + nodes_[i];
    }
    look_along(grams, symbol, filling);
  });
}

}  // namespace charrnn
