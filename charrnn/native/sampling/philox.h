// Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): random numbers by their place, not
// in turn.
//
// Number `index` of a stream is word index % 4 of the block at counter (index / 4 + 1, 0, stream, 0) under the key
// (seed, 0): what numpy.random.Generator(numpy.random.Philox(key=seed, counter=[0, 0, stream, 0])).random() gives at
// its index-th call.
#pragma once
#include <array>
#include <cstdint>

namespace charrnn {

typedef std::array<std::uint64_t, 4> PhiloxBlock;

inline PhiloxBlock philox(PhiloxBlock counter, std::uint64_t seed) {
  constexpr std::uint64_t multiplier[] = {0xD2E7470EE14C6C93, 0xCA5A826395121157},
                          step[] = {0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B};
  std::uint64_t key[] = {seed, 0};
  for (int round = 0; round < 10; ++round) {
    const auto a = (unsigned __int128)multiplier[0] * counter[0], b = (unsigned __int128)multiplier[1] * counter[2];
    counter = {std::uint64_t(b >> 64) ^ counter[1] ^ key[0], std::uint64_t(b),
               std::uint64_t(a >> 64) ^ counter[3] ^ key[1], std::uint64_t(a)};
    key[0] += step[0];
    key[1] += step[1];
  }
  return counter;
}

// Number `index` of a stream, in [0, 1), 53 bits.
inline double uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  return double(philox({index / 4 + 1, 0, stream, 0}, seed)[index % 4] >> 11) * 0x1p-53;
}

}  // namespace charrnn
