// A packed matrix times a few vectors, in three precisions: the inner loop of sampling and scoring, bound by how fast
// weights arrive.
//
// Each sum adds its products one after another in the order of the columns, whatever the instruction set and however
// many vectors there are, so its last bit is the same everywhere. Compiled with -ffp-contract=off: only `fused` rounds
// once.
#pragma once
#include <algorithm>

#include "common/loops.h"
#include "common/vectors.h"
#include "sampling/network.h"

namespace {

using charrnn::Matrix;

// a * b + sum, rounded once.
INLINE Vec fused(Vec a, Vec b, Vec sum) {
#if defined(__AVX512F__)
  return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)sum);
#elif defined(__FMA__)
  return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
#elif defined(__FP_FAST_FMAF)
  for (int i = 0; i < width; ++i) sum[i] = __builtin_fmaf(a[i], b[i], sum[i]);
  return sum;
#else
  // The product is exact in double. Where the sum is not, its last bit is made odd, so that the second rounding is the
  // only one.
  typedef double Wide __attribute__((vector_size(width * 8)));
  typedef std::int64_t WideInt __attribute__((vector_size(width * 8)));
  const Wide product = __builtin_convertvector(a, Wide) * __builtin_convertvector(b, Wide),
             before = __builtin_convertvector(sum, Wide);
  Wide after = product + before;
  const Wide part = after - product, error = (product - (after - part)) + (before - part);
  const WideInt inexact = (error != 0.0) & (((WideInt)after & 1) == 0);
  const WideInt away = (error > 0.0) == (after > 0.0);  // -1 where the exact sum lies further from zero
  after = (Wide)((WideInt)after + (inexact & (-2 * away - 1)));
  return __builtin_convertvector(after, Vec);
#endif
}

// How many streams share a pass over the weights: with `vectors` of the matrix their sums fill the registers.
constexpr int streams_at_once(int vectors) { return registers == 32 ? std::min(4, 24 / vectors) : 1; }

// How one precision keeps weights and multiplies. A step takes `columns` neighbouring columns of `width` rows: `left`
// spreads the input over the lanes, `add` adds its products with the packed weights, `result` turns a sum into floats.
struct Fp32Weights {
  typedef float Input;
  typedef Vec Sum;
  typedef Vec Left;
  static constexpr int columns = 1;
  static INLINE Sum first(const Matrix&, int) { return Sum{}; }
  static INLINE Left left(const Input* x) { return broadcast(*x); }
  static INLINE Sum add(const char* weights, const Left& x, Sum sum) {
    return fused(load((const float*)weights), x, sum);
  }
  static INLINE Vec result(const Matrix&, int, Sum sum) { return sum; }
};

struct Bf16Weights {
  typedef float Input;
  typedef Vec Sum;
  struct Left { Vec even, odd; };
  static constexpr int columns = 2;
  static INLINE Sum first(const Matrix&, int) { return Sum{}; }
  static INLINE Left left(const Input* x) { return {broadcast(x[0]), broadcast(x[1])}; }
  static INLINE Sum add(const char* weights, const Left& x, Sum sum) {
    const Bits pair = (Bits)load((const float*)weights);
    return fused((Vec)(pair & 0xffff0000u), x.odd, fused((Vec)(pair << 16), x.even, sum));
  }
  static INLINE Vec result(const Matrix&, int, Sum sum) { return sum; }
};

// Four products of bytes a lane. Weights and h lie in -127 ... 127, so two products always fit 16 bits.
struct Int8Weights {
  typedef std::int8_t Input;
  typedef Int Sum;
  static constexpr int columns = 4;
  static INLINE Int quad(const Input* x) {
    std::int32_t four;
    std::memcpy(&four, x, sizeof four);
    return four - Int{};
  }
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
  typedef Int Left;  // h + 128
  static INLINE Sum first(const Matrix& m, int vector) {
    Int offset;
    std::memcpy(&offset, m.offsets.as<std::int32_t>() + (long)vector * width, sizeof offset);
    return -offset;
  }
  static INLINE Left left(const Input* x) { return (Int)((Bits)quad(x) ^ 0x80808080u); }
  static INLINE Sum add(const char* weights, const Left& x, Sum sum) {
    const Int w = (Int)load((const float*)weights);
#if defined(__AVX512VNNI__)
    return (Int)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
#else
    return (Int)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, (__m256i)w);
#endif
  }
#else
  static INLINE Sum first(const Matrix&, int) { return Sum{}; }
#if defined(__AVX2__) && !defined(__AVX512F__)
  struct Left { __m256i signs, sizes; };
  static INLINE Left left(const Input* x) { return {(__m256i)quad(x), _mm256_abs_epi8((__m256i)quad(x))}; }
  static INLINE Sum add(const char* weights, const Left& x, Sum sum) {
    const __m256i w = _mm256_sign_epi8((__m256i)load((const float*)weights), x.signs);
    return sum + (Int)_mm256_madd_epi16(_mm256_maddubs_epi16(x.sizes, w), _mm256_set1_epi16(1));
  }
#else
  typedef std::int16_t Short __attribute__((vector_size(width * 4)));
  struct Left { Short even, odd; };
  static INLINE Short even(Short bytes) { return (bytes << 8) >> 8; }
  static INLINE Left left(const Input* x) { return {even((Short)quad(x)), (Short)quad(x) >> 8}; }
  static INLINE Sum add(const char* weights, const Left& x, Sum sum) {
    const Short w = (Short)load((const float*)weights);
    const Int pairs = (Int)(even(w) * x.even + (w >> 8) * x.odd);
    return sum + ((Int)((Bits)pairs << 16) >> 16) + (pairs >> 16);
  }
#endif
#endif
  static INLINE Vec result(const Matrix& m, int vector, Sum sum) {
    return __builtin_convertvector(sum, Vec) * load(m.scales.as<float>() + (long)vector * width);
  }
};

// Steps of one pass: so many that a group's weights stay in the first cache while all streams go over them.
constexpr int steps_of_pass(int vectors) { return (24 << 10) / (vectors * width * 4); }

// Vectors [first, first + R), a whole group, times S rows of x, over steps [begin, end). Sums wait in tile (S, R,
// width) from one pass to the next; after the last it holds the products.
template <class W, int R, int S>
__attribute__((noinline)) void multiply_group(const Matrix& m, int first, const typename W::Input* x, long x_stride,
                                              int begin, int end, float* tile) {
  typename W::Sum sum[S][R];
#pragma GCC unroll 8
  for (int s = 0; s < S; ++s)
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      if (begin == 0) sum[s][r] = W::first(m, first + r);
      else std::memcpy(&sum[s][r], tile + (s * R + r) * width, sizeof(Vec));
    }
  constexpr int bytes = width * 4;
  const char* weights = m.packed.as<char>() + ((long)first * m.steps + (long)begin * R) * bytes;
  for (int k = begin; k < end; ++k, weights += R * bytes) {
    typename W::Left left[S];
#pragma GCC unroll 8
    for (int s = 0; s < S; ++s) left[s] = W::left(x + s * x_stride + k * W::columns);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int s = 0; s < S; ++s) sum[s][r] = W::add(weights + r * bytes, left[s], sum[s][r]);
  }
#pragma GCC unroll 8
  for (int s = 0; s < S; ++s)
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      if (end == m.steps) store(tile + (s * R + r) * width, W::result(m, first + r, sum[s][r]));
      else std::memcpy(tile + (s * R + r) * width, &sum[s][r], sizeof(Vec));
    }
}

// Streams that take turns in one pass over the weights.
constexpr int streams_of_pass(int vectors) { return 8 * streams_at_once(vectors); }

// tile (count, R, width) = the group times `count` rows of x, at most streams_of_pass(R).
template <class W, int R>
INLINE void multiply_streams(const Matrix& m, int first, const typename W::Input* x, long x_stride, int count,
                             float* tile) {
  constexpr int most = streams_at_once(R), pass = steps_of_pass(R);
  if (count == 1) return multiply_group<W, R, 1>(m, first, x, x_stride, 0, m.steps, tile);
  for (int begin = 0; begin < m.steps; begin += pass)
    for (int stream = 0; stream < count; stream += most)
      with_constant<most>(std::min(most, count - stream), [&](auto n) {
        multiply_group<W, R, decltype(n)::value>(m, first, x + stream * x_stride, x_stride, begin,
                                                 std::min(begin + pass, m.steps), tile + stream * R * width);
      });
}

}  // namespace
