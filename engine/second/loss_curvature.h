// What a loss says of the answers of some rows: its derivatives by them, the first and the second.
#pragma once

#include <vector>

#include "pass/loss.h"

namespace elman {

template <class Real> class LossCurvature {
 public:
  // answers: null where there is no loss, and the derivatives of the outputs alone are wanted.
  LossCurvature(const Spec& spec, const Data& data, const Answers<Real>* answers, Loss loss,
                const double* weights)
      : spec_(spec),
        data_(data),
        answers_(answers),
        loss_(loss),
        weights_(weights),
        of_sums_(answers && fused(spec, loss)) {}

  bool wanted() const { return answers_; }
  // Is the loss computed from the sums before the last activation, so that derivatives are those of the sums?
  bool of_sums() const { return of_sums_; }

  // After a forward pass: reads the outputs and their cotangents, and adds up losses and metrics.
  void read(Pass<Real>& pass, const Batch& batch, const Chunk& chunk, Sums& total);
  // Is there an answer that counts? Of row b, at its step t or 0.
  bool given(Index b, Index t) const;
  // J [C, P] to W J [C, P + 1], whose last column is the cotangent; both have rows `ld` apart. `row`: of the
  // outputs that were read.
  void weigh(const Real* J, Real* WJ, Index ld, Index row, Index b, Index t) const;

 private:
  Real scale_of(Index b, Index target) const;
  void weigh_softmax(const Real* J, Real* WJ, Index ld, const Real* y, Index target, Real scale) const;
  void weigh_elements(const Real* J, Real* WJ, Index ld, const Real* y, Index target, Real scale) const;

  const Spec& spec_;
  const Data& data_;
  const Answers<Real>* answers_;
  Loss loss_;
  const double* weights_;
  bool of_sums_;
  Rows<Real> rows_;
  std::vector<Real> outputs_, cotangents_;  // [rows, C]
};

}  // namespace elman
