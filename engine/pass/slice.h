// Rows of a minibatch that go through it together, and their gradient.
#pragma once

#include <utility>
#include <vector>

#include "pass/loss.h"
#include "pass/pass.h"
#include "runtime/threads.h"

namespace elman {

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
  // Each bool false: interrupted.
  bool at_once(const Task<Real>& task);
  bool piece_by_piece(const Task<Real>& task, Span steps, Index rows);
  void run_loss(const Task<Real>& task, Index b0, Index b1, bool gradient) {
    task.rows.run(pass_, spec_, task.answers, task.loss, first_row_, b0, b1, gradient);
  }
  // From checkpoints (stretches.cpp).
  void cut_stretches();
  bool in_stretches(const Task<Real>& task);
  void go_to_stretch(const Task<Real>& task, std::size_t k, Use use);
  bool stretches_forward(const Task<Real>& task, Span steps);
  bool above_stretches(const Task<Real>& task, Span above);
  bool stretches_backward(const Task<Real>& task, Span steps);

  template <class F> bool over_rows(const Task<Real>& task, F work) {
    std::atomic<bool> whole{true};
    parallel(
        task.row_parts,
        [&](int part) {
          const Index b0 = bounds_[to_size(part)], b1 = bounds_[to_size(part) + 1];
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
  Index cut_shape_ = -1, cut_most_ = -1, cut_memory_ = -1;  // what the chunk was cut for
  // With checkpoints: the steps at hand; where each stretch begins in the chunk, then its end; and its rows.
  // Without: empty.
  Chunk stretch_;
  std::vector<Index> begins_, stretch_rows_;
};

}  // namespace elman
