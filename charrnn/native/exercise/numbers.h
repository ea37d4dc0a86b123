// Random numbers that are the same in every run.
#pragma once
#include <cstddef>
#include <vector>

typedef std::vector<float> Floats;

class Random {
 public:
  Floats floats(std::size_t count) {  // in [-0.5, 0.5)
    Floats values(count);
    for (float& v : values) {
      bits_ = bits_ * 1664525u + 1013904223u;
      v = float(bits_ >> 8) / float(1 << 24) - 0.5f;
    }
    return values;
  }

 private:
  unsigned bits_ = 1;
};
