// From the rows of a pass, which lie by step, to the caller's order.
#pragma once

#include <algorithm>
#include <vector>

#include "pass/pass.h"

namespace elman {

// Rows of one operation's buffer, `ld` apart, to `out`, rows `ldo` apart: per step at the step, per sequence
// at the sequence (where it ends in this chunk).
template <class Real> struct BySequence {
  const Pass<Real>& pass;
  const Batch& batch;
  const Chunk& chunk;

  void copy(bool steps, const Real* from, Index ld, Index columns, Real* out, Index ldo,
            bool reverse = false) const {
    pass.over_rows(steps, 0, chunk.B, [&](Index row, Index b, Index count, Index t) {
      for (Index r = 0; r < count; ++r) {
        if (!steps && !chunk.ends(batch, b + r)) continue;
        const std::size_t s = to_size(b + r);
        const Index to = steps ? batch.start[s] + chunk.t0 + t : batch.row[s];
        const Index source = reverse ? pass.row_of(b + r, t, true) : row + r;
        std::copy_n(from + source * ld, columns, out + to * ldo);
      }
    });
  }
};

// out [n or N, C]
template <class Real>
void copy_outputs(Pass<Real>& pass, const Spec& spec, const Batch& batch, const Chunk& chunk, Real* out) {
  const std::size_t last = spec.operations.size() - 1;
  const Index C = spec.output_size;
  BySequence<Real>{pass, batch, chunk}.copy(spec.per_step, pass.outputs(last), pass.ld(last), C, out, C);
}

// out [N, H] a recurrent layer, [N, 2 H] of a bidirectional one
template <class Real>
void copy_states(Pass<Real>& pass, const Spec& spec, const Batch& batch, const Chunk& chunk,
                 const std::vector<Real*>& out) {
  for (std::size_t i = 0; i < spec.operations.size(); ++i) {
    const Operation& op = spec.operations[i];
    if (op.type != Operation::Type::recurrent) continue;
    Real* half = out[to_size(op.layer)] + op.direction * op.out;
    BySequence<Real>{pass, batch, chunk}.copy(true, pass.outputs(i), pass.ld(i), op.out, half,
                                              op.directions * op.out, op.reverse);
  }
}

}  // namespace elman
