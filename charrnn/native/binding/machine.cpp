// What the kernels are and what of this machine they use: cells, instruction sets, threads, memory.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "common/cells.h"
#include "common/instruction_set.h"
#include "common/memory.h"
#include "common/threads.h"
#include "training/kernels.h"

namespace charrnn {

namespace nb = nanobind;
using namespace nb::literals;

void bind_machine(nb::module_& module) {
  module.def("cells", [] {
    std::vector<std::string> names;
    for (const CellFacts& cell : all_cells) names.push_back(cell.name);
    return names;
  });
  module.def("isa", [] { return name_of(instruction_set()); });
  module.def("available_isas", &available_instruction_sets);
  module.def("cap_isa", &cap_instruction_set, "name"_a);
  module.def("has_fast_bf16", [] { return training_kernels().native_bf16; });
  module.def("thread_source", &thread_source);
  module.def("release_memory", &release_free_buffers);
}

}  // namespace charrnn
