// How rows of numbers lie in memory.
#pragma once

#include "core/index.h"
#include "core/spec.h"

namespace elman {

// Numbers in a line of the cache.
template <class Real> constexpr Index lanes = 64 / static_cast<Index>(sizeof(Real));

// The distance between rows that start on a line of the cache.
template <class Real> Index whole_lines(Index columns) { return round_up(columns, lanes<Real>); }

// The same, but never a multiple of 1024 bytes: such rows would fall on few sets of the first cache.
template <class Real> Index padded(Index columns) {
  const Index ld = whole_lines<Real>(columns);
  return ld * static_cast<Index>(sizeof(Real)) % 1024 == 0 ? ld + lanes<Real> : ld;
}

// The distance between the states of one row, h and c, in a buffer of states.
template <class Real> Index state_stride(const Operation& op) { return whole_lines<Real>(op.out); }

// Where state k of this half of a layer begins in an array [n, state size]: h of both halves comes first,
// then c of both for an LSTM.
inline Index place_of_state(const Operation& op, Index row, Index k) {
  return ((row * op.facts().states + k) * op.directions + op.direction) * op.out;
}

}  // namespace elman
