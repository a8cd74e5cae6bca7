#include "train/optimizer.h"

#include <cmath>

#include "runtime/dispatch.h"
#include "runtime/threads.h"

namespace elman {

template <class Real> double square_sum(const Real* x, Index n) {
  double lane[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  const auto add = [&](int j, Index i) { lane[j] += static_cast<double>(x[i]) * static_cast<double>(x[i]); };
  Index i = 0;
  for (; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; ++j) add(j, i + j);
  for (int j = 0; i < n; ++i, ++j) add(j, i);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

template <class Real>
bool Optimizer<Real>::apply(Real* parameters, Real* gradient, double rate, Index step, int n_threads) const {
  const KernelTable<Real>& k = kernels<Real>();
  if (lower)
    for (const auto& [begin, end] : trainable)
      k.drop_fixed(gradient + begin, lower + begin, upper + begin, end - begin);
  Real clip = 1;
  if (clip_norm > 0) {
    double square = 0;
    for (const auto& [begin, end] : trainable) square += square_sum(gradient + begin, end - begin);
    const double norm = std::sqrt(square);
    if (!std::isfinite(norm)) return false;
    if (norm > clip_norm) clip = static_cast<Real>(clip_norm / norm);
  }
  Index size = 0;
  for (const auto& [begin, end] : trainable) size += end - begin;
  const int parts = size < 100'000 ? 1 : n_threads;
  parallel(parts, [&](int part) {
    for (const auto& [begin, end] : trainable) {
      const Index i0 = begin + (end - begin) * part / parts, i1 = begin + (end - begin) * (part + 1) / parts;
      Real* w = parameters + i0;
      k.update(rule, rate, step, clip, w, gradient + i0, m ? m + i0 : nullptr, v ? v + i0 : nullptr, i1 - i0);
      if (lower) k.into_bounds(w, lower + i0, upper + i0, i1 - i0);
    }
  });
  return true;
}

template double square_sum(const float*, Index);
template double square_sum(const double*, Index);
template struct Optimizer<float>;
template struct Optimizer<double>;

}  // namespace elman
