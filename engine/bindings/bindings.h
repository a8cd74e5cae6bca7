// What the files of the native module share. Bindings check what memory safety needs; the meaning of
// arguments is checked in Python.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "pass/loss.h"
#include "pass/network.h"
#include "runtime/denormals.h"
#include "runtime/interrupt.h"

namespace nb = nanobind;

namespace elman::bindings {

template <class Value>
using Vector = nb::ndarray<Value, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class Value>
using Rows2 = nb::ndarray<Value, nb::numpy, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using AnyRows = nb::ndarray<nb::ro, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

inline void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(what);
}

// Raises one of elman.errors, which carry their argument. For streams alone: Python checks the arguments of
// all other calls before they come here.
[[noreturn]] inline void refuse(const char* kind, const std::string& where, const std::string& problem,
                                const std::string& expected = "") {
  const nb::object type = nb::module_::import_("elman.errors").attr(kind);
  const nb::object error = type(where, problem, expected);
  PyErr_SetObject(type.ptr(), error.ptr());
  throw nb::python_error();
}

[[noreturn]] inline void refuse_value(const std::string& where, const std::string& problem,
                                      const std::string& expected = "") {
  refuse("ArgumentValueError", where, problem, expected);
}

// Sequences with the array of their values. The offsets are a copy: they are checked once and then decide
// what memory is read, so the caller must not be able to change them.
struct DataObject {
  AnyRows values;
  std::vector<std::int64_t> offsets;
  Data data;
  Index below = 0;  // integers, all of them found to be below this
  DataObject(AnyRows values, const Vector<const std::int64_t>& offsets);
  DataObject(const DataObject&) = delete;
  DataObject& operator=(const DataObject&) = delete;
};

// Memory safety: do the sequences fit the network's input, and are its integers known to it?
inline void check_input(const Spec& spec, const DataObject& data) {
  require(data.data.F == spec.input_size, "values: wrong number of features");
  require(!spec.symbols || (data.below > 0 && data.below <= spec.symbols),
          "values: integers that were not checked against the network's number of symbols");
}

struct AnswersObject {
  std::optional<Vector<const std::int64_t>> indices;
  std::optional<Rows2<const float>> values32;
  std::optional<Rows2<const double>> values64;
  std::optional<Vector<const double>> class_weight;  // [C]
  std::optional<Vector<const double>> row_weight;    // [rows]
  bool missing = false;
  Index largest = -1;  // class

  AnswersObject(std::optional<Vector<const std::int64_t>> indices, std::optional<Rows2<const float>> values32,
                std::optional<Rows2<const double>> values64, std::optional<Vector<const double>> class_weight,
                std::optional<Vector<const double>> row_weight);
  template <class Real> Answers<Real> view(const Spec& spec, const Data& data, Loss loss) const;
};

// The interpreter's lock is given up while this lives. A thread that wants it back while the interpreter
// shuts down is ended by Python before 3.14, in the middle of C++: it is caught here and sleeps until the
// process is gone.
class WithoutLock {
 public:
  WithoutLock() : state_(PyEval_SaveThread()) {}
  ~WithoutLock() { take(); }
  WithoutLock(const WithoutLock&) = delete;
  WithoutLock& operator=(const WithoutLock&) = delete;

  // Signal handlers run here, with the caller's treatment of denormal numbers; true: one of them raised.
  bool signalled() {
    take();
    const AllowDenormals mode;
    const bool raised = PyErr_CheckSignals() != 0;
    state_ = PyEval_SaveThread();
    return raised;
  }

 private:
  void take() {
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    }
  }
  PyThreadState* state_;
};

// Runs work without the interpreter's lock; raises what a signal handler raised.
template <class F> void call(F work) {
  Interrupt interrupt;
  interrupt.poll = [](void* lock) { return static_cast<WithoutLock*>(lock)->signalled(); };
  bool whole;
  {
    WithoutLock lock;
    interrupt.context = &lock;
    whole = work(interrupt);
  }
  if (!whole && PyErr_Occurred()) throw nb::python_error();
}

// What a call adds up over answers.
using SumsTuple = std::tuple<double, double, double, double, double>;
inline SumsTuple as_tuple(const Sums& sums) {
  return {sums.v[0], sums.v[1], sums.v[2], sums.v[3], sums.v[4]};
}

// One file each. A trainer and a tape are classes of their own, and methods of their networks.
template <class Real> void bind_trainer(nb::module_& m, const char* name);
template <class Real> void bind_tape(nb::module_& m, const char* name);
template <class Real> void bind_training(nb::class_<Network<Real>>& network);
template <class Real> void bind_recording(nb::class_<Network<Real>>& network);
void bind_data(nb::module_& m);
void bind_networks(nb::module_& m);
void bind_streams(nb::module_& m);
void bind_second_order(nb::module_& m);
void bind_online(nb::module_& m);

}  // namespace elman::bindings
