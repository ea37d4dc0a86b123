// The compiled module: each subject binds its own part, in a file of its own. Only this folder knows Python; what it
// binds works without the interpreter lock.
#include <nanobind/nanobind.h>

namespace charrnn {

void bind_layer(nanobind::module_& module);
void bind_loss(nanobind::module_& module);
void bind_updates(nanobind::module_& module);
void bind_ngrams(nanobind::module_& module);
void bind_sampler(nanobind::module_& module);
void bind_machine(nanobind::module_& module);

}  // namespace charrnn

NB_MODULE(_native, module) {
  // What a script still holds when it ends, in a thread or by an error of its own, is freed by the system; nanobind
  // would list it below the script's own last words.
  nanobind::set_leak_warnings(false);
  module.doc() = "The kernels of charrnn in C++; _native.pyi says what each function takes.";
  charrnn::bind_layer(module);
  charrnn::bind_loss(module);
  charrnn::bind_updates(module);
  charrnn::bind_ngrams(module);
  charrnn::bind_sampler(module);
  charrnn::bind_machine(module);
}
