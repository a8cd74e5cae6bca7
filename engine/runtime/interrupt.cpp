#include "runtime/interrupt.h"

#include <chrono>

namespace elman {

bool Interrupt::check() {
  if (stop.load(std::memory_order_relaxed)) return true;
  if (!poll || std::this_thread::get_id() != caller) return false;
  const long long now = std::chrono::steady_clock::now().time_since_epoch().count();
  if (now < next) return false;
  next = now + 100'000'000;
  if (poll(context)) stop.store(true);
  return stop.load();
}

}  // namespace elman
