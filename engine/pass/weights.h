// A network's weights as the products of a minibatch read them.
#pragma once

#include <vector>

#include "core/memory.h"
#include "core/spec.h"

namespace elman {

// A kernel [K, G N] as it lies among the parameters.
template <class Real> Matrix<Real> matrix_as_is(const Real* data, Index N, Index gates) {
  return {data, gates * N, N, N};
}

// The matrices of one operation: as they lie, or packed into panels. The transposes are there for a backward
// pass alone.
template <class Real> struct Matrices {
  Matrix<Real> kernel, recurrent;                        // [in, G out], [out, G out]
  Matrix<Real> kernel_transposed, recurrent_transposed;  // [G out, in], [G out, out]
};

template <class Real> class Weights {
 public:
  // Packs what pays for so many rows a thread. `backward`: the transposes too, that of the first kernel only
  // where the cotangents of the inputs are wanted.
  void prepare(const Spec& spec, const Real* parameters, Index rows, bool backward, bool inputs, int threads);

  const Matrices<Real>& operator[](std::size_t op) const { return matrices_[op]; }
  const Real* parameters() const { return parameters_; }
  // [G out], or null where there is none
  const Real* bias(const Operation& op) const { return op.bias < 0 ? nullptr : parameters_ + op.bias; }
  const Real* recurrent_bias(const Operation& op) const {
    return op.recurrent_bias < 0 ? nullptr : parameters_ + op.recurrent_bias;
  }

 private:
  // The memory for the packed matrices of one operation.
  struct Store {
    Buffer<Real> kernel, recurrent, kernel_transposed, recurrent_transposed;
  };
  // A matrix [K, G N] to be packed, or [N, K] to be packed transposed.
  struct Job {
    Real* out;
    const Real* src;
    Index K, N, gates, panel;
    bool transposed;
  };
  void prepare_operation(const Operation& op, std::size_t i, bool backward, bool inputs);
  Matrix<Real> forward_matrix(Buffer<Real>& store, Index offset, Index K, Index N, Index gates);
  Matrix<Real> pack(Buffer<Real>& store, Index offset, Index K, Index N, Index gates, bool transposed);
  void run_jobs(int threads);

  const Real* parameters_ = nullptr;
  bool few_rows_ = false;
  std::vector<Matrices<Real>> matrices_;  // one an operation
  std::vector<Store> store_;              // the same
  std::vector<Job> jobs_;
  Index packed_ = 0;  // numbers in the jobs
};

}  // namespace elman
