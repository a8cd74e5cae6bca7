// Whole numbers: Index counts everything in the engine, std::size_t the elements of its vectors.
#pragma once

#include <cstddef>

#include "kernels/table.h"

namespace elman {

constexpr std::size_t to_size(Index i) { return static_cast<std::size_t>(i); }

constexpr Index round_up(Index n, Index to) { return (n + to - 1) / to * to; }

}  // namespace elman
