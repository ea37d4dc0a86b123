// Which kernels run: the best that this machine has, no better than CHARRNN_ISA allows.
#pragma once
#include <string>
#include <vector>

#include "training/layer.h"

namespace charrnn {

// The kernels in use.
const Kernels& kernels();

// Names of all that this machine can run, slowest first.
std::vector<std::string> available();

// Caps the choice by name; an empty name lifts the cap. Throws std::invalid_argument for a name that does not exist.
void cap(const std::string& name);

}  // namespace charrnn
