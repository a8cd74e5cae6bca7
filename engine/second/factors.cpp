#include "second/factors.h"

#include <algorithm>

#include "core/layout.h"

namespace elman {
namespace {

// The candidate is the third gate of gru and gru_before.
constexpr Index candidate = 2;

template <class Real>
void elman_unit(const Factors<Real>& f, const Operation& op, const Footprint<Real>& at, Index j) {
  f.set_both(0, 0, j, slope(op.activation, at.after[j]));
}

template <class Real>
void leaky_unit(const Factors<Real>& f, const Operation& op, const Footprint<Real>& at, Index j) {
  const Real leak = static_cast<Real>(op.leak);
  f.set_both(0, 0, j, leak * slope(op.activation, at.kept[j]));
  f.pass[j] = Real(1) - leak;
}

template <class Real>
void gru_unit(const Factors<Real>& f, const Operation& op, const Footprint<Real>& at, Index j) {
  const Index H = f.H;
  const Real* k = at.kept;
  const Real r = k[j], u = k[H + j], n = k[2 * H + j], h = at.before[j];
  const Real dn = (Real(1) - u) * (Real(1) - n * n);
  f.set_both(0, 1, j, (h - n) * u * (Real(1) - u));
  f.set_both(0, candidate, j, dn);
  f.pass[j] = u;
  if (op.cell == Cell::gru_before) return;  // its reset gate acts on all units
  f.set_both(0, 0, j, dn * k[3 * H + j] * r * (Real(1) - r));
  f.of_h[candidate * H + j] = dn * r;
}

template <class Real>
void lstm_unit(const Factors<Real>& f, const Operation& op, const Footprint<Real>& at, Index j) {
  const Index H = f.H;
  const Real* k = at.kept;
  const Real i = k[j], forget = k[H + j], g = k[2 * H + j], o = k[3 * H + j];
  const Real h = at.after[j], c = at.before[state_stride<Real>(op) + j];
  // tanh of the memory, and its slope times o
  const Real y = h / std::max(Real(1e-30), o), through = o - h * y;
  const Real of_c[3] = {g * i * (Real(1) - i), c * forget * (Real(1) - forget), i * (Real(1) - g * g)};
  for (Index gate = 0; gate < 3; ++gate) {
    f.set_both(1, gate, j, of_c[gate]);
    f.set_both(0, gate, j, through * of_c[gate]);
  }
  f.set_both(0, 3, j, h * (Real(1) - o));
  f.pass[3 * H + j] = forget;        // c from c
  f.pass[H + j] = through * forget;  // h from c
}

// Unit m's reset gate reaches every unit j through the candidate's kernel [H, 3 H].
template <class Real>
void reset_factors(const Factors<Real>& f, const Real* kernel, const Footprint<Real>& at) {
  const Index H = f.H;
  for (Index m = 0; m < H; ++m) {
    const Real r = at.kept[m], d = at.before[m] * r * (Real(1) - r);
    const Real* row = kernel + m * 3 * H + candidate * H;
    for (Index j = 0; j < H; ++j) f.reset[j * H + m] = f.of_x[candidate * H + j] * row[j] * d;
  }
}

}  // namespace

template <class Real> Real slope(Activation f, Real y) {
  switch (f) {
    case Activation::tanh: return Real(1) - y * y;
    case Activation::sigmoid: return y * (Real(1) - y);
    case Activation::relu: return y > 0 ? Real(1) : Real(0);
    default: return Real(1);
  }
}

template <class Real>
Factors<Real> factors_of(const Operation& op, const Real* parameters, const Footprint<Real>& at,
                         std::vector<Real>& store) {
  const Index H = op.out, G = op.gates(), S = op.states();
  const Index sums = S * G * H, states = S * S * H;
  const bool before = op.cell == Cell::gru_before;
  store.assign(to_size(2 * sums + states + (before ? H * H : 0)), Real(0));
  Real* data = store.data();
  Factors<Real> f{H, G, data, data + sums, data + 2 * sums, nullptr, nullptr};
  for (Index j = 0; j < H; ++j) {
    switch (op.cell) {
      case Cell::elman: elman_unit(f, op, at, j); break;
      case Cell::leaky: leaky_unit(f, op, at, j); break;
      case Cell::gru:
      case Cell::gru_before: gru_unit(f, op, at, j); break;
      case Cell::lstm: lstm_unit(f, op, at, j); break;
    }
  }
  if (before) {
    f.reset = data + 2 * sums + states;
    f.r = at.kept;
    reset_factors(f, parameters + op.recurrent, at);
  }
  return f;
}

template <class Real>
void through_kernel(const Operation& op, const Factors<Real>& f, bool of_h, const Real* kernel, Index K,
                    Real* out, Index ldo) {
  const Index H = f.H, G = f.G, S = op.states();
  const Real* factors = of_h ? f.of_h : f.of_x;
  for (Index s = 0; s < S; ++s)
    for (Index k = 0; k < K; ++k) {
      const Real* row = kernel + k * G * H;
      const Real of_candidate = f.r && of_h ? f.r[k] : Real(1);
      for (Index j = 0; j < H; ++j) {
        Real sum = 0;
        for (Index g = 0; g < G; ++g) {
          const Real product = factors[(s * G + g) * H + j] * row[g * H + j];
          sum += product * (g == candidate ? of_candidate : Real(1));
        }
        if (f.reset)
          for (Index m = 0; m < H; ++m) sum += f.reset[j * H + m] * row[m];
        out[(s * H + j) * ldo + k] = sum;
      }
    }
}

#define ELMAN_INSTANTIATE(Real)                                                                         \
  template Real slope(Activation, Real);                                                                \
  template Factors<Real> factors_of(const Operation&, const Real*, const Footprint<Real>&,              \
                                    std::vector<Real>&);                                                \
  template void through_kernel(const Operation&, const Factors<Real>&, bool, const Real*, Index, Real*, \
                               Index);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
