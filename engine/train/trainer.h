// The gradient of one minibatch after the other.
#pragma once

#include <algorithm>
#include <memory>
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
  // `most_memory`: bytes that a pass may hold before it works from checkpoints; `drops`: is there dropout?
  Trainer(Network<Real>& network, Loss of, bool drops, Index most_memory, int n_threads)
      : loss(of), dropping(drops), network_(network), memory_(most_memory), n_threads_(n_threads) {
    slice(0);
  }

  // Begins with the minibatch that `batch` holds, whose sequences are gone through in chunks of `most` steps.
  // `carries`: their last states are wanted.
  void begin(Index most, bool carries);
  // Loss and gradient out [P] of the chunk that begins at t0, l2 included; `value`: the loss of the update.
  // Without an answer the states alone go forward.
  Outcome chunk_gradient(const Minibatches<Real>& from, const Dropout* dropout, Index t0, Real* out,
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
  Index rows_of(Index s) const { return std::min(slice_rows, batch.size() - s * slice_rows); }
  void share_out_memory(Index T);
  void hold(const std::vector<Index>& bytes);
  double add_l2(double l2, Real* out, double value) const;
  // Each false: interrupted. begin_slice(slice): before its first step.
  template <class F> bool whole(Task<Real> task, Index work, F begin_slice);
  template <class F> bool in_slices(const Task<Real>& task, Index t0, Index work, F begin_slice);

  Network<Real>& network_;
  // As many as are at work at a time; all of a minibatch whose states are needed again.
  std::vector<std::unique_ptr<Slice<Real>>> slices_;
  Index count_ = 1, most_ = 0;  // slices of the minibatch, steps of a chunk
  bool kept_ = false;           // has each slice memory of its own?
  Chunk outline_;               // of the chunk, where there are several slices
  Weights<Real> weights_;
  Rows<Real> rows_;
  Buffer<Real> shares_;        // [slices at a time, P] gradients of theirs
  Index memory_;               // bytes
  std::vector<Index> limits_;  // bytes that each slice may hold
  std::vector<Index> held_;    // bytes that each of slices_ may have grown to, once there were several
  int n_threads_;
  int at_work_ = 1;  // threads that may have a slice each
};

// Of all sequences as one minibatch: the loss, and its gradient [P].
template <class Real>
Outcome loss_and_gradient(Network<Real>& network, const Data& data, const Answers<Real>& answers,
                          const Objective& objective, const std::vector<const Real*>& initial,
                          const Dropout* dropout, Index memory, Real* gradient, double& value,
                          Interrupt& interrupt, int n_threads);

}  // namespace elman
