#include "common/instruction_set.h"

#if defined(CHARRNN_AMX_KERNELS) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace charrnn {

extern const Kernels kernels_portable;
#if defined(CHARRNN_X86)
extern const Kernels kernels_avx2, kernels_avx512;
#endif
#if defined(CHARRNN_AVX512_BF16)
extern const Kernels kernels_avx512_bf16;
#endif

#if defined(CHARRNN_AMX_KERNELS)
extern const Kernels kernels_amx;
#endif

namespace {

#if defined(CHARRNN_AMX_KERNELS)
// Tiles need the processor, the system, and the system's leave for this process.
bool may_use_tiles() {
#if defined(CHARRNN_EMULATE_AMX)
  return true;
#elif defined(__linux__)
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24, request_permission = 0x1023, tile_data = 18;
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & amx_bf16) || !(d & amx_tile)) return false;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}
#endif

struct Choice {
  const char* name;
  const Kernels* kernels;  // null: this machine, or the compiler that built us, lacks it
};

std::vector<Choice> choices() {
  std::vector<Choice> all{{"portable", &kernels_portable}};
  for (const char* name : {"avx2", "avx512", "avx512_bf16", "amx"}) all.push_back({name, nullptr});
#if defined(CHARRNN_X86)
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all[1].kernels = &kernels_avx2;
  if (avx512) all[2].kernels = &kernels_avx512;
#if defined(CHARRNN_AVX512_BF16)
  if (avx512 && __builtin_cpu_supports("avx512bf16")) all[3].kernels = &kernels_avx512_bf16;
#endif
#if defined(CHARRNN_AMX_KERNELS)
  if (all[3].kernels && may_use_tiles()) all[4].kernels = &kernels_amx;
#endif
#endif
  return all;
}

const Kernels* best_up_to(const std::string& name) {
  const Kernels* best = nullptr;
  std::string names;
  for (const Choice& choice : choices()) {
    if (choice.kernels) best = choice.kernels;
    if (name == choice.name) return best;
    names += names.empty() ? choice.name : std::string(", ") + choice.name;
  }
  if (!name.empty()) throw std::invalid_argument("instruction set '" + name + "' is not one of " + names);
  return best;
}

std::atomic<const Kernels*> chosen{nullptr};

}  // namespace

const Kernels& kernels() {
  const Kernels* now = chosen.load();
  if (!now) {
    const char* name = std::getenv("CHARRNN_ISA");
    chosen.store(now = best_up_to(name ? name : ""));
  }
  return *now;
}

std::vector<std::string> available() {
  std::vector<std::string> names;
  for (const Choice& choice : choices())
    if (choice.kernels) names.push_back(choice.name);
  return names;
}

void cap(const std::string& name) { chosen.store(best_up_to(name)); }

}  // namespace charrnn
