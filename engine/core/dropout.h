// Dropout masks from a counter: a row's mask depends on (key, epoch, row, half of a layer) alone, so it is
// the same on any number of threads and after a pause.
#pragma once

#include <cstdint>

#include "core/splitmix.h"
#include "kernels/table.h"

namespace elman {

struct Dropout {
  std::uint64_t key, epoch;

  // mask [n]: 0 with probability p, otherwise 1 / (1 - p). `stream` tells the masks of one row apart.
  template <class Real> void mask(Index row, std::uint64_t stream, double p, Index n, Real* out) const {
    std::uint64_t state = splitmix(key + splitmix_step);
    state = splitmix(state + epoch * 0xd1342543de82ef95ull + 1);
    state = splitmix(state + static_cast<std::uint64_t>(row) * 0x2545f4914f6cdd1dull + 1);
    state = splitmix(state + stream * 0x9e6c63d0876a9a99ull + 1);
    const Real scale = static_cast<Real>(1.0 / (1.0 - p));
    for (Index j = 0; j < n; ++j) {
      state += splitmix_step;
      out[j] = static_cast<double>(splitmix(state) >> 11) * 0x1p-53 < p ? Real(0) : scale;
    }
  }
};

}  // namespace elman
