// A table of n-grams with the arrays that it points into, for those bindings that take one.
#pragma once
#include "binding/arrays.h"
#include "common/ngrams.h"

namespace charrnn {

// It is checked once, when it is made: no kernel that walks it leaves its arrays.
struct KeptNgramTable {
  Array<const std::uint16_t> symbol;
  Array<const std::uint8_t> code;
  Array<const std::uint32_t> first_child;
  Maybe<Array<const std::uint8_t>> held_out;
  NgramTable table{};

  KeptNgramTable(int order, int symbols, const Array<const std::uint16_t>& symbol,
                 const Array<const std::uint8_t>& code, const Array<const std::uint32_t>& first_child,
                 const Maybe<Array<const std::uint8_t>>& held_out);
};

}  // namespace charrnn
