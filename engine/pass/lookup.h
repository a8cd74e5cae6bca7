// Products with an input of integers: of the vector that an integer stands for one element alone is not zero,
// so a product is a row of the kernel, and the kernel's gradient is added row by row.
#pragma once

#include <vector>

#include "core/spec.h"
#include "runtime/dispatch.h"

namespace elman {

// y [n, out] = f(the rows of a dense layer's kernel + bias); a softmax is left to the caller.
template <class Real>
void look_up(const Operation& op, const Real* parameters, const int* index, Index n, Real* y, Index ldy,
             Activation f);

// out [., N] += value[r] d[r] to the row index[r], for the rows r = first .. first + count of d [., N]. What
// comes to one row of `out` is summed from zero in the order of r, then added. `sorted` is scratch.
template <class Real>
void scatter(const int* index, const Real* value, const Real* d, Index ldd, Index N, Index first, Index count,
             Real* out, std::vector<Segment>& sorted);

}  // namespace elman
