// Whole forward calls: predict, states, evaluate.
#pragma once

#include <vector>

#include "pass/loss.h"
#include "pass/network.h"

namespace elman {

// What a forward run over all sequences leaves behind; null where it is not wanted.
template <class Real> struct Wanted {
  Real* outputs = nullptr;    // [n or N, C]
  std::vector<Real*> states;  // [N, H] a recurrent layer
  const Answers<Real>* answers = nullptr;
  Loss loss = Loss::squared_error;
  const double* weights = nullptr;  // [n]
  Sums sums;
  std::vector<Real*> carry;          // [n, state size] a recurrent layer, read and overwritten
  std::vector<const Real*> initial;  // the same, read alone, where there is no carry; or empty: zeros
  const Dropout* dropout = nullptr;
};

// false: interrupted.
template <class Real>
bool run_forward(const Network<Real>& network, const Data& data, Wanted<Real>& wanted, Interrupt& interrupt,
                 int n_threads);

}  // namespace elman
