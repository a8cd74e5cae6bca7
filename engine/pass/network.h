// A network's parameters, and one pass of a chunk of a minibatch through it: forward through time, backward
// through time.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "core/batch.h"
#include "core/dropout.h"
#include "core/spec.h"
#include "runtime/dispatch.h"

namespace elman {

// Asked between blocks of steps whether to stop. `poll` is called on the calling thread alone, at most every
// tenth of a second.
struct Interrupt {
  bool (*poll)(void*) = nullptr;
  void* context = nullptr;
  std::atomic<bool> stop{false};
  long long next = 0;  // time of the next poll, in steady-clock nanoseconds

  const std::thread::id caller = std::this_thread::get_id();

  bool check();  // true: stop
};

// Weights as the products of a minibatch read them: as they lie, or packed into panels.
template <class Real> class Weights {
 public:
  // Packs what pays for B rows a thread; the transposes only for a backward pass (and of the first kernel
  // where input gradients are wanted).
  void prepare(const Spec& spec, const Real* parameters, Index rows, bool backward, bool inputs, int threads);

  const Real* parameters() const { return parameters_; }
  const Real* bias(const Operation& op) const { return op.bias < 0 ? nullptr : parameters_ + op.bias; }
  const Real* recurrent_bias(const Operation& op) const {
    return op.recurrent_bias < 0 ? nullptr : parameters_ + op.recurrent_bias;
  }
  std::vector<Matrix<Real>> kernel, recurrent, kernel_transposed, recurrent_transposed;  // one an operation

 private:
  struct Job {
    Real* out;
    const Real* src;
    Index K, N, gates, panel;
    bool transposed;
  };
  const Real* parameters_ = nullptr;
  std::vector<Buffer<Real>> store_;
  std::vector<Job> jobs_;
};

// A kernel [K, G N] as it lies among the parameters.
template <class Real> Matrix<Real> matrix_as_is(const Real* data, Index N, Index gates) {
  return {data, gates * N, N, N};
}

// From one state of a row to the next, in a buffer of states: whole lines.
template <class Real> Index state_stride(const Operation& op) {
  constexpr Index lanes = 64 / static_cast<Index>(sizeof(Real));
  return (op.out + lanes - 1) / lanes * lanes;
}

// Bytes that a pass with its gradient holds over B rows of at most T steps, N in all: at once, or as few as
// checkpoints allow, with stretches of `rows` rows of steps. Both grow with each of B, T and N.
struct Need {
  Index step, row;     // bytes of a row of a step, of a row of the minibatch
  Index start, later;  // of what is kept of such a row before a stretch; of what it needs more
  Index block;         // rows of a block of the weight gradients
  bool whole_rows;     // can rows not be cut in time?

  Index whole(Index B, Index T, Index N) const;
  Index rows(Index B, Index N) const;
  Index least(Index B, Index T, Index N, Index slices = 1) const;  // in slices each with stretches of its own
};

// What one step of one row left in one operation: its input, its states before and after it (its output),
// what its cell kept. Of a lookup, index is the integer and in its factor.
template <class Real> struct Footprint {
  const Real *in, *before, *after, *kept;
  const int* index = nullptr;
};

// What a forward pass is for: states and outputs; a loss of them; its gradient.
enum class Use { states, loss, gradient };

// Some of the operations of a network, or of the blocks of steps of a chunk, first .. end.
struct Span {
  std::size_t first, end;
};

// Numbers in the buffers that a pass has for one operation.
struct Sizes {
  Index value, cotangent, kept, handed, dz, initial, own, d_own, masked, carry, mask_in, mask_h, total;
};

template <class Real> class Pass {
 public:
  explicit Pass(const Spec& spec);

  // Room for the states (and, when dropping, the masks) of a batch's rows; once a batch, before begin_rows.
  void reserve_rows(const Batch& batch, bool dropping);
  // Buffers for the steps of `chunk`. `fused`: the last activation is left to the loss, and its sums are
  // written straight to the cotangent buffer. `tape`: with the cotangents of the inputs, and so that there
  // can be several backward passes.
  void prepare(const Data& data, const Batch& batch, const Chunk& chunk, Use use, bool fused, bool tape);

  // The phases, each for the rows b0 .. b1 of the batch; false: interrupted.
  // The inputs of the chunk, time-major.
  void gather(const Data& data, Index b0, Index b1);
  // The states before the first step, [n, state size] by sequence, or empty: zeros; and the masks, if there
  // is dropout. Once a batch.
  void begin_rows(const std::vector<const Real*>& initial, const Dropout* dropout, Index b0, Index b1);
  bool forward(const Weights<Real>& weights, Index b0, Index b1, Interrupt* interrupt) {
    return forward(weights, b0, b1, interrupt, all());
  }
  bool forward(const Weights<Real>& weights, Index b0, Index b1, Interrupt* interrupt, Span operations);
  void end_rows(Index b0, Index b1);  // keeps the last states for the next chunk
  // Those states by sequence, [n, state size] a recurrent layer; or empty.
  void store_rows(const std::vector<Real*>& out) const { store_rows(carry_, out); }
  bool backward(const Weights<Real>& weights, Index b0, Index b1, Interrupt* interrupt) {
    return backward(weights, b0, b1, interrupt, all());
  }
  bool backward(const Weights<Real>& weights, Index b0, Index b1, Interrupt* interrupt, Span operations) {
    return backward(weights, b0, b1, interrupt, operations, blocks());
  }
  bool backward(const Weights<Real>& weights, Index b0, Index b1, Interrupt* interrupt, Span operations,
                Span blocks);
  // The part `part` of `parts` of every weight gradient, added to gradient [P].
  bool weight_gradients(Real* gradient, int part, int parts, Interrupt* interrupt) {
    return weight_gradients(gradient, part, parts, interrupt, all());
  }
  bool weight_gradients(Real* gradient, int part, int parts, Interrupt* interrupt, Span operations) {
    return weight_gradients(gradient, part, parts, interrupt, operations, blocks());
  }
  bool weight_gradients(Real* gradient, int part, int parts, Interrupt* interrupt, Span operations,
                        Span blocks);
  // Blocks of steps: the summands of a weight gradient. Both phases above can be had of some of them, if the
  // last come first and operations without a time axis (and the pool under them) are not among these.
  Span blocks() const { return {0, block_start_.size() - 1}; }
  Span blocks_before(std::size_t end,
                     Index rows) const;  // as many as have that many rows of steps, but at least one

  // Checkpoints (checkpoints.cpp): a chunk is gone through in stretches of steps, and again from the last to
  // the first, each from what was kept before it.
  Need need(bool dropping, bool fused);                      // what passes hold; before there is a batch
  void reserve_starts(const std::vector<Index>& rows);       // of each stretch
  void keep_start(std::size_t stretch, Index b0, Index b1);  // going forward, before it
  void repeat(std::size_t stretch);                          // what follows is its second time
  void repeat_none();                                        // no longer so
  void above_steps(const Chunk& chunk);  // what follows is of the operations without a time axis, for all
                                         // rows of the chunk
  void take_later(Index b0, Index b1);   // before going back: dz of the step after the stretch
  void keep_first(Index b0, Index b1);   // after it: dz of its first step, for the stretch before

  // Rows of what an operation gives: per step at row offset[t] + b of the chunk, per sequence at row b.
  Real* outputs(std::size_t op) {
    return value_[op].data() +
           (spec_.operations[op].type == Operation::Type::recurrent ? chunk_->B * ld_[op] : 0);
  }
  Real* cotangents(std::size_t op) { return cotangent_[op].data(); }
  Real* input_cotangents() { return input_cotangent_.data(); }
  // The cotangents of the states before the first step, by sequence, [n, state size] a recurrent layer; of a
  // tape.
  void initial_cotangents(const std::vector<Real*>& out) const { store_rows(initial_, out); }
  Index row_of(Index b, Index t, bool reverse) const {  // of the chunk: step t of row b, counted from its end
    return chunk_->offset[static_cast<std::size_t>(reverse ? chunk_->length(*batch_, b) - 1 - t : t)] + b;
  }
  Footprint<Real> footprint(std::size_t op, Index b, Index t) {
    const bool recurrent = spec_.operations[op].type == Operation::Type::recurrent,
               steps = spec_.operations[op].steps_out;
    const std::size_t s = static_cast<std::size_t>(t);
    const Index row = chunk_->offset[s] + b;
    const Input in = input_of(op);
    const Real* before =
        recurrent ? value_[op].data() + (t ? chunk_->B + chunk_->offset[s - 1] + b : b) * ld_[op] : nullptr;
    return {in.data + (spec_.operations[op].steps_in ? row : b) * in.ld, before,
            outputs(op) + (steps ? row : b) * ld_[op], ldk_[op] ? kept_[op].data() + row * ldk_[op] : nullptr,
            in.index ? in.index + row : nullptr};
  }
  Index ld(std::size_t op) const { return ld_[op]; }
  Index input_ld() const { return input_ld_; }
  Index batch_rows() const { return batch_->size(); }
  Index rows_of_steps() const { return chunk_->N; }
  // Calls f(first row of op-sized buffers, first batch row, rows, step) for the rows b0 .. b1 of something
  // per step or per sequence.
  template <class F> void over_rows(bool steps, Index b0, Index b1, F f) const {
    if (!steps) {
      const Index end = b1 < chunk_->B ? b1 : chunk_->B;
      if (end > b0) f(b0, b0, end - b0, Index(0));
      return;
    }
    over_rows_of_steps(b0, b1, 0, chunk_->T, f);
  }
  template <class F> void over_rows_of_steps(Index b0, Index b1, Index t0, Index t1, F f) const {
    for (Index t = t0; t < t1; ++t) {
      const Index end =
          b1 < chunk_->active[static_cast<std::size_t>(t)] ? b1 : chunk_->active[static_cast<std::size_t>(t)];
      if (end <= b0) break;
      f(chunk_->offset[static_cast<std::size_t>(t)] + b0, b0, end - b0, t);
    }
  }

 private:
  struct Input {
    const Real* data;
    Index ld;
    const int* index;
  };  // of integers: data [., 1] is what each is multiplied by
  Input source_of(const Operation& op);  // what the operation below gives
  Input input_of(std::size_t op);        // what this one reads: the same, or its own copy, reversed or masked
  bool own_input(std::size_t op) const { return spec_.operations[op].reverse || masked_input(op); }
  bool masked_input(std::size_t op) const { return dropping_ && spec_.operations[op].dropout > 0; }
  bool masked_states(std::size_t op) const { return dropping_ && spec_.operations[op].recurrent_dropout > 0; }
  Index own_ld(std::size_t op) const;
  void copy_input(std::size_t op, Index b0, Index b1);
  void give_back_input(std::size_t op, Real* below, Index ld, Index b0, Index b1, Index t0, Index t1);
  void join_forward(std::size_t op, Index b0, Index b1);
  void join_backward(std::size_t op, Index b0, Index b1);
  void store_rows(const std::vector<Buffer<Real>>& from, const std::vector<Real*>& out) const;
  RecurrentForward<Real> forward_arguments(const Weights<Real>& weights, std::size_t op);
  RecurrentBackward<Real> backward_arguments(const Weights<Real>& weights, std::size_t op);
  // The cotangents of an operation's sums [., columns]: where those of its outputs are, or of their own.
  Real* sums_cotangents(std::size_t op) {
    return spec_.operations[op].type == Operation::Type::recurrent && ldk_[op]
               ? (tape_ ? dz_ : kept_)[op].data()
               : cotangent_[op].data();
  }
  // Where a cell's sums have cotangents of their own, those of its h are few if each row's last is used
  // alone.
  bool cotangents_by_row(std::size_t op) const { return spec_.operations[op].last_alone && ldk_[op]; }
  Index cotangent_row(std::size_t op, Index b, Index t, bool reverse) const {
    return cotangents_by_row(op) ? b : row_of(b, t, reverse);
  }
  Index sums_ld(std::size_t op) const { return ldk_[op] ? ldk_[op] : ld_[op]; }
  template <class F>
  void over_pieces(bool steps, Index most, Index b0, Index b1, Index t0, Index t1,
                   F f) const;  // f(first row, rows), at most `most` rows at once
  Span all() const { return {0, spec_.operations.size()}; }
  void reserve_steps();
  void cut_blocks();
  Sizes sizes(std::size_t op, Index B, Index N, Use use, bool fused,
              bool tape) const;  // for B rows of a minibatch and N of steps
  bool keeps_start(std::size_t op) const;
  const Real* start_of(std::size_t op) const;  // [B] the states before the first step
  void pool_forward(std::size_t op, Index b0, Index b1);
  void pool_backward(std::size_t op, Index b0, Index b1);

  const Spec& spec_;
  const KernelTable<Real>& kernels_;
  const Batch* batch_ = nullptr;
  const Chunk* chunk_ = nullptr;
  Use use_ = Use::states;
  bool fused_ = false, tape_ = false, dropping_ = false;
  Index stamp_ = 0, reserved_rows_ = -1;  // of the chunk that the buffers are for; rows of the batch
  Index input_ld_ = 0;
  std::vector<Index> ld_, stride_,
      ldk_;  // rows of values, states within a row, rows of what a cell keeps (0: nothing)
  std::vector<Index> most_rows_;  // rows of one step between two looks at the interrupt
  Buffer<Real> x_, input_cotangent_;
  Buffer<int> index_;  // [sum T] of integers
  const Real* input_ = nullptr;
  std::vector<Buffer<Real>> value_, cotangent_, carry_, total_, kept_, dz_, handed_, initial_;
  std::vector<Buffer<int>> own_index_;
  std::vector<Buffer<Real>> own_, d_own_, mask_in_, mask_h_,
      masked_;  // own inputs and their cotangents; the masks of the rows; states times them
  std::vector<Segment> segments_;
  std::vector<Segment> sorted_;  // of a lookup's gradient, which is one thread's
  std::vector<Index> block_start_,
      block_step_;  // of each block the first segment and the first step, then their ends
  std::vector<Buffer<Real>> starts_,
      later_;                     // what is kept before each stretch; dz of the step after the one at hand
  std::vector<Index> start_row_;  // of each stretch in `starts_`
  std::size_t stretch_ = 0;       // the one that is gone through again,
  bool repeated_ = false;         // if one is
};

// What a forward run holds beside its results.
template <class Real> struct Workspace {
  explicit Workspace(const Spec& spec) : pass(spec) {}
  Batch all, batch;
  Chunk chunk;
  Weights<Real> weights;
  Pass<Real> pass;
};

template <class Real> class Network {
 public:
  Network(Index input_size, std::vector<Layer> layers) : spec(input_size, std::move(layers)) {
    parameters.zeros(spec.parameter_count);
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network() { delete idle_.load(); }
  const Spec spec;
  Buffer<Real> parameters;  // [P]

  // A small run leaves its workspace to the next one, which would take as long to make it as for its own
  // work. Several threads may run at a time.
  std::unique_ptr<Workspace<Real>> workspace() const {
    std::unique_ptr<Workspace<Real>> idle(idle_.exchange(nullptr));
    return idle ? std::move(idle) : std::make_unique<Workspace<Real>>(spec);
  }
  void leave(std::unique_ptr<Workspace<Real>> used) const { delete idle_.exchange(used.release()); }

 private:
  mutable std::atomic<Workspace<Real>*> idle_{nullptr};
};

// Multiply-adds of one step of one row through all products.
Index work_per_step(const Spec& spec);

}  // namespace elman
