// Time, forward and backward, written once for every cell. A cell is its number of gates and two pointwise functions.
#pragma once
#include "tile.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

// h_t = f(x_t kernel + h_{t-1} recurrent_kernel + bias)
struct ElmanCell {
  template <class Real> static ELMAN_INLINE Vec<Real> forward(Activation f, Vec<Real> z) { return apply(f, z); }
  template <class Real> static ELMAN_INLINE Vec<Real> backward(Activation f, Vec<Real> h, Vec<Real> dh) { return apply_derivative(f, h, dh); }
};

template <class Real, class Cell> void recurrent_forward(const RecurrentForward<Real>& p, const Steps& s, Index t0, Index t1, Index b0, Index b1) {
  constexpr Index w = Vec<Real>::width;
  for (Index t = t0; t < t1; ++t) {
    const Index end = smaller(b1, s.active[t]);
    if (end <= b0) return;
    const Real* x = p.x + s.offset[t] * p.ldx;
    const Real* before = p.states + (t ? s.B + s.offset[t - 1] : 0) * p.ld;
    Real* h = p.states + (s.B + s.offset[t]) * p.ld;
    over_tiles<Real>(b0, end, p.H, smaller(p.kernel.panel, p.recurrent.panel), [&](auto R, auto C, auto S, Index b, Index v) {
      Tile<Real, R.value, C.value, S.value> tile;
      tile.begin(p.bias ? p.bias + v * w : nullptr);
      tile.add(x + b * p.ldx, p.ldx, columns_at(p.kernel, p.F, v), p.kernel.ld, p.F);
      tile.add(before + b * p.ld, p.ld, columns_at(p.recurrent, p.H, v), p.recurrent.ld, p.H);
      ELMAN_UNROLL for (int c = 0; c < C.value; ++c) {
        ELMAN_UNROLL for (int r = 0; r < R.value; ++r)
          store(h + (b + r) * p.ld + (v + c) * w, Cell::template forward<Real>(p.activation, tile.sum(r, c)));
      }
    });
  }
}

template <class Real, class Cell> void recurrent_backward(const RecurrentBackward<Real>& p, const Steps& s, Index t0, Index t1, Index b0, Index b1) {
  constexpr Index w = Vec<Real>::width;
  const Index vectors = (p.H + w - 1) / w;
  for (Index t = t1 - 1; t >= t0; --t) {
    const Index end = smaller(b1, s.active[t]);
    if (end <= b0) continue;
    const Index go_on = larger(b0, smaller(b1, t + 1 < s.T ? s.active[t + 1] : 0));   // rows that have a next step
    const Real* h = p.states + (s.B + s.offset[t]) * p.ld;
    Real* dz = p.dz + s.offset[t] * p.ldz;
    const Real* next = t + 1 < s.T ? p.dz + s.offset[t + 1] * p.ldz : nullptr;
    over_tiles<Real>(b0, go_on, p.H, p.recurrent_transposed.panel, [&](auto R, auto C, auto S, Index b, Index v) {
      // The states were written long ago: they come from afar while the product is made.
      ELMAN_UNROLL for (int r = 0; r < R.value; ++r) {
        ELMAN_UNROLL for (int c = 0; c < C.value; ++c) prefetch(h + (b + r) * p.ld + (v + c) * w);
      }
      Tile<Real, R.value, C.value, S.value> tile;
      if (p.every_step) tile.begin_rows(dz + b * p.ldz + v * w, p.ldz);
      else tile.begin(nullptr);
      tile.add(next + b * p.ldz, p.ldz, columns_at(p.recurrent_transposed, p.H, v), p.recurrent_transposed.ld, p.H);
      ELMAN_UNROLL for (int c = 0; c < C.value; ++c) {
        ELMAN_UNROLL for (int r = 0; r < R.value; ++r) {
          const Index i = (v + c) * w;
          store(dz + (b + r) * p.ldz + i, Cell::template backward<Real>(p.activation, load(h + (b + r) * p.ld + i), tile.sum(r, c)));
        }
      }
    });
    for (Index b = go_on; b < end; ++b)
      for (Index v = 0; v < vectors; ++v) {
        Real* d = dz + b * p.ldz + v * w;
        store(d, Cell::template backward<Real>(p.activation, load(h + b * p.ld + v * w), load(d)));
      }
  }
}

}  // namespace
}  // namespace ELMAN_ISA
}  // namespace elman
