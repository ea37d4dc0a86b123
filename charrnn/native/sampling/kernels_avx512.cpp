#include "sampling/filters.h"
#include "sampling/stack.h"

namespace charrnn {
extern const NetworkKernels network_avx512{"avx512", width, step, decode, choose, nats};
}
