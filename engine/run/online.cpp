#include "run/online.h"

#include <algorithm>
#include <cmath>

#include "core/layout.h"
#include "pass/lookup.h"
#include "runtime/denormals.h"

namespace elman {
namespace {

using Type = Operation::Type;

// The first rows of a buffer that grows or moves.
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
  for (std::size_t i = 0; i < spec.operations.size(); ++i) {
    const Operation& op = spec.operations[i];
    Part part{};
    part.stride = state_stride<Real>(op);
    part.ld = op.type == Type::recurrent ? op.facts().states * part.stride : part.stride;
    part.ldk = op.type == Type::recurrent ? whole_lines<Real>(op.facts().kept * op.out) : 0;
    part.handed.zeros(part.stride);
    if (op.type == Type::recurrent) above_ = i + 1;
    parts_.push_back(std::move(part));
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
  move(at_ - useful, useful, std::max(room_, std::min(most, std::max<Index>(64, 2 * room_))));
}

template <class Real> const Real* Online<Real>::input(std::size_t op, Index step, Index& ld) {
  if (op == 0) {
    ld = network_.spec.input_size;
    return x_.data() + step * ld;
  }
  ld = parts_[op - 1].ld;
  return output(op - 1, step);
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
  const Spec& spec = network_.spec;
  const Real* w = network_.parameters.data();
  const Index t = at_++;
  const Index active[2] = {1, 0}, offset[2] = {0, 1};
  for (std::size_t i = 0; i < spec.operations.size(); ++i) {
    const Operation& op = spec.operations[i];
    Part& part = parts_[i];
    Index ldi = 0;
    const Real* in = input(i, t, ldi);
    const Real* bias = op.bias < 0 ? nullptr : w + op.bias;
    if (op.type == Type::recurrent) {
      const Real* recurrent_bias = op.recurrent_bias < 0 ? nullptr : w + op.recurrent_bias;
      const RecurrentForward<Real> args{in,
                                        ldi,
                                        op.in,
                                        matrix_as_is(w + op.kernel, op.out, op.gates()),
                                        matrix_as_is(w + op.recurrent, op.out, op.gates()),
                                        bias,
                                        recurrent_bias,
                                        part.value.data() + t * part.ld,
                                        part.ld,
                                        part.stride,
                                        op.out,
                                        part.ldk ? part.kept.data() + t * part.ldk : nullptr,
                                        part.ldk,
                                        nullptr,
                                        nullptr,
                                        op.activation,
                                        static_cast<Real>(op.leak),
                                        index(i, t)};
      kernels_.recurrent_forward[static_cast<int>(op.cell)](args, {1, 1, active, offset}, 0, 1, 0, 1);
    } else if (op.type == Type::dense) {
      const bool softmax = op.activation == Activation::softmax;
      if (op.lookup) look_up(op, w, index(i, t), 1, output(i, t), part.ld, op.activation);
      else
        kernels_.affine({in, ldi, op.in, matrix_as_is(w + op.kernel, op.out, 1), bias, output(i, t), part.ld,
                         op.out, softmax ? Activation::identity : op.activation},
                        1);
      if (softmax) kernels_.activate(op.activation, output(i, t), part.ld, 1, op.out);
    } else {
      std::copy_n(in, op.out, output(i, t));
    }
  }
  std::copy_n(output(parts_.size() - 1, t), spec.output_size, y);
  if (!tangents_) return;
  std::vector<Footprint<Real>> at(parts_.size());
  for (std::size_t i = 0; i < above_; ++i) {
    Index ldi = 0;
    at[i] = {input(i, t, ldi), parts_[i].value.data() + t * parts_[i].ld, output(i, t),
             parts_[i].ldk ? parts_[i].kept.data() + t * parts_[i].ldk : nullptr, index(i, t)};
  }
  tangents_->step(w, at.data(), count_++, false, false, 0, spec.parameter_count, scratch_);
}

template <class Real> void Online<Real>::weight_gradients(std::size_t i, Index steps, Real* gradient) {
  const Operation& op = network_.spec.operations[i];
  Part& part = parts_[i];
  const Index first = at_ - steps, N = op.gates() * op.out;
  const Segment all{0, 0, steps};
  const Real* d = part.ldk ? part.dz.data() : part.d.data();
  const Index ldd = part.ldk ? part.ldk : part.ld;
  Index ldi = 0;
  const Real* in = input(i, first, ldi);
  if (op.lookup) scatter(index(i, first), in, d, ldd, N, 0, steps, gradient + op.kernel, sorted_);
  else kernels_.weight_gradient({in, ldi, op.in, d, ldd, N, &all, 1, gradient + op.kernel, N}, 0, op.in);
  if (op.bias >= 0) kernels_.bias_gradient({nullptr, 0, 0, d, ldd, N, &all, 1, gradient + op.bias, N});
  if (op.type != Type::recurrent) return;
  for (const CellPiece& piece : op.pieces()) {
    const bool of_h = piece.operand < 0;
    const Real* a = of_h ? part.value.data() + first * part.ld
                         : part.kept.data() + first * part.ldk + piece.operand * op.out;
    kernels_.weight_gradient(
        {a, of_h ? part.ld : part.ldk, op.out, d + piece.column * op.out, ldd, piece.count * op.out, &all, 1,
         gradient + op.recurrent + piece.gate * op.out, N},
        0, op.out);
    if (op.recurrent_bias >= 0)
      kernels_.bias_gradient({nullptr, 0, 0, d + piece.column * op.out, ldd, piece.count * op.out, &all, 1,
                              gradient + op.recurrent_bias + piece.gate * op.out, N});
  }
}

// Operation `op` and all below it, the cotangents of its outputs of the last `steps` steps (of the uppermost
// recurrent one: of the last alone) being in its d.
template <class Real> void Online<Real>::back_through_time(std::size_t top, Index steps, Real* gradient) {
  const Index first = at_ - steps;
  active_.assign(static_cast<std::size_t>(steps + 1), 1);
  active_.back() = 0;
  for (Index t = static_cast<Index>(offset_.size()); t <= steps; ++t) offset_.push_back(t);
  for (std::size_t i = top + 1; i-- > 0;) {
    const Operation& op = network_.spec.operations[i];
    Part& part = parts_[i];
    Real* dz = part.d.data();
    Index ldz = part.ld;
    if (op.type == Type::recurrent) {
      if (part.ldk) {
        dz = part.dz.reserve(steps * part.ldk);
        ldz = part.ldk;
      }
      const RecurrentBackward<Real> args{weights_[i].recurrent_transposed,
                                         part.value.data() + first * part.ld,
                                         part.ld,
                                         part.stride,
                                         op.out,
                                         part.ldk ? part.kept.data() + first * part.ldk : nullptr,
                                         part.ldk,
                                         part.d.data(),
                                         part.ld,
                                         dz,
                                         ldz,
                                         part.handed.data(),
                                         part.stride,
                                         nullptr,
                                         nullptr,
                                         nullptr,
                                         i != top,
                                         false,
                                         op.activation,
                                         static_cast<Real>(op.leak)};
      kernels_.recurrent_backward[static_cast<int>(op.cell)](args, {steps, 1, active_.data(), offset_.data()},
                                                             0, steps, 0, 1);
    } else {
      kernels_.activate_backward(op.activation, output(i, first), part.ld, dz, ldz, steps, op.out);
    }
    weight_gradients(i, steps, gradient);
    if (i)
      kernels_.affine(
          {dz, ldz, op.gates() * op.out, weights_[i].kernel_transposed, nullptr,
           parts_[i - 1].d.reserve(steps * parts_[i - 1].ld), parts_[i - 1].ld, op.in, Activation::identity},
          steps);
  }
}

template <class Real>
bool Online<Real>::gradient(const Answers<Real>& answer, Loss loss, Real* gradient, double& value) {
  const FlushDenormals mode;
  const Spec& spec = network_.spec;
  const std::size_t last = parts_.size() - 1;
  const Index t = at_ - 1, steps = std::min(k_, at_);
  const std::size_t top = above_ ? above_ - 1 : 0;
  std::fill_n(gradient, spec.parameter_count, Real(0));
  value = 0;
  if (!answer.given(0)) return false;
  weights_.prepare(spec, network_.parameters.data(), 1, true, false, 1);
  // Where the cotangent of the last step's output stands.
  const auto place = [&](std::size_t i) {
    return parts_[i].d.reserve((i < above_ ? steps : 1) * parts_[i].ld) +
           (i + 1 == above_ ? (steps - 1) * parts_[i].ld : 0);
  };
  // The loss, from the sums before a softmax or sigmoid that belongs to it.
  const bool sums = fused(spec, loss);
  Real* d = place(last);
  if (sums) {
    const Operation& op = spec.operations[last];
    Index ldi = 0;
    const Real* in = input(last, t, ldi);
    if (op.lookup)
      look_up(op, network_.parameters.data(), index(last, t), 1, d, parts_[last].ld, Activation::identity);
    else
      kernels_.affine({in, ldi, op.in, weights_[last].kernel, weights_.bias(op), d, parts_[last].ld, op.out,
                       Activation::identity},
                      1);
  } else {
    std::copy_n(output(last, t), spec.output_size, d);
  }
  const Index first = 0;
  const Real scale = 1;
  const double weight = 1;
  double report[5] = {0, 0, 0, 0, 0};
  kernels_.loss({loss, spec.output_size, answer.classes, answer.values, nullptr, &first, &scale, &weight,
                 report, false},
                d, parts_[last].ld, 1, 0);
  value = report[0];
  // Down to the uppermost recurrent operation: this step alone.
  for (std::size_t i = last + 1; i-- > above_;) {
    const Operation& op = spec.operations[i];
    Real* below = i ? place(i - 1) : nullptr;
    if (op.type == Type::pool) {
      std::copy_n(d, op.out, below);
    } else {
      if (!(sums && i == last))
        kernels_.activate_backward(op.activation, output(i, t), parts_[i].ld, d, parts_[i].ld, 1, op.out);
      weight_gradients(i, 1, gradient);
      if (below)
        kernels_.affine({d, parts_[i].ld, op.out, weights_[i].kernel_transposed, nullptr, below,
                         parts_[i - 1].ld, op.in, Activation::identity},
                        1);
    }
    d = below;
  }
  if (!above_) return true;
  if (tangents_) {
    const Index columns = tangents_->columns(top), H = spec.operations[top].out;
    Real* product = product_.reserve(columns);
    const Real* s = tangents_->states(top, count_ - 1);
    kernels_.propagate({d, 0, H, s, tangents_->ld(top), d, 0, 0, s, 0, product, 0, columns}, 1);
    std::copy_n(product, columns, gradient);
  } else {
    back_through_time(top, steps, gradient);
  }
  return true;
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

template <class Real> void Online<Real>::get_states(std::size_t op, Real* out) const {
  const Operation& o = network_.spec.operations[op];
  for (Index s = 0; s < o.facts().states; ++s)
    std::copy_n(parts_[op].value.data() + at_ * parts_[op].ld + s * parts_[op].stride, o.out,
                out + s * o.out);
}

template <class Real> void Online<Real>::set_states(std::size_t op, const Real* given) {
  const Operation& o = network_.spec.operations[op];
  for (Index s = 0; s < o.facts().states; ++s)
    std::copy_n(given + s * o.out, o.out,
                parts_[op].value.data() + at_ * parts_[op].ld + s * parts_[op].stride);
}

template <class Real> Index Online<Real>::memory_size(Index steps) const {
  Index size = steps * network_.spec.input_size;
  for (std::size_t i = 0; i < parts_.size(); ++i)
    size += (steps + 1) * parts_[i].ld + steps * parts_[i].ldk +
            (tangents_ ? tangents_->rows(i) * tangents_->columns(i) : 0);
  return size;
}

template <class Real> void Online<Real>::save(Real* out) const {
  const Index steps = remembered(), first = at_ - steps;
  const auto put = [&](const Real* from, Index size) { out = std::copy_n(from, size, out); };
  if (network_.spec.symbols)
    out = std::copy_n(index_.data() + first, steps, out);  // exact: they are below 2^20
  else put(x_.data() + first * network_.spec.input_size, steps * network_.spec.input_size);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    put(parts_[i].value.data() + first * parts_[i].ld, (steps + 1) * parts_[i].ld);
    if (parts_[i].ldk) put(parts_[i].kept.data() + first * parts_[i].ldk, steps * parts_[i].ldk);
    const bool recurrent = network_.spec.operations[i].type == Type::recurrent;
    for (Index r = 0; tangents_ && r < tangents_->rows(i); ++r) {
      if (recurrent) put(tangents_->states(i, count_ - 1) + r * tangents_->ld(i), tangents_->columns(i));
      else out = std::fill_n(out, tangents_->columns(i), Real(0));  // made anew in each step
    }
  }
}

template <class Real> bool Online<Real>::readable(Index steps, const Real* from) const {
  const Index n = network_.spec.symbols;
  return !n || std::all_of(from, from + steps, [&](Real x) {
    return x >= 0 && x < static_cast<Real>(n) && x == static_cast<Real>(static_cast<int>(x));
  });
}

template <class Real> void Online<Real>::load(Index steps, const Real* from) {
  reset();
  move(0, 0, std::max(room_, steps + 1));
  at_ = steps;
  const auto get = [&](Real* to, Index size) {
    std::copy_n(from, size, to);
    from += size;
  };
  get(x_.data(), steps * network_.spec.input_size);
  for (Index t = 0; network_.spec.symbols && t < steps; ++t) {
    index_[t] = static_cast<int>(x_[t]);
    x_[t] = 1;
  }
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    get(parts_[i].value.data(), (steps + 1) * parts_[i].ld);
    if (parts_[i].ldk) get(parts_[i].kept.data(), steps * parts_[i].ldk);
    const bool recurrent = network_.spec.operations[i].type == Type::recurrent;
    for (Index r = 0; tangents_ && r < tangents_->rows(i); ++r) {
      if (recurrent) get(tangents_->states(i, -1) + r * tangents_->ld(i), tangents_->columns(i));
      else from += tangents_->columns(i);
    }
  }
}

template class Online<float>;
template class Online<double>;

}  // namespace elman
