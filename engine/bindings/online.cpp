// Learning one step at a time.
#include "bindings/arguments.h"
#include "bindings/bindings.h"

#include <algorithm>
#include <cmath>

#include "run/online.h"

namespace elman::bindings {
namespace {

// A learner with the arrays that it works on: their owner keeps them, and gives them again when they have
// changed.
template <class Real> class OnlineObject {
 public:
  OnlineObject(nb::object network, int rule, Index truncation, Loss loss)
      : owner_(std::move(network)),
        network_(nb::cast<Network<Real>&>(owner_)),
        online_(network_, static_cast<OnlineRule>(rule), truncation),
        loss_(loss) {
    gradient_.zeros(network_.spec.parameter_count);
  }

  // The first number of x that is not finite, nothing being changed then; -1; or -2, the output being not
  // finite.
  Index step(Vector<const Real> x, Vector<Real> out) {
    require(!network_.spec.symbols && has_size(x, network_.spec.input_size) &&
                has_size(out, network_.spec.output_size),
            "x, out: wrong sizes");
    for (std::size_t i = 0; i < x.size(); ++i)
      if (!std::isfinite(x.data()[i])) return static_cast<Index>(i);
    online_.step(x.data(), out.data());
    return stepped(out);
  }
  Index step_symbol(Index x, Vector<Real> out) {
    require(x >= 0 && x < network_.spec.symbols && has_size(out, network_.spec.output_size),
            "x, out: out of range, wrong size");
    online_.step(static_cast<int>(x), out.data());
    return stepped(out);
  }

  // 0 updated, 1 no answer, 2 not finite: nothing was changed then.
  int learn(Index index, Vector<const Real> values, double rate, Index count) {
    require(stepped_, "learn: after a step");
    require(index >= 0 ? index < network_.spec.output_size : has_size(values, network_.spec.output_size),
            "answer: wrong size");
    const long long chosen = index;
    const bool classes = index >= 0;
    const Answers<Real> answer{classes ? &chosen : nullptr,
                               classes ? nullptr : values.data(),
                               1,
                               network_.spec.output_size,
                               true,
                               nullptr};
    double value = 0;
    learned_ = true;
    if (!online_.gradient(answer, loss_, gradient_.data(), value)) return 1;
    if (!std::isfinite(value) || !kernels<Real>().all_finite(gradient_.data(), network_.spec.parameter_count))
      return 2;
    const FlushDenormals mode;
    return optimizer_.apply(network_.parameters.data(), gradient_.data(), rate, count + 1, 1) ? 0 : 2;
  }

  void gradient(Vector<Real> out) const {
    require(has_size(out, network_.spec.parameter_count), "gradient: wrong size");
    std::copy_n(gradient_.data(), out.size(), out.data());
  }

  void use(OptimizerTuple rule, std::vector<Vector<Real>> moments, Rows2<const std::int64_t> trainable,
           double clip_norm) {
    const Index P = network_.spec.parameter_count;
    optimizer_ = optimizer_of<Real>(rule, moments, trainable, clip_norm, std::nullopt, P);
    moments_ = std::move(moments);
  }

  void reset() {
    online_.reset();
    stepped_ = false;
  }

  void get_states(std::vector<Vector<Real>> outs) const {
    over_recurrent(outs, [&](std::size_t op, Vector<Real>& out) { online_.get_states(op, out.data()); });
  }
  void set_states(std::vector<Vector<Real>> given) {
    check(given);
    online_.forget();
    over_recurrent(given,
                   [&](std::size_t op, Vector<Real>& values) { online_.set_states(op, values.data()); });
    stepped_ = false;
  }

  Index remembered() const { return online_.remembered(); }
  Index memory_size(Index steps) const {
    require(steps >= 0 && steps <= (Index(1) << 40), "steps: out of range");
    return online_.memory_size(steps);
  }
  void save(Vector<Real> out) const {
    require(has_size(out, online_.memory_size(online_.remembered())), "memory: wrong size");
    online_.save(out.data());
  }
  void load(Index steps, Vector<const Real> memory) {
    require(steps >= 0 && steps <= (Index(1) << 40) && has_size(memory, online_.memory_size(steps)),
            "memory: wrong size");
    require(online_.readable(steps, memory.data()),
            "memory: its inputs are not integers that the network knows");
    online_.load(steps, memory.data());
    stepped_ = false;
  }

 private:
  Index stepped(const Vector<Real>& out) {
    stepped_ = true;
    if (learned_) std::fill_n(gradient_.data(), network_.spec.parameter_count, Real(0));
    learned_ = false;
    return kernels<Real>().all_finite(out.data(), static_cast<Index>(out.size())) ? -1 : -2;
  }
  void check(const std::vector<Vector<Real>>& arrays) const {
    require(arrays.size() == network_.spec.state_sizes.size(), "states: one a recurrent layer");
    for (std::size_t i = 0; i < arrays.size(); ++i)
      require(has_size(arrays[i], network_.spec.state_sizes[i]), "states: wrong sizes");
  }
  template <class F> void over_recurrent(std::vector<Vector<Real>>& arrays, F f) const {
    check(arrays);
    std::size_t next = 0;
    for (std::size_t i = 0; i < network_.spec.operations.size(); ++i)
      if (network_.spec.operations[i].type == Operation::Type::recurrent) f(i, arrays[next++]);
  }

  nb::object owner_;
  Network<Real>& network_;
  Online<Real> online_;
  Loss loss_;
  Optimizer<Real> optimizer_{};
  std::vector<Vector<Real>> moments_;
  Buffer<Real> gradient_;
  bool stepped_ = false, learned_ = false;
};

template <class Real> void bind(nb::module_& m, const char* name, const char* network_name) {
  using O = OnlineObject<Real>;
  nb::class_<O>(m, name, "A network that learns one step at a time.")
      .def("step", &O::step, nb::arg("x").noconvert(), nb::arg("out").noconvert(),
           "The output after one more step: -1, or -2 where it is not finite; or, nothing being changed, the "
           "place of a number of x that is not finite.")
      .def("step_symbol", &O::step_symbol, nb::arg("x"), nb::arg("out").noconvert(),
           "The same for a network over integers.")
      .def(
          "learn", &O::learn, nb::arg("index"), nb::arg("values").noconvert(), nb::arg("rate"),
          nb::arg("count"),
          "From the last step's answer, a class or (index -1) values: 0 updated, 1 none given, 2 not finite.")
      .def("gradient", &O::gradient, nb::arg("out").noconvert())
      .def("use", &O::use, nb::arg("optimizer"), nb::arg("moments"), nb::arg("trainable").noconvert(),
           nb::arg("clip_norm"), "The optimizer, with its memory.")
      .def("reset", &O::reset)
      .def("get_states", &O::get_states, nb::arg("outs"))
      .def("set_states", &O::set_states, nb::arg("states"))
      .def_prop_ro("remembered", &O::remembered)
      .def("memory_size", &O::memory_size, nb::arg("steps"))
      .def("save", &O::save, nb::arg("out").noconvert())
      .def("load", &O::load, nb::arg("steps"), nb::arg("memory").noconvert());
  const nb::object network = m.attr(network_name);
  network.attr("online") = nb::cpp_function(
      [](nb::object self, int rule, Index truncation, int loss) {
        const Spec& spec = nb::cast<Network<Real>&>(self).spec;
        require(rule >= 0 && rule <= 1 && truncation >= 1 && truncation <= (Index(1) << 30),
                "rule, truncation: out of range");
        require(Tangents<Real>::possible(spec),
                "network: pools of all steps cannot learn one step at a time");
        return new O(std::move(self), rule, truncation, loss_of(spec, loss));
      },
      nb::is_method(), nb::scope(network), nb::name("online"), nb::arg("rule"), nb::arg("truncation"),
      nb::arg("loss"), nb::rv_policy::take_ownership);
}

}  // namespace

void bind_online(nb::module_& m) {
  bind<float>(m, "Online32", "Network32");
  bind<double>(m, "Online64", "Network64");
}

}  // namespace elman::bindings
