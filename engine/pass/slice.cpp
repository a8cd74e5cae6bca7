#include "pass/slice.h"

#include <algorithm>

namespace elman {
namespace {

constexpr Index cached = 1 << 20;  // bytes that a core's own cache holds beside weights

// Few steps are soon gone through: what there is to be done for every slice would weigh too much.
Index fewest_steps(const Spec& spec) {
  return std::max<Index>(32, 1'000'000 / (3 * slice_rows * std::max<Index>(work_per_step(spec), 1)) + 1);
}

}  // namespace

int threads_for(Index work, int n_threads) {
  constexpr Index least = 1'000'000;  // some ten microseconds
  return static_cast<int>(std::clamp<Index>(work / least, 1, std::clamp(n_threads, 1, 256)));
}

bool fused(const Spec& spec, Loss loss) {
  const Operation& last = spec.operations.back();
  if (last.type != Operation::Type::dense) return false;
  return (loss == Loss::cross_entropy && last.activation == Activation::softmax) ||
         (loss == Loss::binary_cross_entropy && last.activation == Activation::sigmoid);
}

template <class Real>
void Rows<Real>::prepare(const Spec& spec, const Data& data, const Answers<Real>& answers,
                         const Objective& objective, const Batch& batch, const Chunk& chunk) {
  const std::size_t B = static_cast<std::size_t>(chunk.B);
  first.resize(B);
  scale.resize(B);
  weight.resize(B);
  sums.assign(5 * B, 0.0);
  total = 0;
  for (std::size_t b = 0; b < B; ++b) {
    const Index row = batch.row[b], steps = spec.per_step ? chunk.length(batch, static_cast<Index>(b)) : 1;
    first[b] = spec.per_step                              ? static_cast<Index>(data.offsets[row]) + chunk.t0
               : chunk.ends(batch, static_cast<Index>(b)) ? row
                                                          : -1;
    weight[b] = objective.weights ? objective.weights[row] : 1.0;
    double given = first[b] < 0 ? 0.0 : static_cast<double>(steps);
    if (first[b] >= 0 && (answers.missing || answers.class_weight)) {
      given = 0;
      for (Index t = 0; t < steps; ++t) given += answers.weight(first[b] + t);
    }
    total += weight[b] * given;
  }
  for (std::size_t b = 0; b < B; ++b)
    scale[b] = static_cast<Real>(objective.mean ? weight[b] / total : weight[b]);
}

template <class Real>
void Rows<Real>::move_to(const Data& data, const Batch& batch, const Chunk& stretch, Index first_row) {
  for (std::size_t b = 0; b < static_cast<std::size_t>(stretch.B); ++b)
    first[static_cast<std::size_t>(first_row) + b] =
        static_cast<Index>(data.offsets[batch.row[b]]) + stretch.t0;
}

template <class Real>
void Rows<Real>::run(Pass<Real>& pass, const Spec& spec, const Answers<Real>& answers, Loss loss,
                     Index first_row, Index b0, Index b1, bool gradient) {
  const std::size_t last = spec.operations.size() - 1;
  const Index C = spec.output_size, ld = pass.ld(last);
  const bool copy =
      !fused(spec, loss);  // the outputs themselves are still needed for the derivative of the activation
  const auto some = [&](Index row, Index b, Index n, Index t, bool steps) {
    Real* y = pass.cotangents(last) + row * ld;
    if (copy) std::copy_n(pass.outputs(last) + row * ld, n * ld, y);
    const std::size_t r = static_cast<std::size_t>(first_row + b);
    kernels<Real>().loss(
        {loss, C, answers.classes, answers.values, answers.class_weight, first.data() + r,
         gradient ? scale.data() + r : nullptr, weight.data() + r, sums.data() + 5 * r, steps},
        y, ld, n, t);
  };
  if (spec.per_step && pass.batch_rows() == 1)
    return some(0, 0, pass.rows_of_steps(), 0, true);  // the steps of a single row lie together
  pass.over_rows(spec.per_step, b0, b1,
                 [&](Index row, Index b, Index n, Index t) { some(row, b, n, t, false); });
}

template <class Real> void Rows<Real>::add_to(Sums& out) const {
  for (std::size_t i = 0; i < sums.size(); ++i) out.v[i % 5] += sums[i];
}

Index slices_of(const Spec& spec, Index B, Index T, Index bytes) {
  constexpr Index most = 1 << 19;  // bytes of weights
  return B <= slice_rows || T < fewest_steps(spec) || spec.parameter_count * bytes > most
             ? 1
             : (B + slice_rows - 1) / slice_rows;
}

std::pair<Index, Index> bytes_needed(const Spec& spec, const Need& need, Index B, Index T, Index N,
                                     Index bytes, int n_threads) {
  const Index slices = slices_of(spec, B, T, bytes);
  if (slices == 1) return {need.whole(B, T, N), need.least(B, T, N)};
  const Index few = std::min(T, fewest_steps(spec) - 1);  // shorter minibatches are a single slice
  const Index at_work = std::min<Index>(slices, n_threads),
              gradients = at_work == 1 ? 1 : std::min(slices, slices_between_sums * at_work);
  const Index one_by_one =
      need.whole_rows ? need.whole(slice_rows, T, std::min(N, slice_rows * T)) : need.least(B, T, N, slices);
  const Index whole = std::min(need.whole(B, slices * T, N),
                               at_work * need.whole(slice_rows, T, std::min(N, slice_rows * T)));
  return {whole + gradients * spec.parameter_count * bytes,
          std::max(one_by_one, need.least(B, few, std::min(N, B * few)))};
}

template <class Real> void Slice<Real>::take(const Batch& batch) {
  if (batch_ != &batch) cut_shape_ = -1;
  batch_ = &batch;
  first_row_ = 0;
}

template <class Real> void Slice<Real>::take(const Batch& batch, Index first_row, Index n) {
  if (batch_ != &own_) cut_shape_ = -1;
  batch_ = &own_;
  first_row_ = first_row;
  own_.assign_slice(batch, first_row, n);
}

template <class Real>
void Slice<Real>::begin(const std::vector<const Real*>& initial, const Dropout* dropout) {
  pass_.reserve_rows(*batch_, dropping_);
  pass_.begin_rows(initial, dropout, 0, batch_->size());
}

template <class Real> bool Slice<Real>::at_once(const Task<Real>& task) {
  const std::size_t n = spec_.operations.size();
  split_rows(bounds_, *batch_, chunk_.B, task.row_parts, slice_rows);
  pass_.prepare(task.data, *batch_, chunk_, task.learn ? Use::gradient : Use::states, fused_, false);
  // Long chunks go back some blocks of steps at a time, so that a core still has at hand what their weight
  // gradients are made of.
  const Index rows = task.threads * cached / need_.step;
  const bool piecewise = task.learn && chunk_.N > 4 * rows && !spec_.whole_rows;
  std::size_t top = n;  // operations with a time axis come first; a pool looks at all steps
  if (piecewise)
    while (top > 0 &&
           (!spec_.operations[top - 1].steps_in || spec_.operations[top - 1].type == Operation::Type::pool))
      --top;
  const Span steps{0, top}, above{piecewise ? top : 0, n};
  const bool whole = over_rows(task, [&](Index b0, Index b1) {
    pass_.gather(task.data, b0, b1);
    if (!pass_.forward(task.weights, b0, b1, task.interrupt)) return false;
    pass_.end_rows(b0, b1);
    if (!task.learn) return true;
    task.rows.run(pass_, spec_, task.answers, task.loss, first_row_, b0, b1, true);
    return pass_.backward(task.weights, b0, b1, task.interrupt, above);
  });
  if (!whole || !task.learn) return whole;
  std::fill_n(task.gradient, spec_.parameter_count, Real(0));
  if (!over_gradients(task, above)) return false;
  if (piecewise) {
    for (Span piece{0, pass_.blocks().end}; piece.end > 0; piece.end = piece.first) {
      piece = pass_.blocks_before(piece.end, rows);
      const bool back = over_rows(task, [&](Index b0, Index b1) {
        return pass_.backward(task.weights, b0, b1, task.interrupt, steps, piece);
      });
      if (!back || !over_gradients(task, steps, piece)) return false;
    }
  }
  return true;
}

#define ELMAN_INSTANTIATE(Real) \
  template struct Rows<Real>;   \
  template class Slice<Real>;
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
