// Gradients of long chunks from checkpoints: forward once with the states before each stretch of steps kept,
// then back, stretch by stretch, each gone through again. Stretches are whole blocks of the weight gradients'
// sums, so every bit is that of a pass that holds all steps.
#include <algorithm>

#include "pass/slice.h"

namespace elman {

template <class Real> void Slice<Real>::cut(Index t0, Index most, Index memory) {
  const Batch& batch = *batch_;
  // Small networks feel each of these lines.
  if (begins_.empty() && batch.shape == cut_shape_ && t0 == chunk_.t0 && most == cut_most_ &&
      memory == cut_memory_)
    return;
  cut_shape_ = batch.shape;
  cut_most_ = most;
  cut_memory_ = memory;
  begins_.clear();
  if (need_.whole_rows || need_.whole(batch.size(), batch.longest, batch.steps) <= memory)
    return chunk_.cut(batch, t0, most);
  chunk_.outline(batch, t0, most);
  if (need_.whole(chunk_.B, chunk_.T, chunk_.N) <= memory) return chunk_.cut(batch, t0, most);
  cut_stretches();
  if (begins_.size() < 3) {
    begins_.clear();
    chunk_.cut(batch, t0, most);
  }
}

// Stretches are of whole blocks, as Pass::prepare counts them.
template <class Real> void Slice<Real>::cut_stretches() {
  const Index least = need_.rows(chunk_.B, chunk_.N);
  Index alive = chunk_.B, in_block = spec_.gradient_block, in_stretch = least;
  stretch_rows_.clear();
  for (Index t = 0; t < chunk_.T; ++t) {
    while (batch_->length[to_size(alive - 1)] <= chunk_.t0 + t) --alive;
    if (in_block >= spec_.gradient_block) {
      in_block = 0;
      if (in_stretch >= least) {
        begins_.push_back(t);
        stretch_rows_.push_back(alive);
        in_stretch = 0;
      }
    }
    in_block += alive;
    in_stretch += alive;
  }
  begins_.push_back(chunk_.T);
}

template <class Real> bool Slice<Real>::in_stretches(const Task<Real>& task) {
  std::size_t top = spec_.operations.size();
  while (top > 0 && !spec_.operations[top - 1].steps_in) --top;
  const Span steps{0, top}, above{top, spec_.operations.size()};
  split_rows(bounds_, *batch_, chunk_.B, task.row_parts, slice_rows);
  pass_.repeat_none();
  if (!stretches_forward(task, steps)) return false;
  if (!task.learn) return true;
  if (!spec_.per_step && !above_stretches(task, above)) return false;
  // Answers per step are gone through again, but counted once.
  const std::vector<double> counted = task.rows.sums_of(first_row_, chunk_.B);
  std::fill_n(task.gradient, spec_.parameter_count, Real(0));
  if (!over_gradients(task, above)) return false;
  if (!stretches_backward(task, steps)) return false;
  pass_.repeat_none();
  task.rows.set_sums(first_row_, counted);
  return true;
}

template <class Real> void Slice<Real>::go_to_stretch(const Task<Real>& task, std::size_t k, Use use) {
  const bool goes_on = k + 2 < begins_.size();
  stretch_.cut(*batch_, chunk_.t0 + begins_[k], begins_[k + 1] - begins_[k], goes_on);
  pass_.prepare(task.data, *batch_, stretch_, use, fused_, false);
  if (spec_.per_step) task.rows.move_to(task.data, *batch_, stretch_, first_row_);
}

template <class Real> bool Slice<Real>::stretches_forward(const Task<Real>& task, Span steps) {
  if (task.learn) {
    pass_.reserve_starts(stretch_rows_);
    go_to_stretch(task, 0, Use::gradient);  // of all stretches it has the most rows of the batch alive
  }
  for (std::size_t k = 0; k + 1 < begins_.size(); ++k) {
    go_to_stretch(task, k, task.learn ? Use::loss : Use::states);
    const bool whole = over_rows(task, [&](Index b0, Index b1) {
      if (task.learn) pass_.keep_start(k, b0, b1);
      pass_.gather(task.data, b0, b1);
      if (!pass_.forward(task.weights, b0, b1, task.interrupt, steps)) return false;
      pass_.end_rows(b0, b1);
      if (task.learn && spec_.per_step) run_loss(task, b0, b1, false);
      return true;
    });
    if (!whole) return false;
  }
  return true;
}

// The operations without a time axis, forward and backward.
template <class Real> bool Slice<Real>::above_stretches(const Task<Real>& task, Span above) {
  pass_.above_steps(chunk_);
  return over_rows(task, [&](Index b0, Index b1) {
    if (!pass_.forward(task.weights, b0, b1, task.interrupt, above)) return false;
    run_loss(task, b0, b1, true);
    return pass_.backward(task.weights, b0, b1, task.interrupt, above);
  });
}

template <class Real> bool Slice<Real>::stretches_backward(const Task<Real>& task, Span steps) {
  for (std::size_t k = begins_.size() - 1; k-- > 0;) {
    go_to_stretch(task, k, Use::gradient);
    pass_.repeat(k);
    const bool whole = over_rows(task, [&](Index b0, Index b1) {
      pass_.gather(task.data, b0, b1);
      if (!pass_.forward(task.weights, b0, b1, task.interrupt, steps)) return false;
      if (spec_.per_step) run_loss(task, b0, b1, true);
      pass_.take_later(b0, b1);
      if (!pass_.backward(task.weights, b0, b1, task.interrupt, steps)) return false;
      pass_.keep_first(b0, b1);
      return true;
    });
    if (!whole || !over_gradients(task, steps)) return false;
  }
  return true;
}

#define ELMAN_INSTANTIATE(Real)                        \
  template void Slice<Real>::cut(Index, Index, Index); \
  template bool Slice<Real>::in_stretches(const Task<Real>&);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
