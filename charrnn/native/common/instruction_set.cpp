#include "common/instruction_set.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "common/processor.h"

namespace charrnn {
namespace {

// In the order of the enumeration.
struct Facts {
  const char* name;
  int width;
  bool Processor::* needs;
};
constexpr Facts all_sets[] = {
    {"portable", 4, nullptr},           {"avx2", 8, &Processor::avx2},
    {"avx512", 16, &Processor::avx512}, {"avx512_bf16", 16, &Processor::avx512_bf16},
    {"amx", 16, &Processor::amx},
};

bool runs_here(const Facts& set) { return !set.needs || processor().*set.needs; }

InstructionSet best_up_to(const std::string& name) {
  InstructionSet best{};
  std::string names;
  for (const Facts& set : all_sets) {
    if (runs_here(set)) best = InstructionSet(&set - all_sets);
    if (name == set.name) return best;
    names += names.empty() ? set.name : std::string(", ") + set.name;
  }
  if (!name.empty()) throw std::invalid_argument("instruction set '" + name + "' is not one of " + names);
  return best;
}

// Threads of the caller may ask while another caps.
std::atomic<int> chosen{-1};

}  // namespace

InstructionSet instruction_set() {
  int set = chosen.load();
  if (set < 0) {
    const char* name = std::getenv("CHARRNN_ISA");
    chosen.store(set = int(best_up_to(name ? name : "")));
  }
  return InstructionSet(set);
}

const char* name_of(InstructionSet set) { return all_sets[int(set)].name; }
int width_of(InstructionSet set) { return all_sets[int(set)].width; }

std::vector<std::string> available_instruction_sets() {
  std::vector<std::string> names;
  for (const Facts& set : all_sets)
    if (runs_here(set)) names.push_back(set.name);
  return names;
}

void cap_instruction_set(const std::string& name) { chosen.store(int(best_up_to(name))); }

}  // namespace charrnn
