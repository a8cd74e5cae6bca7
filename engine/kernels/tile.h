// The register tile: every matrix product of the engine is made of it.
//
// A tile holds R rows by C vectors of columns in accumulators; for each k it loads C vectors of the matrix
// once and multiplies them by R broadcast scalars.
//
// One order of summation. A sum over k is split into S chains of multiply-adds, k going to chain k mod S;
// chain 0 starts from the bias (or the value that is added to); chains are joined as (c0 + c1) + (c2 + c3). S
// depends on the number of columns and the scalar type alone (`chains`), never on rows, threads or
// instruction set: narrow layers need several chains to hide the latency of a multiply-add, wide ones have
// enough columns.
#pragma once
#include "kernels/math.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class Real> ELMAN_INLINE int chains(Index columns) {
  const Index bytes = columns * (Index)sizeof(Real);
  return bytes <= 64 ? 4 : bytes <= 128 ? 2 : 1;
}

// Rows of the largest tile with S chains, and vectors of columns of a tile with R rows, so that the
// accumulators fit the registers.
constexpr int rows_for(int S) { return S == 1 ? tile_rows : tile_rows >= 8 ? 4 : 2; }
constexpr int vectors_for(int R, int S) {
  return S == 4 ? 1 : S == 2 ? 2 : R == 1 ? 8 : R <= 3 ? 4 : tile_vectors;
}

template <int n> struct Int {
  static constexpr int value = n;
};

// step(Int<chain>, k) for k = 0 .. K - 1, k going to chain k mod S.
template <int S, class F> ELMAN_INLINE void over_k(Index K, F step) {
  Index k = 0;
  if constexpr (S == 1) {
    for (; k + 4 <= K; k += 4) {
      step(Int<0>{}, k);
      step(Int<0>{}, k + 1);
      step(Int<0>{}, k + 2);
      step(Int<0>{}, k + 3);
    }
    for (; k < K; ++k) step(Int<0>{}, k);
  } else if constexpr (S == 2) {
    for (; k + 2 <= K; k += 2) {
      step(Int<0>{}, k);
      step(Int<1>{}, k + 1);
    }
    if (k < K) step(Int<0>{}, k);
  } else {
    for (; k + 4 <= K; k += 4) {
      step(Int<0>{}, k);
      step(Int<1>{}, k + 1);
      step(Int<2>{}, k + 2);
      step(Int<3>{}, k + 3);
    }
    if (k < K) step(Int<0>{}, k);
    if (k + 1 < K) step(Int<1>{}, k + 1);
    if (k + 2 < K) step(Int<2>{}, k + 2);
  }
}

template <class Real, int R, int C, int S> struct Tile {
  static constexpr Index w = Vec<Real>::width;
  Vec<Real> acc[S][R][C];

  // Chain 0 from `start` [C vectors], the same for every row, or from zero.
  ELMAN_INLINE void begin(const Real* start) {
    ELMAN_UNROLL for (int c = 0; c < C; ++c) {
      const Vec<Real> b = start ? load(start + c * w) : broadcast(Real(0));
      ELMAN_UNROLL for (int r = 0; r < R; ++r) acc[0][r][c] = b;
    }
    zero_other_chains();
  }
  ELMAN_INLINE void begin_column(int c, Vec<Real> start) {
    ELMAN_UNROLL for (int r = 0; r < R; ++r) acc[0][r][c] = start;
  }
  // The same after sums were taken out: all chains of the column.
  ELMAN_INLINE void begin_column_anew(int c, Vec<Real> start) {
    begin_column(c, start);
    ELMAN_UNROLL for (int s = 1; s < S; ++s) {
      ELMAN_UNROLL for (int r = 0; r < R; ++r) acc[s][r][c] = broadcast(Real(0));
    }
  }
  // Chain 0 from the rows of `start` [R, C vectors].
  ELMAN_INLINE void begin_rows(const Real* start, Index ld) {
    ELMAN_UNROLL for (int r = 0; r < R; ++r) {
      ELMAN_UNROLL for (int c = 0; c < C; ++c) acc[0][r][c] = load(start + r * ld + c * w);
    }
    zero_other_chains();
  }
  ELMAN_INLINE void zero_other_chains() {
    ELMAN_UNROLL for (int s = 1; s < S; ++s) {
      ELMAN_UNROLL for (int r = 0; r < R; ++r) {
        ELMAN_UNROLL for (int c = 0; c < C; ++c) acc[s][r][c] = broadcast(Real(0));
      }
    }
  }

  template <int s> ELMAN_INLINE void step(const Real* a, Index lda, const Real* m) {
    Vec<Real> v[C];
    ELMAN_UNROLL for (int c = 0; c < C; ++c) v[c] = load(m + c * w);
    ELMAN_UNROLL for (int r = 0; r < R; ++r) {
      const Vec<Real> x = broadcast(a[r * lda]);
      ELMAN_UNROLL for (int c = 0; c < C; ++c) acc[s][r][c] = multiply_add(x, v[c], acc[s][r][c]);
    }
  }

  // acc += a [R, K] m [K, C vectors]
  ELMAN_INLINE void add(const Real* a, Index lda, const Real* m, Index ldm, Index K) {
    over_k<S>(K, [&](auto s, Index k)
                     ELMAN_INLINE_LAMBDA { this->template step<s.value>(a + k, lda, m + k * ldm); });
  }

  // The same for U vectors of units of a cell with n gates: C = U n. Gate g stands at m + u * unit + g *
  // gate.
  template <int U, int n>
  ELMAN_INLINE void add_gates(const Real* a, Index lda, const Real* m, Index ldm, Index unit, Index gate,
                              Index K) {
    over_k<S>(K, [&](auto s, Index k) ELMAN_INLINE_LAMBDA {
      this->template step_gates<s.value, U, n>(a + k, lda, m + k * ldm, unit, gate);
    });
  }

  template <int s, int U, int n>
  ELMAN_INLINE void step_gates(const Real* a, Index lda, const Real* m, Index unit, Index gate) {
    Vec<Real> v[C];
    ELMAN_UNROLL for (int u = 0; u < U; ++u) {
      ELMAN_UNROLL for (int g = 0; g < n; ++g) v[u * n + g] = load(m + u * unit + g * gate);
    }
    ELMAN_UNROLL for (int r = 0; r < R; ++r) {
      const Vec<Real> x = broadcast(a[r * lda]);
      ELMAN_UNROLL for (int c = 0; c < C; ++c) acc[s][r][c] = multiply_add(x, v[c], acc[s][r][c]);
    }
  }

  // One term to chain 0 of the U vectors of n gates, as `add_gates` places them: a[r] times the row index[r]
  // of the matrix.
  template <int U, int n>
  ELMAN_INLINE void look_up(const Real* a, const int* index, const Real* m, Index ldm, Index unit,
                            Index gate) {
    ELMAN_UNROLL for (int r = 0; r < R; ++r) {
      const Real* row = m + index[r] * ldm;
      const Vec<Real> x = broadcast(a[r]);
      ELMAN_UNROLL for (int u = 0; u < U; ++u) {
        ELMAN_UNROLL for (int g = 0; g < n; ++g) {
          Vec<Real>& to = acc[0][r][u * n + g];
          to = multiply_add(x, load(row + u * unit + g * gate), to);
        }
      }
    }
  }

  // The sums to out [R, C vectors].
  ELMAN_INLINE void spill(Real* out) const {
    ELMAN_UNROLL for (int r = 0; r < R; ++r) {
      ELMAN_UNROLL for (int c = 0; c < C; ++c) store(out + (r * C + c) * w, sum(r, c));
    }
  }

  ELMAN_INLINE Vec<Real> sum(int r, int c) const {
    if constexpr (S == 1) return acc[0][r][c];
    else if constexpr (S == 2) return acc[0][r][c] + acc[1][r][c];
    else return (acc[0][r][c] + acc[1][r][c]) + (acc[2][r][c] + acc[3][r][c]);
  }
};

// Where a tile's columns, from vector `v` on, begin in a paneled matrix [K, .].
template <class Real> ELMAN_INLINE const Real* columns_at(const Matrix<Real>& m, Index K, Index v) {
  const Index j = v * Vec<Real>::width;
  return m.data + (j / m.panel) * K * m.ld + j % m.panel;
}

// Columns 0 .. vectors in groups of C, C / 2, ... 1: do_columns(Int<C>, first vector).
template <int C, class F> ELMAN_INLINE void over_columns(Index vectors, Index most, F do_columns) {
  Index v = 0;
  if (C <= most)
    for (; v + C <= vectors; v += C) do_columns(Int<C>{}, v);
  if constexpr (C >= 8)
    if (4 <= most)
      for (; v + 4 <= vectors; v += 4) do_columns(Int<4>{}, v);
  if constexpr (C >= 4)
    if (2 <= most)
      for (; v + 2 <= vectors; v += 2) do_columns(Int<2>{}, v);
  if constexpr (C >= 2)
    for (; v < vectors; ++v) do_columns(Int<1>{}, v);
}

// Rows of the next smaller tile, for what the larger ones leave.
constexpr int fewer(int R) { return R > 4 ? 4 : (R + 1) / 2; }

// Rows for tiles of R out of n: eight are two tiles of four rather than one of six and one of two, which
// would wait for its own sums.
template <int R> ELMAN_INLINE Index rows_in_tiles(Index n) {
  const Index rest = n % R;
  return R == 6 && rest == 2 && n > R ? n - rest - R : n - rest;
}

// Rows b0 .. b1 and all columns in tiles: do_tile(Int<R>, Int<C>, Int<S>, row, vector). `most`: vectors of
// columns that one panel holds.
template <int R, int S, class F>
ELMAN_INLINE void over_rows(Index b0, Index b1, Index vectors, Index most, F do_tile) {
  const Index whole = b0 + rows_in_tiles<R>(b1 - b0);
  if (whole > b0) {
    over_columns<vectors_for(R, S)>(vectors, most, [&](auto C, Index v) {
      for (Index b = b0; b < whole; b += R) do_tile(Int<R>{}, C, Int<S>{}, b, v);
    });
  }
  if constexpr (R > 1)
    if (whole < b1) over_rows<fewer(R), S>(whole, b1, vectors, most, do_tile);
}

template <class Real, class F>
ELMAN_INLINE void over_tiles(Index b0, Index b1, Index columns, Index panel, F do_tile) {
  const Index vectors = (columns + Vec<Real>::width - 1) / Vec<Real>::width,
              most = larger(1, panel / Vec<Real>::width);
  switch (chains<Real>(columns)) {
    case 4: over_rows<rows_for(4), 4>(b0, b1, vectors, most, do_tile); break;
    case 2: over_rows<rows_for(2), 2>(b0, b1, vectors, most, do_tile); break;
    default: over_rows<rows_for(1), 1>(b0, b1, vectors, most, do_tile);
  }
}

// The same for the H units of a cell, whose n gates fill the registers side by side: do_tile(Int<R>, Int<U>,
// Int<S>, row, vector of units). A unit has n chains already: only a single vector of units has two chains a
// sum.
constexpr int at_most(int a, int b) { return a < b ? a : b; }
constexpr int unit_rows(int n, int S) { return at_most(tile_rows, tile_accumulators / (n * S)); }
constexpr int unit_vectors(int R, int n, int S) { return S == 1 && 2 * R * n <= tile_accumulators ? 2 : 1; }

template <int R, int n, int S, class F>
ELMAN_INLINE void over_unit_rows(Index b0, Index b1, Index vectors, F do_tile) {
  const Index whole = b0 + rows_in_tiles<R>(b1 - b0);
  if (whole > b0) {
    over_columns<unit_vectors(R, n, S)>(vectors, vectors, [&](auto U, Index v) {
      for (Index b = b0; b < whole; b += R) do_tile(Int<R>{}, U, Int<S>{}, b, v);
    });
  }
  if constexpr (R > 1)
    if (whole < b1) over_unit_rows<fewer(R), n, S>(whole, b1, vectors, do_tile);
}

template <class Real, int n, class F>
ELMAN_INLINE void over_unit_tiles(Index b0, Index b1, Index H, F do_tile) {
  const Index vectors = (H + Vec<Real>::width - 1) / Vec<Real>::width;
  if (H * (Index)sizeof(Real) <= 64) over_unit_rows<unit_rows(n, 2), n, 2>(b0, b1, vectors, do_tile);
  else over_unit_rows<unit_rows(n, 1), n, 1>(b0, b1, vectors, do_tile);
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
