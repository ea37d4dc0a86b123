// What training runs on one instruction set: a table of functions, which kernels_*.cpp fill in.
#pragma once

namespace charrnn {

struct Team;     // the threads that do it together (common/threads.h)
struct Layer;    // one recurrent layer over a window (training/layer.h)
struct Loss;     // decoder and loss over a window (training/loss.h)
struct AdamW;    // one step of the optimizer (training/adamw.h)
struct Dropout;  // a dropout mask (training/dropout.h)

// Every thread of the team calls the same function.
struct TrainingKernels {
  int width;         // floats in a vector
  bool native_bf16;  // false: bf16 works, but fp32 is faster
  void (*forward)(const Layer&, Team&);
  void (*backward)(const Layer&, Team&);
  void (*loss_forward)(const Loss&, Team&);
  void (*loss_backward)(const Loss&, Team&);
  void (*adamw)(const AdamW&, Team&);
  void (*dropout)(const Dropout&, Team&);
};

// Those of the instruction set in use.
const TrainingKernels& training_kernels();

}  // namespace charrnn
