// The rows of one minibatch, sorted by length, and the steps of one chunk of them.
#pragma once

#include <vector>

#include "core/data.h"
#include "core/memory.h"

namespace elman {

// Rows longest first, so that those alive at a step are always the first ones. Equal lengths keep their
// order.
struct Batch {
  std::vector<Index> row;        // [B] index of the sequence
  std::vector<Index> start;      // [B] its first step in the data
  std::vector<Index> length;     // [B]
  Index longest = 0, steps = 0;  // longest row, all steps
  Index shape = 0;               // another number when the lengths are no longer those of the batch before

  Index size() const { return static_cast<Index>(row.size()); }
  void assign(const Data& data, const std::int64_t* rows, Index n);
  void assign_range(const Data& data, Index first, Index n);   // rows first .. first + n
  void assign_slice(const Batch& from, Index first, Index n);  // n of another's rows, in its order

 private:
  void sort(const Data& data);
};

// Steps t0 .. t1 of a batch: the rows that are that long, and where their steps lie.
struct Chunk {
  Index t0 = 0, B = 0, T = 0, N = 0;
  std::vector<Index> active, offset;  // [T + 1]
  Index stamp = 0;                    // no other cut of any chunk has this number

  Steps steps() const { return {T, B, active.data(), offset.data()}; }
  void outline(const Batch& batch, Index t0, Index most);  // all but where the steps lie
  // `goes_on`: the cotangents of later steps will be handed to its end.
  void cut(const Batch& batch, Index t0, Index most, bool goes_on = false);
  Index later() const { return active[static_cast<std::size_t>(T)]; }  // rows that go on so
  // steps of row b in here
  Index length(const Batch& batch, Index b) const {
    return batch.length[static_cast<std::size_t>(b)] - t0 < T ? batch.length[static_cast<std::size_t>(b)] - t0
                                                              : T;
  }
  bool ends(const Batch& batch, Index b) const { return batch.length[static_cast<std::size_t>(b)] <= t0 + T; }
};

// Cuts rows [0, B) for `parts` threads so that each has about as many steps, at multiples of `grain` rows:
// parts + 1 bounds.
void split_rows(std::vector<Index>& bounds, const Batch& batch, Index B, int parts, Index grain);

}  // namespace elman
