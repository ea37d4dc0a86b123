#include "sampling/filters.h"
#include "sampling/stack.h"

namespace charrnn {
extern const NetworkKernels network_portable{"portable", width, step, decode, choose, nats};
}
