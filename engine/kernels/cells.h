// The cells. Each is its facts (cell_facts.h) and its pointwise functions, forward and backward; the products
// and time are in recurrent_forward.h and recurrent_backward.h. Equations and derivatives:
// docs/bptt.md, docs/gru.md, docs/lstm.md.
//
// A step of a cell is one phase, or two where a gate must be known for all units before the product of
// another. In a phase the gates `first` .. `first` + `count` of the kernels are multiplied; x adds gate g to
// sum g, and so does the state; but where the last gate's two parts are needed `apart`, the state's part of
// it is a sum of its own, after the others.
#pragma once
#include "kernels/tile.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

struct Phase {
  int first, count;
  bool apart = false;
  constexpr int sums() const { return count + (apart ? 1 : 0); }
};

constexpr int pieces_of_h(const CellFacts& facts) {
  int n = 0;
  for (int i = 0; i < facts.pieces; ++i) n += facts.piece[i].operand < 0;
  return n;
}

// The facts of a cell, for its own functions and for those that are written once for all cells.
template <Cell cell> struct Facts {
  static constexpr Cell id = cell;
  static constexpr CellFacts facts = cell_facts[static_cast<int>(cell)];
  static constexpr int gates = facts.gates, kept = facts.kept;
  static constexpr bool keeps = kept > 0;
  static constexpr int pieces = pieces_of_h(facts);
};

// One row and one vector of units, in the buffers of a step. `rest`: columns of the vector that are there.
template <class Real> struct Forward {
  const Real* before;   // [states] the row of the state before, at this vector
  const Real* operand;  // [H] h of it as the recurrent kernel sees it: masked, where there is a mask
  Real* after;          // [states]
  Real* kept;           // [kept H] or null
  Index stride, H, rest;
  Real leak;
  Activation activation;

  ELMAN_INLINE Vec<Real> state(int s) const { return load(before + s * stride); }
  ELMAN_INLINE void set_state(int s, Vec<Real> a) const { store(after + s * stride, a); }
  ELMAN_INLINE Vec<Real> given(int i) const { return load(kept + i * H); }
  ELMAN_INLINE void keep(int i, Vec<Real> a) const {
    if (!kept) return;
    if (rest >= Vec<Real>::width) store(kept + i * H, a);
    else store_partial(kept + i * H, a, rest);
  }
};

template <class Real> struct Backward {
  const Real* before;   // [states]
  const Real* operand;  // [H]
  const Real* after;    // [states]
  const Real* kept;     // [kept H]
  const Real* mask;     // [H] or null
  Real* dz;             // [columns H]
  Real* carry;          // null: there is no step after this one
  Real* hand;           // what is carried to the step before
  Index stride, H, rest;
  Real leak;
  Activation activation;

  ELMAN_INLINE Vec<Real> state_before(int s) const { return load(before + s * stride); }
  ELMAN_INLINE Vec<Real> state_after(int s) const { return load(after + s * stride); }
  ELMAN_INLINE Vec<Real> given(int i) const { return load(kept + i * H); }
  ELMAN_INLINE Vec<Real> carried() const { return carry ? load(carry) : broadcast(Real(0)); }
  ELMAN_INLINE void hand_on(Vec<Real> a) const { store(hand, a); }
  ELMAN_INLINE void set(int column, Vec<Real> a) const {
    if (rest >= Vec<Real>::width) store(dz + column * H, a);
    else store_partial(dz + column * H, a, rest);
  }
};

// What the sums of gate g start from: [G H] each or null, at the vector's first unit.
template <class Real> ELMAN_INLINE Vec<Real> bias_of(const Real* bias, Index H, int g) {
  return bias ? load(bias + g * H) : broadcast(Real(0));
}

// h = f(z), z = x W + h U + b: nothing but h is kept, and all stays in registers.
struct ElmanCell : Facts<Cell::elman> {
  static constexpr int phases = 1;
  static constexpr Phase phase(int) { return {0, 1}; }
  template <class Real> static ELMAN_INLINE Vec<Real> start(int, const Real* bias, const Real*, Index) {
    return bias_of(bias, 0, 0);
  }
  template <class Real> static ELMAN_INLINE Vec<Real> forward(Activation f, Vec<Real> z) {
    return apply(f, z);
  }
  template <class Real> static ELMAN_INLINE Vec<Real> backward(Activation f, Vec<Real> h, Vec<Real> dh) {
    return apply_derivative(f, h, dh);
  }
  // with a mask alone
  static constexpr int carried_state = -1;
  template <class Real> static ELMAN_INLINE void backward(Vec<Real> dh, const Backward<Real>& p) {
    p.set(0, apply_derivative(p.activation, p.state_after(0), dh));
  }
};

// h = (1 - leak) h' + leak f(z)
struct LeakyCell : Facts<Cell::leaky> {
  static constexpr int phases = 1;
  static constexpr Phase phase(int) { return {0, 1}; }
  static constexpr int carried_state = 0;  // the state whose cotangent is carried
  template <class Real> static ELMAN_INLINE Vec<Real> start(int, const Real* bias, const Real*, Index) {
    return bias_of(bias, 0, 0);
  }
  template <int, class Real> static ELMAN_INLINE void forward(const Vec<Real>* z, const Forward<Real>& p) {
    const Vec<Real> y = apply(p.activation, z[0]);
    p.keep(0, y);
    p.set_state(0, multiply_add(broadcast(p.leak), y, broadcast(Real(1) - p.leak) * p.state(0)));
  }
  template <class Real> static ELMAN_INLINE void backward(Vec<Real> dh, const Backward<Real>& p) {
    dh = dh + p.carried();
    p.set(0, apply_derivative(p.activation, p.given(0), broadcast(p.leak) * dh));
    p.hand_on(broadcast(Real(1) - p.leak) * dh);
  }
};

template <class Real> ELMAN_INLINE Vec<Real> logistic_slope(Vec<Real> y) {
  return y * (broadcast(Real(1)) - y);
}
template <class Real> ELMAN_INLINE Vec<Real> tanh_slope(Vec<Real> y) { return broadcast(Real(1)) - y * y; }

// i, f, o = sigmoid(z), g = tanh(z): c = f c' + i g, h = o tanh(c)
struct LstmCell : Facts<Cell::lstm> {
  static constexpr int phases = 1;
  static constexpr Phase phase(int) { return {0, 4}; }
  static constexpr int carried_state = 1;
  template <class Real> static ELMAN_INLINE Vec<Real> start(int sum, const Real* bias, const Real*, Index H) {
    return bias_of(bias, H, sum);
  }
  template <int, class Real> static ELMAN_INLINE void forward(const Vec<Real>* z, const Forward<Real>& p) {
    const Vec<Real> i = logistic(z[0]), f = logistic(z[1]), g = hyperbolic_tangent(z[2]), o = logistic(z[3]);
    const Vec<Real> c = multiply_add(f, p.state(1), i * g);
    p.keep(0, i);
    p.keep(1, f);
    p.keep(2, g);
    p.keep(3, o);
    p.set_state(1, c);
    p.set_state(0, o * hyperbolic_tangent(c));
  }
  template <class Real> static ELMAN_INLINE void backward(Vec<Real> dh, const Backward<Real>& p) {
    const Vec<Real> i = p.given(0), f = p.given(1), g = p.given(2), o = p.given(3), h = p.state_after(0),
                    one = broadcast(Real(1));
    // tanh(c) = h / o costs less than to compute or to keep it; where o has vanished, h has too
    const Vec<Real> y = h / maximum(broadcast(Real(1e-30)), o);
    const Vec<Real> dc = multiply_add(dh, o - h * y, p.carried());
    p.set(0, dc * g * logistic_slope(i));
    p.set(1, dc * p.state_before(1) * logistic_slope(f));
    p.set(2, dc * i * tanh_slope(g));
    p.set(3, dh * h * (one - o));
    p.hand_on(dc * f);
  }
};

// r, u = sigmoid(z), n = tanh(x W_n + b_n + r (h' U_n + c_n)): h = (1 - u) n + u h'
struct GruCell : Facts<Cell::gru> {
  static constexpr int phases = 1;
  static constexpr Phase phase(int) { return {0, 3, true}; }  // sums: r, u, and the two parts of n
  static constexpr int carried_state = 0;                     // dz: r, u, n as x sees it, n as h' sees it
  template <class Real>
  static ELMAN_INLINE Vec<Real> start(int sum, const Real* bias, const Real* recurrent_bias, Index H) {
    if (sum == 3) return bias_of(recurrent_bias, H, 2);
    return sum == 2 ? bias_of(bias, H, 2) : bias_of(bias, H, sum) + bias_of(recurrent_bias, H, sum);
  }
  template <int, class Real> static ELMAN_INLINE void forward(const Vec<Real>* z, const Forward<Real>& p) {
    const Vec<Real> r = logistic(z[0]), u = logistic(z[1]),
                    n = hyperbolic_tangent(multiply_add(r, z[3], z[2]));
    p.keep(0, r);
    p.keep(1, u);
    p.keep(2, n);
    p.keep(3, z[3]);
    p.set_state(0, multiply_add(u, p.state(0) - n, n));
  }
  template <class Real> static ELMAN_INLINE void backward(Vec<Real> dh, const Backward<Real>& p) {
    const Vec<Real> r = p.given(0), u = p.given(1), n = p.given(2), hu = p.given(3);
    dh = dh + p.carried();
    const Vec<Real> dn = dh * (broadcast(Real(1)) - u) * tanh_slope(n);
    p.set(0, dn * hu * logistic_slope(r));
    p.set(1, dh * (p.state_before(0) - n) * logistic_slope(u));
    p.set(2, dn);
    p.set(3, dn * r);
    p.hand_on(dh * u);
  }
};

// The same with n = tanh(x W_n + b_n + (r h') U_n): r must be known for all units first. Kept: r, u, n and r
// h'.
struct GruBeforeCell : Facts<Cell::gru_before> {
  static constexpr int phases = 2;
  static constexpr Phase phase(int i) { return i == 0 ? Phase{0, 2} : Phase{2, 1}; }
  static constexpr int operand =
      facts.piece[1].operand;              // what stands for h' in the second phase, among the kept
  static constexpr int carried_state = 0;  // of h' itself; n's is the operand's
  template <class Real>
  static ELMAN_INLINE Vec<Real> start(int gate, const Real* bias, const Real*, Index H) {
    return bias_of(bias, H, gate);
  }
  template <int phase, class Real>
  static ELMAN_INLINE void forward(const Vec<Real>* z, const Forward<Real>& p) {
    if constexpr (phase == 0) {
      const Vec<Real> r = logistic(z[0]);
      p.keep(0, r);
      p.keep(1, logistic(z[1]));
      p.keep(3, r * load(p.operand));
    } else {
      const Vec<Real> n = hyperbolic_tangent(z[0]);
      p.keep(2, n);
      p.set_state(0, multiply_add(p.given(1), p.state(0) - n, n));
    }
  }
  template <class Real> static ELMAN_INLINE void backward(Vec<Real> dh, const Backward<Real>& p) {
    const Vec<Real> u = p.given(1), n = p.given(2);
    dh = dh + p.carried();
    p.set(1, dh * (p.state_before(0) - n) * logistic_slope(u));
    p.set(2, dh * (broadcast(Real(1)) - u) * tanh_slope(n));
    p.hand_on(dh * u);
  }
  // d: the cotangent of r h'
  template <class Real> static ELMAN_INLINE void backward_operand(Vec<Real> d, const Backward<Real>& p) {
    const Vec<Real> r = p.given(0);
    p.set(0, d * load(p.operand) * logistic_slope(r));
    p.hand_on(multiply_add(p.mask ? d * load(p.mask) : d, r, load(p.hand)));
  }
};

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
