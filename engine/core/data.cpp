#include "core/data.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

namespace elman {
namespace {

struct Half {
  std::uint16_t bits;
};

inline float value_of(Half h) {
  const std::uint32_t sign = std::uint32_t(h.bits & 0x8000u) << 16, exponent = (h.bits >> 10) & 31u,
                      mantissa = h.bits & 0x3ffu;
  std::uint32_t bits = sign;
  if (exponent == 31) {
    bits |= 0x7f800000u | (mantissa << 13);
  } else if (exponent) {
    bits |= ((exponent + 112) << 23) | (mantissa << 13);
  } else {
    const float small = static_cast<float>(mantissa) * 5.9604644775390625e-08f;  // 2^-24
    return sign ? -small : small;
  }
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
template <class Value> inline Value value_of(Value x) { return x; }

// Calls f with a pointer of the values' type.
template <class F> auto typed(Dtype dtype, const void* p, F f) {
  switch (dtype) {
    case Dtype::f16: return f(static_cast<const Half*>(p));
    case Dtype::f32: return f(static_cast<const float*>(p));
    case Dtype::f64: return f(static_cast<const double*>(p));
    case Dtype::i8: return f(static_cast<const std::int8_t*>(p));
    case Dtype::i16: return f(static_cast<const std::int16_t*>(p));
    case Dtype::i32: return f(static_cast<const std::int32_t*>(p));
    case Dtype::i64: return f(static_cast<const std::int64_t*>(p));
    case Dtype::u16: return f(static_cast<const std::uint16_t*>(p));
    case Dtype::u32: return f(static_cast<const std::uint32_t*>(p));
    case Dtype::u64: return f(static_cast<const std::uint64_t*>(p));
    default: return f(static_cast<const std::uint8_t*>(p));
  }
}

}  // namespace

template <class Real> void Data::copy(Index first, Index count, Real* out, Index stride) const {
  typed(dtype, values, [&](auto p) {
    p += first * F;
    for (Index t = 0; t < count; ++t, out += stride)
      for (Index f = 0; f < F; ++f) out[f] = static_cast<Real>(value_of(*p++));
  });
}
template void Data::copy(Index, Index, float*, Index) const;
template void Data::copy(Index, Index, double*, Index) const;

namespace {

// Integers of any type below n, as what int holds; the others, halves and floats among them, as -1.
template <class Value> inline int symbol_of(Value x, Index n) {
  if constexpr (std::is_integral_v<Value>)
    return std::cmp_greater_equal(x, 0) && std::cmp_less(x, n) ? static_cast<int>(x) : -1;
  else return -1;
}

}  // namespace

void Data::copy_symbols(Index first, Index count, Index symbols, int* out, Index stride) const {
  typed(dtype, values, [&](auto p) {
    p += first;
    for (Index t = 0; t < count; ++t, out += stride) *out = std::max(0, symbol_of(*p++, symbols));
  });
}

Index Data::first_outside(Index symbols, const std::function<bool()>& stop) const {
  return typed(dtype, values, [&](auto p) -> Index {
    constexpr Index between_looks = 1 << 20;
    for (Index i = 0; i < N; ++i) {
      if (i % between_looks == 0 && i && stop()) return -1;
      if (symbol_of(p[i], symbols) < 0) return i;
    }
    return -1;
  });
}

namespace {

template <class Value> inline bool is_bad(Value x, double largest) {
  return !(x <= static_cast<Value>(largest) && x >= static_cast<Value>(-largest));
}
inline bool is_bad(Half x, double) { return (x.bits & 0x7c00u) == 0x7c00u; }

}  // namespace

Index Data::first_bad(bool float32, const std::function<bool()>& stop) const {
  if (dtype > Dtype::f64) return -1;  // whole numbers are finite in float32 too
  const double largest = float32 || dtype == Dtype::f32 ? double(std::numeric_limits<float>::max())
                                                        : std::numeric_limits<double>::max();
  return typed(dtype, values, [&](auto p) -> Index {
    constexpr Index block = 1024, between_looks = 1 << 22;
    const Index total = N * F;
    for (Index i = 0; i < total; i += block) {
      if (i % between_looks == 0 && i && stop()) return -1;
      const Index end = i + block < total ? i + block : total;
      int bad = 0;
      for (Index j = i; j < end; ++j) bad |= is_bad(p[j], largest);
      if (bad)
        for (Index j = i; j < end; ++j)
          if (is_bad(p[j], largest)) return j / F;
    }
    return -1;
  });
}

}  // namespace elman
