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

#include "second/factors.h"

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
  Real* states(std::size_t op, Index t) { return states(parts_[op], t); }
  Index ld(std::size_t op) const { return parts_[op].ld; }
  Index rows(std::size_t op) const { return parts_[op].rows; }
  Index columns(std::size_t op) const { return parts_[op].columns; }

 private:
  // Of one operation: the tangents [rows, columns] of its states, or of its outputs.
  struct Part {
    const Operation& op;
    Index rows, columns, ld;
    Buffer<Real> buffer;  // of a recurrence: before and after a step by turns; otherwise of one step
    Index size() const { return rows * ld; }
    Index turns() const { return op.type == Operation::Type::recurrent ? 2 : 1; }
  };
  // The tangents of an operation's input [F, columns]; beyond the columns they are zero.
  struct Below {
    const Real* data;
    Index ld, columns;
  };
  // Columns p0 .. p1 of one step of one operation.
  struct Step {
    const Real* w;  // [P]
    Index t, p0, p1;
  };
  static Index columns_of(const Spec& spec, std::size_t op);
  Real* states(Part& part, Index t) { return part.buffer.data() + ((t + 1) & 1) * part.size(); }
  Below below(std::size_t op, Index t) const;
  void recurrent(std::size_t op, const Footprint<Real>& at, const Step& step, Scratch& scratch);
  void add_direct(Part& part, const Factors<Real>& f, const Footprint<Real>& at, const Step& step);
  void add_parameters(Part& part, const Factors<Real>& f, bool of_h, Index g, Index first, Real input,
                      const Step& step);
  void dense(std::size_t op, const Footprint<Real>& at, const Step& step, bool sums, Scratch& scratch);
  void product(const Part& part, const Real* m, Index K, const Real* n, Index L, const Below& in,
               const Real* before, Real* after, const Step& step) const;

  const Spec& spec_;
  const KernelTable<Real>& kernels_;
  std::size_t top_ = 0;      // the uppermost recurrent operation
  std::vector<Part> parts_;  // one an operation
};

}  // namespace elman
