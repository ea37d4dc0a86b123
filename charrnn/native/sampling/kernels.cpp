#include "sampling/kernels.h"

#include <stdexcept>

#include "common/instruction_set.h"
#include "common/processor.h"

namespace charrnn {

extern const SamplingKernels sampling_portable;
#if defined(CHARRNN_X86)
extern const SamplingKernels sampling_avx2, sampling_avx512;
#endif
#if defined(CHARRNN_AVX512_VNNI)
extern const SamplingKernels sampling_avx512_vnni;
#endif
#if defined(CHARRNN_AVX_VNNI)
extern const SamplingKernels sampling_avx_vnni;
#endif

namespace {

// Those that this machine can run, slowest first.
std::vector<const SamplingKernels*> runnable() {
  std::vector<const SamplingKernels*> all{&sampling_portable};
#if defined(CHARRNN_X86)
  if (processor().avx2) all.push_back(&sampling_avx2);
#if defined(CHARRNN_AVX_VNNI)
  if (processor().avx_vnni) all.push_back(&sampling_avx_vnni);
#endif
  if (processor().avx512) all.push_back(&sampling_avx512);
#if defined(CHARRNN_AVX512_VNNI)
  if (processor().avx512_vnni) all.push_back(&sampling_avx512_vnni);
#endif
#endif
  return all;
}

}  // namespace

std::vector<std::string> available_sampling_kernels() {
  std::vector<std::string> names;
  for (const SamplingKernels* kernels : runnable()) names.push_back(kernels->name);
  return names;
}

const SamplingKernels& sampling_kernels(const std::string& name) {
  const int widest = width_of(instruction_set());
  const SamplingKernels* best = nullptr;
  for (const SamplingKernels* kernels : runnable())
    if (name.empty() ? kernels->width <= widest : name == kernels->name) best = kernels;
  if (!best) throw std::invalid_argument("no kernels '" + name + "' on this machine");
  return *best;
}

}  // namespace charrnn
