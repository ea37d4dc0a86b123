#include "binding/names.h"

#include <stdexcept>

namespace charrnn {

Cell checked_cell(const std::string& name) {
  if (const auto cell = cell_named(name)) return *cell;
  std::string names;
  for (const CellFacts& cell : all_cells) names += names.empty() ? cell.name : std::string(", ") + cell.name;
  throw std::invalid_argument("cell '" + name + "' is not one of " + names);
}

Precision checked_precision(const std::string& name) {
  if (name == "fp32") return Precision::fp32;
  if (name == "bf16") return Precision::bf16;
  throw std::invalid_argument("precision '" + name + "' is not one of fp32, bf16");
}

void check_has_c(Cell cell, bool given) {
  const auto& [name, gates, slots, has_c] = facts_of(cell);
  if (given != has_c) throw std::invalid_argument(std::string("cell ") + name + (has_c ? " needs c" : " has no c"));
}

}  // namespace charrnn
