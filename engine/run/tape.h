// A recorded forward pass, which cotangents of its outputs can be sent back through.
#pragma once

#include <mutex>
#include <vector>

#include "pass/network.h"

namespace elman {

template <class Real> class Tape {
 public:
  Tape(const Network<Real>& network, const Data& data);
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // false: interrupted.
  bool record(const Data& data, const std::vector<const Real*>& initial, const Dropout* dropout,
              Interrupt& interrupt, int n_threads);
  void outputs(Real* out);                     // [n or N, C]
  void states(const std::vector<Real*>& out);  // [N, H] a recurrent layer
  // d_outputs [n or N, C], d_parameters [P]; d_inputs [N, F], null where the inputs are integers; d_initial
  // [n, state size] a recurrent layer. false: interrupted.
  bool backward(const Real* d_outputs, Real* d_parameters, Real* d_inputs,
                const std::vector<Real*>& d_initial, Interrupt& interrupt, int n_threads);

  const Spec spec;
  Index n, N;

 private:
  void take_cotangents(const Real* d_outputs, Index b0, Index b1);
  void give_input_cotangents(Real* d_inputs, Index b0, Index b1) const;

  Buffer<Real> parameters_;  // [P] as they were
  Batch batch_;
  Chunk chunk_;
  Weights<Real> weights_;
  Pass<Real> pass_;
  std::mutex mutex_;  // a backward pass writes the buffers of the tape
};

}  // namespace elman
