// Sequences and answers as the engine reads them: the caller's memory, never copied as a whole.
#pragma once

#include <cstdint>
#include <functional>

#include "kernels/table.h"

namespace elman {

enum class Dtype : int { f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, boolean };

// n sequences one after the other: sequence i is the rows offsets[i] .. offsets[i + 1] of values [N, F].
struct Data {
  const void* values;
  Dtype dtype;
  Index N, F;
  const std::int64_t* offsets;  // [n + 1]
  Index n;

  Index length(Index i) const { return static_cast<Index>(offsets[i + 1] - offsets[i]); }

  // Steps first .. first + count of the flat buffer to out, rows `stride` apart.
  template <class Real> void copy(Index first, Index count, Real* out, Index stride) const;
  // The same of integers, F being 1; what is not below `symbols`, because the caller's memory has changed
  // since it was checked, counts as 0.
  void copy_symbols(Index first, Index count, Index symbols, int* out, Index stride) const;
  // First step that holds an integer outside 0 .. symbols - 1; -1 none. `stop` as below.
  Index first_outside(Index symbols, const std::function<bool()>& stop) const;
  bool integers() const { return dtype >= Dtype::i8 && dtype <= Dtype::u64; }
  // First step that holds NaN, infinity or (float32) what overflows; -1 none. `stop` is asked now and then;
  // true: gives up.
  Index first_bad(bool float32, const std::function<bool()>& stop) const;
};

// One answer a row: a class or -1; or C numbers, NaN where there is none.
template <class Real> struct Answers {
  const long long* classes;
  const Real* values;
  Index rows, C;
  bool missing;                        // is any answer missing?
  const double* class_weight;          // [C] what an answer of each class counts, or null: 1
  const double* row_weight = nullptr;  // [rows] what each answer counts, or null: 1; 0 is no answer

  bool given(Index row) const {
    if (classes) return classes[row] >= 0;
    for (Index j = 0; j < C; ++j)
      if (values[row * C + j] == values[row * C + j]) return true;
    return false;
  }
  // What the answer of a row counts, before its sequence's weight.
  double weight(Index row) const {
    const double own = row_weight ? row_weight[row] : 1.0;
    if (!class_weight) return given(row) ? own : 0.0;
    const long long c = classes[row];
    return c >= 0 && c < C ? own * class_weight[c] : 0.0;
  }
};

}  // namespace elman
