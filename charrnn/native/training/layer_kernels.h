// Forward and backward of one layer over one window, compiled for one instruction set.
//
// Every thread of the team runs the same function and takes its share. Each sum is made by one thread, in an order that
// depends on neither the number of threads nor the grouping of rows: the result is the same to the bit.
// C is the cell (training/cells.h), P the precision (common/vectors.h).
#pragma once
#include "common/threads.h"
#include "training/cells.h"
#include "training/gradients.h"
#include "training/layer.h"
#include "training/packing.h"
#include "training/product.h"

namespace {

using charrnn::Precision;

// --- weights, in the order the products read them ---

// (blocks, groups, K lanes, gates together, width): what one block of hidden units needs of weight (G*H, columns), for
// each group of gates that one product takes.
template <class C, class P>
void pack_forward(const float* weight, int columns, int lanes, int hidden, const int* gate_of_slot, float* packed,
                  Range blocks) {
  constexpr int together = gates_together<P>(C::gates);
  for (int u = blocks.begin; u < blocks.end; ++u)
    for (int s = 0; s < C::gates; ++s) {
      float* to = packed + (((long)u * C::gates + s / together * together) * lanes + s % together) * width;
      pack_units<P>(weight + (long)gate_of_slot[s] * hidden * columns, u * width, hidden, columns, to,
                    together * width);
    }
}

// Packs the columns of a weight (G*H, columns) in the order in which the backward product reads them: for each vector
// of columns, one after the other all rows, ordered by block, gate and unit of the block.
template <class C, class P>
void pack_backward(const Layer& layer, const float* weight, int columns, const int* gate_of_slot, float* packed,
                   int first, int count) {
  const int hidden = layer.hidden;
  float* to = packed + (long)first * layer.blocks * C::gates * (width / P::per_lane) * width;
  auto element_row = [&](int unit, int gate, int vector) {
    return unit < hidden
               ? load_part(weight + ((long)gate * hidden + unit) * columns + vector * width, columns - vector * width)
               : Vec{};
  };
  for (int u = 0; u < layer.blocks; ++u)
    for (int s = 0; s < C::gates; ++s)
      for (int l = 0; l < width; l += P::per_lane)
        for (int v = first; v < first + count; ++v, to += width)
          store(to, P::lanes(element_row(u * width + l, gate_of_slot[s], v),
                             element_row(u * width + l + P::per_lane - 1, gate_of_slot[s], v)));
}

// (V, blocks, slots, width): the table with everything else that does not change over time.
template <class C>
void pack_table(const Layer& layer, Range rows) {
  const int hidden = layer.hidden;
  for (int v = rows.begin; v < rows.end; ++v) {
    const float* row = layer.table + (long)v * C::gates * hidden;
    float* to = layer.packed_table + (long)v * layer.blocks * C::slots * width;
    for (int u = 0; u < layer.blocks; ++u)
      for (int s = 0; s < C::slots; ++s, to += width) {
        const int n = hidden - u * width;
        Vec sum{};
        if (s < C::gates) sum += load_part(layer.bias_hh + C::recurrent_gate[s] * hidden + u * width, n);
        if (s >= C::input_slot) sum += load_part(row + C::input_gate[s - C::input_slot] * hidden + u * width, n);
        store(to, sum);
      }
  }
}

// --- one time step ---

// Where the vector of hidden units `block` of batch row `row` lies at step t.
template <class C, class P>
INLINE UnitPlace<P> place(const Layer& layer, int t, int row, int block) {
  typedef typename P::Element Element;
  const long padded = (long)layer.blocks * width, slice = layer.batch * padded, unit = row * padded + block * width;
  const long h_unit = ((long)t * layer.batch + row) * layer.h_stride + block * width;
  const bool every_step = C::has_c && layer.save;  // backward needs c of every step; else one slice is written over
  UnitPlace<P> at;
  at.gates = layer.save
                 ? (Element*)layer.gates + ((long)t * layer.batch + row) * layer.gate_stride + block * C::slots * width
                 : nullptr;
  at.carry_before = C::has_carry ? layer.carry + (every_step ? t * slice : 0) + unit : nullptr;
  at.carry = C::has_carry ? layer.carry + (every_step ? (t + 1) * slice : 0) + unit : nullptr;
  at.h_before = (const Element*)layer.h_rows + h_unit;
  at.h = at.h_before + (long)layer.batch * layer.h_stride;
  at.d_carry = layer.d_carry ? layer.d_carry + unit : nullptr;
  return at;
}

// h, carry and gates of step t: for each block of units and a few rows, the sums of all gates, then the cell.
template <class C, class P>
void forward_step(const Layer& layer, int t, Range rows, Range blocks) {
  typedef typename P::Element Element;
  constexpr int tile_stride = C::slots * width, together = gates_together<P>(C::gates), part = most_rows<P>(together);
  alignas(64) float tile[part * tile_stride] = {};
  const int h_lanes = layer.blocks * width / P::per_lane, x_lanes = layer.input_blocks * width / P::per_lane;
  const long first_row = (long)t * layer.batch;
  for (int u = blocks.begin; u < blocks.end; ++u)
    in_parts(rows.begin, rows.end, part, [&](int row, int count) {
      const Element* h = (const Element*)layer.h_rows + (first_row + row) * layer.h_stride;
      const Element* x = layer.inputs ? (const Element*)layer.x_rows + (first_row + row) * layer.x_stride : nullptr;
      // The input's product fills the last G slots; where the cell has more than G, the first ones begin at zero.
      if (layer.inputs && C::input_slot)
        for (int r = 0; r < count; ++r) store(tile + r * tile_stride, Vec{});
      for (int s = 0; s < C::gates; s += together) {
        const long group = (long)u * C::gates + s;
        // x first, then h onto the same sums: the input's products never lie in memory.
        if (layer.inputs)
          multiply_rows<P, together>(count, {(const float*)x, layer.x_stride / P::per_lane, 1, x_lanes, 0},
                                     (const float*)layer.packed_ih + group * x_lanes * width,
                                     tile + (s + C::input_slot) * width, tile_stride, false);
        multiply_rows<P, together>(count, {(const float*)h, layer.h_stride / P::per_lane, 1, h_lanes, 0},
                                   (const float*)layer.packed_hh + group * h_lanes * width, tile + s * width,
                                   tile_stride, layer.inputs > 0);
      }
      for (int r = 0; r < count; ++r) {
        const long id = layer.ids ? layer.ids[first_row + row + r] : 0;
        // The symbol's row of the table holds the biases, too; padded units are zeros in it.
        const float* fixed = layer.packed_table + (id * layer.blocks + u) * tile_stride;
        Vec sum[C::slots];
#pragma GCC unroll 4
        for (int s = 0; s < C::slots; ++s) sum[s] = load(tile + r * tile_stride + s * width) + load(fixed + s * width);
        UnitPlace<P> at = place<C, P>(layer, t, row + r, u);
        Vec result = C::template forward<P>(sum, at);
        P::store_elements((Element*)at.h, result);
        store_part(layer.out + (first_row + row + r) * layer.hidden + u * width, result, layer.hidden - u * width);
      }
    });
}

// The gates of step t turn into their gradients, in place. What reaches h of step t is d_gates of step t + 1 times
// weight_hh, and what came in from outside; at t = -1 that is the gradient of the initial h.
template <class C, class P>
void backward_step(const Layer& layer, int t, Range rows, Range blocks) {
  typedef typename P::Element Element;
  constexpr int tile_stride = most_columns<P> * width, segment = C::gates * width / P::per_lane,
                all = C::slots * width / P::per_lane;
  // Of a row of d_gates, (blocks, slots, width), the product takes the first G slots of each block: a segment of each,
  // or one long segment where there are no others.
  constexpr bool whole = C::gates == C::slots;
  constexpr int part = most_rows<P>(most_columns<P>);
  alignas(64) float tile[part * tile_stride] = {};
  const long column_lanes = (long)layer.blocks * segment;
  const Element* d_gates = (const Element*)layer.gates + (long)(t + 1) * layer.batch * layer.gate_stride;
  in_parts(blocks.begin, blocks.end, most_columns<P>, [&](int u, int columns) {
    in_parts(rows.begin, rows.end, part, [&](int row, int count) {
      if (t + 1 < layer.steps)
        with_constant<most_columns<P>>(columns, [&](auto c) {
          multiply_rows<P, decltype(c)::value>(
              count,
              {(const float*)(d_gates + (long)row * layer.gate_stride), layer.gate_stride / P::per_lane,
               whole ? 1 : layer.blocks, whole ? (int)column_lanes : segment, all},
              (const float*)layer.packed_hh + u * column_lanes * width, tile, tile_stride, false);
        });
      for (int r = row; r < row + count; ++r)
        for (int c = 0; c < columns; ++c) {
          const int unit = (u + c) * width, left = layer.hidden - unit;
          const long first = (long)r * layer.hidden + unit;
          Vec d_h = load(tile + (r - row) * tile_stride + c * width);
          if (t < 0) {
            // Where h itself is the carry, a part of its gradient has passed by the gates.
            if (C::has_carry && !C::has_c) d_h += load(layer.d_carry + (long)r * layer.blocks * width + unit);
            store_part(layer.d_h_first + first, d_h, left);
            continue;
          }
          if (layer.d_out) d_h += load_part(layer.d_out + (long)t * layer.batch * layer.hidden + first, left);
          if (t + 1 == layer.steps && layer.d_h_last) d_h += load_part(layer.d_h_last + first, left);
          C::template backward<P>(d_h, place<C, P>(layer, t, r, u + c));
        }
    });
  });
}

// d_x (T, B, I) = d_gates @ weight_ih, for a share of all T*B rows.
template <class C, class P>
void input_gradient(const Layer& layer, Range rows) {
  typedef typename P::Element Element;
  constexpr int tile_stride = most_columns<P> * width, segment = C::gates * width / P::per_lane,
                all = C::slots * width / P::per_lane;
  constexpr int part = most_rows<P>(most_columns<P>);
  alignas(64) float tile[part * tile_stride];
  const long column_lanes = (long)layer.blocks * segment;
  // What reaches x are the gradients of the last G slots of each block.
  const Element* d_gates = (const Element*)layer.gates + C::input_slot * width;
  in_parts(rows.begin, rows.end, part * 8, [&](int first_row, int some_rows) {  // these stay in cache for all columns
    in_parts(0, layer.input_blocks, most_columns<P>, [&](int v, int columns) {
      in_parts(first_row, first_row + some_rows, part, [&](int row, int count) {
        with_constant<most_columns<P>>(columns, [&](auto c) {
          multiply_rows<P, decltype(c)::value>(
              count,
              {(const float*)(d_gates + (long)row * layer.gate_stride), layer.gate_stride / P::per_lane,
               C::gates == C::slots ? 1 : layer.blocks, C::gates == C::slots ? (int)column_lanes : segment, all},
              (const float*)layer.packed_ih + v * column_lanes * width, tile, tile_stride, false);
        });
        for (int r = 0; r < count; ++r)
          for (int c = 0; c < columns; ++c) {
            const int at = (v + c) * width, left = layer.inputs - at;
            const long first = (long)(row + r) * layer.inputs + at;
            Vec d = load(tile + r * tile_stride + c * width);
            if (layer.mask) d *= load_part(layer.mask + first, left);
            store_part(layer.d_x + first, d, left);
          }
      });
    });
  });
}

// --- the window ---

template <class C, class P>
void forward_window(const Layer& layer, Team& team) {
  typedef typename P::Element Element;
  const Range all_rows{0, layer.batch}, all_blocks{0, layer.blocks};
  const Range row_share = share(layer.batch, team), block_share = share(layer.blocks, team);
  const int padded = layer.blocks * width;

  pack_table<C>(layer, share(layer.rows, team));
  pack_forward<C, P>(layer.weight_hh, layer.hidden, padded / P::per_lane, layer.hidden, C::recurrent_gate,
                     (float*)layer.packed_hh, block_share);
  if (layer.inputs) {
    pack_forward<C, P>(layer.weight_ih, layer.inputs, layer.input_blocks * width / P::per_lane, layer.hidden,
                       C::input_gate, (float*)layer.packed_ih, block_share);
    convert_rows<P>(layer.x, layer.mask, layer.inputs, (Element*)layer.x_rows, layer.x_stride,
                    share((long)layer.steps * layer.batch, team));
  }
  convert_rows<P>(layer.h_first, nullptr, layer.hidden, (Element*)layer.h_rows, layer.h_stride, row_share);
  if (C::has_carry)
    copy_rows(C::has_c ? layer.c_first : layer.h_first, layer.hidden, layer.carry, padded, layer.hidden, row_share,
              true);
  team.wait();  // each thread has packed its share, and reads all

  // Threads that split the batch never read each other's rows. Those that split the hidden units need all of h before
  // the next step.
  const Range rows = layer.split_hidden ? all_rows : row_share, blocks = layer.split_hidden ? block_share : all_blocks;
  for (int t = 0; t < layer.steps; ++t) {
    forward_step<C, P>(layer, t, rows, blocks);
    if (layer.split_hidden) team.wait();
  }

  const long last = (long)(layer.steps - 1) * layer.batch;
  copy_rows(layer.out + last * layer.hidden, layer.hidden, layer.h_last, layer.hidden, layer.hidden, row_share, false);
  if (C::has_c)
    copy_rows(layer.carry + (layer.save ? (long)layer.steps * layer.batch * padded : 0), padded, layer.c_last,
              layer.hidden, layer.hidden, row_share, false);
}

template <class C, class P>
void backward_window(const Layer& layer, Team& team) {
  typedef typename P::Element Element;
  const Range all_rows{0, layer.batch}, all_blocks{0, layer.blocks};
  const Range row_share = share(layer.batch, team), block_share = share(layer.blocks, team);
  const Range rows = layer.split_hidden ? all_rows : row_share, blocks = layer.split_hidden ? block_share : all_blocks;
  const int padded = layer.blocks * width;

  // Packed in the groups of columns that backward_step reads: of this share when the units are split, else of all.
  int group = 0;
  in_parts(blocks.begin, blocks.end, most_columns<P>, [&](int first, int count) {
    if (layer.split_hidden || group++ % team.count == team.index)
      pack_backward<C, P>(layer, layer.weight_hh, layer.hidden, C::recurrent_gate, (float*)layer.packed_hh, first,
                          count);
  });
  if (layer.d_x)
    in_parts(0, layer.input_blocks, most_columns<P>, [&](int first, int count) {
      if (group++ % team.count == team.index)
        pack_backward<C, P>(layer, layer.weight_ih, layer.inputs, C::input_gate, (float*)layer.packed_ih, first, count);
    });
  if (C::has_carry)
    copy_rows(C::has_c ? layer.d_c_last : nullptr, layer.hidden, layer.d_carry, padded, layer.hidden, row_share, true);
  team.wait();  // each thread has packed its share, and reads all

  for (int t = layer.steps - 1; t >= -1; --t) {
    backward_step<C, P>(layer, t, rows, blocks);
    if (layer.split_hidden) team.wait();  // the step before reads the gate gradients of all units
  }
  team.wait();  // what follows sums over all rows, whoever made them

  if (C::has_c) copy_rows(layer.d_carry, padded, layer.d_c_first, layer.hidden, layer.hidden, row_share, false);
  if (layer.d_x) input_gradient<C, P>(layer, share((long)layer.steps * layer.batch, team));
  table_gradient<C, P>(layer, team);
  weight_gradient<C, P>(layer, team, 0, C::recurrent_gate, (const Element*)layer.h_rows, layer.h_stride, layer.hidden,
                        layer.d_weight_hh);
  if (layer.inputs)
    weight_gradient<C, P>(layer, team, C::input_slot, C::input_gate, (const Element*)layer.x_rows, layer.x_stride,
                          layer.inputs, layer.d_weight_ih);
}

// --- from names to types ---

template <class F>
INLINE void with_types(const Layer& layer, F&& f) {
  auto with_precision = [&](auto cell) {
    if (layer.precision == Precision::fp32) f(cell, Fp32{});
    else f(cell, Bf16{});
  };
  charrnn::with_cell(layer.cell, [&](auto cell) { with_precision(TrainingCell<cell.value>{}); });
}

void forward(const Layer& layer, Team& team) {
  Tiles tiles;
  with_types(layer,
             [&](auto cell, auto precision) { forward_window<decltype(cell), decltype(precision)>(layer, team); });
}
void backward(const Layer& layer, Team& team) {
  Tiles tiles;
  with_types(layer,
             [&](auto cell, auto precision) { backward_window<decltype(cell), decltype(precision)>(layer, team); });
}

#if defined(__AVX512BF16__)
constexpr bool native_bf16 = true;
#else
constexpr bool native_bf16 = false;
#endif

}  // namespace
