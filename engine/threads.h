// A team of threads that share the phases of one piece of work.
#pragma once

#include <functional>

namespace elman {

// Runs work(0) .. work(n - 1), work(0) on the caller, and returns when all are done: on waiting threads where they are free, one after the other on
// the caller where another call holds them. So the parts must not wait for each other, and results must not depend on which thread does what.
void parallel(int n, const std::function<void(int)>& work);

// CPUs that this process may use.
int usable_cpus();

}  // namespace elman
