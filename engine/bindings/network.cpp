#include "bindings/bindings.h"

#include <algorithm>

#include "run/run.h"
#include "run/tape.h"
#include "train/train.h"

namespace elman::bindings {
namespace {

// Seed and number of the epoch, of the dropout masks.
using DropoutKey = std::optional<std::pair<std::uint64_t, std::uint64_t>>;
// Least and largest value of every parameter.
template <class Real> using Bounds = std::optional<std::pair<Vector<const Real>, Vector<const Real>>>;
using OptimizerTuple = std::tuple<int, double, double, double, double, bool>;
template <class Real> using List = std::vector<Rows2<Real>>;

template <class Real>
std::vector<Real*> pointers(const List<Real>& arrays, const std::vector<Index>& sizes, Index rows,
                            const char* what) {
  require(arrays.size() == sizes.size(), what);
  std::vector<Real*> out;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    require(
        static_cast<Index>(arrays[i].shape(0)) == rows && static_cast<Index>(arrays[i].shape(1)) == sizes[i],
        what);
    out.push_back(arrays[i].data());
  }
  return out;
}

template <class Real>
std::vector<Real*> optional_pointers(const std::optional<List<Real>>& arrays, const Spec& spec, Index rows) {
  return arrays ? pointers<Real>(*arrays, spec.state_sizes, rows, "carry: wrong shapes")
                : std::vector<Real*>{};
}

template <class Real>
std::vector<const Real*> initial_of(const std::optional<List<Real>>& arrays, const Spec& spec, Index rows) {
  if (!arrays) return {};
  const std::vector<Real*> p = pointers<Real>(*arrays, spec.state_sizes, rows, "initial: wrong shapes");
  return {p.begin(), p.end()};
}

Dropout dropout_of(const DropoutKey& key) { return key ? Dropout{key->first, key->second} : Dropout{0, 0}; }

Loss loss_of(int code) {
  require(code >= 0 && code <= 2, "loss: unknown");
  return static_cast<Loss>(code);
}

const double* weights_of(const std::optional<Vector<const double>>& weights, Index n) {
  if (!weights) return nullptr;
  require(static_cast<Index>(weights->size()) == n, "weights: one a sequence");
  return weights->data();
}

// Cross-entropy needs probabilities, the binary one sigmoids; both are computed from the sums before.
void check_loss(const Spec& spec, Loss loss) {
  require(loss == Loss::squared_error || fused(spec, loss), "loss: does not fit the last activation");
}

template <class Real>
Optimizer<Real> optimizer_of(const OptimizerTuple& given, const std::vector<Vector<Real>>& moments,
                             const Rows2<const std::int64_t>& trainable, double clip_norm,
                             const Bounds<Real>& bounds, Index P) {
  const auto [kind, a, b, epsilon, decay, nesterov] = given;
  require(kind >= 0 && kind <= 3, "optimizer: unknown");
  Optimizer<Real> o{
      {static_cast<OptimizerKind>(kind), a, b, epsilon, decay, nesterov}, nullptr, nullptr, {}, clip_norm};
  const std::size_t needed = kind == 0 ? (a == 0 ? 0 : 1) : kind == 1 ? 1 : 2;
  require(moments.size() >= needed, "moments: too few");
  for (const auto& m : moments) require(static_cast<Index>(m.size()) == P, "moments: wrong size");
  if (needed > 0) o.m = moments[0].data();
  if (needed > 1) o.v = moments[1].data();
  if (bounds) {
    require(static_cast<Index>(bounds->first.size()) == P && static_cast<Index>(bounds->second.size()) == P,
            "bounds: wrong size");
    o.lower = bounds->first.data();
    o.upper = bounds->second.data();
  }
  require(trainable.shape(1) == 2, "trainable: pairs");
  Index before = 0;
  for (std::size_t i = 0; i < trainable.size(); i += 2) {
    const Index begin = static_cast<Index>(trainable.data()[i]),
                end = static_cast<Index>(trainable.data()[i + 1]);
    require(begin >= before && end >= begin && end <= P, "trainable: ranges must rise within the parameters");
    o.trainable.emplace_back(begin, end);
    before = end;
  }
  return o;
}

template <class Real> nb::object parameters(nb::handle self) {
  Network<Real>& net = nb::cast<Network<Real>&>(self);
  return nb::cast(
      Vector<Real>(net.parameters.data(), {static_cast<std::size_t>(net.spec.parameter_count)}, self));
}

template <class Real>
void predict(const Network<Real>& net, const DataObject& data, Rows2<Real> out, int n_threads,
             std::optional<List<Real>> initial, DropoutKey key) {
  check_input(net.spec, data);
  require(static_cast<Index>(out.shape(0)) == (net.spec.per_step ? data.data.N : data.data.n) &&
              static_cast<Index>(out.shape(1)) == net.spec.output_size,
          "out: wrong shape");
  Wanted<Real> wanted;
  wanted.outputs = out.data();
  wanted.initial = initial_of<Real>(initial, net.spec, data.data.n);
  const Dropout dropout = dropout_of(key);
  if (key) wanted.dropout = &dropout;
  call([&](Interrupt& interrupt) { return run_forward(net, data.data, wanted, interrupt, n_threads); });
}

template <class Real>
void states(const Network<Real>& net, const DataObject& data, List<Real> outs, int n_threads) {
  check_input(net.spec, data);
  Wanted<Real> wanted;
  wanted.states = pointers<Real>(outs, net.spec.hidden_sizes, data.data.N, "outs: wrong shapes");
  call([&](Interrupt& interrupt) { return run_forward(net, data.data, wanted, interrupt, n_threads); });
}

template <class Real>
std::tuple<double, double, double, double, double> evaluate(const Network<Real>& net, const DataObject& data,
                                                            const AnswersObject& targets, int loss,
                                                            std::optional<Vector<const double>> weights,
                                                            std::optional<List<Real>> carry, int n_threads,
                                                            std::optional<List<Real>> initial,
                                                            DropoutKey key) {
  check_input(net.spec, data);
  Wanted<Real> wanted;
  wanted.loss = loss_of(loss);
  check_loss(net.spec, wanted.loss);
  const Answers<Real> answers = targets.view<Real>(net.spec, data.data, wanted.loss);
  wanted.answers = &answers;
  wanted.weights = weights_of(weights, data.data.n);
  require(!carry || !net.spec.whole_rows, "carry: not with bidirectional layers");
  wanted.carry = optional_pointers<Real>(carry, net.spec, data.data.n);
  wanted.initial = initial_of<Real>(initial, net.spec, data.data.n);
  const Dropout dropout = dropout_of(key);
  if (key) wanted.dropout = &dropout;
  call([&](Interrupt& interrupt) { return run_forward(net, data.data, wanted, interrupt, n_threads); });
  const double* s = wanted.sums.v;
  return {s[0], s[1], s[2], s[3], s[4]};
}

template <class Real>
double gradient(Network<Real>& net, const DataObject& data, const AnswersObject& targets, int loss,
                std::optional<Vector<const double>> weights, bool mean, double l2, Vector<Real> out,
                int n_threads, Index memory, std::optional<List<Real>> initial, DropoutKey key) {
  check_input(net.spec, data);
  require(static_cast<Index>(out.size()) == net.spec.parameter_count, "gradient: wrong size");
  const Loss kind = loss_of(loss);
  check_loss(net.spec, kind);
  const Answers<Real> answers = targets.view<Real>(net.spec, data.data, kind);
  const Objective objective{kind, mean, l2, weights_of(weights, data.data.n)};
  double value = 0;
  const std::vector<const Real*> start = initial_of<Real>(initial, net.spec, data.data.n);
  const Dropout dropout = dropout_of(key);
  call([&](Interrupt& interrupt) {
    const Outcome outcome =
        loss_and_gradient(net, data.data, answers, objective, start, key ? &dropout : nullptr, memory,
                          out.data(), value, interrupt, n_threads);
    if (outcome == Outcome::nothing) std::fill_n(out.data(), net.spec.parameter_count, Real(0));
    if (outcome == Outcome::diverged) {
      std::fill_n(out.data(), net.spec.parameter_count, std::numeric_limits<Real>::quiet_NaN());
      value = std::numeric_limits<double>::quiet_NaN();
    }
    return outcome != Outcome::stopped;
  });
  return value;
}

template <class Real>
void update(Network<Real>& net, Vector<const Real> given, OptimizerTuple optimizer, double rate,
            std::vector<Vector<Real>> moments, Index count, Rows2<const std::int64_t> trainable,
            double clip_norm, Bounds<Real> bounds) {
  require(static_cast<Index>(given.size()) == net.spec.parameter_count, "gradient: wrong size");
  const Optimizer<Real> o =
      optimizer_of<Real>(optimizer, moments, trainable, clip_norm, bounds, net.spec.parameter_count);
  bool finite = false;
  call([&](Interrupt&) {
    const FlushDenormals mode;
    Buffer<Real> own(net.spec.parameter_count);
    std::copy_n(given.data(), net.spec.parameter_count, own.data());
    return finite = o.apply(net.parameters.data(), own.data(), rate, count + 1, 1);
  });
  require(finite, "gradient: its norm is not finite");
}

template <class Real>
using Settings =
    std::tuple<bool, double, double, Index, OptimizerTuple, Rows2<const std::int64_t>, Bounds<Real>>;

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
  check_input(spec, data);
  require(batch_size >= 1 && truncation >= 0 && first_batch >= 0,
          "batch_size, truncation, first_batch: out of range");
  require(static_cast<Index>(order.size()) % d.n == 0, "order: whole epochs");
  const Index epochs = static_cast<Index>(order.size()) / d.n;
  require(static_cast<Index>(sums.shape(0)) == epochs && sums.shape(1) == 5, "sums: [epochs, 5]");
  for (std::size_t i = 0; i < order.size(); ++i)
    require(order.data()[i] >= 0 && order.data()[i] < d.n, "order: row out of range");
  require(progress.size() == 4 && rates.size() >= 1, "progress: [4], rates: at least one");
  require(static_cast<Index>(snapshot.size()) == spec.parameter_count, "snapshot: wrong size");
  require((!truncation && !carry) || !spec.whole_rows, "truncation, carry: not with bidirectional layers");
  if (truncation)
    for (const Operation& op : spec.operations)
      require(op.type != Operation::Type::pool || op.pool == Pool::last, "truncation: not with pools");
  const Answers<Real> answers = targets.view<Real>(spec, d, trainer.loss);
  const Objective objective{trainer.loss, mean, l2, weights_of(weights, d.n)};
  const Optimizer<Real> optimizer =
      optimizer_of<Real>(rule, moments, trainable, clip_norm, bounds, spec.parameter_count);
  require(key.has_value() == trainer.dropping, "dropout: a key where there is dropout");
  progress.data()[0] = first_batch;
  require(progress.data()[1] >= 0 && progress.data()[3] >= 0, "progress: counts");
  const Schedule<Real> schedule{order.data(),
                                epochs,
                                batch_size,
                                rates.data(),
                                static_cast<Index>(rates.size()),
                                truncation,
                                optional_pointers<Real>(carry, spec, d.n),
                                initial_of<Real>(initial, spec, d.n),
                                dropout_of(key),
                                progress.data(),
                                sums.data(),
                                snapshot.data(),
                                seconds};
  Status status = Status::finished;
  call([&](Interrupt& interrupt) {
    status = train(trainer, d, answers, objective, optimizer, schedule, interrupt);
    return status != Status::stopped;
  });
  return static_cast<int>(status);
}

template <class Real>
void tape_backward(Tape<Real>& tape, Rows2<const Real> d_outputs, Vector<Real> d_parameters,
                   std::optional<Rows2<Real>> d_inputs, List<Real> d_initial, int n_threads) {
  require(static_cast<Index>(d_outputs.shape(0)) == (tape.spec.per_step ? tape.N : tape.n) &&
              static_cast<Index>(d_outputs.shape(1)) == tape.spec.output_size,
          "d_outputs: wrong shape");
  require(static_cast<Index>(d_parameters.size()) == tape.spec.parameter_count, "d_parameters: wrong size");
  require(d_inputs.has_value() == !tape.spec.symbols, "d_inputs: None where the inputs are integers");
  require(!d_inputs || (static_cast<Index>(d_inputs->shape(0)) == tape.N &&
                        static_cast<Index>(d_inputs->shape(1)) == tape.spec.input_size),
          "d_inputs: wrong shape");
  const std::vector<Real*> starts =
      pointers<Real>(d_initial, tape.spec.state_sizes, tape.n, "d_initial: wrong shapes");
  call([&](Interrupt& interrupt) {
    return tape.backward(d_outputs.data(), d_parameters.data(), d_inputs ? d_inputs->data() : nullptr, starts,
                         interrupt, n_threads);
  });
}

template <class Real>
void bind(nb::module_& m, const char* network_name, const char* tape_name, const char* trainer_name) {
  nb::class_<Trainer<Real>>(m, trainer_name,
                            "The memory of one fit, for one schedule of minibatches after the other.")
      .def("train", &train_schedule<Real>, nb::arg("data"), nb::arg("targets"), nb::arg("weights").none(),
           nb::arg("carry").none(), nb::arg("order").noconvert(), nb::arg("first_batch"),
           nb::arg("batch_size"), nb::arg("rates").noconvert(), nb::arg("settings"),
           nb::arg("progress").noconvert(), nb::arg("sums").noconvert(), nb::arg("snapshot").noconvert(),
           nb::arg("moments"), nb::arg("seconds"), nb::arg("initial") = nb::none(),
           nb::arg("dropout") = nb::none());

  nb::class_<Tape<Real>>(m, tape_name, "A recorded forward pass, with its own copy of the parameters.")
      .def(
          "outputs",
          [](Tape<Real>& tape, Rows2<Real> out) {
            require(static_cast<Index>(out.shape(0)) == (tape.spec.per_step ? tape.N : tape.n) &&
                        static_cast<Index>(out.shape(1)) == tape.spec.output_size,
                    "out: wrong shape");
            tape.outputs(out.data());
          },
          nb::arg("out").noconvert())
      .def(
          "states",
          [](Tape<Real>& tape, List<Real> outs) {
            tape.states(pointers<Real>(outs, tape.spec.hidden_sizes, tape.N, "outs: wrong shapes"));
          },
          nb::arg("outs"))
      .def("backward", &tape_backward<Real>, nb::arg("d_outputs").noconvert(),
           nb::arg("d_parameters").noconvert(), nb::arg("d_inputs").noconvert().none(), nb::arg("d_initial"),
           nb::arg("n_threads"));

  nb::class_<Network<Real>>(m, network_name, "Layers over one flat buffer of parameters.")
      .def(
          "__init__",
          [](Network<Real>* self, Index input_size,
             const std::vector<
                 std::tuple<int, Index, int, bool, bool, double, bool, bool, double, double, Index>>& given) {
            std::vector<Layer> layers;
            for (const auto& [kind, units, activation, bias, sequences, leak, reset_after, bidirectional,
                              dropout, recurrent_dropout, symbols] : given) {
              require((kind >= 0 && kind <= 2) || (kind >= 8 && kind <= 11), "layers: unknown kind");
              require(activation >= 0 && activation <= 4, "layers: unknown activation");
              layers.push_back({static_cast<Kind>(kind), units, static_cast<Activation>(activation), bias,
                                sequences, leak, reset_after, bidirectional, dropout, recurrent_dropout,
                                symbols});
            }
            new (self) Network<Real>(input_size, std::move(layers));
          },
          nb::arg("input_size"), nb::arg("layers"))
      .def_prop_ro(
          "table",
          [](const Network<Real>& net) {
            nb::list rows;
            for (const Parameter& p : net.spec.parameters) {
              nb::list shape;
              for (const Index n : p.shape) shape.append(n);
              rows.append(nb::make_tuple(p.name, p.offset, nb::tuple(shape)));
            }
            return rows;
          },
          nb::sig("def table(self) -> list[tuple[str, int, tuple[int, ...]]]"))
      .def_prop_ro(
          "parameters", [](nb::handle self) { return parameters<Real>(self); },
          nb::sig("def parameters(self) -> numpy.ndarray"))
      .def_prop_ro("output_size", [](const Network<Real>& net) { return net.spec.output_size; })
      .def_prop_ro("per_step", [](const Network<Real>& net) { return net.spec.per_step; })
      .def_prop_ro("hidden_sizes", [](const Network<Real>& net) { return net.spec.hidden_sizes; })
      .def_prop_ro("state_sizes", [](const Network<Real>& net) { return net.spec.state_sizes; })
      .def("predict", &predict<Real>, nb::arg("data"), nb::arg("out").noconvert(), nb::arg("n_threads"),
           nb::arg("initial") = nb::none(), nb::arg("dropout") = nb::none())
      .def("states", &states<Real>, nb::arg("data"), nb::arg("outs"), nb::arg("n_threads"))
      .def("evaluate", &evaluate<Real>, nb::arg("data"), nb::arg("targets"), nb::arg("loss"),
           nb::arg("weights").none(), nb::arg("carry").none(), nb::arg("n_threads"),
           nb::arg("initial") = nb::none(), nb::arg("dropout") = nb::none())
      .def("gradient", &gradient<Real>, nb::arg("data"), nb::arg("targets"), nb::arg("loss"),
           nb::arg("weights").none(), nb::arg("mean"), nb::arg("l2"), nb::arg("gradient").noconvert(),
           nb::arg("n_threads"), nb::arg("memory"), nb::arg("initial") = nb::none(),
           nb::arg("dropout") = nb::none())
      .def(
          "need",
          [](const Network<Real>& net, Index rows, Index longest, Index steps, int loss, bool dropout,
             int n_threads) {
            const Need need = Pass<Real>(net.spec).need(dropout, fused(net.spec, loss_of(loss)));
            return bytes_needed(net.spec, need, rows, longest, steps, sizeof(Real), n_threads);
          },
          nb::arg("rows"), nb::arg("longest"), nb::arg("steps"), nb::arg("loss"), nb::arg("dropout"),
          nb::arg("n_threads"), "Bytes that a pass with its gradient holds: at once, and from checkpoints.")
      .def(
          "record",
          [](const Network<Real>& net, const DataObject& data, int n_threads,
             std::optional<List<Real>> initial, DropoutKey key) {
            check_input(net.spec, data);
            auto tape = std::make_unique<Tape<Real>>(net, data.data);
            const std::vector<const Real*> start = initial_of<Real>(initial, net.spec, data.data.n);
            const Dropout dropout = dropout_of(key);
            call([&](Interrupt& interrupt) {
              return tape->record(data.data, start, key ? &dropout : nullptr, interrupt, n_threads);
            });
            return tape;
          },
          nb::arg("data"), nb::arg("n_threads"), nb::arg("initial") = nb::none(),
          nb::arg("dropout") = nb::none())
      .def("update", &update<Real>, nb::arg("gradient").noconvert(), nb::arg("optimiser"), nb::arg("rate"),
           nb::arg("moments"), nb::arg("count"), nb::arg("trainable").noconvert(), nb::arg("clip_norm"),
           nb::arg("bounds") = nb::none())
      .def(
          "trainer",
          [](Network<Real>& net, int loss, bool dropout, Index memory, int n_threads) {
            check_loss(net.spec, loss_of(loss));
            return std::make_unique<Trainer<Real>>(net, loss_of(loss), dropout, memory, n_threads);
          },
          nb::arg("loss"), nb::arg("dropout"), nb::arg("memory"), nb::arg("n_threads"),
          nb::keep_alive<0, 1>());
}

}  // namespace

void bind_networks(nb::module_& m) {
  bind<float>(m, "Network32", "Tape32", "Trainer32");
  bind<double>(m, "Network64", "Tape64", "Trainer64");
}

}  // namespace elman::bindings
