#include "pass/loss.h"

#include "core/index.h"

namespace elman {
namespace {

// The answers of row b that this chunk brings, counted by their weight; `first`: of the first one.
template <class Real> double answers_of(const Answers<Real>& answers, Index first, Index steps) {
  if (first < 0) return 0;
  if (!answers.missing && !answers.class_weight && !answers.row_weight) return static_cast<double>(steps);
  double given = 0;
  for (Index t = 0; t < steps; ++t) given += answers.weight(first + t);
  return given;
}

}  // namespace

bool fused(const Spec& spec, Loss loss) {
  const Operation& last = spec.operations.back();
  if (last.type != Operation::Type::dense) return false;
  return (loss == Loss::cross_entropy && last.activation == Activation::softmax) ||
         (loss == Loss::binary_cross_entropy && last.activation == Activation::sigmoid);
}

bool fits(const Spec& spec, Loss loss) { return loss == Loss::squared_error || fused(spec, loss); }

template <class Real>
void Rows<Real>::prepare(const Spec& spec, const Data& data, const Answers<Real>& answers,
                         const Objective& objective, const Batch& batch, const Chunk& chunk) {
  const std::size_t B = to_size(chunk.B);
  first.resize(B);
  scale.resize(B);
  weight.resize(B);
  sums.assign(to_size(sum_count) * B, 0.0);
  total = 0;
  for (std::size_t b = 0; b < B; ++b) {
    const Index row = batch.row[b], in_chunk = static_cast<Index>(b);
    const Index steps = spec.per_step ? chunk.length(batch, in_chunk) : 1;
    if (spec.per_step) first[b] = static_cast<Index>(data.offsets[row]) + chunk.t0;
    else first[b] = chunk.ends(batch, in_chunk) ? row : -1;
    weight[b] = objective.weights ? objective.weights[row] : 1.0;
    total += weight[b] * answers_of(answers, first[b], steps);
  }
  divisor = objective.mean ? total : 1;
  for (std::size_t b = 0; b < B; ++b)
    scale[b] = static_cast<Real>(objective.mean ? weight[b] / total : weight[b]);
}

template <class Real>
void Rows<Real>::move_to(const Data& data, const Batch& batch, const Chunk& stretch, Index first_row) {
  for (Index b = 0; b < stretch.B; ++b)
    first[to_size(first_row + b)] = static_cast<Index>(data.offsets[batch.row[to_size(b)]]) + stretch.t0;
}

template <class Real>
void Rows<Real>::run(Pass<Real>& pass, const Spec& spec, const Answers<Real>& answers, Loss loss,
                     Index first_row, Index b0, Index b1, bool gradient) {
  const std::size_t last = spec.operations.size() - 1;
  const Index C = spec.output_size, ld = pass.ld(last);
  // The outputs themselves are still needed for the derivative of an activation that the loss leaves alone.
  const bool copy = !fused(spec, loss);
  // n rows of outputs from `row` on, the first of them of row b of the pass. `steps`: they are steps of one
  // row.
  const auto some = [&](Index row, Index b, Index n, Index t, bool steps) {
    Real* y = pass.cotangents(last) + row * ld;  // [n, C]
    if (copy) std::copy_n(pass.outputs(last) + row * ld, n * ld, y);
    const std::size_t r = to_size(first_row + b);
    const LossRows<Real> rows{.loss = loss,
                              .C = C,
                              .classes = answers.classes,
                              .values = answers.values,
                              .class_weight = answers.class_weight,
                              .row_weight = answers.row_weight,
                              .divisor = divisor,
                              .first = first.data() + r,
                              .scale = gradient ? scale.data() + r : nullptr,
                              .weight = weight.data() + r,
                              .sums = sums.data() + to_size(sum_count) * r,
                              .steps = steps};
    kernels<Real>().loss(rows, y, ld, n, t);
  };
  // The steps of a single row lie together.
  if (spec.per_step && pass.batch_rows() == 1) return some(0, 0, pass.rows_of_steps(), 0, true);
  pass.over_rows(spec.per_step, b0, b1,
                 [&](Index row, Index b, Index n, Index t) { some(row, b, n, t, false); });
}

template <class Real> void Rows<Real>::add_to(Sums& out) const {
  for (std::size_t i = 0; i < sums.size(); ++i) out.v[i % to_size(sum_count)] += sums[i];
}

template struct Rows<float>;
template struct Rows<double>;

}  // namespace elman
