#include "adamw_kernel.h"
#include "kernels.h"

namespace charrnn {
extern const Kernels kernels_portable{"portable", width, native_bf16, forward, backward, adamw};
}
