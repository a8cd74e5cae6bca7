#include "second/tangents.h"

#include <algorithm>

#include "core/layout.h"

namespace elman {
namespace {

using Type = Operation::Type;

template <class Real> Real slope(Activation f, Real y) {
  switch (f) {
    case Activation::tanh:
      return Real(1) - y * y;
    case Activation::sigmoid:
      return y * (Real(1) - y);
    case Activation::relu:
      return y > 0 ? Real(1) : Real(0);
    default:
      return Real(1);
  }
}

// How the states after a step follow from the sums of its gates, and directly from the states before, unit by
// unit. `of_x` and `of_h` [states, G, H] are the derivatives by the sum that x and the one that h adds to
// (they differ in the candidate of gru), `pass` [states, states, H] by the states before.
template <class Real> struct Factors {
  Real *of_x, *of_h, *pass;
  Real* reset;  // gru_before: [H, H] of unit j's state by the reset gate's sum of unit m; then of_h of the
                // candidate is against r h
  const Real* r;
};

template <class Real>
Factors<Real> factors_of(const Operation& op, const Real* w, const Footprint<Real>& at,
                         std::vector<Real>& store) {
  const Index H = op.out, G = op.gates(), S = op.facts().states, stride = state_stride<Real>(op);
  store.assign(static_cast<std::size_t>((2 * S * G + S * S) * H + (op.cell == Cell::gru_before ? H * H : 0)),
               Real(0));
  Factors<Real> f{store.data(), store.data() + S * G * H, store.data() + 2 * S * G * H, nullptr, nullptr};
  const Real* k = at.kept;
  for (Index j = 0; j < H; ++j) {
    const auto both = [&](Index s, Index g, Real value) {
      f.of_x[(s * G + g) * H + j] = f.of_h[(s * G + g) * H + j] = value;
    };
    switch (op.cell) {
      case Cell::elman:
        both(0, 0, slope(op.activation, at.after[j]));
        break;
      case Cell::leaky: {
        const Real leak = static_cast<Real>(op.leak);
        both(0, 0, leak * slope(op.activation, k[j]));
        f.pass[j] = Real(1) - leak;
        break;
      }
      case Cell::gru:
      case Cell::gru_before: {
        const Real r = k[j], u = k[H + j], n = k[2 * H + j], h = at.before[j];
        const Real dn = (Real(1) - u) * (Real(1) - n * n);
        both(0, 1, (h - n) * u * (Real(1) - u));
        both(0, 2, dn);
        f.pass[j] = u;
        if (op.cell == Cell::gru) {
          both(0, 0, dn * k[3 * H + j] * r * (Real(1) - r));
          f.of_h[2 * H + j] = dn * r;
        }
        break;
      }
      case Cell::lstm: {
        const Real i = k[j], g = k[2 * H + j], forget = k[H + j], o = k[3 * H + j], h = at.after[j],
                   c = at.before[stride + j];
        const Real y = h / std::max(Real(1e-30), o),
                   through = o - h * y;  // tanh of the memory, and its slope times o
        const Real of_c[3] = {g * i * (Real(1) - i), c * forget * (Real(1) - forget), i * (Real(1) - g * g)};
        for (Index q = 0; q < 3; ++q) {
          both(1, q, of_c[q]);
          both(0, q, through * of_c[q]);
        }
        both(0, 3, h * (Real(1) - o));
        f.pass[3 * H + j] = forget;        // c from c
        f.pass[H + j] = through * forget;  // h from c
        break;
      }
    }
  }
  if (op.cell == Cell::gru_before) {
    f.reset = f.pass + H;
    f.r = k;
    const Real* U = w + op.recurrent;
    for (Index m = 0; m < H; ++m) {
      const Real d = at.before[m] * k[m] * (Real(1) - k[m]);
      for (Index j = 0; j < H; ++j) f.reset[j * H + m] = f.of_x[2 * H + j] * U[m * 3 * H + 2 * H + j] * d;
    }
  }
  return f;
}

// out [S H, K] = the derivative of the states by the K inputs of a kernel [K, G H], through the gates' sums.
template <class Real>
void through_kernel(const Operation& op, const Factors<Real>& f, const Real* factors, const Real* kernel,
                    Index K, bool of_h, Real* out, Index ldo) {
  const Index H = op.out, G = op.gates(), S = op.facts().states;
  for (Index s = 0; s < S; ++s)
    for (Index k = 0; k < K; ++k) {
      const Real* row = kernel + k * G * H;
      for (Index j = 0; j < H; ++j) {
        Real sum = 0;
        for (Index g = 0; g < G; ++g)
          sum += factors[(s * G + g) * H + j] * row[g * H + j] * (f.r && of_h && g == 2 ? f.r[k] : Real(1));
        if (f.reset)
          for (Index m = 0; m < H; ++m) sum += f.reset[j * H + m] * row[m];
        out[(s * H + j) * ldo + k] = sum;
      }
    }
}

}  // namespace

template <class Real> bool Tangents<Real>::possible(const Spec& spec) {
  for (const Operation& op : spec.operations)
    if (op.reverse || (op.type == Type::pool && op.pool != Pool::last)) return false;
  return true;
}

template <class Real> Index Tangents<Real>::work(const Spec& spec) {
  Index total = 0, before = 0, columns = 0;
  for (const Operation& op : spec.operations) {
    if (op.type == Type::pool) continue;
    const Index wide = op.gates() * op.out,
                own = wide * op.in + (op.type == Type::recurrent ? wide * op.out : 0) +
                      (op.bias >= 0 ? wide : 0) + (op.recurrent_bias >= 0 ? wide : 0);
    columns += own;
    const Index rows = op.type == Type::recurrent ? op.facts().states * op.out : op.out;
    if (op.steps_in)
      total += rows * (before * op.in + (op.type == Type::recurrent ? columns * rows : 0)) + own;
    before = columns;
  }
  return total;
}

template <class Real>
Tangents<Real>::Tangents(const Spec& spec)
    : spec_(spec), kernels_(kernels<Real>()), buffer_(spec.operations.size()) {
  Index columns = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < spec.operations.size(); ++i) {
    const Operation& op = spec.operations[i];
    if (op.type != Type::pool) {
      // the parameters from this layer's kernel up to the next layer's
      columns = spec.parameter_count;
      for (next = i + 1; next < spec.operations.size(); ++next)
        if (spec.operations[next].type != Type::pool) {
          columns = spec.operations[next].kernel;
          break;
        }
    }
    const bool recurrent = op.type == Type::recurrent;
    if (recurrent) top_ = i;
    columns_.push_back(columns);
    rows_.push_back(op.type == Type::pool ? 0 : recurrent ? op.facts().states * op.out : op.out);
    // whole lines, and one more where rows would fall on few sets of the first cache
    Index ld = (columns + lanes<Real> - 1) / lanes<Real> * lanes<Real>;
    if (ld * static_cast<Index>(sizeof(Real)) % 1024 == 0) ld += lanes<Real>;
    ld_.push_back(ld);
    buffer_[i].reserve((recurrent ? 2 : 1) * rows_[i] * ld);
  }
  reset();
}

template <class Real> void Tangents<Real>::reset() {
  for (std::size_t i = 0; i < buffer_.size(); ++i)
    buffer_[i].zeros((spec_.operations[i].type == Type::recurrent ? 2 : 1) * rows_[i] * ld_[i]);
}

template <class Real> typename Tangents<Real>::Below Tangents<Real>::below(std::size_t op, Index t) const {
  for (; op > 0; --op) {
    const std::size_t i = op - 1;
    if (spec_.operations[i].type == Type::pool) continue;  // the last step's own tangents
    const Index turn = spec_.operations[i].type == Type::recurrent ? ((t + 1) & 1) * rows_[i] * ld_[i] : 0;
    return {buffer_[i].data() + turn, ld_[i], columns_[i]};
  }
  return {nullptr, 0, 0};
}

template <class Real> const Real* Tangents<Real>::output(Index c, Index t) const {
  const Below top = below(spec_.operations.size(), t);
  return top.data + c * top.ld;
}

template <class Real>
void Tangents<Real>::step(const Real* parameters, const Footprint<Real>* at, Index t, bool answered,
                          bool sums, Index p0, Index p1, Scratch& scratch) {
  for (std::size_t i = 0; i < spec_.operations.size(); ++i) {
    if (i > top_ && !answered) break;
    const Index end = std::min(p1, columns_[i]);
    if (end <= p0) continue;
    if (spec_.operations[i].type == Type::recurrent) recurrent(i, parameters, at[i], t, p0, end, scratch);
    if (spec_.operations[i].type == Type::dense)
      dense(i, parameters, at[i], t, sums && i + 1 == spec_.operations.size(), p0, end, scratch);
  }
}

// Columns that the layer below has too get both products, those of its own parameters one. The cut is at a
// whole line, as threads' cuts are: below, the rest of a line is zero.
template <class Real>
void Tangents<Real>::product(std::size_t op, const Real* m, Index K, const Real* n, Index L, const Below& in,
                             const Real* before, Real* after, Index p0, Index p1) const {
  const Index ld = ld_[op],
              middle = std::clamp((in.columns + lanes<Real> - 1) / lanes<Real> * lanes<Real>, p0, p1);
  if (middle > p0)
    kernels_.propagate({m, K, K, before + p0, ld, n, L, L, in.data + p0, in.ld, after + p0, ld, middle - p0},
                       rows_[op]);
  if (p1 > middle)
    kernels_.propagate({m, K, K, before + middle, ld, n, L, 0, before, 0, after + middle, ld, p1 - middle},
                       rows_[op]);
}

template <class Real>
void Tangents<Real>::recurrent(std::size_t i, const Real* w, const Footprint<Real>& at, Index t, Index p0,
                               Index p1, Scratch& scratch) {
  const Operation& op = spec_.operations[i];
  const Index H = op.out, G = op.gates(), S = op.facts().states, R = rows_[i], ld = ld_[i], wide = G * H;
  const Below in = below(i, t);
  const Factors<Real> f = factors_of(op, w, at, scratch.factors);
  scratch.m.assign(static_cast<std::size_t>(R * R), Real(0));
  scratch.n.resize(static_cast<std::size_t>(R * op.in));
  Real* m = scratch.m.data();
  through_kernel(op, f, f.of_h, w + op.recurrent, H, true, m, R);
  for (Index s = 0; s < S; ++s)
    for (Index q = 0; q < S; ++q)
      for (Index j = 0; j < H; ++j) m[(s * H + j) * R + q * H + j] += f.pass[(s * S + q) * H + j];
  if (in.columns > p0) through_kernel(op, f, f.of_x, w + op.kernel, op.in, false, scratch.n.data(), op.in);
  Real* after = states(i, t);
  product(i, m, R, scratch.n.data(), op.in, in, states(i, t - 1), after, p0, p1);

  // A parameter of gate g and unit j adds its input to that sum alone.
  const auto add = [&](Index base, Real input, Index g, const Real* factors) {
    const Index first = base + g * H, j0 = std::max<Index>(0, p0 - first), j1 = std::min(H, p1 - first);
    if (f.reset && g == 0) {
      for (Index j = 0; j < H; ++j)
        for (Index q = j0; q < j1; ++q) after[j * ld + first + q] += f.reset[j * H + q] * input;
      return;
    }
    for (Index s = 0; s < S; ++s) {
      const Real* factor = factors + (s * G + g) * H;
      Real* to = after + s * H * ld + first;
      for (Index j = j0; j < j1; ++j) to[j * (ld + 1)] += factor[j] * input;
    }
  };
  for (Index k = 0; k < op.terms(); ++k)
    for (Index g = 0; g < G; ++g) add(op.kernel + (at.index ? *at.index : k) * wide, at.in[k], g, f.of_x);
  for (Index k = 0; k < H; ++k)
    for (Index g = 0; g < G; ++g)
      add(op.recurrent + k * wide, f.r && g == 2 ? at.before[k] * f.r[k] : at.before[k], g, f.of_h);
  for (Index g = 0; g < G; ++g) {
    if (op.bias >= 0) add(op.bias, Real(1), g, f.of_x);
    if (op.recurrent_bias >= 0) add(op.recurrent_bias, Real(1), g, f.of_h);
  }
}

template <class Real>
void Tangents<Real>::dense(std::size_t i, const Real* w, const Footprint<Real>& at, Index t, bool sums,
                           Index p0, Index p1, Scratch& scratch) {
  const Operation& op = spec_.operations[i];
  const Index C = op.out, K = op.in, ld = ld_[i];
  const Below in = below(i, t);
  const Real* y = at.after;
  const bool softmax = op.activation == Activation::softmax && !sums;
  // [C, C] of the outputs by the sums: a diagonal, but for a softmax
  scratch.factors.assign(static_cast<std::size_t>(C * C), Real(0));
  Real* d = scratch.factors.data();
  for (Index c = 0; c < C; ++c) {
    d[c * C + c] = sums ? Real(1) : softmax ? y[c] : slope(op.activation, y[c]);
    for (Index q = 0; softmax && q < C; ++q) d[c * C + q] -= y[c] * y[q];
  }
  Real* after = buffer_[i].data();
  if (in.columns > p0) {
    scratch.n.assign(static_cast<std::size_t>(C * K), Real(0));
    for (Index c = 0; c < C; ++c)
      for (Index q = softmax ? 0 : c; q < (softmax ? C : c + 1); ++q)
        for (Index k = 0; k < K; ++k)
          scratch.n[static_cast<std::size_t>(c * K + k)] += d[c * C + q] * w[op.kernel + k * C + q];
  }
  product(i, nullptr, 0, scratch.n.data(), K, in, after, after, p0, p1);
  const auto add = [&](Index first, Real input) {
    const Index q0 = std::max<Index>(0, p0 - first), q1 = std::min(C, p1 - first);
    for (Index c = 0; c < C; ++c)
      for (Index q = softmax ? q0 : std::max(q0, c); q < (softmax ? q1 : std::min(q1, c + 1)); ++q)
        after[c * ld + first + q] += d[c * C + q] * input;
  };
  for (Index k = 0; k < op.terms(); ++k) add(op.kernel + (at.index ? *at.index : k) * C, at.in[k]);
  if (op.bias >= 0) add(op.bias, Real(1));
}

template class Tangents<float>;
template class Tangents<double>;

}  // namespace elman
