// One step at a time, for one stream or several.
#pragma once

#include "pass/network.h"

namespace elman {

template <class Real> class Stream {
 public:
  Stream(const Network<Real>& network, Index rows);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // x [rows, F] -> y [rows, C]: the answer to all steps until now. The weights are read as they are at this
  // moment.
  void step(const Real* x, Real* y) { step(x, nullptr, y); }
  void step(const int* x, Real* y) { step(ones_.data(), x, y); }  // of integers below spec().symbols: [rows]
  void reset();

  // One entry a recurrent layer, its states, [rows, H] each, or pool of a layer of its own, [rows, H + 1]:
  // running sum or maximum, then the number of steps.
  struct Entry {
    Index states, size;
    bool counts_steps;
  };
  std::vector<Entry> entries() const;
  void get_state(std::size_t entry, Index state, Real* out) const;
  void set_state(std::size_t entry, Index state, const Real* given);

  const Spec& spec() const { return network_.spec; }
  const Index rows;

 private:
  void step(const Real* x, const int* index, Real* y);

  struct Part {
    Operation op;
    Index ld, stride;
    Buffer<Real> value;        // recurrent: [rows] states before, [rows] states after; others [rows]
    Buffer<Real> kept;         // gru_before: [rows, kept H]
    Buffer<Real> total;        // pools that keep something: [rows]
    std::vector<Index> count;  // [rows] steps in it
  };
  // Rows that an operation reads, `ld` apart; of integers: each is multiplied by data [rows, 1].
  struct Input {
    const Real* data;
    Index ld;
    const int* index;
  };
  void recurrent(Part& part, const Input& in);
  void dense(Part& part, const Input& in);
  void pool(Part& part, const Input& in);
  Index values_of(const Part& part) const;

  const Network<Real>& network_;
  const KernelTable<Real>& kernels_;
  std::vector<Part> parts_;
  std::vector<std::size_t> kept_;  // parts with a state
  Index active_[2], offset_[2];
  std::vector<Real> ones_;  // [rows]
};

}  // namespace elman
