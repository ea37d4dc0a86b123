// One step of cautious AdamW on one parameter; the equations are in charrnn/training/optimizer.py.
#pragma once
namespace charrnn {

struct AdamW {
  float *weights, *means, *squares;  // (count), updated
  const float* gradients;            // (count)
  long count;
  float rate, decay;  // learning rate; what the weights lose, a fraction
  float beta1, beta2, epsilon;
  float mean_scale, square_scale;  // 1 / (1 - beta^t)
};

}  // namespace charrnn
