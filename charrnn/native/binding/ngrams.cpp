// Tables of n-grams, the walk along a text, and counting.
#include "binding/ngrams.h"

#include <algorithm>
#include <memory>

#include "common/threads.h"
#include "counting/nodes.h"

namespace charrnn {

KeptNgramTable::KeptNgramTable(int order, int symbols, const Array<const std::uint16_t>& symbol,
                               const Array<const std::uint8_t>& code, const Array<const std::uint32_t>& first_child,
                               const Maybe<Array<const std::uint8_t>>& held_out)
    : symbol(symbol), code(code), first_child(first_child), held_out(held_out) {
  require(order >= 1 && order <= most_ngram_order, "no contexts of " + std::to_string(order) + " symbols");
  require(symbols >= 1 && symbols <= 65535, "no contexts of " + std::to_string(symbols) + " symbols");
  require(symbol.ndim() == 1 && symbol.shape(0) > 0, "a table of n-grams needs a root");
  require(first_child.ndim() == 1 && first_child.shape(0) > 1, "first_child has no node");
  require(symbol.shape(0) < (std::size_t)1 << 31, "a table of n-grams has too many nodes");
  table.order = order;
  table.symbols = symbols;
  table.nodes = (std::int64_t)symbol.shape(0);
  table.inner = (std::int64_t)first_child.shape(0) - 1;
  table.symbol = symbol.data();
  table.code = checked("codes", code, {table.nodes});
  table.first_child = first_child.data();
  if (held_out) {
    require(held_out->ndim() == 2, "held_out has shape " + shape_of(*held_out) + ", not (F, M)");
    table.folds = (int)held_out->shape(0);
    table.held_out = checked("held_out", *held_out, {table.folds, table.nodes});
  }
  require(table.first_child[0] == 1 && table.first_child[table.inner] == table.nodes,
          "the children of all nodes are not all nodes but the root");
  // `level` is where the nodes of one depth begin. Only nodes of the first `order` levels may have children.
  std::int64_t level = 0, next = 1;
  for (int depth = 0; depth <= order; ++depth) {
    require(next <= table.inner, "a node's children are missing");
    bool forward = true;
    for (std::int64_t node = level; node < next; ++node)
      forward &= table.first_child[node] <= table.first_child[node + 1];
    require(forward, "a node's children run backwards");
    level = next;
    next = table.first_child[next];
  }
  require(level == table.inner, "nodes of the last level have children");
  bool known = true, coded = true;  // of all nodes: loops without a way out, which take a millisecond
  for (std::int64_t node = 1; node < table.nodes; ++node) known &= table.symbol[node] < symbols;
  for (std::int64_t node = 0; node < table.nodes; ++node) coded &= table.code[node] < ngram_codes;
  for (std::int64_t i = 0; i < table.folds * table.nodes; ++i) coded &= table.held_out[i] < ngram_codes;
  require(known, "a node's symbol is none of the vocabulary");
  require(coded, "a count's code is none");
}

namespace {

void walk(const KeptNgramTable& self, int threads, const Ids& ids, const Array<std::int32_t>& recent,
          const Array<std::int32_t>& nodes) {
  const NgramTable& table = self.table;
  check_threads(threads);
  require(ids.ndim() == 2, "ids are not (T, B)");
  const long steps = (long)ids.shape(0), count = (long)ids.shape(1), order = table.order;
  std::int32_t* memory = checked("recent", recent, {1, count, order});
  std::int32_t* to = checked("nodes", nodes, {steps, count, order});
  const std::int64_t* read = ids.data();
  for (long i = 0; i < count * order; ++i)
    require(memory[i] >= 0 && memory[i] <= table.symbols, "recent holds what is no symbol");
  for (long i = 0; i < steps * count; ++i)
    require(read[i] >= 0 && read[i] <= table.symbols, "ids hold what is no symbol");
  nb::gil_scoped_release unlocked;
  run(std::max(1, std::min<int>(threads, (int)count)), [&](Team& team) {
    for (long b = team.index; b < count; b += team.count) {
      std::int32_t contexts[most_ngram_order + 1];
      std::int32_t* remembered = memory + b * order;
      table.begin(contexts, remembered);
      for (long step = 0; step < steps; ++step) {
        const std::int64_t symbol = read[step * count + b];
        table.advance(contexts, symbol);
        table.remember(remembered, symbol);
        std::copy(contexts + 1, contexts + 1 + order, to + (step * count + b) * order);
      }
    }
  });
}

// An NgramCounter with the arrays that it reads.
struct KeptNgramCounter {
  Array<const std::uint16_t> symbols;
  Array<const std::uint8_t> folds;
  std::unique_ptr<NgramCounter> counter;
  bool sorted = false;
  std::vector<std::int64_t> nodes;  // of each depth, as counted last
};

void begin_counting(KeptNgramCounter* self, int threads, const Array<const std::uint16_t>& symbols,
                    const Array<const std::uint8_t>& folds, int vocab_size, int num_folds, int order) {
  check_threads(threads);
  require(order >= 1 && order <= most_ngram_order, "no contexts of " + std::to_string(order) + " symbols");
  require(vocab_size >= 1 && vocab_size <= 65535, "no contexts of " + std::to_string(vocab_size) + " symbols");
  require(num_folds >= 1 && num_folds <= most_folds, "no counts in " + std::to_string(num_folds) + " folds");
  require(symbols.ndim() == 1 && symbols.shape(0) < (1ull << 31), "symbols are not a row of less than 2^31");
  const CountedText text{(std::int64_t)symbols.shape(0), vocab_size, num_folds, symbols.data(),
                         checked("folds", folds, {(long)symbols.shape(0)})};
  for (std::int64_t i = 0; i < text.length; ++i) {
    require(text.symbol[i] <= vocab_size, "symbols hold what is no symbol");
    if (text.symbol[i] == text_break || text.fold[i] < num_folds) continue;
    require(text.fold[i] == not_counted, "folds hold what is no fold");
    require(i == 0 || text.symbol[i - 1] == text_break, "a symbol behind another one is not counted");
  }
  nb::gil_scoped_release unlocked;
  auto counter = std::make_unique<NgramCounter>(text, order, threads);
  new (self) KeptNgramCounter{symbols, folds, std::move(counter), false, {}};
}

bool sort_grams(KeptNgramCounter& self) {
  nb::gil_scoped_release unlocked;
  return self.sorted = self.counter->grams.sort(self.counter->threads);
}

Maybe<std::vector<std::int64_t>> count_nodes(KeptNgramCounter& self, const std::vector<std::int64_t>& least_contexts,
                                             const std::vector<std::int64_t>& least_continuations, std::int64_t most) {
  NgramCounter& counter = *self.counter;
  require(self.sorted, "the grams are not sorted");
  LeastCounts least{};
  auto take = [&](const char* name, const std::vector<std::int64_t>& from, auto& to) {
    require((int)from.size() == counter.order + 1, std::string(name) + " are not of 0 to K symbols");
    require(std::is_sorted(from.begin() + 1, from.end()), std::string(name) + " of longer contexts are lower");
    std::copy(from.begin(), from.end(), to.begin());
  };
  take("least_contexts", least_contexts, least.contexts);
  take("least_continuations", least_continuations, least.continuations);
  nb::gil_scoped_release unlocked;
  self.nodes = counter.count(least, most);
  if (self.nodes.empty()) return std::nullopt;
  return self.nodes;
}

void fill_table(const KeptNgramCounter& self, const Array<const std::int64_t>& least_of_code,
                const Array<std::uint16_t>& symbols, const Array<std::uint8_t>& codes,
                const Array<std::uint32_t>& first_child, const Array<std::uint8_t>& held_out) {
  require(!self.nodes.empty(), "no nodes were counted");
  long total = 0;
  for (std::int64_t nodes : self.nodes) total += (long)nodes;
  require(total <= INT32_MAX, "too many nodes");
  const std::int64_t* least = checked("least_of_code", least_of_code, {ngram_codes});
  require(least[0] == 0 && std::is_sorted(least, least + ngram_codes), "least_of_code does not ascend from 0");
  const TableArrays table{checked("symbols", symbols, {total}), checked("codes", codes, {total}),
                          checked("first_child", first_child, {total - (long)self.nodes.back() + 1}),
                          checked("held_out", held_out, {self.counter->text.folds, total})};
  nb::gil_scoped_release unlocked;
  self.counter->fill(least, table);
}

}  // namespace

void bind_ngrams(nb::module_& module) {
  nb::class_<KeptNgramTable>(module, "NgramTable", "What follows the contexts of a text.")
      .def(nb::init<int, int, const Array<const std::uint16_t>&, const Array<const std::uint8_t>&,
                    const Array<const std::uint32_t>&, const Maybe<Array<const std::uint8_t>>&>(),
           nb::kw_only(), "order"_a, "vocab_size"_a, "symbols"_a.noconvert(), "codes"_a.noconvert(),
           "first_child"_a.noconvert(), "held_out"_a.noconvert().none())
      .def("walk", &walk, nb::kw_only(), "threads"_a, "ids"_a.noconvert(), "recent"_a.noconvert(),
           "nodes"_a.noconvert());
  nb::class_<KeptNgramCounter>(module, "NgramCounter", "Counts what follows the contexts of a text.")
      .def("__init__", &begin_counting, nb::kw_only(), "threads"_a, "symbols"_a.noconvert(), "folds"_a.noconvert(),
           "vocab_size"_a, "num_folds"_a, "order"_a)
      .def("sort", &sort_grams)
      .def("sorted_share", [](const KeptNgramCounter& self) { return self.counter->grams.done(); })
      .def("count", &count_nodes, nb::kw_only(), "least_contexts"_a, "least_continuations"_a, "most"_a)
      .def("fill", &fill_table, nb::kw_only(), "least_of_code"_a.noconvert(), "symbols"_a.noconvert(),
           "codes"_a.noconvert(), "first_child"_a.noconvert(), "held_out"_a.noconvert());
}

}  // namespace charrnn
