// A few threads of our own that work on one layer together.
//
// When the process already has a GNU OpenMP team (torch brings one), we borrow it: its idle threads spin for
// milliseconds after each of torch's own loops, and a second set of threads would have to fight them for the cores.
// Otherwise we start our own. They spin for some microseconds between jobs and between time steps, because the next one
// usually comes at once; after that they sleep, so that two processes that share two cores do not starve each other.
#pragma once
#include <atomic>
#include <functional>

namespace charrnn {

// Meets `count` threads: nobody leaves wait() before everybody has entered it.
class Barrier {
 public:
  void wait(int count);

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> generation_{0};
};

// One thread's view of its team.
struct Team {
  int index, count;
  Barrier& barrier;

  void wait() {
    if (count > 1) barrier.wait(count);
  }
};

// Calls work(team) on each thread of a team of at most `threads`, the calling one included, and returns when all have
// finished.
void run(int threads, const std::function<void(Team&)>& work);

// Whose threads run() uses now: "openmp" or "own".
const char* thread_source();

}  // namespace charrnn
