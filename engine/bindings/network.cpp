// Networks: their parameters, and whole calls over sequences.
#include "bindings/arguments.h"
#include "bindings/bindings.h"
#include "run/run.h"
#include "train/trainer.h"

namespace elman::bindings {
namespace {

// kind, units, activation, use_bias, return_sequences, leak, reset_after, bidirectional, dropout,
// recurrent_dropout, symbols: as Layer has them
using LayerTuple = std::tuple<int, Index, int, bool, bool, double, bool, bool, double, double, Index>;

Layer layer_of(const LayerTuple& given) {
  const auto& [kind, units, activation, bias, sequences, leak, reset_after, bidirectional, dropout,
               recurrent_dropout, symbols] = given;
  require((kind >= 0 && kind <= 2) || (kind >= 8 && kind <= 11), "layers: unknown kind");
  require(activation >= 0 && activation <= 4, "layers: unknown activation");
  return {static_cast<Kind>(kind),
          units,
          static_cast<Activation>(activation),
          bias,
          sequences,
          leak,
          reset_after,
          bidirectional,
          dropout,
          recurrent_dropout,
          symbols};
}

template <class Real> void make(Network<Real>* self, Index input_size, const std::vector<LayerTuple>& given) {
  std::vector<Layer> layers;
  for (const LayerTuple& layer : given) layers.push_back(layer_of(layer));
  new (self) Network<Real>(input_size, std::move(layers));
}

template <class Real> nb::list table(const Network<Real>& net) {
  nb::list rows;
  for (const Parameter& p : net.spec.parameters) {
    nb::list shape;
    for (const Index n : p.shape) shape.append(n);
    rows.append(nb::make_tuple(p.name, p.offset, nb::tuple(shape)));
  }
  return rows;
}

template <class Real> nb::object parameters(nb::handle self) {
  Network<Real>& net = nb::cast<Network<Real>&>(self);
  return nb::cast(Vector<Real>(net.parameters.data(), {to_size(net.spec.parameter_count)}, self));
}

// The first row of `out` that is not finite, or -1.
template <class Real>
Index predict(const Network<Real>& net, const DataObject& data, Rows2<Real> out, int n_threads,
              std::optional<List<Real>> initial, DropoutKey key) {
  const Data& d = data.data;
  check_input(net.spec, data);
  require(has_shape(out, rows_of_outputs(net.spec, d.n, d.N), net.spec.output_size), "out: wrong shape");
  const Dropout dropout = dropout_of(key);
  Wanted<Real> wanted;
  wanted.outputs = out.data();
  wanted.initial = initial_of<Real>(initial, net.spec, d.n);
  if (key) wanted.dropout = &dropout;
  Index bad = -1;
  call([&](Interrupt& interrupt) {
    if (!run_forward(net, d, wanted, interrupt, n_threads)) return false;
    bad = first_not_finite(static_cast<const Real*>(out.data()), static_cast<Index>(out.size()));
    return true;
  });
  return bad < 0 ? -1 : bad / net.spec.output_size;
}

template <class Real>
void states(const Network<Real>& net, const DataObject& data, List<Real> outs, int n_threads) {
  check_input(net.spec, data);
  Wanted<Real> wanted;
  wanted.states = pointers<Real>(outs, net.spec.hidden_sizes, data.data.N, "outs: wrong shapes");
  call([&](Interrupt& interrupt) { return run_forward(net, data.data, wanted, interrupt, n_threads); });
}

template <class Real>
SumsTuple evaluate(const Network<Real>& net, const DataObject& data, const AnswersObject& targets, int loss,
                   std::optional<Vector<const double>> weights, std::optional<List<Real>> carry,
                   int n_threads, std::optional<List<Real>> initial, DropoutKey key) {
  const Data& d = data.data;
  check_input(net.spec, data);
  Wanted<Real> wanted;
  wanted.loss = loss_of(net.spec, loss);
  const Answers<Real> answers = targets.view<Real>(net.spec, d, wanted.loss);
  wanted.answers = &answers;
  wanted.weights = weights_of(weights, d.n);
  require(!carry || !net.spec.whole_rows, "carry: not with bidirectional layers");
  wanted.carry = carry_of<Real>(carry, net.spec, d.n);
  wanted.initial = initial_of<Real>(initial, net.spec, d.n);
  const Dropout dropout = dropout_of(key);
  if (key) wanted.dropout = &dropout;
  call([&](Interrupt& interrupt) { return run_forward(net, d, wanted, interrupt, n_threads); });
  return as_tuple(wanted.sums);
}

// NaN where the loss is not finite, zeros where there is no answer.
template <class Real>
double gradient(Network<Real>& net, const DataObject& data, const AnswersObject& targets, int loss,
                std::optional<Vector<const double>> weights, bool mean, double l2, Vector<Real> out,
                int n_threads, Index memory, std::optional<List<Real>> initial, DropoutKey key) {
  const Data& d = data.data;
  const Index P = net.spec.parameter_count;
  check_input(net.spec, data);
  require(has_size(out, P), "gradient: wrong size");
  const Loss kind = loss_of(net.spec, loss);
  const Answers<Real> answers = targets.view<Real>(net.spec, d, kind);
  const Objective objective{kind, mean, l2, weights_of(weights, d.n)};
  const std::vector<const Real*> start = initial_of<Real>(initial, net.spec, d.n);
  const Dropout dropout = dropout_of(key);
  double value = 0;
  call([&](Interrupt& interrupt) {
    const Outcome outcome = loss_and_gradient(net, d, answers, objective, start, key ? &dropout : nullptr,
                                              memory, out.data(), value, interrupt, n_threads);
    if (outcome == Outcome::nothing) std::fill_n(out.data(), P, Real(0));
    if (outcome == Outcome::diverged) {
      std::fill_n(out.data(), P, std::numeric_limits<Real>::quiet_NaN());
      value = std::numeric_limits<double>::quiet_NaN();
    }
    return outcome != Outcome::stopped;
  });
  return value;
}

template <class Real>
std::pair<Index, Index> need(const Network<Real>& net, Index rows, Index longest, Index steps, int loss,
                             bool dropout, int n_threads) {
  const Need of_pass = Pass<Real>(net.spec).need(dropout, fused(net.spec, known_loss(loss)));
  return bytes_needed(net.spec, of_pass, rows, longest, steps, sizeof(Real), n_threads);
}

template <class Real> void bind(nb::module_& m, const char* name) {
  nb::class_<Network<Real>> network(m, name, "Layers over one flat buffer of parameters.");
  network.def("__init__", &make<Real>, nb::arg("input_size"), nb::arg("layers"))
      .def_prop_ro("table", &table<Real>,
                   nb::sig("def table(self) -> list[tuple[str, int, tuple[int, ...]]]"))
      .def_prop_ro("parameters", &parameters<Real>, nb::sig("def parameters(self) -> numpy.ndarray"))
      .def_prop_ro("output_size", [](const Network<Real>& net) { return net.spec.output_size; })
      .def_prop_ro("per_step", [](const Network<Real>& net) { return net.spec.per_step; })
      .def_prop_ro("hidden_sizes", [](const Network<Real>& net) { return net.spec.hidden_sizes; })
      .def_prop_ro("state_sizes", [](const Network<Real>& net) { return net.spec.state_sizes; })
      .def("predict", &predict<Real>, nb::arg("data"), nb::arg("out").noconvert(), nb::arg("n_threads"),
           nb::arg("initial") = nb::none(), nb::arg("dropout") = nb::none(),
           "The outputs; returns the first row of them that is not finite, -1 none.")
      .def("states", &states<Real>, nb::arg("data"), nb::arg("outs"), nb::arg("n_threads"))
      .def("evaluate", &evaluate<Real>, nb::arg("data"), nb::arg("targets"), nb::arg("loss"),
           nb::arg("weights").none(), nb::arg("carry").none(), nb::arg("n_threads"),
           nb::arg("initial") = nb::none(), nb::arg("dropout") = nb::none())
      .def("gradient", &gradient<Real>, nb::arg("data"), nb::arg("targets"), nb::arg("loss"),
           nb::arg("weights").none(), nb::arg("mean"), nb::arg("l2"), nb::arg("gradient").noconvert(),
           nb::arg("n_threads"), nb::arg("memory"), nb::arg("initial") = nb::none(),
           nb::arg("dropout") = nb::none())
      .def("need", &need<Real>, nb::arg("rows"), nb::arg("longest"), nb::arg("steps"), nb::arg("loss"),
           nb::arg("dropout"), nb::arg("n_threads"),
           "Bytes that a pass with its gradient holds: at once, and from checkpoints.");
  bind_recording(network);
  bind_training(network);
}

}  // namespace

void bind_networks(nb::module_& m) {
  bind_trainer<float>(m, "Trainer32");
  bind_tape<float>(m, "Tape32");
  bind<float>(m, "Network32");
  bind_trainer<double>(m, "Trainer64");
  bind_tape<double>(m, "Tape64");
  bind<double>(m, "Network64");
}

}  // namespace elman::bindings
