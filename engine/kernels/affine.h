// y = f(x kernel + bias) over rows, the gradient of a kernel, and the packing of kernels into panels.
#pragma once
#include "kernels/tile.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class Real> void affine(const Affine<Real>& p, Index n) {
  constexpr Index w = Vec<Real>::width;
  over_tiles<Real>(0, n, p.N, p.kernel.panel, [&](auto R, auto C, auto S, Index b, Index v) {
    Tile<Real, R.value, C.value, S.value> tile;
    if (p.adds) tile.begin_rows(p.y + b * p.ldy + v * w, p.ldy);
    else tile.begin(p.bias ? p.bias + v * w : nullptr);
    tile.add(p.x + b * p.ldx, p.ldx, columns_at(p.kernel, p.K, v), p.kernel.ld, p.K);
    ELMAN_UNROLL for (int c = 0; c < C.value; ++c) {
      ELMAN_UNROLL for (int r = 0; r < R.value; ++r) {
        store(p.y + (b + r) * p.ldy + (v + c) * w, apply(p.activation, tile.sum(r, c)));
      }
    }
  });
}

// out [K, N] += a' d: one chain over the rows of all segments from zero, then added.
template <class Real> void weight_gradient(const WeightGradient<Real>& p, Index i0, Index i1) {
  constexpr Index w = Vec<Real>::width;
  const Index vectors = (p.N + w - 1) / w;
  over_rows<tile_rows, 1>(i0, i1, vectors, tile_vectors, [&](auto R, auto C, auto, Index i, Index v) {
    Vec<Real> acc[R.value][C.value];
    ELMAN_UNROLL for (int r = 0; r < R.value; ++r) {
      ELMAN_UNROLL for (int c = 0; c < C.value; ++c) acc[r][c] = broadcast(Real(0));
    }
    for (Index g = 0; g < p.n_segments; ++g) {
      const Real* a = p.a + p.segments[g].a * p.lda + i;
      const Real* d = p.d + p.segments[g].d * p.ldd + v * w;
      for (Index k = p.segments[g].count; k > 0; --k, a += p.lda, d += p.ldd) {
        Vec<Real> x[C.value];
        ELMAN_UNROLL for (int c = 0; c < C.value; ++c) x[c] = load(d + c * w);
        ELMAN_UNROLL for (int r = 0; r < R.value; ++r) {
          const Vec<Real> y = broadcast(a[r]);
          ELMAN_UNROLL for (int c = 0; c < C.value; ++c) acc[r][c] = multiply_add(y, x[c], acc[r][c]);
        }
      }
    }
    ELMAN_UNROLL for (int r = 0; r < R.value; ++r) {
      ELMAN_UNROLL for (int c = 0; c < C.value; ++c) {
        const Index j = (v + c) * w, rest = p.N - j;
        Real* out = p.out + (i + r) * p.ldo + j;
        if (rest >= w) store(out, load(out) + acc[r][c]);
        else store_partial(out, load_partial(out, rest, Real(0)) + acc[r][c], rest);
      }
    }
  });
}

// Several columns at a time, since each is one chain of additions.
template <class Real> void bias_gradient(const WeightGradient<Real>& p) {
  constexpr Index w = Vec<Real>::width;
  const Index vectors = (p.N + w - 1) / w;
  over_columns<4>(vectors, vectors, [&](auto C, Index v) {
    Vec<Real> acc[C.value];
    ELMAN_UNROLL for (int c = 0; c < C.value; ++c) acc[c] = broadcast(Real(0));
    for (Index g = 0; g < p.n_segments; ++g) {
      const Real* d = p.d + p.segments[g].d * p.ldd + v * w;
      for (Index k = p.segments[g].count; k > 0; --k, d += p.ldd) {
        ELMAN_UNROLL for (int c = 0; c < C.value; ++c) acc[c] = acc[c] + load(d + c * w);
      }
    }
    ELMAN_UNROLL for (int c = 0; c < C.value; ++c) {
      const Index j = (v + c) * w, rest = p.N - j;
      if (rest >= w) store(p.out + j, load(p.out + j) + acc[c]);
      else store_partial(p.out + j, load_partial(p.out + j, rest, Real(0)) + acc[c], rest);
    }
  });
}

template <class Real>
void pack(Real* out, const Real* src, Index K, Index N, Index gates, Index panel, Index p0, Index p1) {
  for (Index q = p0; q < p1; ++q) {
    const Index n = smaller(panel, N - q * panel);
    for (Index k = 0; k < K; ++k)
      for (Index g = 0; g < gates; ++g) {
        Real* to = out + ((q * K + k) * gates + g) * panel;
        const Real* from = src + (k * gates + g) * N + q * panel;
        for (Index j = 0; j < n; ++j) to[j] = from[j];
        for (Index j = n; j < panel; ++j) to[j] = 0;
      }
  }
}

template <class Real>
void pack_transposed(Real* out, const Real* src, Index K, Index N, Index panel, Index p0, Index p1) {
  for (Index q = p0; q < p1; ++q) {
    const Index n = smaller(panel, N - q * panel);
    Real* to = out + q * K * panel;
    // by blocks of a cache line of each source row
    for (Index k0 = 0; k0 < K; k0 += lanes<Real>) {
      const Index k1 = smaller(K, k0 + lanes<Real>);
      for (Index j = 0; j < n; ++j) {
        const Real* from = src + (q * panel + j) * K;
        for (Index k = k0; k < k1; ++k) to[k * panel + j] = from[k];
      }
      for (Index k = k0; k < k1; ++k)
        for (Index j = n; j < panel; ++j) to[k * panel + j] = 0;
    }
  }
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
