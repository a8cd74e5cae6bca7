#include "second/loss_curvature.h"

#include <algorithm>

#include "core/index.h"

namespace elman {

template <class Real>
void LossCurvature<Real>::read(Pass<Real>& pass, const Batch& batch, const Chunk& chunk, Sums& total) {
  if (!answers_) return;
  const std::size_t last = spec_.operations.size() - 1;
  const Index C = spec_.output_size, ld = pass.ld(last), n = spec_.per_step ? chunk.N : chunk.B;
  const auto copy = [&](const Real* from, std::vector<Real>& to) {
    to.resize(to_size(n * C));
    for (Index r = 0; r < n; ++r) std::copy_n(from + r * ld, C, to.data() + r * C);
  };
  rows_.prepare(spec_, data_, *answers_, {loss_, false, 0, weights_}, batch, chunk);
  if (of_sums_) {
    Buffer<Real> values(n * ld);
    std::copy_n(pass.cotangents(last), n * ld, values.data());
    kernels<Real>().activate(spec_.operations[last].activation, values.data(), ld, n, C);
    copy(values.data(), outputs_);
  } else {
    copy(pass.outputs(last), outputs_);
  }
  rows_.run(pass, spec_, *answers_, loss_, 0, 0, chunk.B, true);
  copy(pass.cotangents(last), cotangents_);
  rows_.add_to(total);
}

template <class Real> bool LossCurvature<Real>::given(Index b, Index t) const {
  if (!answers_) return true;
  const Index first = rows_.first[to_size(b)];
  return first >= 0 && answers_->weight(first + t) > 0 && rows_.scale[to_size(b)] != 0;
}

template <class Real>
void LossCurvature<Real>::weigh(const Real* J, Real* WJ, Index ld, Index row, Index b, Index t) const {
  const Index C = spec_.output_size, P = spec_.parameter_count;
  const Index target = rows_.first[to_size(b)] + t;
  const Real* y = outputs_.data() + row * C;
  const Real scale = scale_of(b, target);
  if (loss_ == Loss::cross_entropy) weigh_softmax(J, WJ, ld, y, target, scale);
  else weigh_elements(J, WJ, ld, y, target, scale);
  for (Index c = 0; c < C; ++c) WJ[c * ld + P] = cotangents_[to_size(row * C + c)];
}

// What the loss of an answer is multiplied by.
template <class Real> Real LossCurvature<Real>::scale_of(Index b, Index target) const {
  Real scale = rows_.scale[to_size(b)];
  if (answers_->class_weight || answers_->row_weight) scale *= static_cast<Real>(answers_->weight(target));
  return scale;
}

// W is diag y - y y', times the sum of the targets: each row of J less the mean of all, times its y.
template <class Real>
void LossCurvature<Real>::weigh_softmax(const Real* J, Real* WJ, Index ld, const Real* y, Index target,
                                        Real scale) const {
  const Index C = spec_.output_size, P = spec_.parameter_count;
  Real total = 1;
  if (answers_->values) {
    total = 0;
    for (Index c = 0; c < C; ++c) total += answers_->values[target * C + c];
  }
  Real* mean = WJ;  // the first row serves for it until it is written, last
  std::fill_n(mean, P, Real(0));
  for (Index c = 0; c < C; ++c)
    for (Index i = 0; i < P; ++i) mean[i] += y[c] * J[c * ld + i];
  for (Index c = C; c-- > 0;) {
    const Real factor = scale * total * y[c];
    for (Index i = 0; i < P; ++i) WJ[c * ld + i] = factor * (J[c * ld + i] - mean[i]);
  }
}

// W is diagonal: 1 for the squared error, y (1 - y) for the binary cross-entropy, 0 where there is no answer.
template <class Real>
void LossCurvature<Real>::weigh_elements(const Real* J, Real* WJ, Index ld, const Real* y, Index target,
                                         Real scale) const {
  const Index C = spec_.output_size, P = spec_.parameter_count;
  for (Index c = 0; c < C; ++c) {
    const Real* value = answers_->classes ? nullptr : answers_->values + target * C + c;
    const bool known = !value || *value == *value;
    Real factor = 0;
    if (known) factor = loss_ == Loss::squared_error ? scale : scale * y[c] * (Real(1) - y[c]);
    for (Index i = 0; i < P; ++i) WJ[c * ld + i] = factor * J[c * ld + i];
  }
}

template class LossCurvature<float>;
template class LossCurvature<double>;

}  // namespace elman
