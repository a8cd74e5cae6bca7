// How a long call is stopped from outside.
#pragma once

#include <atomic>
#include <thread>

namespace elman {

// Asked between blocks of steps whether to stop. `poll` is called on the calling thread alone, at most every
// tenth of a second.
struct Interrupt {
  bool (*poll)(void*) = nullptr;
  void* context = nullptr;
  std::atomic<bool> stop{false};
  long long next = 0;  // time of the next poll, in steady-clock nanoseconds

  const std::thread::id caller = std::this_thread::get_id();

  bool check();  // true: stop
};

}  // namespace elman
