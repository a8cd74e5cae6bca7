#include "second/derivatives.h"

#include <algorithm>
#include <atomic>

#include "core/layout.h"
#include "runtime/threads.h"

namespace elman {

using Type = Operation::Type;

template <class Real>
Derivatives<Real>::Derivatives(const Network<Real>& network, const Data& data,
                               const LossCurvature<Real>& loss, Interrupt& interrupt, int n_threads)
    : ld(padded<Real>(network.spec.parameter_count + 1)),
      spec_(network.spec),
      parameters_(network.parameters.data()),
      data_(data),
      interrupt_(interrupt),
      threads_(n_threads),
      C_(spec_.output_size),
      P_(spec_.parameter_count),
      block_(std::clamp<Index>(65536 / P_, 64, 4096)),
      loss_(loss) {
  all_.assign_range(data, 0, data.n);
}

template <class Real> void Derivatives<Real>::reserve(Index answers) {
  J.reserve(answers * C_ * ld);
  if (loss_.wanted()) WJ.reserve(answers * C_ * ld);
}

template <class Real> void Derivatives<Real>::nothing(Index answer) {
  std::fill_n(J_of(answer), C_ * ld, Real(0));
  if (loss_.wanted()) std::fill_n(WJ_of(answer), C_ * ld, Real(0));
}

template <class Real> void Derivatives<Real>::add(const Sums& own) {
  for (Index i = 0; i < sum_count; ++i) sums.v[i] += own.v[i];
}

template <class Real> bool Derivatives<Real>::by_tangents(const Take& take) {
  const Index together = rows_side_by_side();
  std::vector<Tangents<Real>> tangents = tangents_side_by_side(std::min(together, data_.n));
  const int threads = threads_for(data_.N * Tangents<Real>::work(spec_) / second_order_grain, threads_);
  weights_.prepare(spec_, parameters_, together, false, false, threads);
  Pass<Real> pass(spec_);
  for (Index first = 0; first < data_.n; first += together) {
    batch_.assign_slice(all_, first, std::min(together, data_.n - first));
    const Index count = batch_.size();
    for (Index b = 0; b < count; ++b) tangents[to_size(b)].reset();
    pass.reserve_rows(batch_, false);
    pass.begin_rows({}, nullptr, 0, count);
    const Index most = std::max<Index>(1, (spec_.per_step ? block_ / C_ : 1024) / count);
    for (Index t0 = 0; t0 < batch_.longest; t0 += most) {
      chunk_.cut(batch_, t0, most);
      const Index answers = spec_.per_step ? chunk_.N : chunk_.B;
      reserve(answers);
      if (!chunk_by_tangents(pass, tangents, threads)) return false;
      if (loss_.wanted()) weigh_chunk(threads);
      if (!take(answers, batch_, chunk_)) return false;
    }
  }
  return true;
}

// As many as fit into some tens of megabytes.
template <class Real> Index Derivatives<Real>::rows_side_by_side() const {
  const Tangents<Real> one(spec_);
  Index held = 0;
  for (std::size_t i = 0; i < spec_.operations.size(); ++i) held += 2 * one.rows(i) * one.ld(i);
  return std::clamp<Index>(4'000'000 / std::max<Index>(held, 1), 1, 16);
}

template <class Real>
std::vector<Tangents<Real>> Derivatives<Real>::tangents_side_by_side(Index count) const {
  std::vector<Tangents<Real>> tangents;
  tangents.reserve(to_size(count));
  while (static_cast<Index>(tangents.size()) < count) tangents.emplace_back(spec_);
  return tangents;
}

// The states of the chunk, then the tangents beside them. Columns are cut for threads where rows are few,
// into slices of whole lines; the width, rounded up, may leave fewer of them than threads.
template <class Real>
bool Derivatives<Real>::chunk_by_tangents(Pass<Real>& pass, std::vector<Tangents<Real>>& tangents,
                                          int threads) {
  const Index B = chunk_.B;
  pass.prepare(data_, batch_, chunk_, Use::gradient, loss_.of_sums(), false);
  pass.gather(data_, 0, B);
  if (!pass.forward(weights_, 0, B, &interrupt_)) return false;
  pass.end_rows(0, B);
  loss_.read(pass, batch_, chunk_, sums);
  const Index most_slices = P_ / (4 * lanes<Real>);
  const Index wanted = B >= threads ? 1 : std::clamp<Index>(most_slices, 1, (threads + B - 1) / B);
  const Index width = round_up(P_, wanted * lanes<Real>) / wanted, slices = (P_ + width - 1) / width;
  std::atomic<Index> next{0};
  std::atomic<bool> whole{true};
  const auto work = [&](int) {
    typename Tangents<Real>::Scratch scratch;
    std::vector<Footprint<Real>> at(spec_.operations.size());
    for (Index job = next++; job < B * slices; job = next++) {
      const Index b = job / slices, p0 = job % slices * width, p1 = std::min(P_, p0 + width);
      if (!row_by_tangents(pass, tangents[to_size(b)], b, p0, p1, at, scratch)) return whole.store(false);
    }
  };
  parallel(static_cast<int>(std::min<Index>(threads, B * slices)), work, &interrupt_);
  return whole.load();
}

// The columns p0 .. p1 for the steps of one row.
template <class Real>
bool Derivatives<Real>::row_by_tangents(Pass<Real>& pass, Tangents<Real>& tangents, Index b, Index p0,
                                        Index p1, std::vector<Footprint<Real>>& at,
                                        typename Tangents<Real>::Scratch& scratch) {
  const Index steps = chunk_.length(batch_, b);
  for (Index t = 0; t < steps; ++t) {
    if (t % 64 == 0 && interrupt_.check()) return false;
    const bool last = t + 1 == steps;
    const bool here = spec_.per_step || (last && chunk_.ends(batch_, b));
    const bool answered = here && loss_.given(b, spec_.per_step ? t : 0);
    for (std::size_t i = 0; i < at.size(); ++i)
      if (spec_.operations[i].type != Type::pool) at[i] = pass.footprint(i, b, t);
    const Index step = chunk_.t0 + t;
    tangents.step(parameters_, at.data(), step, answered, loss_.of_sums(), p0, p1, scratch);
    if (!spec_.per_step && !last) continue;
    for (Index c = 0; c < C_; ++c) {
      Real* to = J_of(place_of(b, t)) + c * ld;
      if (answered) std::copy(tangents.output(c, step) + p0, tangents.output(c, step) + p1, to + p0);
      else std::fill(to + p0, to + p1, Real(0));
    }
  }
  return true;
}

template <class Real> void Derivatives<Real>::weigh_chunk(int threads) {
  std::atomic<Index> next{0};
  parallel(static_cast<int>(std::min<Index>(threads, chunk_.B)), [&](int) {
    for (Index b = next++; b < chunk_.B; b = next++)
      for (Index t = 0; t < answers_of(b); ++t) {
        const Index answer = place_of(b, t);
        const bool here = spec_.per_step || chunk_.ends(batch_, b);
        if (here && loss_.given(b, t)) loss_.weigh(J_of(answer), WJ_of(answer), ld, answer, b, t);
        else nothing(answer);
      }
  });
}

template <class Real> bool Derivatives<Real>::by_reverse(const Take& take) {
  const int threads = threads_for(3 * data_.N * C_ * work_per_step(spec_), threads_);
  weights_.prepare(spec_, parameters_, 1, true, true, threads);
  const Index most = std::max<Index>(1, block_ / C_);
  return spec_.per_step ? reverse_steps(take, most) : reverse_rows(take, std::min<Index>(most, 64), threads);
}

// One sequence after the other, at most `most` of its steps at a time.
template <class Real> bool Derivatives<Real>::reverse_steps(const Take& take, Index most) {
  Pass<Real> pass(spec_);
  for (Index row = 0; row < data_.n; ++row) {
    Alone alone{{}, {}, loss_, {}};
    if (!forward_alone(pass, row, alone)) return false;
    const Index N = alone.chunk.N;
    reserve(std::min(N, most));
    for (Index t0 = 0; t0 < N; t0 += most) {
      const Index count = std::min(most, N - t0);
      for (Index t = t0; t < t0 + count; ++t)
        if (!reverse_answer(pass, alone, t, t - t0)) return false;
      chunk_.cut(alone.batch, t0, count);
      if (!take(count, alone.batch, chunk_)) return false;
    }
    add(alone.sums);
  }
  return true;
}

// Groups of at most `most` sequences, which have one answer each; threads share them.
template <class Real> bool Derivatives<Real>::reverse_rows(const Take& take, Index most, int threads) {
  for (Index first = 0; first < data_.n; first += most) {
    const Index count = std::min(most, data_.n - first);
    reserve(count);
    std::vector<Sums> own(to_size(count));
    std::atomic<Index> next{0};
    std::atomic<bool> whole{true};
    const auto work = [&](int) {
      Pass<Real> pass(spec_);
      for (Index b = next++; b < count && whole.load(); b = next++) {
        Alone alone{{}, {}, loss_, {}};
        if (!forward_alone(pass, first + b, alone) || !reverse_answer(pass, alone, 0, b)) whole.store(false);
        own[to_size(b)] = alone.sums;
      }
    };
    parallel(static_cast<int>(std::min<Index>(threads, count)), work, &interrupt_);
    if (!whole.load()) return false;
    batch_.assign_slice(all_, first, count);
    chunk_.cut(batch_, 0, batch_.longest);
    if (!take(count, batch_, chunk_)) return false;
    for (const Sums& s : own) add(s);
  }
  return true;
}

template <class Real> bool Derivatives<Real>::forward_alone(Pass<Real>& pass, Index row, Alone& alone) {
  alone.batch.assign_slice(all_, row, 1);
  alone.chunk.cut(alone.batch, 0, alone.batch.longest);
  pass.reserve_rows(alone.batch, false);
  pass.begin_rows({}, nullptr, 0, 1);
  pass.prepare(data_, alone.batch, alone.chunk, Use::gradient, loss_.of_sums(), true);
  pass.gather(data_, 0, 1);
  if (!pass.forward(weights_, 0, 1, &interrupt_)) return false;
  alone.loss.read(pass, alone.batch, alone.chunk, alone.sums);
  return true;
}

// Back from each output of the answer at step t (or 0), one after the other.
template <class Real>
bool Derivatives<Real>::reverse_answer(Pass<Real>& pass, const Alone& alone, Index t, Index answer) {
  if (!alone.loss.given(0, t)) {
    nothing(answer);
    return true;
  }
  const std::size_t last = spec_.operations.size() - 1;
  const Index n = spec_.per_step ? alone.chunk.N : 1;
  for (Index c = 0; c < C_; ++c) {
    Real* to = J_of(answer) + c * ld;  // [P]
    std::fill_n(pass.cotangents(last), n * pass.ld(last), Real(0));
    pass.cotangents(last)[t * pass.ld(last) + c] = 1;
    std::fill_n(to, P_, Real(0));
    if (!pass.backward(weights_, 0, 1, &interrupt_)) return false;
    if (!pass.weight_gradients(to, 0, 1, &interrupt_)) return false;
  }
  if (loss_.wanted()) alone.loss.weigh(J_of(answer), WJ_of(answer), ld, t, 0, t);
  return true;
}

template class Derivatives<float>;
template class Derivatives<double>;

}  // namespace elman
