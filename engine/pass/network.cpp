#include "pass/network.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "pass/lookup.h"
#include "runtime/threads.h"

namespace elman {
namespace {

using Type = Operation::Type;

constexpr Index round_up(Index n, Index to) { return (n + to - 1) / to * to; }

// Rows start on 64 bytes, and not a multiple of 1024 apart: such rows would fall on few sets of the first
// cache.
template <class Real> Index padded(Index columns) {
  constexpr Index lanes = 64 / static_cast<Index>(sizeof(Real));
  Index ld = round_up(columns, lanes);
  if (ld * static_cast<Index>(sizeof(Real)) % 1024 == 0) ld += lanes;
  return ld;
}

// Going forward the maximum was reached before: these steps are not its first.
template <class Real> void spend(Real* maximum, const Real* before, Index n) {
  for (Index j = 0; j < n; ++j)
    if (maximum[j] == before[j]) maximum[j] = std::numeric_limits<Real>::quiet_NaN();
}

// Where state k of this half of a layer begins in an array [n, state size]: h of both halves, then of lstm c
// of both.
Index place_of_state(const Operation& op, Index row, Index k) {
  return ((row * op.facts().states + k) * op.directions + op.direction) * op.out;
}

// Rows of one step between two looks at the interrupt, a multiple of every tile's: some ten milliseconds of
// work.
Index rows_at_once(const Operation& op) {
  return std::max<Index>(48, 200'000'000 / (op.gates() * op.out * (op.terms() + op.out)) / 48 * 48);
}

}  // namespace

bool Interrupt::check() {
  if (stop.load(std::memory_order_relaxed)) return true;
  if (!poll || std::this_thread::get_id() != caller) return false;
  const long long now = std::chrono::steady_clock::now().time_since_epoch().count();
  if (now < next) return false;
  next = now + 100'000'000;
  if (poll(context)) stop.store(true);
  return stop.load();
}

Index work_per_step(const Spec& spec) {
  Index work = 0;
  for (const Operation& op : spec.operations)
    if ((op.type == Type::dense || op.type == Type::recurrent) && op.steps_in)
      work += op.gates() * op.out * (op.terms() + (op.type == Type::recurrent ? op.out : 0));
  return work;
}

template <class Real>
void Weights<Real>::prepare(const Spec& spec, const Real* parameters, Index rows, bool backward, bool inputs,
                            int threads) {
  constexpr Index lanes = 64 / static_cast<Index>(sizeof(Real));
  const KernelTable<Real>& k = kernels<Real>();
  const std::size_t n = spec.operations.size();
  kernel.resize(n);
  recurrent.resize(n);
  kernel_transposed.resize(n);
  recurrent_transposed.resize(n);
  store_.resize(4 * n);
  parameters_ = parameters;
  // Few rows read each weight once: packing would cost as much. Narrow matrices lie well as they are.
  const bool few = rows < 4;
  Index packed = 0;
  jobs_.clear();
  // [K, G N], the gates of a few units side by side; or the transpose of [N, K].
  const auto pack = [&](std::size_t slot, Index offset, Index K, Index N, Index gates, bool transposed) {
    const Index panel = few ? round_up(N, lanes) : std::min(round_up(N, lanes), (gates > 1 ? 1 : 2) * lanes);
    Real* out = store_[slot].reserve(round_up(N, panel) * gates * K);
    jobs_.push_back({out, parameters + offset, K, N, gates, panel, transposed});
    packed += K * N * gates;
    return Matrix<Real>{out, gates * panel, panel, panel};
  };
  const auto forward = [&](std::size_t slot, Index offset, Index K, Index N, Index gates) {
    return few || N * gates <= 4 * lanes ? matrix_as_is(parameters + offset, N, gates)
                                         : pack(slot, offset, K, N, gates, false);
  };
  for (std::size_t i = 0; i < n; ++i) {
    const Operation& op = spec.operations[i];
    if (op.type == Type::pool || op.type == Type::join) continue;
    kernel[i] = op.lookup ? matrix_as_is(parameters + op.kernel, op.out, op.gates())
                          : forward(4 * i, op.kernel, op.in, op.out, op.gates());
    if (op.type == Type::recurrent)
      recurrent[i] = forward(4 * i + 1, op.recurrent, op.out, op.out, op.gates());
    if (!backward) continue;
    if (op.input >= 0 || (inputs && !op.lookup))
      kernel_transposed[i] = pack(4 * i + 2, op.kernel, op.gates() * op.out, op.in, 1, true);
    if (op.type == Type::recurrent)
      recurrent_transposed[i] = pack(4 * i + 3, op.recurrent, op.gates() * op.out, op.out, 1, true);
  }
  const int parts = packed < 50'000 ? 1 : threads;
  parallel(parts, [&](int part) {
    for (const Job& job : jobs_) {
      const Index panels = round_up(job.N, job.panel) / job.panel;
      const Index p0 = panels * part / parts, p1 = panels * (part + 1) / parts;
      if (job.transposed) k.pack_transposed(job.out, job.src, job.K, job.N, job.panel, p0, p1);
      else k.pack(job.out, job.src, job.K, job.N, job.gates, job.panel, p0, p1);
    }
  });
}

template <class Real>
Pass<Real>::Pass(const Spec& spec)
    : spec_(spec),
      kernels_(kernels<Real>()),
      value_(spec.operations.size()),
      cotangent_(spec.operations.size()),
      carry_(spec.operations.size()),
      total_(spec.operations.size()),
      kept_(spec.operations.size()),
      dz_(spec.operations.size()),
      handed_(spec.operations.size()),
      initial_(spec.operations.size()),
      own_index_(spec.operations.size()),
      own_(spec.operations.size()),
      d_own_(spec.operations.size()),
      mask_in_(spec.operations.size()),
      mask_h_(spec.operations.size()),
      masked_(spec.operations.size()),
      starts_(spec.operations.size()),
      later_(spec.operations.size()) {
  for (const Operation& op : spec.operations) {
    const bool recurrent = op.type == Type::recurrent;
    most_rows_.push_back(rows_at_once(op));
    stride_.push_back(state_stride<Real>(op));
    ld_.push_back(padded<Real>(recurrent ? (op.facts().states - 1) * stride_.back() + op.out : op.out));
    // Up to the end of the last column's last vector: what is read there belongs to no row that another
    // thread writes.
    ldk_.push_back(
        recurrent && op.facts().kept ? padded<Real>((op.facts().kept - 1) * op.out + stride_.back()) : 0);
  }
}

template <class Real> void Pass<Real>::reserve_rows(const Batch& batch, bool dropping) {
  batch_ = &batch;
  if (batch.size() == reserved_rows_ && dropping == dropping_) return;
  reserved_rows_ = batch.size();
  dropping_ = dropping;
  for (std::size_t i = 0; i < spec_.operations.size(); ++i) {
    const Sizes n = sizes(i, batch.size(), 0, Use::states, false, false);
    carry_[i].reserve(n.carry);
    mask_in_[i].reserve(n.mask_in);
    mask_h_[i].reserve(n.mask_h);
    total_[i].reserve(n.total);
  }
}

template <class Real>
Sizes Pass<Real>::sizes(std::size_t i, Index B, Index N, Use use, bool fused, bool tape) const {
  const Operation& op = spec_.operations[i];
  const bool backward = use == Use::gradient, recurrent = op.type == Type::recurrent,
             last = i + 1 == spec_.operations.size();
  const Index rows = op.steps_out ? N : B, ld_in = padded<Real>(op.in);
  Sizes n{};
  if (!(last && fused)) n.value = (recurrent ? B + rows : rows) * ld_[i];
  if (backward || (last && (fused || use == Use::loss)))
    n.cotangent = (cotangents_by_row(i) ? B : rows) * ld_[i];
  if (ldk_[i] && (backward || op.cell == Cell::gru_before)) n.kept = rows * ldk_[i];
  if (ldk_[i] && backward) n.handed = B * ld_[i];
  if (ldk_[i] && backward && tape) n.dz = rows * ldk_[i];
  if (op.type == Type::pool && op.pool != Pool::last) n.total = B * ld_[i];
  if (!recurrent) return n;
  n.carry = B * ld_[i];
  if (backward && tape) n.initial = B * ld_[i];
  if (own_input(i)) n.own = rows * own_ld(i);
  if (own_input(i) && backward && !op.lookup) n.d_own = rows * ld_in;
  if (masked_input(i)) n.mask_in = B * ld_in;
  if (masked_states(i)) {
    n.mask_h = B * ld_[i];
    n.masked = (B + rows) * ld_[i];
  }
  return n;
}

template <class Real>
void Pass<Real>::prepare(const Data& data, const Batch& batch, const Chunk& chunk, Use use, bool fused,
                         bool tape) {
  const bool same = chunk.stamp == stamp_ && use == use_ && fused == fused_ && tape == tape_;
  batch_ = &batch;
  chunk_ = &chunk;
  if (!same) {
    stamp_ = 0;  // until all of it is there
    use_ = use;
    fused_ = fused;
    tape_ = tape;
    reserve_steps();
    if (use == Use::gradient) cut_blocks();
    stamp_ = chunk.stamp;
  }
  // A single row of the right type is read where it lies; a tape must keep it.
  const bool in_place =
      chunk.B == 1 && !tape && !spec_.symbols && data.dtype == (sizeof(Real) == 4 ? Dtype::f32 : Dtype::f64);
  input_ = in_place ? static_cast<const Real*>(data.values) + (batch.start[0] + chunk.t0) * data.F
                    : x_.reserve(chunk.N * spec_.input_size);
  if (spec_.symbols) {
    index_.reserve(chunk.N);
    std::fill_n(x_.data(), chunk.N, Real(1));
  }
  if (tape && !spec_.symbols) {
    input_cotangent_.reserve(chunk.N * padded<Real>(spec_.input_size));
    input_ld_ = padded<Real>(spec_.input_size);
  }
}

template <class Real> void Pass<Real>::reserve_steps() {
  for (std::size_t i = 0; i < spec_.operations.size(); ++i) {
    const Sizes n = sizes(i, chunk_->B, chunk_->N + chunk_->later(), use_, fused_, tape_);
    value_[i].reserve(n.value);
    cotangent_[i].reserve(n.cotangent);
    kept_[i].reserve(n.kept);
    handed_[i].reserve(n.handed);
    dz_[i].reserve(n.dz);
    initial_[i].reserve(n.initial);
    own_[i].reserve(n.own);
    if (spec_.operations[i].lookup) own_index_[i].reserve(n.own);
    d_own_[i].reserve(n.d_own);
    masked_[i].reserve(n.masked);
  }
}

// Whole steps make blocks of at least so many rows; neighboring steps with all rows alive join into one
// segment.
template <class Real> void Pass<Real>::cut_blocks() {
  const Chunk& chunk = *chunk_;
  segments_.clear();
  block_start_.clear();
  block_step_.clear();
  Index in_block = spec_.gradient_block;
  for (Index t = 0; t < chunk.T; ++t) {
    const std::size_t s = static_cast<std::size_t>(t);
    if (in_block >= spec_.gradient_block) {
      block_start_.push_back(static_cast<Index>(segments_.size()));
      block_step_.push_back(t);
      in_block = 0;
    }
    // rows of the state before each step: the buffer's first B rows are the states before step 0
    const Segment step{t ? chunk.B + chunk.offset[s - 1] : 0, chunk.offset[s], chunk.active[s]};
    Segment* before = in_block ? &segments_.back() : nullptr;
    if (before && before->a + before->count == step.a && before->d + before->count == step.d)
      before->count += step.count;
    else segments_.push_back(step);
    in_block += step.count;
  }
  block_start_.push_back(static_cast<Index>(segments_.size()));
  block_step_.push_back(chunk.T);
}

template <class Real> Span Pass<Real>::blocks_before(std::size_t end, Index rows) const {
  const auto row = [&](std::size_t q) { return chunk_->offset[static_cast<std::size_t>(block_step_[q])]; };
  std::size_t first = end - 1;
  while (first > 0 && row(end) - row(first - 1) <= rows) --first;
  return {first, end};
}

template <class Real> void Pass<Real>::gather(const Data& data, Index b0, Index b1) {
  const Chunk& c = *chunk_;
  Real* x = x_.data();
  if (input_ != x) return;
  const Index F = data.F;
  for (Index b = b0; b < std::min(b1, c.B); ++b) {
    const Index first = batch_->start[static_cast<std::size_t>(b)] + c.t0, steps = c.length(*batch_, b);
    const auto copy = [&](Index from, Index count, Index row, Index apart) {
      if (spec_.symbols) data.copy_symbols(from, count, spec_.symbols, index_.data() + row, apart);
      else data.copy(from, count, x + row * F, apart * F);
    };
    if (c.active[static_cast<std::size_t>(c.T - 1)] == c.B) {  // all rows alive to the end: steps lie evenly
      copy(first, steps, b, c.B);
    } else {
      for (Index t = 0; t < steps; ++t) copy(first + t, 1, c.offset[static_cast<std::size_t>(t)] + b, 1);
    }
  }
}

template <class Real>
void Pass<Real>::begin_rows(const std::vector<const Real*>& initial, const Dropout* dropout, Index b0,
                            Index b1) {
  for (std::size_t i = 0; i < spec_.operations.size(); ++i) {
    const Operation& op = spec_.operations[i];
    if (op.type != Type::recurrent) continue;
    const Real* from = initial.empty() ? nullptr : initial[static_cast<std::size_t>(op.layer)];
    for (Index b = b0; b < b1; ++b) {
      const Index row = batch_->row[static_cast<std::size_t>(b)];
      Real* to = carry_[i].data() + b * ld_[i];
      if (!from) std::fill_n(to, ld_[i], Real(0));
      else
        for (Index k = 0; k < op.facts().states; ++k)
          std::copy_n(from + place_of_state(op, row, k), op.out, to + k * stride_[i]);
      if (!dropout) continue;
      const std::uint64_t stream = static_cast<std::uint64_t>(4 * op.layer + 2 * op.direction);
      if (op.dropout > 0)
        dropout->mask(row, stream, op.dropout, op.in, mask_in_[i].data() + b * padded<Real>(op.in));
      if (op.recurrent_dropout > 0)
        dropout->mask(row, stream + 1, op.recurrent_dropout, op.out, mask_h_[i].data() + b * ld_[i]);
    }
  }
}

template <class Real> typename Pass<Real>::Input Pass<Real>::source_of(const Operation& op) {
  if (op.input < 0) return {input_, spec_.input_size, op.lookup ? index_.data() : nullptr};
  const std::size_t below = static_cast<std::size_t>(op.input);
  return {outputs(below), ld_[below], nullptr};
}

template <class Real> typename Pass<Real>::Input Pass<Real>::input_of(std::size_t i) {
  if (own_input(i))
    return {own_[i].data(), own_ld(i), spec_.operations[i].lookup ? own_index_[i].data() : nullptr};
  return source_of(spec_.operations[i]);
}

template <class Real> Index Pass<Real>::own_ld(std::size_t i) const {
  return spec_.operations[i].lookup ? 1 : padded<Real>(spec_.operations[i].in);
}

template <class Real> void Pass<Real>::copy_input(std::size_t i, Index b0, Index b1) {
  const Operation& op = spec_.operations[i];
  const Input from = source_of(op);
  const Index ld = own_ld(i);
  for (Index b = b0; b < b1; ++b) {
    const Real* mask = masked_input(i) ? mask_in_[i].data() + b * padded<Real>(op.in) : nullptr;
    for (Index t = 0; t < chunk_->length(*batch_, b); ++t) {
      const Real* x = from.data + row_of(b, t, op.reverse) * from.ld;
      Real* to = own_[i].data() + row_of(b, t, false) * ld;
      if (op.lookup) {
        const int symbol = own_index_[i][row_of(b, t, false)] = from.index[row_of(b, t, op.reverse)];
        *to = mask ? mask[symbol] : Real(1);
        continue;
      }
      if (!mask) std::copy_n(x, op.in, to);
      else
        for (Index j = 0; j < op.in; ++j) to[j] = x[j] * mask[j];
    }
  }
}

// The cotangent of an own input, to where that of what it was made of is.
template <class Real>
void Pass<Real>::give_back_input(std::size_t i, Real* below, Index ld_below, Index b0, Index b1, Index t0,
                                 Index t1) {
  const Operation& op = spec_.operations[i];
  const Index ld = padded<Real>(op.in);
  for (Index b = b0; b < b1; ++b) {
    const Real* mask = masked_input(i) ? mask_in_[i].data() + b * ld : nullptr;
    for (Index t = t0; t < std::min(t1, chunk_->length(*batch_, b)); ++t) {
      const Real* d = d_own_[i].data() + row_of(b, t, false) * ld;
      Real* to = below + row_of(b, t, op.reverse) * ld_below;
      for (Index j = 0; j < op.in; ++j) {
        const Real own = mask ? d[j] * mask[j] : d[j];
        to[j] = op.adds ? to[j] + own : own;
      }
    }
  }
}

// Both halves side by side: step by step, the second reversed back, or the last state of each. The first half
// stands before the second.
template <class Real> void Pass<Real>::join_forward(std::size_t i, Index b0, Index b1) {
  const Operation& op = spec_.operations[i];
  const std::size_t second = static_cast<std::size_t>(op.input), first = second - 1;
  for (Index b = b0; b < b1; ++b) {
    const Index length = chunk_->length(*batch_, b);
    for (Index t = op.steps_out ? 0 : length - 1; t < length; ++t) {
      Real* to = value_[i].data() + (op.steps_out ? row_of(b, t, false) : b) * ld_[i];
      std::copy_n(outputs(first) + row_of(b, t, false) * ld_[first], op.in, to);
      std::copy_n(outputs(second) + row_of(b, t, op.steps_out) * ld_[second], op.in, to + op.in);
    }
  }
}

template <class Real> void Pass<Real>::join_backward(std::size_t i, Index b0, Index b1) {
  const Operation& op = spec_.operations[i];
  const std::size_t second = static_cast<std::size_t>(op.input), first = second - 1;
  for (Index b = b0; b < b1; ++b) {
    const Index length = chunk_->length(*batch_, b);
    for (Index t = op.steps_out ? 0 : length - 1; t < length; ++t) {
      const Real* from = cotangent_[i].data() + (op.steps_out ? row_of(b, t, false) : b) * ld_[i];
      std::copy_n(from, op.in, cotangent_[first].data() + cotangent_row(first, b, t, false) * ld_[first]);
      std::copy_n(from + op.in, op.in,
                  cotangent_[second].data() + cotangent_row(second, b, t, op.steps_out) * ld_[second]);
    }
  }
}

template <class Real>
RecurrentForward<Real> Pass<Real>::forward_arguments(const Weights<Real>& weights, std::size_t i) {
  const Operation& op = spec_.operations[i];
  const Input in = input_of(i);
  Real* kept = ldk_[i] && (use_ == Use::gradient || op.cell == Cell::gru_before) ? kept_[i].data() : nullptr;
  return {in.data,
          in.ld,
          op.in,
          weights.kernel[i],
          weights.recurrent[i],
          weights.bias(op),
          weights.recurrent_bias(op),
          value_[i].data(),
          ld_[i],
          stride_[i],
          op.out,
          kept,
          ldk_[i],
          masked_states(i) ? mask_h_[i].data() : nullptr,
          masked_[i].data(),
          op.activation,
          static_cast<Real>(op.leak),
          in.index};
}

template <class Real>
RecurrentBackward<Real> Pass<Real>::backward_arguments(const Weights<Real>& weights, std::size_t i) {
  const Operation& op = spec_.operations[i];
  return {weights.recurrent_transposed[i],
          value_[i].data(),
          ld_[i],
          stride_[i],
          op.out,
          kept_[i].data(),
          ldk_[i],
          cotangent_[i].data(),
          ld_[i],
          sums_cotangents(i),
          sums_ld(i),
          handed_[i].data(),
          ld_[i],
          masked_states(i) ? mask_h_[i].data() : nullptr,
          masked_[i].data(),
          tape_ ? initial_[i].data() : nullptr,
          !op.last_alone,
          cotangents_by_row(i),
          op.activation,
          static_cast<Real>(op.leak)};
}

template <class Real>
template <class F>
void Pass<Real>::over_pieces(bool steps, Index most, Index b0, Index b1, Index t0, Index t1, F f) const {
  const auto pieces = [&](Index row, Index n) {
    for (Index r = 0; r < n; r += most) f(row + r, std::min(most, n - r));
  };
  const auto row = [&](Index t) { return chunk_->offset[static_cast<std::size_t>(t)]; };
  if (!steps) pieces(b0, std::min(b1, chunk_->B) - b0);
  else if (b0 == 0 && b1 >= chunk_->B) pieces(row(t0), row(t1) - row(t0));
  else over_rows_of_steps(b0, b1, t0, t1, [&](Index first, Index, Index n, Index) { pieces(first, n); });
}

template <class Real>
bool Pass<Real>::forward(const Weights<Real>& weights, Index b0, Index b1, Interrupt* interrupt,
                         Span operations) {
  const Chunk& c = *chunk_;
  const Steps steps = c.steps();
  b1 = std::min(b1, c.B);
  if (b1 <= b0) return true;
  for (std::size_t i = operations.first; i < operations.end; ++i) {
    const Operation& op = spec_.operations[i];
    if (op.type == Type::pool) {
      if (!repeated_) pool_forward(i, b0, b1);
      continue;
    }
    if (op.type == Type::join) {
      join_forward(i, b0, b1);
      continue;
    }
    if (op.type == Type::recurrent) {
      if (own_input(i)) copy_input(i, b0, b1);
      Real* states = value_[i].data();
      std::copy_n(start_of(i) + b0 * ld_[i], (b1 - b0) * ld_[i], states + b0 * ld_[i]);
      const RecurrentForward<Real> args = forward_arguments(weights, i);
      const Index most = most_rows_[i], block = std::max<Index>(1, most / (b1 - b0));
      for (Index r = b0; r < b1; r += most)
        for (Index t = 0; t < c.T; t += block) {
          if (interrupt && (t || r > b0) && interrupt->check()) return false;
          kernels_.recurrent_forward[static_cast<int>(op.cell)](args, steps, t, std::min(c.T, t + block), r,
                                                                std::min(b1, r + most));
        }
      continue;
    }
    const bool to_loss = fused_ && i + 1 == spec_.operations.size();
    Real* y = to_loss ? cotangent_[i].data() : value_[i].data();
    bool go_on = true;
    over_pieces(op.steps_in, most_rows_[i], b0, b1, 0, c.T, [&](Index row, Index n) {
      if (!go_on || (interrupt && row && interrupt->check())) {
        go_on = false;
        return;
      }
      const bool softmax = op.activation == Activation::softmax;
      const Input in = input_of(i);
      if (op.lookup)
        look_up(op, weights.parameters(), in.index + row, n, y + row * ld_[i], ld_[i],
                to_loss ? Activation::identity : op.activation);
      else
        kernels_.affine(
            {in.data + row * in.ld, in.ld, op.in, weights.kernel[i], weights.bias(op), y + row * ld_[i],
             ld_[i], op.out, to_loss || softmax ? Activation::identity : op.activation},
            n);
      if (softmax && !to_loss) kernels_.activate(op.activation, y + row * ld_[i], ld_[i], n, op.out);
    });
    if (!go_on) return false;
  }
  return !(interrupt && interrupt->check());
}

template <class Real> void Pass<Real>::pool_forward(std::size_t i, Index b0, Index b1) {
  const Chunk& c = *chunk_;
  const Operation& op = spec_.operations[i];
  const Input in = input_of(i);
  Real* out = value_[i].data();
  if (op.pool != Pool::last) {
    Real* total = total_[i].data();
    over_rows(true, b0, b1, [&](Index row, Index b, Index n, Index t) {
      if (c.t0 + t == 0) {
        for (Index r = 0; r < n; ++r)
          std::copy_n(in.data + (row + r) * in.ld, op.out, total + (b + r) * ld_[i]);
      } else {
        kernels_.pool_add(op.pool, total + b * ld_[i], ld_[i], in.data + row * in.ld, in.ld, n, op.out);
      }
    });
  }
  for (Index b = b0; b < b1; ++b) {
    const Index length = c.length(*batch_, b);
    Real* to = out + b * ld_[i];
    if (op.pool == Pool::last)
      std::copy_n(in.data + (c.offset[static_cast<std::size_t>(length - 1)] + b) * in.ld, op.out, to);
    else if (op.pool == Pool::mean)
      kernels_.divide(to, total_[i].data() + b * ld_[i], static_cast<Real>(c.t0 + length), op.out);
    else std::copy_n(total_[i].data() + b * ld_[i], op.out, to);
  }
}

// The cotangent of what was pooled, into the operation below: at every step, or for `last` at each row's last
// alone.
template <class Real> void Pass<Real>::pool_backward(std::size_t i, Index b0, Index b1) {
  const Chunk& c = *chunk_;
  const Operation& op = spec_.operations[i];
  const Real* d = cotangent_[i].data();
  const std::size_t under = static_cast<std::size_t>(op.input);  // a pool stands on another operation
  Real* below = cotangent_[under].data();
  const Index ldb = ld_[under];
  Buffer<Real> scaled(op.pool == Pool::mean ? ld_[i] : 0), spent(op.pool == Pool::max ? ld_[i] : 0);
  for (Index b = b0; b < b1; ++b) {
    const Index length = c.length(*batch_, b);
    const Real* from = d + b * ld_[i];
    const auto row = [&](Index t) { return c.offset[static_cast<std::size_t>(t)] + b; };
    if (op.pool == Pool::last) {
      if (b >= c.later())
        std::copy_n(from, op.out,
                    below + cotangent_row(under, b, length - 1, false) * ldb);  // where its last step is here
    } else if (op.pool == Pool::mean) {
      kernels_.divide(scaled.data(), from, static_cast<Real>(batch_->length[static_cast<std::size_t>(b)]),
                      op.out);
      for (Index t = 0; t < length; ++t) std::copy_n(scaled.data(), op.out, below + row(t) * ldb);
    } else {
      const Input in = input_of(i);
      std::copy_n(value_[i].data() + b * ld_[i], op.out, spent.data());
      if (repeated_ && c.t0 > 0) spend(spent.data(), start_of(i) + b * ld_[i], op.out);
      for (Index t = 0; t < length; ++t)
        kernels_.max_backward(below + row(t) * ldb, in.data + row(t) * in.ld, spent.data(), from, op.out);
    }
  }
}

template <class Real> void Pass<Real>::end_rows(Index b0, Index b1) {
  const Chunk& c = *chunk_;
  for (std::size_t i = 0; i < spec_.operations.size(); ++i) {
    if (spec_.operations[i].type != Type::recurrent) continue;
    for (Index b = b0; b < std::min(b1, c.B); ++b) {
      const Index t = c.length(*batch_, b) - 1;
      std::copy_n(value_[i].data() + (c.B + c.offset[static_cast<std::size_t>(t)] + b) * ld_[i], ld_[i],
                  carry_[i].data() + b * ld_[i]);
    }
  }
}

template <class Real>
void Pass<Real>::store_rows(const std::vector<Buffer<Real>>& from, const std::vector<Real*>& out) const {
  for (std::size_t i = 0; i < spec_.operations.size() && !out.empty(); ++i) {
    const Operation& op = spec_.operations[i];
    if (op.type != Type::recurrent) continue;
    for (Index b = 0; b < batch_->size(); ++b)
      for (Index k = 0; k < op.facts().states; ++k)
        std::copy_n(from[i].data() + b * ld_[i] + k * stride_[i], op.out,
                    out[static_cast<std::size_t>(op.layer)] +
                        place_of_state(op, batch_->row[static_cast<std::size_t>(b)], k));
  }
}

template <class Real>
bool Pass<Real>::backward(const Weights<Real>& weights, Index b0, Index b1, Interrupt* interrupt,
                          Span operations, Span blocks) {
  const Chunk& c = *chunk_;
  const Index t0 = block_step_[blocks.first], t1 = block_step_[blocks.end];
  const Steps steps = c.steps();
  b1 = std::min(b1, c.B);
  if (b1 <= b0) return true;
  for (std::size_t i = operations.end; i-- > operations.first;) {
    const Operation& op = spec_.operations[i];
    Real* d = cotangent_[i].data();
    if (op.type == Type::pool) {
      pool_backward(i, b0, b1);
      continue;
    }
    if (op.type == Type::join) {
      join_backward(i, b0, b1);
      continue;
    }
    if (op.type == Type::recurrent) {
      const RecurrentBackward<Real> args = backward_arguments(weights, i);
      const Index most = most_rows_[i], block = std::max<Index>(1, most / (b1 - b0));
      for (Index r = b0; r < b1; r += most)
        for (Index t = t1; t > t0; t -= block) {
          if (interrupt && interrupt->check()) return false;
          kernels_.recurrent_backward[static_cast<int>(op.cell)](args, steps, std::max(t0, t - block), t, r,
                                                                 std::min(b1, r + most));
        }
    } else if (op.activation != Activation::identity && !(fused_ && i + 1 == spec_.operations.size())) {
      over_pieces(op.steps_in, most_rows_[i], b0, b1, t0, t1, [&](Index row, Index n) {
        kernels_.activate_backward(op.activation, value_[i].data() + row * ld_[i], ld_[i], d + row * ld_[i],
                                   ld_[i], n, op.out);
      });
    }
    if (op.input < 0 && (op.lookup || !tape_)) continue;
    d = sums_cotangents(i);
    const Index ldd = sums_ld(i);
    Real* under =
        op.input >= 0 ? cotangent_[static_cast<std::size_t>(op.input)].data() : input_cotangent_.data();
    const Index ld_under = op.input >= 0 ? ld_[static_cast<std::size_t>(op.input)] : input_ld_;
    Real* below = own_input(i) ? d_own_[i].data() : under;
    const Index ldb = own_input(i) ? padded<Real>(op.in) : ld_under;
    bool go_on = true;
    over_pieces(op.steps_in, most_rows_[i], b0, b1, t0, t1, [&](Index row, Index n) {
      if (!go_on || (interrupt && row && interrupt->check())) {
        go_on = false;
        return;
      }
      kernels_.affine({d + row * ldd, ldd, op.gates() * op.out, weights.kernel_transposed[i], nullptr,
                       below + row * ldb, ldb, op.in, Activation::identity, op.adds && !own_input(i)},
                      n);
    });
    if (!go_on) return false;
    if (own_input(i)) give_back_input(i, under, ld_under, b0, b1, t0, t1);
  }
  return !(interrupt && interrupt->check());
}

template <class Real>
bool Pass<Real>::weight_gradients(Real* gradient, int part, int parts, Interrupt* interrupt, Span operations,
                                  Span blocks) {
  // Kernels are cut by their rows, in groups of eight; the parts are as even as that allows.
  constexpr Index group = 8;
  const Chunk& c = *chunk_;
  for (std::size_t i = operations.first; i < operations.end; ++i) {
    const Operation& op = spec_.operations[i];
    if (op.type == Type::pool || op.type == Type::join) continue;
    const Input in = input_of(i);
    const Real* d = sums_cotangents(i);
    const Index ldd = sums_ld(i), N = op.gates() * op.out;
    const Index kernel_rows = op.lookup ? 0 : op.in,
                all = kernel_rows + (op.type == Type::recurrent ? op.out : 0);
    const Index cut0 = part == 0 ? 0 : round_up(all * part / parts, group),
                cut1 = part + 1 == parts ? all : round_up(all * (part + 1) / parts, group);
    // Rows of the stacked matrix [recurrent kernel; kernel] that fall into this part.
    const Index r = op.type == Type::recurrent ? op.out : 0;
    const Index r0 = std::min(cut0, r), r1 = std::min(cut1, r), k0 = std::min(std::max(cut0, r), all) - r,
                k1 = std::min(std::max(cut1, r), all) - r;
    const Span summands = op.steps_in ? blocks : Span{0, 1};
    for (std::size_t q = summands.end; q-- > summands.first;) {
      if (interrupt && interrupt->check()) return false;
      const Segment rows{0, 0, c.B};
      const Segment* segments = &rows;
      Index n = 1;
      Segment whole{};
      if (op.steps_in) {
        const Index first = block_start_[q];
        n = block_start_[q + 1] - first;
        segments = segments_.data() + first;
        const Segment& last = segments[n - 1];
        whole = {segments[0].d, segments[0].d,
                 last.d + last.count - segments[0].d};  // a block's own rows follow one another
      }
      const Segment* own = op.steps_in ? &whole : segments;
      const Index most = std::max(group, 200'000'000 / (std::max<Index>(own->count, 1) * N) / group * group);
      for (Index k = r0; k < r1; k += most) {
        if (k > r0 && interrupt && interrupt->check()) return false;
        for (const CellPiece& piece : op.pieces()) {
          const bool of_h = piece.operand < 0;
          const Real* a = of_h ? (masked_states(i) ? masked_ : value_)[i].data()
                               : kept_[i].data() + piece.operand * op.out;
          kernels_.weight_gradient(
              {a, of_h ? ld_[i] : ldk_[i], op.out, d + piece.column * op.out, ldd, piece.count * op.out,
               of_h ? segments : own, of_h ? n : 1, gradient + op.recurrent + piece.gate * op.out, N},
              k, std::min(r1, k + most));
        }
      }
      for (Index k = k0; k < k1; k += most) {
        if (k > k0 && interrupt && interrupt->check()) return false;
        kernels_.weight_gradient({in.data, in.ld, op.in, d, ldd, N, own, 1, gradient + op.kernel, N}, k,
                                 std::min(k1, k + most));
      }
      if (op.lookup && part + 1 == parts)
        scatter(in.index, in.data, d, ldd, N, own->d, own->count, gradient + op.kernel, sorted_);
      if (part == 0 && op.bias >= 0)
        kernels_.bias_gradient({nullptr, 0, 0, d, ldd, N, own, 1, gradient + op.bias, N});
      if (part == 0 && op.recurrent_bias >= 0)
        for (const CellPiece& piece : op.pieces())
          kernels_.bias_gradient({nullptr, 0, 0, d + piece.column * op.out, ldd, piece.count * op.out, own, 1,
                                  gradient + op.recurrent_bias + piece.gate * op.out, N});
    }
  }
  return true;
}

template class Weights<float>;
template class Weights<double>;
template class Pass<float>;
template class Pass<double>;

}  // namespace elman
