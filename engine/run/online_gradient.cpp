// The gradient of the last step's loss: back through the last steps, or from the tangents.
#include <algorithm>

#include "pass/lookup.h"
#include "run/online.h"
#include "runtime/denormals.h"

namespace elman {

using Type = Operation::Type;

template <class Real>
bool Online<Real>::gradient(const Answers<Real>& answer, Loss loss, Real* gradient, double& value) {
  const FlushDenormals mode;
  const Spec& spec = network_.spec;
  const Index steps = std::min(k_, at_);
  std::fill_n(gradient, spec.parameter_count, Real(0));
  value = 0;
  if (!answer.given(0)) return false;
  weights_.prepare(spec, network_.parameters.data(), 1, true, false, 1);
  value = loss_of_step(answer, loss, cotangent(parts_.size() - 1, steps));
  back_to_recurrence(fused(spec, loss), steps, gradient);
  if (!above_) return true;
  const std::size_t top = above_ - 1;
  if (tangents_) gradient_of_tangents(top, gradient);
  else back_through_time(top, steps, gradient);
  return true;
}

// Where the cotangent of the last step's output stands: of a recurrence behind those of the steps before.
template <class Real> Real* Online<Real>::cotangent(std::size_t i, Index steps) {
  Part& part = parts_[i];
  Real* d = part.d.reserve((i < above_ ? steps : 1) * part.ld);
  const bool uppermost = i + 1 == above_;
  return uppermost ? d + (steps - 1) * part.ld : d;
}

// d [C]: the cotangent of the last step's output, or of the sums before an activation that belongs to the
// loss.
template <class Real> double Online<Real>::loss_of_step(const Answers<Real>& answer, Loss loss, Real* d) {
  const Spec& spec = network_.spec;
  const std::size_t last = parts_.size() - 1;
  const Index t = at_ - 1;
  if (fused(spec, loss)) dense_one_row(last, t, Activation::identity, d);
  else std::copy_n(parts_[last].output(t), spec.output_size, d);
  const Index first = 0;
  const Real scale = 1;
  const double weight = 1;
  Sums sums;
  const LossRows<Real> row{.loss = loss,
                           .C = spec.output_size,
                           .classes = answer.classes,
                           .values = answer.values,
                           .class_weight = nullptr,
                           .row_weight = nullptr,
                           .divisor = 1,
                           .first = &first,
                           .scale = &scale,
                           .weight = &weight,
                           .sums = sums.v,
                           .steps = false};
  kernels_.loss(row, d, parts_[last].ld, 1, 0);
  return sums.v[0];
}

// Down to the uppermost recurrent operation, which is this step's alone. `sums`: the cotangents of the last
// operation are those of its sums already.
template <class Real> void Online<Real>::back_to_recurrence(bool sums, Index steps, Real* gradient) {
  const Index t = at_ - 1;
  for (std::size_t i = parts_.size(); i-- > above_;) {
    Part& part = parts_[i];
    const Operation& op = part.op;
    Real* d = part.d.data();                              // [out]
    Real* below = i ? cotangent(i - 1, steps) : nullptr;  // [in]
    if (op.type == Type::pool) {
      std::copy_n(d, op.out, below);
      continue;
    }
    const bool last = i + 1 == parts_.size();
    if (!(sums && last))
      kernels_.activate_backward(op.activation, part.output(t), part.ld, d, part.ld, 1, op.out);
    weight_gradients(i, 1, gradient);
    if (below) input_backward(i, 1, below);
  }
}

// d' S: the cotangents of the last states against their tangents.
template <class Real> void Online<Real>::gradient_of_tangents(std::size_t op, Real* gradient) {
  const Index columns = tangents_->columns(op);
  const Real* d = parts_[op].d.data();                // [1, H]
  const Real* S = tangents_->states(op, count_ - 1);  // [H, columns]
  Real* product = product_.reserve(columns);
  const Propagate<Real> p{.a = d,
                          .lda = 0,
                          .K = parts_[op].op.out,
                          .s = S,
                          .lds = tangents_->ld(op),
                          .b = d,
                          .ldb = 0,
                          .L = 0,
                          .t = S,
                          .ldt = 0,
                          .y = product,
                          .ldy = 0,
                          .N = columns};
  kernels_.propagate(p, 1);
  std::copy_n(product, columns, gradient);
}

// Operation `top` and all below it. In its d are the cotangents of its outputs of the last steps, of the
// uppermost recurrent one that of the last alone.
template <class Real> void Online<Real>::back_through_time(std::size_t top, Index steps, Real* gradient) {
  active_.assign(static_cast<std::size_t>(steps + 1), 1);
  active_.back() = 0;
  for (Index t = static_cast<Index>(offset_.size()); t <= steps; ++t) offset_.push_back(t);
  const Index first = at_ - steps;
  for (std::size_t i = top + 1; i-- > 0;) {
    Part& part = parts_[i];
    if (part.recurrent()) {
      recurrent_backward(i, steps, i != top);
    } else {
      const Activation f = part.op.activation;
      kernels_.activate_backward(f, part.output(first), part.ld, part.d.data(), part.ld, steps, part.op.out);
    }
    weight_gradients(i, steps, gradient);
    if (i) input_backward(i, steps, parts_[i - 1].d.reserve(steps * parts_[i - 1].ld));
  }
}

template <class Real> void Online<Real>::recurrent_backward(std::size_t i, Index steps, bool every_step) {
  Part& part = parts_[i];
  const Operation& op = part.op;
  const Index first = at_ - steps;
  part.dz.reserve(steps * part.ldk);
  const RecurrentBackward<Real> arguments{.recurrent_transposed = weights_[i].recurrent_transposed,
                                          .states = part.states(first),
                                          .ld = part.ld,
                                          .stride = part.stride,
                                          .H = op.out,
                                          .kept = part.kept_at(first),
                                          .ldk = part.ldk,
                                          .d = part.d.data(),
                                          .ldd = part.ld,
                                          .dz = part.sums_cotangents(),
                                          .ldz = part.sums_ld(),
                                          .carry = part.handed.data(),
                                          .ldc = part.stride,
                                          .mask = nullptr,
                                          .masked = nullptr,
                                          .d_initial = nullptr,
                                          .every_step = every_step,
                                          .d_by_row = false,
                                          .activation = op.activation,
                                          .leak = static_cast<Real>(op.leak)};
  const Steps all{steps, 1, active_.data(), offset_.data()};
  kernels_.recurrent_backward[static_cast<int>(op.cell)](arguments, all, 0, steps, 0, 1);
}

// below [steps, in]
template <class Real> void Online<Real>::input_backward(std::size_t i, Index steps, Real* below) {
  const Part& part = parts_[i];
  const Operation& op = part.op;
  const Affine<Real> product{.x = part.sums_cotangents(),
                             .ldx = part.sums_ld(),
                             .K = op.gates() * op.out,
                             .kernel = weights_[i].kernel_transposed,
                             .bias = nullptr,
                             .y = below,
                             .ldy = parts_[i - 1].ld,
                             .N = op.in,
                             .activation = Activation::identity};
  kernels_.affine(product, steps);
}

template <class Real> void Online<Real>::weight_gradients(std::size_t i, Index steps, Real* gradient) {
  const Part& part = parts_[i];
  const Operation& op = part.op;
  const Index N = op.gates() * op.out, ldd = part.sums_ld();
  const Segment all{0, 0, steps};
  const Real* d = part.sums_cotangents();
  const Input in = input(i, at_ - steps);
  Real* out = gradient + op.kernel;
  if (op.lookup) scatter(in.index, in.data, d, ldd, N, 0, steps, out, sorted_);
  else kernels_.weight_gradient({in.data, in.ld, op.in, d, ldd, N, &all, 1, out, N}, 0, op.in);
  if (op.bias >= 0) kernels_.bias_gradient({nullptr, 0, 0, d, ldd, N, &all, 1, gradient + op.bias, N});
  if (part.recurrent()) recurrent_gradients(part, steps, gradient);
}

template <class Real> void Online<Real>::recurrent_gradients(const Part& part, Index steps, Real* gradient) {
  const Operation& op = part.op;
  const Index H = op.out, N = op.gates() * H, first = at_ - steps, ldd = part.sums_ld();
  const Segment all{0, 0, steps};
  for (const CellPiece& piece : op.pieces()) {
    const bool of_h = piece.operand < 0;
    const Real* a = of_h ? part.states(first) : part.kept_at(first) + piece.operand * H;
    const Index lda = of_h ? part.ld : part.ldk, columns = piece.count * H;
    const Real* d = part.sums_cotangents() + piece.column * H;
    Real* out = gradient + op.recurrent + piece.gate * H;
    kernels_.weight_gradient({a, lda, H, d, ldd, columns, &all, 1, out, N}, 0, H);
    if (op.recurrent_bias < 0) continue;
    Real* bias = gradient + op.recurrent_bias + piece.gate * H;
    kernels_.bias_gradient({nullptr, 0, 0, d, ldd, columns, &all, 1, bias, N});
  }
}

#define ELMAN_INSTANTIATE(Real) \
  template bool Online<Real>::gradient(const Answers<Real>&, Loss, Real*, double&);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
