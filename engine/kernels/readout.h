// Rows of outputs: activations over whole rows, and the three losses with their gradients, in one pass over
// each row.
#pragma once
#include "kernels/math.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

// Lanes beyond the row: below every logit, also below the most negative one.
template <class Real> constexpr Real lowest = -Real(__builtin_huge_val());

template <class Real> struct Softmax {
  Real maximum, sum;
};

// y [C] -> exp(y - max y), with their sum
template <class Real> ELMAN_INLINE Softmax<Real> exponentials(Real* y, Index C) {
  constexpr Index w = lanes<Real>;
  Lanes<Real> top = lanes_of(lowest<Real>);
  for (Index j = 0; j < C; j += w) {
    const Lanes<Real> z = load_lanes(y + j, C - j, lowest<Real>);
    ELMAN_UNROLL for (int i = 0; i < top.n; ++i) top.v[i] = maximum(top.v[i], z.v[i]);
  }
  const Real m = max_lanes(top);
  Lanes<Real> total = lanes_of(Real(0));
  for (Index j = 0; j < C; j += w) {
    Lanes<Real> z = load_lanes(y + j, C - j, lowest<Real>);
    ELMAN_UNROLL for (int i = 0; i < total.n; ++i) {
      z.v[i] = exp_nonpositive(z.v[i] - broadcast(m));
      total.v[i] = total.v[i] + z.v[i];
    }
    store_lanes(y + j, z, C - j);
  }
  return {m, sum_lanes(total)};
}

// y [N] = f(y) where f is not a softmax
template <class Real> ELMAN_INLINE void activate_row(Activation f, Real* y, Index N) {
  for (Index j = 0; j < N; j += lanes<Real>) {
    Lanes<Real> z = load_lanes(y + j, N - j, Real(0));
    ELMAN_UNROLL for (int i = 0; i < z.n; ++i) z.v[i] = apply(f, z.v[i]);
    store_lanes(y + j, z, N - j);
  }
}

// out [N] = y / by
template <class Real> ELMAN_INLINE void divide_row(Real* out, const Real* y, Real by, Index N) {
  for (Index j = 0; j < N; j += lanes<Real>) {
    Lanes<Real> z = load_lanes(y + j, N - j, Real(0));
    ELMAN_UNROLL for (int i = 0; i < z.n; ++i) z.v[i] = z.v[i] / broadcast(by);
    store_lanes(out + j, z, N - j);
  }
}

// y [N] = softmax(y), without a second pass where all fits a group of lanes
template <class Real> ELMAN_INLINE void softmax_row(Real* y, Index N) {
  if (N > lanes<Real>) {
    const Softmax<Real> s = exponentials(y, N);
    return divide_row(y, y, s.sum, N);
  }
  Lanes<Real> z = load_lanes(y, N, lowest<Real>);
  const Vec<Real> m = broadcast(max_lanes(z));
  ELMAN_UNROLL for (int i = 0; i < z.n; ++i) z.v[i] = exp_nonpositive(z.v[i] - m);
  const Vec<Real> sum = broadcast(sum_lanes(z));
  ELMAN_UNROLL for (int i = 0; i < z.n; ++i) z.v[i] = z.v[i] / sum;
  store_lanes(y, z, N);
}

template <class Real> void activate(Activation f, Real* y, Index ld, Index n, Index N) {
  for (Index b = 0; b < n; ++b, y += ld) {
    if (f == Activation::softmax) {
      softmax_row(y, N);
    } else {
      activate_row(f, y, N);
    }
  }
}

template <class Real>
void activate_backward(Activation f, const Real* y, Index ldy, Real* d, Index ldd, Index n, Index N) {
  constexpr Index w = lanes<Real>;
  for (Index b = 0; b < n; ++b, y += ldy, d += ldd) {
    Real projection = 0;  // softmax: d <- y (d - sum d y)
    if (f == Activation::softmax) {
      Lanes<Real> total = lanes_of(Real(0));
      for (Index j = 0; j < N; j += w) {
        const Lanes<Real> p = load_lanes(y + j, N - j, Real(0)), q = load_lanes(d + j, N - j, Real(0));
        ELMAN_UNROLL for (int i = 0; i < p.n; ++i) total.v[i] = multiply_add(p.v[i], q.v[i], total.v[i]);
      }
      projection = sum_lanes(total);
    }
    for (Index j = 0; j < N; j += w) {
      const Lanes<Real> p = load_lanes(y + j, N - j, Real(0));
      Lanes<Real> q = load_lanes(d + j, N - j, Real(0));
      ELMAN_UNROLL for (int i = 0; i < p.n; ++i) {
        q.v[i] = f == Activation::softmax ? p.v[i] * (q.v[i] - broadcast(projection))
                                          : apply_derivative(f, p.v[i], q.v[i]);
      }
      store_lanes(d + j, q, N - j);
    }
  }
}

// What one row's answer adds, before its weight.
struct Answer {
  double loss, metric1, metric2, elements;
  bool given;
};

// Is column c the first of the largest of y [C]? Never where a NaN is among them, nor where the largest is
// infinite: its softmax is NaN.
template <class Real> ELMAN_INLINE bool is_first_maximum(const Real* y, Index C, Index c) {
  int earlier = !(y[c] - y[c] == 0), later = 0;
  for (Index j = 0; j < c; ++j) earlier += !(y[j] < y[c]);
  for (Index j = c + 1; j < C; ++j) later += !(y[j] <= y[c]);
  return !(earlier + later);
}

template <class Real> ELMAN_INLINE Real log_of(Real x) {
  Real out[Vec<Real>::width];
  store(out, logarithm(broadcast(x)));
  return out[0];
}

// logits y -> loss, and with `scale` y <- scale (softmax(y) sum(target) - target)
template <class Real>
ELMAN_INLINE Answer cross_entropy(const LossRows<Real>& p, Real* y, Index target, const Real* scale) {
  if (p.classes) {
    const Index c = p.classes[target];
    if (c < 0 || c >= p.C)
      return {0, 0, 0, 0, false};  // the caller's memory may have changed since it was checked
    const Real logit = y[c];
    const bool right = is_first_maximum(y, p.C, c);
    const Softmax<Real> s = exponentials(y, p.C);
    if (scale) {
      divide_row(y, y, s.sum / *scale, p.C);
      y[c] -= *scale;
    }
    return {double(log_of(s.sum)) - (double(logit) - double(s.maximum)), right ? 1.0 : 0.0, 0, 1, true};
  }
  const Real* q = p.values + target * p.C;
  if (q[0] != q[0]) return {0, 0, 0, 0, false};
  Index c = 0;
  double total = 0, dot = 0;
  for (Index j = 0; j < p.C; ++j) {
    if (q[j] > q[c]) c = j;
    total += double(q[j]);
    dot += double(q[j]) * double(y[j]);
  }
  const bool right = is_first_maximum(y, p.C, c);
  const Softmax<Real> s = exponentials(y, p.C);
  if (scale)
    for (Index j = 0; j < p.C; ++j) y[j] = *scale * (y[j] / s.sum * Real(total) - q[j]);
  return {total * (double(log_of(s.sum)) + double(s.maximum)) - dot, right ? 1.0 : 0.0, 0, 1, true};
}

// What element j of a row's target is; false: no answer there.
template <class Real> ELMAN_INLINE bool element(const LossRows<Real>& p, Index target, Index j, Real& value) {
  if (p.classes) {
    if (p.classes[target] < 0) return false;
    value = Real(p.classes[target]);
    return true;
  }
  value = p.values[target * p.C + j];
  return value == value;
}

// Up to `lanes` logits, and of each the logistic function and log(1 + exp(-|z|)).
template <class Real> struct Logits {
  Real z[lanes<Real>], probability[lanes<Real>], tail[lanes<Real>];
};

template <class Real>
ELMAN_INLINE void take_logits(Logits<Real>& l, const Real* y, Index apart, Index count) {
  constexpr Index w = Vec<Real>::width;
  const Vec<Real> zero = broadcast(Real(0)), one = broadcast(Real(1));
  for (Index i = 0; i < count; ++i) l.z[i] = y[i * apart];
  for (Index i = count; i < (count + w - 1) / w * w; ++i) l.z[i] = 0;
  for (Index i = 0; i < count; i += w) {
    const Vec<Real> z = load(l.z + i), e = exp_nonpositive(if_greater(zero, z, z, zero - z));
    store(l.probability + i, if_greater(z, zero, one, e) / (one + e));
    store(l.tail + i, logarithm_of_one_plus(e));
  }
}

// logit z -> max(z, 0) - z y + log(1 + exp(-|z|)), gradient sigmoid(z) - y
template <class Real>
ELMAN_INLINE void add_binary(const LossRows<Real>& p, Real* y, Index target, Index j, const Real* scale,
                             const Logits<Real>& l, Index i, Answer& a) {
  Real t;
  if (!element(p, target, j, t)) {
    if (scale) *y = 0;
    return;
  }
  const Real z = l.z[i];
  a.loss += (double(z > 0 ? z : Real(0)) - double(z) * double(t)) + double(l.tail[i]);
  a.metric1 += z == z && (l.probability[i] > Real(0.5)) == (t > Real(0.5)) ? 1.0 : 0.0;
  a.elements += 1;
  a.given = true;
  if (z != z) a.loss = double(z);
  if (scale) *y = *scale * (l.probability[i] - t);
}

template <class Real>
ELMAN_INLINE Answer binary_cross_entropy(const LossRows<Real>& p, Real* y, Index target, const Real* scale) {
  Answer a = {0, 0, 0, 0, false};
  for (Index first = 0; first < p.C; first += lanes<Real>) {
    const Index count = smaller(lanes<Real>, p.C - first);
    Logits<Real> l;
    take_logits(l, y + first, 1, count);
    for (Index i = 0; i < count; ++i) add_binary(p, y + first + i, target, first + i, scale, l, i, a);
  }
  return a;
}

// outputs y -> half the squared difference, gradient y - target
template <class Real>
ELMAN_INLINE Answer squared_error(const LossRows<Real>& p, Real* y, Index target, const Real* scale) {
  Answer a = {0, 0, 0, 0, false};
  for (Index j = 0; j < p.C; ++j) {
    Real t;
    if (!element(p, target, j, t)) {
      if (scale) y[j] = 0;
      continue;
    }
    const double e = double(y[j]) - double(t);
    a.loss += 0.5 * e * e;
    a.metric1 += e * e;
    a.metric2 += e < 0 ? -e : e;
    a.elements += 1;
    a.given = true;
    if (scale) y[j] = *scale * (y[j] - t);
  }
  return a;
}

template <class Real> void loss(const LossRows<Real>& p, Real* y, Index ld, Index n, Index t) {
  const bool together = p.loss == Loss::binary_cross_entropy && p.C == 1;  // logits of several rows at a time
  Logits<Real> l;
  for (Index b = 0; b < n; ++b, y += ld) {
    if (together && b % lanes<Real> == 0) take_logits(l, y, ld, smaller(lanes<Real>, n - b));
    const Index r = p.steps ? 0 : b, target = p.first[r] + (p.steps ? b : 0) + t;
    double counts = 1;
    if (p.class_weight && target >= 0) {
      const Index c = p.classes[target];
      counts = c >= 0 && c < p.C ? p.class_weight[c] : 0;
    }
    const Real of_class = Real(counts);
    Real of_row = p.scale ? p.scale[r] : Real(0);
    bool counted = target >= 0;
    if (p.row_weight && counted) {
      const double weight = p.row_weight[target];
      counts *= weight;
      counted = weight != 0;
      of_row = Real(p.weight[r] * weight / p.divisor);  // in double, as `scale`: weights may be large
    }
    const Real own = of_row * of_class;
    const Real* scale = p.scale ? &own : nullptr;
    Answer a = {0, 0, 0, 0, false};
    if (counted) {
      switch (p.loss) {
        case Loss::cross_entropy: a = cross_entropy(p, y, target, scale); break;
        case Loss::binary_cross_entropy:
          if (together) add_binary(p, y, target, 0, scale, l, b % lanes<Real>, a);
          else a = binary_cross_entropy(p, y, target, scale);
          break;
        default: a = squared_error(p, y, target, scale);
      }
    }
    if (a.given) {
      const double weight = p.weight[r] * counts;
      double* sums = p.sums + r * 5;
      sums[0] += weight * a.loss;
      sums[1] += weight;
      sums[2] += weight * a.metric1;
      sums[3] += weight * a.metric2;
      sums[4] += weight * a.elements;
    } else if (scale) {
      for (Index j = 0; j < p.C; ++j) y[j] = 0;
    }
  }
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
