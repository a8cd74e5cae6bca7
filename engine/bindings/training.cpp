// Training: schedules of minibatches, and the single update.
#include "bindings/arguments.h"
#include "bindings/bindings.h"
#include "train/train.h"

namespace elman::bindings {
namespace {

// mean, l2, clip_norm, truncation, optimizer, trainable, bounds
template <class Real>
using Settings =
    std::tuple<bool, double, double, Index, OptimizerTuple, Rows2<const std::int64_t>, Bounds<Real>>;

void check_order(const Vector<const std::int64_t>& order, Index n) {
  require(static_cast<Index>(order.size()) % n == 0, "order: whole epochs");
  for (std::size_t i = 0; i < order.size(); ++i)
    require(order.data()[i] >= 0 && order.data()[i] < n, "order: row out of range");
}

// Rows that are cut in time need layers that go on where they were cut.
void check_cuts(const Spec& spec, Index truncation, bool carries) {
  require((!truncation && !carries) || !spec.whole_rows, "truncation, carry: not with bidirectional layers");
  if (!truncation) return;
  for (const Operation& op : spec.operations) {
    const bool pool = op.type == Operation::Type::pool && op.pool != Pool::last;
    require(!pool, "truncation: not with pools");
  }
}

template <class Real>
int train_schedule(Trainer<Real>& trainer, const DataObject& data, const AnswersObject& targets,
                   std::optional<Vector<const double>> weights, std::optional<List<Real>> carry,
                   Vector<const std::int64_t> order, Index first_batch, Index batch_size,
                   Vector<const double> rates, Settings<Real> settings, Vector<std::int64_t> progress,
                   Rows2<double> sums, Vector<Real> snapshot, std::vector<Vector<Real>> moments,
                   double seconds, std::optional<List<Real>> initial, DropoutKey key) {
  const auto& [mean, l2, clip_norm, truncation, rule, trainable, bounds] = settings;
  const Spec& spec = trainer.network().spec;
  const Data& d = data.data;
  const Index P = spec.parameter_count;
  check_input(spec, data);
  require(batch_size >= 1 && truncation >= 0 && first_batch >= 0,
          "batch_size, truncation, first_batch: out of range");
  check_order(order, d.n);
  const Index epochs = static_cast<Index>(order.size()) / d.n;
  require(has_shape(sums, epochs, sum_count), "sums: [epochs, 5]");
  require(progress.size() == 4 && rates.size() >= 1, "progress: [4], rates: at least one");
  require(has_size(snapshot, P), "snapshot: wrong size");
  check_cuts(spec, truncation, carry.has_value());
  const Answers<Real> answers = targets.view<Real>(spec, d, trainer.loss);
  const Objective objective{trainer.loss, mean, l2, weights_of(weights, d.n)};
  const Optimizer<Real> optimizer = optimizer_of<Real>(rule, moments, trainable, clip_norm, bounds, P);
  require(key.has_value() == trainer.dropping, "dropout: a key where there is dropout");
  progress.data()[0] = first_batch;
  require(progress.data()[1] >= 0 && progress.data()[3] >= 0, "progress: counts");
  const Schedule<Real> schedule{.order = order.data(),
                                .epochs = epochs,
                                .batch_size = batch_size,
                                .rates = rates.data(),
                                .n_rates = static_cast<Index>(rates.size()),
                                .truncation = truncation,
                                .carry = carry_of<Real>(carry, spec, d.n),
                                .initial = initial_of<Real>(initial, spec, d.n),
                                .first = dropout_of(key),
                                .progress = progress.data(),
                                .sums = sums.data(),
                                .snapshot = snapshot.data(),
                                .seconds = seconds};
  Status status = Status::finished;
  call([&](Interrupt& interrupt) {
    status = train(trainer, d, answers, objective, optimizer, schedule, interrupt);
    return status != Status::stopped;
  });
  return static_cast<int>(status);
}

}  // namespace

template <class Real>
void update(Network<Real>& net, Vector<const Real> given, OptimizerTuple optimizer, double rate,
            std::vector<Vector<Real>> moments, Index count, Rows2<const std::int64_t> trainable,
            double clip_norm, Bounds<Real> bounds) {
  const Index P = net.spec.parameter_count;
  require(has_size(given, P), "gradient: wrong size");
  const Optimizer<Real> o = optimizer_of<Real>(optimizer, moments, trainable, clip_norm, bounds, P);
  bool finite = false;
  call([&](Interrupt&) {
    const FlushDenormals mode;
    Buffer<Real> gradient(P);
    std::copy_n(given.data(), P, gradient.data());
    return finite = o.apply(net.parameters.data(), gradient.data(), rate, count + 1, 1);
  });
  require(finite, "gradient: its norm is not finite");
}

template <class Real> void bind_trainer(nb::module_& m, const char* name) {
  nb::class_<Trainer<Real>>(m, name,
                            "The memory of one fit, for one schedule of minibatches after the other.")
      .def("train", &train_schedule<Real>, nb::arg("data"), nb::arg("targets"), nb::arg("weights").none(),
           nb::arg("carry").none(), nb::arg("order").noconvert(), nb::arg("first_batch"),
           nb::arg("batch_size"), nb::arg("rates").noconvert(), nb::arg("settings"),
           nb::arg("progress").noconvert(), nb::arg("sums").noconvert(), nb::arg("snapshot").noconvert(),
           nb::arg("moments"), nb::arg("seconds"), nb::arg("initial") = nb::none(),
           nb::arg("dropout") = nb::none());
}

template <class Real> void bind_training(nb::class_<Network<Real>>& network) {
  network
      .def("update", &update<Real>, nb::arg("gradient").noconvert(), nb::arg("optimizer"), nb::arg("rate"),
           nb::arg("moments"), nb::arg("count"), nb::arg("trainable").noconvert(), nb::arg("clip_norm"),
           nb::arg("bounds") = nb::none())
      .def(
          "trainer",
          [](Network<Real>& net, int loss, bool dropout, Index memory, int n_threads) {
            return std::make_unique<Trainer<Real>>(net, loss_of(net.spec, loss), dropout, memory, n_threads);
          },
          nb::arg("loss"), nb::arg("dropout"), nb::arg("memory"), nb::arg("n_threads"),
          nb::keep_alive<0, 1>());
}

#define ELMAN_INSTANTIATE(Real)                                \
  template void bind_trainer<Real>(nb::module_&, const char*); \
  template void bind_training(nb::class_<Network<Real>>&);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman::bindings
