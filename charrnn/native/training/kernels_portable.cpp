#include "training/adamw_kernel.h"
#include "training/dropout_kernel.h"
#include "training/kernels.h"
#include "training/layer_kernels.h"
#include "training/loss_kernels.h"

namespace charrnn {
extern const TrainingKernels training_portable{width,        native_bf16,   forward, backward,
                                               loss_forward, loss_backward, adamw,   dropout};
}
