// Time going forward, written once for every cell of cells.h.
#pragma once
#include "kernels/cells.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

// Where vector v of the units begins in a kernel [K, G H], at its first gate; and how far it is from there to
// the next vector.
template <class Real, int U>
ELMAN_INLINE Index next_vector(const Matrix<Real>& m, Index K, Index v, const Real* first) {
  if constexpr (U == 1) return 0;
  else return columns_at(m, K, v + 1) - first;
}

// The cell's own part of one tile, whose sums stand in z [rows, vectors, sums]. A function of its own: once
// for each cell, not in each of its tiles.
template <class Real, class Cell, int phase>
ELMAN_NOINLINE void finish_forward(const RecurrentForward<Real>& p, const Real* z, const Real* before,
                                   const Real* operand, Real* after, Real* kept, Index column, int rows,
                                   int vectors) {
  constexpr Index w = Vec<Real>::width;
  constexpr int A = Cell::phase(phase).sums();
  for (int r = 0; r < rows;
       ++r, before += p.ld, operand += p.ld, after += p.ld, kept = kept ? kept + p.ldk : nullptr)
    for (int u = 0; u < vectors; ++u) {
      const Index j = column + u * w;
      Vec<Real> sums[A];
      ELMAN_UNROLL for (int a = 0; a < A; ++a, z += w) sums[a] = load(z);
      Cell::template forward<phase, Real>(
          sums, Forward<Real>{before + j, operand + j, after + j, kept ? kept + j : nullptr, p.stride, p.H,
                              p.H - j, p.leak, p.activation});
    }
}

// The sums of one phase of a step, for all rows and units, and what the cell makes of them.
template <class Real, class Cell, int phase>
ELMAN_INLINE void forward_phase(const RecurrentForward<Real>& p, const Real* x, const int* index,
                                const Real* before, const Real* h, Real* after, Real* kept, Index b0,
                                Index end) {
  constexpr Index w = Vec<Real>::width;
  const Real* operand = h;  // what is multiplied by the recurrent kernel
  Index ldo = p.ld;
  if constexpr (phase > 0) {
    operand = kept + Cell::operand * p.H;
    ldo = p.ldk;
  }
  constexpr Phase here = Cell::phase(phase);
  constexpr int n = here.count;
  const auto start_of = [&](int sum, Index j) {
    return Cell::template start<Real>(here.first + sum, p.bias ? p.bias + j : nullptr,
                                      p.recurrent_bias ? p.recurrent_bias + j : nullptr, p.H);
  };
  const auto tile_of = [&](auto R, auto U, auto S, Index b, Index v) {
    constexpr int A = here.sums();
    Tile<Real, R.value, U.value * n, S.value> tile;
    ELMAN_UNROLL for (int u = 0; u < U.value; ++u) {
      ELMAN_UNROLL for (int g = 0; g < n; ++g) tile.begin_column(u * n + g, start_of(g, (v + u) * w));
    }
    tile.zero_other_chains();
    const Real* k = columns_at(p.kernel, p.F, v);
    const Real* r = columns_at(p.recurrent, p.H, v);
    if constexpr (Cell::gates == 1) {
      if (index) tile.template look_up<U.value, 1>(x + b, index + b, k, p.kernel.ld, w, 0);
      else tile.add(x + b * p.ldx, p.ldx, k, p.kernel.ld, p.F);
      tile.add(operand + b * ldo, ldo, r, p.recurrent.ld, p.H);
    } else {
      const Index next = next_vector<Real, U.value>(p.kernel, p.F, v, k);
      if (index)
        tile.template look_up<U.value, n>(x + b, index + b, k + here.first * p.kernel.gate, p.kernel.ld, next,
                                          p.kernel.gate);
      else
        tile.template add_gates<U.value, n>(x + b * p.ldx, p.ldx, k + here.first * p.kernel.gate, p.kernel.ld,
                                            next, p.kernel.gate, p.F);
    }
    alignas(64) Real z[R.value * U.value * A * w];  // [R, U, A] vectors
    if constexpr (here.apart) {                     // the registers of the last gate serve again
      ELMAN_UNROLL for (int u = 0; u < U.value; ++u) {
        const Vec<Real> start = start_of(n, (v + u) * w);
        ELMAN_UNROLL for (int i = 0; i < R.value; ++i) {
          store(z + ((i * U.value + u) * A + n - 1) * w, tile.sum(i, u * n + n - 1));
        }
        tile.begin_column_anew(u * n + n - 1, start);
      }
    }
    if constexpr (Cell::gates > 1)
      tile.template add_gates<U.value, n>(operand + b * ldo, ldo, r + here.first * p.recurrent.gate,
                                          p.recurrent.ld, next_vector<Real, U.value>(p.recurrent, p.H, v, r),
                                          p.recurrent.gate, p.H);
    if constexpr (!Cell::keeps) {
      ELMAN_UNROLL for (int c = 0; c < U.value; ++c) {
        ELMAN_UNROLL for (int i = 0; i < R.value; ++i) {
          store(after + (b + i) * p.ld + (v + c) * w,
                Cell::template forward<Real>(p.activation, tile.sum(i, c)));
        }
      }
    } else {
      ELMAN_UNROLL for (int i = 0; i < R.value; ++i) {
        ELMAN_UNROLL for (int c = 0; c < U.value * n; ++c) {
          const int g = c % n;
          store(z + ((i * U.value + c / n) * A + (here.apart && g + 1 == n ? n : g)) * w, tile.sum(i, c));
        }
      }
      finish_forward<Real, Cell, phase>(p, z, before + b * p.ld, h + b * p.ld, after + b * p.ld,
                                        kept ? kept + b * p.ldk : nullptr, v * w, R.value, U.value);
    }
  };
  if constexpr (Cell::gates == 1)
    over_tiles<Real>(b0, end, p.H, smaller(p.kernel.panel, p.recurrent.panel), tile_of);
  else over_unit_tiles<Real, n>(b0, end, p.H, tile_of);
}

// Rows b0 .. end of h times those of the mask.
template <class Real>
ELMAN_NOINLINE void mask_rows(Real* out, const Real* h, const Real* mask, Index ld, Index H, Index b0,
                              Index end) {
  for (Index b = b0; b < end; ++b)
    for (Index j = 0; j < H; j += Vec<Real>::width)
      store(out + b * ld + j, load(h + b * ld + j) * load(mask + b * ld + j));
}

// Of a single row each step waits for the one before: here nothing stands between their sums.
template <class Real, class Cell, int S>
ELMAN_NOINLINE void one_row_forward(const RecurrentForward<Real>& p, const Steps& s, Index t0, Index t1,
                                    Index b) {
  constexpr Index w = Vec<Real>::width;
  const Index vectors = (p.H + w - 1) / w, most = larger(1, smaller(p.kernel.panel, p.recurrent.panel) / w);
  const Real* h = p.states + (t0 ? s.B + s.offset[t0 - 1] + b : b) * p.ld;
  for (Index t = t0; t < t1 && b < s.active[t]; ++t) {
    const Real* x = p.x + (s.offset[t] + b) * p.ldx;
    Real* after = p.states + (s.B + s.offset[t] + b) * p.ld;
    over_columns<vectors_for(1, S)>(vectors, most, [&](auto C, Index v) ELMAN_INLINE_LAMBDA {
      Tile<Real, 1, C.value, S> tile;
      tile.begin(p.bias ? p.bias + v * w : nullptr);
      tile.add(x, p.ldx, columns_at(p.kernel, p.F, v), p.kernel.ld, p.F);
      tile.add(h, p.ld, columns_at(p.recurrent, p.H, v), p.recurrent.ld, p.H);
      ELMAN_UNROLL for (int c = 0; c < C.value; ++c) {
        store(after + (v + c) * w, Cell::template forward<Real>(p.activation, tile.sum(0, c)));
      }
    });
    h = after;
  }
}

template <class Real, class Cell>
void recurrent_forward(const RecurrentForward<Real>& p, const Steps& s, Index t0, Index t1, Index b0,
                       Index b1) {
  if constexpr (!Cell::keeps)
    if (b1 - b0 == 1 && !p.index && !p.mask) switch (chains<Real>(p.H)) {
        case 4: return one_row_forward<Real, Cell, 4>(p, s, t0, t1, b0);
        case 2: return one_row_forward<Real, Cell, 2>(p, s, t0, t1, b0);
        default: return one_row_forward<Real, Cell, 1>(p, s, t0, t1, b0);
      }
  if (p.mask && t0 == 0) mask_rows(p.masked, p.states, p.mask, p.ld, p.H, b0, smaller(b1, s.active[0]));
  for (Index t = t0; t < t1; ++t) {
    const Index end = smaller(b1, s.active[t]);
    if (end <= b0) return;
    const Real* x = p.x + s.offset[t] * p.ldx;
    const int* index = p.index ? p.index + s.offset[t] : nullptr;
    const Index row_before = t ? s.B + s.offset[t - 1] : 0, row_after = s.B + s.offset[t];
    const Real* before = p.states + row_before * p.ld;
    const Real* h = (p.mask ? p.masked : p.states) + row_before * p.ld;
    Real* after = p.states + row_after * p.ld;
    Real* kept = p.kept ? p.kept + s.offset[t] * p.ldk : nullptr;
    forward_phase<Real, Cell, 0>(p, x, index, before, h, after, kept, b0, end);
    if constexpr (Cell::phases == 2)
      forward_phase<Real, Cell, 1>(p, x, index, before, h, after, kept, b0, end);
    if (p.mask) mask_rows(p.masked + row_after * p.ld, after, p.mask, p.ld, p.H, b0, end);
  }
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
