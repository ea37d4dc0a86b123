#include "common/threads.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

namespace charrnn {
namespace {

constexpr int spins = 2000;  // some 25 microseconds

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns when `value` is no longer `old`: awake for a while, because the next job usually comes at once, then asleep,
// so that a process that waits leaves its core to others. What was written before the change is then seen (acquire).
void wait_for_change(const std::atomic<unsigned>& value, unsigned old) {
  for (int i = 0; i < spins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

// The workers live as long as the process. A forked child inherits none of them, so it starts its own.
class Workers {
 public:
  void run(int threads, const std::function<void(Team&)>& work) {
    std::lock_guard<std::mutex> one_job(busy_);  // Python threads may ask at the same time
    while ((int)workers_.size() < threads - 1) add();
    Barrier barrier;
    work_ = &work;
    barrier_ = &barrier;
    threads_ = threads;
    unfinished_.store(threads - 1);
    // The release makes what was set above, and the caller's arrays, visible to a worker that sees its job number
    // change.
    for (int i = 0; i < threads - 1; ++i) {
      workers_[i]->job.fetch_add(1, std::memory_order_release);
      workers_[i]->job.notify_one();
    }
    Team team{0, threads, barrier};
    work(team);
    // `work` and `barrier` are on this stack: nobody may still use them when this returns.
    for (unsigned left; (left = unfinished_.load(std::memory_order_acquire)) != 0;) wait_for_change(unfinished_, left);
  }

 private:
  // On a cache line of its own, so that waking one worker does not disturb the others.
  struct Worker { alignas(64) std::atomic<unsigned> job{0}; };

  void add() {
    workers_.push_back(std::make_unique<Worker>());
    Worker* worker = workers_.back().get();
    int index = (int)workers_.size();
    std::thread([this, worker, index] {
      for (unsigned done = 0;; ++done) {
        wait_for_change(worker->job, done);
        Team team{index, threads_, *barrier_};
        (*work_)(team);
        unfinished_.fetch_sub(1, std::memory_order_release);
        unfinished_.notify_one();
      }
    }).detach();
  }

  std::mutex busy_;
  std::vector<std::unique_ptr<Worker>> workers_;
  const std::function<void(Team&)>* work_ = nullptr;
  Barrier* barrier_ = nullptr;
  int threads_ = 0;
  alignas(64) std::atomic<unsigned> unfinished_{0};
};

Workers& workers_of_this_process() {
  static std::mutex guard;
  static Workers* workers = nullptr;  // never destroyed: its threads may outlive main()
  static pid_t owner = 0;
  std::lock_guard<std::mutex> lock(guard);
  if (owner != getpid()) {
    workers = new Workers;
    owner = getpid();
  }
  return *workers;
}

// The OpenMP runtime that somebody else has loaded, by the entry points that compilers call. After a fork its threads
// are gone and it cannot start others, so a child does without.
struct OpenMp {
  void (*parallel)(void (*)(void*), void*, unsigned, unsigned) = nullptr;
  int (*thread_num)() = nullptr;
  int (*num_threads)() = nullptr;
};

template <class F> void find_symbol(F*& symbol, const char* name) {
  symbol = reinterpret_cast<F*>(dlsym(RTLD_DEFAULT, name));
}

const OpenMp* openmp_of_this_process() {
  static const pid_t first = getpid();
  static std::mutex guard;
  static OpenMp found;
  std::lock_guard<std::mutex> lock(guard);
  static const char* wish = std::getenv("CHARRNN_THREADS");
  if (first != getpid() || (wish && std::string_view(wish) == "own")) return nullptr;
  if (!found.parallel) {  // asked anew each time: torch may be imported after us
    find_symbol(found.thread_num, "omp_get_thread_num");
    find_symbol(found.num_threads, "omp_get_num_threads");
    if (found.thread_num && found.num_threads) find_symbol(found.parallel, "GOMP_parallel");
  }
  return found.parallel ? &found : nullptr;
}

void run_on_openmp(const OpenMp& openmp, int threads, const std::function<void(Team&)>& work) {
  struct Job {
    const OpenMp& openmp;
    const std::function<void(Team&)>& work;
    Barrier barrier;
  } job{openmp, work, {}};
  auto enter = [](void* data) {
    Job& job = *static_cast<Job*>(data);
    Team team{job.openmp.thread_num(), job.openmp.num_threads(), job.barrier};  // perhaps fewer than asked for
    job.work(team);
  };
  openmp.parallel(enter, &job, (unsigned)threads, 0);
}

}  // namespace

void Barrier::wait(int count) {
  unsigned generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    generation_.notify_all();
  } else {
    wait_for_change(generation_, generation);
  }
}

void run(int threads, const std::function<void(Team&)>& work) {
  if (threads > 1) {
    if (const OpenMp* openmp = openmp_of_this_process()) run_on_openmp(*openmp, threads, work);
    else workers_of_this_process().run(threads, work);
  } else {
    Barrier barrier;
    Team alone{0, 1, barrier};
    work(alone);
  }
}

const char* thread_source() { return openmp_of_this_process() ? "openmp" : "own"; }

}  // namespace charrnn
