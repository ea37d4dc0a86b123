#include "sampling/filters.h"
#include "sampling/stack.h"

namespace charrnn {
extern const NetworkKernels network_avx2{"avx2", width, step, decode, choose, nats};
}
