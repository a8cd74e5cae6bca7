// One vector type per scalar type: `Vec<float>` and `Vec<double>`, as wide as the instruction set of this
// build.
//
// Each machine has a header of its own; this is the only one that others include. No standard library here or
// in any file below kernels/: an inline function of the standard library compiled for AVX-512 could be picked
// by the linker for the whole process.
#pragma once

#include "kernels/table.h"

#if defined(_MSC_VER) && !defined(__clang__)
#define ELMAN_INLINE __forceinline
#define ELMAN_NOINLINE __declspec(noinline)
#define ELMAN_INLINE_LAMBDA
#define ELMAN_UNROLL
#else
#define ELMAN_INLINE inline __attribute__((always_inline))
#define ELMAN_NOINLINE __attribute__((noinline))
#define ELMAN_INLINE_LAMBDA __attribute__((always_inline))
#define ELMAN_UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include "kernels/simd_avx512.h"
#elif defined(__AVX2__)
#include "kernels/simd_avx2.h"
#elif defined(__SSE4_1__) || defined(_M_X64)
#include "kernels/simd_sse.h"
#elif defined(__aarch64__) || defined(_M_ARM64)
#include "kernels/simd_neon.h"
#else
#include "kernels/simd_scalar.h"
#endif

namespace elman {
namespace ELMAN_ISA {
namespace {

// Reductions over the columns of a row run in 64-byte lanes on every machine, so that their order, and with
// it their bits, is the same.
template <class Real> constexpr Index lanes = 64 / (Index)sizeof(Real);
template <class Real> constexpr int vectors_per_lane_group = int(lanes<Real> / Vec<Real>::width);

constexpr Index round_up(Index n, Index to) { return (n + to - 1) / to * to; }
ELMAN_INLINE Index smaller(Index a, Index b) { return a < b ? a : b; }
ELMAN_INLINE Index larger(Index a, Index b) { return a > b ? a : b; }

// Asks for the cache line at p before it is needed.
ELMAN_INLINE void prefetch(const void* p) {
#if defined(_MSC_VER) && !defined(__clang__)
  (void)p;
#else
  __builtin_prefetch(p);
#endif
}

// A group of 64 bytes of lanes.
template <class Real> struct Lanes {
  static constexpr int n = vectors_per_lane_group<Real>;
  Vec<Real> v[n];
};

template <class Real> ELMAN_INLINE Lanes<Real> lanes_of(Real x) {
  Lanes<Real> a;
  ELMAN_UNROLL for (int i = 0; i < a.n; ++i) a.v[i] = broadcast(x);
  return a;
}

// p[0 .. count) with `fill` in the lanes beyond.
template <class Real> ELMAN_INLINE Lanes<Real> load_lanes(const Real* p, Index count, Real fill) {
  constexpr Index w = Vec<Real>::width;
  Lanes<Real> a;
  ELMAN_UNROLL for (int i = 0; i < a.n; ++i) {
    const Index rest = count - i * w;
    a.v[i] = rest >= w ? load(p + i * w) : rest <= 0 ? broadcast(fill) : load_partial(p + i * w, rest, fill);
  }
  return a;
}

template <class Real> ELMAN_INLINE void store_lanes(Real* p, const Lanes<Real>& a, Index count) {
  constexpr Index w = Vec<Real>::width;
  ELMAN_UNROLL for (int i = 0; i < a.n; ++i) {
    const Index rest = count - i * w;
    if (rest >= w) store(p + i * w, a.v[i]);
    else if (rest > 0) store_partial(p + i * w, a.v[i], rest);
  }
}

template <class Real> ELMAN_INLINE Real sum_lanes(Lanes<Real> a) {
  ELMAN_UNROLL for (int s = a.n / 2; s; s /= 2) {
    ELMAN_UNROLL for (int i = 0; i < s; ++i) a.v[i] = a.v[i] + a.v[i + s];
  }
  return sum(a.v[0]);
}

template <class Real> ELMAN_INLINE Real max_lanes(Lanes<Real> a) {
  ELMAN_UNROLL for (int s = a.n / 2; s; s /= 2) {
    ELMAN_UNROLL for (int i = 0; i < s; ++i) a.v[i] = maximum(a.v[i], a.v[i + s]);
  }
  return largest(a.v[0]);
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
