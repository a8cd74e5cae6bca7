// A team of threads that share the phases of one piece of work.
#pragma once

#include <type_traits>

namespace elman {

using Part = void (*)(void* work, int part);
void run_parts(int n, Part part, void* work);

// Runs work(0) .. work(n - 1), work(0) on the caller, and returns when all are done: on waiting threads where they are free, one after the other on
// the caller where another call holds them. So the parts must not wait for each other, and results must not depend on which thread does what.
template <class F> void parallel(int n, F&& work) {
  if (n <= 1) return work(0);
  run_parts(n, [](void* f, int part) { (*static_cast<std::remove_reference_t<F>*>(f))(part); }, const_cast<void*>(static_cast<const void*>(&work)));
}

// CPUs that this process may use.
int usable_cpus();

}  // namespace elman
