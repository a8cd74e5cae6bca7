#include "pass/pass.h"

#include <algorithm>

#include "core/layout.h"

namespace elman {
namespace {

using Type = Operation::Type;

// Rows of one step between two looks at the interrupt, a multiple of every tile's: some ten milliseconds of
// work.
Index rows_at_once(const Operation& op) {
  constexpr Index tiles = 48, work = 200'000'000;
  const Index work_per_row = op.gates() * op.out * (op.terms() + op.out);
  return std::max(tiles, work / work_per_row / tiles * tiles);
}

}  // namespace

template <class Real>
Pass<Real>::Part::Part(const Operation& operation, bool is_last)
    : op(operation),
      last(is_last),
      ld(padded<Real>((op.states() - 1) * state_stride<Real>(op) + op.out)),
      stride(state_stride<Real>(op)),
      // Up to the end of the last column's last vector: what is read there belongs to no row that another
      // thread writes.
      ldk(op.kept() ? padded<Real>((op.kept() - 1) * op.out + stride) : 0),
      most_rows(rows_at_once(op)) {}

template <class Real> Pass<Real>::Pass(const Spec& spec) : spec_(spec), kernels_(kernels<Real>()) {
  parts_.reserve(spec.operations.size());
  for (const Operation& op : spec.operations) parts_.emplace_back(op, &op == &spec.operations.back());
}

template <class Real> void Pass<Real>::reserve_rows(const Batch& batch, bool dropping) {
  batch_ = &batch;
  if (batch.size() == reserved_rows_ && dropping == dropping_) return;
  reserved_rows_ = batch.size();
  dropping_ = dropping;
  for (Part& part : parts_) {
    const Sizes n = sizes(part, batch.size(), 0, Use::states, false, false);
    part.carry.reserve(n.carry);
    part.mask_in.reserve(n.mask_in);
    part.mask_h.reserve(n.mask_h);
    part.total.reserve(n.total);
  }
}

template <class Real>
typename Pass<Real>::Sizes Pass<Real>::sizes(const Part& part, Index B, Index N, Use use, bool fused,
                                             bool tape) const {
  const Operation& op = part.op;
  const bool backward = use == Use::gradient, recurrent = op.type == Type::recurrent;
  const bool sums_to_loss = part.last && fused, outputs_to_loss = part.last && use == Use::loss;
  const Index rows = op.steps_out ? N : B;
  Sizes n{};
  if (!sums_to_loss) n.value = (recurrent ? B + rows : rows) * part.ld;
  if (backward || sums_to_loss || outputs_to_loss)
    n.cotangent = (cotangents_by_row(part) ? B : rows) * part.ld;
  if (op.type == Type::pool && op.pool != Pool::last) n.total = B * part.ld;
  if (recurrent) add_recurrent_sizes(n, part, B, rows, backward, tape);
  return n;
}

template <class Real>
void Pass<Real>::add_recurrent_sizes(Sizes& n, const Part& part, Index B, Index rows, bool backward,
                                     bool tape) const {
  const Operation& op = part.op;
  const Index ld_in = padded<Real>(op.in);
  n.carry = B * part.ld;
  if (part.ldk && (backward || op.cell == Cell::gru_before)) n.kept = rows * part.ldk;
  if (part.ldk && backward) n.handed = B * part.ld;
  if (part.ldk && backward && tape) n.dz = rows * part.ldk;
  if (backward && tape) n.initial = B * part.ld;
  if (own_input(part)) n.own = rows * own_ld(part);
  if (own_input(part) && backward && !op.lookup) n.d_own = rows * ld_in;
  if (masked_input(part)) n.mask_in = B * ld_in;
  if (masked_states(part)) {
    n.mask_h = B * part.ld;
    n.masked = (B + rows) * part.ld;
  }
}

template <class Real>
void Pass<Real>::prepare(const Data& data, const Batch& batch, const Chunk& chunk, Use use, bool fused,
                         bool tape) {
  const bool same = chunk.stamp == stamp_ && use == use_ && fused == fused_ && tape == tape_;
  batch_ = &batch;
  chunk_ = &chunk;
  if (!same) {
    stamp_ = 0;  // until all of it is there
    use_ = use;
    fused_ = fused;
    tape_ = tape;
    reserve_steps();
    if (use == Use::gradient) cut_blocks();
    stamp_ = chunk.stamp;
  }
  prepare_input(data);
}

template <class Real> void Pass<Real>::prepare_input(const Data& data) {
  const Chunk& c = *chunk_;
  // A single row of the right type is read where it lies; a tape must keep it.
  const Dtype own_type = sizeof(Real) == 4 ? Dtype::f32 : Dtype::f64;
  if (c.B == 1 && !tape_ && !spec_.symbols && data.dtype == own_type)
    input_ = static_cast<const Real*>(data.values) + (batch_->start[0] + c.t0) * data.F;
  else input_ = x_.reserve(c.N * spec_.input_size);
  if (spec_.symbols) {
    index_.reserve(c.N);
    std::fill_n(x_.data(), c.N, Real(1));
  }
  if (tape_ && !spec_.symbols) {
    input_ld_ = padded<Real>(spec_.input_size);
    input_cotangent_.reserve(c.N * input_ld_);
  }
}

template <class Real> void Pass<Real>::reserve_steps() {
  for (Part& part : parts_) {
    const Sizes n = sizes(part, chunk_->B, chunk_->N + chunk_->later(), use_, fused_, tape_);
    part.value.reserve(n.value);
    part.cotangent.reserve(n.cotangent);
    part.kept.reserve(n.kept);
    part.handed.reserve(n.handed);
    part.dz.reserve(n.dz);
    part.initial.reserve(n.initial);
    part.own.reserve(n.own);
    if (part.op.lookup) part.own_index.reserve(n.own);
    part.d_own.reserve(n.d_own);
    part.masked.reserve(n.masked);
  }
}

// Whole steps make blocks of at least so many rows; neighboring steps with all rows alive join into one
// segment.
template <class Real> void Pass<Real>::cut_blocks() {
  const Chunk& chunk = *chunk_;
  segments_.clear();
  block_start_.clear();
  block_step_.clear();
  Index in_block = spec_.gradient_block;
  for (Index t = 0; t < chunk.T; ++t) {
    if (in_block >= spec_.gradient_block) {
      block_start_.push_back(static_cast<Index>(segments_.size()));
      block_step_.push_back(t);
      in_block = 0;
    }
    const Segment step{state_row(t, 0), chunk.row(t, 0), chunk.alive(t)};
    Segment* before = in_block ? &segments_.back() : nullptr;
    const bool goes_on = before && before->a + before->count == step.a && before->d + before->count == step.d;
    if (goes_on) before->count += step.count;
    else segments_.push_back(step);
    in_block += step.count;
  }
  block_start_.push_back(static_cast<Index>(segments_.size()));
  block_step_.push_back(chunk.T);
}

template <class Real> Span Pass<Real>::blocks_before(std::size_t end, Index rows) const {
  const auto row = [&](std::size_t block) { return chunk_->row(block_step_[block], 0); };
  std::size_t first = end - 1;
  while (first > 0 && row(end) - row(first - 1) <= rows) --first;
  return {first, end};
}

template class Pass<float>;
template class Pass<double>;

}  // namespace elman
