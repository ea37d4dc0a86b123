// The arithmetic of each cell for one vector of hidden units of one row; everything around it is the same for all.
//
// forward: `sum` are the pre-activations by slot, the result is h. backward: `d_h` is the whole gradient of h, the
// result replaces the saved gates by the gradients of the pre-activations.
#pragma once
#include "common/vectors.h"
#include "training/layer.h"

namespace {

using charrnn::Cell;

// Where one vector of one row lives at this step.
template <class P>
struct Place {
  typename P::Element* gates;  // slots of width; null in inference
  const float* carry_before;   // c, or fp32 h of a GRU
  float* carry;                // the same after this step
  const typename P::Element *h_before, *h;
  float* d_carry;
};

struct Lstm {
  static constexpr int gates = 4, slots = 4, input_slot = 0;
  static constexpr int recurrent_gate[] = {0, 1, 2, 3}, input_gate[] = {0, 1, 2, 3};  // i, f, g, o
  static constexpr bool has_carry = true, saves_carry = true;

  template <class P>
  static INLINE Vec forward(const Vec* sum, const Place<P>& at) {
    Vec i = sigmoid<P>(sum[0]), f = sigmoid<P>(sum[1]), g = tanh<P>(sum[2]), o = sigmoid<P>(sum[3]);
    Vec c = f * load(at.carry_before) + i * g;
    store(at.carry, c);
    if (at.gates) {
      P::store_elements(at.gates, i);
      P::store_elements(at.gates + width, f);
      P::store_elements(at.gates + 2 * width, g);
      P::store_elements(at.gates + 3 * width, o);
    }
    return o * tanh<P>(c);
  }

  template <class P>
  static INLINE void backward(Vec d_h, const Place<P>& at) {
    Vec i = P::load_elements(at.gates), f = P::load_elements(at.gates + width);
    Vec g = P::load_elements(at.gates + 2 * width), o = P::load_elements(at.gates + 3 * width);
    Vec squashed = tanh<P>(load(at.carry));
    Vec d_c = load(at.d_carry) + d_h * o * (1.0f - squashed * squashed);
    P::store_elements(at.gates, d_c * g * i * (1.0f - i));
    P::store_elements(at.gates + width, d_c * load(at.carry_before) * f * (1.0f - f));
    P::store_elements(at.gates + 2 * width, d_c * i * (1.0f - g * g));
    P::store_elements(at.gates + 3 * width, d_h * squashed * o * (1.0f - o));
    store(at.d_carry, d_c * f);
  }
};

struct Gru {  // slots: the candidate's recurrent part, r, z, the candidate's input part
  static constexpr int gates = 3, slots = 4, input_slot = 1;
  static constexpr int recurrent_gate[] = {2, 0, 1}, input_gate[] = {0, 1, 2};  // torch's order is r, z, n
  static constexpr bool has_carry = true, saves_carry = false;

  template <class P>
  static INLINE Vec forward(const Vec* sum, const Place<P>& at) {
    Vec r = sigmoid<P>(sum[1]), z = sigmoid<P>(sum[2]);
    Vec n = tanh<P>(sum[3] + r * sum[0]);
    Vec h = n + z * (load(at.carry_before) - n);
    store(at.carry, h);
    if (at.gates) {
      P::store_elements(at.gates, sum[0]);
      P::store_elements(at.gates + width, r);
      P::store_elements(at.gates + 2 * width, z);
      P::store_elements(at.gates + 3 * width, n);
    }
    return h;
  }

  template <class P>
  static INLINE void backward(Vec d_h, const Place<P>& at) {
    Vec recurrent = P::load_elements(at.gates), r = P::load_elements(at.gates + width);
    Vec z = P::load_elements(at.gates + 2 * width), n = P::load_elements(at.gates + 3 * width);
    d_h += load(at.d_carry);
    Vec d_n = d_h * (1.0f - z) * (1.0f - n * n);
    P::store_elements(at.gates, d_n * r);
    P::store_elements(at.gates + width, d_n * recurrent * r * (1.0f - r));
    P::store_elements(at.gates + 2 * width, d_h * (P::load_elements(at.h_before) - n) * z * (1.0f - z));
    P::store_elements(at.gates + 3 * width, d_n);
    store(at.d_carry, d_h * z);
  }
};

struct Rnn {
  static constexpr int gates = 1, slots = 1, input_slot = 0;
  static constexpr int recurrent_gate[] = {0}, input_gate[] = {0};
  static constexpr bool has_carry = false, saves_carry = false;

  template <class P>
  static INLINE Vec forward(const Vec* sum, const Place<P>&) {
    return tanh<P>(sum[0]);
  }

  template <class P>
  static INLINE void backward(Vec d_h, const Place<P>& at) {
    Vec h = P::load_elements(at.h);
    P::store_elements(at.gates, d_h * (1.0f - h * h));
  }
};

}  // namespace
