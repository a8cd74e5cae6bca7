// The derivatives of all answers by all parameters, block by block.
#pragma once

#include <functional>
#include <vector>

#include "pass/network.h"
#include "second/loss_curvature.h"
#include "second/tangents.h"

namespace elman {

// These phases are waited for several times in each call, so that threads must have more to do.
constexpr Index second_order_grain = 4;

// Goes over all answers in blocks that sizes alone fix.
template <class Real> class Derivatives {
 public:
  Derivatives(const Network<Real>& network, const Data& data, const LossCurvature<Real>& loss,
              Interrupt& interrupt, int n_threads);

  // Gets so many blocks [C, P] of J (and, with a loss, [C, P + 1] of W J), one for each answer of the chunk
  // in its order; false: interrupted.
  using Take = std::function<bool(Index answers, const Batch& batch, const Chunk& chunk)>;
  // Forward, by tangents that walk beside the states; or backward, one walk an output of an answer.
  bool by_tangents(const Take& take);
  bool by_reverse(const Take& take);

  Sums sums;
  const Index ld;      // from row to row of J and W J
  Buffer<Real> J, WJ;  // [answers, C, ld]

 private:
  void reserve(Index answers);
  Real* J_of(Index answer) const { return J.data() + answer * C_ * ld; }
  Real* WJ_of(Index answer) const { return WJ.data() + answer * C_ * ld; }
  void nothing(Index answer);
  // Answers of row b in the chunk, and where they stand.
  Index answers_of(Index b) const { return spec_.per_step ? chunk_.length(batch_, b) : 1; }
  Index place_of(Index b, Index t) const { return spec_.per_step ? chunk_.row(t, b) : b; }

  // By tangents. Each bool false: interrupted.
  std::vector<Tangents<Real>> tangents_side_by_side(Index most) const;
  Index rows_side_by_side() const;
  bool chunk_by_tangents(Pass<Real>& pass, std::vector<Tangents<Real>>& tangents, int threads);
  bool row_by_tangents(Pass<Real>& pass, Tangents<Real>& tangents, Index b, Index p0, Index p1,
                       std::vector<Footprint<Real>>& at, typename Tangents<Real>::Scratch& scratch);
  void weigh_chunk(int threads);

  // In reverse: one sequence alone.
  struct Alone {
    Batch batch;
    Chunk chunk;
    LossCurvature<Real> loss;
    Sums sums;
  };
  bool forward_alone(Pass<Real>& pass, Index row, Alone& alone);
  bool reverse_answer(Pass<Real>& pass, const Alone& alone, Index t, Index answer);
  bool reverse_steps(const Take& take, Index most);
  bool reverse_rows(const Take& take, Index most, int threads);
  void add(const Sums& own);

  const Spec& spec_;
  const Real* parameters_;
  const Data& data_;
  Interrupt& interrupt_;
  const int threads_;
  const Index C_, P_;
  const Index block_;  // rows of J, or somewhat more
  LossCurvature<Real> loss_;
  Batch all_, batch_;
  Chunk chunk_;
  Weights<Real> weights_;
};

}  // namespace elman
