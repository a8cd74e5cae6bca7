// Random orders from a counter: an epoch's order depends on (key, epoch, n) alone, so the random state of
// training is a number.
#pragma once

#include <cstdint>

#include "core/splitmix.h"
#include "kernels/table.h"

namespace elman {

// order [n]: a permutation of 0 .. n-1, by Fisher and Yates' shuffle.
inline void shuffle(std::uint64_t key, std::uint64_t epoch, Index n, std::int64_t* order) {
  std::uint64_t state = splitmix(key + splitmix_step) ^ splitmix(epoch * 0xd1342543de82ef95ull + 1);
  for (Index i = 0; i < n; ++i) order[i] = i;
  for (Index i = n - 1; i > 0; --i) {
    const std::uint64_t range = static_cast<std::uint64_t>(i) + 1;
    std::uint64_t x;
    do {  // every place equally likely: the uneven end of the range is drawn again
      state += splitmix_step;
      x = splitmix(state);
    } while (x >= ~std::uint64_t{0} - ~std::uint64_t{0} % range);
    const Index j = static_cast<Index>(x % range);
    const std::int64_t held = order[i];
    order[i] = order[j];
    order[j] = held;
  }
}

}  // namespace elman
