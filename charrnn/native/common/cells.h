// The cells that have native kernels, and all that is to be known of them beside their arithmetic, which is in
// training/cells.h and sampling/cells.h. Whatever depends on the cell follows from this table: parsing of names,
// memory, the choice of a kernel, the sanitizers' driver. A cell that is missing from one of the two files does not
// compile.
#pragma once
#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>
#include <type_traits>

namespace charrnn {

enum class Cell { lstm, gru, rnn };

struct CellFacts {
  const char* name;  // as charrnn/model/cells.py calls it
  int gates;         // G: blocks of H rows in its weights
  int slots;         // vectors that training keeps of each block of units: see training/cells.h
  bool has_c;        // it carries c beside h
};

// In the order of the enumeration.
inline constexpr CellFacts all_cells[] = {
    {"lstm", 4, 4, true},
    {"gru", 3, 4, false},
    {"rnn", 1, 1, false},
};

constexpr const CellFacts& facts_of(Cell cell) { return all_cells[int(cell)]; }

constexpr std::optional<Cell> cell_named(std::string_view name) {
  for (std::size_t i = 0; i < std::size(all_cells); ++i)
    if (name == all_cells[i].name) return Cell(i);
  return std::nullopt;
}

// From a value to a type: calls f(std::integral_constant<Cell, cell>()), so that f may instantiate a kernel for it.
template <std::size_t I = 0, class F>
void with_cell(Cell cell, F&& f) {
  if constexpr (I < std::size(all_cells)) {
    if (cell == Cell(I)) f(std::integral_constant<Cell, Cell(I)>());
    else with_cell<I + 1>(cell, f);
  }
}

}  // namespace charrnn
