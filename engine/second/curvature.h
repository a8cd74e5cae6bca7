// Exact derivatives of every answer by every parameter, and the Gauss-Newton matrix that they make with a
// loss.
#pragma once

#include "pass/loss.h"
#include "pass/network.h"

namespace elman {

// How derivatives of answers are found: forward, by tangents that walk beside the states (best where each
// step has an answer), or backward, one walk an output of an answer (best for one answer a row, and for any
// network). Both give the same numbers but for rounding.
enum class Way : int { automatic = 0, tangents = 1, reverse = 2 };

// The matrix [P, P], sum over answers of J' W J, and the gradient [P] of the loss, both undivided and without
// l2; J [C, P] are the derivatives of what the loss is computed from (the sums before a softmax or sigmoid
// that belongs to it, otherwise the outputs), W [C, C] is the second derivative of the loss by those. false:
// interrupted.
template <class Real>
bool gauss_newton(const Network<Real>& network, const Data& data, const Answers<Real>& answers, Loss loss,
                  const double* weights, Way way, Real* matrix, Real* gradient, Sums& sums,
                  Interrupt& interrupt, int n_threads);

// out [n or N, C, P]: the derivatives of every output, activation included.
template <class Real>
bool jacobian(const Network<Real>& network, const Data& data, Way way, Real* out, Interrupt& interrupt,
              int n_threads);

}  // namespace elman
