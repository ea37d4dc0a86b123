// Names that come from Python, as the values that they stand for. A wrong one is std::invalid_argument: ValueError
// there.
#pragma once
#include <string>

#include "common/cells.h"
#include "training/layer.h"

namespace charrnn {

Cell checked_cell(const std::string& name);
Precision checked_precision(const std::string& name);  // of training

// Whether c is given must be whether the cell has it.
void check_has_c(Cell cell, bool given);

}  // namespace charrnn
