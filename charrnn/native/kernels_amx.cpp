#define CHARRNN_AMX
#include "adamw_kernel.h"
#include "dropout_kernel.h"
#include "kernels.h"
#include "loss_kernels.h"

namespace charrnn {
extern const Kernels kernels_amx{"amx", width, native_bf16, forward, backward, loss_forward, loss_backward, adamw, dropout};
}
