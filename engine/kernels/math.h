// tanh, sigmoid, exp and log of vectors. Errors, measured by tests/engine/test_math.py against higher
// precision:
//   float   tanh 5 ulp, sigmoid 3, exp 2, log 2        double   tanh 3 ulp, sigmoid 3, exp 2, log 2
// Every step is an exactly rounded operation, so that all machines with fused multiply-add give the same
// bits.
#pragma once
#include "kernels/simd.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class Real> struct Constants;
template <> struct Constants<float> {
  static constexpr float rounding = 12582912.0f;  // 1.5 2^23: adding it rounds to an integer in the low bits
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float exp_smallest = -87.0f;  // below it exp is 0 here
  static constexpr float exponent_one =
      8388608.0f;  // 2^23, whose bits with an exponent field or-ed in read 2^23 + field
  static constexpr float bias = 127.0f;
  static constexpr float mantissa = 1.17549421e-38f;  // the largest denormal: its bits are the mantissa field
  static constexpr int exp_terms = 7, log_terms = 4;
};
template <> struct Constants<double> {
  static constexpr double rounding = 6755399441055744.0;  // 1.5 2^52
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr double exp_smallest = -708.0;
  static constexpr double exponent_one = 4503599627370496.0;  // 2^52
  static constexpr double bias = 1023.0;
  static constexpr double mantissa = 2.2250738585072009e-308;
  static constexpr int exp_terms = 13, log_terms = 10;
};

template <class Real> ELMAN_INLINE Vec<Real> absolute(Vec<Real> x) {
  return bit_and_not(broadcast(Real(-0.0)), x);
}
template <class Real> ELMAN_INLINE Vec<Real> with_sign_of(Vec<Real> x, Vec<Real> sign) {
  return bit_or(x, bit_and(broadcast(Real(-0.0)), sign));
}

// 1/k!, and 2/(2k + 1)
constexpr double reciprocal_factorial[] = {
    1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
    1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
constexpr double twice_reciprocal_odd[] = {2.0,      2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9, 2.0 / 11,
                                           2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};

// x = n ln 2 + r. Gives expm1(r) by its series, and n in the low bits of `power`.
template <class Real> ELMAN_INLINE Vec<Real> reduced_expm1(Vec<Real> x, Vec<Real>& power) {
  using K = Constants<Real>;
  power = multiply_add(x, broadcast(Real(1.4426950408889634)), broadcast(K::rounding));
  const Vec<Real> n = power - broadcast(K::rounding);
  Vec<Real> r = multiply_add(n, broadcast(-K::ln2_high), x);
  r = multiply_add(n, broadcast(-K::ln2_low), r);
  Vec<Real> p = broadcast(Real(reciprocal_factorial[K::exp_terms]));
  ELMAN_UNROLL for (int k = K::exp_terms - 1; k >= 2; --k) {
    p = multiply_add(p, r, broadcast(Real(reciprocal_factorial[k])));
  }
  return multiply_add(r * r, p, r);
}

// exp(x) for x <= 0; 0 below exp_smallest.
template <class Real> ELMAN_INLINE Vec<Real> exp_nonpositive(Vec<Real> x) {
  const Vec<Real> smallest = broadcast(Constants<Real>::exp_smallest);
  Vec<Real> power;
  const Vec<Real> p = reduced_expm1(maximum(smallest, x), power) + broadcast(Real(1));
  return if_greater(smallest, x, broadcast(Real(0)), add_to_exponent(p, power));
}

// tanh as x P(x^2) / Q(x^2), fitted for the smallest largest relative error (2.1e-8) on [-9.02, 9.02], where
// it reaches 1.
ELMAN_INLINE F32 hyperbolic_tangent(F32 x) {
  x = maximum(broadcast(-9.02f), minimum(broadcast(9.02f), x));
  const F32 u = x * x;
  F32 p = broadcast(1.3319051639371082e-08f), q = broadcast(7.762010341139103e-07f);
  p = multiply_add(p, u, broadcast(2.0583465811796486e-05f));
  q = multiply_add(q, u, broadcast(3.2830910640768707e-04f));
  p = multiply_add(p, u, broadcast(3.4940335899591446e-03f));
  q = multiply_add(q, u, broadcast(2.5871070101857185e-02f));
  p = multiply_add(p, u, broadcast(1.3379716873168945e-01f));
  q = multiply_add(q, u, broadcast(4.6713033318519590e-01f));
  p = multiply_add(p, u, broadcast(1.0f));
  q = multiply_add(q, u, broadcast(1.0f));
  return maximum(broadcast(-1.0f), minimum(broadcast(1.0f), (x * p) / q));
}

// tanh = e / (e + 2) with e = expm1(2 |x|), which is exact to a few ulp everywhere.
ELMAN_INLINE F64 hyperbolic_tangent(F64 x) {
  const F64 one = broadcast(1.0);
  F64 power;
  const F64 small = reduced_expm1(minimum(broadcast(40.0), absolute(x) + absolute(x)), power);
  const F64 scale = add_to_exponent(one, power);
  const F64 e = multiply_add(scale, small, scale - one);
  return with_sign_of(e / (e + broadcast(2.0)), x);
}

template <class Real> ELMAN_INLINE Vec<Real> logistic(Vec<Real> x) {
  const Vec<Real> one = broadcast(Real(1));
  const Vec<Real> e = exp_nonpositive(broadcast(Real(0)) - absolute(x));
  return if_greater(x, broadcast(Real(0)), one, e) / (one + e);
}

// log(x) for normal x > 0: x = 2^n m with m in [sqrt(1/2), sqrt 2], log m = 2 atanh((m - 1) / (m + 1)).
template <class Real> ELMAN_INLINE Vec<Real> logarithm(Vec<Real> x) {
  using K = Constants<Real>;
  const Vec<Real> one = broadcast(Real(1)), half = broadcast(Real(0.5)), field = broadcast(K::exponent_one);
  Vec<Real> n = bit_or(exponent_bits(x), field) - broadcast(K::exponent_one + K::bias);
  Vec<Real> m = bit_or(bit_and(broadcast(K::mantissa), x), one);
  const Vec<Real> sqrt2 = broadcast(Real(1.4142135623730951));
  n = if_greater(m, sqrt2, n + one, n);
  m = if_greater(m, sqrt2, m * half, m);
  const Vec<Real> f = m - one, s = f / (f + broadcast(Real(2))), u = s * s;
  Vec<Real> p = broadcast(Real(twice_reciprocal_odd[K::log_terms]));
  ELMAN_UNROLL for (int k = K::log_terms - 1; k >= 1; --k) {
    p = multiply_add(p, u, broadcast(Real(twice_reciprocal_odd[k])));
  }
  // log m = 2 s + s u p = f - s (f - u p), which loses nothing where m is near 1
  const Vec<Real> tail = multiply_add(n, broadcast(K::ln2_low), (broadcast(Real(0)) - s) * (f - u * p));
  return multiply_add(n, broadcast(K::ln2_high), f + tail);
}

// log(1 + e) for 0 <= e <= 1, exact for tiny e too.
template <class Real> ELMAN_INLINE Vec<Real> logarithm_of_one_plus(Vec<Real> e) {
  const Vec<Real> one = broadcast(Real(1)), u = one + e;
  return if_equal(u, one, e, logarithm(u) * (e / (u - one)));
}

template <class Real> ELMAN_INLINE Vec<Real> apply(Activation f, Vec<Real> z) {
  switch (f) {
    case Activation::tanh: return hyperbolic_tangent(z);
    case Activation::relu: return maximum(broadcast(Real(0)), z);
    case Activation::sigmoid: return logistic(z);
    default: return z;
  }
}

// d f'(z), from y = f(z)
template <class Real> ELMAN_INLINE Vec<Real> apply_derivative(Activation f, Vec<Real> y, Vec<Real> d) {
  const Vec<Real> one = broadcast(Real(1)), zero = broadcast(Real(0));
  switch (f) {
    case Activation::tanh: return d * (one - y * y);
    case Activation::relu: return if_greater(y, zero, d, zero);
    case Activation::sigmoid: return d * (y * (one - y));
    default: return d;
  }
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
