// Which instruction set the kernels use: the best that this machine has, no better than CHARRNN_ISA or a cap allow.
#pragma once
#include <string>
#include <vector>

namespace charrnn {

// Slowest first.
enum class InstructionSet { portable, avx2, avx512, avx512_bf16, amx };

// The one in use.
InstructionSet instruction_set();

// Its name, and the floats in one of its vectors.
const char* name_of(InstructionSet set);
int width_of(InstructionSet set);

// Names of all that this machine can run, slowest first.
std::vector<std::string> available_instruction_sets();

// Use none better than the one of this name; an empty name lifts the cap. Throws std::invalid_argument for a name that
// does not exist.
void cap_instruction_set(const std::string& name);

}  // namespace charrnn
