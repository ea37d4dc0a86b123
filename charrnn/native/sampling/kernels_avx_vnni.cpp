#include "sampling/filters.h"
#include "sampling/kernels.h"
#include "sampling/shares.h"
#include "sampling/stack.h"

namespace charrnn {
extern const SamplingKernels sampling_avx_vnni{"avx_vnni", width, step, decode, add_shares, choose, nats, all_filters};
}
