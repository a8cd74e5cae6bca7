// A team of threads that share the phases of one piece of work.
#pragma once

#include <atomic>
#include <exception>

#include "kernels/table.h"

namespace elman {

using Part = void (*)(void* work, int part);
using Idle = void (*)(void* context);
void run_parts(int n, Part part, void* work, Idle idle, void* context);

// To be called once before any thread can fork: makes the team, and sees to it that a forked child gets its
// own.
void prepare_threads();

// Runs work(0) .. work(n - 1), work(0) on the caller, and returns when all are done: on waiting threads where
// they are free, one after the other on the caller where another call holds them. So the parts must not wait
// for each other, and results must not depend on which thread does what. What a part throws is thrown again
// here, when all are done. While the caller waits it calls interrupt->check(), if there is one.
template <class F, class I> void parallel(int n, F&& work, I* interrupt) {
  if (n <= 1) return work(0);
  std::atomic<bool> failed{false};
  std::exception_ptr error;
  auto guarded = [&](int part) {
    try {
      work(part);
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
    }
  };
  const Idle idle = [](void* i) {
    if (i) (void)static_cast<I*>(i)->check();
  };
  run_parts(
      n, [](void* f, int part) { (*static_cast<decltype(guarded)*>(f))(part); }, &guarded, idle, interrupt);
  if (error) std::rethrow_exception(error);
}

struct NoInterrupt {
  void check() {}
};
template <class F> void parallel(int n, F&& work) { parallel(n, work, static_cast<NoInterrupt*>(nullptr)); }

// Threads that are worth waking for so many multiply-adds.
int threads_for(Index work, int n_threads);

// CPUs that this process may use.
int usable_cpus();

}  // namespace elman
