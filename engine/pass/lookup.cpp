#include "pass/lookup.h"

#include <algorithm>

namespace elman {

template <class Real>
void look_up(const Operation& op, const Real* parameters, const int* index, Index n, Real* y, Index ldy,
             Activation f) {
  const Real* bias = op.bias < 0 ? nullptr : parameters + op.bias;
  for (Index r = 0; r < n; ++r) {
    const Real* row = parameters + op.kernel + index[r] * op.out;
    Real* to = y + r * ldy;
    for (Index j = 0; j < op.out; ++j) to[j] = bias ? bias[j] + row[j] : row[j];
  }
  if (f != Activation::identity && f != Activation::softmax) kernels<Real>().activate(f, y, ldy, n, op.out);
}

template <class Real>
void scatter(const int* index, const Real* value, const Real* d, Index ldd, Index N, Index first, Index count,
             Real* out, std::vector<Segment>& sorted) {
  sorted.clear();
  for (Index r = first; r < first + count; ++r) sorted.push_back({r, r, 1});
  std::sort(sorted.begin(), sorted.end(), [&](const Segment& a, const Segment& b) {
    return index[a.d] != index[b.d] ? index[a.d] < index[b.d] : a.d < b.d;
  });
  for (std::size_t i = 0; i < sorted.size();) {
    const int symbol = index[sorted[i].d];
    std::size_t end = i + 1;
    while (end < sorted.size() && index[sorted[end].d] == symbol) ++end;
    kernels<Real>().weight_gradient(
        {value, 1, 1, d, ldd, N, sorted.data() + i, static_cast<Index>(end - i), out + symbol * N, N}, 0, 1);
    i = end;
  }
}

#define ELMAN_INSTANTIATE(Real)                                                                      \
  template void look_up(const Operation&, const Real*, const int*, Index, Real*, Index, Activation); \
  template void scatter(const int*, const Real*, const Real*, Index, Index, Index, Index, Real*,     \
                        std::vector<Segment>&);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
