#include "run/run.h"

#include <algorithm>
#include <atomic>

#include "run/by_sequence.h"
#include "runtime/denormals.h"
#include "runtime/threads.h"

namespace elman {
namespace {

// Multiply-adds of all steps; an operation costs some for each row of a step beside its product.
Index work_of(const Spec& spec, const Data& data) {
  constexpr Index of_operation = 64;
  return data.N * (work_per_step(spec) + of_operation * static_cast<Index>(spec.operations.size()));
}

// One forward run: groups of rows of about the same length, each small enough for a core's own cache. Every
// group is one thread's.
template <class Real> class Forward {
 public:
  Forward(const Network<Real>& network, const Data& data, Wanted<Real>& wanted, Interrupt& interrupt,
          int n_threads)
      : network_(network),
        spec_(network.spec),
        data_(data),
        wanted_(wanted),
        own_(network.workspace()),
        fused_(wanted.answers && fused(spec_, wanted.loss)) {
    const Index work = work_of(spec_, data);
    small_ = work < 2'000'000;
    look_ = small_ ? nullptr : &interrupt;
    threads_ = threads_for(work, n_threads);
    own_->all.assign_range(data, 0, data.n);
    group_ = rows_of_a_group();
    own_->weights.prepare(spec_, network.parameters.data(), std::min(group_, data.n), false, false, threads_);
    initial_.assign(wanted.carry.begin(), wanted.carry.end());
    if (initial_.empty()) initial_ = wanted.initial;
    if (wanted.answers) sums_.assign(to_size(sum_count * data.n), 0.0);
    if (!wanted.carry.empty())
      for (const Index size : spec_.state_sizes) after_.push_back(held_.emplace_back(data.n * size).data());
  }

  bool run() {
    const Index groups = (data_.n + group_ - 1) / group_;
    std::atomic<Index> next{0};
    std::atomic<bool> whole{true};
    const auto work = [&](int part) {
      std::unique_ptr<Workspace<Real>> other = part ? std::make_unique<Workspace<Real>>(spec_) : nullptr;
      Workspace<Real>& space = part ? *other : *own_;
      Rows<Real> rows;
      for (Index g = next++; g < groups && whole.load(); g = next++)
        if (!run_group(space, rows, g * group_)) whole.store(false);
    };
    parallel(static_cast<int>(std::min<Index>(threads_, groups)), work, look_);
    for (std::size_t i = 0; i < sums_.size(); ++i) wanted_.sums.v[i % to_size(sum_count)] += sums_[i];
    if (!whole.load()) return false;
    if (small_) network_.leave(std::move(own_));
    for (std::size_t i = 0; i < after_.size(); ++i)
      std::copy_n(after_[i], data_.n * spec_.state_sizes[i], wanted_.carry[i]);
    return true;
  }

 private:
  // Rows that cannot be cut in time are kept whole, so there are fewer of long ones at once.
  Index rows_of_a_group() const {
    const Index most = spec_.whole_rows ? std::clamp<Index>(65536 / own_->all.longest, 1, 64) : 64;
    const Index even = round_up(data_.n / threads_, 8);
    return std::clamp<Index>(even, std::min<Index>(8, most), most);
  }

  bool run_group(Workspace<Real>& space, Rows<Real>& rows, Index first) {
    Pass<Real>& pass = space.pass;
    Batch& batch = space.batch;
    const Index count = std::min(group_, data_.n - first);
    batch.assign_slice(own_->all, first, count);
    pass.reserve_rows(batch, wanted_.dropout != nullptr);
    pass.begin_rows(initial_, wanted_.dropout, 0, count);
    const Index most = spec_.whole_rows ? batch.longest : std::max<Index>(1, 1024 / count);
    for (Index t0 = 0; t0 < batch.longest; t0 += most) {
      space.chunk.cut(batch, t0, most);
      if (!run_chunk(pass, batch, space.chunk)) return false;
      if (wanted_.outputs) copy_outputs(pass, spec_, batch, space.chunk, wanted_.outputs);
      if (!wanted_.states.empty()) copy_states(pass, spec_, batch, space.chunk, wanted_.states);
      if (wanted_.answers) add_losses(pass, rows, batch, space.chunk);
    }
    pass.store_rows(after_);
    return true;
  }

  bool run_chunk(Pass<Real>& pass, const Batch& batch, const Chunk& chunk) {
    pass.prepare(data_, batch, chunk, wanted_.answers ? Use::loss : Use::states, fused_, false);
    pass.gather(data_, 0, chunk.B);
    if (!pass.forward(own_->weights, 0, chunk.B, look_)) return false;
    pass.end_rows(0, chunk.B);
    return true;
  }

  // A row's sums go on from step to step, however its steps are cut: the cuts depend on the number of
  // threads.
  void add_losses(Pass<Real>& pass, Rows<Real>& rows, const Batch& batch, const Chunk& chunk) {
    const Objective objective{wanted_.loss, false, 0, wanted_.weights};
    rows.prepare(spec_, data_, *wanted_.answers, objective, batch, chunk);
    const auto so_far = [&](Index b) { return sums_.data() + sum_count * batch.row[to_size(b)]; };
    const auto here = [&](Index b) { return rows.sums.data() + sum_count * b; };
    for (Index b = 0; b < chunk.B; ++b) std::copy_n(so_far(b), sum_count, here(b));
    rows.run(pass, spec_, *wanted_.answers, wanted_.loss, 0, 0, chunk.B, false);
    for (Index b = 0; b < chunk.B; ++b) std::copy_n(here(b), sum_count, so_far(b));
  }

  const Network<Real>& network_;
  const Spec& spec_;
  const Data& data_;
  Wanted<Real>& wanted_;
  std::unique_ptr<Workspace<Real>> own_;
  const bool fused_;
  bool small_ = false;  // it leaves its workspace to the next run, and is never interrupted
  Interrupt* look_ = nullptr;
  int threads_ = 1;
  Index group_ = 1;                   // rows
  std::vector<const Real*> initial_;  // [n, state size] a recurrent layer, or empty
  std::vector<double> sums_;          // [n, 5]
  // The states after the call: the caller's are overwritten only when all went well.
  std::vector<Buffer<Real>> held_;
  std::vector<Real*> after_;
};

}  // namespace

template <class Real>
bool run_forward(const Network<Real>& network, const Data& data, Wanted<Real>& wanted, Interrupt& interrupt,
                 int n_threads) {
  const FlushDenormals mode;
  return Forward<Real>(network, data, wanted, interrupt, n_threads).run();
}

#define ELMAN_INSTANTIATE(Real) \
  template bool run_forward(const Network<Real>&, const Data&, Wanted<Real>&, Interrupt&, int);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
