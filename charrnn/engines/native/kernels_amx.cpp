#define CHARRNN_AMX
#include "adamw_kernel.h"
#include "kernels.h"

namespace charrnn {
extern const Kernels kernels_amx{"amx", width, native_bf16, forward, backward, adamw};
}
