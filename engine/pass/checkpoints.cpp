// Gradients of long chunks from checkpoints: forward once with the states before each stretch of steps kept,
// then back, stretch by stretch, each gone through again. Stretches are whole blocks of the weight gradients'
// sums, so every bit is that of a pass that holds all steps.
#include <algorithm>
#include <cmath>

#include "pass/slice.h"

namespace elman {
namespace {

using Type = Operation::Type;

constexpr Index of_step = 2 * sizeof(Index) + sizeof(Segment),
                of_stretch = 2 * sizeof(Index);  // bytes of the tables

}  // namespace

Index Need::whole(Index B, Index T, Index N) const { return step * N + row * B + of_step * T; }

// Stretches of R rows cost step R + start B N / R: least at this R.
Index Need::rows(Index B, Index N) const {
  return 1 +
         static_cast<Index>(std::sqrt(static_cast<double>(N) * static_cast<double>(B) *
                                      static_cast<double>(start + of_stretch) / static_cast<double>(step)));
}

// Of several slices: the sum of theirs, which is largest where they have equal rows.
Index Need::least(Index B, Index T, Index N, Index slices) const {
  const Index all = whole(B, slices * T, N);
  if (whole_rows) return all;
  if (slices > 1) B = slices * slice_rows;
  const Index most = rows(B, N) + slices * (block + 1) + B;  // rows of a stretch, which ends with a block
  const double starts = std::sqrt(static_cast<double>(N) * static_cast<double>(B) *
                                  static_cast<double>(start + of_stretch) * static_cast<double>(step));
  return std::min(all, step * most + (row + later + start) * B + of_step * std::min(slices * T, most) +
                           static_cast<Index>(starts));
}

template <class Real> Need Pass<Real>::need(bool dropping, bool fused) {
  dropping_ = dropping;
  const auto bytes = [&](std::size_t i, Index B, Index N) {
    const Sizes n = sizes(i, B, N, Use::gradient, fused, false);
    const Index integers = spec_.operations[i].lookup ? static_cast<Index>(sizeof(int)) * n.own : 0;
    return integers +
           static_cast<Index>(sizeof(Real)) * (n.value + n.cotangent + n.kept + n.handed + n.own + n.d_own +
                                               n.masked + n.carry + n.mask_in + n.mask_h + n.total);
  };
  Need need{spec_.input_size * static_cast<Index>(sizeof(Real)) +
                (spec_.symbols ? static_cast<Index>(sizeof(int)) : 0),
            0,
            0,
            0,
            spec_.gradient_block,
            spec_.whole_rows};
  for (std::size_t i = 0; i < spec_.operations.size(); ++i) {
    need.step += bytes(i, 0, 1);
    need.row += bytes(i, 1, 0);
    if (keeps_start(i)) need.start += static_cast<Index>(sizeof(Real)) * ld_[i];
    if (spec_.operations[i].type == Type::recurrent)
      need.later += static_cast<Index>(sizeof(Real)) * sums_ld(i);
  }
  need.later += need.step;  // every buffer of steps has room for those of one more
  return need;
}

template <class Real> bool Pass<Real>::keeps_start(std::size_t i) const {
  const Operation& op = spec_.operations[i];
  return op.type == Type::recurrent || (op.type == Type::pool && op.pool == Pool::max);
}

template <class Real> const Real* Pass<Real>::start_of(std::size_t i) const {
  return repeated_ ? starts_[i].data() + start_row_[stretch_] * ld_[i] : carry_[i].data();
}

template <class Real> void Pass<Real>::reserve_starts(const std::vector<Index>& rows) {
  start_row_.assign(1, 0);
  for (const Index n : rows) start_row_.push_back(start_row_.back() + n);
  for (std::size_t i = 0; i < spec_.operations.size(); ++i) {
    if (keeps_start(i)) starts_[i].reserve(start_row_.back() * ld_[i]);
    if (spec_.operations[i].type == Type::recurrent) later_[i].reserve(rows[0] * sums_ld(i));
  }
}

template <class Real> void Pass<Real>::keep_start(std::size_t stretch, Index b0, Index b1) {
  b1 = std::min(b1, chunk_->B);
  for (std::size_t i = 0; i < spec_.operations.size(); ++i) {
    const bool pool = spec_.operations[i].type == Type::pool;
    if (b1 <= b0 || !keeps_start(i) || (pool && chunk_->t0 == 0)) continue;  // there is no maximum yet
    std::copy_n((pool ? total_ : carry_)[i].data() + b0 * ld_[i], (b1 - b0) * ld_[i],
                starts_[i].data() + (start_row_[stretch] + b0) * ld_[i]);
  }
}

template <class Real> void Pass<Real>::repeat(std::size_t stretch) {
  stretch_ = stretch;
  repeated_ = true;
}

template <class Real> void Pass<Real>::repeat_none() { repeated_ = false; }

template <class Real> void Pass<Real>::above_steps(const Chunk& chunk) {
  chunk_ = &chunk;
  use_ = Use::gradient;
}

template <class Real> void Pass<Real>::take_later(Index b0, Index b1) {
  b1 = std::min(b1, chunk_->later());
  for (std::size_t i = 0; i < spec_.operations.size(); ++i) {
    const Index ld = sums_ld(i);
    if (b1 > b0 && spec_.operations[i].type == Type::recurrent)
      std::copy_n(later_[i].data() + b0 * ld, (b1 - b0) * ld, sums_cotangents(i) + (chunk_->N + b0) * ld);
  }
}

template <class Real> void Pass<Real>::keep_first(Index b0, Index b1) {
  b1 = std::min(b1, chunk_->B);
  for (std::size_t i = 0; i < spec_.operations.size(); ++i) {
    const Index ld = sums_ld(i);
    if (b1 > b0 && spec_.operations[i].type == Type::recurrent)
      std::copy_n(sums_cotangents(i) + b0 * ld, (b1 - b0) * ld, later_[i].data() + b0 * ld);
  }
}

template <class Real> void Slice<Real>::cut(Index t0, Index most, Index memory) {
  const Batch& batch = *batch_;
  if (begins_.empty() && batch.shape == cut_shape_ && t0 == chunk_.t0 && most == cut_most_ &&
      memory == cut_memory_)
    return;  // small networks feel each of these lines
  cut_shape_ = batch.shape;
  cut_most_ = most;
  cut_memory_ = memory;
  begins_.clear();
  if (need_.whole_rows || need_.whole(batch.size(), batch.longest, batch.steps) <= memory)
    return chunk_.cut(batch, t0, most);
  chunk_.outline(batch, t0, most);
  if (need_.whole(chunk_.B, chunk_.T, chunk_.N) <= memory) return chunk_.cut(batch, t0, most);
  // Stretches are of whole blocks, as Pass::prepare counts them.
  const Index least = need_.rows(chunk_.B, chunk_.N);
  Index alive = chunk_.B, block = spec_.gradient_block, rows = least;
  stretch_rows_.clear();
  for (Index t = 0; t < chunk_.T; ++t) {
    while (batch.length[static_cast<std::size_t>(alive - 1)] <= t0 + t) --alive;
    if (block >= spec_.gradient_block) {
      block = 0;
      if (rows >= least) {
        begins_.push_back(t);
        stretch_rows_.push_back(alive);
        rows = 0;
      }
    }
    block += alive;
    rows += alive;
  }
  begins_.push_back(chunk_.T);
  if (begins_.size() < 3) {
    begins_.clear();
    chunk_.cut(batch, t0, most);
  }
}

template <class Real> bool Slice<Real>::in_stretches(const Task<Real>& task) {
  const Batch& batch = *batch_;
  const std::size_t n = spec_.operations.size();
  std::size_t top = n;
  while (top > 0 && !spec_.operations[top - 1].steps_in) --top;
  const Span steps{0, top}, above{top, n};
  const std::size_t stretches = begins_.size() - 1;
  split_rows(bounds_, batch, chunk_.B, task.row_parts, slice_rows);
  const auto go_to = [&](std::size_t k, Use use) {
    stretch_.cut(batch, chunk_.t0 + begins_[k], begins_[k + 1] - begins_[k], k + 1 < stretches);
    pass_.prepare(task.data, batch, stretch_, use, fused_, false);
    if (spec_.per_step) task.rows.move_to(task.data, batch, stretch_, first_row_);
  };
  pass_.repeat_none();
  if (task.learn) {
    pass_.reserve_starts(stretch_rows_);
    go_to(0, Use::gradient);  // of all stretches it has the most rows of the batch alive
  }
  for (std::size_t k = 0; k < stretches; ++k) {
    go_to(k, task.learn ? Use::loss : Use::states);
    const bool whole = over_rows(task, [&](Index b0, Index b1) {
      if (task.learn) pass_.keep_start(k, b0, b1);
      pass_.gather(task.data, b0, b1);
      if (!pass_.forward(task.weights, b0, b1, task.interrupt, steps)) return false;
      pass_.end_rows(b0, b1);
      if (task.learn && spec_.per_step)
        task.rows.run(pass_, spec_, task.answers, task.loss, first_row_, b0, b1, false);
      return true;
    });
    if (!whole) return false;
  }
  if (!task.learn) return true;
  if (!spec_.per_step) {
    pass_.above_steps(chunk_);
    const bool whole = over_rows(task, [&](Index b0, Index b1) {
      if (!pass_.forward(task.weights, b0, b1, task.interrupt, above)) return false;
      task.rows.run(pass_, spec_, task.answers, task.loss, first_row_, b0, b1, true);
      return pass_.backward(task.weights, b0, b1, task.interrupt, above);
    });
    if (!whole) return false;
  }
  const std::vector<double> counted =
      task.rows.sums_of(first_row_, chunk_.B);  // answers per step are gone through again
  std::fill_n(task.gradient, spec_.parameter_count, Real(0));
  if (!over_gradients(task, above)) return false;
  for (std::size_t k = stretches; k-- > 0;) {
    go_to(k, Use::gradient);
    pass_.repeat(k);
    const bool whole = over_rows(task, [&](Index b0, Index b1) {
      pass_.gather(task.data, b0, b1);
      if (!pass_.forward(task.weights, b0, b1, task.interrupt, steps)) return false;
      if (spec_.per_step) task.rows.run(pass_, spec_, task.answers, task.loss, first_row_, b0, b1, true);
      pass_.take_later(b0, b1);
      if (!pass_.backward(task.weights, b0, b1, task.interrupt, steps)) return false;
      pass_.keep_first(b0, b1);
      return true;
    });
    if (!whole || !over_gradients(task, steps)) return false;
  }
  pass_.repeat_none();
  task.rows.set_sums(first_row_, counted);
  return true;
}

#define ELMAN_INSTANTIATE(Real)                                 \
  template Need Pass<Real>::need(bool, bool);                   \
  template bool Pass<Real>::keeps_start(std::size_t) const;     \
  template const Real* Pass<Real>::start_of(std::size_t) const; \
  template void Slice<Real>::cut(Index, Index, Index);          \
  template bool Slice<Real>::in_stretches(const Task<Real>&);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
