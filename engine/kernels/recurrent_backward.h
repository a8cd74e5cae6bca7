// Time going backward, written once for every cell of cells.h.
#pragma once
#include "kernels/cells.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

// What becomes of the sums of a tile on the way back: `sums` [rows, vectors], from row b and column j of the
// units on.
template <class Real> struct Finish {
  void (*call)(const Finish&, Index b, Index j, const Real* sums, int rows, int vectors);
  const RecurrentBackward<Real>* p;
  const Real *before, *operand, *after, *kept,
      *d;  // of this step, at row 0; d null: nothing comes from above
  Real* dz;
  Index kept_columns;  // [kept H] of a row
};

template <class Real>
ELMAN_INLINE Backward<Real> place_of(const Finish<Real>& f, Index b, Index j, bool first) {
  const RecurrentBackward<Real>& p = *f.p;
  Real* hand = p.carry ? p.carry + b * p.ldc + j : nullptr;
  return {f.before + b * p.ld + j,
          f.operand + b * p.ld + j,
          f.after + b * p.ld + j,
          f.kept ? f.kept + b * p.ldk + j : nullptr,
          p.mask ? p.mask + b * p.ld + j : nullptr,
          f.dz + b * p.ldz + j,
          first ? nullptr : hand,
          hand,
          p.stride,
          p.H,
          p.H - j,
          p.leak,
          p.activation};
}

template <class Real, class Cell>
ELMAN_NOINLINE void finish_backward(const Finish<Real>& f, Index b, Index j, const Real* sums, int rows,
                                    int vectors) {
  constexpr Index w = Vec<Real>::width;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < vectors; ++c, sums += w) {
      const Backward<Real> place = place_of(f, b + r, j + c * w, false);
      Vec<Real> dh = load(sums);
      if (place.mask) {  // the sum is of the masked state; without a mask it started from what comes from
                         // above
        dh = dh * load(place.mask);
        if (f.d) dh = dh + load(f.d + (b + r) * f.p->ldd + j + c * w);
      }
      Cell::template backward<Real>(dh, place);
    }
}

template <class Real, class Cell>
ELMAN_NOINLINE void finish_operand(const Finish<Real>& f, Index b, Index j, const Real* sums, int rows,
                                   int vectors) {
  constexpr Index w = Vec<Real>::width;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < vectors; ++c, sums += w)
      Cell::template backward_operand<Real>(load(sums), place_of(f, b + r, j + c * w, false));
}

// The cotangent of the states before the first step.
template <class Real, class Cell>
ELMAN_NOINLINE void finish_initial(const Finish<Real>& f, Index b, Index j, const Real* sums, int rows,
                                   int vectors) {
  constexpr Index w = Vec<Real>::width;
  const RecurrentBackward<Real>& p = *f.p;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < vectors; ++c, sums += w) {
      const Index i = (b + r) * p.ld + j + c * w;
      Vec<Real> dh = load(sums);
      if (p.mask) dh = dh * load(p.mask + i);
      if constexpr (Cell::carried_state >= 0) {
        const Vec<Real> carried = load(p.carry + (b + r) * p.ldc + j + c * w);
        if (Cell::carried_state == 0) dh = dh + carried;
        else store(p.d_initial + i + Cell::carried_state * p.stride, carried);
      }
      store(p.d_initial + i, dh);
    }
}

// d + sum over the pieces of dz U', for the rows b0 .. end: once for all cells with gates.
template <class Real>
ELMAN_NOINLINE void product_back(const RecurrentBackward<Real>& p, const Real* d, const Real* dz,
                                 const CellPiece* pieces, int n_pieces, Index K, Index b0, Index end,
                                 const Finish<Real>& finish) {
  constexpr Index w = Vec<Real>::width;
  over_tiles<Real>(b0, end, p.H, p.recurrent_transposed.panel, [&](auto R, auto C, auto S, Index b, Index v) {
    // What was kept long ago comes from afar while the product is made.
    constexpr Index line = 64 / (Index)sizeof(Real), columns = C.value * w;
    ELMAN_UNROLL for (int r = 0; r < R.value; ++r) for (Index j = v * w; j < v * w + columns; j += line) {
      for (Index i = j; i < finish.kept_columns; i += p.H) prefetch(finish.kept + (b + r) * p.ldk + i);
      prefetch(finish.before + (b + r) * p.ld + j);
    }
    Tile<Real, R.value, C.value, S.value> tile;
    if (d) tile.begin_rows(d + b * p.ldd + v * w, p.ldd);
    else tile.begin(nullptr);
    const Real* m = columns_at(p.recurrent_transposed, K, v);
    for (int i = 0; i < n_pieces; ++i)
      tile.add(dz + b * p.ldz + pieces[i].column * p.H, p.ldz,
               m + pieces[i].gate * p.H * p.recurrent_transposed.ld, p.recurrent_transposed.ld,
               pieces[i].count * p.H);
    alignas(64) Real sums[R.value * C.value * w];
    tile.spill(sums);
    finish.call(finish, b, v * w, sums, R.value, C.value);
  });
}

// The cells without gates keep all in registers.
template <class Real, class Cell>
ELMAN_INLINE void product_back_elman(const RecurrentBackward<Real>& p, const Real* h, Real* dz,
                                     const Real* next, Index b0, Index end) {
  constexpr Index w = Vec<Real>::width;
  over_tiles<Real>(b0, end, p.H, p.recurrent_transposed.panel, [&](auto R, auto C, auto S, Index b, Index v) {
    // The states were written long ago: they come from afar while the product is made.
    ELMAN_UNROLL for (int r = 0; r < R.value; ++r) {
      ELMAN_UNROLL for (int c = 0; c < C.value; ++c) prefetch(h + (b + r) * p.ld + (v + c) * w);
    }
    Tile<Real, R.value, C.value, S.value> tile;
    if (p.every_step) tile.begin_rows(dz + b * p.ldz + v * w, p.ldz);
    else tile.begin(nullptr);
    tile.add(next + b * p.ldz, p.ldz, columns_at(p.recurrent_transposed, p.H, v), p.recurrent_transposed.ld,
             p.H);
    ELMAN_UNROLL for (int c = 0; c < C.value; ++c) {
      ELMAN_UNROLL for (int r = 0; r < R.value; ++r) {
        const Index i = (v + c) * w;
        store(dz + (b + r) * p.ldz + i,
              Cell::template backward<Real>(p.activation, load(h + (b + r) * p.ld + i), tile.sum(r, c)));
      }
    }
  });
}

// And the way back of a single row, at steps that all have a next one.
template <class Real, class Cell, int S>
ELMAN_NOINLINE void one_row_backward(const RecurrentBackward<Real>& p, const Steps& s, Index t0, Index t1,
                                     Index b) {
  constexpr Index w = Vec<Real>::width;
  const Index vectors = (p.H + w - 1) / w, most = larger(1, p.recurrent_transposed.panel / w);
  const Real* next = p.dz + (s.offset[t1] + b) * p.ldz;
  for (Index t = t1 - 1; t >= t0; --t) {
    const Real* h = p.states + (s.B + s.offset[t] + b) * p.ld;
    Real* dz = p.dz + (s.offset[t] + b) * p.ldz;
    over_columns<vectors_for(1, S)>(vectors, most, [&](auto C, Index v) ELMAN_INLINE_LAMBDA {
      Tile<Real, 1, C.value, S> tile;
      tile.begin(p.every_step ? dz + v * w : nullptr);
      tile.add(next, p.ldz, columns_at(p.recurrent_transposed, p.H, v), p.recurrent_transposed.ld, p.H);
      ELMAN_UNROLL for (int c = 0; c < C.value; ++c) {
        store(dz + (v + c) * w,
              Cell::template backward<Real>(p.activation, load(h + (v + c) * w), tile.sum(0, c)));
      }
    });
    next = dz;
  }
}

template <class Real, class Cell>
void recurrent_backward(const RecurrentBackward<Real>& p, const Steps& s, Index t0, Index t1, Index b0,
                        Index b1) {
  constexpr Index w = Vec<Real>::width;
  const CellPiece* pieces = Cell::facts.piece;
  const Index K = Cell::gates * p.H;
  for (Index t = t1 - 1; t >= t0; --t) {
    const Index end = smaller(b1, s.active[t]);
    if (end <= b0) continue;
    if constexpr (!Cell::keeps)
      if (b1 - b0 == 1 && !p.mask && b0 < s.active[t + 1]) {
        switch (chains<Real>(p.H)) {
          case 4: one_row_backward<Real, Cell, 4>(p, s, t0, t + 1, b0); break;
          case 2: one_row_backward<Real, Cell, 2>(p, s, t0, t + 1, b0); break;
          default: one_row_backward<Real, Cell, 1>(p, s, t0, t + 1, b0);
        }
        break;
      }
    const Index go_on = larger(b0, smaller(b1, s.active[t + 1]));  // rows that have a next step
    const Index row_before = (t ? s.B + s.offset[t - 1] : 0) * p.ld;
    const Real* before = p.states + row_before;
    const Real* after = p.states + (s.B + s.offset[t]) * p.ld;
    const Real* d = p.d + (p.d_by_row ? 0 : s.offset[t] * p.ldd);
    Real* dz = p.dz + s.offset[t] * p.ldz;
    const Real* next = p.dz + s.offset[t + 1] * p.ldz;
    const Finish<Real> finish{finish_backward<Real, Cell>,
                              &p,
                              before,
                              (p.mask ? p.masked : p.states) + row_before,
                              after,
                              p.kept + s.offset[t] * p.ldk,
                              p.every_step ? d : nullptr,
                              dz,
                              Cell::kept * p.H};
    bool done = false;
    if constexpr (!Cell::keeps)
      if (!p.mask) {
        product_back_elman<Real, Cell>(p, after, dz, next, b0, go_on);
        done = true;
      }
    if (!done)
      product_back<Real>(p, p.mask ? nullptr : finish.d, next, pieces, Cell::pieces, K, b0, go_on, finish);
    for (Index b = go_on; b < end; ++b)
      for (Index j = 0; j < p.H; j += w)
        Cell::template backward<Real>(load(d + b * p.ldd + j), place_of(finish, b, j, true));
    if constexpr (Cell::phases == 2) {
      const CellPiece* candidate = pieces + Cell::pieces;
      Finish<Real> operand = finish;
      operand.call = finish_operand<Real, Cell>;
      product_back<Real>(p, nullptr, dz, candidate, 1, K, b0, end, operand);
    }
  }
  if (t0 == 0 && p.d_initial) {
    const Finish<Real> finish{
        finish_initial<Real, Cell>, &p, p.states, p.states, p.states, p.kept, nullptr, p.dz, 0};
    product_back<Real>(p, nullptr, p.dz, pieces, Cell::pieces, K, b0, smaller(b1, s.active[0]), finish);
  }
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
