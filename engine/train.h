// Minibatches: forward, loss, backward, clip, update.
#pragma once

#include <utility>
#include <vector>

#include "network.h"
#include "threads.h"

namespace elman {

struct Sums { double v[5] = {0, 0, 0, 0, 0}; };   // weighted loss, weight, metric 1, metric 2, metric weight

struct Objective {
  Loss loss;
  bool mean;                // divide by the answers (their weight) of an update?
  double l2;
  const double* weights;    // [n] or null
};

// Threads that are worth waking for so many multiply-adds.
int threads_for(Index work, int n_threads);

// Is the last activation part of this loss?
bool fused(const Spec& spec, Loss loss);

// The loss's view of a chunk's rows: which target each has, and what its gradient is multiplied by.
template <class Real> struct Rows {
  std::vector<Index> first;        // [B]
  std::vector<Real> scale;         // [B]
  std::vector<double> weight;      // [B]
  std::vector<double> sums;        // [B, 5]
  double total = 0;                // weight of the answers

  void prepare(const Spec& spec, const Data& data, const Answers<Real>& answers, const Objective& objective, const Batch& batch, const Chunk& chunk);
  void move_to(const Data& data, const Batch& batch, const Chunk& stretch);   // answers per step: to those of a part of the chunk
  // Loss of rows b0 .. b1 on what the last operation gave; `gradient`: its cotangent too.
  void run(Pass<Real>& pass, const Spec& spec, const Answers<Real>& answers, Loss loss, Index b0, Index b1, bool gradient);
  void add_to(Sums& sums) const;
};

enum class Outcome { updated, nothing, diverged, stopped };

// One chunk's gradient, and how it is shared out.
template <class Real> struct Task {
  const Data& data;
  const Answers<Real>& answers;
  Loss loss;
  bool learn;                      // is there an answer?
  int row_parts, threads;
  Real* gradient;
  Interrupt* interrupt;
};

// What minibatch after minibatch needs of memory; for one schedule after the other.
template <class Real> class Trainer {
 public:
  // `memory`: bytes that a pass may hold before it works from checkpoints; `dropping`: is there dropout?
  Trainer(Network<Real>& network, Loss loss, bool dropping, Index memory, int n_threads)
      : loss(loss), dropping(dropping), network_(network), pass_(network.spec), need_(pass_.need(dropping, fused(network.spec, loss))), memory_(memory), n_threads_(n_threads) {}

  // To the steps t0 .. t0 + most of the batch.
  void cut(Index t0, Index most);
  // Loss and gradient [P] of one chunk, l2 included; `value`: the loss of the update. Without an answer the states alone go forward.
  Outcome chunk_gradient(const Data& data, const Answers<Real>& answers, const Objective& objective, Real* gradient, Sums& sums, double& value, Interrupt* interrupt);

  const Loss loss;
  const bool dropping;
  Batch batch;
  Chunk chunk;
  Buffer<Real> gradient;      // [P] of a schedule
  Network<Real>& network() { return network_; }
  Pass<Real>& pass() { return pass_; }
  int n_threads() const { return n_threads_; }

 private:
  Outcome at_once(const Task<Real>& task, Sums& sums);
  Outcome in_stretches(const Task<Real>& task, Sums& sums);   // checkpoints.cpp
  std::size_t stretches() const { return begins_.empty() ? 1 : begins_.size() - 1; }

  // Each false: interrupted.
  template <class F> bool over_rows(const Task<Real>& task, F work) {
    std::atomic<bool> whole{true};
    parallel(task.row_parts, [&](int part) {
      const Index b0 = bounds_[static_cast<std::size_t>(part)], b1 = bounds_[static_cast<std::size_t>(part) + 1];
      if (b1 > b0 && !work(b0, b1)) whole.store(false);
    }, task.interrupt);
    return whole.load();
  }
  bool over_gradients(const Task<Real>& task, Span operations) {
    std::atomic<bool> whole{true};
    parallel(task.threads, [&](int part) {
      if (!pass_.weight_gradients(task.gradient, part, task.threads, task.interrupt, operations)) whole.store(false);
    }, task.interrupt);
    return whole.load();
  }

  Network<Real>& network_;
  Pass<Real> pass_;
  Need need_;
  Weights<Real> weights_;
  Rows<Real> rows_;
  std::vector<Index> bounds_;
  Chunk stretch_;                              // with checkpoints: the steps at hand,
  std::vector<Index> begins_, stretch_rows_;   // where each stretch begins in the chunk, then its end, and its rows; empty: there are none
  Index memory_, cut_shape_ = -1, cut_most_ = -1;
  int n_threads_;
};

template <class Real> struct Optimiser {
  UpdateRule rule;
  Real* m;                  // [P] or null
  Real* v;
  std::vector<std::pair<Index, Index>> trainable;
  double clip_norm;         // 0: none
  const Real* lower = nullptr;   // [P] what each parameter must lie between after every step, or null
  const Real* upper = nullptr;

  // One step with the gradient [P]; `step` counts from 1. false: the norm is not finite, nothing was changed. Where the bounds leave a parameter no room its gradient becomes 0.
  bool apply(Real* parameters, Real* gradient, double rate, Index step, int n_threads) const;
};

template <class Real> struct Schedule {
  const std::int64_t* order;     // [epochs, n]
  Index epochs, batch_size;
  const double* rates;
  Index n_rates;                 // 1: constant
  Index truncation;              // 0: none
  std::vector<Real*> carry;      // [n, state size] a recurrent layer, or empty
  std::vector<const Real*> initial;   // the same, with which each row begins in every epoch, where nothing is carried; or empty: zeros
  Dropout first;                 // where there is dropout: of the first epoch; each epoch has its own
  std::int64_t* progress;        // [4]
  double* sums;                  // [epochs, 5]
  Real* snapshot;                // [P]
  double seconds;
};

enum class Status { finished = 0, time_is_up = 1, diverged = 2, stopped = 3 };

template <class Real>
Status train(Trainer<Real>& trainer, const Data& data, const Answers<Real>& answers, const Objective& objective, const Optimiser<Real>& optimiser, const Schedule<Real>& schedule,
             Interrupt& interrupt);

}  // namespace elman
