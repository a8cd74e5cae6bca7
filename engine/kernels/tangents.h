// The product that carries tangents from one step to the next.
#pragma once
#include "kernels/tile.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

// y [n, N] = a [n, K] s [K, N] + b [n, L] t [L, N]. One chain a sum whatever N is: threads may cut the
// columns anywhere between whole lines.
template <class Real> void propagate(const Propagate<Real>& p, Index n) {
  constexpr Index w = Vec<Real>::width;
  const Index vectors = (p.N + w - 1) / w;
  over_rows<tile_rows, 1>(0, n, vectors, vectors, [&](auto R, auto C, auto, Index i, Index v) {
    Tile<Real, R.value, C.value, 1> tile;
    tile.begin(nullptr);
    tile.add(p.a + i * p.lda, p.lda, p.s + v * w, p.lds, p.K);
    tile.add(p.b + i * p.ldb, p.ldb, p.t + v * w, p.ldt, p.L);
    ELMAN_UNROLL for (int c = 0; c < C.value; ++c) {
      ELMAN_UNROLL for (int r = 0; r < R.value; ++r) {
        store(p.y + (i + r) * p.ldy + (v + c) * w, tile.sum(r, c));
      }
    }
  });
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
