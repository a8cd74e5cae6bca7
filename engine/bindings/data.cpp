#include "bindings/arguments.h"
#include "bindings/bindings.h"

#include <algorithm>

namespace elman::bindings {
namespace {

Dtype dtype_of(nb::dlpack::dtype d) {
  using Code = nb::dlpack::dtype_code;
  const auto code = static_cast<Code>(d.code);
  if (d.lanes == 1) {
    if (code == Code::Float && d.bits == 16) return Dtype::f16;
    if (code == Code::Float && d.bits == 32) return Dtype::f32;
    if (code == Code::Float && d.bits == 64) return Dtype::f64;
    if (code == Code::Bool && d.bits == 8) return Dtype::boolean;
    const bool is_signed = code == Code::Int;
    if (is_signed || code == Code::UInt) {
      if (d.bits == 8) return is_signed ? Dtype::i8 : Dtype::u8;
      if (d.bits == 16) return is_signed ? Dtype::i16 : Dtype::u16;
      if (d.bits == 32) return is_signed ? Dtype::i32 : Dtype::u32;
      if (d.bits == 64) return is_signed ? Dtype::i64 : Dtype::u64;
    }
  }
  throw std::invalid_argument("values: a dtype that the engine does not read");
}

}  // namespace

DataObject::DataObject(AnyRows v, const Vector<const std::int64_t>& o)
    : values(std::move(v)), offsets(o.data(), o.data() + o.size()) {
  const Index n = static_cast<Index>(offsets.size()) - 1;
  data = {values.data(),
          dtype_of(values.dtype()),
          static_cast<Index>(values.shape(0)),
          static_cast<Index>(values.shape(1)),
          offsets.data(),
          n};
  require(n >= 1 && data.F >= 1, "offsets: no sequences");
  const std::int64_t* p = data.offsets;
  require(p[0] == 0 && p[n] == data.N, "offsets: must run from 0 to the number of steps");
  for (Index i = 0; i < n; ++i) require(p[i + 1] > p[i], "offsets: every sequence needs a step");
}

AnswersObject::AnswersObject(std::optional<Vector<const std::int64_t>> i,
                             std::optional<Rows2<const float>> v32, std::optional<Rows2<const double>> v64,
                             std::optional<Vector<const double>> w, std::optional<Vector<const double>> rw)
    : indices(std::move(i)),
      values32(std::move(v32)),
      values64(std::move(v64)),
      class_weight(std::move(w)),
      row_weight(std::move(rw)) {
  require(indices.has_value() + values32.has_value() + values64.has_value() == 1,
          "Targets: give exactly one of indices, values32, values64");
  require(indices.has_value() || !class_weight.has_value(), "class_weight: only with indices");
  if (indices) {
    const std::int64_t* p = indices->data();
    for (std::size_t k = 0; k < indices->size(); ++k) {
      require(p[k] >= -1, "indices: below -1");
      missing |= p[k] < 0;
      largest = std::max<Index>(largest, static_cast<Index>(p[k]));
    }
  }
  const auto has_nan = [](const auto& a) {
    bool nan = false;
    for (std::size_t k = 0; k < a.size(); ++k) nan |= !(a.data()[k] == a.data()[k]);
    return nan;
  };
  if (values32) missing = has_nan(*values32);
  if (values64) missing = has_nan(*values64);
}

template <class Real> Answers<Real> AnswersObject::view(const Spec& spec, const Data& data, Loss loss) const {
  const Index rows = spec.per_step ? data.N : data.n, C = spec.output_size;
  require(!row_weight || has_size(*row_weight, rows), "row_weight: wrong number of rows");
  const double* own = row_weight ? row_weight->data() : nullptr;
  if (indices) {
    require(has_size(*indices, rows), "targets: wrong number of rows");
    require(loss == Loss::cross_entropy ? largest < C : C == 1, "targets: class out of range");
    require(!class_weight || (loss == Loss::cross_entropy && has_size(*class_weight, C)),
            "class_weight: one a class of cross_entropy");
    return {reinterpret_cast<const long long*>(indices->data()), nullptr, rows, C, missing,
            class_weight ? class_weight->data() : nullptr,       own};
  }
  const auto& values = [&]() -> const auto& {
    if constexpr (sizeof(Real) == 4) return values32;
    else return values64;
  }();
  require(values.has_value(), "targets: of another dtype than the network");
  require(has_shape(*values, rows, C), "targets: wrong shape");
  return {nullptr, values->data(), rows, C, missing, nullptr, own};
}
template Answers<float> AnswersObject::view(const Spec&, const Data&, Loss) const;
template Answers<double> AnswersObject::view(const Spec&, const Data&, Loss) const;

void bind_data(nb::module_& m) {
  nb::class_<DataObject>(m, "Data", "Sequences as the engine reads them; keeps the values alive.")
      .def(nb::init<AnyRows, const Vector<const std::int64_t>&>(), nb::arg("values").noconvert(),
           nb::arg("offsets").noconvert(),
           nb::sig("def __init__(self, values: numpy.ndarray, offsets: numpy.ndarray) -> None"))
      .def(
          "first_bad",
          [](const DataObject& d, bool float32) {
            Index bad = -1;
            call([&](Interrupt& interrupt) {
              bad = d.data.first_bad(float32, [&] { return interrupt.check(); });
              return !interrupt.stop.load();
            });
            return bad;
          },
          nb::arg("float32"),
          "The first step with NaN, infinity or a value too large for the network's dtype; -1 none.")
      .def(
          "first_outside",
          [](DataObject& d, Index n) {
            require(d.data.F == 1 && d.data.integers() && n >= 1, "values: one integer a step");
            Index bad = -1;
            call([&](Interrupt& interrupt) {
              bad = d.data.first_outside(n, [&] { return interrupt.check(); });
              return !interrupt.stop.load();
            });
            d.below = bad < 0 ? n : 0;
            return bad;
          },
          nb::arg("n"), "The first step with an integer outside 0 .. n - 1; -1 none.");
  nb::class_<AnswersObject>(m, "Targets", "Answers: classes, or rows of numbers.")
      .def(nb::init<std::optional<Vector<const std::int64_t>>, std::optional<Rows2<const float>>,
                    std::optional<Rows2<const double>>, std::optional<Vector<const double>>,
                    std::optional<Vector<const double>>>(),
           nb::arg("indices").noconvert() = nb::none(), nb::arg("values32").noconvert() = nb::none(),
           nb::arg("values64").noconvert() = nb::none(), nb::arg("class_weight").noconvert() = nb::none(),
           nb::arg("row_weight").noconvert() = nb::none(),
           nb::sig("def __init__(self, indices: numpy.ndarray | None = None, values32: numpy.ndarray | None "
                   "= None, values64: numpy.ndarray | None = None, class_weight: numpy.ndarray | None = "
                   "None, row_weight: numpy.ndarray | None = None) -> None"));
}

}  // namespace elman::bindings
