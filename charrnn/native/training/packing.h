// Rows and weights as the products read them: padded, masked, as elements.
#pragma once
#include "common/vectors.h"
#include "training/gradients.h"

namespace {

// Writes rows [first, first + width) of weight (units, columns), turned about: (K lanes, width), a lane every
// `lane_stride` floats. Rows past the last unit are zeros.
template <class P>
void pack_units(const float* weight, int first, int units, int columns, float* to, int lane_stride) {
  for (int column = 0; column < columns; column += width) {
    Vec square[width];
    for (int l = 0; l < width; ++l)
      square[l] =
          first + l < units ? load_part(weight + (long)(first + l) * columns + column, columns - column) : Vec{};
    transpose(square);
    for (int k = 0; k < width; k += P::per_lane, to += lane_stride)
      store(to, P::lanes(square[k], square[k + P::per_lane - 1]));
  }
}

// Rows of the caller's (rows, columns) array, times a mask, as elements; zeros up to a whole vector.
template <class P>
void convert_rows(const float* from, const float* mask, int columns, typename P::Element* to, int to_stride,
                  Range rows) {
  for (long r = rows.begin; r < rows.end; ++r)
    for (int at = 0; at < columns; at += width) {
      Vec v = load_part(from + r * columns + at, columns - at);
      if (mask) v *= load_part(mask + r * columns + at, columns - at);
      P::store_elements(to + r * to_stride + at, v);
    }
}

// Copies (rows, columns) between the caller's array and a padded one; null gives zeros. pad: fill up the last vector.
inline void copy_rows(const float* from, int from_stride, float* to, int to_stride, int columns, Range rows, bool pad) {
  for (long r = rows.begin; r < rows.end; ++r)
    for (int at = 0; at < columns; at += width) {
      Vec v = from ? load_part(from + r * from_stride + at, columns - at) : Vec{};
      store_part(to + r * to_stride + at, v, pad ? width : columns - at);
    }
}

}  // namespace
