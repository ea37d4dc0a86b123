// The arithmetic of each cell in training, for one vector of hidden units of one batch row. Everything around it is the
// same for all cells. The equations are those of charrnn/model/cells.py.
//
// A *slot* is one of the vectors that training keeps of a block of units: a gate, as a rule. The recurrent product
// fills slots 0 ... G-1, the input's share slots input_slot ... input_slot + G-1; where both do, they are summed. What
// a cell has beside its facts in common/cells.h:
//
//   input_slot       the first slot of the input's share
//   recurrent_gate   which of the G blocks of weight_hh each of its slots is, in torch's order of gates
//   input_gate       the same of weight_ih
//   has_carry        whether the cell carries a number in fp32: c, or where it has none, h
//   forward          `sum` is what the products gave, by slot; returns the new h
//   backward         `d_h` is the whole gradient of h; replaces the kept slots by the gradients of `sum`
#pragma once
#include "common/cells.h"
#include "common/vectors.h"

namespace {

using charrnn::Cell;

// Where one vector of one row lies at this step.
template <class P> struct UnitPlace {
  typename P::Element* gates;  // slots of width; null in inference
  const float* carry_before;   // the fp32 carry before this step
  float* carry;                // and after it
  const typename P::Element *h_before, *h;
  float* d_carry;  // backward: in, the carry's gradient after this step; out, before it
};

template <Cell cell> struct CellBase {
  static constexpr int gates = charrnn::facts_of(cell).gates, slots = charrnn::facts_of(cell).slots;
  static constexpr bool has_c = charrnn::facts_of(cell).has_c;
};

template <Cell> struct TrainingCell;

template <> struct TrainingCell<Cell::lstm> : CellBase<Cell::lstm> {  // slots: i, f, g, o
  static constexpr int input_slot = 0, recurrent_gate[] = {0, 1, 2, 3}, input_gate[] = {0, 1, 2, 3};
  static constexpr bool has_carry = true;

  template <class P> static INLINE Vec forward(const Vec* sum, const UnitPlace<P>& at) {
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

  template <class P> static INLINE void backward(Vec d_h, const UnitPlace<P>& at) {
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

// Its candidate n multiplies the recurrent part alone by r, so both parts are kept. Slots: n's recurrent part, r, z,
// n's input part (later n itself).
template <> struct TrainingCell<Cell::gru> : CellBase<Cell::gru> {
  static constexpr int input_slot = 1, recurrent_gate[] = {2, 0, 1}, input_gate[] = {0, 1, 2};  // torch's: r, z, n
  static constexpr bool has_carry = true;

  template <class P> static INLINE Vec forward(const Vec* sum, const UnitPlace<P>& at) {
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

  template <class P> static INLINE void backward(Vec d_h, const UnitPlace<P>& at) {
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

template <> struct TrainingCell<Cell::rnn> : CellBase<Cell::rnn> {
  static constexpr int input_slot = 0, recurrent_gate[] = {0}, input_gate[] = {0};
  static constexpr bool has_carry = false;

  template <class P> static INLINE Vec forward(const Vec* sum, const UnitPlace<P>&) { return tanh<P>(sum[0]); }

  template <class P> static INLINE void backward(Vec d_h, const UnitPlace<P>& at) {
    Vec h = P::load_elements(at.h);
    P::store_elements(at.gates, d_h * (1.0f - h * h));
  }
};

}  // namespace
