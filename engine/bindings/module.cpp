// elman._core: the table of contents of the native module.
#include "bindings/bindings.h"

#include <algorithm>
#include <chrono>

#include "core/shuffle.h"
#include "runtime/dispatch.h"
#include "runtime/threads.h"

namespace elman::bindings {
namespace {

nb::object shuffled(std::uint64_t key, std::uint64_t first_epoch, Index epochs, Index n) {
  require(epochs >= 0 && n >= 0 && (n == 0 || epochs <= (Index(1) << 40) / n), "shuffle: too many");
  auto* order = new std::int64_t[static_cast<std::size_t>(std::max<Index>(1, epochs * n))];
  const nb::capsule owner(order, [](void* p) noexcept { delete[] static_cast<std::int64_t*>(p); });
  for (Index e = 0; e < epochs; ++e)
    shuffle(key, first_epoch + static_cast<std::uint64_t>(e), n, order + e * n);
  return nb::cast(Vector<std::int64_t>(order, {static_cast<std::size_t>(epochs * n)}, owner));
}

// Best of several rounds, in units of 1e9 floating-point operations a second.
double fma_peak(int n_threads) {
  const WithoutLock lock;
  const KernelTable<float>& k = kernels<float>();
  constexpr Index rounds = 2'000'000;
  double best = 0;
  for (int i = 0; i < 7; ++i) {
    const auto start = std::chrono::steady_clock::now();
    parallel(n_threads, [&](int) {
      volatile float sink = k.fma_loop(rounds);
      (void)sink;
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 2.0 * static_cast<double>(rounds * k.fma_per_round) * n_threads / seconds * 1e-9);
  }
  return best;
}

// At exit, what a daemon thread still holds is no leak: Python never frees it, and nanobind would report it.
void forgive_other_threads() {
  const nb::dict frames = nb::cast<nb::dict>(nb::module_::import_("sys").attr("_current_frames")());
  for (const auto& [thread, frame] : frames)
    if (nb::cast<unsigned long>(thread) != PyThread_get_thread_ident()) nb::set_leak_warnings(false);
}

template <class Real> void map(int function, Vector<Real> x) {
  require(function >= 0 && function <= 3, "map: unknown function");
  const FlushDenormals mode;
  kernels<Real>().map(function, x.data(), static_cast<Index>(x.size()));
}

}  // namespace
}  // namespace elman::bindings

NB_MODULE(_core, m) {
  using namespace elman::bindings;
  m.doc() = "elman's engine. Only elman._engine imports it.";
  try {
    (void)elman::isa();
    (void)elman::kernels<float>();
    (void)elman::kernels<double>();
    elman::prepare_threads();
  } catch (const std::invalid_argument& error) {  // a wrong ELMAN_ISA
    throw nb::import_error(error.what());
  }
  nb::module_::import_("atexit").attr("register")(nb::cpp_function(&forgive_other_threads));
  m.def("isa", [] { return elman::isa(); }, "The instruction set in use.");
  m.def("available_isas", &elman::available_isas, "What this machine can run, best first.");
  m.def("usable_cpus", &elman::usable_cpus, "CPUs that this process may use.");
  m.def("shuffle", &shuffled, nb::arg("key"), nb::arg("first_epoch"), nb::arg("epochs"), nb::arg("n"),
        nb::sig("def shuffle(key: int, first_epoch: int, epochs: int, n: int) -> numpy.ndarray"),
        "One permutation of 0..n-1 an epoch, one after the other.");
  m.def("fma_peak", &fma_peak, nb::arg("n_threads"), "GFLOP/s of a bare float32 multiply-add loop.");
  m.def("map", &map<float>, nb::arg("function"), nb::arg("x").noconvert(),
        "0 tanh, 1 sigmoid, 2 exp of x <= 0, 3 log; in place.");
  m.def("map", &map<double>, nb::arg("function"), nb::arg("x").noconvert());
  bind_data(m);
  bind_networks(m);
  bind_streams(m);
  bind_second_order(m);
  bind_online(m);
}
