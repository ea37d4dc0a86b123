#include "choice.h"
#include "stack.h"

namespace charrnn {
extern const NetworkKernels network_portable{"portable", width, step, decode, choose, nats};
}
