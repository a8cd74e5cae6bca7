#include "second/curvature.h"

#include <algorithm>

#include "core/layout.h"
#include "runtime/denormals.h"
#include "runtime/threads.h"

namespace elman {
namespace {

using Type = Operation::Type;

// These phases are waited for several times in each call, so that threads must have more to do.
constexpr Index worth_it = 4;

template <class Real> bool by_tangents(const Spec& spec, const Data& data, Way way) {
  if (way != Way::automatic) return way == Way::tangents;
  if (!Tangents<Real>::possible(spec)) return false;
  double back = 0;
  const double step = 3.0 * static_cast<double>(spec.output_size * work_per_step(spec));
  for (Index i = 0; i < data.n; ++i)
    back +=
        step * static_cast<double>(data.length(i)) * static_cast<double>(spec.per_step ? data.length(i) : 1);
  return static_cast<double>(data.N) * static_cast<double>(Tangents<Real>::work(spec)) < back;
}

// What the answers of some rows say to their derivatives: the outputs, and the cotangents that the loss
// gives.
template <class Real> struct Readout {
  const Spec& spec;
  const Data& data;
  const Answers<Real>* answers;  // null: no loss, the derivatives alone
  Loss loss;
  const double* weights;
  bool sums = false;  // is the last activation the loss's?
  Rows<Real> rows;
  std::vector<Real> p, d;  // [rows, C] outputs and cotangents

  // After a forward pass: reads them, and adds up losses and metrics.
  void run(Pass<Real>& pass, const Batch& batch, const Chunk& chunk, Sums& total) {
    if (!answers) return;
    const std::size_t last = spec.operations.size() - 1;
    const Index C = spec.output_size, ld = pass.ld(last), n = spec.per_step ? chunk.N : chunk.B;
    p.resize(static_cast<std::size_t>(n * C));
    d.resize(static_cast<std::size_t>(n * C));
    const auto copy = [&](const Real* from, std::vector<Real>& to) {
      for (Index r = 0; r < n; ++r) std::copy_n(from + r * ld, C, to.data() + r * C);
    };
    rows.prepare(spec, data, *answers, {loss, false, 0, weights}, batch, chunk);
    if (sums) {
      Buffer<Real> values(n * ld);
      std::copy_n(pass.cotangents(last), n * ld, values.data());
      kernels<Real>().activate(spec.operations[last].activation, values.data(), ld, n, C);
      copy(values.data(), p);
    } else {
      copy(pass.outputs(last), p);
    }
    rows.run(pass, spec, *answers, loss, 0, 0, chunk.B, true);
    copy(pass.cotangents(last), d);
    rows.add_to(total);
  }

  bool given(Index b, Index t) const {
    if (!answers) return true;
    const Index first = rows.first[static_cast<std::size_t>(b)];
    return first >= 0 && answers->weight(first + t) > 0 && rows.scale[static_cast<std::size_t>(b)] != 0;
  }

  // J [C, P] to W J [C, P + 1], whose last column is the cotangent; row: of p and d.
  void weigh(const Real* J, Real* WJ, Index ld, Index row, Index b, Index t) const {
    const Index C = spec.output_size, P = spec.parameter_count,
                target = rows.first[static_cast<std::size_t>(b)] + t;
    const Real* y = p.data() + row * C;
    Real scale = rows.scale[static_cast<std::size_t>(b)];
    if (answers->class_weight) scale *= static_cast<Real>(answers->weight(target));
    if (loss == Loss::cross_entropy) {
      Real total = 1;
      if (answers->values) {
        total = 0;
        for (Index c = 0; c < C; ++c) total += answers->values[target * C + c];
      }
      // diag p - p p': each row of J less their mean, times its p
      Real* mean = WJ;  // the first row serves for it until it is written, last
      std::fill_n(mean, P, Real(0));
      for (Index c = 0; c < C; ++c)
        for (Index i = 0; i < P; ++i) mean[i] += y[c] * J[c * ld + i];
      for (Index c = C; c-- > 0;) {
        const Real factor = scale * total * y[c];
        for (Index i = 0; i < P; ++i) WJ[c * ld + i] = factor * (J[c * ld + i] - mean[i]);
      }
    } else {
      for (Index c = 0; c < C; ++c) {
        const bool known =
            answers->classes || answers->values[target * C + c] == answers->values[target * C + c];
        const Real factor = !known                        ? Real(0)
                            : loss == Loss::squared_error ? scale
                                                          : scale * y[c] * (Real(1) - y[c]);
        for (Index i = 0; i < P; ++i) WJ[c * ld + i] = factor * J[c * ld + i];
      }
    }
    for (Index c = 0; c < C; ++c) WJ[c * ld + P] = d[static_cast<std::size_t>(row * C + c)];
  }
};

// Walks over all answers in blocks fixed by sizes alone. Blocks of rows of J [m, P] (and, with a loss, of W J
// [m, P + 1]) go to `take(m, batch, chunk)`.
template <class Real> class Walk {
 public:
  Walk(const Network<Real>& network, const Data& data, const Answers<Real>* answers, Loss loss,
       const double* weights, Interrupt& interrupt, int n_threads)
      : spec_(network.spec),
        parameters_(network.parameters.data()),
        data_(data),
        interrupt_(interrupt),
        threads_(n_threads),
        C_(spec_.output_size),
        P_(spec_.parameter_count),
        ld(padded<Real>(P_ + 1)),
        block_(std::clamp<Index>(65536 / P_, 64, 4096)),
        readout_{spec_, data, answers, loss, weights, answers && fused(spec_, loss), {}, {}, {}} {
    all_.assign_range(data, 0, data.n);
  }

  template <class Take> bool tangents(Take take);
  template <class Take> bool reverse(Take take);

  Sums sums;

 private:
  const Spec& spec_;
  const Real* parameters_;
  const Data& data_;
  Interrupt& interrupt_;
  const int threads_;
  const Index C_, P_;

 public:
  const Index ld;
  Buffer<Real> J, WJ;

 private:
  const Index block_;
  Readout<Real> readout_;
  Batch all_, batch_;
  Chunk chunk_;
  Weights<Real> weights_;

  void group(Index first, Index count) {
    const auto slice = [&](const std::vector<Index>& from, std::vector<Index>& to) {
      to.assign(from.begin() + first, from.begin() + first + count);
    };
    slice(all_.row, batch_.row);
    slice(all_.start, batch_.start);
    slice(all_.length, batch_.length);
    batch_.longest = batch_.length[0];
  }
  void reserve(Index rows) {
    J.reserve(rows * C_ * ld);
    if (readout_.answers) WJ.reserve(rows * C_ * ld);
  }
  void nothing(Index row) {
    std::fill_n(J.data() + row * C_ * ld, C_ * ld, Real(0));
    if (readout_.answers) std::fill_n(WJ.data() + row * C_ * ld, C_ * ld, Real(0));
  }
};

template <class Real> template <class Take> bool Walk<Real>::tangents(Take take) {
  const std::size_t n_ops = spec_.operations.size();
  // Rows whose tangents walk side by side: as many as fit into some tens of megabytes.
  Index held = 0;
  std::vector<std::unique_ptr<Tangents<Real>>> tangents;
  tangents.push_back(std::make_unique<Tangents<Real>>(spec_));
  for (std::size_t i = 0; i < n_ops; ++i) held += 2 * tangents[0]->rows(i) * tangents[0]->ld(i);
  const Index together = std::clamp<Index>(4'000'000 / std::max<Index>(held, 1), 1, 16);
  while (static_cast<Index>(tangents.size()) < std::min(together, data_.n))
    tangents.push_back(std::make_unique<Tangents<Real>>(spec_));
  const int threads = threads_for(data_.N * Tangents<Real>::work(spec_) / worth_it, threads_);
  weights_.prepare(spec_, parameters_, together, false, false, threads);
  Pass<Real> pass(spec_);
  for (Index first = 0; first < data_.n; first += together) {
    const Index count = std::min(together, data_.n - first);
    group(first, count);
    for (Index b = 0; b < count; ++b) tangents[static_cast<std::size_t>(b)]->reset();
    pass.reserve_rows(batch_, false);
    pass.begin_rows({}, nullptr, 0, count);
    const Index most = std::max<Index>(1, (spec_.per_step ? block_ / C_ : 1024) / count);
    for (Index t0 = 0; t0 < batch_.longest; t0 += most) {
      chunk_.cut(batch_, t0, most);
      pass.prepare(data_, batch_, chunk_, Use::gradient, readout_.sums, false);
      pass.gather(data_, 0, chunk_.B);
      if (!pass.forward(weights_, 0, chunk_.B, &interrupt_)) return false;
      pass.end_rows(0, chunk_.B);
      readout_.run(pass, batch_, chunk_, sums);
      const Index rows = spec_.per_step ? chunk_.N : chunk_.B;
      reserve(rows);
      // Columns are cut for threads where rows are few, into slices of whole lanes; the width, rounded up,
      // may leave fewer of them than threads.
      const Index wanted = chunk_.B >= threads ? 1
                                               : std::clamp<Index>(P_ / (4 * lanes<Real>), 1,
                                                                   (threads + chunk_.B - 1) / chunk_.B);
      const Index width = (P_ + wanted * lanes<Real> - 1) / (wanted * lanes<Real>)*lanes<Real>,
                  slices = (P_ + width - 1) / width;
      std::atomic<Index> next{0};
      std::atomic<bool> whole{true};
      parallel(
          static_cast<int>(std::min<Index>(threads, chunk_.B * slices)),
          [&](int) {
            typename Tangents<Real>::Scratch scratch;
            std::vector<Footprint<Real>> at(n_ops);
            for (Index job = next++; job < chunk_.B * slices; job = next++) {
              const Index b = job / slices, p0 = job % slices * width, p1 = std::min(P_, p0 + width),
                          steps = chunk_.length(batch_, b);
              Tangents<Real>& own = *tangents[static_cast<std::size_t>(b)];
              for (Index t = 0; t < steps; ++t) {
                if (t % 64 == 0 && interrupt_.check()) return whole.store(false);
                const bool answered = (spec_.per_step || (chunk_.ends(batch_, b) && t + 1 == steps)) &&
                                      readout_.given(b, spec_.per_step ? t : 0);
                for (std::size_t i = 0; i < n_ops; ++i)
                  if (spec_.operations[i].type != Type::pool) at[i] = pass.footprint(i, b, t);
                own.step(parameters_, at.data(), t0 + t, answered, readout_.sums, p0, p1, scratch);
                if (!spec_.per_step && t + 1 < steps) continue;
                const Index row = spec_.per_step ? chunk_.offset[static_cast<std::size_t>(t)] + b : b;
                for (Index c = 0; c < C_; ++c) {
                  Real* to = J.data() + (row * C_ + c) * ld;
                  if (answered) std::copy(own.output(c, t0 + t) + p0, own.output(c, t0 + t) + p1, to + p0);
                  else std::fill(to + p0, to + p1, Real(0));
                }
              }
            }
          },
          &interrupt_);
      if (!whole.load()) return false;
      if (readout_.answers) {
        std::atomic<Index> following{0};
        parallel(static_cast<int>(std::min<Index>(threads, chunk_.B)), [&](int) {
          for (Index b = following++; b < chunk_.B; b = following++)
            for (Index t = 0; t < (spec_.per_step ? chunk_.length(batch_, b) : 1); ++t) {
              const Index row = spec_.per_step ? chunk_.offset[static_cast<std::size_t>(t)] + b : b;
              if ((spec_.per_step || chunk_.ends(batch_, b)) && readout_.given(b, t))
                readout_.weigh(J.data() + row * C_ * ld, WJ.data() + row * C_ * ld, ld, row, b, t);
              else nothing(row);
            }
        });
      }
      if (!take(rows, batch_, chunk_)) return false;
    }
  }
  return true;
}

template <class Real> template <class Take> bool Walk<Real>::reverse(Take take) {
  const Index group_rows = spec_.per_step ? 1 : std::clamp<Index>(block_ / C_, 1, 64);
  const int threads = threads_for(3 * data_.N * C_ * work_per_step(spec_), threads_);
  weights_.prepare(spec_, parameters_, 1, true, true, threads);
  const std::size_t last = spec_.operations.size() - 1;
  for (Index first = 0; first < data_.n; first += group_rows) {
    const Index count = std::min(group_rows, data_.n - first),
                answers = spec_.per_step ? all_.length[static_cast<std::size_t>(first)] : count;
    const Index most = std::max<Index>(1, block_ / C_);
    reserve(std::min(answers, most));
    std::vector<Sums> own(static_cast<std::size_t>(count));
    std::atomic<Index> next{0};
    std::atomic<bool> whole{true};
    Batch shown;
    Chunk shown_chunk;
    const auto work = [&](Pass<Real>& pass, Index b, auto&& after_block) {
      Batch batch;
      Chunk chunk;
      const auto one = [&](const std::vector<Index>& from, std::vector<Index>& to) {
        to.assign(1, from[static_cast<std::size_t>(first + b)]);
      };
      one(all_.row, batch.row);
      one(all_.start, batch.start);
      one(all_.length, batch.length);
      batch.longest = batch.length[0];
      chunk.cut(batch, 0, batch.longest);
      pass.reserve_rows(batch, false);
      pass.begin_rows({}, nullptr, 0, 1);
      pass.prepare(data_, batch, chunk, Use::gradient, readout_.sums, true);
      pass.gather(data_, 0, 1);
      if (!pass.forward(weights_, 0, 1, &interrupt_)) return false;
      Readout<Real> readout{
          spec_, data_, readout_.answers, readout_.loss, readout_.weights, readout_.sums, {}, {}, {}};
      readout.run(pass, batch, chunk, own[static_cast<std::size_t>(b)]);
      const Index n = spec_.per_step ? chunk.N : 1;
      for (Index t0 = 0; t0 < n; t0 += most) {
        for (Index t = t0; t < std::min(n, t0 + most); ++t) {
          const Index row = spec_.per_step ? t - t0 : b;
          if (!readout.given(0, t)) {
            nothing(row);
            continue;
          }
          for (Index c = 0; c < C_; ++c) {
            Real* to = J.data() + (row * C_ + c) * ld;
            std::fill_n(pass.cotangents(last), n * pass.ld(last), Real(0));
            pass.cotangents(last)[t * pass.ld(last) + c] = 1;
            std::fill_n(to, P_, Real(0));
            if (!pass.backward(weights_, 0, 1, &interrupt_) || !pass.weight_gradients(to, 0, 1, &interrupt_))
              return false;
          }
          if (readout_.answers)
            readout.weigh(J.data() + row * C_ * ld, WJ.data() + row * C_ * ld, ld, t, 0, t);
        }
        if (!after_block(std::min(most, n - t0), batch, chunk, t0)) return false;
      }
      return true;
    };
    if (spec_.per_step) {
      Pass<Real> pass(spec_);
      const bool all = work(pass, 0, [&](Index m, const Batch& batch, const Chunk& chunk, Index t0) {
        // as a chunk of its own
        shown = batch;
        shown_chunk = chunk;
        shown_chunk.cut(batch, t0, m);
        return take(m, shown, shown_chunk);
      });
      if (!all) return false;
    } else {
      parallel(
          static_cast<int>(std::min<Index>(threads, count)),
          [&](int) {
            Pass<Real> pass(spec_);
            for (Index b = next++; b < count && whole.load(); b = next++)
              if (!work(pass, b, [](Index, const Batch&, const Chunk&, Index) { return true; }))
                whole.store(false);
          },
          &interrupt_);
      if (!whole.load()) return false;
      group(first, count);
      chunk_.cut(batch_, 0, batch_.longest);
      if (!take(count, batch_, chunk_)) return false;
    }
    for (const Sums& s : own)
      for (int i = 0; i < 5; ++i) sums.v[i] += s.v[i];
  }
  return true;
}

}  // namespace

template <class Real>
bool gauss_newton(const Network<Real>& network, const Data& data, const Answers<Real>& answers, Loss loss,
                  const double* weights, Way way, Real* matrix, Real* gradient, Sums& sums,
                  Interrupt& interrupt, int n_threads) {
  const FlushDenormals mode;
  const KernelTable<Real>& k = kernels<Real>();
  const Index P = network.spec.parameter_count, C = network.spec.output_size;
  // The matrix and, as one column more, the gradient: J' [W J, d]. Only what lies on and above the diagonal
  // is added up, in stripes of rows.
  constexpr Index stripe = 32;
  Buffer<Real> sum;
  sum.zeros(P * (P + 1));
  Walk<Real> walk(network, data, &answers, loss, weights, interrupt, n_threads);
  const auto take = [&](Index rows, const Batch&, const Chunk&) {
    const Index m = rows * C, stripes = (P + stripe - 1) / stripe;
    const Segment whole{0, 0, m};
    std::atomic<Index> next{0};
    std::atomic<bool> go_on{true};
    const int threads = threads_for(m * P * P / 2 / worth_it, n_threads);
    parallel(
        static_cast<int>(std::min<Index>(threads, stripes)),
        [&](int) {
          for (Index s = next++; s < stripes; s = next++) {
            const Index i0 = s * stripe, i1 = std::min(P, i0 + stripe);
            if (interrupt.check()) return go_on.store(false);
            k.weight_gradient({walk.J.data(), walk.ld, P, walk.WJ.data() + i0, walk.ld, P + 1 - i0, &whole, 1,
                               sum.data() + i0, P + 1},
                              i0, i1);
          }
        },
        &interrupt);
    return go_on.load();
  };
  if (!(by_tangents<Real>(network.spec, data, way) ? walk.tangents(take) : walk.reverse(take))) return false;
  for (Index i = 0; i < P; ++i) {
    gradient[i] = sum[i * (P + 1) + P];
    for (Index j = i; j < P; ++j) matrix[i * P + j] = matrix[j * P + i] = sum[i * (P + 1) + j];
  }
  sums = walk.sums;
  return true;
}

template <class Real>
bool jacobian(const Network<Real>& network, const Data& data, Way way, Real* out, Interrupt& interrupt,
              int n_threads) {
  const FlushDenormals mode;
  const Spec& spec = network.spec;
  const Index P = spec.parameter_count, C = spec.output_size;
  Walk<Real> walk(network, data, nullptr, Loss::squared_error, nullptr, interrupt, n_threads);
  const auto take = [&](Index, const Batch& batch, const Chunk& chunk) {
    for (Index b = 0; b < chunk.B; ++b) {
      if (!spec.per_step && !chunk.ends(batch, b)) continue;
      for (Index t = 0; t < (spec.per_step ? chunk.length(batch, b) : 1); ++t) {
        const Index row = spec.per_step ? chunk.offset[static_cast<std::size_t>(t)] + b : b;
        const Index to = spec.per_step ? batch.start[static_cast<std::size_t>(b)] + chunk.t0 + t
                                       : batch.row[static_cast<std::size_t>(b)];
        for (Index c = 0; c < C; ++c)
          std::copy_n(walk.J.data() + (row * C + c) * walk.ld, P, out + (to * C + c) * P);
      }
    }
    return true;
  };
  return by_tangents<Real>(spec, data, way) ? walk.tangents(take) : walk.reverse(take);
}

#define ELMAN_INSTANTIATE(Real)                                                                            \
  template bool gauss_newton(const Network<Real>&, const Data&, const Answers<Real>&, Loss, const double*, \
                             Way, Real*, Real*, Sums&, Interrupt&, int);                                   \
  template bool jacobian(const Network<Real>&, const Data&, Way, Real*, Interrupt&, int);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
