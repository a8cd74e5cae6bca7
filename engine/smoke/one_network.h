// Everything that can be done with one network, checked.
#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include "core/shuffle.h"
#include "run/online.h"
#include "run/run.h"
#include "run/tape.h"
#include "second/curvature.h"
#include "smoke/problem.h"
#include "train/train.h"

namespace elman::smoke {

constexpr Index no_limit = Index(1) << 40;  // of memory

template <class Real> class OneNetwork {
 public:
  OneNetwork(std::vector<Layer> layers, Loss loss, Index rows, int threads)
      : problem_(rows, 3, 9, layers[0].symbols),
        data_(problem_.data()),
        net_(problem_.F, std::move(layers)),
        loss_(loss),
        threads_(threads),
        P(net_.spec.parameter_count),
        C(net_.spec.output_size),
        answers_(net_.spec.per_step ? data_.N : data_.n) {
    const Index symbols = net_.spec.symbols;
    if (symbols) expect(data_.first_outside(symbols, [] { return false; }) < 0, "integers in range");
    fill(net_);
    for (Index i = 0; i < answers_; ++i) classes_.push_back(net_.spec.per_step && i % 5 == 4 ? -1 : i % C);
    for (Index i = 0; i < answers_ * C; ++i) values_.push_back(static_cast<Real>(i % 2));
    for (Index i = 0; i < C; ++i) class_weight_.push_back(0.5 + static_cast<double>(i));
  }

  Index parameters() const { return P; }

  void loss_and_gradient() {
    std::vector<Real> gradient(to_size(P));
    double value = 0;
    const Outcome outcome = elman::loss_and_gradient(net_, data_, answers(), objective_, {}, &dropout_,
                                                     no_limit, gradient.data(), value, interrupt_, threads_);
    expect(outcome == Outcome::updated && std::isfinite(value), "loss_and_gradient");
    add_bits(&value, 1);
    add_bits(gradient.data(), P);
  }

  void predict() {
    outputs_.resize(to_size(answers_ * C));
    Wanted<Real> wanted;
    wanted.outputs = outputs_.data();
    expect(run_forward(net_, data_, wanted, interrupt_, threads_), "predict");
    add_bits(outputs_.data(), answers_ * C);
  }

  // After predict.
  void stream() {
    std::vector<Real> y(to_size(C));
    for (Index i = 0; i < data_.n && !net_.spec.whole_rows; ++i) {
      const std::int64_t begin = data_.offsets[i], end = data_.offsets[i + 1];
      Stream<Real> stream(net_, 1);
      stream.reset();
      for (std::int64_t t = begin; t < end; ++t) problem_.step(stream, t, y.data());
      const Index last = net_.spec.per_step ? static_cast<Index>(end) - 1 : i;
      for (Index j = 0; j < C; ++j)
        expect(y[to_size(j)] == outputs_[to_size(last * C + j)], "a stream gives the bits of predict");
    }
  }

  // After predict, whose outputs are the cotangents.
  void tape() {
    Tape<Real> tape(net_, data_);
    expect(tape.record(data_, {}, &dropout_, interrupt_, threads_), "record");
    std::vector<Real> d_parameters(to_size(P)), d_inputs(problem_.x.size());
    std::vector<std::vector<Real>> d_initial = states();
    Real* of_inputs = net_.spec.symbols ? nullptr : d_inputs.data();
    const bool whole = tape.backward(outputs_.data(), d_parameters.data(), of_inputs, pointers(d_initial),
                                     interrupt_, threads_);
    expect(whole, "backward");
    add_bits(d_parameters.data(), P);
    add_bits(d_inputs.data(), static_cast<Index>(d_inputs.size()));
  }

  void second_order() {
    std::vector<Real> matrix(to_size(P * P)), gradient(to_size(P));
    Sums sums;
    for (const Way way : {Way::automatic, Way::reverse}) {
      const bool whole = gauss_newton(net_, data_, answers(), loss_, nullptr, way, matrix.data(),
                                      gradient.data(), sums, interrupt_, threads_);
      expect(whole && std::isfinite(matrix[0]), "gauss_newton");
    }
    add_bits(matrix.data(), P * P);
    if (!Tangents<Real>::possible(net_.spec)) return;
    for (const OnlineRule rule : {OnlineRule::bptt, OnlineRule::rtrl}) online(rule);
  }

  void online(OnlineRule rule) {
    const bool indices = loss_ == Loss::cross_entropy;
    const Answers<Real> one_row{
        indices ? classes_.data() : nullptr, indices ? nullptr : values_.data(), 1, C, true, nullptr};
    Online<Real> learner(net_, rule, 3), other(net_, rule, 3);
    std::vector<Real> gradient(to_size(P)), y(to_size(C));
    for (Index t = 0; t < 70; ++t) {
      problem_.step(learner, t % data_.N, y.data());
      double value = 0;
      learner.gradient(one_row, loss_, gradient.data(), value);
      expect(std::isfinite(gradient[0]) && std::isfinite(value), "online");
    }
    add_bits(gradient.data(), P);
    const Index steps = learner.remembered();
    std::vector<Real> memory(to_size(learner.memory_size(steps))), z(y);
    learner.save(memory.data());
    expect(learner.readable(steps, memory.data()), "a memory can be read");
    other.load(steps, memory.data());
    problem_.step(learner, 0, y.data());
    problem_.step(other, 0, z.data());
    expect(y == z, "a learner's memory gives its bits");
  }

  void train(Index truncation, Index memory) {
    const Index epochs = 3;
    std::vector<std::int64_t> order(to_size(epochs * data_.n));
    for (Index e = 0; e < epochs; ++e)
      shuffle(7, static_cast<std::uint64_t>(e), data_.n, order.data() + e * data_.n);
    std::vector<std::vector<Real>> carry;
    if (truncation) carry = states();
    std::int64_t progress[4] = {0, 0, 0, 0};
    std::vector<double> sums(to_size(sum_count * epochs), 0.0);
    const double rate = 0.01;
    std::vector<Real> m(to_size(P), Real(0)), v = m, snapshot = m;
    const Optimizer<Real> adam{
        {OptimizerKind::adam, 0.9, 0.999, 1e-8, 0, false}, m.data(), v.data(), {{0, P}}, 1.0};
    const Schedule<Real> schedule{.order = order.data(),
                                  .epochs = epochs,
                                  .batch_size = 5,
                                  .rates = &rate,
                                  .n_rates = 1,
                                  .truncation = truncation,
                                  .carry = pointers(carry),
                                  .initial = {},
                                  .first = dropout_,
                                  .progress = progress,
                                  .sums = sums.data(),
                                  .snapshot = snapshot.data(),
                                  .seconds = 1e9};  // an emulated processor is slow
    Trainer<Real> trainer(net_, loss_, true, memory, threads_);
    const Status status = elman::train(trainer, data_, answers(), objective_, adam, schedule, interrupt_);
    expect(status == Status::finished, "train");
    for (const double s : sums) expect(std::isfinite(s), "finite sums");
    add_bits(sums.data(), static_cast<Index>(sums.size()));
    add_bits(net_.parameters.data(), P);
  }

 private:
  Answers<Real> answers() const {
    const bool indices = loss_ == Loss::cross_entropy, missing = indices && net_.spec.per_step;
    if (indices) return {classes_.data(), nullptr, answers_, C, missing, class_weight_.data()};
    return {nullptr, values_.data(), answers_, C, missing, nullptr};
  }

  std::vector<std::vector<Real>> states() const {
    std::vector<std::vector<Real>> all;
    for (const Index size : net_.spec.state_sizes) all.emplace_back(to_size(data_.n * size), Real(0));
    return all;
  }

  static std::vector<Real*> pointers(std::vector<std::vector<Real>>& arrays) {
    std::vector<Real*> all;
    for (auto& array : arrays) all.push_back(array.data());
    return all;
  }

  const Problem<Real> problem_;
  const Data data_;
  Network<Real> net_;
  const Loss loss_;
  const int threads_;
  const Index P, C, answers_;
  const Objective objective_{loss_, true, 0.01, nullptr};
  const Dropout dropout_{7, 0};
  Interrupt interrupt_;
  std::vector<long long> classes_;    // [answers]
  std::vector<Real> values_;          // [answers, C]
  std::vector<double> class_weight_;  // [C]
  std::vector<Real> outputs_;         // [answers, C]
};

template <class Real>
void one(std::vector<Layer> layers, Loss loss, Index truncation, int threads, Index rows) {
  OneNetwork<Real> network(std::move(layers), loss, rows, threads);
  network.loss_and_gradient();
  network.predict();
  network.stream();
  network.tape();
  if (network.parameters() <= 900) network.second_order();  // larger ones would be most of the run
  network.train(truncation, rows == 13 ? 1 : no_limit);
}

}  // namespace elman::smoke
