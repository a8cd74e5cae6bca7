// 128-bit vectors of 64-bit Arm.
#pragma once
#include <arm_neon.h>

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class Real> struct Vec;
template <> struct Vec<float> {
  static constexpr Index width = 4;
  float32x4_t v;
};
template <> struct Vec<double> {
  static constexpr Index width = 2;
  float64x2_t v;
};
using F32 = Vec<float>;
using F64 = Vec<double>;

constexpr int tile_rows = 8;           // rows of a register tile with one chain
constexpr int tile_vectors = 2;        // and its vectors of columns
constexpr int tile_accumulators = 24;  // that the registers hold beside what is multiplied

ELMAN_INLINE F32 broadcast(float x) { return {vdupq_n_f32(x)}; }
ELMAN_INLINE F64 broadcast(double x) { return {vdupq_n_f64(x)}; }
ELMAN_INLINE F32 load(const float* p) { return {vld1q_f32(p)}; }
ELMAN_INLINE F64 load(const double* p) { return {vld1q_f64(p)}; }
ELMAN_INLINE void store(float* p, F32 a) { vst1q_f32(p, a.v); }
ELMAN_INLINE void store(double* p, F64 a) { vst1q_f64(p, a.v); }
// 0 < n < width
ELMAN_INLINE F32 load_partial(const float* p, Index n, float fill) {
  const float x[4] = {p[0], n > 1 ? p[1] : fill, n > 2 ? p[2] : fill, fill};
  return load(x);
}
ELMAN_INLINE F64 load_partial(const double* p, Index, double fill) {
  const double x[2] = {p[0], fill};
  return load(x);
}
ELMAN_INLINE void store_partial(float* p, F32 a, Index n) {
  float x[4];
  store(x, a);
  for (Index i = 0; i < n; ++i) p[i] = x[i];
}
ELMAN_INLINE void store_partial(double* p, F64 a, Index) { vst1q_lane_f64(p, a.v, 0); }

ELMAN_INLINE F32 operator+(F32 a, F32 b) { return {vaddq_f32(a.v, b.v)}; }
ELMAN_INLINE F64 operator+(F64 a, F64 b) { return {vaddq_f64(a.v, b.v)}; }
ELMAN_INLINE F32 operator-(F32 a, F32 b) { return {vsubq_f32(a.v, b.v)}; }
ELMAN_INLINE F64 operator-(F64 a, F64 b) { return {vsubq_f64(a.v, b.v)}; }
ELMAN_INLINE F32 operator*(F32 a, F32 b) { return {vmulq_f32(a.v, b.v)}; }
ELMAN_INLINE F64 operator*(F64 a, F64 b) { return {vmulq_f64(a.v, b.v)}; }
ELMAN_INLINE F32 operator/(F32 a, F32 b) { return {vdivq_f32(a.v, b.v)}; }
ELMAN_INLINE F64 operator/(F64 a, F64 b) { return {vdivq_f64(a.v, b.v)}; }
// a b + c, rounded once
ELMAN_INLINE F32 multiply_add(F32 a, F32 b, F32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
ELMAN_INLINE F64 multiply_add(F64 a, F64 b, F64 c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
ELMAN_INLINE F32 square_root(F32 a) { return {vsqrtq_f32(a.v)}; }
ELMAN_INLINE F64 square_root(F64 a) { return {vsqrtq_f64(a.v)}; }
// As x86 has them: NaN in b comes through, and of two zeros the second is taken, whatever its sign.
ELMAN_INLINE F32 minimum(F32 a, F32 b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
ELMAN_INLINE F64 minimum(F64 a, F64 b) { return {vbslq_f64(vcltq_f64(a.v, b.v), a.v, b.v)}; }
ELMAN_INLINE F32 maximum(F32 a, F32 b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
ELMAN_INLINE F64 maximum(F64 a, F64 b) { return {vbslq_f64(vcgtq_f64(a.v, b.v), a.v, b.v)}; }
// The sum and the largest of the lanes, the upper half onto the lower, and again.
ELMAN_INLINE float sum(F32 a) {
  const float32x2_t d = vadd_f32(vget_low_f32(a.v), vget_high_f32(a.v));
  return vget_lane_f32(vadd_f32(d, vdup_lane_f32(d, 1)), 0);
}
ELMAN_INLINE double sum(F64 a) { return vget_lane_f64(vadd_f64(vget_low_f64(a.v), vget_high_f64(a.v)), 0); }
ELMAN_INLINE float largest(F32 a) {
  const float32x2_t d = vmax_f32(vget_low_f32(a.v), vget_high_f32(a.v));
  return vget_lane_f32(vmax_f32(d, vdup_lane_f32(d, 1)), 0);
}
ELMAN_INLINE double largest(F64 a) {
  return vget_lane_f64(vmax_f64(vget_low_f64(a.v), vget_high_f64(a.v)), 0);
}
ELMAN_INLINE F32 bit_and(F32 a, F32 b) {
  return {vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a.v), vreinterpretq_u32_f32(b.v)))};
}
ELMAN_INLINE F64 bit_and(F64 a, F64 b) {
  return {vreinterpretq_f64_u64(vandq_u64(vreinterpretq_u64_f64(a.v), vreinterpretq_u64_f64(b.v)))};
}
ELMAN_INLINE F32 bit_or(F32 a, F32 b) {
  return {vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(a.v), vreinterpretq_u32_f32(b.v)))};
}
ELMAN_INLINE F64 bit_or(F64 a, F64 b) {
  return {vreinterpretq_f64_u64(vorrq_u64(vreinterpretq_u64_f64(a.v), vreinterpretq_u64_f64(b.v)))};
}
// a without the bits of mask
ELMAN_INLINE F32 bit_and_not(F32 mask, F32 a) {
  return {vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(a.v), vreinterpretq_u32_f32(mask.v)))};
}
ELMAN_INLINE F64 bit_and_not(F64 mask, F64 a) {
  return {vreinterpretq_f64_u64(vbicq_u64(vreinterpretq_u64_f64(a.v), vreinterpretq_u64_f64(mask.v)))};
}
// a > b ? x : y and a == b ? x : y, lane by lane
ELMAN_INLINE F32 if_greater(F32 a, F32 b, F32 x, F32 y) { return {vbslq_f32(vcgtq_f32(a.v, b.v), x.v, y.v)}; }
ELMAN_INLINE F64 if_greater(F64 a, F64 b, F64 x, F64 y) { return {vbslq_f64(vcgtq_f64(a.v, b.v), x.v, y.v)}; }
ELMAN_INLINE F32 if_equal(F32 a, F32 b, F32 x, F32 y) { return {vbslq_f32(vceqq_f32(a.v, b.v), x.v, y.v)}; }
ELMAN_INLINE F64 if_equal(F64 a, F64 b, F64 x, F64 y) { return {vbslq_f64(vceqq_f64(a.v, b.v), x.v, y.v)}; }
// The bits of a plus those of b moved into the exponent field: a 2^n where b is a float whose low bits hold
// n.
ELMAN_INLINE F32 add_to_exponent(F32 a, F32 b) {
  return {vreinterpretq_f32_u32(
      vaddq_u32(vreinterpretq_u32_f32(a.v), vshlq_n_u32(vreinterpretq_u32_f32(b.v), 23)))};
}
ELMAN_INLINE F64 add_to_exponent(F64 a, F64 b) {
  return {vreinterpretq_f64_u64(
      vaddq_u64(vreinterpretq_u64_f64(a.v), vshlq_n_u64(vreinterpretq_u64_f64(b.v), 52)))};
}
// The exponent field of a positive number as low bits.
ELMAN_INLINE F32 exponent_bits(F32 a) {
  return {vreinterpretq_f32_u32(vshrq_n_u32(vreinterpretq_u32_f32(a.v), 23))};
}
ELMAN_INLINE F64 exponent_bits(F64 a) {
  return {vreinterpretq_f64_u64(vshrq_n_u64(vreinterpretq_u64_f64(a.v), 52))};
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
