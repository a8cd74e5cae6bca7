// What the loss sees of a minibatch, and what it says to it.
#pragma once

#include <algorithm>
#include <vector>

#include "core/data.h"
#include "pass/pass.h"

namespace elman {

// Weighted loss, weight, metric 1, metric 2, metric weight.
constexpr Index sum_count = 5;
struct Sums {
  double v[sum_count] = {0, 0, 0, 0, 0};
};

struct Objective {
  Loss loss;
  bool mean;  // divide by the answers (their weight) of an update?
  double l2;
  const double* weights;  // [n] or null
};

// Is the last activation part of this loss?
bool fused(const Spec& spec, Loss loss);

// Does this loss fit the last activation? Cross-entropy needs probabilities, the binary one sigmoids; both
// are computed from the sums before.
bool fits(const Spec& spec, Loss loss);

// The loss's view of a minibatch's rows: which target each has, and what its gradient is multiplied by.
template <class Real> struct Rows {
  std::vector<Index> first;    // [B] of its targets; -1: it has none in this chunk
  std::vector<Real> scale;     // [B]
  std::vector<double> weight;  // [B]
  std::vector<double> sums;    // [B, 5]
  double total = 0;            // weight of the answers
  double divisor = 1;          // of the gradient: the total for the mean, or 1

  void prepare(const Spec& spec, const Data& data, const Answers<Real>& answers, const Objective& objective,
               const Batch& batch, const Chunk& chunk);
  // Answers per step: to those of a part of the chunk.
  void move_to(const Data& data, const Batch& batch, const Chunk& stretch, Index first_row);
  // Loss of rows b0 .. b1 of a pass, whose first is the batch's `first_row`, on what the last operation gave;
  // `gradient`: its cotangent too.
  void run(Pass<Real>& pass, const Spec& spec, const Answers<Real>& answers, Loss loss, Index first_row,
           Index b0, Index b1, bool gradient);
  std::vector<double> sums_of(Index first_row, Index n) const {
    return {sums.begin() + sum_count * first_row, sums.begin() + sum_count * (first_row + n)};
  }
  void set_sums(Index first_row, const std::vector<double>& from) {
    std::copy(from.begin(), from.end(), sums.begin() + sum_count * first_row);
  }
  void add_to(Sums& sums) const;
};

}  // namespace elman
