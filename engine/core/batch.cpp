#include "core/batch.h"

#include <algorithm>
#include <atomic>
#include <numeric>

namespace elman {

void Batch::assign(const Data& data, const std::int64_t* rows, Index n) {
  row.assign(rows, rows + n);
  sort(data);
}

void Batch::assign_range(const Data& data, Index first, Index n) {
  row.resize(to_size(n));
  std::iota(row.begin(), row.end(), first);
  sort(data);
}

void Batch::assign_slice(const Batch& from, Index first, Index n) {
  const auto copy = [&](std::vector<Index>& to, const std::vector<Index>& of) {
    to.assign(of.begin() + first, of.begin() + first + n);
  };
  copy(row, from.row);
  copy(start, from.start);
  if (!std::equal(length.begin(), length.end(), from.length.begin() + first, from.length.begin() + first + n))
    ++shape;
  copy(length, from.length);
  longest = n ? length[0] : 0;
  steps = std::accumulate(length.begin(), length.end(), Index(0));
}

void Batch::sort(const Data& data) {
  const auto longer = [&](Index a, Index b) { return data.length(a) > data.length(b); };
  if (!std::is_sorted(row.begin(), row.end(), longer)) std::stable_sort(row.begin(), row.end(), longer);
  const std::size_t n = row.size();
  bool same = n == length.size();
  start.resize(n);
  length.resize(n);
  steps = 0;
  for (std::size_t b = 0; b < n; ++b) {
    const Index own = data.length(row[b]);
    start[b] = static_cast<Index>(data.offsets[row[b]]);
    same = same && length[b] == own;
    length[b] = own;
    steps += own;
  }
  if (!same) ++shape;
  longest = n ? length[0] : 0;
}

void Chunk::outline(const Batch& batch, Index first, Index most) {
  t0 = first;
  T = std::min(most, batch.longest - first);
  B = batch.size();
  while (B > 0 && batch.length[to_size(B - 1)] <= t0) --B;
  N = 0;
  for (Index b = 0; b < B; ++b) N += length(batch, b);
}

void Chunk::cut(const Batch& batch, Index first, Index most, bool goes_on) {
  outline(batch, first, most);
  static std::atomic<Index> cuts{0};
  stamp = ++cuts;
  active.resize(to_size(T + 1));
  offset.resize(to_size(T + 1));
  Index alive = B;
  N = 0;
  for (Index t = 0; t < T; ++t) {
    while (alive > 0 && batch.length[to_size(alive - 1)] <= t0 + t) --alive;
    active[to_size(t)] = alive;
    offset[to_size(t)] = N;
    N += alive;
  }
  while (alive > 0 && (!goes_on || batch.length[to_size(alive - 1)] <= t0 + T)) --alive;
  active[to_size(T)] = alive;
  offset[to_size(T)] = N;
}

void split_rows(std::vector<Index>& bounds, const Batch& batch, Index B, int parts, Index grain) {
  bounds.assign(1, 0);
  Index total = 0;
  for (Index b = 0; b < B; ++b) total += batch.length[to_size(b)];
  Index sum = 0, b = 0;
  for (int p = 1; p < parts; ++p) {
    while (b < B && sum * parts < total * p) sum += batch.length[to_size(b++)];
    const Index rounded = std::min(B, (b + grain / 2) / grain * grain);
    bounds.push_back(std::max(bounds.back(), rounded));
  }
  bounds.push_back(B);
}

}  // namespace elman
