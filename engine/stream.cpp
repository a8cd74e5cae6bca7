#include "stream.h"

#include <algorithm>

namespace elman {

using Type = Operation::Type;

template <class Real>
Stream<Real>::Stream(const Network<Real>& network, Index n) : rows(n), network_(network), kernels_(kernels<Real>()), active_{n, 0}, offset_{0, n} {
  constexpr Index lanes = 64 / static_cast<Index>(sizeof(Real));
  for (const Operation& op : network.spec.operations) {
    Part part{op, (op.out + lanes - 1) / lanes * lanes, {}, {}, {}};
    part.value.zeros((op.type == Type::recurrent ? 2 : 1) * rows * part.ld);
    if (op.type == Type::pool && op.pool != Pool::last) {
      part.total.zeros(rows * part.ld);
      part.count.assign(static_cast<std::size_t>(rows), 0);
    }
    if (op.type == Type::recurrent || !part.count.empty()) kept_.push_back(parts_.size());
    parts_.push_back(std::move(part));
  }
}

template <class Real> void Stream<Real>::step(const Real* x, Real* y) {
  const FlushDenormals mode;
  const Real* w = network_.parameters.data();
  const Real* in = x;
  Index ldi = network_.spec.input_size;
  for (Part& part : parts_) {
    const Operation& op = part.op;
    Real* out = part.value.data();
    const Real* bias = op.bias < 0 ? nullptr : w + op.bias;
    if (op.type == Type::recurrent) {
      kernels_.recurrent_forward({in, ldi, op.in, {w + op.kernel, op.out, op.out}, {w + op.recurrent, op.out, op.out}, bias, out, part.ld, op.out, op.activation},
                                 {1, rows, active_, offset_}, 0, 1, 0, rows);
      std::copy_n(out + rows * part.ld, rows * part.ld, out);
    } else if (op.type == Type::dense) {
      const bool softmax = op.activation == Activation::softmax;
      kernels_.affine({in, ldi, op.in, {w + op.kernel, op.out, op.out}, bias, out, part.ld, op.out, softmax ? Activation::identity : op.activation}, rows);
      if (softmax) kernels_.activate(op.activation, out, part.ld, rows, op.out);
    } else if (op.pool == Pool::last) {
      for (Index b = 0; b < rows; ++b) std::copy_n(in + b * ldi, op.out, out + b * part.ld);
    } else {
      for (Index b = 0; b < rows; ++b) {
        Real* total = part.total.data() + b * part.ld;
        Index& count = part.count[static_cast<std::size_t>(b)];
        if (count == 0) std::copy_n(in + b * ldi, op.out, total);
        else kernels_.pool_add(op.pool, total, part.ld, in + b * ldi, ldi, 1, op.out);
        count += 1;
        if (op.pool == Pool::mean) kernels_.divide(out + b * part.ld, total, static_cast<Real>(count), op.out);
        else std::copy_n(total, op.out, out + b * part.ld);
      }
    }
    in = out;
    ldi = part.ld;
  }
  for (Index b = 0; b < rows; ++b) std::copy_n(in + b * ldi, network_.spec.output_size, y + b * network_.spec.output_size);
}

template <class Real> void Stream<Real>::reset() {
  for (Part& part : parts_) {
    part.value.zeros((part.op.type == Type::recurrent ? 2 : 1) * rows * part.ld);
    std::fill(part.count.begin(), part.count.end(), 0);
  }
}

template <class Real> std::vector<Index> Stream<Real>::state_sizes() const {
  std::vector<Index> sizes;
  for (const std::size_t i : kept_) sizes.push_back(parts_[i].op.out + (parts_[i].op.type == Type::pool ? 1 : 0));
  return sizes;
}

template <class Real> bool Stream<Real>::counts_steps(std::size_t entry) const { return parts_[kept_[entry]].op.type == Type::pool; }

template <class Real> void Stream<Real>::get_state(std::size_t entry, Real* out) const {
  const Part& part = parts_[kept_[entry]];
  const bool pool = part.op.type == Type::pool;
  const Index H = part.op.out, width = H + (pool ? 1 : 0);
  for (Index b = 0; b < rows; ++b, out += width) {
    const bool none = pool && part.count[static_cast<std::size_t>(b)] == 0;
    if (none) std::fill_n(out, H, Real(0));
    else std::copy_n((pool ? part.total : part.value).data() + b * part.ld, H, out);
    if (pool) out[H] = static_cast<Real>(part.count[static_cast<std::size_t>(b)]);
  }
}

template <class Real> void Stream<Real>::set_state(std::size_t entry, const Real* state) {
  Part& part = parts_[kept_[entry]];
  const bool pool = part.op.type == Type::pool;
  const Index H = part.op.out, width = H + (pool ? 1 : 0);
  for (Index b = 0; b < rows; ++b, state += width) {
    std::copy_n(state, H, (pool ? part.total : part.value).data() + b * part.ld);
    if (pool) part.count[static_cast<std::size_t>(b)] = static_cast<Index>(state[H]);
  }
}

template class Stream<float>;
template class Stream<double>;

}  // namespace elman
