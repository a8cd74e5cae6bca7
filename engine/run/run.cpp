#include "run/run.h"

#include <algorithm>

#include "runtime/denormals.h"
#include "runtime/threads.h"

namespace elman {
namespace {

using Type = Operation::Type;

// Rows of one operation's buffer to the caller's order, `ldo` apart: per step at the step, per sequence at
// the sequence (where it ends in this chunk).
template <class Real, class Pass>
void give_back(const Pass& pass, const Batch& batch, const Chunk& chunk, bool steps, const Real* from,
               Index ld, Index columns, Real* out, Index ldo, bool reverse = false) {
  pass.over_rows(steps, 0, chunk.B, [&](Index row, Index b, Index count, Index t) {
    for (Index r = 0; r < count; ++r) {
      const std::size_t s = static_cast<std::size_t>(b + r);
      if (!steps && !chunk.ends(batch, b + r)) continue;
      const Index to = steps ? batch.start[s] + chunk.t0 + t : batch.row[s];
      std::copy_n(from + (reverse ? pass.row_of(b + r, t, true) : row + r) * ld, columns, out + to * ldo);
    }
  });
}

template <class Real>
void give_states(Pass<Real>& pass, const Spec& spec, const Batch& batch, const Chunk& chunk,
                 const std::vector<Real*>& out) {
  for (std::size_t i = 0; i < spec.operations.size(); ++i) {
    const Operation& op = spec.operations[i];
    if (op.type == Type::recurrent)
      give_back<Real>(pass, batch, chunk, true, pass.outputs(i), pass.ld(i), op.out,
                      out[static_cast<std::size_t>(op.layer)] + op.direction * op.out, op.directions * op.out,
                      op.reverse);
  }
}

}  // namespace

template <class Real>
bool run_forward(const Network<Real>& network, const Data& data, Wanted<Real>& wanted, Interrupt& interrupt,
                 int n_threads) {
  const FlushDenormals mode;
  const Spec& spec = network.spec;
  std::unique_ptr<Workspace<Real>> own = network.workspace();
  Batch& all = own->all;
  all.assign_range(data, 0, data.n);
  constexpr Index of_operation =
      64;  // what an operation costs for each row of a step beside its product, in multiply-adds
  const Index work =
      data.N * (work_per_step(spec) + of_operation * static_cast<Index>(spec.operations.size()));
  // Groups of rows of about the same length, each small enough for a core's own cache; every group is one
  // thread's.
  const int threads = threads_for(work, n_threads);
  // Rows that cannot be cut in time are kept whole, so fewer of long ones at once.
  const Index most_rows = spec.whole_rows ? std::clamp<Index>(65536 / all.longest, 1, 64) : 64;
  const Index group =
      std::clamp<Index>((data.n / threads + 7) / 8 * 8, std::min<Index>(8, most_rows), most_rows);
  const Index groups = (data.n + group - 1) / group;
  Weights<Real>& weights = own->weights;
  weights.prepare(spec, network.parameters.data(), std::min(group, data.n), false, false, threads);
  std::vector<const Real*> initial(wanted.carry.begin(), wanted.carry.end());
  if (initial.empty()) initial = wanted.initial;
  const bool loss_fused = wanted.answers && fused(spec, wanted.loss);
  std::vector<double> sums(wanted.answers ? static_cast<std::size_t>(5 * data.n) : 0, 0.0);
  // The states after the call: the caller's are overwritten only when all went well.
  std::vector<Buffer<Real>> held;
  std::vector<Real*> after;
  if (!wanted.carry.empty())
    for (const Index size : spec.state_sizes) after.push_back(held.emplace_back(data.n * size).data());
  std::atomic<Index> next{0};
  std::atomic<bool> whole{true};
  Interrupt* look = work < 2'000'000 ? nullptr : &interrupt;
  parallel(
      static_cast<int>(std::min<Index>(threads, groups)),
      [&](int part) {
        std::unique_ptr<Workspace<Real>> other = part ? std::make_unique<Workspace<Real>>(spec) : nullptr;
        Workspace<Real>& space = part ? *other : *own;
        Pass<Real>& pass = space.pass;
        Batch& batch = space.batch;
        Chunk& chunk = space.chunk;
        Rows<Real> rows;
        for (Index g = next++; g < groups && whole.load(); g = next++) {
          const Index first = g * group, count = std::min(group, data.n - first);
          batch.assign_slice(all, first, count);
          pass.reserve_rows(batch, wanted.dropout != nullptr);
          pass.begin_rows(initial, wanted.dropout, 0, count);
          const Index most = spec.whole_rows ? batch.longest : std::max<Index>(1, 1024 / count);
          for (Index t0 = 0; t0 < batch.longest; t0 += most) {
            chunk.cut(batch, t0, most);
            pass.prepare(data, batch, chunk, wanted.answers ? Use::loss : Use::states, loss_fused, false);
            pass.gather(data, 0, chunk.B);
            if (!pass.forward(weights, 0, chunk.B, look)) return whole.store(false);
            pass.end_rows(0, chunk.B);
            const std::size_t last = spec.operations.size() - 1;
            if (wanted.outputs)
              give_back<Real>(pass, batch, chunk, spec.per_step, pass.outputs(last), pass.ld(last),
                              spec.output_size, wanted.outputs, spec.output_size);
            if (!wanted.states.empty()) give_states(pass, spec, batch, chunk, wanted.states);
            if (wanted.answers) {
              const Objective objective{wanted.loss, false, 0, wanted.weights};
              rows.prepare(spec, data, *wanted.answers, objective, batch, chunk);
              // A row's sums go on from step to step, however its steps are cut: the cuts depend on the
              // number of threads.
              const auto row_sums = [&](Index b) {
                return sums.data() + 5 * batch.row[static_cast<std::size_t>(b)];
              };
              for (Index b = 0; b < chunk.B; ++b) std::copy_n(row_sums(b), 5, rows.sums.data() + 5 * b);
              rows.run(pass, spec, *wanted.answers, wanted.loss, 0, 0, chunk.B, false);
              for (Index b = 0; b < chunk.B; ++b) std::copy_n(rows.sums.data() + 5 * b, 5, row_sums(b));
            }
          }
          pass.store_rows(after);
        }
      },
      look);
  for (std::size_t i = 0; i < sums.size(); ++i) wanted.sums.v[i % 5] += sums[i];
  if (!whole.load()) return false;
  if (!look) network.leave(std::move(own));
  for (std::size_t i = 0; i < after.size(); ++i)
    std::copy_n(after[i], data.n * spec.state_sizes[i], wanted.carry[i]);
  return true;
}

template <class Real>
Outcome loss_and_gradient(Network<Real>& network, const Data& data, const Answers<Real>& answers,
                          const Objective& objective, const std::vector<const Real*>& initial,
                          const Dropout* dropout, Index memory, Real* gradient, double& value,
                          Interrupt& interrupt, int n_threads) {
  const FlushDenormals mode;
  Trainer<Real> trainer(network, objective.loss, dropout != nullptr, memory, n_threads);
  trainer.batch.assign_range(data, 0, data.n);
  trainer.begin(trainer.batch.longest, false);
  Sums sums;
  return trainer.chunk_gradient({data, answers, objective, initial}, dropout, 0, gradient, sums, value,
                                &interrupt);
}

template <class Real>
Tape<Real>::Tape(const Network<Real>& network, const Data& data)
    : spec(network.spec), n(data.n), N(data.N), pass_(spec) {
  parameters_.reserve(spec.parameter_count);
  std::copy_n(network.parameters.data(), spec.parameter_count, parameters_.data());
}

template <class Real>
bool Tape<Real>::record(const Data& data, const std::vector<const Real*>& initial, const Dropout* dropout,
                        Interrupt& interrupt, int n_threads) {
  const FlushDenormals mode;
  batch_.assign_range(data, 0, data.n);
  chunk_.cut(batch_, 0, batch_.longest);
  const int threads = threads_for(chunk_.N * work_per_step(spec), n_threads);
  std::vector<Index> bounds;
  split_rows(bounds, batch_, chunk_.B, threads, 8);
  weights_.prepare(spec, parameters_.data(), chunk_.B / threads, true, true, threads);
  pass_.reserve_rows(batch_, dropout != nullptr);
  pass_.begin_rows(initial, dropout, 0, n);
  pass_.prepare(data, batch_, chunk_, Use::gradient, false, true);
  std::atomic<bool> whole{true};
  parallel(
      threads,
      [&](int part) {
        const Index b0 = bounds[static_cast<std::size_t>(part)],
                    b1 = bounds[static_cast<std::size_t>(part) + 1];
        if (b1 <= b0) return;
        pass_.gather(data, b0, b1);
        if (!pass_.forward(weights_, b0, b1, &interrupt)) whole.store(false);
      },
      &interrupt);
  return whole.load();
}

template <class Real> void Tape<Real>::outputs(Real* out) {
  const std::size_t last = spec.operations.size() - 1;
  give_back<Real>(pass_, batch_, chunk_, spec.per_step, pass_.outputs(last), pass_.ld(last), spec.output_size,
                  out, spec.output_size);
}

template <class Real> void Tape<Real>::states(const std::vector<Real*>& out) {
  give_states(pass_, spec, batch_, chunk_, out);
}

template <class Real>
bool Tape<Real>::backward(const Real* d_outputs, Real* d_parameters, Real* d_inputs,
                          const std::vector<Real*>& d_initial, Interrupt& interrupt, int n_threads) {
  const std::lock_guard<std::mutex> alone(mutex_);
  const FlushDenormals mode;
  const std::size_t last = spec.operations.size() - 1;
  const Index C = spec.output_size;
  const int threads = threads_for(chunk_.N * work_per_step(spec), n_threads);
  std::vector<Index> bounds;
  split_rows(bounds, batch_, chunk_.B, threads, 8);
  std::atomic<bool> whole{true};
  parallel(
      threads,
      [&](int part) {
        const Index b0 = bounds[static_cast<std::size_t>(part)],
                    b1 = bounds[static_cast<std::size_t>(part) + 1];
        if (b1 <= b0) return;
        pass_.over_rows(spec.per_step, b0, b1, [&](Index row, Index b, Index count, Index t) {
          for (Index r = 0; r < count; ++r) {
            const std::size_t s = static_cast<std::size_t>(b + r);
            const Index from = spec.per_step ? batch_.start[s] + t : batch_.row[s];
            std::copy_n(d_outputs + from * C, C, pass_.cotangents(last) + (row + r) * pass_.ld(last));
          }
        });
        if (!pass_.backward(weights_, b0, b1, &interrupt)) return whole.store(false);
        if (!d_inputs) return;
        pass_.over_rows(true, b0, b1, [&](Index row, Index b, Index count, Index t) {
          for (Index r = 0; r < count; ++r)
            std::copy_n(pass_.input_cotangents() + (row + r) * pass_.input_ld(), spec.input_size,
                        d_inputs + (batch_.start[static_cast<std::size_t>(b + r)] + t) * spec.input_size);
        });
      },
      &interrupt);
  if (!whole.load()) return false;
  pass_.initial_cotangents(d_initial);
  std::fill_n(d_parameters, spec.parameter_count, Real(0));
  parallel(
      threads,
      [&](int part) {
        if (!pass_.weight_gradients(d_parameters, part, threads, &interrupt)) whole.store(false);
      },
      &interrupt);
  return whole.load();
}

#define ELMAN_INSTANTIATE(Real)                                                                              \
  template bool run_forward(const Network<Real>&, const Data&, Wanted<Real>&, Interrupt&, int);              \
  template Outcome loss_and_gradient(Network<Real>&, const Data&, const Answers<Real>&, const Objective&,    \
                                     const std::vector<const Real*>&, const Dropout*, Index, Real*, double&, \
                                     Interrupt&, int);                                                       \
  template class Tape<Real>;
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
