#include "run/tape.h"

#include <algorithm>
#include <atomic>

#include "run/by_sequence.h"
#include "runtime/denormals.h"
#include "runtime/threads.h"

namespace elman {
namespace {

// Calls work(b0, b1) for the rows of each thread; false: one of them was interrupted.
template <class F> bool over_rows(const Batch& batch, Index B, int threads, Interrupt& interrupt, F work) {
  constexpr Index grain = 8;
  std::vector<Index> bounds;
  split_rows(bounds, batch, B, threads, grain);
  std::atomic<bool> whole{true};
  const auto part_of = [&](int part) {
    const Index b0 = bounds[to_size(part)], b1 = bounds[to_size(part) + 1];
    if (b1 > b0 && !work(b0, b1)) whole.store(false);
  };
  parallel(threads, part_of, &interrupt);
  return whole.load();
}

}  // namespace

template <class Real>
Tape<Real>::Tape(const Network<Real>& network, const Data& data)
    : spec(network.spec), n(data.n), N(data.N), pass_(spec) {
  parameters_.reserve(spec.parameter_count);
  std::copy_n(network.parameters.data(), spec.parameter_count, parameters_.data());
}

template <class Real>
bool Tape<Real>::record(const Data& data, const std::vector<const Real*>& initial, const Dropout* dropout,
                        Interrupt& interrupt, int n_threads) {
  const FlushDenormals mode;
  batch_.assign_range(data, 0, data.n);
  chunk_.cut(batch_, 0, batch_.longest);
  const int threads = threads_for(chunk_.N * work_per_step(spec), n_threads);
  weights_.prepare(spec, parameters_.data(), chunk_.B / threads, true, true, threads);
  pass_.reserve_rows(batch_, dropout != nullptr);
  pass_.begin_rows(initial, dropout, 0, n);
  pass_.prepare(data, batch_, chunk_, Use::gradient, false, true);
  return over_rows(batch_, chunk_.B, threads, interrupt, [&](Index b0, Index b1) {
    pass_.gather(data, b0, b1);
    return pass_.forward(weights_, b0, b1, &interrupt);
  });
}

template <class Real> void Tape<Real>::outputs(Real* out) { copy_outputs(pass_, spec, batch_, chunk_, out); }

template <class Real> void Tape<Real>::states(const std::vector<Real*>& out) {
  copy_states(pass_, spec, batch_, chunk_, out);
}

template <class Real>
bool Tape<Real>::backward(const Real* d_outputs, Real* d_parameters, Real* d_inputs,
                          const std::vector<Real*>& d_initial, Interrupt& interrupt, int n_threads) {
  const std::lock_guard<std::mutex> alone(mutex_);
  const FlushDenormals mode;
  const int threads = threads_for(chunk_.N * work_per_step(spec), n_threads);
  const bool back = over_rows(batch_, chunk_.B, threads, interrupt, [&](Index b0, Index b1) {
    take_cotangents(d_outputs, b0, b1);
    if (!pass_.backward(weights_, b0, b1, &interrupt)) return false;
    if (d_inputs) give_input_cotangents(d_inputs, b0, b1);
    return true;
  });
  if (!back) return false;
  pass_.initial_cotangents(d_initial);
  std::fill_n(d_parameters, spec.parameter_count, Real(0));
  std::atomic<bool> whole{true};
  const auto gradients = [&](int part) {
    if (!pass_.weight_gradients(d_parameters, part, threads, &interrupt)) whole.store(false);
  };
  parallel(threads, gradients, &interrupt);
  return whole.load();
}

template <class Real> void Tape<Real>::take_cotangents(const Real* d_outputs, Index b0, Index b1) {
  const std::size_t last = spec.operations.size() - 1;
  const Index C = spec.output_size;
  pass_.over_rows(spec.per_step, b0, b1, [&](Index row, Index b, Index count, Index t) {
    for (Index r = 0; r < count; ++r) {
      const std::size_t s = to_size(b + r);
      const Index from = spec.per_step ? batch_.start[s] + t : batch_.row[s];
      std::copy_n(d_outputs + from * C, C, pass_.cotangents(last) + (row + r) * pass_.ld(last));
    }
  });
}

template <class Real> void Tape<Real>::give_input_cotangents(Real* d_inputs, Index b0, Index b1) const {
  const Index F = spec.input_size;
  pass_.over_rows(true, b0, b1, [&](Index row, Index b, Index count, Index t) {
    for (Index r = 0; r < count; ++r) {
      const Index to = batch_.start[to_size(b + r)] + t;
      std::copy_n(pass_.input_cotangents() + (row + r) * pass_.input_ld(), F, d_inputs + to * F);
    }
  });
}

template class Tape<float>;
template class Tape<double>;

}  // namespace elman
