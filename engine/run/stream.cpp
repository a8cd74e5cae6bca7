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
      ones_(to_size(n), Real(1)) {
  for (const Operation& op : network.spec.operations) {
    const Index stride = state_stride<Real>(op);
    Part part{op, op.states() * stride, stride, {}, {}, {}, {}};
    if (op.cell == Cell::gru_before) part.kept.zeros(rows * op.kept() * op.out);
    part.value.zeros(values_of(part));
    if (op.type == Type::pool && op.pool != Pool::last) {
      part.total.zeros(rows * part.ld);
      part.count.assign(to_size(rows), 0);
    }
    if (op.type == Type::recurrent || !part.count.empty()) kept_.push_back(parts_.size());
    parts_.push_back(std::move(part));
  }
}

template <class Real> void Stream<Real>::step(const Real* x, const int* index, Real* y) {
  const FlushDenormals mode;
  Input in{x, network_.spec.input_size, index};
  for (Part& part : parts_) {
    switch (part.op.type) {
      case Type::recurrent: recurrent(part, in); break;
      case Type::dense: dense(part, in); break;
      default: pool(part, in);
    }
    in = {part.value.data(), part.ld, nullptr};
  }
  const Index C = network_.spec.output_size;
  for (Index b = 0; b < rows; ++b) std::copy_n(in.data + b * in.ld, C, y + b * C);
}

template <class Real> void Stream<Real>::recurrent(Part& part, const Input& in) {
  const Operation& op = part.op;
  const Real* w = network_.parameters.data();
  Real* states = part.value.data();
  const RecurrentForward<Real> arguments{
      .x = in.data,
      .ldx = in.ld,
      .F = op.in,
      .kernel = matrix_as_is(w + op.kernel, op.out, op.gates()),
      .recurrent = matrix_as_is(w + op.recurrent, op.out, op.gates()),
      .bias = op.bias < 0 ? nullptr : w + op.bias,
      .recurrent_bias = op.recurrent_bias < 0 ? nullptr : w + op.recurrent_bias,
      .states = states,
      .ld = part.ld,
      .stride = part.stride,
      .H = op.out,
      .kept = part.kept.data(),
      .ldk = op.kept() * op.out,
      .mask = nullptr,
      .masked = nullptr,
      .activation = op.activation,
      .leak = static_cast<Real>(op.leak),
      .index = in.index};
  const Steps one{1, rows, active_, offset_};
  kernels_.recurrent_forward[static_cast<int>(op.cell)](arguments, one, 0, 1, 0, rows);
  // The states after this step are those before the next.
  std::copy_n(states + rows * part.ld, rows * part.ld, states);
}

template <class Real> void Stream<Real>::dense(Part& part, const Input& in) {
  const Operation& op = part.op;
  const Real* w = network_.parameters.data();
  Real* y = part.value.data();
  const bool softmax = op.activation == Activation::softmax;
  const Activation of_sum = softmax ? Activation::identity : op.activation;
  if (in.index) {
    look_up(op, w, in.index, rows, y, part.ld, of_sum);
  } else {
    const Affine<Real> product{.x = in.data,
                               .ldx = in.ld,
                               .K = op.in,
                               .kernel = matrix_as_is(w + op.kernel, op.out, 1),
                               .bias = op.bias < 0 ? nullptr : w + op.bias,
                               .y = y,
                               .ldy = part.ld,
                               .N = op.out,
                               .activation = of_sum};
    kernels_.affine(product, rows);
  }
  if (softmax) kernels_.activate(op.activation, y, part.ld, rows, op.out);
}

// The answer so far: the last step, or the mean or maximum until now.
template <class Real> void Stream<Real>::pool(Part& part, const Input& in) {
  const Operation& op = part.op;
  const Index H = op.out;
  for (Index b = 0; b < rows; ++b) {
    const Real* h = in.data + b * in.ld;          // [H]
    Real* out = part.value.data() + b * part.ld;  // [H]
    if (op.pool == Pool::last) {
      std::copy_n(h, H, out);
      continue;
    }
    Real* total = part.total.data() + b * part.ld;  // [H]
    Index& count = part.count[to_size(b)];
    if (count == 0) std::copy_n(h, H, total);
    else kernels_.pool_add(op.pool, total, part.ld, h, in.ld, 1, H);
    count += 1;
    if (op.pool == Pool::mean) kernels_.divide(out, total, static_cast<Real>(count), H);
    else std::copy_n(total, H, out);
  }
}

// Numbers in the buffer of values: of a recurrence twice the states.
template <class Real> Index Stream<Real>::values_of(const Part& part) const {
  return (part.op.type == Type::recurrent ? 2 : 1) * rows * part.ld;
}

template <class Real> void Stream<Real>::reset() {
  for (Part& part : parts_) {
    part.value.zeros(values_of(part));
    std::fill(part.count.begin(), part.count.end(), 0);
  }
}

template <class Real> std::vector<typename Stream<Real>::Entry> Stream<Real>::entries() const {
  std::vector<Entry> all;
  for (const std::size_t i : kept_) {
    const bool pool = parts_[i].op.type == Type::pool;
    all.push_back({pool ? 1 : parts_[i].op.states(), parts_[i].op.out + (pool ? 1 : 0), pool});
  }
  return all;
}

template <class Real> void Stream<Real>::get_state(std::size_t entry, Index state, Real* out) const {
  const Part& part = parts_[kept_[entry]];
  const bool pool = part.op.type == Type::pool;
  const Index H = part.op.out, width = H + (pool ? 1 : 0);
  for (Index b = 0; b < rows; ++b, out += width) {
    const bool none = pool && part.count[to_size(b)] == 0;
    if (none) std::fill_n(out, H, Real(0));
    else std::copy_n((pool ? part.total : part.value).data() + b * part.ld + state * part.stride, H, out);
    if (pool) out[H] = static_cast<Real>(part.count[to_size(b)]);
  }
}

template <class Real> void Stream<Real>::set_state(std::size_t entry, Index state, const Real* given) {
  Part& part = parts_[kept_[entry]];
  const bool pool = part.op.type == Type::pool;
  const Index H = part.op.out, width = H + (pool ? 1 : 0);
  for (Index b = 0; b < rows; ++b, given += width) {
    std::copy_n(given, H, (pool ? part.total : part.value).data() + b * part.ld + state * part.stride);
    if (pool) part.count[to_size(b)] = static_cast<Index>(given[H]);
  }
}

template class Stream<float>;
template class Stream<double>;

}  // namespace elman
