#include "sampling/parameters.h"

#include <algorithm>
#include <stdexcept>

namespace charrnn {

constexpr int widest_vector = 16;  // kernels read and write whole vectors past the last candidate

Candidates::Candidates(int symbols)
    : logits(symbols + widest_vector), ids(symbols), weights(symbols + widest_vector), order(symbols) {}

std::vector<ActiveFilter> active_filters(std::span<const Filter> filters,
                                         const std::map<std::string, double>& parameters) {
  std::string names;
  for (const Filter& filter : filters) names += names.empty() ? filter.name : std::string(", ") + filter.name;
  for (const auto& [name, parameter] : parameters)
    if (std::none_of(filters.begin(), filters.end(), [&](const Filter& filter) { return name == filter.name; }))
      throw std::invalid_argument("filter '" + name + "' is not one of " + names);

  std::vector<ActiveFilter> active;
  for (const Filter& filter : filters) {
    const auto found = parameters.find(filter.name);
    if (found == parameters.end()) continue;
    const double parameter = found->second;
    if (!filter.allows(parameter))
      throw std::invalid_argument("filter " + found->first + " may not be " + std::to_string(parameter));
    active.push_back({filter.keep, parameter});
  }
  return active;
}

}  // namespace charrnn
