// Tables of n-grams, and the walk along a text.
#include "binding/ngrams.h"

#include "common/threads.h"

namespace charrnn {

KeptNgramTable::KeptNgramTable(int order, int symbols, const Array<const std::uint16_t>& symbol,
                               const Array<const std::uint8_t>& code, const Array<const std::uint32_t>& first_child,
                               const Maybe<Array<const std::uint8_t>>& held_out)
    : symbol(symbol), code(code), first_child(first_child), held_out(held_out) {
  require(order >= 1 && order <= most_ngram_order, "no contexts of " + std::to_string(order) + " symbols");
  require(symbols >= 1 && symbols <= 65535, "no contexts of " + std::to_string(symbols) + " symbols");
  require(symbol.ndim() == 1 && symbol.shape(0) > 0, "a table of n-grams needs a root");
  require(first_child.ndim() == 1 && first_child.shape(0) > 1, "first_child has no node");
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
    for (std::int64_t node = level; node < next; ++node)
      require(table.first_child[node] <= table.first_child[node + 1], "a node's children run backwards");
    level = next;
    next = table.first_child[next];
  }
  require(level == table.inner, "nodes of the last level have children");
  for (std::int64_t node = 1; node < table.nodes; ++node)
    require(table.symbol[node] < symbols, "a node's symbol is none of the vocabulary");
  for (std::int64_t node = 0; node < table.nodes; ++node)
    require(table.code[node] < ngram_codes, "a count's code is none");
  for (std::int64_t i = 0; i < table.folds * table.nodes; ++i)
    require(table.held_out[i] < ngram_codes, "a count's code is none");
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

}  // namespace

void bind_ngrams(nb::module_& module) {
  nb::class_<KeptNgramTable>(module, "NgramTable", "What follows the contexts of a text.")
      .def(nb::init<int, int, const Array<const std::uint16_t>&, const Array<const std::uint8_t>&,
                    const Array<const std::uint32_t>&, const Maybe<Array<const std::uint8_t>>&>(),
           nb::kw_only(), "order"_a, "vocab_size"_a, "symbols"_a.noconvert(), "codes"_a.noconvert(),
           "first_child"_a.noconvert(), "held_out"_a.noconvert().none())
      .def("walk", &walk, nb::kw_only(), "threads"_a, "ids"_a.noconvert(), "recent"_a.noconvert(),
           "nodes"_a.noconvert());
}

}  // namespace charrnn
