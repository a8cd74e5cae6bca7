#include "train/train.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "runtime/denormals.h"
#include "runtime/threads.h"

namespace elman {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// In double, whose range holds the square of every float, and in eight sums, whatever the machine.
template <class Real> double square_sum(const Real* x, Index n) {
  double lane[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  Index i = 0;
  for (; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; ++j) lane[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  for (int j = 0; i < n; ++i, ++j) lane[j] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

}  // namespace

template <class Real> Slice<Real>& Trainer<Real>::slice(Index i) {
  while (static_cast<Index>(slices_.size()) <= i)
    slices_.push_back(std::make_unique<Slice<Real>>(network_.spec, loss, dropping));
  return *slices_[static_cast<std::size_t>(i)];
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
  for (Index s = 0; s < count_ && kept_; ++s)
    slice(s).take(batch, s * slice_rows, std::min(slice_rows, B - s * slice_rows));
}

// Each slice at work gets as much as the others, or as it needs beside theirs where all stay.
template <class Real> void Trainer<Real>::share_out_memory(Index T) {
  const Need need = slice(0).need();
  std::vector<Index> least, whole;
  Index steps = 0, all = 0;
  for (Index s = 0; s < count_; ++s) {
    const Index b0 = s * slice_rows, b1 = std::min(batch.size(), b0 + slice_rows),
                longest = std::min(T, batch.length[static_cast<std::size_t>(b0)]);
    Index N = 0;
    for (Index b = b0; b < b1; ++b) N += std::min(T, batch.length[static_cast<std::size_t>(b)]);
    least.push_back(need.least(b1 - b0, longest, N));
    whole.push_back(need.whole(b1 - b0, longest, N));
    steps += N;
    all += least.back();
  }
  at_work_ = static_cast<int>(std::min<Index>(n_threads_, count_));
  limits_.assign(least.size(), memory_);
  if (need.whole(batch.size(), count_ * T, steps) > memory_) {
    at_work_ = static_cast<int>(
        std::clamp<Index>(memory_ / least[0], 1, at_work_));  // the first has the longest rows
    for (std::size_t s = 0; s < least.size(); ++s)
      limits_[s] = kept_ ? static_cast<Index>(static_cast<double>(memory_) * static_cast<double>(least[s]) /
                                              static_cast<double>(all))
                         : memory_ / at_work_;
  }
  std::vector<Index> bytes;
  for (std::size_t i = 0; i < (kept_ ? least.size() : static_cast<std::size_t>(at_work_)); ++i)
    bytes.push_back(kept_ ? std::min(whole[i], limits_[i]) : std::min(whole[0], limits_[0]));
  hold(bytes);
}

// Slices keep the most that any minibatch needed of them. Where all that is too much, they begin anew.
template <class Real> void Trainer<Real>::hold(const std::vector<Index>& bytes) {
  const bool first = held_.empty();
  held_.resize(std::max(held_.size(), bytes.size()), 0);
  Index all = 0;
  for (std::size_t i = 0; i < held_.size(); ++i)
    all += held_[i] = std::max(held_[i], i < bytes.size() ? bytes[i] : 0);
  if (!first && all <= memory_) return;
  slices_.clear();
  held_ = bytes;
}

template <class Real> void Trainer<Real>::store(const std::vector<Real*>& out) {
  for (Index s = 0; s < count_ && !out.empty(); ++s) slice(s).store(out);
}

template <class Real>
Outcome Trainer<Real>::chunk_gradient(const Minibatches<Real>& from, const Dropout* dropout, Index t0,
                                      Real* gradient, Sums& sums, double& value, Interrupt* interrupt) {
  const Spec& spec = network_.spec;
  const Objective& objective = from.objective;
  if (count_ == 1) slice(0).cut(t0, most_, memory_);
  else outline_.outline(batch, t0, most_);
  const Chunk& chunk = count_ == 1 ? slice(0).chunk() : outline_;
  rows_.prepare(spec, from.data, from.answers, objective, batch, chunk);
  const Index work = 3 * chunk.N * work_per_step(spec);
  if (work < 2'000'000) interrupt = nullptr;
  const Task<Real> task{from.data, from.answers, objective.loss, rows_.total > 0, weights_, rows_, 1,
                        1,         gradient,     interrupt};
  const auto begin = [&](Slice<Real>& own) {
    if (t0 == 0) own.begin(from.initial, dropout);
  };
  if (!(count_ == 1 ? whole(task, work, begin) : in_slices(task, t0, work, begin))) return Outcome::stopped;
  if (!task.learn) return Outcome::nothing;
  Sums own;
  rows_.add_to(own);
  if (!std::isfinite(own.v[0])) return Outcome::diverged;
  value = objective.mean ? own.v[0] / rows_.total : own.v[0];
  if (objective.l2 > 0) {
    for (const Parameter& p : spec.parameters) {
      if (!p.decays) continue;
      const Index size = p.shape[0] * p.shape[1];
      const Real* w = network_.parameters.data() + p.offset;
      kernels<Real>().add_scaled(gradient + p.offset, w, static_cast<Real>(objective.l2), size);
      value += 0.5 * objective.l2 * square_sum(w, size);
    }
  }
  for (int i = 0; i < 5; ++i) sums.v[i] += own.v[i];
  return Outcome::updated;
}

// Threads share the rows, then the entries of the gradient.
template <class Real> template <class F> bool Trainer<Real>::whole(Task<Real> task, Index work, F begin) {
  Slice<Real>& own = slice(0);
  begin(own);
  const Index B = own.chunk().B;
  task.threads = threads_for(work / own.stretches(), n_threads_);
  task.row_parts = static_cast<int>(std::min<Index>(task.threads, (B + slice_rows - 1) / slice_rows));
  weights_.prepare(network_.spec, network_.parameters.data(), B / task.row_parts, task.learn, false,
                   task.threads);
  return own.gradient(task);
}

// A thread takes one slice after the other. Each has a gradient of its own, and these are added up in the
// slices' order.
template <class Real>
template <class F>
bool Trainer<Real>::in_slices(const Task<Real>& task, Index t0, Index work, F begin) {
  const Index P = network_.spec.parameter_count, n = (outline_.B + slice_rows - 1) / slice_rows,
              apart = (P + 15) / 16 * 16;
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
    parallel(
        threads,
        [&](int thread) {
          for (Index s; all.load() && (s = next.fetch_add(1)) < s1;) {
            Slice<Real>& own = slice(kept_ ? s : thread);
            if (!kept_) own.take(batch, s * slice_rows, std::min(slice_rows, batch.size() - s * slice_rows));
            own.cut(t0, most_, limits_[static_cast<std::size_t>(s)]);
            begin(own);
            Task<Real> part = task;
            part.gradient = share(s);
            if (!own.gradient(part)) all.store(false);
          }
        },
        task.interrupt);
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
bool Optimizer<Real>::apply(Real* parameters, Real* gradient, double rate, Index step, int n_threads) const {
  const KernelTable<Real>& k = kernels<Real>();
  Real clip = 1;
  Index size = 0;
  for (const auto& [begin, end] : trainable) size += end - begin;
  if (lower)
    for (const auto& [begin, end] : trainable)
      k.drop_fixed(gradient + begin, lower + begin, upper + begin, end - begin);
  if (clip_norm > 0) {
    double square = 0;
    for (const auto& [begin, end] : trainable) square += square_sum(gradient + begin, end - begin);
    const double norm = std::sqrt(square);
    if (!std::isfinite(norm)) return false;
    if (norm > clip_norm) clip = static_cast<Real>(clip_norm / norm);
  }
  const int parts = size < 100'000 ? 1 : n_threads;
  parallel(parts, [&](int part) {
    for (const auto& [begin, end] : trainable) {
      const Index i0 = begin + (end - begin) * part / parts, i1 = begin + (end - begin) * (part + 1) / parts;
      k.update(rule, rate, step, clip, parameters + i0, gradient + i0, m ? m + i0 : nullptr,
               v ? v + i0 : nullptr, i1 - i0);
      if (lower) k.into_bounds(parameters + i0, lower + i0, upper + i0, i1 - i0);
    }
  });
  return true;
}

template <class Real>
Status train(Trainer<Real>& trainer, const Data& data, const Answers<Real>& answers,
             const Objective& objective, const Optimizer<Real>& optimizer, const Schedule<Real>& s,
             Interrupt& interrupt) {
  const FlushDenormals mode;
  const Spec& spec = trainer.network().spec;
  const Index P = spec.parameter_count, n = data.n, per_epoch = (n + s.batch_size - 1) / s.batch_size;
  Real* gradient = trainer.gradient.reserve(P);
  Real* w = trainer.network().parameters.data();
  const Minibatches<Real> from{
      data, answers, objective,
      s.carry.empty() ? s.initial : std::vector<const Real*>(s.carry.begin(), s.carry.end())};
  const double start = seconds_now();
  Index unchecked = 0;
  for (Index m = s.progress[0]; m < s.epochs * per_epoch; ++m) {
    const Index epoch = m / per_epoch, i = m % per_epoch;
    if (i == 0) std::copy_n(w, P, s.snapshot);
    trainer.batch.assign(data, s.order + epoch * n + i * s.batch_size,
                         std::min(s.batch_size, n - i * s.batch_size));
    const Index longest = trainer.batch.longest, most = s.truncation ? s.truncation : longest;
    const Dropout dropout{s.first.key, s.first.epoch + static_cast<std::uint64_t>(epoch)};
    trainer.begin(most, !s.carry.empty());
    Sums sums;
    for (Index t0 = 0; t0 < longest; t0 += most) {
      double value = 0;
      const Outcome outcome = trainer.chunk_gradient(from, trainer.dropping ? &dropout : nullptr, t0,
                                                     gradient, sums, value, &interrupt);
      if (outcome == Outcome::diverged) {
        s.progress[2] = epoch;
        return Status::diverged;
      }
      if (outcome == Outcome::stopped) return Status::stopped;
      if (outcome == Outcome::updated) {
        const double rate = s.rates[s.n_rates == 1 ? 0 : std::min<Index>(s.progress[1], s.n_rates - 1)];
        if (!optimizer.apply(w, gradient, rate, s.progress[3] + s.progress[1] + 1, trainer.n_threads())) {
          s.progress[2] = epoch;
          return Status::diverged;
        }
        ++s.progress[1];
      }
    }
    trainer.store(s.carry);
    for (int j = 0; j < 5; ++j) s.sums[5 * epoch + j] += sums.v[j];
    s.progress[2] = epoch;
    if (i + 1 == per_epoch && !kernels<Real>().all_finite(w, P)) return Status::diverged;
    s.progress[0] = m + 1;
    unchecked += 2000 + 3 * trainer.batch.steps * work_per_step(spec);
    if (unchecked > 2'000'000) {
      unchecked = 0;
      if (interrupt.check()) return Status::stopped;
      if (seconds_now() - start > s.seconds && m + 1 < s.epochs * per_epoch) return Status::time_is_up;
    }
  }
  return Status::finished;
}

#define ELMAN_INSTANTIATE(Real)                                                              \
  template class Trainer<Real>;                                                              \
  template struct Optimizer<Real>;                                                           \
  template Status train(Trainer<Real>&, const Data&, const Answers<Real>&, const Objective&, \
                        const Optimizer<Real>&, const Schedule<Real>&, Interrupt&);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
