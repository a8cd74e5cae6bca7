// The rows of one minibatch, sorted by length, and the steps of one chunk of them.
#pragma once

#include <vector>

#include "core/data.h"
#include "core/index.h"

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

// Steps t0 .. t0 + T of a batch: the rows that are that long, and where their steps lie.
struct Chunk {
  Index t0 = 0;
  Index B = 0;                        // rows
  Index T = 0;                        // steps of the longest row
  Index N = 0;                        // steps of all rows
  std::vector<Index> active, offset;  // [T + 1], as Steps has them
  Index stamp = 0;                    // no other cut of any chunk has this number

  Steps steps() const { return {T, B, active.data(), offset.data()}; }
  // Everything but where the steps lie.
  void outline(const Batch& batch, Index t0, Index most);
  // `goes_on`: the cotangents of later steps will be handed to its end.
  void cut(const Batch& batch, Index t0, Index most, bool goes_on = false);

  // The rows that have a step t are the first `alive(t)` of the batch; that of row b lies at row(t, b).
  Index alive(Index t) const { return active[to_size(t)]; }
  Index row(Index t, Index b) const { return offset[to_size(t)] + b; }
  // Rows whose later steps hand their cotangents to the end of the chunk.
  Index later() const { return alive(T); }
  // Steps of row b in here.
  Index length(const Batch& batch, Index b) const {
    const Index rest = batch.length[to_size(b)] - t0;
    return rest < T ? rest : T;
  }
  // Is the last step of row b in here?
  bool ends(const Batch& batch, Index b) const { return batch.length[to_size(b)] <= t0 + T; }
};

// Cuts rows [0, B) for `parts` threads so that each has about as many steps, at multiples of `grain` rows:
// parts + 1 bounds.
void split_rows(std::vector<Index>& bounds, const Batch& batch, Index B, int parts, Index grain);

}  // namespace elman
