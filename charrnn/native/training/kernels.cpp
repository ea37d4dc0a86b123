#include "training/kernels.h"

#include "common/instruction_set.h"

namespace charrnn {

extern const TrainingKernels training_portable;
#if defined(CHARRNN_X86)
extern const TrainingKernels training_avx2, training_avx512;
#endif
#if defined(CHARRNN_AVX512_BF16)
extern const TrainingKernels training_avx512_bf16;
#endif
#if defined(CHARRNN_AMX_KERNELS)
extern const TrainingKernels training_amx;
#endif

const TrainingKernels& training_kernels() {
  switch (instruction_set()) {
#if defined(CHARRNN_X86)
    case InstructionSet::avx2: return training_avx2;
    case InstructionSet::avx512: return training_avx512;
#endif
#if defined(CHARRNN_AVX512_BF16)
    case InstructionSet::avx512_bf16: return training_avx512_bf16;
#endif
#if defined(CHARRNN_AMX_KERNELS)
    case InstructionSet::amx: return training_amx;
#endif
    default: return training_portable;  // instruction_set() names none that the compiler lacked
  }
}

}  // namespace charrnn
