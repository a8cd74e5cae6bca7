// Sequences and networks to try the engine on, and what was found.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <vector>

#include "core/data.h"
#include "core/index.h"
#include "pass/network.h"
#include "run/stream.h"

namespace elman::smoke {

inline int checks = 0;                                // that have passed
inline std::uint64_t bits = 14695981039346656037ull;  // of every result so far (FNV-1a, number by number)

template <class Value> void add_bits(const Value* values, Index n) {
  for (Index i = 0; i < n; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, values + i, sizeof(Value));
    bits = (bits ^ word) * 1099511628211ull;
  }
}

inline void expect(bool condition, const char* what) {
  ++checks;
  if (condition) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

struct Random {
  std::uint64_t state = 1;
  double next() {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<double>(state >> 11) / 9007199254740992.0 - 0.5;
  }
};

template <class Real> struct Problem {
  std::vector<Real> x;
  std::vector<std::int32_t> integers;  // instead of x, if there are symbols
  std::vector<std::int64_t> offsets{0};
  Index n, F;
  Problem(Index rows, Index features, Index longest, Index symbols = 0) : n(rows), F(symbols ? 1 : features) {
    Random random;
    for (Index i = 0; i < n; ++i) offsets.push_back(offsets.back() + 1 + (i * 7) % longest);
    for (std::int64_t i = 0; i < offsets.back() * F; ++i) x.push_back(static_cast<Real>(random.next()));
    for (std::int64_t i = 0; symbols && i < offsets.back(); ++i)
      integers.push_back(static_cast<std::int32_t>((random.next() + 0.5) * static_cast<double>(symbols)));
  }
  // Any learner or stream, one step on.
  template <class Machine> void step(Machine& machine, std::int64_t t, Real* y) const {
    if (integers.empty()) machine.step(x.data() + t * F, y);
    else if constexpr (std::is_same_v<Machine, Stream<Real>>) machine.step(integers.data() + t, y);
    else machine.step(static_cast<int>(integers[to_size(static_cast<Index>(t))]), y);
  }
  Data data() const {
    if (!integers.empty())
      return {integers.data(), Dtype::i32, static_cast<Index>(offsets.back()), 1, offsets.data(), n};
    return {x.data(),
            sizeof(Real) == 4 ? Dtype::f32 : Dtype::f64,
            static_cast<Index>(offsets.back()),
            F,
            offsets.data(),
            n};
  }
};

template <class Real> void fill(Network<Real>& net) {
  Random random;
  for (Index i = 0; i < net.spec.parameter_count; ++i) net.parameters[i] = static_cast<Real>(random.next());
}

}  // namespace elman::smoke
