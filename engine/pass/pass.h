// One pass of a chunk of a minibatch through a network: forward through time, backward through time.
//
// N are the rows of steps of the chunk, B its rows of the minibatch. What is per step stands at row
// chunk.row(t, b), what is per sequence at row b.
#pragma once

#include <vector>

#include "core/batch.h"
#include "core/dropout.h"
#include "core/memory.h"
#include "core/spec.h"
#include "pass/weights.h"
#include "runtime/dispatch.h"
#include "runtime/interrupt.h"

namespace elman {

// Bytes that a pass with its gradient holds over B rows of at most T steps, N in all: at once, or as few as
// checkpoints allow, with stretches of `rows` rows of steps. Both grow with each of B, T and N.
struct Need {
  Index step;       // of a row of a step
  Index row;        // of a row of the minibatch
  Index start;      // of what is kept of such a row before a stretch
  Index later;      // of what such a row needs more in a stretch
  Index block;      // rows of a block of the weight gradients
  bool whole_rows;  // can rows not be cut in time?

  Index whole(Index B, Index T, Index N) const;
  Index rows(Index B, Index N) const;
  Index least(Index B, Index T, Index N, Index slices = 1) const;  // in slices with stretches of their own
};

// What one step of one row left in one operation.
template <class Real> struct Footprint {
  const Real* in;              // [in] its input; of a lookup [1], what the kernel's row is multiplied by
  const Real* before;          // [states H] the states before it
  const Real* after;           // [states H] or [out] the states after it, its output
  const Real* kept;            // [kept H] what its cell kept
  const int* index = nullptr;  // of a lookup: the integer
};

// What a forward pass is for: states and outputs; a loss of them; its gradient.
enum class Use { states, loss, gradient };

// Some of the operations of a network, or of the blocks of steps of a chunk: first .. end.
struct Span {
  std::size_t first, end;
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
  // Keeps the last states for the next chunk.
  void end_rows(Index b0, Index b1);
  // Those states by sequence, [n, state size] a recurrent layer; or empty.
  void store_rows(const std::vector<Real*>& out) const { store_states(&Part::carry, out); }
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
  // As many blocks as have so many rows of steps, but at least one.
  Span blocks_before(std::size_t end, Index rows) const;

  // Checkpoints (checkpoints.cpp): a chunk is gone through in stretches of steps, and again from the last to
  // the first, each from what was kept before it.
  Need need(bool dropping, bool fused);                      // what passes hold; before there is a batch
  void reserve_starts(const std::vector<Index>& rows);       // of each stretch
  void keep_start(std::size_t stretch, Index b0, Index b1);  // going forward, before it
  void repeat(std::size_t stretch);                          // what follows is its second time
  void repeat_none();                                        // no longer so
  void above_steps(
      const Chunk& chunk);              // what follows is of the operations without a time axis, for all rows
  void take_later(Index b0, Index b1);  // before going back: dz of the step after the stretch
  void keep_first(Index b0, Index b1);  // after it: dz of its first step, for the stretch before

  // Rows of what an operation gives, `ld` apart.
  Real* outputs(std::size_t op) { return outputs(parts_[op]); }
  Real* cotangents(std::size_t op) { return parts_[op].cotangent.data(); }
  Index ld(std::size_t op) const { return parts_[op].ld; }
  const Real* input_cotangents() const { return input_cotangent_.data(); }  // [N, F], rows input_ld() apart
  Index input_ld() const { return input_ld_; }
  // The cotangents of the states before the first step, by sequence, [n, state size] a recurrent layer; of a
  // tape.
  void initial_cotangents(const std::vector<Real*>& out) const { store_states(&Part::initial, out); }
  // The row of step t of row b, counted from the row's end if reversed.
  Index row_of(Index b, Index t, bool reverse) const {
    return chunk_->row(reverse ? chunk_->length(*batch_, b) - 1 - t : t, b);
  }
  Footprint<Real> footprint(std::size_t op, Index b, Index t);
  Index batch_rows() const { return batch_->size(); }
  Index rows_of_steps() const { return chunk_->N; }
  // Calls f(first row of op-sized buffers, first batch row, rows, step) for the rows b0 .. b1 of something
  // per step or per sequence.
  template <class F> void over_rows(bool steps, Index b0, Index b1, F f) const {
    if (steps) return over_rows_of_steps(b0, b1, 0, chunk_->T, f);
    const Index end = b1 < chunk_->B ? b1 : chunk_->B;
    if (end > b0) f(b0, b0, end - b0, Index(0));
  }
  template <class F> void over_rows_of_steps(Index b0, Index b1, Index t0, Index t1, F f) const {
    for (Index t = t0; t < t1; ++t) {
      const Index alive = chunk_->alive(t), end = b1 < alive ? b1 : alive;
      if (end <= b0) break;
      f(chunk_->row(t, b0), b0, end - b0, t);
    }
  }

 private:
  // What the pass has for one operation. Buffers that it does not need stay empty.
  struct Part {
    Part(const Operation& operation, bool is_last);
    const Operation& op;
    bool last;               // does it give the network's output?
    Index ld;                // from row to row of values
    Index stride;            // from state to state within a row
    Index ldk;               // from row to row of what a cell keeps; 0: it keeps nothing
    Index most_rows;         // rows of one step between two looks at the interrupt
    Buffer<Real> value;      // [N, ld] outputs; of a recurrence [B + N, ld] states; per sequence [B, ld]
    Buffer<Real> cotangent;  // [N, ld] of the outputs; [B, ld] per sequence or of each row's last alone
    Buffer<Real> carry;      // [B, ld] the states before the chunk
    Buffer<Real> initial;    // [B, ld] the cotangents of the states before the first step, of a tape
    Buffer<Real> total;      // [B, ld] of a pool: the sum or maximum until now
    Buffer<Real> kept;       // [N, ldk] what a cell keeps for the way back
    Buffer<Real> dz;         // [N, ldk] the cotangents of a cell's sums, of a tape; otherwise in `kept`
    Buffer<Real> handed;     // [B, ld] what a step hands to the one before it, beside dz
    Buffer<Real> own;        // [N, own_ld] its own input: reversed or masked
    Buffer<int> own_index;   // [N] the same of integers
    Buffer<Real> d_own;      // [N, padded in] the cotangent of it
    Buffer<Real> mask_in;    // [B, padded in] the masks of the rows
    Buffer<Real> mask_h;     // [B, ld]
    Buffer<Real> masked;     // [B + N, ld] the states times their mask
    Buffer<Real> starts;     // [rows of all stretches, ld] what is kept before each stretch
    Buffer<Real> later;      // [B, sums_ld] dz of the step after the stretch at hand
  };
  // Numbers in the buffers of one operation.
  struct Sizes {
    Index value, cotangent, kept, handed, dz, initial, own, d_own, masked;  // of a chunk
    Index carry, mask_in, mask_h, total;                                    // of a batch
    Index sum() const {
      return value + cotangent + kept + handed + dz + initial + own + d_own + masked + carry + mask_in +
             mask_h + total;
    }
  };
  // Rows that an operation reads, `ld` apart. Of integers: data [., 1] is what each is multiplied by.
  struct Input {
    const Real* data;
    Index ld;
    const int* index;
  };

  Span all() const { return {0, parts_.size()}; }
  // Buffers (pass.cpp). Sizes are for B rows of a minibatch and N of steps.
  Sizes sizes(const Part& part, Index B, Index N, Use use, bool fused, bool tape) const;
  void add_recurrent_sizes(Sizes& n, const Part& part, Index B, Index rows, bool backward, bool tape) const;
  void prepare_input(const Data& data);
  void reserve_steps();
  void cut_blocks();

  // States and masks (inputs.cpp).
  void begin_row(Part& part, const Real* initial, Index b);
  void draw_masks(Part& part, const Dropout& dropout, Index b);
  void store_states(Buffer<Real> Part::*states, const std::vector<Real*>& out) const;
  // The row of the state before step t of row b, in a buffer of states.
  Index state_row(Index t, Index b) const { return t ? chunk_->B + chunk_->row(t - 1, b) : b; }

  // What operations read (inputs.cpp): what the operation below gives, or an own copy, reversed or masked.
  bool own_input(const Part& part) const { return part.op.reverse || masked_input(part); }
  bool masked_input(const Part& part) const { return dropping_ && part.op.dropout > 0; }
  bool masked_states(const Part& part) const { return dropping_ && part.op.recurrent_dropout > 0; }
  Index own_ld(const Part& part) const;
  Input source_of(const Part& part);
  Input input_of(const Part& part);
  const Real* input_mask(const Part& part, Index b) const;
  void copy_input(Part& part, Index b0, Index b1);
  // The cotangent of an own input, to where that of what it was made of is: below [., ld].
  void give_back_input(const Part& part, Real* below, Index ld, Index b0, Index b1, Index t0, Index t1);

  // What operations give.
  Part& part_below(const Part& part) { return parts_[to_size(part.op.input)]; }
  Real* outputs(Part& part) {
    return part.value.data() + (part.op.type == Operation::Type::recurrent ? chunk_->B * part.ld : 0);
  }
  // The cotangents of the sums before the activations, [., sums_ld]: where those of the outputs are, or of
  // their own.
  Real* sums_cotangents(Part& part) {
    if (!part.ldk) return part.cotangent.data();
    return tape_ ? part.dz.data() : part.kept.data();
  }
  Index sums_ld(const Part& part) const { return part.ldk ? part.ldk : part.ld; }
  // Where a cell's sums have cotangents of their own, those of its h are few if each row's last is used
  // alone.
  bool cotangents_by_row(const Part& part) const { return part.op.last_alone && part.ldk; }
  Index cotangent_row(const Part& part, Index b, Index t, bool reverse) const {
    return cotangents_by_row(part) ? b : row_of(b, t, reverse);
  }

  // The walk (walk.cpp). Each bool false: interrupted.
  RecurrentForward<Real> forward_arguments(Part& part, const Matrices<Real>& matrices,
                                           const Weights<Real>& weights);
  RecurrentBackward<Real> backward_arguments(Part& part, const Matrices<Real>& matrices);
  bool recurrent_forward(Part& part, const Matrices<Real>& matrices, const Weights<Real>& weights, Index b0,
                         Index b1, Interrupt* interrupt);
  bool dense_forward(Part& part, const Matrices<Real>& matrices, const Weights<Real>& weights, Index b0,
                     Index b1, Interrupt* interrupt);
  bool recurrent_backward(Part& part, const Matrices<Real>& matrices, Index b0, Index b1, Index t0, Index t1,
                          Interrupt* interrupt);
  void activation_backward(Part& part, Index b0, Index b1, Index t0, Index t1);
  bool input_backward(Part& part, const Matrices<Real>& matrices, Index b0, Index b1, Index t0, Index t1,
                      Interrupt* interrupt);
  // Calls f(first row, rows) with at most part.most_rows at once.
  template <class F>
  bool over_pieces(const Part& part, Index b0, Index b1, Index t0, Index t1, Interrupt* interrupt, F f) const;

  // Operations without weights (pools.cpp).
  void pool_forward(Part& part, Index b0, Index b1);
  void add_to_pool(Part& part, Index b0, Index b1);
  void pool_backward(Part& part, Index b0, Index b1);
  void last_backward(const Part& part, Index b);
  void mean_backward(const Part& part, Index b, Real* scratch);
  void max_backward(const Part& part, Index b, Real* scratch);
  void join_forward(Part& part, Index b0, Index b1);
  void join_backward(Part& part, Index b0, Index b1);

  // Weight gradients (gradients.cpp).
  struct Summand;
  struct Shares;
  Summand summand(const Part& part, std::size_t block) const;
  bool add_gradients(Part& part, const Summand& rows, Real* gradient, const Shares& shares, Interrupt*);
  void add_recurrent_gradient(Part& part, const Summand& rows, Real* gradient, Index i0, Index i1);
  void add_kernel_gradient(Part& part, const Summand& rows, Real* gradient, Index i0, Index i1);
  void add_lookup_gradient(Part& part, const Summand& rows, Real* gradient);
  void add_bias_gradients(Part& part, const Summand& rows, Real* gradient);

  // Checkpoints.
  bool keeps_start(const Part& part) const;
  const Real* start_of(const Part& part) const;  // [B, ld] the states before the first step

  const Spec& spec_;
  const KernelTable<Real>& kernels_;
  const Batch* batch_ = nullptr;
  const Chunk* chunk_ = nullptr;
  Use use_ = Use::states;
  bool fused_ = false, tape_ = false, dropping_ = false;
  Index stamp_ = 0;           // of the chunk that the buffers are for
  Index reserved_rows_ = -1;  // of the batch
  std::vector<Part> parts_;   // one an operation

  const Real* input_ = nullptr;  // [N, F]: x_, or where the caller has it
  Buffer<Real> x_;
  Buffer<int> index_;  // [N] of integers
  Buffer<Real> input_cotangent_;
  Index input_ld_ = 0;

  std::vector<Segment> segments_;
  std::vector<Index> block_start_, block_step_;  // the first segment and step of each block, then their ends
  std::vector<Segment> sorted_;                  // of a lookup's gradient, which is one thread's

  std::vector<Index> start_row_;  // of each stretch in the parts' `starts`
  std::size_t stretch_ = 0;       // the one that is gone through again,
  bool repeated_ = false;         // if one is
};

}  // namespace elman
