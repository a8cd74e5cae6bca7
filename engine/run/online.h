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
  // Of one operation, `room_` steps: values have one row more, the state before the first.
  struct Part {
    Index ld, stride, ldk;
    Buffer<Real> value, kept, d, dz;
    Buffer<Real> handed;
  };
  Real* output(std::size_t op, Index step) { return parts_[op].value.data() + (step + 1) * parts_[op].ld; }
  const Real* input(std::size_t op, Index step, Index& ld);
  const int* index(std::size_t op, Index step) const {
    return network_.spec.operations[op].lookup ? index_.data() + step : nullptr;
  }
  void advance(Real* y);
  void make_room();
  void move(Index first, Index count, Index room);  // keeps so many steps from `first` on
  void back_through_time(std::size_t op, Index steps, Real* gradient);
  void weight_gradients(std::size_t op, Index steps, Real* gradient);

  const Network<Real>& network_;
  const KernelTable<Real>& kernels_;
  const OnlineRule rule_;
  const Index k_;
  std::size_t above_ = 0;     // the first operation above all recurrent ones
  Index room_ = 0, at_ = 0;   // steps that the buffers hold, and that are there
  Index count_ = 0;           // steps of the tangents
  Buffer<Real> x_, product_;  // x of integers: ones
  Buffer<int> index_;
  std::vector<Segment> sorted_;
  std::vector<Part> parts_;
  std::vector<Index> active_, offset_;
  Weights<Real> weights_;
  std::unique_ptr<Tangents<Real>> tangents_;
  typename Tangents<Real>::Scratch scratch_;
};

}  // namespace elman
