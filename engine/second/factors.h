// The derivatives of a cell's states by its sums and by the states before, unit by unit.
#pragma once

#include <vector>

#include "pass/pass.h"

namespace elman {

// The derivative of an activation, from its value y.
template <class Real> Real slope(Activation f, Real y);

// How the states after a step follow from the sums of its gates, and directly from the states before.
template <class Real> struct Factors {
  Index H, G;
  Real* of_x;     // [states, G, H] by the sum that x adds to
  Real* of_h;     // [states, G, H] by the sum that h adds to: they differ in the candidate of gru
  Real* pass;     // [states, states, H] by the states before
  Real* reset;    // of gru_before, or null: [H, H] of unit j's state by the reset gate's sum of unit m
  const Real* r;  // of gru_before, or null: [H] the reset gate; of_h of the candidate is then against r h

  // Both sums of gate g have this derivative.
  void set_both(Index state, Index g, Index j, Real value) const {
    const Index i = (state * G + g) * H + j;
    of_x[i] = of_h[i] = value;
  }
};

// Of one step, whose footprint is `at`. They lie in `store`.
template <class Real>
Factors<Real> factors_of(const Operation& op, const Real* parameters, const Footprint<Real>& at,
                         std::vector<Real>& store);

// out [states H, K] = the derivative of the states by the K inputs of a kernel [K, G H], through the sums of
// its gates. factors [states, G, H]: of_x, or of_h for the recurrent kernel.
template <class Real>
void through_kernel(const Operation& op, const Factors<Real>& f, bool of_h, const Real* kernel, Index K,
                    Real* out, Index ldo);

}  // namespace elman
