// Recorded forward passes.
#include "run/tape.h"

#include "bindings/arguments.h"
#include "bindings/bindings.h"

namespace elman::bindings {
namespace {

template <class Real> bool fits_outputs(const Tape<Real>& tape, const auto& array) {
  return has_shape(array, rows_of_outputs(tape.spec, tape.n, tape.N), tape.spec.output_size);
}

template <class Real> void outputs(Tape<Real>& tape, Rows2<Real> out) {
  require(fits_outputs(tape, out), "out: wrong shape");
  tape.outputs(out.data());
}

template <class Real> void states(Tape<Real>& tape, List<Real> outs) {
  tape.states(pointers<Real>(outs, tape.spec.hidden_sizes, tape.N, "outs: wrong shapes"));
}

template <class Real>
void backward(Tape<Real>& tape, Rows2<const Real> d_outputs, Vector<Real> d_parameters,
              std::optional<Rows2<Real>> d_inputs, List<Real> d_initial, int n_threads) {
  const Spec& spec = tape.spec;
  require(fits_outputs(tape, d_outputs), "d_outputs: wrong shape");
  require(has_size(d_parameters, spec.parameter_count), "d_parameters: wrong size");
  require(d_inputs.has_value() == !spec.symbols, "d_inputs: None where the inputs are integers");
  require(!d_inputs || has_shape(*d_inputs, tape.N, spec.input_size), "d_inputs: wrong shape");
  const std::vector<Real*> starts =
      pointers<Real>(d_initial, spec.state_sizes, tape.n, "d_initial: wrong shapes");
  Real* inputs = d_inputs ? d_inputs->data() : nullptr;
  call([&](Interrupt& interrupt) {
    return tape.backward(d_outputs.data(), d_parameters.data(), inputs, starts, interrupt, n_threads);
  });
}

template <class Real>
std::unique_ptr<Tape<Real>> record(const Network<Real>& net, const DataObject& data, int n_threads,
                                   std::optional<List<Real>> initial, DropoutKey key) {
  check_input(net.spec, data);
  auto tape = std::make_unique<Tape<Real>>(net, data.data);
  const std::vector<const Real*> start = initial_of<Real>(initial, net.spec, data.data.n);
  const Dropout dropout = dropout_of(key);
  call([&](Interrupt& interrupt) {
    return tape->record(data.data, start, key ? &dropout : nullptr, interrupt, n_threads);
  });
  return tape;
}

}  // namespace

template <class Real> void bind_tape(nb::module_& m, const char* name) {
  nb::class_<Tape<Real>>(m, name, "A recorded forward pass, with its own copy of the parameters.")
      .def("outputs", &outputs<Real>, nb::arg("out").noconvert())
      .def("states", &states<Real>, nb::arg("outs"))
      .def("backward", &backward<Real>, nb::arg("d_outputs").noconvert(), nb::arg("d_parameters").noconvert(),
           nb::arg("d_inputs").noconvert().none(), nb::arg("d_initial"), nb::arg("n_threads"));
}

template <class Real> void bind_recording(nb::class_<Network<Real>>& network) {
  network.def("record", &record<Real>, nb::arg("data"), nb::arg("n_threads"), nb::arg("initial") = nb::none(),
              nb::arg("dropout") = nb::none());
}

#define ELMAN_INSTANTIATE(Real)                             \
  template void bind_tape<Real>(nb::module_&, const char*); \
  template void bind_recording(nb::class_<Network<Real>>&);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman::bindings
