// The vector type of the instruction set that this file is compiled for, and the functions of a cell on it.
//
// GCC's vector extension gives + - * / on every machine; only what it lacks is written per instruction set. Everything
// here has internal linkage, because each instruction set compiles its own copy with its own flags.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

// A function that is not inlined might exist once for all instruction sets, compiled for the wrong one.
#define INLINE inline __attribute__((always_inline))

namespace {

#if defined(__AVX512F__)
constexpr int width = 16;
#elif defined(__AVX2__)
constexpr int width = 8;
#else
constexpr int width = 4;
#endif
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int registers = 32;  // vector registers of the processor: products are cut to fill them
#else
constexpr int registers = 16;
#endif

// `width` lanes of 32 bits, as floats, signed and unsigned numbers; and `width` halves.
typedef float Vec __attribute__((vector_size(width * 4)));
typedef std::int32_t Int __attribute__((vector_size(width * 4)));
typedef std::uint32_t Bits __attribute__((vector_size(width * 4)));
typedef std::uint16_t Half __attribute__((vector_size(width * 2)));

INLINE Vec broadcast(float x) { return x - Vec{}; }
INLINE Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
INLINE void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }

// Edges of the caller's unpadded arrays: the first n of `width` floats.
INLINE Vec load_part(const float* p, int n) {
  if (n >= width) return load(p);
  Vec v{};
  std::memcpy(&v, p, n * sizeof(float));
  return v;
}
INLINE void store_part(float* p, Vec v, int n) {
  if (n >= width) store(p, v);
  else std::memcpy(p, &v, n * sizeof(float));
}

// A NaN passes through both, so that a diverged run shows.
#if defined(__AVX512F__)
INLINE Vec clamp(Vec x, float bound) {
  return (Vec)_mm512_max_ps((__m512)broadcast(-bound), _mm512_min_ps((__m512)broadcast(bound), (__m512)x));
}
INLINE Vec rough_reciprocal(Vec x) { return (Vec)_mm512_rcp14_ps((__m512)x); }
INLINE Vec reciprocal(Vec x) {
  Vec r = rough_reciprocal(x);
  return r + r * (1.0f - x * r);
}
#elif defined(__AVX2__)
INLINE Vec clamp(Vec x, float bound) {
  return (Vec)_mm256_max_ps((__m256)broadcast(-bound), _mm256_min_ps((__m256)broadcast(bound), (__m256)x));
}
INLINE Vec reciprocal(Vec x) { return 1.0f / x; }
INLINE Vec rough_reciprocal(Vec x) { return 1.0f / x; }
#else
INLINE Vec clamp(Vec x, float bound) {
  Vec high = broadcast(bound), low = broadcast(-bound);
  x = x > high ? high : x;
  return x < low ? low : x;
}
INLINE Vec reciprocal(Vec x) { return 1.0f / x; }
INLINE Vec rough_reciprocal(Vec x) { return 1.0f / x; }
#endif

// width x width floats turned about their diagonal: squares of 8, 4, 2 and 1 change places.
INLINE Vec shuffle(Vec a, Vec b, Int from) {
#if defined(__clang__)
  Vec v;
  for (int l = 0; l < width; ++l) v[l] = from[l] < width ? a[from[l]] : b[from[l] - width];
  return v;
#else
  return __builtin_shuffle(a, b, from);
#endif
}
template <int Distance>
INLINE void exchange(Vec (&rows)[width]) {
  Int low, high;
  for (int l = 0; l < width; ++l) {
    low[l] = l & Distance ? width + l - Distance : l;
    high[l] = l & Distance ? width + l : l + Distance;
  }
#pragma GCC unroll 16
  for (int i = 0; i < width; ++i)
    if (!(i & Distance)) {
      Vec a = rows[i], b = rows[i + Distance];
      rows[i] = shuffle(a, b, low);
      rows[i + Distance] = shuffle(a, b, high);
    }
}
INLINE void transpose(Vec (&rows)[width]) {
  if constexpr (width > 8) exchange<8>(rows);
  if constexpr (width > 4) exchange<4>(rows);
  exchange<2>(rows);
  exchange<1>(rows);
}

// --- bfloat16: the upper half of a float, rounded to nearest even ---

INLINE Bits round_to_upper_half(Vec x) {
  Bits b = (Bits)x;
  Bits rounded = b + 0x7fffu + ((b >> 16) & 1u);
  return x == x ? rounded : 0x7fc00000u - Bits{};  // NaN stays NaN
}
INLINE Half to_half(Vec x) {
#if defined(__AVX512BF16__)
  return (Half)_mm512_cvtneps_pbh((__m512)x);
#else
  return __builtin_convertvector(round_to_upper_half(x) >> 16, Half);
#endif
}
INLINE Vec from_half(Half h) { return (Vec)(__builtin_convertvector(h, Bits) << 16); }

// --- The two precisions. A *lane* is 32 bits of the long axis of a product: one float, or two neighbouring bfloat16.
// ---

struct Fp32 {
  typedef float Element;
  static constexpr int per_lane = 1;
  static constexpr bool precise = true;
  static INLINE Vec load_elements(const Element* p) { return load(p); }
  static INLINE void store_elements(Element* p, Vec v) { store(p, v); }
  static INLINE float number(Element x) { return x; }
  static INLINE Vec broadcast_lane(const float* p) { return broadcast(*p); }
  static INLINE Vec multiply_add(Vec a, Vec b, Vec sum) { return a * b + sum; }
  // One lane of each of `width` columns, from `per_lane` rows of the long axis.
  static INLINE Vec lanes(Vec row, Vec) { return row; }
  static INLINE Vec lanes(const Element* row, const Element*) { return load(row); }
};

struct Bf16 {
  typedef std::uint16_t Element;
  static constexpr int per_lane = 2;
  static constexpr bool precise = false;
  static INLINE Vec load_elements(const Element* p) {
    Half h;
    std::memcpy(&h, p, sizeof h);
    return from_half(h);
  }
  static INLINE void store_elements(Element* p, Vec v) {
    Half h = to_half(v);
    std::memcpy(p, &h, sizeof h);
  }
  static INLINE float number(Element x) {
    const std::uint32_t bits = (std::uint32_t)x << 16;
    float number;
    std::memcpy(&number, &bits, sizeof number);
    return number;
  }
  static INLINE Vec broadcast_lane(const float* p) {
    std::uint32_t pair;
    std::memcpy(&pair, p, sizeof pair);
    return (Vec)(pair + Bits{});
  }
  static INLINE Vec multiply_add(Vec a, Vec b, Vec sum) {
#if defined(__AVX512BF16__)
    return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    sum = (Vec)((Bits)a << 16) * (Vec)((Bits)b << 16) + sum;
    return (Vec)((Bits)a & 0xffff0000u) * (Vec)((Bits)b & 0xffff0000u) + sum;
#endif
  }
  static INLINE Vec lanes(Vec row, Vec next) {
    return (Vec)(round_to_upper_half(row) >> 16 | (round_to_upper_half(next) & 0xffff0000u));
  }
  static INLINE Vec lanes(const Element* row, const Element* next) {
    Half a, b;
    std::memcpy(&a, row, sizeof a);
    std::memcpy(&b, next, sizeof b);
    return (Vec)(__builtin_convertvector(a, Bits) | __builtin_convertvector(b, Bits) << 16);
  }
};

// --- sigmoid and tanh ---

// 2^x = scale * (1 + rest), rest in [-0.3, 0.42]: the split keeps 2^x - 1 exact to the last bits near zero.
struct Power { Vec scale, rest; };

template <class P>
INLINE Power power_of_two(Vec x) {
  x = clamp(x, 120.0f);
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it leaves round(x) in the low bits
  Vec shifted = x + magic;
  Vec f = x - (shifted - magic);
  Vec scale = (Vec)(((Bits)shifted << 23) + 0x3f800000u);
  Vec q;  // (2^f - 1) / f on [-0.5, 0.5], least largest error (ours: a reweighted least-squares fit)
  if constexpr (P::precise) {  // 2e-9
    q = f * 1.53533621e-4f + 1.33988746e-3f;
    q = q * f + 9.61843736e-3f;
    q = q * f + 5.55033247e-2f;
    q = q * f + 2.40226479e-1f;
    q = q * f + 6.93147203e-1f;
  } else {  // 3e-6
    q = f * 9.58285324e-3f + 5.59064259e-2f;
    q = q * f + 2.40240986e-1f;
    q = q * f + 6.93124193e-1f;
  }
  return {scale, q * f};
}

template <class P>
INLINE Vec quotient(Vec a, Vec b) {
  return a * (P::precise ? reciprocal(b) : rough_reciprocal(b));
}
template <class P>
INLINE Vec sigmoid(Vec x) {
  Power e = power_of_two<P>(x * -1.44269504f);
  Vec d = e.scale * e.rest + (e.scale + 1.0f);
  return P::precise ? reciprocal(d) : rough_reciprocal(d);
}
template <class P>
INLINE Vec tanh(Vec x) {  // (e^2x - 1) / (e^2x + 1)
  Power e = power_of_two<P>(x * 2.88539008f);
  Vec m = e.scale * e.rest + (e.scale - 1.0f);
  return quotient<P>(m, m + 2.0f);
}

}  // namespace
