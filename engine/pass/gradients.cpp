// The gradients of kernels and biases: sums over all rows of steps, block by block.
#include <algorithm>

#include "core/index.h"
#include "pass/lookup.h"
#include "pass/pass.h"

namespace elman {

using Type = Operation::Type;

// A block of steps, or all rows of something per sequence.
template <class Real> struct Pass<Real>::Summand {
  Segment own;            // its rows, which follow one another
  const Segment* states;  // [n_states] the rows of the states before each step, and its own; null: no steps
  Index n_states;
};

// The share of one thread: kernels are cut by their rows, in groups of eight, as evenly as that allows.
template <class Real> struct Pass<Real>::Shares {
  static constexpr Index group = 8;
  int part, parts;
  bool first() const { return part == 0; }
  bool last() const { return part + 1 == parts; }
  Index begin(Index rows) const { return round_up(rows * part / parts, group); }
  Index end(Index rows) const { return last() ? rows : round_up(rows * (part + 1) / parts, group); }
};

template <class Real>
bool Pass<Real>::weight_gradients(Real* gradient, int part, int parts, Interrupt* interrupt, Span operations,
                                  Span blocks) {
  const Shares shares{part, parts};
  for (std::size_t i = operations.first; i < operations.end; ++i) {
    Part& own = parts_[i];
    if (own.op.type == Type::pool || own.op.type == Type::join) continue;
    const Span summands = own.op.steps_in ? blocks : Span{0, 1};
    for (std::size_t q = summands.end; q-- > summands.first;) {
      if (interrupt && interrupt->check()) return false;
      if (!add_gradients(own, summand(own, q), gradient, shares, interrupt)) return false;
    }
  }
  return true;
}

template <class Real>
typename Pass<Real>::Summand Pass<Real>::summand(const Part& part, std::size_t block) const {
  if (!part.op.steps_in) return {{0, 0, chunk_->B}, nullptr, 0};
  const Segment* first = segments_.data() + block_start_[block];
  const Index n = block_start_[block + 1] - block_start_[block];
  const Segment& last = first[n - 1];
  return {{first->d, first->d, last.d + last.count - first->d}, first, n};
}

// A thread's share of the stacked matrix [recurrent kernel; kernel], so many rows at once that the interrupt
// is looked at often enough.
template <class Real>
bool Pass<Real>::add_gradients(Part& part, const Summand& rows, Real* gradient, const Shares& shares,
                               Interrupt* interrupt) {
  const Operation& op = part.op;
  const Index H = op.type == Type::recurrent ? op.out : 0, F = op.lookup ? 0 : op.in, all = H + F;
  const Index begin = shares.begin(all), end = shares.end(all), N = op.gates() * op.out;
  constexpr Index work = 200'000'000, group = Shares::group;
  const Index most = std::max(group, work / (std::max<Index>(rows.own.count, 1) * N) / group * group);
  const auto over_rows_at_once = [&](Index i0, Index i1, auto add) {
    for (Index i = i0; i < i1; i += most) {
      if (i > i0 && interrupt && interrupt->check()) return false;
      (this->*add)(part, rows, gradient, i, std::min(i1, i + most));
    }
    return true;
  };
  const Index h0 = std::min(begin, H), h1 = std::min(end, H);
  if (!over_rows_at_once(h0, h1, &Pass::add_recurrent_gradient)) return false;
  const Index f0 = std::clamp(begin, H, all) - H, f1 = std::clamp(end, H, all) - H;
  if (!over_rows_at_once(f0, f1, &Pass::add_kernel_gradient)) return false;
  if (op.lookup && shares.last()) add_lookup_gradient(part, rows, gradient);
  if (shares.first()) add_bias_gradients(part, rows, gradient);
  return true;
}

// Rows i0 .. i1 of the recurrent kernel's gradient: each piece of its gates against what it multiplied.
template <class Real>
void Pass<Real>::add_recurrent_gradient(Part& part, const Summand& rows, Real* gradient, Index i0, Index i1) {
  const Operation& op = part.op;
  const Index H = op.out, N = op.gates() * H;
  for (const CellPiece& piece : op.pieces()) {
    WeightGradient<Real> sum{};
    if (piece.operand < 0) {
      sum.a = (masked_states(part) ? part.masked : part.value).data();
      sum.lda = part.ld;
      sum.segments = rows.states;
      sum.n_segments = rows.n_states;
    } else {
      sum.a = part.kept.data() + piece.operand * H;
      sum.lda = part.ldk;
      sum.segments = &rows.own;
      sum.n_segments = 1;
    }
    sum.K = H;
    sum.d = sums_cotangents(part) + piece.column * H;
    sum.ldd = sums_ld(part);
    sum.N = piece.count * H;
    sum.out = gradient + op.recurrent + piece.gate * H;
    sum.ldo = N;
    kernels_.weight_gradient(sum, i0, i1);
  }
}

template <class Real>
void Pass<Real>::add_kernel_gradient(Part& part, const Summand& rows, Real* gradient, Index i0, Index i1) {
  const Operation& op = part.op;
  const Input in = input_of(part);
  const Index N = op.gates() * op.out;
  const WeightGradient<Real> sum{.a = in.data,
                                 .lda = in.ld,
                                 .K = op.in,
                                 .d = sums_cotangents(part),
                                 .ldd = sums_ld(part),
                                 .N = N,
                                 .segments = &rows.own,
                                 .n_segments = 1,
                                 .out = gradient + op.kernel,
                                 .ldo = N};
  kernels_.weight_gradient(sum, i0, i1);
}

template <class Real> void Pass<Real>::add_lookup_gradient(Part& part, const Summand& rows, Real* gradient) {
  const Input in = input_of(part);
  scatter(in.index, in.data, sums_cotangents(part), sums_ld(part), part.op.gates() * part.op.out, rows.own.d,
          rows.own.count, gradient + part.op.kernel, sorted_);
}

template <class Real> void Pass<Real>::add_bias_gradients(Part& part, const Summand& rows, Real* gradient) {
  const Operation& op = part.op;
  const Real* d = sums_cotangents(part);  // [., columns H]
  const Index ldd = sums_ld(part), H = op.out, N = op.gates() * H;
  const auto add = [&](Index column, Index columns, Real* out) {
    kernels_.bias_gradient({nullptr, 0, 0, d + column, ldd, columns, &rows.own, 1, out, N});
  };
  if (op.bias >= 0) add(0, N, gradient + op.bias);
  if (op.recurrent_bias >= 0)
    for (const CellPiece& piece : op.pieces())
      add(piece.column * H, piece.count * H, gradient + op.recurrent_bias + piece.gate * H);
}

#define ELMAN_INSTANTIATE(Real) \
  template bool Pass<Real>::weight_gradients(Real*, int, int, Interrupt*, Span, Span);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
