#include "second/curvature.h"

#include <algorithm>
#include <atomic>

#include "runtime/denormals.h"
#include "runtime/threads.h"
#include "second/derivatives.h"

namespace elman {
namespace {

// Do tangents cost less than walks back?
template <class Real> bool by_tangents(const Spec& spec, const Data& data, Way way) {
  if (way != Way::automatic) return way == Way::tangents;
  if (!Tangents<Real>::possible(spec)) return false;
  const double step = 3.0 * static_cast<double>(spec.output_size * work_per_step(spec));
  double back = 0;
  for (Index i = 0; i < data.n; ++i) {
    const double length = static_cast<double>(data.length(i));
    back += step * length * (spec.per_step ? length : 1.0);
  }
  return static_cast<double>(data.N) * static_cast<double>(Tangents<Real>::work(spec)) < back;
}

template <class Real>
bool run(Derivatives<Real>& derivatives, const Spec& spec, const Data& data, Way way,
         const typename Derivatives<Real>::Take& take) {
  return by_tangents<Real>(spec, data, way) ? derivatives.by_tangents(take) : derivatives.by_reverse(take);
}

}  // namespace

template <class Real>
bool gauss_newton(const Network<Real>& network, const Data& data, const Answers<Real>& answers, Loss loss,
                  const double* weights, Way way, Real* matrix, Real* gradient, Sums& sums,
                  Interrupt& interrupt, int n_threads) {
  const FlushDenormals mode;
  const Spec& spec = network.spec;
  const Index P = spec.parameter_count, C = spec.output_size;
  Derivatives<Real> all(network, data, {spec, data, &answers, loss, weights}, interrupt, n_threads);
  // The matrix and, as one column more, the gradient: J' [W J, d]. Only what lies on and above the diagonal
  // is added up, in stripes of rows.
  constexpr Index stripe = 32;
  const Index stripes = (P + stripe - 1) / stripe;
  Buffer<Real> sum;  // [P, P + 1]
  sum.zeros(P * (P + 1));
  const auto add_stripe = [&](Index s, const Segment& rows) {
    const Index i0 = s * stripe, i1 = std::min(P, i0 + stripe);
    kernels<Real>().weight_gradient({.a = all.J.data(),
                                     .lda = all.ld,
                                     .K = P,
                                     .d = all.WJ.data() + i0,
                                     .ldd = all.ld,
                                     .N = P + 1 - i0,
                                     .segments = &rows,
                                     .n_segments = 1,
                                     .out = sum.data() + i0,
                                     .ldo = P + 1},
                                    i0, i1);
  };
  const auto take = [&](Index blocks, const Batch&, const Chunk&) {
    const Segment rows{0, 0, blocks * C};
    std::atomic<Index> next{0};
    std::atomic<bool> go_on{true};
    const auto work = [&](int) {
      for (Index s = next++; s < stripes; s = next++) {
        if (interrupt.check()) return go_on.store(false);
        add_stripe(s, rows);
      }
    };
    const int threads = threads_for(rows.count * P * P / 2 / second_order_grain, n_threads);
    parallel(static_cast<int>(std::min<Index>(threads, stripes)), work, &interrupt);
    return go_on.load();
  };
  if (!run<Real>(all, spec, data, way, take)) return false;
  for (Index i = 0; i < P; ++i) {
    const Real* row = sum.data() + i * (P + 1);
    gradient[i] = row[P];
    for (Index j = i; j < P; ++j) matrix[i * P + j] = matrix[j * P + i] = row[j];
  }
  sums = all.sums;
  return true;
}

template <class Real>
bool jacobian(const Network<Real>& network, const Data& data, Way way, Real* out, Interrupt& interrupt,
              int n_threads) {
  const FlushDenormals mode;
  const Spec& spec = network.spec;
  const Index P = spec.parameter_count, C = spec.output_size;
  Derivatives<Real> all(network, data, {spec, data, nullptr, Loss::squared_error, nullptr}, interrupt,
                        n_threads);
  // From the block of an answer to its place in the caller's order.
  const auto copy = [&](Index from, Index to) {
    for (Index c = 0; c < C; ++c)
      std::copy_n(all.J.data() + (from * C + c) * all.ld, P, out + (to * C + c) * P);
  };
  const auto take = [&](Index, const Batch& batch, const Chunk& chunk) {
    for (Index b = 0; b < chunk.B; ++b) {
      if (!spec.per_step) {
        if (chunk.ends(batch, b)) copy(b, batch.row[to_size(b)]);
        continue;
      }
      const Index first = batch.start[to_size(b)] + chunk.t0;
      for (Index t = 0; t < chunk.length(batch, b); ++t) copy(chunk.row(t, b), first + t);
    }
    return true;
  };
  return run<Real>(all, spec, data, way, take);
}

#define ELMAN_INSTANTIATE(Real)                                                                            \
  template bool gauss_newton(const Network<Real>&, const Data&, const Answers<Real>&, Loss, const double*, \
                             Way, Real*, Real*, Sums&, Interrupt&, int);                                   \
  template bool jacobian(const Network<Real>&, const Data&, Way, Real*, Interrupt&, int);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
