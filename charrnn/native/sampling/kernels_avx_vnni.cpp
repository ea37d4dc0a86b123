#include "sampling/filters.h"
#include "sampling/stack.h"

namespace charrnn {
extern const NetworkKernels network_avx_vnni{"avx_vnni", width, step, decode, choose, nats};
}
