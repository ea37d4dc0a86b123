#include "common/processor.h"

#if defined(CHARRNN_X86) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace charrnn {
namespace {

// Tiles need the processor, the system, and the system's leave for this process.
bool may_use_tiles() {
#if defined(CHARRNN_EMULATE_AMX)
  return true;
#elif defined(CHARRNN_AMX_KERNELS) && defined(__linux__)
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24, request_permission = 0x1023, tile_data = 18;
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & amx_bf16) || !(d & amx_tile)) return false;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

Processor find_out() {
  Processor found;
#if defined(CHARRNN_X86)
  __builtin_cpu_init();
  found.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  found.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  // A compiler that does not know an instruction set does not know its name here either.
#if defined(CHARRNN_AVX512_BF16)
  found.avx512_bf16 = found.avx512 && __builtin_cpu_supports("avx512bf16");
#endif
#if defined(CHARRNN_AVX512_VNNI)
  found.avx512_vnni = found.avx512 && __builtin_cpu_supports("avx512vnni");
#endif
#if defined(CHARRNN_AVX_VNNI)
  found.avx_vnni = found.avx2 && __builtin_cpu_supports("avxvnni");
#endif
  found.amx = found.avx512_bf16 && may_use_tiles();
#endif
  return found;
}

}  // namespace

const Processor& processor() {
  static const Processor found = find_out();
  return found;
}

}  // namespace charrnn
