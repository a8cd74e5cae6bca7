// A schedule of minibatches: forward, loss, backward, clip, update, again and again.
#pragma once

#include <cstdint>
#include <vector>

#include "train/optimizer.h"
#include "train/trainer.h"

namespace elman {

template <class Real> struct Schedule {
  const std::int64_t* order;  // [epochs, n]
  Index epochs, batch_size;
  const double* rates;       // [n_rates] one an update; the last one goes on
  Index n_rates;             // 1: constant
  Index truncation;          // steps of a chunk; 0: whole sequences
  std::vector<Real*> carry;  // [n, state size] a recurrent layer, or empty
  // The same, with which each row begins in every epoch, where nothing is carried; or empty: zeros.
  std::vector<const Real*> initial;
  Dropout first;           // where there is dropout: of the first epoch; each epoch has its own
  std::int64_t* progress;  // [4] minibatches done, updates of this schedule, the epoch, updates before it
  double* sums;            // [epochs, 5]
  Real* snapshot;          // [P] the parameters before the epoch
  double seconds;          // after so many it is time for the caller to look
};

enum class Status { finished = 0, time_is_up = 1, diverged = 2, stopped = 3 };

template <class Real>
Status train(Trainer<Real>& trainer, const Data& data, const Answers<Real>& answers,
             const Objective& objective, const Optimizer<Real>& optimizer, const Schedule<Real>& schedule,
             Interrupt& interrupt);

}  // namespace elman
