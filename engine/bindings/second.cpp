// Second order: the Gauss-Newton matrix, and derivatives of answers.
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
std::tuple<double, double, double, double, double> matrix(Network<Real>& net, const DataObject& data,
                                                          const AnswersObject& targets, int loss,
                                                          std::optional<Vector<const double>> weights,
                                                          int way, Rows2<Real> out, Vector<Real> gradient,
                                                          int n_threads) {
  const Index P = net.spec.parameter_count;
  check_input(net.spec, data);
  require(loss >= 0 && loss <= 2, "loss: unknown");
  const Loss kind = static_cast<Loss>(loss);
  require(kind == Loss::squared_error || fused(net.spec, kind), "loss: does not fit the last activation");
  require(!weights || static_cast<Index>(weights->size()) == data.data.n, "weights: one a sequence");
  require(static_cast<Index>(out.shape(0)) == P && static_cast<Index>(out.shape(1)) == P &&
              static_cast<Index>(gradient.size()) == P,
          "matrix, gradient: wrong sizes");
  const Answers<Real> answers = targets.view<Real>(net.spec, data.data, kind);
  const Way how = way_of(way, net.spec);
  Sums sums;
  call([&](Interrupt& interrupt) {
    return gauss_newton(net, data.data, answers, kind, weights ? weights->data() : nullptr, how, out.data(),
                        gradient.data(), sums, interrupt, n_threads);
  });
  return {sums.v[0], sums.v[1], sums.v[2], sums.v[3], sums.v[4]};
}

template <class Real> void bind(nb::module_& m, const char* network_name) {
  const nb::object network = m.attr(network_name);
  network.attr("gauss_newton") = nb::cpp_function(
      &matrix<Real>, nb::is_method(), nb::scope(network), nb::name("gauss_newton"), nb::arg("data"),
      nb::arg("targets"), nb::arg("loss"), nb::arg("weights").none(), nb::arg("way"),
      nb::arg("matrix").noconvert(), nb::arg("gradient").noconvert(), nb::arg("n_threads"));
  network.attr("jacobian") = nb::cpp_function(
      [](Network<Real>& net, const DataObject& data, int way, Rows2<Real> out, int n_threads) {
        check_input(net.spec, data);
        const Index answers = net.spec.per_step ? data.data.N : data.data.n;
        require(static_cast<Index>(out.shape(0)) == answers * net.spec.output_size &&
                    static_cast<Index>(out.shape(1)) == net.spec.parameter_count,
                "out: wrong shape");
        const Way how = way_of(way, net.spec);
        call([&](Interrupt& interrupt) {
          return jacobian(net, data.data, how, out.data(), interrupt, n_threads);
        });
      },
      nb::is_method(), nb::scope(network), nb::name("jacobian"), nb::arg("data"), nb::arg("way"),
      nb::arg("out").noconvert(), nb::arg("n_threads"));
}

}  // namespace

void bind_second_order(nb::module_& m) {
  bind<float>(m, "Network32");
  bind<double>(m, "Network64");
}

}  // namespace elman::bindings
