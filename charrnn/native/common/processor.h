// What this machine's processor can do, and the system lets it do.
#pragma once

namespace charrnn {

struct Processor {
  bool avx2 = false;         // with FMA
  bool avx512 = false;       // F, BW, VL and DQ
  bool avx512_bf16 = false;  // products of bfloat16
  bool avx512_vnni = false;  // products of bytes, on 512 bits
  bool avx_vnni = false;     // products of bytes, on 256 bits
  bool amx = false;          // bf16 products on tiles; emulated ones count where the build asked for them
};

// Found out once, when first asked.
const Processor& processor();

}  // namespace charrnn
