#include "sampling/sampler.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "common/instruction_set.h"
#include "common/threads.h"
#include "sampling/philox.h"

namespace charrnn {

extern const NetworkKernels network_portable;
#if defined(CHARRNN_X86)
extern const NetworkKernels network_avx2, network_avx512;
#endif
#if defined(CHARRNN_AVX512_VNNI)
extern const NetworkKernels network_avx512_vnni;
#endif
#if defined(CHARRNN_AVX_VNNI)
extern const NetworkKernels network_avx_vnni;
#endif

namespace {

// Those that this machine can run, slowest first.
std::vector<const NetworkKernels*> runnable() {
  std::vector<const NetworkKernels*> all{&network_portable};
#if defined(CHARRNN_X86)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    all.push_back(&network_avx2);
#if defined(CHARRNN_AVX_VNNI)
    if (__builtin_cpu_supports("avxvnni")) all.push_back(&network_avx_vnni);
#endif
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq")) {
      all.push_back(&network_avx512);
#if defined(CHARRNN_AVX512_VNNI)
      if (__builtin_cpu_supports("avx512vnni")) all.push_back(&network_avx512_vnni);
#endif
    }
  }
#endif
  return all;
}

}  // namespace

std::vector<std::string> network_kernels() {
  std::vector<std::string> names;
  for (const NetworkKernels* one : runnable()) names.push_back(one->name);
  return names;
}

const NetworkKernels& network_kernels(const std::string& name) {
  const NetworkKernels* best = nullptr;
  for (const NetworkKernels* one : runnable())
    if (name.empty() ? one->width <= kernels().width : name == one->name) best = one;
  if (!best) throw std::invalid_argument("no kernels '" + name + "' on this machine");
  return *best;
}

namespace {

constexpr int columns_of_step[] = {1, 2, 4};  // by Weights

template <class T>
T* make(Buffer& buffer, std::size_t count) {
  buffer = Buffer(count * sizeof(T));
  std::memset(buffer.as<T>(), 0, count * sizeof(T));
  return buffer.as<T>();
}

// Row of the caller's array that lies in this lane of this vector, or -1 for padding.
long row_of(int vector, int lane, int gates, int units, int width) {
  const int unit = vector / gates * width + lane;
  return unit < units ? (long)(vector % gates) * units + unit : -1;
}

// (vectors, width): one number of each row.
void pack_numbers(const float* from, int gates, int units, int width, float padding, float* to) {
  const int vectors = (units + width - 1) / width * gates;
  for (int v = 0; v < vectors; ++v)
    for (int lane = 0; lane < width; ++lane) {
      const long row = row_of(v, lane, gates, units, width);
      to[v * width + lane] = row < 0 ? padding : from[row];
    }
}

std::uint16_t to_bf16(float x) {
  std::uint32_t b;
  std::memcpy(&b, &x, sizeof b);
  return (b + 0x7fffu + (b >> 16 & 1u)) >> 16;
}

// The nearest integer, ties to even, of a small number.
std::int8_t nearest(float x) { return (std::int8_t)(std::int32_t)((x + 12582912.0f) - 12582912.0f); }

// One row of weights as bytes; charrnn/inference/quantization.py does the same. Returns the scale of its products with
// rounded h.
float round_row(const float* row, int columns, std::int8_t* to) {
  float largest = 0;
  for (int k = 0; k < columns; ++k) largest = std::max(largest, std::fabs(row[k]));
  const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
  for (int k = 0; k < columns; ++k) to[k] = nearest(row[k] * inverse);
  return largest / 16129.0f;
}

void pack(const float* from, int gates, int units, int columns, int group_blocks, Weights weights, int width,
          Matrix& m) {
  const int per_step = columns_of_step[(int)weights];
  m.gates = gates;
  m.vectors = (units + width - 1) / width * gates;
  m.group = group_blocks * gates;
  m.steps = (columns + per_step - 1) / per_step;
  std::uint32_t* packed = make<std::uint32_t>(m.packed, (std::size_t)m.vectors * m.steps * width);
  float* scales = nullptr;
  std::int32_t* offsets = nullptr;
  if (weights == Weights::int8) {
    scales = make<float>(m.scales, m.vectors * width);
    offsets = make<std::int32_t>(m.offsets, m.vectors * width);
  }
  // The rows of one vector first, then all of them step by step: both walk memory forwards. The stride keeps them out
  // of step in the cache.
  const long stride = m.steps + 16;
  std::vector<std::uint32_t> rows(width * stride);
  for (int v = 0; v < m.vectors; ++v) {
    for (int lane = 0; lane < width; ++lane) {
      const long row = row_of(v, lane, gates, units, width);
      std::uint32_t* to = rows.data() + lane * stride;
      std::fill(to, to + m.steps, 0u);
      if (row < 0) continue;
      const float* numbers = from + row * columns;
      if (weights == Weights::fp32) {
        std::memcpy(to, numbers, columns * sizeof(float));
      } else if (weights == Weights::bf16) {
        for (int k = 0; k < columns; ++k) ((std::uint16_t*)to)[k] = to_bf16(numbers[k]);
      } else {
        auto* bytes = (std::int8_t*)to;
        scales[v * width + lane] = round_row(numbers, columns, bytes);
        for (int k = 0; k < columns; ++k) offsets[v * width + lane] += 128 * bytes[k];
      }
    }
    const int first = v / m.group * m.group, count = std::min(m.group, m.vectors - first);
    std::uint32_t* to = packed + ((long)first * m.steps + (v - first)) * width;
    for (int k = 0; k < m.steps; ++k, to += (long)count * width)
      for (int lane = 0; lane < width; ++lane) to[lane] = rows[lane * stride + k];
  }
}

}  // namespace

Sampler::Sampler(const NetworkSource& from, const std::string& kernels) {
  Network& net = network_;
  net.kernels = &network_kernels(kernels);
  const int width = net.width = net.kernels->width, gates = gates_of(from.cell);
  net.cell = from.cell;
  net.weights = from.weights;
  net.hidden = from.hidden;
  net.symbols = from.symbols;
  net.blocks = (net.hidden + width - 1) / width;
  net.padded = net.blocks * width;
  const long row = (long)gates * net.padded;
  float* table = make<float>(net.table, (net.symbols + 1) * row);
  for (long v = 0; v <= net.symbols; ++v)
    pack_numbers(from.table + v * gates * net.hidden, gates, net.hidden, width, 0, table + v * row);
  const int group = blocks_of_group(net.cell);
  net.layers.resize(from.layers);
  for (int i = 0; i < from.layers; ++i) {
    NetworkLayer& layer = net.layers[i];
    pack(from.weight_hh[i], gates, net.hidden, net.hidden, group, net.weights, width, layer.weight_hh);
    pack_numbers(from.bias_hh[i], gates, net.hidden, width, 0, make<float>(layer.bias_hh, row));
    if (i == 0) continue;
    pack(from.weight_ih[i - 1], gates, net.hidden, net.hidden, group, net.weights, width, layer.weight_ih);
    pack_numbers(from.bias_ih[i - 1], gates, net.hidden, width, 0, make<float>(layer.bias_ih, row));
  }
  pack(from.decoder, 1, net.symbols, net.hidden, decoder_group, net.weights, width, net.decoder);
  float* bias = make<float>(net.decoder_bias, net.decoder.vectors * width);
  pack_numbers(from.decoder_bias, 1, net.symbols, width, -std::numeric_limits<float>::infinity(), bias);
}

// The state of a few streams in the kernels' layout, for as long as one call lasts.
struct Sampler::Desk {
  const Network& net;
  State state;
  Streams streams{};
  Buffer h[2], c, rounded[2], logits;

  Desk(const Network& network, State from, int count) : net(network), state(from) {
    const std::size_t units = net.layers.size() * (std::size_t)count * net.padded;
    streams.count = count;
    for (int i = 0; i < 2; ++i) streams.h[i] = make<float>(h[i], units);
    streams.c = make<float>(c, units);
    streams.logits = make<float>(logits, (std::size_t)count * net.decoder.vectors * net.width);
    copy(state.h, streams.h[0], true);
    if (state.c) copy(state.c, streams.c, true);
    if (net.weights == Weights::int8) {
      for (int i = 0; i < 2; ++i) streams.rounded[i] = make<std::int8_t>(rounded[i], units);
      for (std::size_t i = 0; i < units; ++i) streams.rounded[0][i] = nearest(streams.h[0][i] * 127.0f);
    }
  }

  // Puts one stream back to the zero state, in the half that the next step reads.
  void forget(const Streams& view, int stream) const {
    for (std::size_t layer = 0; layer < net.layers.size(); ++layer) {
      const std::size_t at = (layer * streams.count + stream) * net.padded;
      std::memset(view.h[1 - view.now] + at, 0, net.padded * sizeof(float));
      std::memset(view.c + at, 0, net.padded * sizeof(float));
      if (net.weights == Weights::int8) std::memset(view.rounded[1 - view.now] + at, 0, net.padded);
    }
  }

  // Hands the state back.
  void leave() {
    copy(state.h, streams.h[streams.now], false);
    if (state.c) copy(state.c, streams.c, false);
  }

  void copy(float* theirs, float* ours, bool in) const {
    for (std::size_t row = 0; row < net.layers.size() * streams.count; ++row, theirs += net.hidden, ours += net.padded)
      std::memcpy(in ? ours : theirs, in ? theirs : ours, net.hidden * sizeof(float));
  }

  const float* logits_of(int stream) const { return streams.logits + (long)stream * net.decoder.vectors * net.width; }

  // This thread's share of `groups`.
  static int share(int groups, int part, const Team& team) { return int((long)groups * part / team.count); }

  // One symbol through the stack. Each thread has its own copy of `view`; all of them have met when it returns.
  void step(Streams& view, Team& team) const {
    const int most = blocks_of_group(net.cell), groups = (net.blocks + most - 1) / most;
    for (int layer = 0; layer < (int)net.layers.size(); ++layer) {
      net.kernels->step(net, view, layer, share(groups, team.index, team), share(groups, team.index + 1, team));
      team.wait();
    }
  }

  // Logits of all streams. A single stream with few symbols is left to the first thread, which goes on to choose.
  void decode(const Streams& view, Team& team) const {
    const int groups = (net.decoder.vectors + decoder_group - 1) / decoder_group;
    if (view.count == 1 && groups == 1) {
      if (team.index == 0) net.kernels->decode(net, view, 0, 1);
      return;
    }
    net.kernels->decode(net, view, share(groups, team.index, team), share(groups, team.index + 1, team));
    team.wait();
  }
};

int Sampler::write(State state, int count, int steps, Pen pen, const Choice& choice, std::int32_t* out) {
  Desk desk(network_, state, count);
  const Network& net = network_;
  std::atomic<int> going{0};
  for (int b = 0; b < count; ++b) going += pen.ended[b] == goes_on;
  int taken = 0;
  run(threads, [&](Team& team) {
    Streams view = desk.streams;
    view.ids = pen.last;
    Candidates candidates;
    int step = 0;
    team.wait();
    for (; step < steps && going.load(std::memory_order_relaxed) > 0; ++step, view.now = 1 - view.now) {
      desk.step(view, team);
      desk.decode(view, team);
      for (int b = team.index; b < count; b += team.count) {
        int symbol = -1;
        if (pen.ended[b] == goes_on) {
          const double number = uniform(pen.seed, pen.streams[b], pen.position + step);
          symbol = net.kernels->choose(desk.logits_of(b), net.symbols, choice, pen.states[b], pen.left - step - 1,
                                       number, candidates);
          const Automaton& automaton = choice.automaton;
          if (symbol < 0) pen.ended[b] = nothing_allowed;
          else pen.last[b] = symbol;
          if (symbol >= 0 && automaton.states) {
            pen.states[b] = automaton.next[(long)pen.states[b] * automaton.classes + automaton.symbol_class[symbol]];
            if (automaton.final[pen.states[b]]) pen.ended[b] = final_state;
          }
          if (symbol == pen.record_end) desk.forget(view, b);
          if (pen.ended[b] != goes_on) going.fetch_sub(1, std::memory_order_relaxed);
        }
        out[(long)step * count + b] = symbol;
      }
      team.wait();
    }
    if (team.index == 0) {
      taken = step;
      desk.streams.now = view.now;
    }
  });
  desk.leave();
  return taken;
}

void Sampler::read(State state, int count, int steps, const std::int64_t* ids, float* logits) {
  Desk desk(network_, state, count);
  run(threads, [&](Team& team) {
    Streams view = desk.streams;
    for (int step = 0; step < steps; ++step, view.now = 1 - view.now) {
      view.ids = ids + (long)step * count;
      desk.step(view, team);
      if (logits && step == steps - 1) desk.decode(view, team);
    }
    if (team.index == 0) desk.streams.now = view.now;
  });
  desk.leave();
  if (logits)
    for (int b = 0; b < count; ++b)
      std::memcpy(logits + (long)b * network_.symbols, desk.logits_of(b), network_.symbols * sizeof(float));
}

void Sampler::score(State state, int count, int steps, const std::int64_t* ids, const std::int64_t* targets,
                    double* nats) {
  Desk desk(network_, state, count);
  run(threads, [&](Team& team) {
    Streams view = desk.streams;
    for (int step = 0; step < steps; ++step, view.now = 1 - view.now) {
      view.ids = ids + (long)step * count;
      desk.step(view, team);
      desk.decode(view, team);
      for (int b = team.index; b < count; b += team.count) {
        const long at = (long)step * count + b;
        nats[at] = network_.kernels->nats(desk.logits_of(b), network_.symbols, (int)targets[at]);
      }
      team.wait();
    }
    if (team.index == 0) desk.streams.now = view.now;
  });
  desk.leave();
}

}  // namespace charrnn
