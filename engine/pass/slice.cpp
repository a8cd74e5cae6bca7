#include "pass/slice.h"

#include <algorithm>

#include "core/index.h"

namespace elman {
namespace {

constexpr Index cached = 1 << 20;  // bytes that a core's own cache holds beside weights

// Few steps are soon gone through: what there is to be done for every slice would weigh too much.
Index fewest_steps(const Spec& spec) {
  return std::max<Index>(32, 1'000'000 / (3 * slice_rows * std::max<Index>(work_per_step(spec), 1)) + 1);
}

// Operations with a time axis come first, up to here; a pool looks at all steps.
std::size_t end_of_steps(const Spec& spec) {
  std::size_t top = spec.operations.size();
  while (top > 0) {
    const Operation& op = spec.operations[top - 1];
    if (op.steps_in && op.type != Operation::Type::pool) break;
    --top;
  }
  return top;
}

}  // namespace

Index slices_of(const Spec& spec, Index B, Index T, Index bytes) {
  constexpr Index most = 1 << 19;  // bytes of weights
  const bool one = B <= slice_rows || T < fewest_steps(spec) || spec.parameter_count * bytes > most;
  return one ? 1 : round_up(B, slice_rows) / slice_rows;
}

std::pair<Index, Index> bytes_needed(const Spec& spec, const Need& need, Index B, Index T, Index N,
                                     Index bytes, int n_threads) {
  const Index slices = slices_of(spec, B, T, bytes);
  if (slices == 1) return {need.whole(B, T, N), need.least(B, T, N)};
  const Index at_work = std::min<Index>(slices, n_threads);
  const Index gradients = at_work == 1 ? 1 : std::min(slices, slices_between_sums * at_work);
  const Index one_slice = need.whole(slice_rows, T, std::min(N, slice_rows * T));
  const Index whole = std::min(need.whole(B, slices * T, N), at_work * one_slice);
  const Index one_by_one = need.whole_rows ? one_slice : need.least(B, T, N, slices);
  // Shorter minibatches are a single slice.
  const Index few = std::min(T, fewest_steps(spec) - 1);
  const Index single = need.least(B, few, std::min(N, B * few));
  return {whole + gradients * spec.parameter_count * bytes, std::max(one_by_one, single)};
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
  const std::size_t top = piecewise ? end_of_steps(spec_) : 0;
  const Span steps{0, top}, above{top, n};
  const bool whole = over_rows(task, [&](Index b0, Index b1) {
    pass_.gather(task.data, b0, b1);
    if (!pass_.forward(task.weights, b0, b1, task.interrupt)) return false;
    pass_.end_rows(b0, b1);
    if (!task.learn) return true;
    run_loss(task, b0, b1, true);
    return pass_.backward(task.weights, b0, b1, task.interrupt, above);
  });
  if (!whole || !task.learn) return whole;
  std::fill_n(task.gradient, spec_.parameter_count, Real(0));
  if (!over_gradients(task, above)) return false;
  return !piecewise || piece_by_piece(task, steps, rows);
}

// Back through the operations with a time axis, some blocks of steps at a time, the last ones first.
template <class Real> bool Slice<Real>::piece_by_piece(const Task<Real>& task, Span steps, Index rows) {
  for (std::size_t end = pass_.blocks().end; end > 0;) {
    const Span piece = pass_.blocks_before(end, rows);
    const bool back = over_rows(task, [&](Index b0, Index b1) {
      return pass_.backward(task.weights, b0, b1, task.interrupt, steps, piece);
    });
    if (!back || !over_gradients(task, steps, piece)) return false;
    end = piece.first;
  }
  return true;
}

template class Slice<float>;
template class Slice<double>;

}  // namespace elman
