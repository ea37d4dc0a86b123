#include "sampling/sampler.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "common/loops.h"
#include "common/threads.h"
#include "sampling/kernels.h"
#include "sampling/philox.h"

namespace charrnn {
namespace {

// The state of B streams in the kernels' layout, for as long as one call lasts. The team shares it. What changes from
// step to step, `now` and `ids`, is in a copy of `streams` that each thread has of its own, so that no thread sees
// another one's step.
struct Workspace {
  const Network& net;
  State state;
  Streams streams{};
  Buffer h[2], c, rounded[2], logits;
  Buffer contexts;  // (B, K + 1): of the experts, after what each stream has read

  Workspace(const Network& network, State from, int count) : net(network), state(from) {
    const std::size_t units = net.layers.size() * (std::size_t)count * net.padded;
    streams.count = count;
    for (int i = 0; i < 2; ++i) streams.h[i] = make_zeros<float>(h[i], units);
    streams.c = make_zeros<float>(c, units);
    streams.logits = make_zeros<float>(logits, (std::size_t)count * net.decoder.vectors * net.width);
    for_each_row([&](long own, long callers) {
      std::memcpy(streams.h[0] + own, state.h + callers, net.hidden * sizeof(float));
      if (state.c) std::memcpy(streams.c + own, state.c + callers, net.hidden * sizeof(float));
    });
    make_zeros<std::int32_t>(contexts, (std::size_t)count * (net.experts.order + 1));
    for (int b = 0; b < count; ++b) find_contexts(b);
    if (net.weights == Weights::int8) {
      for (int i = 0; i < 2; ++i) streams.rounded[i] = make_zeros<std::int8_t>(rounded[i], units);
      for (std::size_t i = 0; i < units; ++i) streams.rounded[0][i] = nearest(streams.h[0][i] * 127.0f);
    }
  }

  // Writes the state after the last step to the caller's arrays. `now` is the place that this step has filled.
  void hand_back(int now) const {
    for_each_row([&](long own, long callers) {
      std::memcpy(state.h + callers, streams.h[now] + own, net.hidden * sizeof(float));
      if (state.c) std::memcpy(state.c + callers, streams.c + own, net.hidden * sizeof(float));
    });
  }

  // Puts one stream back to the zero state, in the place that the next step reads.
  void reset(const Streams& view, int stream) const {
    for (std::size_t layer = 0; layer < net.layers.size(); ++layer) {
      const std::size_t at = (layer * streams.count + stream) * net.padded;
      std::memset(view.h[1 - view.now] + at, 0, net.padded * sizeof(float));
      std::memset(view.c + at, 0, net.padded * sizeof(float));
      if (net.weights == Weights::int8) std::memset(view.rounded[1 - view.now] + at, 0, net.padded);
    }
    if (net.experts.order == 0) return;
    std::fill_n(recent_of(stream), net.experts.order, 0);
    net.experts.forget(contexts_of(stream));
  }

  float* logits_of(int stream) const { return streams.logits + (long)stream * net.decoder.vectors * net.width; }

  // What follows is of the experts, and nothing where there are none. A stream's contexts and logits are only touched
  // by the thread that scores it or chooses for it.

  // One more symbol that a stream reads.
  void walk(int stream, std::int64_t symbol) const {
    if (net.experts.order == 0) return;
    net.experts.advance(contexts_of(stream), symbol);
    remember(stream, symbol);
  }
  // The same, but the contexts are left to find_contexts.
  void remember(int stream, std::int64_t symbol) const {
    if (net.experts.order) remember_symbol(recent_of(stream), net.experts.order, net.symbols, symbol);
  }
  void find_contexts(int stream) const {
    if (net.experts.order) net.experts.find(contexts_of(stream), recent_of(stream));
  }
  // The logits of the decoder become those of the network.
  void add_shares(int stream) const {
    if (net.experts.order) net.kernels->add_shares(net, contexts_of(stream), logits_of(stream));
  }

  // One symbol through the stack. A layer reads all units of the one below, so the threads meet after each of them.
  void step(const Streams& view, Team& team) const {
    const int blocks = group_blocks(net.cell);
    const Range groups = share((net.blocks + blocks - 1) / blocks, team);
    for (int layer = 0; layer < (int)net.layers.size(); ++layer) {
      net.kernels->step(net, view, layer, groups.begin, groups.end);
      team.wait();
    }
  }

  // Logits of all streams. A single stream with few symbols is left to the first thread, which goes on to choose:
  // meeting the others would take longer.
  void decode(const Streams& view, Team& team) const {
    const int groups = (net.decoder.vectors + group_vectors - 1) / group_vectors;
    if (view.count == 1 && groups == 1) {
      if (team.index == 0) net.kernels->decode(net, view, 0, 1);
      return;
    }
    const Range mine = share(groups, team);
    net.kernels->decode(net, view, mine.begin, mine.end);
    team.wait();
  }

 private:
  std::int32_t* recent_of(int stream) const { return state.recent + (long)stream * net.experts.order; }
  std::int32_t* contexts_of(int stream) const {
    return contexts.as<std::int32_t>() + (long)stream * (net.experts.order + 1);
  }

  // Calls f(own, callers) with the offsets of every row (H) in these arrays and in the caller's.
  template <class F> void for_each_row(F&& f) const {
    const long rows = (long)net.layers.size() * streams.count;
    for (long row = 0; row < rows; ++row) f(row * net.padded, row * net.hidden);
  }
};

}  // namespace

int Sampler::write(int threads, const WriterState& state, int count, int steps, const SamplingParameters& how,
                   std::int32_t* out) const {
  const Network& net = network_;
  const Automaton& automaton = how.automaton;
  const Workspace workspace(net, state.carried, count);
  std::atomic<int> going{0};  // streams that have not ended
  for (int b = 0; b < count; ++b) going += state.ended[b] == goes_on;
  int taken = 0;
  run(threads, [&](Team& team) {
    Streams view = workspace.streams;
    view.ids = state.last;
    Candidates candidates(net.symbols);
    int step = 0;
    // Every thread takes the same number of steps: `going` is read before the meetings of workspace.step and changed
    // only after them.
    for (; step < steps && going.load(std::memory_order_relaxed) > 0; ++step, view.now = 1 - view.now) {
      for (int b = team.index; b < count; b += team.count) workspace.walk(b, view.ids[b]);
      workspace.step(view, team);
      workspace.decode(view, team);
      for (int b = team.index; b < count; b += team.count) {
        workspace.add_shares(b);
        int symbol = -1;
        if (state.ended[b] == goes_on) {
          symbol = net.kernels->choose(workspace.logits_of(b), net.symbols, how, state.automaton_state[b],
                                       state.symbols_left - step - 1, uniform(how.seed, b, state.position + step),
                                       candidates);
          if (symbol < 0) state.ended[b] = nothing_allowed;
          else state.last[b] = symbol;
          if (symbol >= 0 && automaton.states) {
            const long row = (long)state.automaton_state[b] * automaton.classes;
            state.automaton_state[b] = automaton.next[row + automaton.symbol_class[symbol]];
            if (automaton.final[state.automaton_state[b]]) state.ended[b] = final_state;
          }
          if (symbol == state.record_end) workspace.reset(view, b);
          if (state.ended[b] != goes_on) going.fetch_sub(1, std::memory_order_relaxed);
        }
        out[(long)step * count + b] = symbol;
      }
      team.wait();  // the next step reads what every thread has chosen
    }
    if (team.index == 0) {
      taken = step;
      workspace.hand_back(view.now);
    }
  });
  return taken;
}

void Sampler::read(int threads, State state, int count, int steps, const std::int64_t* ids, float* logits) const {
  const Workspace workspace(network_, state, count);
  run(threads, [&](Team& team) {
    Streams view = workspace.streams;
    for (int step = 0; step < steps; ++step, view.now = 1 - view.now) {
      view.ids = ids + (long)step * count;
      workspace.step(view, team);
      for (int b = team.index; b < count; b += team.count) workspace.remember(b, view.ids[b]);
      if (!logits || step < steps - 1) continue;
      workspace.decode(view, team);
      for (int b = team.index; b < count; b += team.count) {
        workspace.find_contexts(b);
        workspace.add_shares(b);
      }
    }
    if (team.index == 0) workspace.hand_back(view.now);
  });
  if (logits)
    for (int b = 0; b < count; ++b)
      std::memcpy(logits + (long)b * network_.symbols, workspace.logits_of(b), network_.symbols * sizeof(float));
}

void Sampler::score(int threads, State state, int count, int steps, const std::int64_t* ids,
                    const std::int64_t* targets, double* nats) const {
  const Workspace workspace(network_, state, count);
  run(threads, [&](Team& team) {
    Streams view = workspace.streams;
    for (int step = 0; step < steps; ++step, view.now = 1 - view.now) {
      view.ids = ids + (long)step * count;
      for (int b = team.index; b < count; b += team.count) workspace.walk(b, view.ids[b]);
      workspace.step(view, team);
      workspace.decode(view, team);
      for (int b = team.index; b < count; b += team.count) {
        workspace.add_shares(b);
        const long at = (long)step * count + b;
        nats[at] = network_.kernels->nats(workspace.logits_of(b), network_.symbols, (int)targets[at]);
      }
      team.wait();  // the next step writes over the logits
    }
    if (team.index == 0) workspace.hand_back(view.now);
  });
}

}  // namespace charrnn
