// Minibatches: forward, loss, backward, clip, update.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "pass/network.h"
#include "pass/slice.h"

namespace elman {

// What minibatches are made of.
template <class Real> struct Minibatches {
  const Data& data;
  const Answers<Real>& answers;
  const Objective& objective;
  std::vector<const Real*> initial;  // as Slice::begin takes them
};

// What minibatch after minibatch needs of memory; for one schedule after the other.
template <class Real> class Trainer {
 public:
  // `memory`: bytes that a pass may hold before it works from checkpoints; `dropping`: is there dropout?
  Trainer(Network<Real>& network, Loss loss, bool dropping, Index memory, int n_threads)
      : loss(loss), dropping(dropping), network_(network), memory_(memory), n_threads_(n_threads) {
    slice(0);
  }

  // Begins with the minibatch that `batch` holds, whose sequences are gone through in chunks of `most` steps.
  // `carries`: their last states are wanted.
  void begin(Index most, bool carries);
  // Loss and gradient [P] of the chunk that begins at t0, l2 included; `value`: the loss of the update.
  // Without an answer the states alone go forward.
  Outcome chunk_gradient(const Minibatches<Real>& from, const Dropout* dropout, Index t0, Real* gradient,
                         Sums& sums, double& value, Interrupt* interrupt);
  // The states after the last chunk, by sequence; or empty.
  void store(const std::vector<Real*>& out);

  const Loss loss;
  const bool dropping;
  Batch batch;
  Buffer<Real> gradient;  // [P] of a schedule
  Network<Real>& network() { return network_; }
  int n_threads() const { return n_threads_; }

 private:
  Slice<Real>& slice(Index i);
  void share_out_memory(Index T);
  void hold(const std::vector<Index>& bytes);
  // Each false: interrupted. begin(slice): before its first step.
  template <class F> bool whole(Task<Real> task, Index work, F begin);
  template <class F> bool in_slices(const Task<Real>& task, Index t0, Index work, F begin);

  Network<Real>& network_;
  // As many as are at work at a time; all of a minibatch whose states are needed again.
  std::vector<std::unique_ptr<Slice<Real>>> slices_;
  Index count_ = 1, most_ = 0;  // slices of the minibatch, steps of a chunk
  bool kept_ = false;           // has each slice memory of its own?
  Chunk outline_;               // of the chunk, where there are several slices
  Weights<Real> weights_;
  Rows<Real> rows_;
  Buffer<Real> shares_;  // [slices at a time, P] gradients of theirs
  Index memory_;
  std::vector<Index> limits_, held_;  // bytes that each slice may hold; that each of slices_ may have grown
                                      // to, once there were several
  int n_threads_, at_work_ = 1;       // threads; those that may have a slice each
};

template <class Real> struct Optimizer {
  UpdateRule rule;
  Real* m;  // [P] or null
  Real* v;
  std::vector<std::pair<Index, Index>> trainable;
  double clip_norm;             // 0: none
  const Real* lower = nullptr;  // [P] what each parameter must lie between after every step, or null
  const Real* upper = nullptr;

  // One step with the gradient [P]; `step` counts from 1. false: the norm is not finite, nothing was changed.
  // Where the bounds leave a parameter no room its gradient becomes 0.
  bool apply(Real* parameters, Real* gradient, double rate, Index step, int n_threads) const;
};

template <class Real> struct Schedule {
  const std::int64_t* order;  // [epochs, n]
  Index epochs, batch_size;
  const double* rates;
  Index n_rates;                     // 1: constant
  Index truncation;                  // 0: none
  std::vector<Real*> carry;          // [n, state size] a recurrent layer, or empty
  std::vector<const Real*> initial;  // the same, with which each row begins in every epoch, where nothing is
                                     // carried; or empty: zeros
  Dropout first;                     // where there is dropout: of the first epoch; each epoch has its own
  std::int64_t* progress;            // [4]
  double* sums;                      // [epochs, 5]
  Real* snapshot;                    // [P]
  double seconds;
};

enum class Status { finished = 0, time_is_up = 1, diverged = 2, stopped = 3 };

template <class Real>
Status train(Trainer<Real>& trainer, const Data& data, const Answers<Real>& answers,
             const Objective& objective, const Optimizer<Real>& optimizer, const Schedule<Real>& schedule,
             Interrupt& interrupt);

}  // namespace elman
