// What goes into a pass and comes out of it row by row: inputs, states, masks.
#include <algorithm>

#include "core/layout.h"
#include "pass/pass.h"

namespace elman {

using Type = Operation::Type;

template <class Real> void Pass<Real>::gather(const Data& data, Index b0, Index b1) {
  const Chunk& c = *chunk_;
  if (input_ != x_.data()) return;
  const bool even = c.alive(c.T - 1) == c.B;  // all rows are alive to the end, and their steps lie evenly
  // Steps of one row, from the caller's memory to rows `apart` from each other.
  const auto copy = [&](Index from, Index count, Index row, Index apart) {
    if (spec_.symbols) data.copy_symbols(from, count, spec_.symbols, index_.data() + row, apart);
    else data.copy(from, count, x_.data() + row * data.F, apart * data.F);
  };
  for (Index b = b0; b < std::min(b1, c.B); ++b) {
    const Index first = batch_->start[to_size(b)] + c.t0, steps = c.length(*batch_, b);
    if (even) {
      copy(first, steps, b, c.B);
    } else {
      for (Index t = 0; t < steps; ++t) copy(first + t, 1, c.row(t, b), 1);
    }
  }
}

template <class Real>
void Pass<Real>::begin_rows(const std::vector<const Real*>& initial, const Dropout* dropout, Index b0,
                            Index b1) {
  for (Part& part : parts_) {
    if (part.op.type != Type::recurrent) continue;
    const Real* from = initial.empty() ? nullptr : initial[to_size(part.op.layer)];
    for (Index b = b0; b < b1; ++b) {
      begin_row(part, from, b);
      if (dropout) draw_masks(part, *dropout, b);
    }
  }
}

template <class Real> void Pass<Real>::begin_row(Part& part, const Real* initial, Index b) {
  const Operation& op = part.op;
  Real* to = part.carry.data() + b * part.ld;
  if (!initial) {
    std::fill_n(to, part.ld, Real(0));
    return;
  }
  for (Index k = 0; k < op.states(); ++k) {
    const Real* state = initial + place_of_state(op, batch_->row[to_size(b)], k);
    std::copy_n(state, op.out, to + k * part.stride);
  }
}

template <class Real> void Pass<Real>::draw_masks(Part& part, const Dropout& dropout, Index b) {
  const Operation& op = part.op;
  const Index row = batch_->row[to_size(b)];
  const std::uint64_t stream = static_cast<std::uint64_t>(4 * op.layer + 2 * op.direction);
  if (op.dropout > 0) {
    Real* mask = part.mask_in.data() + b * padded<Real>(op.in);
    dropout.mask(row, stream, op.dropout, op.in, mask);
  }
  if (op.recurrent_dropout > 0) {
    Real* mask = part.mask_h.data() + b * part.ld;
    dropout.mask(row, stream + 1, op.recurrent_dropout, op.out, mask);
  }
}

template <class Real> void Pass<Real>::end_rows(Index b0, Index b1) {
  const Chunk& c = *chunk_;
  for (Part& part : parts_) {
    if (part.op.type != Type::recurrent) continue;
    for (Index b = b0; b < std::min(b1, c.B); ++b) {
      const Index after = state_row(c.length(*batch_, b), b);
      std::copy_n(part.value.data() + after * part.ld, part.ld, part.carry.data() + b * part.ld);
    }
  }
}

template <class Real>
void Pass<Real>::store_states(Buffer<Real> Part::*states, const std::vector<Real*>& out) const {
  if (out.empty()) return;
  for (const Part& part : parts_) {
    const Operation& op = part.op;
    if (op.type != Type::recurrent) continue;
    for (Index b = 0; b < batch_->size(); ++b)
      for (Index k = 0; k < op.states(); ++k) {
        const Real* from = (part.*states).data() + b * part.ld + k * part.stride;
        Real* to = out[to_size(op.layer)] + place_of_state(op, batch_->row[to_size(b)], k);
        std::copy_n(from, op.out, to);
      }
  }
}

template <class Real> typename Pass<Real>::Input Pass<Real>::source_of(const Part& part) {
  if (part.op.input < 0) return {input_, spec_.input_size, part.op.lookup ? index_.data() : nullptr};
  Part& below = part_below(part);
  return {outputs(below), below.ld, nullptr};
}

template <class Real> typename Pass<Real>::Input Pass<Real>::input_of(const Part& part) {
  if (!own_input(part)) return source_of(part);
  return {part.own.data(), own_ld(part), part.op.lookup ? part.own_index.data() : nullptr};
}

template <class Real> Index Pass<Real>::own_ld(const Part& part) const {
  return part.op.lookup ? 1 : padded<Real>(part.op.in);
}

template <class Real> const Real* Pass<Real>::input_mask(const Part& part, Index b) const {
  return masked_input(part) ? part.mask_in.data() + b * padded<Real>(part.op.in) : nullptr;
}

template <class Real> void Pass<Real>::copy_input(Part& part, Index b0, Index b1) {
  const Operation& op = part.op;
  const Input from = source_of(part);
  for (Index b = b0; b < b1; ++b) {
    const Real* mask = input_mask(part, b);
    for (Index t = 0; t < chunk_->length(*batch_, b); ++t) {
      const Index source = row_of(b, t, op.reverse), own = row_of(b, t, false);
      const Real* x = from.data + source * from.ld;
      Real* to = part.own.data() + own * own_ld(part);
      if (op.lookup) {
        const int symbol = part.own_index[own] = from.index[source];
        *to = mask ? mask[symbol] : Real(1);
      } else if (mask) {
        for (Index j = 0; j < op.in; ++j) to[j] = x[j] * mask[j];
      } else {
        std::copy_n(x, op.in, to);
      }
    }
  }
}

template <class Real>
void Pass<Real>::give_back_input(const Part& part, Real* below, Index ld_below, Index b0, Index b1, Index t0,
                                 Index t1) {
  const Operation& op = part.op;
  const Index ld = padded<Real>(op.in);
  for (Index b = b0; b < b1; ++b) {
    const Real* mask = input_mask(part, b);
    for (Index t = t0; t < std::min(t1, chunk_->length(*batch_, b)); ++t) {
      const Real* d = part.d_own.data() + row_of(b, t, false) * ld;
      Real* to = below + row_of(b, t, op.reverse) * ld_below;
      for (Index j = 0; j < op.in; ++j) {
        const Real own = mask ? d[j] * mask[j] : d[j];
        to[j] = op.adds ? to[j] + own : own;
      }
    }
  }
}

template <class Real> Footprint<Real> Pass<Real>::footprint(std::size_t i, Index b, Index t) {
  Part& part = parts_[i];
  const Index row = chunk_->row(t, b);
  const Index in_row = part.op.steps_in ? row : b, out_row = part.op.steps_out ? row : b;
  const Input in = input_of(part);
  Footprint<Real> at{};
  at.in = in.data + in_row * in.ld;
  if (part.op.type == Type::recurrent) at.before = part.value.data() + state_row(t, b) * part.ld;
  at.after = outputs(part) + out_row * part.ld;
  if (part.ldk) at.kept = part.kept.data() + row * part.ldk;
  if (in.index) at.index = in.index + row;
  return at;
}

#define ELMAN_INSTANTIATE(Real)                                                                        \
  template void Pass<Real>::gather(const Data&, Index, Index);                                         \
  template void Pass<Real>::begin_rows(const std::vector<const Real*>&, const Dropout*, Index, Index); \
  template void Pass<Real>::end_rows(Index, Index);                                                    \
  template void Pass<Real>::store_states(Buffer<Real> Part::*, const std::vector<Real*>&) const;       \
  template Pass<Real>::Input Pass<Real>::input_of(const Part&);                                        \
  template Index Pass<Real>::own_ld(const Part&) const;                                                \
  template void Pass<Real>::copy_input(Part&, Index, Index);                                           \
  template void Pass<Real>::give_back_input(const Part&, Real*, Index, Index, Index, Index, Index);    \
  template Footprint<Real> Pass<Real>::footprint(std::size_t, Index, Index);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
