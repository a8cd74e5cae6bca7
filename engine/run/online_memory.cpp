// What a learner must remember for the same bits onward, as one row of numbers.
#include <algorithm>

#include "run/online.h"

namespace elman {

template <class Real> Index Online<Real>::memory_size(Index steps) const {
  Index size = steps * network_.spec.input_size;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    size += (steps + 1) * parts_[i].ld + steps * parts_[i].ldk;
    if (tangents_) size += tangents_->rows(i) * tangents_->columns(i);
  }
  return size;
}

template <class Real> void Online<Real>::save(Real* out) const {
  const Index steps = remembered(), first = at_ - steps, F = network_.spec.input_size;
  const auto put = [&](const Real* from, Index size) { out = std::copy_n(from, size, out); };
  if (network_.spec.symbols) out = std::copy_n(index_.data() + first, steps, out);  // exact: below 2^20
  else put(x_.data() + first * F, steps * F);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    put(part.states(first), (steps + 1) * part.ld);
    if (part.ldk) put(part.kept_at(first), steps * part.ldk);
    for (Index r = 0; tangents_ && r < tangents_->rows(i); ++r) {
      const Index columns = tangents_->columns(i);
      // The tangents of other operations are made anew in each step.
      if (part.recurrent()) put(tangents_->states(i, count_ - 1) + r * tangents_->ld(i), columns);
      else out = std::fill_n(out, columns, Real(0));
    }
  }
}

template <class Real> bool Online<Real>::readable(Index steps, const Real* from) const {
  const Index n = network_.spec.symbols;
  const auto is_symbol = [&](Real x) {
    return x >= 0 && x < static_cast<Real>(n) && x == static_cast<Real>(static_cast<int>(x));
  };
  return !n || std::all_of(from, from + steps, is_symbol);
}

template <class Real> void Online<Real>::load(Index steps, const Real* from) {
  reset();
  move(0, 0, std::max(room_, steps + 1));
  at_ = steps;
  const auto get = [&](Real* to, Index size) {
    std::copy_n(from, size, to);
    from += size;
  };
  get(x_.data(), steps * network_.spec.input_size);
  for (Index t = 0; network_.spec.symbols && t < steps; ++t) {
    index_[t] = static_cast<int>(x_[t]);
    x_[t] = 1;
  }
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    Part& part = parts_[i];
    get(part.value.data(), (steps + 1) * part.ld);
    if (part.ldk) get(part.kept.data(), steps * part.ldk);
    for (Index r = 0; tangents_ && r < tangents_->rows(i); ++r) {
      const Index columns = tangents_->columns(i);
      if (part.recurrent()) get(tangents_->states(i, -1) + r * tangents_->ld(i), columns);
      else from += columns;
    }
  }
}

#define ELMAN_INSTANTIATE(Real)                                   \
  template Index Online<Real>::memory_size(Index) const;          \
  template void Online<Real>::save(Real*) const;                  \
  template bool Online<Real>::readable(Index, const Real*) const; \
  template void Online<Real>::load(Index, const Real*);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
