// Forward sensitivities: the derivatives of every state of one row by every parameter, carried from step to
// step.
//
// They are stored by state: a row of P numbers for each state of each layer, [states H, P]. So a step of any
// cell is one product,
//   S_t = M S_{t-1} + N D_t + direct terms,
// where M [states H, states H] is the derivative of the cell's states by its states before and N [states H,
// F] by its input (both follow from what the step kept), D_t the tangents of the input, and the direct terms
// those of the parameters themselves. Parameters lie layer by layer: those at or below a layer are a prefix
// of the columns, and the rest of its tangents is zero and not kept. Derivation: docs/second_order.md.
#pragma once

#include "pass/pass.h"

namespace elman {

template <class Real> class Tangents {
 public:
  explicit Tangents(const Spec& spec);

  // Pools of all steps and rows read from their end have no tangents here.
  static bool possible(const Spec& spec);
  // Multiply-adds of a step.
  static Index work(const Spec& spec);

  // What one thread needs besides.
  struct Scratch {
    std::vector<Real> m, n, factors;
  };

  void reset();
  // Step t (counted from 0 since reset) for the columns p0 .. p1, whole lines; at [operations]. `answered`:
  // up to the outputs, otherwise the states alone; `sums`: of the last operation before its activation.
  // Threads may take different columns of the same step.
  void step(const Real* parameters, const Footprint<Real>* at, Index t, bool answered, bool sums, Index p0,
            Index p1, Scratch& scratch);
  // After step t: the tangents of output c, [P].
  const Real* output(Index c, Index t) const;
  // Tangents of the states of the recurrent operation `op` after step t, [states H, columns], rows ld()
  // apart; t = -1: of the initial states.
  Real* states(std::size_t op, Index t) { return buffer_[op].data() + ((t + 1) & 1) * rows_[op] * ld_[op]; }
  Index ld(std::size_t op) const { return ld_[op]; }
  Index rows(std::size_t op) const { return rows_[op]; }
  Index columns(std::size_t op) const { return columns_[op]; }

 private:
  struct Below {
    const Real* data;
    Index ld, columns;
  };
  Below below(std::size_t op, Index t) const;
  void recurrent(std::size_t op, const Real* w, const Footprint<Real>& at, Index t, Index p0, Index p1,
                 Scratch& scratch);
  void dense(std::size_t op, const Real* w, const Footprint<Real>& at, Index t, bool sums, Index p0, Index p1,
             Scratch& scratch);
  void product(std::size_t op, const Real* m, Index K, const Real* n, Index L, const Below& in,
               const Real* before, Real* after, Index p0, Index p1) const;

  const Spec& spec_;
  const KernelTable<Real>& kernels_;
  std::size_t top_ = 0;  // the uppermost recurrent operation
  std::vector<Index> rows_, ld_, columns_;
  std::vector<Buffer<Real>> buffer_;  // recurrent: before and after a step by turns; dense: one
};

}  // namespace elman
