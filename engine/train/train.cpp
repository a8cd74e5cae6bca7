#include "train/train.h"

#include <algorithm>
#include <chrono>

#include "runtime/denormals.h"

namespace elman {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// One schedule at work.
template <class Real> class Training {
 public:
  Training(Trainer<Real>& trainer, const Data& data, const Answers<Real>& answers, const Objective& objective,
           const Optimizer<Real>& optimizer, const Schedule<Real>& schedule, Interrupt& interrupt)
      : trainer_(trainer),
        minibatches_{data, answers, objective, initial_of(schedule)},
        optimizer_(optimizer),
        s_(schedule),
        interrupt_(interrupt),
        n_(data.n),
        P_(trainer.network().spec.parameter_count),
        per_epoch_((data.n + schedule.batch_size - 1) / schedule.batch_size),
        work_per_step_(work_per_step(trainer.network().spec)),
        gradient_(trainer.gradient.reserve(P_)),
        w_(trainer.network().parameters.data()) {}

  Status run() {
    const Index all = s_.epochs * per_epoch_;
    for (Index m = s_.progress[0]; m < all; ++m) {
      Status status = minibatch(m);
      if (status == Status::finished) status = look_up(m + 1 < all);
      if (status != Status::finished) return status;
    }
    return Status::finished;
  }

 private:
  static std::vector<const Real*> initial_of(const Schedule<Real>& schedule) {
    if (schedule.carry.empty()) return schedule.initial;
    return {schedule.carry.begin(), schedule.carry.end()};
  }

  // finished: and it is worth going on.
  Status minibatch(Index m) {
    const Index epoch = m / per_epoch_, i = m % per_epoch_, first = i * s_.batch_size;
    if (i == 0) std::copy_n(w_, P_, s_.snapshot);
    const std::int64_t* rows = s_.order + epoch * n_ + first;
    trainer_.batch.assign(minibatches_.data, rows, std::min(s_.batch_size, n_ - first));
    Sums sums;
    const Status status = chunks(epoch, sums);
    if (status == Status::stopped) return status;
    s_.progress[2] = epoch;
    if (status == Status::diverged) return status;
    trainer_.store(s_.carry);
    for (Index j = 0; j < sum_count; ++j) s_.sums[sum_count * epoch + j] += sums.v[j];
    const bool epoch_ends = i + 1 == per_epoch_;
    if (epoch_ends && !kernels<Real>().all_finite(w_, P_)) return Status::diverged;
    s_.progress[0] = m + 1;
    return Status::finished;
  }

  // The chunks of the minibatch in turn, with an update after each that has an answer.
  Status chunks(Index epoch, Sums& sums) {
    const Index longest = trainer_.batch.longest, most = s_.truncation ? s_.truncation : longest;
    const Dropout dropout{s_.first.key, s_.first.epoch + static_cast<std::uint64_t>(epoch)};
    trainer_.begin(most, !s_.carry.empty());
    for (Index t0 = 0; t0 < longest; t0 += most) {
      double value = 0;
      const Outcome outcome = trainer_.chunk_gradient(minibatches_, trainer_.dropping ? &dropout : nullptr,
                                                      t0, gradient_, sums, value, &interrupt_);
      if (outcome == Outcome::stopped) return Status::stopped;
      if (outcome == Outcome::diverged) return Status::diverged;
      if (outcome == Outcome::updated && !update()) return Status::diverged;
    }
    return Status::finished;
  }

  bool update() {
    const Index before = s_.progress[1];
    const double rate = s_.rates[s_.n_rates == 1 ? 0 : std::min<Index>(before, s_.n_rates - 1)];
    const Index step = s_.progress[3] + before + 1;
    if (!optimizer_.apply(w_, gradient_, rate, step, trainer_.n_threads())) return false;
    ++s_.progress[1];
    return true;
  }

  // After enough work: does somebody wait for this to stop?
  Status look_up(bool more) {
    unchecked_ += 2000 + 3 * trainer_.batch.steps * work_per_step_;
    if (unchecked_ <= 2'000'000) return Status::finished;
    unchecked_ = 0;
    if (interrupt_.check()) return Status::stopped;
    const bool late = seconds_now() - start_ > s_.seconds;
    return late && more ? Status::time_is_up : Status::finished;
  }

  Trainer<Real>& trainer_;
  const Minibatches<Real> minibatches_;
  const Optimizer<Real>& optimizer_;
  const Schedule<Real>& s_;
  Interrupt& interrupt_;
  const Index n_, P_, per_epoch_, work_per_step_;
  Real* gradient_;  // [P]
  Real* w_;         // [P]
  const double start_ = seconds_now();
  Index unchecked_ = 0;  // multiply-adds since the last look
};

}  // namespace

template <class Real>
Status train(Trainer<Real>& trainer, const Data& data, const Answers<Real>& answers,
             const Objective& objective, const Optimizer<Real>& optimizer, const Schedule<Real>& schedule,
             Interrupt& interrupt) {
  const FlushDenormals mode;
  return Training<Real>(trainer, data, answers, objective, optimizer, schedule, interrupt).run();
}

#define ELMAN_INSTANTIATE(Real)                                                              \
  template Status train(Trainer<Real>&, const Data&, const Answers<Real>&, const Objective&, \
                        const Optimizer<Real>&, const Schedule<Real>&, Interrupt&);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
