#include "second/tangents.h"

#include <algorithm>

#include "core/layout.h"

namespace elman {

using Type = Operation::Type;

template <class Real> bool Tangents<Real>::possible(const Spec& spec) {
  for (const Operation& op : spec.operations)
    if (op.reverse || (op.type == Type::pool && op.pool != Pool::last)) return false;
  return true;
}

template <class Real> Index Tangents<Real>::work(const Spec& spec) {
  Index total = 0, columns = 0;
  for (const Operation& op : spec.operations) {
    if (op.type == Type::pool) continue;
    const bool recurrent = op.type == Type::recurrent;
    const Index wide = op.gates() * op.out, rows = op.states() * op.out;
    const Index biases = (op.bias >= 0 ? 1 : 0) + (op.recurrent_bias >= 0 ? 1 : 0);
    const Index own = wide * (op.in + (recurrent ? op.out : 0) + biases), before = columns;
    columns += own;
    if (op.steps_in) total += rows * (before * op.in + (recurrent ? columns * rows : 0)) + own;
  }
  return total;
}

template <class Real> Tangents<Real>::Tangents(const Spec& spec) : spec_(spec), kernels_(kernels<Real>()) {
  parts_.reserve(spec.operations.size());
  for (std::size_t i = 0; i < spec.operations.size(); ++i) {
    const Operation& op = spec.operations[i];
    const Index rows = op.type == Type::pool ? 0 : op.states() * op.out;
    const Index columns = columns_of(spec, i);
    if (op.type == Type::recurrent) top_ = i;
    Part& part = parts_.emplace_back(Part{op, rows, columns, padded<Real>(columns), {}});
    part.buffer.reserve(part.turns() * part.size());
  }
  reset();
}

// The parameters up to the next layer's: those at or below this one.
template <class Real> Index Tangents<Real>::columns_of(const Spec& spec, std::size_t op) {
  for (std::size_t next = op + 1; next < spec.operations.size(); ++next)
    if (spec.operations[next].type != Type::pool) return spec.operations[next].kernel;
  return spec.parameter_count;
}

template <class Real> void Tangents<Real>::reset() {
  for (Part& part : parts_) part.buffer.zeros(part.turns() * part.size());
}

template <class Real> typename Tangents<Real>::Below Tangents<Real>::below(std::size_t op, Index t) const {
  for (; op > 0; --op) {
    const Part& part = parts_[op - 1];
    if (part.op.type == Type::pool) continue;  // the last step's own tangents
    const Index turn = part.op.type == Type::recurrent ? (t + 1) & 1 : 0;
    return {part.buffer.data() + turn * part.size(), part.ld, part.columns};
  }
  return {nullptr, 0, 0};
}

template <class Real> const Real* Tangents<Real>::output(Index c, Index t) const {
  const Below top = below(parts_.size(), t);
  return top.data + c * top.ld;
}

template <class Real>
void Tangents<Real>::step(const Real* parameters, const Footprint<Real>* at, Index t, bool answered,
                          bool sums, Index p0, Index p1, Scratch& scratch) {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (i > top_ && !answered) break;
    const Part& part = parts_[i];
    const Step step{parameters, t, p0, std::min(p1, part.columns)};
    if (step.p1 <= p0) continue;
    const bool last = i + 1 == parts_.size();
    if (part.op.type == Type::recurrent) recurrent(i, at[i], step, scratch);
    if (part.op.type == Type::dense) dense(i, at[i], step, sums && last, scratch);
  }
}

// after = m before + n in. Columns that the layer below has too get both products, those of its own
// parameters one. The cut is at a whole line, as threads' cuts are: below, the rest of a line is zero.
template <class Real>
void Tangents<Real>::product(const Part& part, const Real* m, Index K, const Real* n, Index L,
                             const Below& in, const Real* before, Real* after, const Step& step) const {
  const Index middle = std::clamp(whole_lines<Real>(in.columns), step.p0, step.p1);
  Propagate<Real> p{};
  p.a = m;
  p.lda = p.K = K;
  p.lds = p.ldy = part.ld;
  p.b = n;
  p.ldb = L;
  if (middle > step.p0) {
    p.s = before + step.p0;
    p.t = in.data + step.p0;
    p.ldt = in.ld;
    p.L = L;
    p.y = after + step.p0;
    p.N = middle - step.p0;
    kernels_.propagate(p, part.rows);
  }
  if (step.p1 > middle) {
    p.s = before + middle;
    p.t = before;
    p.ldt = 0;
    p.L = 0;
    p.y = after + middle;
    p.N = step.p1 - middle;
    kernels_.propagate(p, part.rows);
  }
}

template <class Real>
void Tangents<Real>::recurrent(std::size_t i, const Footprint<Real>& at, const Step& step, Scratch& scratch) {
  Part& part = parts_[i];
  const Operation& op = part.op;
  const Index H = op.out, S = op.states(), R = part.rows;
  const Below in = below(i, step.t);
  const Factors<Real> f = factors_of(op, step.w, at, scratch.factors);
  scratch.m.assign(to_size(R * R), Real(0));
  scratch.n.resize(to_size(R * op.in));
  Real* m = scratch.m.data();  // [states H, states H]
  through_kernel(op, f, true, step.w + op.recurrent, H, m, R);
  for (Index s = 0; s < S; ++s)
    for (Index q = 0; q < S; ++q)
      for (Index j = 0; j < H; ++j) m[(s * H + j) * R + q * H + j] += f.pass[(s * S + q) * H + j];
  Real* n = scratch.n.data();  // [states H, F]
  if (in.columns > step.p0) through_kernel(op, f, false, step.w + op.kernel, op.in, n, op.in);
  product(part, m, R, n, op.in, in, states(part, step.t - 1), states(part, step.t), step);
  add_direct(part, f, at, step);
}

// The direct terms: each parameter multiplies its own input.
template <class Real>
void Tangents<Real>::add_direct(Part& part, const Factors<Real>& f, const Footprint<Real>& at,
                                const Step& step) {
  const Operation& op = part.op;
  const Index H = f.H, G = f.G, wide = G * H;
  const auto add = [&](Index row, bool of_h, Index g, Real input) {
    add_parameters(part, f, of_h, g, row + g * H, input, step);
  };
  for (Index k = 0; k < op.terms(); ++k) {
    const Index row = op.kernel + (at.index ? *at.index : k) * wide;
    for (Index g = 0; g < G; ++g) add(row, false, g, at.in[k]);
  }
  for (Index k = 0; k < H; ++k) {
    const Real h = at.before[k];
    for (Index g = 0; g < G; ++g) {
      const bool of_candidate = f.r && g == 2;
      add(op.recurrent + k * wide, true, g, of_candidate ? h * f.r[k] : h);
    }
  }
  for (Index g = 0; g < G; ++g) {
    if (op.bias >= 0) add(op.bias, false, g, Real(1));
    if (op.recurrent_bias >= 0) add(op.recurrent_bias, true, g, Real(1));
  }
}

// The parameters `first` .. `first` + H of gate g, one a unit: each adds its input to the sum of its unit
// alone.
template <class Real>
void Tangents<Real>::add_parameters(Part& part, const Factors<Real>& f, bool of_h, Index g, Index first,
                                    Real input, const Step& step) {
  const Index H = f.H, ld = part.ld;
  const Index j0 = std::max<Index>(0, step.p0 - first), j1 = std::min(H, step.p1 - first);
  Real* after = states(part, step.t);  // [states H, columns]
  if (f.reset && g == 0) {
    for (Index j = 0; j < H; ++j)
      for (Index q = j0; q < j1; ++q) after[j * ld + first + q] += f.reset[j * H + q] * input;
    return;
  }
  for (Index s = 0; s < part.op.states(); ++s) {
    const Real* factor = (of_h ? f.of_h : f.of_x) + (s * f.G + g) * H;  // [H]
    Real* to = after + s * H * ld + first;
    for (Index j = j0; j < j1; ++j) to[j * (ld + 1)] += factor[j] * input;
  }
}

template <class Real>
void Tangents<Real>::dense(std::size_t i, const Footprint<Real>& at, const Step& step, bool sums,
                           Scratch& scratch) {
  Part& part = parts_[i];
  const Operation& op = part.op;
  const Index C = op.out, K = op.in;
  const Below in = below(i, step.t);
  const Real* y = at.after;
  const bool softmax = op.activation == Activation::softmax && !sums;
  // d [C, C]: the outputs by the sums, a diagonal but for a softmax. Its row c has the columns from .. to.
  const auto from = [&](Index c) { return softmax ? 0 : c; };
  const auto to = [&](Index c) { return softmax ? C : c + 1; };
  scratch.factors.assign(to_size(C * C), Real(0));
  Real* d = scratch.factors.data();
  for (Index c = 0; c < C; ++c) {
    d[c * C + c] = sums ? Real(1) : softmax ? y[c] : slope(op.activation, y[c]);
    for (Index q = 0; softmax && q < C; ++q) d[c * C + q] -= y[c] * y[q];
  }
  if (in.columns > step.p0) {
    scratch.n.assign(to_size(C * K), Real(0));
    const Real* kernel = step.w + op.kernel;  // [K, C]
    for (Index c = 0; c < C; ++c) {
      Real* n = scratch.n.data() + c * K;
      for (Index q = from(c); q < to(c); ++q)
        for (Index k = 0; k < K; ++k) n[k] += d[c * C + q] * kernel[k * C + q];
    }
  }
  Real* after = part.buffer.data();  // [C, columns]
  product(part, nullptr, 0, scratch.n.data(), K, in, after, after, step);
  // The parameters `first` .. `first` + C, one a sum.
  const auto add = [&](Index first, Real input) {
    const Index q0 = std::max<Index>(0, step.p0 - first), q1 = std::min(C, step.p1 - first);
    for (Index c = 0; c < C; ++c)
      for (Index q = std::max(q0, from(c)); q < std::min(q1, to(c)); ++q)
        after[c * part.ld + first + q] += d[c * C + q] * input;
  };
  for (Index k = 0; k < op.terms(); ++k) add(op.kernel + (at.index ? *at.index : k) * C, at.in[k]);
  if (op.bias >= 0) add(op.bias, Real(1));
}

template class Tangents<float>;
template class Tangents<double>;

}  // namespace elman
