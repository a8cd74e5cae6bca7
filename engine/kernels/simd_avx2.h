// 256-bit vectors with fused multiply-add (x86-64-v3: AVX2, FMA).
#pragma once
#include <immintrin.h>

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class Real> struct Vec;
template <> struct Vec<float> {
  static constexpr Index width = 8;
  __m256 v;
};
template <> struct Vec<double> {
  static constexpr Index width = 4;
  __m256d v;
};
using F32 = Vec<float>;
using F64 = Vec<double>;

constexpr int tile_rows = 6;           // rows of a register tile with one chain
constexpr int tile_vectors = 2;        // and its vectors of columns
constexpr int tile_accumulators = 12;  // that the registers hold beside what is multiplied

// The first n of the width's lanes, as a mask.
ELMAN_INLINE __m256i first8(Index n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
ELMAN_INLINE __m256i first4(Index n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

ELMAN_INLINE F32 broadcast(float x) { return {_mm256_set1_ps(x)}; }
ELMAN_INLINE F64 broadcast(double x) { return {_mm256_set1_pd(x)}; }
ELMAN_INLINE F32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
ELMAN_INLINE F64 load(const double* p) { return {_mm256_loadu_pd(p)}; }
ELMAN_INLINE void store(float* p, F32 a) { _mm256_storeu_ps(p, a.v); }
ELMAN_INLINE void store(double* p, F64 a) { _mm256_storeu_pd(p, a.v); }
// 0 < n < width
ELMAN_INLINE F32 load_partial(const float* p, Index n, float fill) {
  return {_mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, first8(n)),
                           _mm256_castsi256_ps(first8(n)))};
}
ELMAN_INLINE F64 load_partial(const double* p, Index n, double fill) {
  return {_mm256_blendv_pd(_mm256_set1_pd(fill), _mm256_maskload_pd(p, first4(n)),
                           _mm256_castsi256_pd(first4(n)))};
}
ELMAN_INLINE void store_partial(float* p, F32 a, Index n) { _mm256_maskstore_ps(p, first8(n), a.v); }
ELMAN_INLINE void store_partial(double* p, F64 a, Index n) { _mm256_maskstore_pd(p, first4(n), a.v); }

ELMAN_INLINE F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
ELMAN_INLINE F64 operator+(F64 a, F64 b) { return {_mm256_add_pd(a.v, b.v)}; }
ELMAN_INLINE F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
ELMAN_INLINE F64 operator-(F64 a, F64 b) { return {_mm256_sub_pd(a.v, b.v)}; }
ELMAN_INLINE F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
ELMAN_INLINE F64 operator*(F64 a, F64 b) { return {_mm256_mul_pd(a.v, b.v)}; }
ELMAN_INLINE F32 operator/(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
ELMAN_INLINE F64 operator/(F64 a, F64 b) { return {_mm256_div_pd(a.v, b.v)}; }
// a b + c, rounded once
ELMAN_INLINE F32 multiply_add(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
ELMAN_INLINE F64 multiply_add(F64 a, F64 b, F64 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
ELMAN_INLINE F32 square_root(F32 a) { return {_mm256_sqrt_ps(a.v)}; }
ELMAN_INLINE F64 square_root(F64 a) { return {_mm256_sqrt_pd(a.v)}; }
// NaN in b comes through.
ELMAN_INLINE F32 minimum(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
ELMAN_INLINE F64 minimum(F64 a, F64 b) { return {_mm256_min_pd(a.v, b.v)}; }
ELMAN_INLINE F32 maximum(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
ELMAN_INLINE F64 maximum(F64 a, F64 b) { return {_mm256_max_pd(a.v, b.v)}; }
// The sum and the largest of the lanes, the upper half onto the lower, and again.
ELMAN_INLINE float sum(F32 a) {
  const __m128 q = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1)),
               d = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_shuffle_ps(d, d, 1)));
}
ELMAN_INLINE double sum(F64 a) {
  const __m128d d = _mm_add_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(d, _mm_unpackhi_pd(d, d)));
}
ELMAN_INLINE float largest(F32 a) {
  const __m128 q = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1)),
               d = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(d, _mm_shuffle_ps(d, d, 1)));
}
ELMAN_INLINE double largest(F64 a) {
  const __m128d d = _mm_max_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_max_sd(d, _mm_unpackhi_pd(d, d)));
}
ELMAN_INLINE F32 bit_and(F32 a, F32 b) { return {_mm256_and_ps(a.v, b.v)}; }
ELMAN_INLINE F64 bit_and(F64 a, F64 b) { return {_mm256_and_pd(a.v, b.v)}; }
ELMAN_INLINE F32 bit_or(F32 a, F32 b) { return {_mm256_or_ps(a.v, b.v)}; }
ELMAN_INLINE F64 bit_or(F64 a, F64 b) { return {_mm256_or_pd(a.v, b.v)}; }
// a without the bits of mask
ELMAN_INLINE F32 bit_and_not(F32 mask, F32 a) { return {_mm256_andnot_ps(mask.v, a.v)}; }
ELMAN_INLINE F64 bit_and_not(F64 mask, F64 a) { return {_mm256_andnot_pd(mask.v, a.v)}; }
// a > b ? x : y and a == b ? x : y, lane by lane
ELMAN_INLINE F32 if_greater(F32 a, F32 b, F32 x, F32 y) {
  return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ))};
}
ELMAN_INLINE F64 if_greater(F64 a, F64 b, F64 x, F64 y) {
  return {_mm256_blendv_pd(y.v, x.v, _mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ))};
}
ELMAN_INLINE F32 if_equal(F32 a, F32 b, F32 x, F32 y) {
  return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ))};
}
ELMAN_INLINE F64 if_equal(F64 a, F64 b, F64 x, F64 y) {
  return {_mm256_blendv_pd(y.v, x.v, _mm256_cmp_pd(a.v, b.v, _CMP_EQ_OQ))};
}
// The bits of a plus those of b moved into the exponent field: a 2^n where b is a float whose low bits hold
// n.
ELMAN_INLINE F32 add_to_exponent(F32 a, F32 b) {
  return {_mm256_castsi256_ps(
      _mm256_add_epi32(_mm256_castps_si256(a.v), _mm256_slli_epi32(_mm256_castps_si256(b.v), 23)))};
}
ELMAN_INLINE F64 add_to_exponent(F64 a, F64 b) {
  return {_mm256_castsi256_pd(
      _mm256_add_epi64(_mm256_castpd_si256(a.v), _mm256_slli_epi64(_mm256_castpd_si256(b.v), 52)))};
}
// The exponent field of a positive number as low bits.
ELMAN_INLINE F32 exponent_bits(F32 a) {
  return {_mm256_castsi256_ps(_mm256_srli_epi32(_mm256_castps_si256(a.v), 23))};
}
ELMAN_INLINE F64 exponent_bits(F64 a) {
  return {_mm256_castsi256_pd(_mm256_srli_epi64(_mm256_castpd_si256(a.v), 52))};
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
