// Arguments that several classes of the native module take, checked and in the engine's form.
#pragma once

#include <algorithm>

#include "bindings/bindings.h"
#include "core/dropout.h"
#include "pass/loss.h"
#include "train/optimizer.h"

namespace elman::bindings {

template <class Real> using List = std::vector<Rows2<Real>>;
// Seed and number of the epoch, of the dropout masks.
using DropoutKey = std::optional<std::pair<std::uint64_t, std::uint64_t>>;
// Least and largest value of every parameter.
template <class Real> using Bounds = std::optional<std::pair<Vector<const Real>, Vector<const Real>>>;
// Kind, a, b, epsilon, weight decay, nesterov: as UpdateRule has them.
using OptimizerTuple = std::tuple<int, double, double, double, double, bool>;

template <class Value> bool has_size(const Vector<Value>& array, Index n) {
  return static_cast<Index>(array.size()) == n;
}

template <class Value> bool has_shape(const Rows2<Value>& array, Index rows, Index columns) {
  return static_cast<Index>(array.shape(0)) == rows && static_cast<Index>(array.shape(1)) == columns;
}

// The place of the first number that is NaN or infinite, or -1.
template <class Real> Index first_not_finite(const Real* x, Index n) {
  if (kernels<Real>().all_finite(x, n)) return -1;
  return static_cast<Index>(std::find_if(x, x + n, [](Real v) { return !(v - v == 0); }) - x);
}

// Rows of a network's outputs over n sequences of N steps in all.
inline Index rows_of_outputs(const Spec& spec, Index n, Index N) { return spec.per_step ? N : n; }

template <class Real>
std::vector<Real*> pointers(const List<Real>& arrays, const std::vector<Index>& sizes, Index rows,
                            const char* what) {
  require(arrays.size() == sizes.size(), what);
  std::vector<Real*> out;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    require(has_shape(arrays[i], rows, sizes[i]), what);
    out.push_back(arrays[i].data());
  }
  return out;
}

template <class Real>
std::vector<Real*> carry_of(const std::optional<List<Real>>& arrays, const Spec& spec, Index rows) {
  if (!arrays) return {};
  return pointers<Real>(*arrays, spec.state_sizes, rows, "carry: wrong shapes");
}

template <class Real>
std::vector<const Real*> initial_of(const std::optional<List<Real>>& arrays, const Spec& spec, Index rows) {
  if (!arrays) return {};
  const std::vector<Real*> p = pointers<Real>(*arrays, spec.state_sizes, rows, "initial: wrong shapes");
  return {p.begin(), p.end()};
}

inline Dropout dropout_of(const DropoutKey& key) {
  return key ? Dropout{key->first, key->second} : Dropout{0, 0};
}

inline Loss known_loss(int code) {
  require(code >= 0 && code <= 2, "loss: unknown");
  return static_cast<Loss>(code);
}

inline Loss loss_of(const Spec& spec, int code) {
  const Loss loss = known_loss(code);
  require(fits(spec, loss), "loss: does not fit the last activation");
  return loss;
}

inline const double* weights_of(const std::optional<Vector<const double>>& weights, Index n) {
  if (!weights) return nullptr;
  require(has_size(*weights, n), "weights: one a sequence");
  return weights->data();
}

inline UpdateRule rule_of(const OptimizerTuple& given) {
  const auto [kind, a, b, epsilon, decay, nesterov] = given;
  require(kind >= 0 && kind <= 3, "optimizer: unknown");
  return {static_cast<OptimizerKind>(kind), a, b, epsilon, decay, nesterov};
}

// Arrays of moments that a rule reads and writes.
inline std::size_t moments_of(const UpdateRule& rule) {
  switch (rule.kind) {
    case OptimizerKind::sgd: return rule.a == 0 ? 0 : 1;
    case OptimizerKind::rmsprop: return 1;
    default: return 2;
  }
}

inline std::vector<std::pair<Index, Index>> trainable_of(const Rows2<const std::int64_t>& ranges, Index P) {
  require(ranges.shape(1) == 2, "trainable: pairs");
  std::vector<std::pair<Index, Index>> out;
  Index before = 0;
  for (std::size_t i = 0; i < ranges.size(); i += 2) {
    const Index begin = static_cast<Index>(ranges.data()[i]), end = static_cast<Index>(ranges.data()[i + 1]);
    require(begin >= before && end >= begin && end <= P, "trainable: ranges must rise within the parameters");
    out.emplace_back(begin, end);
    before = end;
  }
  return out;
}

template <class Real>
Optimizer<Real> optimizer_of(const OptimizerTuple& given, const std::vector<Vector<Real>>& moments,
                             const Rows2<const std::int64_t>& trainable, double clip_norm,
                             const Bounds<Real>& bounds, Index P) {
  const UpdateRule rule = rule_of(given);
  const std::size_t needed = moments_of(rule);
  require(moments.size() >= needed, "moments: too few");
  for (const auto& m : moments) require(has_size(m, P), "moments: wrong size");
  Optimizer<Real> o{.rule = rule,
                    .m = needed > 0 ? moments[0].data() : nullptr,
                    .v = needed > 1 ? moments[1].data() : nullptr,
                    .trainable = trainable_of(trainable, P),
                    .clip_norm = clip_norm};
  if (bounds) {
    require(has_size(bounds->first, P) && has_size(bounds->second, P), "bounds: wrong size");
    o.lower = bounds->first.data();
    o.upper = bounds->second.data();
  }
  return o;
}

}  // namespace elman::bindings
