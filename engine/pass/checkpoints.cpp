// What a pass holds, and what it keeps where a chunk is gone through in stretches of steps (stretches.cpp).
#include <algorithm>
#include <cmath>

#include "pass/pass.h"
#include "pass/slice.h"

namespace elman {
namespace {

using Type = Operation::Type;

// Bytes of the tables of a step and of a stretch.
constexpr Index of_step = 2 * sizeof(Index) + sizeof(Segment), of_stretch = 2 * sizeof(Index);

}  // namespace

Index Need::whole(Index B, Index T, Index N) const { return step * N + row * B + of_step * T; }

// Stretches of R rows cost step R + start B N / R: least at this R.
Index Need::rows(Index B, Index N) const {
  const double states = static_cast<double>(N) * static_cast<double>(B);
  const double square = states * static_cast<double>(start + of_stretch) / static_cast<double>(step);
  return 1 + static_cast<Index>(std::sqrt(square));
}

// Of several slices: the sum of theirs, which is largest where they have equal rows.
Index Need::least(Index B, Index T, Index N, Index slices) const {
  const Index all = whole(B, slices * T, N);
  if (whole_rows) return all;
  if (slices > 1) B = slices * slice_rows;
  const Index most = rows(B, N) + slices * (block + 1) + B;  // rows of a stretch, which ends with a block
  const double states = static_cast<double>(N) * static_cast<double>(B);
  const double square = states * static_cast<double>(start + of_stretch) * static_cast<double>(step);
  const Index starts = static_cast<Index>(std::sqrt(square));
  const Index tables = of_step * std::min(slices * T, most);
  return std::min(all, step * most + (row + later + start) * B + tables + starts);
}

template <class Real> Need Pass<Real>::need(bool dropping, bool fused) {
  dropping_ = dropping;
  constexpr Index number = sizeof(Real), integer = sizeof(int);
  const auto bytes = [&](const Part& part, Index B, Index N) {
    const Sizes n = sizes(part, B, N, Use::gradient, fused, false);
    return number * n.sum() + (part.op.lookup ? integer * n.own : 0);
  };
  Need need{};
  need.step = number * spec_.input_size + (spec_.symbols ? integer : 0);
  need.block = spec_.gradient_block;
  need.whole_rows = spec_.whole_rows;
  for (const Part& part : parts_) {
    need.step += bytes(part, 0, 1);
    need.row += bytes(part, 1, 0);
    if (keeps_start(part)) need.start += number * part.ld;
    if (part.op.type == Type::recurrent) need.later += number * sums_ld(part);
  }
  need.later += need.step;  // every buffer of steps has room for those of one more
  return need;
}

template <class Real> bool Pass<Real>::keeps_start(const Part& part) const {
  return part.op.type == Type::recurrent || (part.op.type == Type::pool && part.op.pool == Pool::max);
}

template <class Real> const Real* Pass<Real>::start_of(const Part& part) const {
  return repeated_ ? part.starts.data() + start_row_[stretch_] * part.ld : part.carry.data();
}

template <class Real> void Pass<Real>::reserve_starts(const std::vector<Index>& rows) {
  start_row_.assign(1, 0);
  for (const Index n : rows) start_row_.push_back(start_row_.back() + n);
  for (Part& part : parts_) {
    if (keeps_start(part)) part.starts.reserve(start_row_.back() * part.ld);
    if (part.op.type == Type::recurrent) part.later.reserve(rows[0] * sums_ld(part));
  }
}

template <class Real> void Pass<Real>::keep_start(std::size_t stretch, Index b0, Index b1) {
  b1 = std::min(b1, chunk_->B);
  if (b1 <= b0) return;
  for (Part& part : parts_) {
    const bool pool = part.op.type == Type::pool;
    const bool no_maximum_yet = pool && chunk_->t0 == 0;
    if (!keeps_start(part) || no_maximum_yet) continue;
    const Real* from = (pool ? part.total : part.carry).data() + b0 * part.ld;
    Real* to = part.starts.data() + (start_row_[stretch] + b0) * part.ld;
    std::copy_n(from, (b1 - b0) * part.ld, to);
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
  if (b1 <= b0) return;
  for (Part& part : parts_) {
    if (part.op.type != Type::recurrent) continue;
    const Index ld = sums_ld(part);
    Real* after_end = sums_cotangents(part) + chunk_->N * ld;
    std::copy_n(part.later.data() + b0 * ld, (b1 - b0) * ld, after_end + b0 * ld);
  }
}

template <class Real> void Pass<Real>::keep_first(Index b0, Index b1) {
  b1 = std::min(b1, chunk_->B);
  if (b1 <= b0) return;
  for (Part& part : parts_) {
    if (part.op.type != Type::recurrent) continue;
    const Index ld = sums_ld(part);
    std::copy_n(sums_cotangents(part) + b0 * ld, (b1 - b0) * ld, part.later.data() + b0 * ld);
  }
}

#define ELMAN_INSTANTIATE(Real)                                        \
  template Need Pass<Real>::need(bool, bool);                          \
  template const Real* Pass<Real>::start_of(const Part&) const;        \
  template void Pass<Real>::reserve_starts(const std::vector<Index>&); \
  template void Pass<Real>::keep_start(std::size_t, Index, Index);     \
  template void Pass<Real>::repeat(std::size_t);                       \
  template void Pass<Real>::repeat_none();                             \
  template void Pass<Real>::above_steps(const Chunk&);                 \
  template void Pass<Real>::take_later(Index, Index);                  \
  template void Pass<Real>::keep_first(Index, Index);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
