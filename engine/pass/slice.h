// Rows of a minibatch that go through it together, and their gradient.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "pass/network.h"
#include "runtime/threads.h"

namespace elman {

struct Sums {
  double v[5] = {0, 0, 0, 0, 0};
};  // weighted loss, weight, metric 1, metric 2, metric weight

struct Objective {
  Loss loss;
  bool mean;  // divide by the answers (their weight) of an update?
  double l2;
  const double* weights;  // [n] or null
};

// Threads that are worth waking for so many multiply-adds.
int threads_for(Index work, int n_threads);

// Is the last activation part of this loss?
bool fused(const Spec& spec, Loss loss);

// The loss's view of a minibatch's rows: which target each has, and what its gradient is multiplied by.
template <class Real> struct Rows {
  std::vector<Index> first;    // [B]
  std::vector<Real> scale;     // [B]
  std::vector<double> weight;  // [B]
  std::vector<double> sums;    // [B, 5]
  double total = 0;            // weight of the answers

  void prepare(const Spec& spec, const Data& data, const Answers<Real>& answers, const Objective& objective,
               const Batch& batch, const Chunk& chunk);
  void move_to(const Data& data, const Batch& batch, const Chunk& stretch,
               Index first_row);  // answers per step: to those of a part of the chunk
  // Loss of rows b0 .. b1 of a pass, whose first is the batch's `first_row`, on what the last operation gave;
  // `gradient`: its cotangent too.
  void run(Pass<Real>& pass, const Spec& spec, const Answers<Real>& answers, Loss loss, Index first_row,
           Index b0, Index b1, bool gradient);
  std::vector<double> sums_of(Index first_row, Index n) const {
    return {sums.begin() + 5 * first_row, sums.begin() + 5 * (first_row + n)};
  }
  void set_sums(Index first_row, const std::vector<double>& from) {
    std::copy(from.begin(), from.end(), sums.begin() + 5 * first_row);
  }
  void add_to(Sums& sums) const;
};

enum class Outcome { updated, nothing, diverged, stopped };

// The gradient of a slice's chunk, and how it is shared out.
template <class Real> struct Task {
  const Data& data;
  const Answers<Real>& answers;
  Loss loss;
  bool learn;  // is there an answer?
  const Weights<Real>& weights;
  Rows<Real>& rows;
  int row_parts, threads;
  Real* gradient;  // [P] out
  Interrupt* interrupt;
};

// Slices of a minibatch of B rows, the longest of T steps, where `bytes` is the size of a number: one, or one
// for each eight rows. What eight rows of many steps leave for the way back stays in the cache of a core, if
// the weights leave it room. Sizes alone decide, so that threads change no bit.
constexpr Index slice_rows = 8;
constexpr Index slices_between_sums = 8;  // for each thread
Index slices_of(const Spec& spec, Index B, Index T, Index bytes);

// Bytes that the gradient of a minibatch of B rows with N steps in all, the longest of T, holds: at once on
// so many threads, and as few as checkpoints allow.
std::pair<Index, Index> bytes_needed(const Spec& spec, const Need& need, Index B, Index T, Index N,
                                     Index bytes, int n_threads);

// All rows of a minibatch, or eight of many: the memory that going through them takes, for one slice after
// the other.
template <class Real> class Slice {
 public:
  Slice(const Spec& spec, Loss loss, bool dropping)
      : spec_(spec),
        fused_(fused(spec, loss)),
        dropping_(dropping),
        pass_(spec),
        need_(pass_.need(dropping, fused_)) {}

  void take(const Batch& batch);                            // all of it, which must live as long
  void take(const Batch& batch, Index first_row, Index n);  // n of its rows
  // To the steps t0 .. t0 + most; from checkpoints where more than `memory` bytes would be held.
  void cut(Index t0, Index most, Index memory);
  // The states before the first step, [n, state size] by sequence, or empty: zeros; and the masks, if there
  // is dropout.
  void begin(const std::vector<const Real*>& initial, const Dropout* dropout);
  // The states after the chunk, by sequence; or empty.
  void store(const std::vector<Real*>& out) const { pass_.store_rows(out); }
  // The losses go to task.rows, the gradient to task.gradient; without an answer the states alone go forward.
  // false: interrupted.
  bool gradient(const Task<Real>& task) { return begins_.empty() ? at_once(task) : in_stretches(task); }

  const Batch& batch() const { return *batch_; }
  const Chunk& chunk() const { return chunk_; }
  const Need& need() const { return need_; }
  Index stretches() const { return begins_.empty() ? 1 : static_cast<Index>(begins_.size()) - 1; }

 private:
  bool at_once(const Task<Real>& task);
  bool in_stretches(const Task<Real>& task);  // checkpoints.cpp

  // Each false: interrupted.
  template <class F> bool over_rows(const Task<Real>& task, F work) {
    std::atomic<bool> whole{true};
    parallel(
        task.row_parts,
        [&](int part) {
          const Index b0 = bounds_[static_cast<std::size_t>(part)],
                      b1 = bounds_[static_cast<std::size_t>(part) + 1];
          if (b1 > b0 && !work(b0, b1)) whole.store(false);
        },
        task.interrupt);
    return whole.load();
  }
  bool over_gradients(const Task<Real>& task, Span operations) {
    return over_gradients(task, operations, pass_.blocks());
  }
  bool over_gradients(const Task<Real>& task, Span operations, Span blocks) {
    std::atomic<bool> whole{true};
    parallel(
        task.threads,
        [&](int part) {
          if (!pass_.weight_gradients(task.gradient, part, task.threads, task.interrupt, operations, blocks))
            whole.store(false);
        },
        task.interrupt);
    return whole.load();
  }

  const Spec& spec_;
  const bool fused_, dropping_;
  Batch own_;  // the rows, where they are not all
  const Batch* batch_ = nullptr;
  Index first_row_ = 0;
  Chunk chunk_;
  Pass<Real> pass_;
  Need need_;
  std::vector<Index> bounds_;
  Chunk stretch_;                             // with checkpoints: the steps at hand,
  std::vector<Index> begins_, stretch_rows_;  // where each stretch begins in the chunk, then its end, and its
                                              // rows; empty: there are none
  Index cut_shape_ = -1, cut_most_ = -1, cut_memory_ = -1;
};

}  // namespace elman
