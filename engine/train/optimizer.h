// One step of an optimizer over all parameters.
#pragma once

#include <utility>
#include <vector>

#include "core/index.h"

namespace elman {

// In double, whose range holds the square of every float, and in eight sums, whatever the machine.
template <class Real> double square_sum(const Real* x, Index n);

template <class Real> struct Optimizer {
  UpdateRule rule;
  Real* m;                                         // [P] first moments, or null
  Real* v;                                         // [P] second moments, or null
  std::vector<std::pair<Index, Index>> trainable;  // ranges of the parameters
  double clip_norm;                                // 0: none
  const Real* lower = nullptr;  // [P] what each parameter must lie between after every step, or null
  const Real* upper = nullptr;

  // One step with the gradient [P]; `step` counts from 1. false: the norm is not finite, nothing was changed.
  // Where the bounds leave a parameter no room its gradient becomes 0.
  bool apply(Real* parameters, Real* gradient, double rate, Index step, int n_threads) const;
};

}  // namespace elman
