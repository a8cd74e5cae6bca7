// Second order: the Gauss-Newton matrix, and derivatives of answers.
#include "bindings/arguments.h"
#include "bindings/bindings.h"
#include "second/curvature.h"
#include "second/tangents.h"

namespace elman::bindings {
namespace {

Way way_of(int way, const Spec& spec) {
  require(way >= 0 && way <= 2, "way: unknown");
  require(static_cast<Way>(way) != Way::tangents || Tangents<double>::possible(spec),
          "way: pools have no tangents");
  return static_cast<Way>(way);
}

template <class Real>
SumsTuple matrix(Network<Real>& net, const DataObject& data, const AnswersObject& targets, int loss,
                 std::optional<Vector<const double>> weights, int way, Rows2<Real> out, Vector<Real> gradient,
                 int n_threads) {
  const Index P = net.spec.parameter_count;
  check_input(net.spec, data);
  const Loss kind = loss_of(net.spec, loss);
  const double* of_sequences = weights_of(weights, data.data.n);
  require(has_shape(out, P, P) && has_size(gradient, P), "matrix, gradient: wrong sizes");
  const Answers<Real> answers = targets.view<Real>(net.spec, data.data, kind);
  const Way how = way_of(way, net.spec);
  Sums sums;
  call([&](Interrupt& interrupt) {
    return gauss_newton(net, data.data, answers, kind, of_sequences, how, out.data(), gradient.data(), sums,
                        interrupt, n_threads);
  });
  return as_tuple(sums);
}

template <class Real>
void derivatives(Network<Real>& net, const DataObject& data, int way, Rows2<Real> out, int n_threads) {
  check_input(net.spec, data);
  const Index answers = rows_of_outputs(net.spec, data.data.n, data.data.N);
  require(has_shape(out, answers * net.spec.output_size, net.spec.parameter_count), "out: wrong shape");
  const Way how = way_of(way, net.spec);
  call([&](Interrupt& interrupt) { return jacobian(net, data.data, how, out.data(), interrupt, n_threads); });
}

template <class Real> void bind(nb::module_& m, const char* network_name) {
  const nb::object network = m.attr(network_name);
  network.attr("gauss_newton") = nb::cpp_function(
      &matrix<Real>, nb::is_method(), nb::scope(network), nb::name("gauss_newton"), nb::arg("data"),
      nb::arg("targets"), nb::arg("loss"), nb::arg("weights").none(), nb::arg("way"),
      nb::arg("matrix").noconvert(), nb::arg("gradient").noconvert(), nb::arg("n_threads"));
  network.attr("jacobian") =
      nb::cpp_function(&derivatives<Real>, nb::is_method(), nb::scope(network), nb::name("jacobian"),
                       nb::arg("data"), nb::arg("way"), nb::arg("out").noconvert(), nb::arg("n_threads"));
}

}  // namespace

void bind_second_order(nb::module_& m) {
  bind<float>(m, "Network32");
  bind<double>(m, "Network64");
}

}  // namespace elman::bindings
