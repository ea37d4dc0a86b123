#include "sampling/filters.h"
#include "sampling/stack.h"

namespace charrnn {
extern const NetworkKernels network_avx512_vnni{"avx512_vnni", width, step, decode, choose, nats};
}
