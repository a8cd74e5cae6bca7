// Whole calls without training: predict, states, evaluate, loss and gradient, and the tape of a recorded
// forward pass.
#pragma once

#include <mutex>

#include "train/train.h"

namespace elman {

// What a forward run over all sequences leaves behind; null where it is not wanted.
template <class Real> struct Wanted {
  Real* outputs = nullptr;    // [n or N, C]
  std::vector<Real*> states;  // [N, H] a recurrent layer
  const Answers<Real>* answers = nullptr;
  Loss loss = Loss::squared_error;
  const double* weights = nullptr;  // [n]
  Sums sums;
  std::vector<Real*> carry;          // [n, state size] a recurrent layer, read and overwritten
  std::vector<const Real*> initial;  // the same, read alone, where there is no carry; or empty: zeros
  const Dropout* dropout = nullptr;
};

// false: interrupted.
template <class Real>
bool run_forward(const Network<Real>& network, const Data& data, Wanted<Real>& wanted, Interrupt& interrupt,
                 int n_threads);

template <class Real>
Outcome loss_and_gradient(Network<Real>& network, const Data& data, const Answers<Real>& answers,
                          const Objective& objective, const std::vector<const Real*>& initial,
                          const Dropout* dropout, Index memory, Real* gradient, double& value,
                          Interrupt& interrupt, int n_threads);

template <class Real> class Tape {
 public:
  Tape(const Network<Real>& network, const Data& data);
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  bool record(const Data& data, const std::vector<const Real*>& initial, const Dropout* dropout,
              Interrupt& interrupt, int n_threads);
  void outputs(Real* out);
  void states(const std::vector<Real*>& out);
  // d_inputs: null where the inputs are integers; d_initial: [n, state size] a recurrent layer
  bool backward(const Real* d_outputs, Real* d_parameters, Real* d_inputs,
                const std::vector<Real*>& d_initial, Interrupt& interrupt, int n_threads);

  const Spec spec;
  Index n, N;

 private:
  Buffer<Real> parameters_;
  Batch batch_;
  Chunk chunk_;
  Weights<Real> weights_;
  Pass<Real> pass_;
  std::mutex mutex_;  // a backward pass writes the buffers of the tape
};

}  // namespace elman
