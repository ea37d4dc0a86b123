#include "sampling/filters.h"
#include "sampling/kernels.h"
#include "sampling/shares.h"
#include "sampling/stack.h"

namespace charrnn {
extern const SamplingKernels sampling_avx512{"avx512", width, step, decode, add_shares, choose, nats, all_filters};
}
