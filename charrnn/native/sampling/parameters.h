// How the next symbol of a stream is chosen: the filters, the automaton of what may follow what, temperature and seed.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace charrnn {

// The symbols among which one is chosen, in the order of their ids. Filters take some out. The arrays have room for all
// symbols and are used again by the next choice; `weights` and `order` are the filters' to write on.
struct Candidates {
  explicit Candidates(int symbols);

  int count = 0;
  std::vector<float> logits;    // of each candidate
  std::vector<int> ids;         // of each candidate
  std::vector<double> weights;  // e^logit, but for a common factor
  std::vector<int> order;       // candidates in another order
};

// One way to take candidates out, with one parameter. sampling/filters.h has them all.
struct Filter {
  const char* name;                             // as charrnn/sampling/filters.py calls it
  bool (*allows)(double parameter);             // the values that its parameter may have
  void (*keep)(Candidates&, double parameter);  // keeps some of the candidates, at least one, in their order
};

// A filter in use.
struct ActiveFilter {
  void (*keep)(Candidates&, double parameter);
  double parameter;
};

// Those of `filters` that have a parameter, in the order of `filters`. Throws std::invalid_argument for a name that
// none has, and for a parameter out of range.
std::vector<ActiveFilter> active_filters(std::span<const Filter> filters,
                                         const std::map<std::string, double>& parameters);

// Which symbols may come next, as a machine that reads what is written. Its tables are the caller's.
struct Automaton {
  int states, classes;               // 0 states: no automaton
  const std::int32_t* symbol_class;  // (V)
  const std::int32_t* next;          // (states, classes): the state after a symbol of this class; negative: forbidden
  const std::uint8_t* final;         // (states): not 0: on entering it the stream ends
  const std::int32_t* distance;      // (states): the fewest symbols from here to where the stream may end
};

// Each filter applies to what the automaton and `allowed`, then the filters before it have left, at temperature 1; then
// comes the temperature.
struct SamplingParameters {
  std::uint64_t seed;                 // of the random numbers
  double temperature;                 // logits are divided by it; 0 takes the likeliest symbol and uses no filter
  std::vector<ActiveFilter> filters;  // in their order
  const std::uint8_t* allowed;        // (V): 0 for what is never chosen; null for all
  Automaton automaton;
};

}  // namespace charrnn
