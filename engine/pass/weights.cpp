#include "pass/weights.h"

#include <algorithm>

#include "core/layout.h"
#include "runtime/dispatch.h"
#include "runtime/threads.h"

namespace elman {

using Type = Operation::Type;

template <class Real>
void Weights<Real>::prepare(const Spec& spec, const Real* parameters, Index rows, bool backward, bool inputs,
                            int threads) {
  parameters_ = parameters;
  few_rows_ = rows < 4;
  matrices_.resize(spec.operations.size());
  store_.resize(spec.operations.size());
  jobs_.clear();
  packed_ = 0;
  for (std::size_t i = 0; i < spec.operations.size(); ++i)
    prepare_operation(spec.operations[i], i, backward, inputs);
  run_jobs(threads);
}

template <class Real>
void Weights<Real>::prepare_operation(const Operation& op, std::size_t i, bool backward, bool inputs) {
  if (op.type == Type::pool || op.type == Type::join) return;
  Matrices<Real>& to = matrices_[i];
  Store& store = store_[i];
  const Index G = op.gates(), H = op.out;
  const bool recurrent = op.type == Type::recurrent;
  // The rows of a kernel over integers are looked up one by one.
  to.kernel = op.lookup ? matrix_as_is(parameters_ + op.kernel, H, G)
                        : forward_matrix(store.kernel, op.kernel, op.in, H, G);
  if (recurrent) to.recurrent = forward_matrix(store.recurrent, op.recurrent, H, H, G);
  if (!backward) return;
  if (op.input >= 0 || (inputs && !op.lookup))
    to.kernel_transposed = pack(store.kernel_transposed, op.kernel, G * H, op.in, 1, true);
  if (recurrent) to.recurrent_transposed = pack(store.recurrent_transposed, op.recurrent, G * H, H, 1, true);
}

// Few rows read each weight once, so that packing would cost as much. Narrow matrices lie well as they are.
template <class Real>
Matrix<Real> Weights<Real>::forward_matrix(Buffer<Real>& store, Index offset, Index K, Index N, Index gates) {
  if (few_rows_ || N * gates <= 4 * lanes<Real>) return matrix_as_is(parameters_ + offset, N, gates);
  return pack(store, offset, K, N, gates, false);
}

// A panel has the gates of a few units side by side.
template <class Real>
Matrix<Real> Weights<Real>::pack(Buffer<Real>& store, Index offset, Index K, Index N, Index gates,
                                 bool transposed) {
  const Index whole = whole_lines<Real>(N);
  const Index panel = few_rows_ ? whole : std::min(whole, (gates > 1 ? 1 : 2) * lanes<Real>);
  Real* out = store.reserve(round_up(N, panel) * gates * K);
  jobs_.push_back({out, parameters_ + offset, K, N, gates, panel, transposed});
  packed_ += K * N * gates;
  return {out, gates * panel, panel, panel};
}

template <class Real> void Weights<Real>::run_jobs(int threads) {
  const KernelTable<Real>& k = kernels<Real>();
  const int parts = packed_ < 50'000 ? 1 : threads;
  parallel(parts, [&](int part) {
    for (const Job& job : jobs_) {
      const Index panels = round_up(job.N, job.panel) / job.panel;
      const Index p0 = panels * part / parts, p1 = panels * (part + 1) / parts;
      if (job.transposed) k.pack_transposed(job.out, job.src, job.K, job.N, job.panel, p0, p1);
      else k.pack(job.out, job.src, job.K, job.N, job.gates, job.panel, p0, p1);
    }
  });
}

template class Weights<float>;
template class Weights<double>;

}  // namespace elman
