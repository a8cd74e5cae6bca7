// Random orders from a counter: an epoch's order depends on (key, epoch, n) alone, so the random state of
// training is a number.
#pragma once

#include <cstdint>

#include "kernels/table.h"

namespace elman {

// order [n]: a permutation of 0 .. n-1. Fisher and Yates' shuffle over SplitMix64 (Steele, Lea and Flood,
// OOPSLA 2014, p. 459).
inline void shuffle(std::uint64_t key, std::uint64_t epoch, Index n, std::int64_t* order) {
  const auto mix = [](std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  };
  std::uint64_t state = mix(key + 0x9e3779b97f4a7c15ull) ^ mix(epoch * 0xd1342543de82ef95ull + 1);
  for (Index i = 0; i < n; ++i) order[i] = i;
  for (Index i = n - 1; i > 0; --i) {
    const std::uint64_t range = static_cast<std::uint64_t>(i) + 1;
    std::uint64_t x;
    do {  // every place equally likely: the uneven end of the range is drawn again
      state += 0x9e3779b97f4a7c15ull;
      x = mix(state);
    } while (x >= ~std::uint64_t{0} - ~std::uint64_t{0} % range);
    const Index j = static_cast<Index>(x % range);
    const std::int64_t held = order[i];
    order[i] = order[j];
    order[j] = held;
  }
}

}  // namespace elman
