// Learning while the sequence goes on: one step of one row, the gradient of that step's loss, and what both
// remember.
#pragma once

#include <memory>

#include "pass/loss.h"
#include "pass/network.h"
#include "second/tangents.h"

namespace elman {

// bptt: a step's loss goes back through the last k steps, with the states and gates that were met there.
// rtrl: tangents of all states are carried along, and nothing goes back.
enum class OnlineRule : int { bptt = 0, rtrl = 1 };

template <class Real> class Online {
 public:
  Online(const Network<Real>& network, OnlineRule rule, Index truncation);
  Online(const Online&) = delete;
  Online& operator=(const Online&) = delete;

  // x [F] -> y [C], the answer to all steps until now, with the weights as they are at this moment.
  void step(const Real* x, Real* y);
  void step(int x, Real* y);  // of an integer below spec().symbols
  // The gradient [P] of the last step's loss at the same weights, and the loss; false: no answer. `answer`:
  // of one row.
  bool gradient(const Answers<Real>& answer, Loss loss, Real* gradient, double& value);
  void reset();

  // The states now, of the recurrent operation `op`: [states H]. What is set is a number: nothing before it
  // is remembered.
  void get_states(std::size_t op, Real* out) const;
  void set_states(std::size_t op, const Real* given);
  void forget();

  // What must be kept for the same bits onward: steps [0, k) that can be gone back through, and the numbers
  // for them.
  Index remembered() const { return rule_ == OnlineRule::rtrl ? 0 : at_ < k_ - 1 ? at_ : k_ - 1; }
  Index memory_size(Index steps) const;
  void save(Real* out) const;
  bool readable(Index steps, const Real* from) const;  // are the integers in there below spec().symbols?
  void load(Index steps, const Real* from);

  const Spec& spec() const { return network_.spec; }

 private:
  // Of one operation. Of steps there is room for `room_`; values have one row more, the state before the
  // first.
  struct Part {
    const Operation& op;
    Index ld, stride;     // from row to row of values, from state to state within a row
    Index ldk;            // from row to row of what a cell keeps; 0: it keeps nothing
    Buffer<Real> value;   // [1 + steps, ld] states, or outputs
    Buffer<Real> kept;    // [steps, ldk]
    Buffer<Real> d;       // [steps or 1, ld] cotangents of the outputs
    Buffer<Real> dz;      // [steps, ldk] cotangents of a cell's sums, where it keeps something
    Buffer<Real> handed;  // [1, stride] what a step hands to the one before it
    bool recurrent() const { return op.type == Operation::Type::recurrent; }
    const Real* states(Index step) const { return value.data() + step * ld; }  // before a step
    Real* output(Index step) const { return value.data() + (step + 1) * ld; }
    Real* kept_at(Index step) const { return ldk ? kept.data() + step * ldk : nullptr; }
    // The cotangents of the sums before the activations.
    Real* sums_cotangents() const { return ldk ? dz.data() : d.data(); }
    Index sums_ld() const { return ldk ? ldk : ld; }
  };
  // The input of a step; of an operation over integers data is what the kernel's row is multiplied by.
  struct Input {
    const Real* data;
    Index ld;
    const int* index;
  };
  Input input(std::size_t op, Index step) const;

  // Going forward (online.cpp).
  void make_room();
  void move(Index first, Index count, Index room);  // keeps so many steps from `first` on
  void advance(Real* y);
  void recurrent_forward(std::size_t op, Index t);
  void dense_forward(std::size_t op, Index t);
  void dense_one_row(std::size_t op, Index t, Activation f, Real* y);
  void advance_tangents(Index t);

  // Going back (online_gradient.cpp): the gradient of the last step, through so many steps.
  Real* cotangent(std::size_t op, Index steps);
  double loss_of_step(const Answers<Real>& answer, Loss loss, Real* d);
  void back_to_recurrence(bool sums, Index steps, Real* gradient);
  void gradient_of_tangents(std::size_t op, Real* gradient);
  void back_through_time(std::size_t op, Index steps, Real* gradient);
  void recurrent_backward(std::size_t op, Index steps, bool every_step);
  void input_backward(std::size_t op, Index steps, Real* below);
  void weight_gradients(std::size_t op, Index steps, Real* gradient);
  void recurrent_gradients(const Part& part, Index steps, Real* gradient);

  const Network<Real>& network_;
  const KernelTable<Real>& kernels_;
  const OnlineRule rule_;
  const Index k_;
  std::size_t above_ = 0;               // the first operation above all recurrent ones
  Index room_ = 0, at_ = 0;             // steps that the buffers hold, and that are there
  Index count_ = 0;                     // steps of the tangents
  Buffer<Real> x_;                      // [steps, F]; of integers: ones
  Buffer<int> index_;                   // [steps] of integers
  std::vector<Part> parts_;             // one an operation
  std::vector<Index> active_, offset_;  // of the steps that are gone back through, as Steps has them
  std::vector<Segment> sorted_;         // scratch of a lookup's gradient
  Buffer<Real> product_;                // [columns] scratch of the tangents' gradient
  Weights<Real> weights_;
  std::unique_ptr<Tangents<Real>> tangents_;
  typename Tangents<Real>::Scratch scratch_;
};

}  // namespace elman
