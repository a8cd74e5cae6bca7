// The walk of a pass: from operation to operation, forward and backward through time.
#include <algorithm>

#include "core/layout.h"
#include "pass/lookup.h"
#include "pass/pass.h"

namespace elman {
namespace {

using Type = Operation::Type;

bool stopped(Interrupt* interrupt) { return interrupt && interrupt->check(); }

}  // namespace

template <class Real>
bool Pass<Real>::forward(const Weights<Real>& weights, Index b0, Index b1, Interrupt* interrupt,
                         Span operations) {
  b1 = std::min(b1, chunk_->B);
  if (b1 <= b0) return true;
  for (std::size_t i = operations.first; i < operations.end; ++i) {
    Part& part = parts_[i];
    bool go_on = true;
    switch (part.op.type) {
      case Type::pool:
        if (!repeated_) pool_forward(part, b0, b1);
        break;
      case Type::join: join_forward(part, b0, b1); break;
      case Type::recurrent: go_on = recurrent_forward(part, weights[i], weights, b0, b1, interrupt); break;
      case Type::dense: go_on = dense_forward(part, weights[i], weights, b0, b1, interrupt); break;
    }
    if (!go_on) return false;
  }
  return !stopped(interrupt);
}

template <class Real>
bool Pass<Real>::recurrent_forward(Part& part, const Matrices<Real>& matrices, const Weights<Real>& weights,
                                   Index b0, Index b1, Interrupt* interrupt) {
  if (own_input(part)) copy_input(part, b0, b1);
  std::copy_n(start_of(part) + b0 * part.ld, (b1 - b0) * part.ld, part.value.data() + b0 * part.ld);
  const RecurrentForward<Real> arguments = forward_arguments(part, matrices, weights);
  const Steps steps = chunk_->steps();
  const auto kernel = kernels_.recurrent_forward[static_cast<int>(part.op.cell)];
  const Index rows = part.most_rows, block = std::max<Index>(1, rows / (b1 - b0));
  for (Index b = b0; b < b1; b += rows)
    for (Index t = 0; t < steps.T; t += block) {
      if ((t || b > b0) && stopped(interrupt)) return false;
      kernel(arguments, steps, t, std::min(steps.T, t + block), b, std::min(b1, b + rows));
    }
  return true;
}

template <class Real>
RecurrentForward<Real> Pass<Real>::forward_arguments(Part& part, const Matrices<Real>& matrices,
                                                     const Weights<Real>& weights) {
  const Operation& op = part.op;
  const Input in = input_of(part);
  const bool keeps = part.ldk && (use_ == Use::gradient || op.cell == Cell::gru_before);
  return {.x = in.data,
          .ldx = in.ld,
          .F = op.in,
          .kernel = matrices.kernel,
          .recurrent = matrices.recurrent,
          .bias = weights.bias(op),
          .recurrent_bias = weights.recurrent_bias(op),
          .states = part.value.data(),
          .ld = part.ld,
          .stride = part.stride,
          .H = op.out,
          .kept = keeps ? part.kept.data() : nullptr,
          .ldk = part.ldk,
          .mask = masked_states(part) ? part.mask_h.data() : nullptr,
          .masked = part.masked.data(),
          .activation = op.activation,
          .leak = static_cast<Real>(op.leak),
          .index = in.index};
}

template <class Real>
bool Pass<Real>::dense_forward(Part& part, const Matrices<Real>& matrices, const Weights<Real>& weights,
                               Index b0, Index b1, Interrupt* interrupt) {
  const Operation& op = part.op;
  const bool to_loss = fused_ && part.last, softmax = op.activation == Activation::softmax;
  const Activation of_sum = to_loss || softmax ? Activation::identity : op.activation;
  const Input in = input_of(part);
  Real* y = (to_loss ? part.cotangent : part.value).data();  // [., out]
  return over_pieces(part, b0, b1, 0, chunk_->T, interrupt, [&](Index row, Index n) {
    Real* to = y + row * part.ld;
    if (op.lookup) {
      look_up(op, weights.parameters(), in.index + row, n, to, part.ld, of_sum);
    } else {
      const Affine<Real> product{in.data + row * in.ld,
                                 in.ld,
                                 op.in,
                                 matrices.kernel,
                                 weights.bias(op),
                                 to,
                                 part.ld,
                                 op.out,
                                 of_sum};
      kernels_.affine(product, n);
    }
    if (softmax && !to_loss) kernels_.activate(op.activation, to, part.ld, n, op.out);
  });
}

// Rows of steps that lie together are taken together.
template <class Real>
template <class F>
bool Pass<Real>::over_pieces(const Part& part, Index b0, Index b1, Index t0, Index t1, Interrupt* interrupt,
                             F f) const {
  bool go_on = true;
  const auto pieces = [&](Index first, Index n) {
    for (Index r = 0; r < n && go_on; r += part.most_rows) {
      const Index row = first + r;
      go_on = row == 0 || !stopped(interrupt);
      if (go_on) f(row, std::min(part.most_rows, n - r));
    }
  };
  const bool all_rows = b0 == 0 && b1 >= chunk_->B;
  if (!part.op.steps_in) pieces(b0, std::min(b1, chunk_->B) - b0);
  else if (all_rows) pieces(chunk_->row(t0, 0), chunk_->row(t1, 0) - chunk_->row(t0, 0));
  else over_rows_of_steps(b0, b1, t0, t1, [&](Index first, Index, Index n, Index) { pieces(first, n); });
  return go_on;
}

template <class Real>
bool Pass<Real>::backward(const Weights<Real>& weights, Index b0, Index b1, Interrupt* interrupt,
                          Span operations, Span blocks) {
  const Index t0 = block_step_[blocks.first], t1 = block_step_[blocks.end];
  b1 = std::min(b1, chunk_->B);
  if (b1 <= b0) return true;
  for (std::size_t i = operations.end; i-- > operations.first;) {
    Part& part = parts_[i];
    switch (part.op.type) {
      case Type::pool: pool_backward(part, b0, b1); continue;
      case Type::join: join_backward(part, b0, b1); continue;
      case Type::recurrent:
        if (!recurrent_backward(part, weights[i], b0, b1, t0, t1, interrupt)) return false;
        break;
      case Type::dense: activation_backward(part, b0, b1, t0, t1); break;
    }
    if (!input_backward(part, weights[i], b0, b1, t0, t1, interrupt)) return false;
  }
  return !stopped(interrupt);
}

template <class Real>
bool Pass<Real>::recurrent_backward(Part& part, const Matrices<Real>& matrices, Index b0, Index b1, Index t0,
                                    Index t1, Interrupt* interrupt) {
  const RecurrentBackward<Real> arguments = backward_arguments(part, matrices);
  const Steps steps = chunk_->steps();
  const auto kernel = kernels_.recurrent_backward[static_cast<int>(part.op.cell)];
  const Index rows = part.most_rows, block = std::max<Index>(1, rows / (b1 - b0));
  for (Index b = b0; b < b1; b += rows)
    for (Index t = t1; t > t0; t -= block) {
      if (stopped(interrupt)) return false;
      kernel(arguments, steps, std::max(t0, t - block), t, b, std::min(b1, b + rows));
    }
  return true;
}

template <class Real>
RecurrentBackward<Real> Pass<Real>::backward_arguments(Part& part, const Matrices<Real>& matrices) {
  const Operation& op = part.op;
  return {.recurrent_transposed = matrices.recurrent_transposed,
          .states = part.value.data(),
          .ld = part.ld,
          .stride = part.stride,
          .H = op.out,
          .kept = part.kept.data(),
          .ldk = part.ldk,
          .d = part.cotangent.data(),
          .ldd = part.ld,
          .dz = sums_cotangents(part),
          .ldz = sums_ld(part),
          .carry = part.handed.data(),
          .ldc = part.ld,
          .mask = masked_states(part) ? part.mask_h.data() : nullptr,
          .masked = part.masked.data(),
          .d_initial = tape_ ? part.initial.data() : nullptr,
          .every_step = !op.last_alone,
          .d_by_row = cotangents_by_row(part),
          .activation = op.activation,
          .leak = static_cast<Real>(op.leak)};
}

// From the cotangents of a dense layer's outputs to those of its sums, in place.
template <class Real>
void Pass<Real>::activation_backward(Part& part, Index b0, Index b1, Index t0, Index t1) {
  const Operation& op = part.op;
  const bool from_loss = fused_ && part.last;
  if (op.activation == Activation::identity || from_loss) return;
  over_pieces(part, b0, b1, t0, t1, nullptr, [&](Index row, Index n) {
    const Real* y = part.value.data() + row * part.ld;
    Real* d = part.cotangent.data() + row * part.ld;
    kernels_.activate_backward(op.activation, y, part.ld, d, part.ld, n, op.out);
  });
}

// From the cotangents of the sums to those of the input.
template <class Real>
bool Pass<Real>::input_backward(Part& part, const Matrices<Real>& matrices, Index b0, Index b1, Index t0,
                                Index t1, Interrupt* interrupt) {
  const Operation& op = part.op;
  const bool of_network = op.input < 0, own = own_input(part);
  if (of_network && (op.lookup || !tape_)) return true;
  Real* under = of_network ? input_cotangent_.data() : part_below(part).cotangent.data();  // [., in]
  const Index ld_under = of_network ? input_ld_ : part_below(part).ld;
  Real* below = own ? part.d_own.data() : under;
  const Index ld_below = own ? padded<Real>(op.in) : ld_under;
  const Real* d = sums_cotangents(part);
  const Index ldd = sums_ld(part);
  const bool go_on = over_pieces(part, b0, b1, t0, t1, interrupt, [&](Index row, Index n) {
    const Affine<Real> product{.x = d + row * ldd,
                               .ldx = ldd,
                               .K = op.gates() * op.out,
                               .kernel = matrices.kernel_transposed,
                               .bias = nullptr,
                               .y = below + row * ld_below,
                               .ldy = ld_below,
                               .N = op.in,
                               .activation = Activation::identity,
                               .adds = op.adds && !own};
    kernels_.affine(product, n);
  });
  if (go_on && own) give_back_input(part, under, ld_under, b0, b1, t0, t1);
  return go_on;
}

#define ELMAN_INSTANTIATE(Real)                                                            \
  template bool Pass<Real>::forward(const Weights<Real>&, Index, Index, Interrupt*, Span); \
  template bool Pass<Real>::backward(const Weights<Real>&, Index, Index, Interrupt*, Span, Span);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
