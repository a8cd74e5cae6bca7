#include "runtime/threads.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "runtime/denormals.h"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#elif defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace elman {
namespace {

inline void pause() {
#if defined(__SSE2__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && !defined(_MSC_VER)
  asm volatile("yield");
#endif
}

// Waits for `ready`, awake: the next phase of a minibatch mostly comes within microseconds.
template <class Ready> bool spin(int rounds, Ready ready) {
  for (int i = 0; i < rounds; ++i) {
    if (ready()) return true;
    pause();
  }
  return ready();
}

// Parts are claimed, not assigned: what no worker has taken up when the caller is done with its own part, the
// caller does itself. So a busy machine, or a worker that sleeps, costs little. A ticket holds the generation
// of the work, the number of parts and the next to claim; a worker that comes late finds another generation
// in it and goes away.
class Team {
 public:
  static constexpr int most_threads = 256, most_parts = 0xffff;  // a ticket has 16 bits for parts
  std::mutex in_use;

  void run(int n, Part part, void* work, Idle idle, void* context) {
    while (static_cast<int>(workers_.size()) < std::min(n, most_threads) - 1) {
      const unsigned seen = generation_.load();
      try {
        workers_.emplace_back([this, seen] { serve(seen); });
      } catch (const std::system_error&) {
        break;  // the caller does the pieces that no thread claims
      }
      workers_.back().detach();  // they sleep until the process ends
    }
    part_.store(part, std::memory_order_relaxed);
    work_.store(work, std::memory_order_relaxed);
    done_.store(1, std::memory_order_relaxed);
    const unsigned generation = generation_.load() + 1;
    ticket_.store(std::uint64_t{generation} << 32 | std::uint64_t(n) << 16 | 1u);
    generation_.store(generation);
    if (sleepers_.load() > 0) generation_.notify_all();
    part(work, 0);
    take(generation);
    while (!spin(2000, [&] { return done_.load(std::memory_order_acquire) == n; })) {
      idle(context);
      std::this_thread::yield();
    }
  }

 private:
  // Does parts of the given generation until none is left.
  void take(unsigned generation) {
    std::uint64_t ticket = ticket_.load();
    while (ticket >> 32 == generation && (ticket & 0xffff) < (ticket >> 16 & 0xffff)) {
      if (!ticket_.compare_exchange_weak(ticket, ticket + 1)) continue;
      part_.load(std::memory_order_relaxed)(work_.load(std::memory_order_relaxed),
                                            static_cast<int>(ticket & 0xffff));
      done_.fetch_add(1, std::memory_order_release);
      ticket = ticket_.load();
    }
  }

  void serve(unsigned seen) {
    const FlushDenormals mode;
    for (;;) {
      if (!spin(4000, [&] { return generation_.load(std::memory_order_acquire) != seen; })) {
        sleepers_.fetch_add(1);
        generation_.wait(seen);
        sleepers_.fetch_sub(1);
      }
      seen = generation_.load();
      take(seen);
    }
  }

  std::vector<std::thread> workers_;
  std::atomic<Part> part_{nullptr};
  std::atomic<void*> work_{nullptr};
  std::atomic<int> done_{0}, sleepers_{0};
  std::atomic<std::uint64_t> ticket_{0};
  std::atomic<unsigned> generation_{0};
};

std::atomic<Team*> team{nullptr};
std::once_flag once;

// A forked child has none of its parent's threads: it gets a team of its own, and the parent's copy is left
// alone, whoever held it.
void make_team() { team.store(new Team); }

}  // namespace

void prepare_threads() {
  std::call_once(once, [] {
    make_team();
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, make_team);
#endif
  });
}

void run_parts(int n, Part part, void* work, Idle idle, void* context) {
  prepare_threads();
  Team& t = *team.load();
  const std::unique_lock<std::mutex> hold(t.in_use, std::try_to_lock);
  if (hold.owns_lock() && n <= Team::most_parts) {
    t.run(n, part, work, idle, context);
  } else {
    for (int i = 0; i < n; ++i) part(work, i);
  }
}

int threads_for(Index work, int n_threads) {
  constexpr Index least = 1'000'000;  // some ten microseconds
  return static_cast<int>(std::clamp<Index>(work / least, 1, std::clamp(n_threads, 1, 256)));
}

int usable_cpus() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const unsigned n = std::thread::hardware_concurrency();
  return n ? static_cast<int>(n) : 1;
}

}  // namespace elman
