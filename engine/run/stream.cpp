#include "run/stream.h"

#include <algorithm>

#include "core/layout.h"
#include "pass/lookup.h"
#include "runtime/denormals.h"

namespace elman {

using Type = Operation::Type;

template <class Real>
Stream<Real>::Stream(const Network<Real>& network, Index n)
    : rows(n),
      network_(network),
      kernels_(kernels<Real>()),
      active_{n, 0},
      offset_{0, n},
      ones_(static_cast<std::size_t>(n), Real(1)) {
  for (const Operation& op : network.spec.operations) {
    const bool recurrent = op.type == Type::recurrent;
    const Index stride = state_stride<Real>(op);
    Part part{op, recurrent ? op.facts().states * stride : stride, stride, {}, {}, {}, {}};
    if (recurrent && op.cell == Cell::gru_before) part.kept.zeros(rows * op.facts().kept * op.out);
    part.value.zeros((op.type == Type::recurrent ? 2 : 1) * rows * part.ld);
    if (op.type == Type::pool && op.pool != Pool::last) {
      part.total.zeros(rows * part.ld);
      part.count.assign(static_cast<std::size_t>(rows), 0);
    }
    if (op.type == Type::recurrent || !part.count.empty()) kept_.push_back(parts_.size());
    parts_.push_back(std::move(part));
  }
}

template <class Real> void Stream<Real>::step(const Real* x, const int* index, Real* y) {
  const FlushDenormals mode;
  const Real* w = network_.parameters.data();
  const Real* in = x;
  Index ldi = network_.spec.input_size;
  for (Part& part : parts_) {
    const Operation& op = part.op;
    Real* out = part.value.data();
    const Real* bias = op.bias < 0 ? nullptr : w + op.bias;
    if (op.type == Type::recurrent) {
      const Real* recurrent_bias = op.recurrent_bias < 0 ? nullptr : w + op.recurrent_bias;
      const RecurrentForward<Real> args{in,
                                        ldi,
                                        op.in,
                                        matrix_as_is(w + op.kernel, op.out, op.gates()),
                                        matrix_as_is(w + op.recurrent, op.out, op.gates()),
                                        bias,
                                        recurrent_bias,
                                        out,
                                        part.ld,
                                        part.stride,
                                        op.out,
                                        part.kept.data(),
                                        op.facts().kept * op.out,
                                        nullptr,
                                        nullptr,
                                        op.activation,
                                        static_cast<Real>(op.leak),
                                        op.lookup ? index : nullptr};
      kernels_.recurrent_forward[static_cast<int>(op.cell)](args, {1, rows, active_, offset_}, 0, 1, 0, rows);
      std::copy_n(out + rows * part.ld, rows * part.ld, out);
    } else if (op.type == Type::dense) {
      const bool softmax = op.activation == Activation::softmax;
      if (op.lookup) look_up(op, w, index, rows, out, part.ld, op.activation);
      else
        kernels_.affine({in, ldi, op.in, matrix_as_is(w + op.kernel, op.out, 1), bias, out, part.ld, op.out,
                         softmax ? Activation::identity : op.activation},
                        rows);
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
        if (op.pool == Pool::mean)
          kernels_.divide(out + b * part.ld, total, static_cast<Real>(count), op.out);
        else std::copy_n(total, op.out, out + b * part.ld);
      }
    }
    in = out;
    ldi = part.ld;
  }
  for (Index b = 0; b < rows; ++b)
    std::copy_n(in + b * ldi, network_.spec.output_size, y + b * network_.spec.output_size);
}

template <class Real> void Stream<Real>::reset() {
  for (Part& part : parts_) {
    part.value.zeros((part.op.type == Type::recurrent ? 2 : 1) * rows * part.ld);
    std::fill(part.count.begin(), part.count.end(), 0);
  }
}

template <class Real> std::vector<typename Stream<Real>::Entry> Stream<Real>::entries() const {
  std::vector<Entry> all;
  for (const std::size_t i : kept_) {
    const bool pool = parts_[i].op.type == Type::pool;
    all.push_back({pool ? 1 : parts_[i].op.facts().states, parts_[i].op.out + (pool ? 1 : 0), pool});
  }
  return all;
}

template <class Real> void Stream<Real>::get_state(std::size_t entry, Index state, Real* out) const {
  const Part& part = parts_[kept_[entry]];
  const bool pool = part.op.type == Type::pool;
  const Index H = part.op.out, width = H + (pool ? 1 : 0);
  for (Index b = 0; b < rows; ++b, out += width) {
    const bool none = pool && part.count[static_cast<std::size_t>(b)] == 0;
    if (none) std::fill_n(out, H, Real(0));
    else std::copy_n((pool ? part.total : part.value).data() + b * part.ld + state * part.stride, H, out);
    if (pool) out[H] = static_cast<Real>(part.count[static_cast<std::size_t>(b)]);
  }
}

template <class Real> void Stream<Real>::set_state(std::size_t entry, Index state, const Real* given) {
  Part& part = parts_[kept_[entry]];
  const bool pool = part.op.type == Type::pool;
  const Index H = part.op.out, width = H + (pool ? 1 : 0);
  for (Index b = 0; b < rows; ++b, given += width) {
    std::copy_n(given, H, (pool ? part.total : part.value).data() + b * part.ld + state * part.stride);
    if (pool) part.count[static_cast<std::size_t>(b)] = static_cast<Index>(given[H]);
  }
}

template class Stream<float>;
template class Stream<double>;

}  // namespace elman
