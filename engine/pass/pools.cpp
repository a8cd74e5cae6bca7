// Operations without weights: pools over the steps of a row, and joins of two directions.
#include <algorithm>
#include <limits>

#include "pass/pass.h"

namespace elman {

template <class Real> void Pass<Real>::pool_forward(Part& part, Index b0, Index b1) {
  const Operation& op = part.op;
  const Input in = input_of(part);
  if (op.pool != Pool::last) add_to_pool(part, b0, b1);
  for (Index b = b0; b < b1; ++b) {
    const Index length = chunk_->length(*batch_, b);
    const Real* total = part.total.data() + b * part.ld;
    Real* to = part.value.data() + b * part.ld;
    switch (op.pool) {
      case Pool::last: std::copy_n(in.data + chunk_->row(length - 1, b) * in.ld, op.out, to); break;
      case Pool::mean: kernels_.divide(to, total, static_cast<Real>(chunk_->t0 + length), op.out); break;
      case Pool::max: std::copy_n(total, op.out, to); break;
    }
  }
}

// The sum or maximum of each row, from its first step on.
template <class Real> void Pass<Real>::add_to_pool(Part& part, Index b0, Index b1) {
  const Operation& op = part.op;
  const Input in = input_of(part);
  over_rows(true, b0, b1, [&](Index row, Index b, Index n, Index t) {
    const Real* h = in.data + row * in.ld;          // [n, H]
    Real* total = part.total.data() + b * part.ld;  // [n, H]
    const bool first = chunk_->t0 + t == 0;
    if (!first) return kernels_.pool_add(op.pool, total, part.ld, h, in.ld, n, op.out);
    for (Index r = 0; r < n; ++r) std::copy_n(h + r * in.ld, op.out, total + r * part.ld);
  });
}

// The cotangent of what was pooled, into the operation below.
template <class Real> void Pass<Real>::pool_backward(Part& part, Index b0, Index b1) {
  const Pool pool = part.op.pool;
  Buffer<Real> scratch(pool == Pool::last ? 0 : part.ld);
  for (Index b = b0; b < b1; ++b) {
    switch (pool) {
      case Pool::last: last_backward(part, b); break;
      case Pool::mean: mean_backward(part, b, scratch.data()); break;
      case Pool::max: max_backward(part, b, scratch.data()); break;
    }
  }
}

// To the last step of the row, if it is in this chunk.
template <class Real> void Pass<Real>::last_backward(const Part& part, Index b) {
  if (b < chunk_->later()) return;
  Part& below = part_below(part);
  const Index row = cotangent_row(below, b, chunk_->length(*batch_, b) - 1, false);
  std::copy_n(part.cotangent.data() + b * part.ld, part.op.out, below.cotangent.data() + row * below.ld);
}

// To every step, divided by their number. scratch [H]
template <class Real> void Pass<Real>::mean_backward(const Part& part, Index b, Real* scratch) {
  Part& below = part_below(part);
  const Real* d = part.cotangent.data() + b * part.ld;
  kernels_.divide(scratch, d, static_cast<Real>(batch_->length[to_size(b)]), part.op.out);
  for (Index t = 0; t < chunk_->length(*batch_, b); ++t)
    std::copy_n(scratch, part.op.out, below.cotangent.data() + chunk_->row(t, b) * below.ld);
}

// To the first step that reached the maximum. scratch [H]: the maximum, which becomes NaN once it is found.
template <class Real> void Pass<Real>::max_backward(const Part& part, Index b, Real* scratch) {
  Part& below = part_below(part);
  const Index H = part.op.out;
  const Input in = input_of(part);
  std::copy_n(part.value.data() + b * part.ld, H, scratch);
  if (repeated_ && chunk_->t0 > 0) {
    // What was reached before this stretch has its first step there.
    const Real* before = start_of(part) + b * part.ld;
    for (Index j = 0; j < H; ++j)
      if (scratch[j] == before[j]) scratch[j] = std::numeric_limits<Real>::quiet_NaN();
  }
  const Real* d = part.cotangent.data() + b * part.ld;
  for (Index t = 0; t < chunk_->length(*batch_, b); ++t) {
    const Index row = chunk_->row(t, b);
    kernels_.max_backward(below.cotangent.data() + row * below.ld, in.data + row * in.ld, scratch, d, H);
  }
}

// Both halves side by side: step by step, the second reversed back, or the last state of each. The first half
// stands before the second.
template <class Real> void Pass<Real>::join_forward(Part& part, Index b0, Index b1) {
  const Operation& op = part.op;
  const std::size_t below = to_size(op.input);
  Part& first = parts_[below - 1];
  Part& second = parts_[below];
  for (Index b = b0; b < b1; ++b) {
    const Index length = chunk_->length(*batch_, b);
    for (Index t = op.steps_out ? 0 : length - 1; t < length; ++t) {
      const Index row = row_of(b, t, false), second_row = row_of(b, t, op.steps_out);
      Real* to = part.value.data() + (op.steps_out ? row : b) * part.ld;
      std::copy_n(outputs(first) + row * first.ld, op.in, to);
      std::copy_n(outputs(second) + second_row * second.ld, op.in, to + op.in);
    }
  }
}

template <class Real> void Pass<Real>::join_backward(Part& part, Index b0, Index b1) {
  const Operation& op = part.op;
  const std::size_t below = to_size(op.input);
  Part& first = parts_[below - 1];
  Part& second = parts_[below];
  for (Index b = b0; b < b1; ++b) {
    const Index length = chunk_->length(*batch_, b);
    for (Index t = op.steps_out ? 0 : length - 1; t < length; ++t) {
      const Index row = op.steps_out ? row_of(b, t, false) : b;
      const Index first_row = cotangent_row(first, b, t, false);
      const Index second_row = cotangent_row(second, b, t, op.steps_out);
      const Real* d = part.cotangent.data() + row * part.ld;  // [2 H]
      std::copy_n(d, op.in, first.cotangent.data() + first_row * first.ld);
      std::copy_n(d + op.in, op.in, second.cotangent.data() + second_row * second.ld);
    }
  }
}

#define ELMAN_INSTANTIATE(Real)                                 \
  template void Pass<Real>::pool_forward(Part&, Index, Index);  \
  template void Pass<Real>::pool_backward(Part&, Index, Index); \
  template void Pass<Real>::join_forward(Part&, Index, Index);  \
  template void Pass<Real>::join_backward(Part&, Index, Index);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
