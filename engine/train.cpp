#include "train.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "threads.h"

namespace elman {
namespace {

constexpr Index cached = 1 << 20;   // bytes that a core's own cache holds beside weights

double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }


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

int threads_for(Index work, int n_threads) {
  constexpr Index least = 1'000'000;   // some ten microseconds
  return static_cast<int>(std::clamp<Index>(work / least, 1, std::clamp(n_threads, 1, 256)));
}

bool fused(const Spec& spec, Loss loss) {
  const Operation& last = spec.operations.back();
  if (last.type != Operation::Type::dense) return false;
  return (loss == Loss::cross_entropy && last.activation == Activation::softmax) || (loss == Loss::binary_cross_entropy && last.activation == Activation::sigmoid);
}

template <class Real>
void Rows<Real>::prepare(const Spec& spec, const Data& data, const Answers<Real>& answers, const Objective& objective, const Batch& batch, const Chunk& chunk) {
  const std::size_t B = static_cast<std::size_t>(chunk.B);
  first.resize(B);
  scale.resize(B);
  weight.resize(B);
  sums.assign(5 * B, 0.0);
  total = 0;
  for (std::size_t b = 0; b < B; ++b) {
    const Index row = batch.row[b], steps = spec.per_step ? chunk.length(batch, static_cast<Index>(b)) : 1;
    first[b] = spec.per_step ? static_cast<Index>(data.offsets[row]) + chunk.t0 : chunk.ends(batch, static_cast<Index>(b)) ? row : -1;
    weight[b] = objective.weights ? objective.weights[row] : 1.0;
    double given = first[b] < 0 ? 0.0 : static_cast<double>(steps);
    if (first[b] >= 0 && (answers.missing || answers.class_weight)) {
      given = 0;
      for (Index t = 0; t < steps; ++t) given += answers.weight(first[b] + t);
    }
    total += weight[b] * given;
  }
  for (std::size_t b = 0; b < B; ++b) scale[b] = static_cast<Real>(objective.mean ? weight[b] / total : weight[b]);
}

template <class Real> void Rows<Real>::move_to(const Data& data, const Batch& batch, const Chunk& stretch) {
  for (std::size_t b = 0; b < static_cast<std::size_t>(stretch.B); ++b) first[b] = static_cast<Index>(data.offsets[batch.row[b]]) + stretch.t0;
}

template <class Real>
void Rows<Real>::run(Pass<Real>& pass, const Spec& spec, const Answers<Real>& answers, Loss loss, Index b0, Index b1, bool gradient) {
  const std::size_t last = spec.operations.size() - 1;
  const Index C = spec.output_size, ld = pass.ld(last);
  const bool copy = !fused(spec, loss);     // the outputs themselves are still needed for the derivative of the activation
  const auto some = [&](Index row, Index b, Index n, Index t, bool steps) {
    Real* y = pass.cotangents(last) + row * ld;
    if (copy) std::copy_n(pass.outputs(last) + row * ld, n * ld, y);
    const std::size_t r = static_cast<std::size_t>(b);
    kernels<Real>().loss({loss, C, answers.classes, answers.values, answers.class_weight, first.data() + r, gradient ? scale.data() + r : nullptr, weight.data() + r, sums.data() + 5 * r, steps}, y, ld, n, t);
  };
  if (spec.per_step && first.size() == 1) return some(0, 0, pass.rows_of_steps(), 0, true);   // the steps of a single row lie together
  pass.over_rows(spec.per_step, b0, b1, [&](Index row, Index b, Index n, Index t) { some(row, b, n, t, false); });
}

template <class Real> void Rows<Real>::add_to(Sums& out) const {
  for (std::size_t i = 0; i < sums.size(); ++i) out.v[i % 5] += sums[i];
}

template <class Real>
Outcome Trainer<Real>::chunk_gradient(const Data& data, const Answers<Real>& answers, const Objective& objective, Real* gradient, Sums& sums, double& value, Interrupt* interrupt) {
  const Spec& spec = network_.spec;
  const KernelTable<Real>& k = kernels<Real>();
  rows_.prepare(spec, data, answers, objective, batch, chunk);
  const bool learn = rows_.total > 0;
  const Index work = 3 * chunk.N * work_per_step(spec);
  const int threads = threads_for(work / static_cast<Index>(stretches()), n_threads_);
  if (work < 2'000'000) interrupt = nullptr;
  const int row_parts = static_cast<int>(std::min<Index>(threads, (chunk.B + 7) / 8));
  split_rows(bounds_, batch, chunk.B, row_parts, 8);
  weights_.prepare(spec, network_.parameters.data(), chunk.B / row_parts, learn, false, threads);
  const Task<Real> task{data, answers, objective.loss, learn, row_parts, threads, gradient, interrupt};
  Sums own;
  const Outcome outcome = begins_.empty() ? at_once(task, own) : in_stretches(task, own);
  if (outcome != Outcome::updated) return outcome;
  value = objective.mean ? own.v[0] / rows_.total : own.v[0];
  if (objective.l2 > 0) {
    for (const Parameter& p : spec.parameters) {
      if (!p.decays) continue;
      const Index size = p.shape[0] * p.shape[1];
      const Real* w = network_.parameters.data() + p.offset;
      k.add_scaled(gradient + p.offset, w, static_cast<Real>(objective.l2), size);
      value += 0.5 * objective.l2 * square_sum(w, size);
    }
  }
  for (int i = 0; i < 5; ++i) sums.v[i] += own.v[i];
  return Outcome::updated;
}

template <class Real> Outcome Trainer<Real>::at_once(const Task<Real>& task, Sums& sums) {
  const Spec& spec = network_.spec;
  const std::size_t n = spec.operations.size();
  pass_.prepare(task.data, batch, chunk, task.learn ? Use::gradient : Use::states, fused(spec, task.loss), false);
  // Long chunks go back some blocks of steps at a time, so that a core still has at hand what their weight gradients are made of.
  const Index rows = task.threads * cached / need_.step;
  const bool piecewise = task.learn && chunk.N > 4 * rows && !spec.whole_rows;
  std::size_t top = n;                             // operations with a time axis come first; a pool looks at all steps
  if (piecewise)
    while (top > 0 && (!spec.operations[top - 1].steps_in || spec.operations[top - 1].type == Operation::Type::pool)) --top;
  const Span steps{0, top}, above{piecewise ? top : 0, n};
  const bool whole = over_rows(task, [&](Index b0, Index b1) {
    pass_.gather(task.data, b0, b1);
    if (!pass_.forward(weights_, b0, b1, task.interrupt)) return false;
    pass_.end_rows(b0, b1);
    if (!task.learn) return true;
    rows_.run(pass_, spec, task.answers, task.loss, b0, b1, true);
    return pass_.backward(weights_, b0, b1, task.interrupt, above);
  });
  if (!whole) return Outcome::stopped;
  if (!task.learn) return Outcome::nothing;
  rows_.add_to(sums);
  if (!std::isfinite(sums.v[0])) return Outcome::diverged;
  std::fill_n(task.gradient, spec.parameter_count, Real(0));
  if (!over_gradients(task, above)) return Outcome::stopped;
  if (piecewise) {
    for (Span piece{0, pass_.blocks().end}; piece.end > 0; piece.end = piece.first) {
      piece = pass_.blocks_before(piece.end, rows);
      const bool back = over_rows(task, [&](Index b0, Index b1) { return pass_.backward(weights_, b0, b1, task.interrupt, steps, piece); });
      if (!back || !over_gradients(task, steps, piece)) return Outcome::stopped;
    }
  }
  return Outcome::updated;
}

template <class Real> bool Optimiser<Real>::apply(Real* parameters, Real* gradient, double rate, Index step, int n_threads) const {
  const KernelTable<Real>& k = kernels<Real>();
  Real clip = 1;
  Index size = 0;
  for (const auto& [begin, end] : trainable) size += end - begin;
  if (lower)
    for (const auto& [begin, end] : trainable) k.drop_fixed(gradient + begin, lower + begin, upper + begin, end - begin);
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
      k.update(rule, rate, step, clip, parameters + i0, gradient + i0, m ? m + i0 : nullptr, v ? v + i0 : nullptr, i1 - i0);
      if (lower) k.into_bounds(parameters + i0, lower + i0, upper + i0, i1 - i0);
    }
  });
  return true;
}

template <class Real>
Status train(Trainer<Real>& trainer, const Data& data, const Answers<Real>& answers, const Objective& objective, const Optimiser<Real>& optimiser, const Schedule<Real>& s,
             Interrupt& interrupt) {
  const FlushDenormals mode;
  const Spec& spec = trainer.network().spec;
  const Index P = spec.parameter_count, n = data.n, per_epoch = (n + s.batch_size - 1) / s.batch_size;
  Real* gradient = trainer.gradient.reserve(P);
  Real* w = trainer.network().parameters.data();
  const std::vector<const Real*> initial = s.carry.empty() ? s.initial : std::vector<const Real*>(s.carry.begin(), s.carry.end());
  const double start = seconds_now();
  Index unchecked = 0;
  for (Index m = s.progress[0]; m < s.epochs * per_epoch; ++m) {
    const Index epoch = m / per_epoch, i = m % per_epoch;
    if (i == 0) std::copy_n(w, P, s.snapshot);
    trainer.batch.assign(data, s.order + epoch * n + i * s.batch_size, std::min(s.batch_size, n - i * s.batch_size));
    Pass<Real>& pass = trainer.pass();
    const Batch& batch = trainer.batch;
    const Index most = s.truncation ? s.truncation : batch.longest;
    Sums sums;
    for (Index t0 = 0; t0 < batch.longest; t0 += most) {
      trainer.cut(t0, most);
      if (t0 == 0) {
        const Dropout dropout{s.first.key, s.first.epoch + static_cast<std::uint64_t>(epoch)};
        pass.reserve_rows(batch, trainer.dropping);
        pass.begin_rows(initial, trainer.dropping ? &dropout : nullptr, 0, batch.size());
      }
      double value = 0;
      const Outcome outcome = trainer.chunk_gradient(data, answers, objective, gradient, sums, value, &interrupt);
      if (outcome == Outcome::diverged) {
        s.progress[2] = epoch;
        return Status::diverged;
      }
      if (outcome == Outcome::stopped) return Status::stopped;
      if (outcome == Outcome::updated) {
        const double rate = s.rates[s.n_rates == 1 ? 0 : std::min<Index>(s.progress[1], s.n_rates - 1)];
        if (!optimiser.apply(w, gradient, rate, s.progress[3] + s.progress[1] + 1, trainer.n_threads())) {
          s.progress[2] = epoch;
          return Status::diverged;
        }
        ++s.progress[1];
      }
    }
    pass.store_rows(s.carry);
    for (int j = 0; j < 5; ++j) s.sums[5 * epoch + j] += sums.v[j];
    s.progress[2] = epoch;
    if (i + 1 == per_epoch && !kernels<Real>().all_finite(w, P)) return Status::diverged;
    s.progress[0] = m + 1;
    unchecked += 2000 + 3 * batch.steps * work_per_step(spec);
    if (unchecked > 2'000'000) {
      unchecked = 0;
      if (interrupt.check()) return Status::stopped;
      if (seconds_now() - start > s.seconds && m + 1 < s.epochs * per_epoch) return Status::time_is_up;
    }
  }
  return Status::finished;
}

#define ELMAN_INSTANTIATE(Real)                                                                                                                             \
  template struct Rows<Real>;                                                                                                                              \
  template class Trainer<Real>;                                                                                                                            \
  template struct Optimiser<Real>;                                                                                                                         \
  template Status train(Trainer<Real>&, const Data&, const Answers<Real>&, const Objective&, const Optimiser<Real>&, const Schedule<Real>&, Interrupt&);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
