// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, p. 459): the random numbers of shuffles and dropout masks.
#pragma once

#include <cstdint>

namespace elman {

constexpr std::uint64_t splitmix_step = 0x9e3779b97f4a7c15ull;

// Every bit of z changes about half of the bits of the result.
inline std::uint64_t splitmix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace elman
