// How arrays of numpy, torch or any library that speaks DLPack come in, and how they are checked: shape, type and
// contiguity, before anything is read. Nothing here knows which library they are of. A wrong type or an array that is
// not contiguous is refused, not converted: results go into the caller's own arrays.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>

namespace charrnn {

namespace nb = nanobind;
using namespace nb::literals;

template <class T> using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using Input = Array<const float>;
using Output = Array<float>;
using Ids = Array<const std::int64_t>;
template <class A> using Maybe = std::optional<A>;

inline void require(bool good, const std::string& what) {
  if (!good) throw std::invalid_argument(what);
}
// A literal is not copied unless it is needed, so that this may be asked of every number of a large array.
inline void require(bool good, const char* what) {
  if (!good) throw std::invalid_argument(what);
}

inline void check_threads(int threads) { require(threads >= 1, "threads must be at least 1"); }

template <class A> std::string shape_of(const A& array) {
  std::string text = "(";
  for (std::size_t i = 0; i < array.ndim(); ++i) text += (i ? ", " : "") + std::to_string(array.shape(i));
  return text + ")";
}

// The data of an array that must have exactly this shape.
template <class A> auto checked(const char* name, const A& array, std::initializer_list<long> shape) {
  bool same = array.ndim() == shape.size();
  std::size_t axis = 0;
  for (long n : shape) same = same && (long)array.shape(axis++) == n;
  if (!same) {
    std::string wanted;
    for (long n : shape) wanted += (wanted.empty() ? "" : ", ") + std::to_string(n);
    throw std::invalid_argument(std::string(name) + " has shape " + shape_of(array) + ", not (" + wanted + ")");
  }
  return array.data();
}
template <class A> auto checked(const char* name, const Maybe<A>& array, std::initializer_list<long> shape) {
  return array ? checked(name, *array, shape) : nullptr;
}

}  // namespace charrnn
