// Passes over flat vectors: pools, optimizers, norms, checks.
#pragma once
#include "kernels/math.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class Real>
void pool_add(Pool pool, Real* total, Index ldt, const Real* h, Index ldh, Index n, Index H) {
  constexpr Index w = Vec<Real>::width;
  for (Index b = 0; b < n; ++b, total += ldt, h += ldh)
    for (Index j = 0; j < H; j += w) {
      const Vec<Real> a = load(total + j), x = load(h + j);
      store(total + j, pool == Pool::mean ? a + x : if_greater(x, a, x, if_equal(x, x, a, x)));
    }
}

template <class Real> void divide(Real* out, const Real* total, Real count, Index H) {
  for (Index j = 0; j < H; j += Vec<Real>::width) store(out + j, load(total + j) / broadcast(count));
}

// To be called for the steps of a row from the first on: where h equals the maximum, d goes there and the
// maximum becomes NaN, which equals nothing.
template <class Real> void max_backward(Real* dz, const Real* h, Real* maximum, const Real* d, Index H) {
  const Vec<Real> zero = broadcast(Real(0)), spent = zero / zero;
  for (Index j = 0; j < H; j += Vec<Real>::width) {
    const Vec<Real> m = load(maximum + j), x = load(h + j);
    store(dz + j, if_equal(x, m, load(d + j), zero));
    store(maximum + j, if_equal(x, m, spent, m));
  }
}

template <class Real> bool all_finite(const Real* x, Index n) {
  Lanes<Real> acc = lanes_of(Real(0));
  for (Index i = 0; i < n; i += lanes<Real>) {
    const Lanes<Real> v = load_lanes(x + i, n - i, Real(0));
    ELMAN_UNROLL for (int k = 0; k < v.n; ++k) {
      acc.v[k] = acc.v[k] + (v.v[k] - v.v[k]);  // inf - inf and NaN are NaN
    }
  }
  const Real total = sum_lanes(acc);
  return total == total;
}

template <class Real> void add_scaled(Real* g, const Real* w, Real l2, Index n) {
  const Vec<Real> factor = broadcast(l2);
  for (Index i = 0; i < n; i += lanes<Real>) {
    Lanes<Real> a = load_lanes(g + i, n - i, Real(0));
    const Lanes<Real> b = load_lanes(w + i, n - i, Real(0));
    ELMAN_UNROLL for (int k = 0; k < a.n; ++k) a.v[k] = multiply_add(factor, b.v[k], a.v[k]);
    store_lanes(g + i, a, n - i);
  }
}

// w [n] into lower .. upper
template <class Real> void into_bounds(Real* w, const Real* lower, const Real* upper, Index n) {
  for (Index i = 0; i < n; i += lanes<Real>) {
    Lanes<Real> a = load_lanes(w + i, n - i, Real(0));
    const Lanes<Real> low = load_lanes(lower + i, n - i, Real(0)),
                      high = load_lanes(upper + i, n - i, Real(0));
    ELMAN_UNROLL for (int k = 0; k < a.n; ++k) {
      a.v[k] = minimum(high.v[k], maximum(low.v[k], a.v[k]));  // NaN comes through
    }
    store_lanes(w + i, a, n - i);
  }
}

// g [n] = 0 where the bounds leave a parameter no room
template <class Real> void drop_fixed(Real* g, const Real* lower, const Real* upper, Index n) {
  for (Index i = 0; i < n; i += lanes<Real>) {
    Lanes<Real> a = load_lanes(g + i, n - i, Real(0));
    const Lanes<Real> low = load_lanes(lower + i, n - i, Real(0)),
                      high = load_lanes(upper + i, n - i, Real(0));
    ELMAN_UNROLL for (int k = 0; k < a.n; ++k) {
      a.v[k] = if_equal(low.v[k], high.v[k], broadcast(Real(0)), a.v[k]);
    }
    store_lanes(g + i, a, n - i);
  }
}

// One step of an optimizer over n parameters, PyTorch's formulas. The vector form of each rule works on one
// vector; `over` brings them through memory.
template <class Real, int moments, class F>
ELMAN_INLINE void over(Real clip, Real* w, const Real* g, Real* m, Real* v, Index n, F rule) {
  for (Index i = 0; i < n; i += lanes<Real>) {
    const Index rest = n - i;
    Lanes<Real> p = load_lanes(w + i, rest, Real(0)), d = load_lanes(g + i, rest, Real(0));
    Lanes<Real> a = moments > 0 ? load_lanes(m + i, rest, Real(0)) : d,
                b = moments > 1 ? load_lanes(v + i, rest, Real(0)) : d;
    ELMAN_UNROLL for (int k = 0; k < p.n; ++k) rule(p.v[k], d.v[k] * broadcast(clip), a.v[k], b.v[k]);
    store_lanes(w + i, p, rest);
    if (moments > 0) store_lanes(m + i, a, rest);
    if (moments > 1) store_lanes(v + i, b, rest);
  }
}

ELMAN_INLINE double power(double x, Index n) {
  double y = 1;
  for (; n; n >>= 1, x *= x)
    if (n & 1) y *= x;
  return y;
}

template <class Real>
void update(const UpdateRule& rule, double rate, Index step, Real clip, Real* w, const Real* g, Real* m,
            Real* v, Index n) {
  using V = Vec<Real>;
  const V minus_rate = broadcast(Real(-rate)), epsilon = broadcast(Real(rule.epsilon));
  const V a = broadcast(Real(rule.a)), b = broadcast(Real(rule.b));
  const V rest_a = broadcast(Real(1 - rule.a)), rest_b = broadcast(Real(1 - rule.b));
  switch (rule.kind) {
    case OptimizerKind::sgd:
      if (rule.a == 0) {
        over<Real, 0>(clip, w, g, m, v, n, [&](V& p, V d, V&, V&) { p = multiply_add(minus_rate, d, p); });
      } else {
        const bool nesterov = rule.nesterov;
        over<Real, 1>(clip, w, g, m, v, n, [&](V& p, V d, V& mean, V&) {
          mean = multiply_add(a, mean, d);
          p = multiply_add(minus_rate, nesterov ? multiply_add(a, mean, d) : mean, p);
        });
      }
      break;
    case OptimizerKind::rmsprop:
      over<Real, 1>(clip, w, g, m, v, n, [&](V& p, V d, V& square, V&) {
        square = multiply_add(a, square, rest_a * (d * d));
        p = multiply_add(minus_rate, d / (square_root(square) + epsilon), p);
      });
      break;
    default: {
      const double first = 1 - power(rule.a, step), second = 1 - power(rule.b, step);
      double root[Vec<double>::width];
      store(root, square_root(broadcast(second)));
      const V minus_step = broadcast(Real(-rate / first)), unbias = broadcast(Real(1 / root[0]));
      const V keep = broadcast(Real(rule.kind == OptimizerKind::adamw ? 1 - rate * rule.weight_decay : 1.0));
      over<Real, 2>(clip, w, g, m, v, n, [&](V& p, V d, V& mean, V& square) {
        mean = multiply_add(a, mean, rest_a * d);
        square = multiply_add(b, square, rest_b * (d * d));
        p = multiply_add(minus_step, mean / multiply_add(square_root(square), unbias, epsilon), p * keep);
      });
    }
  }
}

template <class Real> void map(int function, Real* x, Index n) {
  for (Index i = 0; i < n; i += lanes<Real>) {
    Lanes<Real> a = load_lanes(x + i, n - i, Real(1));
    ELMAN_UNROLL for (int k = 0; k < a.n; ++k) {
      switch (function) {
        case 0: a.v[k] = hyperbolic_tangent(a.v[k]); break;
        case 1: a.v[k] = logistic(a.v[k]); break;
        case 2: a.v[k] = exp_nonpositive(a.v[k]); break;
        default: a.v[k] = logarithm(a.v[k]);
      }
    }
    store_lanes(x + i, a, n - i);
  }
}

// Sixteen accumulators, enough to hide the latency of a multiply-add: the machine's own limit.
constexpr int fma_chains = 16;
template <class Real> Real fma_loop(Index rounds) {
  Vec<Real> acc[fma_chains];
  ELMAN_UNROLL for (int i = 0; i < fma_chains; ++i) acc[i] = broadcast(Real(i) * Real(0.001));
  const Vec<Real> x = broadcast(Real(0.999)), y = broadcast(Real(0.001));
  for (Index r = 0; r < rounds; ++r) {
    ELMAN_UNROLL for (int i = 0; i < fma_chains; ++i) acc[i] = multiply_add(acc[i], x, y);
  }
  Vec<Real> total = acc[0];
  ELMAN_UNROLL for (int i = 1; i < fma_chains; ++i) total = total + acc[i];
  Real out[Vec<Real>::width];
  store(out, total);
  return out[0];
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
