#include "run/online.h"

#include <algorithm>

#include "core/layout.h"
#include "pass/lookup.h"
#include "runtime/denormals.h"

namespace elman {
namespace {

using Type = Operation::Type;

// Rows `first` .. of a buffer that grows or moves come to its start.
template <class Value> void keep(Buffer<Value>& buffer, Index ld, Index first, Index rows, Index room) {
  if (room * ld <= buffer.capacity()) {
    if (first) std::copy(buffer.data() + first * ld, buffer.data() + (first + rows) * ld, buffer.data());
    return;
  }
  Buffer<Value> larger;
  larger.zeros(room * ld);
  if (buffer.data()) std::copy_n(buffer.data() + first * ld, rows * ld, larger.data());
  buffer = std::move(larger);
}

}  // namespace

template <class Real>
Online<Real>::Online(const Network<Real>& network, OnlineRule rule, Index truncation)
    : network_(network),
      kernels_(kernels<Real>()),
      rule_(rule),
      k_(rule == OnlineRule::rtrl ? 1 : truncation) {
  const Spec& spec = network.spec;
  for (const Operation& op : spec.operations) {
    const Index stride = state_stride<Real>(op), ldk = whole_lines<Real>(op.kept() * op.out);
    Part& part = parts_.emplace_back(Part{op, op.states() * stride, stride, ldk, {}, {}, {}, {}, {}});
    part.handed.zeros(stride);
    if (part.recurrent()) above_ = parts_.size();
  }
  if (rule == OnlineRule::rtrl && above_) tangents_ = std::make_unique<Tangents<Real>>(spec);
  make_room();
  reset();
}

template <class Real> void Online<Real>::move(Index first, Index count, Index room) {
  keep(x_, network_.spec.input_size, first, count, room);
  if (network_.spec.symbols) keep(index_, 1, first, count, room);
  for (Part& part : parts_) {
    keep(part.value, part.ld, first, count + 1, room + 1);
    if (part.ldk) keep(part.kept, part.ldk, first, count, room);
  }
  room_ = room;
  at_ = count;
}

// Steps further back than k - 1 are of no use; until there are so many the buffers grow.
template <class Real> void Online<Real>::make_room() {
  if (at_ < room_) return;
  const Index useful = std::min(at_, k_ - 1), most = std::max<Index>(2 * k_, 64);
  const Index larger = std::min(most, std::max<Index>(64, 2 * room_));
  move(at_ - useful, useful, std::max(room_, larger));
}

template <class Real> typename Online<Real>::Input Online<Real>::input(std::size_t op, Index step) const {
  const int* index = parts_[op].op.lookup ? index_.data() + step : nullptr;
  if (op > 0) return {parts_[op - 1].output(step), parts_[op - 1].ld, index};
  const Index F = network_.spec.input_size;
  return {x_.data() + step * F, F, index};
}

template <class Real> void Online<Real>::step(const Real* x, Real* y) {
  make_room();
  std::copy_n(x, network_.spec.input_size, x_.data() + at_ * network_.spec.input_size);
  advance(y);
}

template <class Real> void Online<Real>::step(int x, Real* y) {
  make_room();
  x_[at_] = 1;
  index_[at_] = x;
  advance(y);
}

template <class Real> void Online<Real>::advance(Real* y) {
  const FlushDenormals mode;
  const Index t = at_++;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (part.recurrent()) recurrent_forward(i, t);
    else if (part.op.type == Type::dense) dense_forward(i, t);
    else std::copy_n(input(i, t).data, part.op.out, part.output(t));
  }
  std::copy_n(parts_.back().output(t), network_.spec.output_size, y);
  if (tangents_) advance_tangents(t);
}

template <class Real> void Online<Real>::recurrent_forward(std::size_t i, Index t) {
  const Part& part = parts_[i];
  const Operation& op = part.op;
  const Real* w = network_.parameters.data();
  const Input in = input(i, t);
  const Index active[2] = {1, 0}, offset[2] = {0, 1};
  const RecurrentForward<Real> arguments{
      .x = in.data,
      .ldx = in.ld,
      .F = op.in,
      .kernel = matrix_as_is(w + op.kernel, op.out, op.gates()),
      .recurrent = matrix_as_is(w + op.recurrent, op.out, op.gates()),
      .bias = op.bias < 0 ? nullptr : w + op.bias,
      .recurrent_bias = op.recurrent_bias < 0 ? nullptr : w + op.recurrent_bias,
      .states = part.value.data() + t * part.ld,
      .ld = part.ld,
      .stride = part.stride,
      .H = op.out,
      .kept = part.kept_at(t),
      .ldk = part.ldk,
      .mask = nullptr,
      .masked = nullptr,
      .activation = op.activation,
      .leak = static_cast<Real>(op.leak),
      .index = in.index};
  kernels_.recurrent_forward[static_cast<int>(op.cell)](arguments, {1, 1, active, offset}, 0, 1, 0, 1);
}

template <class Real> void Online<Real>::dense_forward(std::size_t i, Index t) {
  const Part& part = parts_[i];
  const Operation& op = part.op;
  const bool softmax = op.activation == Activation::softmax;
  const Activation of_sum = softmax ? Activation::identity : op.activation;
  dense_one_row(i, t, of_sum, part.output(t));
  if (softmax) kernels_.activate(op.activation, part.output(t), part.ld, 1, op.out);
}

// y [out] = f(the sums of a dense operation) at step t.
template <class Real> void Online<Real>::dense_one_row(std::size_t i, Index t, Activation f, Real* y) {
  const Part& part = parts_[i];
  const Operation& op = part.op;
  const Real* w = network_.parameters.data();
  const Input in = input(i, t);
  if (op.lookup) return look_up(op, w, in.index, 1, y, part.ld, f);
  const Affine<Real> product{.x = in.data,
                             .ldx = in.ld,
                             .K = op.in,
                             .kernel = matrix_as_is(w + op.kernel, op.out, 1),
                             .bias = op.bias < 0 ? nullptr : w + op.bias,
                             .y = y,
                             .ldy = part.ld,
                             .N = op.out,
                             .activation = f};
  kernels_.affine(product, 1);
}

template <class Real> void Online<Real>::advance_tangents(Index t) {
  std::vector<Footprint<Real>> at(parts_.size());
  for (std::size_t i = 0; i < above_; ++i) {
    const Part& part = parts_[i];
    const Input in = input(i, t);
    at[i] = {in.data, part.states(t), part.output(t), part.kept_at(t), in.index};
  }
  const Spec& spec = network_.spec;
  tangents_->step(network_.parameters.data(), at.data(), count_++, false, false, 0, spec.parameter_count,
                  scratch_);
}

template <class Real> void Online<Real>::reset() {
  for (Part& part : parts_) std::fill_n(part.value.data(), part.ld, Real(0));
  at_ = 0;
  forget();
}

template <class Real> void Online<Real>::forget() {
  move(at_, 0, room_);
  count_ = 0;
  if (tangents_) tangents_->reset();
}

template <class Real> void Online<Real>::get_states(std::size_t i, Real* out) const {
  const Part& part = parts_[i];
  const Index H = part.op.out;
  for (Index s = 0; s < part.op.states(); ++s)
    std::copy_n(part.states(at_) + s * part.stride, H, out + s * H);
}

template <class Real> void Online<Real>::set_states(std::size_t i, const Real* given) {
  Part& part = parts_[i];
  const Index H = part.op.out;
  for (Index s = 0; s < part.op.states(); ++s)
    std::copy_n(given + s * H, H, part.value.data() + at_ * part.ld + s * part.stride);
}

#define ELMAN_INSTANTIATE(Real)                                                     \
  template Online<Real>::Online(const Network<Real>&, OnlineRule, Index);           \
  template void Online<Real>::step(const Real*, Real*);                             \
  template void Online<Real>::step(int, Real*);                                     \
  template void Online<Real>::move(Index, Index, Index);                            \
  template Online<Real>::Input Online<Real>::input(std::size_t, Index) const;       \
  template void Online<Real>::dense_one_row(std::size_t, Index, Activation, Real*); \
  template void Online<Real>::reset();                                              \
  template void Online<Real>::forget();                                             \
  template void Online<Real>::get_states(std::size_t, Real*) const;                 \
  template void Online<Real>::set_states(std::size_t, const Real*);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
