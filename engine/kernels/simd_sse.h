// 128-bit vectors (x86-64-v2: SSE4.2). No fused multiply-add: the one place where results may differ in their
// last bits.
#pragma once
#include <smmintrin.h>

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class Real> struct Vec;
template <> struct Vec<float> {
  static constexpr Index width = 4;
  __m128 v;
};
template <> struct Vec<double> {
  static constexpr Index width = 2;
  __m128d v;
};
using F32 = Vec<float>;
using F64 = Vec<double>;

constexpr int tile_rows = 4;          // rows of a register tile with one chain
constexpr int tile_vectors = 2;       // and its vectors of columns
constexpr int tile_accumulators = 8;  // that the registers hold beside what is multiplied

ELMAN_INLINE F32 broadcast(float x) { return {_mm_set1_ps(x)}; }
ELMAN_INLINE F64 broadcast(double x) { return {_mm_set1_pd(x)}; }
ELMAN_INLINE F32 load(const float* p) { return {_mm_loadu_ps(p)}; }
ELMAN_INLINE F64 load(const double* p) { return {_mm_loadu_pd(p)}; }
ELMAN_INLINE void store(float* p, F32 a) { _mm_storeu_ps(p, a.v); }
ELMAN_INLINE void store(double* p, F64 a) { _mm_storeu_pd(p, a.v); }
// 0 < n < width
ELMAN_INLINE F32 load_partial(const float* p, Index n, float fill) {
  return {_mm_setr_ps(p[0], n > 1 ? p[1] : fill, n > 2 ? p[2] : fill, fill)};
}
ELMAN_INLINE F64 load_partial(const double* p, Index, double fill) { return {_mm_setr_pd(p[0], fill)}; }
ELMAN_INLINE void store_partial(float* p, F32 a, Index n) {
  float x[4];
  _mm_storeu_ps(x, a.v);
  for (Index i = 0; i < n; ++i) p[i] = x[i];
}
ELMAN_INLINE void store_partial(double* p, F64 a, Index) { _mm_store_sd(p, a.v); }

ELMAN_INLINE F32 operator+(F32 a, F32 b) { return {_mm_add_ps(a.v, b.v)}; }
ELMAN_INLINE F64 operator+(F64 a, F64 b) { return {_mm_add_pd(a.v, b.v)}; }
ELMAN_INLINE F32 operator-(F32 a, F32 b) { return {_mm_sub_ps(a.v, b.v)}; }
ELMAN_INLINE F64 operator-(F64 a, F64 b) { return {_mm_sub_pd(a.v, b.v)}; }
ELMAN_INLINE F32 operator*(F32 a, F32 b) { return {_mm_mul_ps(a.v, b.v)}; }
ELMAN_INLINE F64 operator*(F64 a, F64 b) { return {_mm_mul_pd(a.v, b.v)}; }
ELMAN_INLINE F32 operator/(F32 a, F32 b) { return {_mm_div_ps(a.v, b.v)}; }
ELMAN_INLINE F64 operator/(F64 a, F64 b) { return {_mm_div_pd(a.v, b.v)}; }
// a b + c, rounded twice
ELMAN_INLINE F32 multiply_add(F32 a, F32 b, F32 c) { return {_mm_add_ps(_mm_mul_ps(a.v, b.v), c.v)}; }
ELMAN_INLINE F64 multiply_add(F64 a, F64 b, F64 c) { return {_mm_add_pd(_mm_mul_pd(a.v, b.v), c.v)}; }
ELMAN_INLINE F32 square_root(F32 a) { return {_mm_sqrt_ps(a.v)}; }
ELMAN_INLINE F64 square_root(F64 a) { return {_mm_sqrt_pd(a.v)}; }
// NaN in b comes through.
ELMAN_INLINE F32 minimum(F32 a, F32 b) { return {_mm_min_ps(a.v, b.v)}; }
ELMAN_INLINE F64 minimum(F64 a, F64 b) { return {_mm_min_pd(a.v, b.v)}; }
ELMAN_INLINE F32 maximum(F32 a, F32 b) { return {_mm_max_ps(a.v, b.v)}; }
ELMAN_INLINE F64 maximum(F64 a, F64 b) { return {_mm_max_pd(a.v, b.v)}; }
// The sum and the largest of the lanes, the upper half onto the lower, and again.
ELMAN_INLINE float sum(F32 a) {
  const __m128 d = _mm_add_ps(a.v, _mm_movehl_ps(a.v, a.v));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_shuffle_ps(d, d, 1)));
}
ELMAN_INLINE double sum(F64 a) {
  const __m128d d = a.v;
  return _mm_cvtsd_f64(_mm_add_sd(d, _mm_unpackhi_pd(d, d)));
}
ELMAN_INLINE float largest(F32 a) {
  const __m128 d = _mm_max_ps(a.v, _mm_movehl_ps(a.v, a.v));
  return _mm_cvtss_f32(_mm_max_ss(d, _mm_shuffle_ps(d, d, 1)));
}
ELMAN_INLINE double largest(F64 a) {
  const __m128d d = a.v;
  return _mm_cvtsd_f64(_mm_max_sd(d, _mm_unpackhi_pd(d, d)));
}
ELMAN_INLINE F32 bit_and(F32 a, F32 b) { return {_mm_and_ps(a.v, b.v)}; }
ELMAN_INLINE F64 bit_and(F64 a, F64 b) { return {_mm_and_pd(a.v, b.v)}; }
ELMAN_INLINE F32 bit_or(F32 a, F32 b) { return {_mm_or_ps(a.v, b.v)}; }
ELMAN_INLINE F64 bit_or(F64 a, F64 b) { return {_mm_or_pd(a.v, b.v)}; }
// a without the bits of mask
ELMAN_INLINE F32 bit_and_not(F32 mask, F32 a) { return {_mm_andnot_ps(mask.v, a.v)}; }
ELMAN_INLINE F64 bit_and_not(F64 mask, F64 a) { return {_mm_andnot_pd(mask.v, a.v)}; }
// a > b ? x : y and a == b ? x : y, lane by lane
ELMAN_INLINE F32 if_greater(F32 a, F32 b, F32 x, F32 y) {
  return {_mm_blendv_ps(y.v, x.v, _mm_cmpgt_ps(a.v, b.v))};
}
ELMAN_INLINE F64 if_greater(F64 a, F64 b, F64 x, F64 y) {
  return {_mm_blendv_pd(y.v, x.v, _mm_cmpgt_pd(a.v, b.v))};
}
ELMAN_INLINE F32 if_equal(F32 a, F32 b, F32 x, F32 y) {
  return {_mm_blendv_ps(y.v, x.v, _mm_cmpeq_ps(a.v, b.v))};
}
ELMAN_INLINE F64 if_equal(F64 a, F64 b, F64 x, F64 y) {
  return {_mm_blendv_pd(y.v, x.v, _mm_cmpeq_pd(a.v, b.v))};
}
// The bits of a plus those of b moved into the exponent field: a 2^n where b is a float whose low bits hold
// n.
ELMAN_INLINE F32 add_to_exponent(F32 a, F32 b) {
  return {_mm_castsi128_ps(_mm_add_epi32(_mm_castps_si128(a.v), _mm_slli_epi32(_mm_castps_si128(b.v), 23)))};
}
ELMAN_INLINE F64 add_to_exponent(F64 a, F64 b) {
  return {_mm_castsi128_pd(_mm_add_epi64(_mm_castpd_si128(a.v), _mm_slli_epi64(_mm_castpd_si128(b.v), 52)))};
}
// The exponent field of a positive number as low bits.
ELMAN_INLINE F32 exponent_bits(F32 a) {
  return {_mm_castsi128_ps(_mm_srli_epi32(_mm_castps_si128(a.v), 23))};
}
ELMAN_INLINE F64 exponent_bits(F64 a) {
  return {_mm_castsi128_pd(_mm_srli_epi64(_mm_castpd_si128(a.v), 52))};
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
