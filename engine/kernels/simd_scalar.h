// One number at a time: any machine, and the plainest statement of what each operation means.
#pragma once

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class Real> struct Vec {
  static constexpr Index width = 1;
  Real v;
};
using F32 = Vec<float>;
using F64 = Vec<double>;

constexpr int tile_rows = 4;          // rows of a register tile with one chain
constexpr int tile_vectors = 2;       // and its vectors of columns
constexpr int tile_accumulators = 8;  // that the registers hold beside what is multiplied

ELMAN_INLINE unsigned bits_of(float x) {
  unsigned u;
  __builtin_memcpy(&u, &x, sizeof u);
  return u;
}
ELMAN_INLINE unsigned long long bits_of(double x) {
  unsigned long long u;
  __builtin_memcpy(&u, &x, sizeof u);
  return u;
}
ELMAN_INLINE F32 from_bits(unsigned u) {
  F32 a;
  __builtin_memcpy(&a.v, &u, sizeof u);
  return a;
}
ELMAN_INLINE F64 from_bits(unsigned long long u) {
  F64 a;
  __builtin_memcpy(&a.v, &u, sizeof u);
  return a;
}

ELMAN_INLINE F32 broadcast(float x) { return {x}; }
ELMAN_INLINE F64 broadcast(double x) { return {x}; }
ELMAN_INLINE F32 load(const float* p) { return {*p}; }
ELMAN_INLINE F64 load(const double* p) { return {*p}; }
ELMAN_INLINE void store(float* p, F32 a) { *p = a.v; }
ELMAN_INLINE void store(double* p, F64 a) { *p = a.v; }
// never called: there is no part of one lane
template <class Real> ELMAN_INLINE Vec<Real> load_partial(const Real* p, Index, Real) { return {*p}; }
template <class Real> ELMAN_INLINE void store_partial(Real* p, Vec<Real> a, Index) { *p = a.v; }

template <class Real> ELMAN_INLINE Vec<Real> operator+(Vec<Real> a, Vec<Real> b) { return {a.v + b.v}; }
template <class Real> ELMAN_INLINE Vec<Real> operator-(Vec<Real> a, Vec<Real> b) { return {a.v - b.v}; }
template <class Real> ELMAN_INLINE Vec<Real> operator*(Vec<Real> a, Vec<Real> b) { return {a.v * b.v}; }
template <class Real> ELMAN_INLINE Vec<Real> operator/(Vec<Real> a, Vec<Real> b) { return {a.v / b.v}; }
// a b + c, rounded once
ELMAN_INLINE F32 multiply_add(F32 a, F32 b, F32 c) { return {__builtin_fmaf(a.v, b.v, c.v)}; }
ELMAN_INLINE F64 multiply_add(F64 a, F64 b, F64 c) { return {__builtin_fma(a.v, b.v, c.v)}; }
ELMAN_INLINE F32 square_root(F32 a) { return {__builtin_sqrtf(a.v)}; }
ELMAN_INLINE F64 square_root(F64 a) { return {__builtin_sqrt(a.v)}; }
// NaN in b comes through.
template <class Real> ELMAN_INLINE Vec<Real> minimum(Vec<Real> a, Vec<Real> b) {
  return {a.v < b.v ? a.v : b.v};
}
template <class Real> ELMAN_INLINE Vec<Real> maximum(Vec<Real> a, Vec<Real> b) {
  return {a.v > b.v ? a.v : b.v};
}
// The sum and the largest of the lanes, the upper half onto the lower, and again.
template <class Real> ELMAN_INLINE Real sum(Vec<Real> a) { return a.v; }
template <class Real> ELMAN_INLINE Real largest(Vec<Real> a) { return a.v; }
template <class Real> ELMAN_INLINE Vec<Real> bit_and(Vec<Real> a, Vec<Real> b) {
  return from_bits(bits_of(a.v) & bits_of(b.v));
}
template <class Real> ELMAN_INLINE Vec<Real> bit_or(Vec<Real> a, Vec<Real> b) {
  return from_bits(bits_of(a.v) | bits_of(b.v));
}
// a without the bits of mask
template <class Real> ELMAN_INLINE Vec<Real> bit_and_not(Vec<Real> mask, Vec<Real> a) {
  return from_bits(bits_of(a.v) & ~bits_of(mask.v));
}
// a > b ? x : y and a == b ? x : y
template <class Real> ELMAN_INLINE Vec<Real> if_greater(Vec<Real> a, Vec<Real> b, Vec<Real> x, Vec<Real> y) {
  return a.v > b.v ? x : y;
}
template <class Real> ELMAN_INLINE Vec<Real> if_equal(Vec<Real> a, Vec<Real> b, Vec<Real> x, Vec<Real> y) {
  return a.v == b.v ? x : y;
}
// The bits of a plus those of b moved into the exponent field: a 2^n where b is a float whose low bits hold
// n.
ELMAN_INLINE F32 add_to_exponent(F32 a, F32 b) { return from_bits(bits_of(a.v) + (bits_of(b.v) << 23)); }
ELMAN_INLINE F64 add_to_exponent(F64 a, F64 b) { return from_bits(bits_of(a.v) + (bits_of(b.v) << 52)); }
// The exponent field of a positive number as low bits.
ELMAN_INLINE F32 exponent_bits(F32 a) { return from_bits(bits_of(a.v) >> 23); }
ELMAN_INLINE F64 exponent_bits(F64 a) { return from_bits(bits_of(a.v) >> 52); }

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
