#include "train/trainer.h"

#include <algorithm>
#include <cmath>

#include "core/index.h"
#include "runtime/denormals.h"
#include "runtime/threads.h"
#include "train/optimizer.h"

namespace elman {

template <class Real> Slice<Real>& Trainer<Real>::slice(Index i) {
  while (static_cast<Index>(slices_.size()) <= i)
    slices_.push_back(std::make_unique<Slice<Real>>(network_.spec, loss, dropping));
  return *slices_[to_size(i)];
}

template <class Real> void Trainer<Real>::begin(Index most, bool carries) {
  const Index B = batch.size(), T = std::min(most, batch.longest);
  most_ = most;
  count_ = slices_of(network_.spec, B, T, sizeof(Real));
  if (count_ == 1) {
    if (!held_.empty()) hold({std::min(slice(0).need().whole(B, batch.longest, batch.steps), memory_)});
    return slice(0).take(batch);
  }
  kept_ = carries || T < batch.longest;
  share_out_memory(T);
  for (Index s = 0; s < count_ && kept_; ++s) slice(s).take(batch, s * slice_rows, rows_of(s));
}

// Each slice at work gets as much as the others, or as it needs beside theirs where all stay.
template <class Real> void Trainer<Real>::share_out_memory(Index T) {
  const Need need = slice(0).need();
  std::vector<Index> least, whole;  // bytes of each slice; the first has the longest rows
  Index steps = 0, all = 0;
  for (Index s = 0; s < count_; ++s) {
    const Index b0 = s * slice_rows, rows = rows_of(s), longest = std::min(T, batch.length[to_size(b0)]);
    Index N = 0;
    for (Index b = b0; b < b0 + rows; ++b) N += std::min(T, batch.length[to_size(b)]);
    least.push_back(need.least(rows, longest, N));
    whole.push_back(need.whole(rows, longest, N));
    steps += N;
    all += least.back();
  }
  at_work_ = static_cast<int>(std::min<Index>(n_threads_, count_));
  limits_.assign(least.size(), memory_);
  const bool enough = need.whole(batch.size(), count_ * T, steps) <= memory_;
  if (!enough) {
    at_work_ = static_cast<int>(std::clamp<Index>(memory_ / least[0], 1, at_work_));
    const auto share = [&](Index own) {
      return static_cast<double>(memory_) * static_cast<double>(own) / static_cast<double>(all);
    };
    for (std::size_t s = 0; s < least.size(); ++s)
      limits_[s] = kept_ ? static_cast<Index>(share(least[s])) : memory_ / at_work_;
  }
  std::vector<Index> bytes;
  const std::size_t held = kept_ ? least.size() : static_cast<std::size_t>(at_work_);
  for (std::size_t i = 0; i < held; ++i) {
    const std::size_t s = kept_ ? i : 0;
    bytes.push_back(std::min(whole[s], limits_[s]));
  }
  hold(bytes);
}

// Slices keep the most that any minibatch needed of them. Where all that is too much, they begin anew.
template <class Real> void Trainer<Real>::hold(const std::vector<Index>& bytes) {
  const bool first = held_.empty();
  held_.resize(std::max(held_.size(), bytes.size()), 0);
  Index all = 0;
  for (std::size_t i = 0; i < held_.size(); ++i) {
    if (i < bytes.size()) held_[i] = std::max(held_[i], bytes[i]);
    all += held_[i];
  }
  if (!first && all <= memory_) return;
  slices_.clear();
  held_ = bytes;
}

template <class Real> void Trainer<Real>::store(const std::vector<Real*>& out) {
  for (Index s = 0; s < count_ && !out.empty(); ++s) slice(s).store(out);
}

template <class Real>
Outcome Trainer<Real>::chunk_gradient(const Minibatches<Real>& from, const Dropout* dropout, Index t0,
                                      Real* out, Sums& sums, double& value, Interrupt* interrupt) {
  const Objective& objective = from.objective;
  const bool one = count_ == 1;
  if (one) slice(0).cut(t0, most_, memory_);
  else outline_.outline(batch, t0, most_);
  const Chunk& chunk = one ? slice(0).chunk() : outline_;
  rows_.prepare(network_.spec, from.data, from.answers, objective, batch, chunk);
  const Index work = 3 * chunk.N * work_per_step(network_.spec);
  if (work < 2'000'000) interrupt = nullptr;
  const Task<Real> task{.data = from.data,
                        .answers = from.answers,
                        .loss = objective.loss,
                        .learn = rows_.total > 0,
                        .weights = weights_,
                        .rows = rows_,
                        .row_parts = 1,
                        .threads = 1,
                        .gradient = out,
                        .interrupt = interrupt};
  const auto begin_slice = [&](Slice<Real>& own) {
    if (t0 == 0) own.begin(from.initial, dropout);
  };
  const bool done = one ? whole(task, work, begin_slice) : in_slices(task, t0, work, begin_slice);
  if (!done) return Outcome::stopped;
  if (!task.learn) return Outcome::nothing;
  Sums own;
  rows_.add_to(own);
  if (!std::isfinite(own.v[0])) return Outcome::diverged;
  value = objective.mean ? own.v[0] / rows_.total : own.v[0];
  if (objective.l2 > 0) value = add_l2(objective.l2, out, value);
  for (Index i = 0; i < sum_count; ++i) sums.v[i] += own.v[i];
  return Outcome::updated;
}

// The penalty's gradient is added to out [P]; returns the loss with it.
template <class Real> double Trainer<Real>::add_l2(double l2, Real* out, double value) const {
  for (const Parameter& p : network_.spec.parameters) {
    if (!p.decays) continue;
    const Index size = p.shape[0] * p.shape[1];
    const Real* w = network_.parameters.data() + p.offset;
    kernels<Real>().add_scaled(out + p.offset, w, static_cast<Real>(l2), size);
    value += 0.5 * l2 * square_sum(w, size);
  }
  return value;
}

// Threads share the rows, then the entries of the gradient.
template <class Real>
template <class F>
bool Trainer<Real>::whole(Task<Real> task, Index work, F begin_slice) {
  Slice<Real>& own = slice(0);
  begin_slice(own);
  const Index B = own.chunk().B;
  task.threads = threads_for(work / own.stretches(), n_threads_);
  task.row_parts = static_cast<int>(std::min<Index>(task.threads, round_up(B, slice_rows) / slice_rows));
  weights_.prepare(network_.spec, network_.parameters.data(), B / task.row_parts, task.learn, false,
                   task.threads);
  return own.gradient(task);
}

// A thread takes one slice after the other. Each has a gradient of its own, and these are added up in the
// slices' order.
template <class Real>
template <class F>
bool Trainer<Real>::in_slices(const Task<Real>& task, Index t0, Index work, F begin_slice) {
  const Index P = network_.spec.parameter_count, apart = round_up(P, 16);
  const Index n = round_up(outline_.B, slice_rows) / slice_rows;
  const int threads = static_cast<int>(std::min<Index>(threads_for(work, at_work_), n));
  const Index most = threads == 1 ? 1 : slices_between_sums * threads;
  weights_.prepare(network_.spec, network_.parameters.data(), slice_rows, task.learn, false, threads);
  slice(kept_ ? n - 1 : threads - 1);
  shares_.reserve(std::min(most, n) * apart);
  std::atomic<bool> all{true};
  for (Index s0 = 0; s0 < n; s0 += most) {
    const Index s1 = std::min(n, s0 + most);
    const auto share = [&](Index s) { return s == 0 ? task.gradient : shares_.data() + (s - s0) * apart; };
    std::atomic<Index> next{s0};
    const auto gradients = [&](int thread) {
      for (Index s; all.load() && (s = next.fetch_add(1)) < s1;) {
        Slice<Real>& own = slice(kept_ ? s : thread);
        if (!kept_) own.take(batch, s * slice_rows, rows_of(s));
        own.cut(t0, most_, limits_[to_size(s)]);
        begin_slice(own);
        Task<Real> part = task;
        part.gradient = share(s);
        if (!own.gradient(part)) all.store(false);
      }
    };
    parallel(threads, gradients, task.interrupt);
    if (!all.load()) return false;
    if (!task.learn) continue;
    const int parts = P < 50'000 ? 1 : threads;
    parallel(parts, [&](int part) {
      const Index p0 = P * part / parts, p1 = P * (part + 1) / parts;
      for (Index s = std::max<Index>(s0, 1); s < s1; ++s)
        kernels<Real>().add_scaled(task.gradient + p0, share(s) + p0, Real(1), p1 - p0);
    });
  }
  return true;
}

template <class Real>
Outcome loss_and_gradient(Network<Real>& network, const Data& data, const Answers<Real>& answers,
                          const Objective& objective, const std::vector<const Real*>& initial,
                          const Dropout* dropout, Index memory, Real* gradient, double& value,
                          Interrupt& interrupt, int n_threads) {
  const FlushDenormals mode;
  Trainer<Real> trainer(network, objective.loss, dropout != nullptr, memory, n_threads);
  trainer.batch.assign_range(data, 0, data.n);
  trainer.begin(trainer.batch.longest, false);
  Sums sums;
  return trainer.chunk_gradient({data, answers, objective, initial}, dropout, 0, gradient, sums, value,
                                &interrupt);
}

#define ELMAN_INSTANTIATE(Real)                                                                              \
  template class Trainer<Real>;                                                                              \
  template Outcome loss_and_gradient(Network<Real>&, const Data&, const Answers<Real>&, const Objective&,    \
                                     const std::vector<const Real*>&, const Dropout*, Index, Real*, double&, \
                                     Interrupt&, int);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
