// One step at a time costs less than the usual conversions of arguments: arrays are read through the buffer
// protocol, results made by numpy.empty.
#include "bindings/bindings.h"

#include <utility>

#include "run/stream.h"

namespace elman::bindings {
namespace {

struct View {
  Py_buffer buffer{};
  bool held = false;
  View() = default;
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() { release(); }
  bool get(PyObject* o, int flags) {
    held = PyObject_GetBuffer(o, &buffer, flags) == 0;
    if (!held) PyErr_Clear();
    return held;
  }
  void release() {
    if (held) PyBuffer_Release(&buffer);
    held = false;
  }
};

template <class Real> constexpr char format = sizeof(Real) == 4 ? 'f' : 'd';

template <class Real> bool is_real(const Py_buffer& b) {
  return b.format && b.format[0] == format<Real> && b.format[1] == 0;
}

template <class Real> class StreamObject {
 public:
  StreamObject(nb::object network, Index rows)
      : owner_(std::move(network)),
        one_(rows == 0),
        stream_(nb::cast<Network<Real>&>(owner_), one_ ? 1 : rows),
        F_(stream_.spec().input_size),
        C_(stream_.spec().output_size) {
    const nb::module_ numpy = nb::module_::import_("numpy");
    empty_ = numpy.attr("empty");
    asarray_ = numpy.attr("asarray");
    dtype_ = numpy.attr("dtype")(sizeof(Real) == 4 ? "float32" : "float64");
    shape_ = one_ ? nb::object(nb::make_tuple(C_)) : nb::object(nb::make_tuple(rows, C_));
  }

  nb::object step(nb::handle x, nb::handle out) {
    nb::object made;
    View in;
    const Real* from = nullptr;
    if (stream_.spec().symbols) {
      read_symbols(x);
    } else if (in.get(x.ptr(), PyBUF_FORMAT | PyBUF_ND) && is_real<Real>(in.buffer)) {
      check_shape(in.buffer, "x", F_, "the network's input_size");
      from = static_cast<const Real*>(in.buffer.buf);
    } else {
      converted_ = numbers(x, "x", F_, "the network's input_size");
      from = converted_.data();
    }
    for (Index i = 0; from && i < stream_.rows * F_; ++i)
      if (!(from[i] - from[i] == 0)) {
        const std::string row = one_ ? "" : std::to_string(i / F_) + ", ";
        refuse_value("x[" + row + std::to_string(i % F_) + "]",
                     "is not finite; the stream's state is unchanged");
      }
    View given;
    Real* to;
    if (out.is_none()) {
      PyObject* args[] = {shape_.ptr(), dtype_.ptr()};
      made = nb::steal(PyObject_Vectorcall(empty_.ptr(), args, 2, nullptr));
      if (!made.is_valid()) throw nb::python_error();
      if (!given.get(made.ptr(), PyBUF_WRITABLE)) throw std::runtime_error("numpy.empty gave no memory");
    } else {
      made = nb::borrow(out);
      if (!given.get(out.ptr(), PyBUF_FORMAT | PyBUF_ND | PyBUF_WRITABLE) || !is_real<Real>(given.buffer))
        refuse_value("out", std::string("must be a writable, C-contiguous array of dtype ") +
                                (sizeof(Real) == 4 ? "float32" : "float64"));
      check_shape(given.buffer, "out", C_, "the network's output size");
    }
    to = static_cast<Real*>(given.buffer.buf);
    if (from) stream_.step(from, to);
    else stream_.step(symbols_.data(), to);
    // The answer was written by a masked store, and reading it at once waits for 10 ns. This fills them.
    in.release();
    given.release();
    count_answer(to);
    return made;
  }

  // Steps in time order, (k, F) or (k, rows, F): all are checked before the first is taken.
  nb::object steps(nb::handle x) {
    if (stream_.spec().symbols) read_symbol_steps(x);
    else read_number_steps(x);
    // Local: a signal's handler may use this stream.
    const std::vector<int> symbols = std::exchange(symbols_, {});
    const std::vector<Real> values = std::exchange(converted_, {});
    const Index width = stream_.spec().symbols ? 1 : F_;
    const Index k = static_cast<Index>(symbols.size() + values.size()) / (stream_.rows * width);
    nb::object made = empty_(one_ ? nb::make_tuple(k, C_) : nb::make_tuple(k, stream_.rows, C_), dtype_);
    if (k == 0) return made;
    View view;
    if (!view.get(made.ptr(), PyBUF_WRITABLE)) throw std::runtime_error("numpy.empty gave no memory");
    Real* to = static_cast<Real*>(view.buffer.buf);
    constexpr Index between_signals = 64;
    std::vector<std::vector<Real>> before;
    if (k > between_signals) before = all_states();
    const Index taken = taken_;
    for (Index t = 0; t < k; ++t, to += stream_.rows * C_) {
      if (t > 0 && t % between_signals == 0 && PyErr_CheckSignals() != 0) {
        put_back(before);
        taken_ = taken;
        throw nb::python_error();
      }
      if (values.empty()) stream_.step(symbols.data() + t * stream_.rows, to);
      else stream_.step(values.data() + t * stream_.rows * F_, to);
      count_answer(to);
    }
    return made;
  }

  void reset() {
    stream_.reset();
    taken_ = 0;
    if (initial_.is_valid()) start_from(initial_);
  }

  // One entry a recurrent layer, as `state` has them; reset() comes back to it.
  void start_from(nb::handle given) {
    const auto entries = stream_.entries();
    std::vector<std::size_t> recurrent;
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (!entries[i].counts_steps) recurrent.push_back(i);
    set_entries(given, "initial_state", recurrent, "one a recurrent layer");
    initial_ = nb::borrow(given);
  }

  nb::list state() {
    nb::list list;
    const auto entries = stream_.entries();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const Index size = entries[i].size;
      const auto one = [&](Index state) {
        const nb::object shape =
            one_ ? nb::object(nb::make_tuple(size)) : nb::object(nb::make_tuple(stream_.rows, size));
        nb::object array = empty_(shape, dtype_);
        View view;
        if (!view.get(array.ptr(), PyBUF_WRITABLE)) throw std::runtime_error("numpy.empty gave no memory");
        stream_.get_state(i, state, static_cast<Real*>(view.buffer.buf));
        return array;
      };
      if (entries[i].states == 2) list.append(nb::make_tuple(one(0), one(1)));
      else list.append(one(0));
    }
    return list;
  }

  void set_state(nb::handle given) {
    std::vector<std::size_t> all(stream_.entries().size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    set_entries(given, "state", all, "one a recurrent layer or pool");
    taken_ = 0;
  }

 private:
  // One more step was taken. An answer that is no number is an error, and would be one for ever after.
  void count_answer(const Real* y) {
    const Index step = taken_++;
    for (Index i = 0; i < stream_.rows * C_; ++i)
      if (!(y[i] - y[i] == 0)) refuse_answer(i / C_, step, y[i] > 0 ? "inf" : y[i] < 0 ? "-inf" : "nan");
  }

  [[noreturn]] void refuse_answer(Index row, Index step, const char* value) const {
    refuse("NonFiniteError", one_ ? "x" : "x[" + std::to_string(row) + "]",
           std::string("led to the answer ") + value + " at step " + std::to_string(step) + " (from 0)",
           "finite numbers: the states may have grown too large; reset() begins anew");
  }

  // A copy of every entry's states, in the order in which put_back takes them.
  std::vector<std::vector<Real>> all_states() const {
    std::vector<std::vector<Real>> copies;
    const auto entries = stream_.entries();
    for (std::size_t i = 0; i < entries.size(); ++i)
      for (Index s = 0; s < entries[i].states; ++s) {
        copies.emplace_back(static_cast<std::size_t>(stream_.rows * entries[i].size));
        stream_.get_state(i, s, copies.back().data());
      }
    return copies;
  }

  void put_back(const std::vector<std::vector<Real>>& copies) {
    const auto entries = stream_.entries();
    std::size_t next = 0;
    for (std::size_t i = 0; i < entries.size(); ++i)
      for (Index s = 0; s < entries[i].states; ++s) stream_.set_state(i, s, copies[next++].data());
  }

  // The numbers of several steps, [k, rows, F], into converted_.
  void read_number_steps(nb::handle x) {
    const nb::object array = real_array(x, "x");
    const nb::object doubles = as_doubles(array);
    View view;
    if (!view.get(doubles.ptr(), PyBUF_ND)) throw std::invalid_argument("x: not an array");
    const Py_buffer& b = view.buffer;
    const int dimensions = one_ ? 2 : 3;
    if (b.ndim != dimensions || b.shape[dimensions - 1] != F_ || (!one_ && b.shape[1] != stream_.rows))
      refuse_steps(array, b.ndim < dimensions,
                   (one_ ? "(k, " : "(k, " + std::to_string(stream_.rows) + ", ") + std::to_string(F_) +
                       ") (the network's input_size)");
    const double* p = static_cast<const double*>(b.buf);
    const Index size = b.shape[0] * stream_.rows * F_;
    converted_.clear();
    for (Index i = 0; i < size; ++i) {
      const Real v = static_cast<Real>(p[i]);
      if (!(v - v == 0)) {
        const std::string row = one_ ? "" : std::to_string(i / F_ % stream_.rows) + ", ";
        refuse_value(
            "x[" + std::to_string(i / (stream_.rows * F_)) + ", " + row + std::to_string(i % F_) + "]",
            "is not finite; the stream's state is unchanged");
      }
      converted_.push_back(v);
    }
  }

  // The integers of several steps, (k,) or (k, rows), a last axis of 1 allowed, into symbols_.
  void read_symbol_steps(nb::handle x) {
    const nb::object array = symbol_array(x);
    const Index ndim = nb::cast<Index>(array.attr("ndim")), dimensions = one_ ? 1 : 2;
    const bool column = ndim == dimensions + 1 && nb::cast<Index>(array.attr("shape")[dimensions]) == 1;
    if ((ndim != dimensions && !column) || (!one_ && nb::cast<Index>(array.attr("shape")[1]) != stream_.rows))
      refuse_steps(
          array, ndim < dimensions,
          one_ ? "(k,), an integer a step" : "(k, " + std::to_string(stream_.rows) + "), an integer a row");
    symbols_.clear();
    for (nb::handle value : array.attr("ravel")().attr("tolist")()) {
      const Index i = static_cast<Index>(symbols_.size());
      const std::string row = one_ ? "" : ", " + std::to_string(i % stream_.rows);
      append_symbol(value, "x[" + std::to_string(i / stream_.rows) + row + "]");
    }
  }

  [[noreturn]] static void refuse_steps(const nb::object& array, bool one_step, const std::string& expected) {
    refuse_value("x", "has shape " + nb::cast<std::string>(array.attr("shape").attr("__str__")()),
                 expected + (one_step ? "; step takes one step" : ""));
  }

  // Checks all that is given before anything is set.
  void set_entries(nb::handle given, const std::string& what, const std::vector<std::size_t>& which,
                   const char* form) {
    const auto entries = stream_.entries();
    if (!is_list(given) || nb::len(given) != which.size())
      throw std::invalid_argument(what + ": expected a list of " + std::to_string(which.size()) +
                                  " entries, " + form);
    std::vector<std::vector<Real>> checked;
    const auto check = [&](nb::handle values, const std::string& name, const auto& entry) {
      checked.push_back(numbers(values, name, entry.size, "the state's size"));
      for (const Real v : checked.back())
        if (!(v - v == 0)) refuse_value(name, "holds a value that is not finite");
      for (Index b = 0; entry.counts_steps && b < stream_.rows; ++b) {
        const Real count = checked.back()[static_cast<std::size_t>((b + 1) * entry.size - 1)];
        if (!(count >= 0 && count < Real(1e15)) || count != static_cast<Real>(static_cast<Index>(count)))
          refuse_value(name, "ends with " + std::to_string(count), "the number of steps");
      }
    };
    for (std::size_t k = 0; k < which.size(); ++k) {
      const std::string name = what + "[" + std::to_string(k) + "]";
      const std::size_t i = which[k];
      const nb::object entry = given[k];
      if (entries[i].states == 1) {
        check(entry, name, entries[i]);
        continue;
      }
      if (!is_list(entry) || nb::len(entry) != 2) refuse_value(name, "must be the pair (h, c) of an LSTM");
      for (int s = 0; s < 2; ++s) check(entry[s], name + "[" + std::to_string(s) + "]", entries[i]);
    }
    std::size_t next = 0;
    for (const std::size_t i : which)
      for (Index s = 0; s < entries[i].states; ++s) stream_.set_state(i, s, checked[next++].data());
  }

  // x of a network over integers: an int, or one a row.
  void read_symbols(nb::handle x) {
    symbols_.clear();
    if (one_ && PyLong_CheckExact(x.ptr())) return append_symbol(x, "x");
    const nb::object array = symbol_array(x);
    const Index ndim = nb::cast<Index>(array.attr("ndim")), most = one_ ? 1 : 2;
    if (ndim > most || ndim + 1 < most || nb::cast<Index>(array.attr("size")) != stream_.rows ||
        (ndim == most && nb::cast<Index>(array.attr("shape")[most - 1]) != 1))
      refuse_value(
          "x", "has shape " + nb::cast<std::string>(array.attr("shape").attr("__str__")()),
          (one_ ? std::string("an integer") : "(" + std::to_string(stream_.rows) + ",), an integer a row") +
              (ndim == most ? "; steps takes several steps" : std::string()));
    for (nb::handle value : array.attr("ravel")().attr("tolist")())
      append_symbol(value, one_ ? "x" : "x[" + std::to_string(symbols_.size()) + "]");
  }

  // Is its k-th entry given[k]? Of a data frame that would be a column.
  static bool is_list(nb::handle given) {
    return nb::isinstance<nb::list>(given) || nb::isinstance<nb::tuple>(given) || nb::ndarray_check(given);
  }

  nb::object as_array(nb::handle x, const std::string& name) const {
    try {
      return asarray_(x);
    } catch (nb::python_error& error) {
      if (!error.matches(PyExc_ValueError) && !error.matches(PyExc_TypeError)) throw;
      const std::string why = nb::cast<std::string>(nb::str(error.value()));
      refuse_value(name, "is not one array of numbers: " + why);
    }
  }

  // What is too large for float64 becomes infinite, without a word from numpy.
  nb::object as_doubles(const nb::object& array) const {
    const auto convert = [&] {
      return asarray_(array, nb::arg("dtype") = "float64", nb::arg("order") = "C");
    };
    if (nb::cast<Index>(array.attr("itemsize")) <= 8) return convert();
    const nb::object quiet = nb::module_::import_("numpy").attr("errstate")(nb::arg("over") = "ignore");
    quiet.attr("__enter__")();
    nb::object made = convert();
    quiet.attr("__exit__")(nb::none(), nb::none(), nb::none());
    return made;
  }

  nb::object symbol_array(nb::handle x) const {
    nb::object array = as_array(x, "x");
    const std::string kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
    if (kind != "i" && kind != "u")
      refuse("ArgumentTypeError", "x",
             "has dtype " + nb::cast<std::string>(array.attr("dtype").attr("__str__")()),
             "integers (the network begins with an Embedding)");
    return array;
  }

  void append_symbol(nb::handle value, const std::string& where) {
    const Index n = stream_.spec().symbols;
    int overflow = 0;
    const long long v = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
    if (overflow || v < 0 || v >= n)
      refuse_value(where, "is " + nb::cast<std::string>(nb::str(value)),
                   "0.." + std::to_string(n - 1) + " (the Embedding's n); the stream's state is unchanged");
    symbols_.push_back(static_cast<int>(v));
  }

  void check_shape(const Py_buffer& b, const char* name, Index columns, const char* what) const {
    const bool fits = one_ ? b.ndim == 1 && b.shape[0] == columns
                           : b.ndim == 2 && b.shape[0] == stream_.rows && b.shape[1] == columns;
    if (fits) return;
    std::string came;
    for (int i = 0; i < b.ndim; ++i) came += (i ? ", " : "") + std::to_string(b.shape[i]);
    const std::string expected =
        one_ ? "(" + std::to_string(columns) + ",)"
             : "(" + std::to_string(stream_.rows) + ", " + std::to_string(columns) + ")";
    const bool several = std::string(name) == "x" && b.ndim == (one_ ? 2 : 3);
    refuse_value(name, "has shape (" + came + (b.ndim == 1 ? ",)" : ")"),
                 expected + " (" + what + ")" + (several ? "; steps takes several steps" : ""));
  }

  nb::object real_array(nb::handle x, const std::string& name) const {
    nb::object array = as_array(x, name);
    const std::string kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
    if (kind != "f" && kind != "i" && kind != "u" && kind != "b")
      refuse("ArgumentTypeError", name, "must hold real numbers");
    return array;
  }

  // Anything that numpy takes for real numbers, of the shape of `columns`; through float64, so that what
  // overflows becomes infinite without a word from numpy.
  std::vector<Real> numbers(nb::handle x, const std::string& name, Index columns, const char* what) const {
    const nb::object array = real_array(x, name);
    const nb::object doubles = as_doubles(array);
    View view;
    if (!view.get(doubles.ptr(), PyBUF_ND)) throw std::invalid_argument(name + ": not an array");
    check_shape(view.buffer, name.c_str(), columns, what);
    const double* p = static_cast<const double*>(view.buffer.buf);
    std::vector<Real> out;
    for (Index i = 0; i < stream_.rows * columns; ++i) out.push_back(static_cast<Real>(p[i]));
    return out;
  }

  nb::object owner_;    // the network
  nb::object initial_;  // what reset() comes back to, beside zeros
  bool one_;
  Stream<Real> stream_;
  Index F_, C_;
  nb::object empty_, asarray_, dtype_, shape_;
  std::vector<Real> converted_;
  std::vector<int> symbols_;
  Index taken_ = 0;  // steps since the beginning, reset() or a state that was set
};

template <class Real> void bind(nb::module_& m, const char* name, const char* network_name) {
  using S = StreamObject<Real>;
  nb::class_<S>(m, name, "A network one step at a time.")
      .def("step", &S::step, nb::arg("x").none(), nb::arg("out") = nb::none(),
           nb::sig("def step(self, x: object, out: numpy.ndarray | None = None) -> numpy.ndarray"),
           "The answer y_t after the step x_t, (F,) -> (C,), or (rows, F) -> (rows, C).")
      .def("steps", &S::steps, nb::arg("x"), nb::sig("def steps(self, x: object) -> numpy.ndarray"),
           "The answers after each of k steps, (k, F) -> (k, C), or (k, rows, F) -> (k, rows, C).")
      .def("reset", &S::reset, "Back to the state before the first step.")
      .def_prop_rw("state", &S::state, &S::set_state,
                   nb::for_getter(nb::sig(
                       "def state(self) -> list[numpy.ndarray | tuple[numpy.ndarray, numpy.ndarray]]")),
                   nb::for_setter(nb::sig("def state(self, value: object, /) -> None")),
                   "A copy: one entry a recurrent layer, (H,), of an LSTM the pair (h, c), or pool, (H + "
                   "1,): its sum or maximum, then the number of steps.");
  m.attr(network_name).attr("stream") = nb::cpp_function(
      [](nb::object self, Index rows, nb::object initial) {
        require(rows >= 0 && rows <= (Index(1) << 24), "rows: out of range");
        require(!nb::cast<Network<Real>&>(self).spec.whole_rows, "stream: not with bidirectional layers");
        auto stream = std::make_unique<S>(std::move(self), rows);
        if (!initial.is_none()) stream->start_from(initial);
        return stream.release();
      },
      nb::is_method(), nb::scope(m.attr(network_name)), nb::name("stream"), nb::arg("rows"),
      nb::arg("initial_state").none(), nb::rv_policy::take_ownership);
}

}  // namespace

void bind_streams(nb::module_& m) {
  bind<float>(m, "Stream32", "Network32");
  bind<double>(m, "Stream64", "Network64");
}

}  // namespace elman::bindings
