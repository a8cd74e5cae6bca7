// Exercises the whole engine without Python, for the sanitizers: every cell, activation, pool and loss,
// ragged rows, truncation, checkpoints, carried states, threads, streams, tapes. Says how many checks passed
// and a number made of the bits of all results, to be compared between machines; any failed check ends the
// program with exit code 1.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <type_traits>

#include "core/shuffle.h"
#include "run/online.h"
#include "run/run.h"
#include "run/stream.h"
#include "run/tape.h"
#include "second/curvature.h"
#include "train/train.h"

using namespace elman;

namespace {

int checks = 0;
std::uint64_t bits = 14695981039346656037ull;  // of every result so far (FNV-1a, number by number)

template <class Value> void add_bits(const Value* values, Index n) {
  for (Index i = 0; i < n; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, values + i, sizeof(Value));
    bits = (bits ^ word) * 1099511628211ull;
  }
}

void expect(bool condition, const char* what) {
  ++checks;
  if (condition) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

struct Random {
  std::uint64_t state = 1;
  double next() {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<double>(state >> 11) / 9007199254740992.0 - 0.5;
  }
};

template <class Real> struct Problem {
  std::vector<Real> x;
  std::vector<std::int32_t> integers;  // instead of x, if there are symbols
  std::vector<std::int64_t> offsets{0};
  Index n, F;
  Problem(Index rows, Index features, Index longest, Index symbols = 0) : n(rows), F(symbols ? 1 : features) {
    Random random;
    for (Index i = 0; i < n; ++i) offsets.push_back(offsets.back() + 1 + (i * 7) % longest);
    for (std::int64_t i = 0; i < offsets.back() * F; ++i) x.push_back(static_cast<Real>(random.next()));
    for (std::int64_t i = 0; symbols && i < offsets.back(); ++i)
      integers.push_back(static_cast<std::int32_t>((random.next() + 0.5) * static_cast<double>(symbols)));
  }
  // Any learner or stream, one step on.
  template <class Machine> void step(Machine& machine, std::int64_t t, Real* y) const {
    if (integers.empty()) machine.step(x.data() + t * F, y);
    else if constexpr (std::is_same_v<Machine, Stream<Real>>) machine.step(integers.data() + t, y);
    else machine.step(static_cast<int>(integers[static_cast<std::size_t>(t)]), y);
  }
  Data data() const {
    if (!integers.empty())
      return {integers.data(), Dtype::i32, static_cast<Index>(offsets.back()), 1, offsets.data(), n};
    return {x.data(),
            sizeof(Real) == 4 ? Dtype::f32 : Dtype::f64,
            static_cast<Index>(offsets.back()),
            F,
            offsets.data(),
            n};
  }
};

template <class Real> void fill(Network<Real>& net) {
  Random random;
  for (Index i = 0; i < net.spec.parameter_count; ++i) net.parameters[i] = static_cast<Real>(random.next());
}

template <class Real>
void second_order(Network<Real>& net, const Problem<Real>& problem, const Answers<Real>& given,
                  const Answers<Real>& one_row, Loss loss, int threads) {
  const Data data = problem.data();
  const Index P = net.spec.parameter_count;
  Interrupt interrupt;
  std::vector<Real> matrix(static_cast<std::size_t>(P * P)), gradient(static_cast<std::size_t>(P)),
      y(static_cast<std::size_t>(net.spec.output_size));
  Sums sums;
  for (const Way way : {Way::automatic, Way::reverse})
    expect(gauss_newton(net, data, given, loss, nullptr, way, matrix.data(), gradient.data(), sums, interrupt,
                        threads) &&
               std::isfinite(matrix[0]),
           "gauss_newton");
  add_bits(matrix.data(), P * P);
  if (!Tangents<Real>::possible(net.spec)) return;
  for (const OnlineRule rule : {OnlineRule::bptt, OnlineRule::rtrl}) {
    Online<Real> online(net, rule, 3), other(net, rule, 3);
    for (Index t = 0; t < 70; ++t) {
      problem.step(online, t % data.N, y.data());
      double value = 0;
      online.gradient(one_row, loss, gradient.data(), value);
      expect(std::isfinite(gradient[0]) && std::isfinite(value), "online");
    }
    add_bits(gradient.data(), P);
    std::vector<Real> memory(static_cast<std::size_t>(online.memory_size(online.remembered()))), z(y);
    online.save(memory.data());
    expect(online.readable(online.remembered(), memory.data()), "a memory can be read");
    other.load(online.remembered(), memory.data());
    problem.step(online, 0, y.data());
    problem.step(other, 0, z.data());
    expect(y == z, "a learner's memory gives its bits");
  }
}

template <class Real>
void one(std::vector<Layer> layers, Loss loss, Index truncation, int threads, Index rows) {
  const Problem<Real> problem(rows, 3, 9, layers[0].symbols);
  const Data data = problem.data();
  if (layers[0].symbols)
    expect(data.first_outside(layers[0].symbols, [] { return false; }) < 0, "integers in range");
  Network<Real> net(problem.F, layers);
  fill(net);
  const Index P = net.spec.parameter_count, C = net.spec.output_size,
              answers = net.spec.per_step ? data.N : data.n;
  std::vector<long long> classes(static_cast<std::size_t>(answers));
  std::vector<Real> values(static_cast<std::size_t>(answers * C));
  std::vector<double> class_weight(static_cast<std::size_t>(C));
  for (std::size_t i = 0; i < class_weight.size(); ++i) class_weight[i] = 0.5 + static_cast<double>(i);
  for (std::size_t i = 0; i < classes.size(); ++i)
    classes[i] = net.spec.per_step && i % 5 == 4 ? -1 : static_cast<long long>(i) % C;
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<Real>(i % 2);
  const bool indices = loss == Loss::cross_entropy;
  const Answers<Real> given{
      indices ? classes.data() : nullptr, indices ? nullptr : values.data(),      answers, C,
      indices && net.spec.per_step,       indices ? class_weight.data() : nullptr};
  const Objective objective{loss, true, 0.01, nullptr};
  Interrupt interrupt;
  const Dropout dropout{7, 0};

  Buffer<Real> gradient(P);
  double value = 0;
  constexpr Index all_steps = Index(1) << 40;
  expect(loss_and_gradient(net, data, given, objective, {}, &dropout, all_steps, gradient.data(), value,
                           interrupt, threads) == Outcome::updated &&
             std::isfinite(value),
         "loss_and_gradient");
  add_bits(&value, 1);
  add_bits(gradient.data(), P);

  std::vector<Real> outputs(static_cast<std::size_t>(answers * C));
  Wanted<Real> wanted;
  wanted.outputs = outputs.data();
  expect(run_forward(net, data, wanted, interrupt, threads), "predict");
  add_bits(outputs.data(), answers * C);
  std::vector<Real> y(static_cast<std::size_t>(C));
  for (Index i = 0; i < data.n && !net.spec.whole_rows; ++i) {
    Stream<Real> stream(net, 1);
    stream.reset();
    for (std::int64_t t = problem.offsets[static_cast<std::size_t>(i)];
         t < problem.offsets[static_cast<std::size_t>(i) + 1]; ++t)
      problem.step(stream, t, y.data());
    const Index last =
        net.spec.per_step ? static_cast<Index>(problem.offsets[static_cast<std::size_t>(i) + 1]) - 1 : i;
    for (Index j = 0; j < C; ++j)
      expect(y[static_cast<std::size_t>(j)] == outputs[static_cast<std::size_t>(last * C + j)],
             "a stream gives the bits of predict");
  }

  Tape<Real> tape(net, data);
  expect(tape.record(data, {}, &dropout, interrupt, threads), "record");
  std::vector<Real> d_inputs(problem.x.size());
  std::vector<std::vector<Real>> d_initial;
  std::vector<Real*> initial_cotangents;
  for (const Index size : net.spec.state_sizes)
    d_initial.emplace_back(static_cast<std::size_t>(data.n * size));
  for (auto& d : d_initial) initial_cotangents.push_back(d.data());
  expect(tape.backward(outputs.data(), gradient.data(), net.spec.symbols ? nullptr : d_inputs.data(),
                       initial_cotangents, interrupt, threads),
         "backward");
  add_bits(gradient.data(), P);
  add_bits(d_inputs.data(), static_cast<Index>(d_inputs.size()));

  const Answers<Real> one_row{
      indices ? classes.data() : nullptr, indices ? nullptr : values.data(), 1, C, true, nullptr};
  if (P <= 900)
    second_order(net, problem, given, one_row, loss, threads);  // larger ones would be most of the run

  const Index epochs = 3;
  std::vector<std::int64_t> order(static_cast<std::size_t>(epochs * data.n));
  for (Index e = 0; e < epochs; ++e)
    shuffle(7, static_cast<std::uint64_t>(e), data.n, order.data() + e * data.n);
  std::vector<std::vector<Real>> carry;
  std::vector<Real*> carried;
  if (truncation)
    for (const Index size : net.spec.state_sizes)
      carry.emplace_back(static_cast<std::size_t>(data.n * size), Real(0));
  for (auto& c : carry) carried.push_back(c.data());
  std::int64_t progress[4] = {0, 0, 0, 0};
  std::vector<double> sums(5 * epochs, 0.0);
  const double rate = 0.01;
  std::vector<Real> m(static_cast<std::size_t>(P), Real(0)), v = m, snapshot = m;
  const Optimizer<Real> adam{
      {OptimizerKind::adam, 0.9, 0.999, 1e-8, 0, false}, m.data(), v.data(), {{0, P}}, 1.0};
  const Schedule<Real> schedule{order.data(), epochs,          5,  &rate,   1,
                                truncation,   carried,         {}, dropout, progress,
                                sums.data(),  snapshot.data(), 1e9};  // no limit of time: an emulated
                                                                      // processor is slow
  Trainer<Real> trainer(net, loss, true, rows == 13 ? 1 : all_steps, threads);
  expect(train(trainer, data, given, objective, adam, schedule, interrupt) == Status::finished, "train");
  for (const double s : sums) expect(std::isfinite(s), "finite sums");
  add_bits(sums.data(), static_cast<Index>(sums.size()));
  add_bits(net.parameters.data(), P);
}

template <class Real> void everything() {
  const auto dense = [](Index C, Activation a) { return Layer{Kind::dense, C, a, true, false}; };
  const auto shapes = [&](const auto& rnn, Activation f, int threads, Index rows) {
    one<Real>({rnn(false), dense(5, Activation::softmax)}, Loss::cross_entropy, 0, threads, rows);
    one<Real>({rnn(true), rnn(true), dense(5, Activation::softmax)}, Loss::cross_entropy,
              rnn(true).bidirectional ? 0 : 4, threads, rows);
    one<Real>({rnn(true), {Kind::mean_pool, 0, f, false, false}, dense(2, Activation::sigmoid)},
              Loss::binary_cross_entropy, 0, threads, rows);
    one<Real>({rnn(true), {Kind::max_pool, 0, f, false, false}}, Loss::squared_error, 0, threads, rows);
    one<Real>({rnn(true), dense(20, Activation::tanh), rnn(false), dense(3, Activation::softmax)},
              Loss::squared_error, rnn(true).bidirectional ? 0 : 3, threads, rows);
  };
  for (const Index H : {3, 17, 40})
    for (const int threads : {1, 3})
      for (const Index rows : {1, 13}) {
        for (const Activation f :
             {Activation::identity, Activation::tanh, Activation::relu, Activation::sigmoid})
          shapes([&](bool sequences) { return Layer{Kind::simple_rnn, H, f, true, sequences}; }, f, threads,
                 rows);
        for (const Layer& cell :
             {Layer{Kind::simple_rnn, H, Activation::tanh, true, false, 0.5},
              Layer{Kind::gru, H, Activation::identity, true, false},
              Layer{Kind::gru, H, Activation::identity, true, false, 1.0, false},
              Layer{Kind::lstm, H, Activation::identity, true, false},
              Layer{Kind::gru, H, Activation::identity, true, false, 1.0, false, true, 0.3, 0.4},
              Layer{Kind::lstm, H, Activation::identity, true, false, 1.0, true, true, 0.0, 0.4},
              Layer{Kind::simple_rnn, H, Activation::tanh, true, false, 1.0, true, false, 0.3, 0.2}})
          shapes(
              [&](bool sequences) {
                Layer layer = cell;
                layer.return_sequences = sequences;
                return layer;
              },
              Activation::identity, threads, rows);
      }
}

// Integers as inputs: one-hot or through a table, into every kind of layer; and what must not be believed.
template <class Real> void symbols() {
  const auto input = [](Index units) {
    Layer layer{Kind::embedding, units, Activation::identity, false, false};
    layer.symbols = 11;
    return layer;
  };
  const Layer head{Kind::dense, 11, Activation::softmax, true, false};
  for (const Index units : {0, 5})
    for (const int threads : {1, 3}) {
      for (const Layer& cell :
           {Layer{Kind::simple_rnn, 40, Activation::tanh, true, true},
            Layer{Kind::gru, 17, Activation::identity, true, true, 1.0, true, true, 0.3, 0.2},
            Layer{Kind::gru, 3, Activation::identity, true, true, 1.0, false},
            Layer{Kind::lstm, 17, Activation::identity, true, true, 1.0, true, false, 0.3, 0.0}})
        one<Real>({input(units), cell, head}, Loss::cross_entropy, cell.bidirectional ? 0 : 4, threads, 13);
      one<Real>({input(units),
                 {Kind::dense, 20, Activation::tanh, true, false},
                 {Kind::lstm, 3, Activation::identity, true, false},
                 head},
                Loss::cross_entropy, 0, threads, 13);
      one<Real>({input(units), head}, Loss::cross_entropy, 0, threads, 13);
    }
  const std::int64_t offsets[] = {0, 3}, wrong[] = {3, -1, std::int64_t(1) << 40};
  const Data data{wrong, Dtype::i64, 3, 1, offsets, 1};
  expect(data.first_outside(11, [] { return false; }) == 1, "an integer out of range is found");
  int out[3];
  data.copy_symbols(0, 3, 11, out, 1);
  expect(out[0] == 3 && out[1] == 0 && out[2] == 0, "and is never read as one");
}

// From checkpoints: rows long enough for several stretches, on several threads, with the bits of all steps at
// once.
template <class Real> void checkpoints() {
  const Problem<Real> problem(23, 3, 90);
  const Data data = problem.data();
  const Dropout dropout{7, 0};
  std::vector<Real> values(static_cast<std::size_t>(data.N * 20), Real(0.5));
  for (const Kind kind : {Kind::simple_rnn, Kind::gru, Kind::lstm})
    for (const Index H : {3, 20})
      for (const Kind above : {Kind::dense, Kind::mean_pool, Kind::max_pool}) {
        Network<Real> net(3, {{kind, H, kind == Kind::simple_rnn ? Activation::tanh : Activation::identity,
                               true, true, 1.0, true, false, 0.2, 0.3},
                              {above, 20, Activation::identity, true, false}});
        fill(net);
        for (Index i = 0; i < net.spec.parameter_count; ++i) net.parameters[i] /= 2;
        const Answers<Real> given{
            nullptr, values.data(), net.spec.per_step ? data.N : data.n, net.spec.output_size,
            false,   nullptr};
        std::vector<Real> gradient[2];
        double value[2] = {0, 0};
        Interrupt interrupt;
        for (const int i : {0, 1}) {
          gradient[i].resize(static_cast<std::size_t>(net.spec.parameter_count));
          const Outcome outcome =
              loss_and_gradient(net, data, given, {Loss::squared_error, true, 0.01, nullptr}, {}, &dropout,
                                i ? 1 : Index(1) << 40, gradient[i].data(), value[i], interrupt, 3);
          expect(outcome == Outcome::updated && std::isfinite(value[i]), "checkpoints");
        }
        expect(gradient[0] == gradient[1] && value[0] == value[1], "checkpoints change no bit");
      }
}

// Minibatches of more rows than a slice has, and of steps enough: with states that are carried and without,
// from checkpoints and without, alone and on several threads.
template <class Real> void slices() {
  const Problem<Real> problem(21, 3, 70);
  const Data data = problem.data();
  const Dropout dropout{7, 0};
  std::vector<Real> values(static_cast<std::size_t>(data.N * 40), Real(0.5));
  for (const bool bidirectional : {false, true})
    for (const Kind kind : {Kind::simple_rnn, Kind::gru, Kind::lstm})
      for (const bool steps : {false, true}) {
        const std::vector<Layer> layers{
            {kind, 40, kind == Kind::simple_rnn ? Activation::tanh : Activation::identity, true, steps, 1.0,
             true, bidirectional, 0.2, 0.3},
            {Kind::dense, 2, Activation::identity, true, false}};
        std::vector<std::vector<Real>> found;
        for (const int threads : {1, 3})
          for (const Index memory : {Index(1), Index(1) << 40}) {
            Network<Real> net(3, layers);
            fill(net);
            const Index P = net.spec.parameter_count;
            const Answers<Real> given{nullptr, values.data(), steps ? data.N : data.n, 2, false, nullptr};
            const Objective objective{Loss::squared_error, true, 0.01, nullptr};
            expect(slices_of(net.spec, data.n, 70, sizeof(Real)) == 3, "slices of eight rows");
            found.emplace_back(static_cast<std::size_t>(2 * P));
            Real* out = found.back().data();
            Interrupt interrupt;
            double value = 0;
            expect(loss_and_gradient(net, data, given, objective, {}, &dropout, memory, out, value, interrupt,
                                     threads) == Outcome::updated &&
                       std::isfinite(value),
                   "a gradient in slices");
            std::vector<std::int64_t> order(static_cast<std::size_t>(data.n));
            shuffle(7, 0, data.n, order.data());
            std::vector<Real> carry(static_cast<std::size_t>(data.n * net.spec.state_sizes[0]), Real(0)),
                snapshot(static_cast<std::size_t>(P));
            std::int64_t progress[4] = {0, 0, 0, 0};
            double sums[5] = {0, 0, 0, 0, 0}, rate = 0.01;
            const Optimizer<Real> sgd{
                {OptimizerKind::sgd, 0, 0, 0, 0, false}, nullptr, nullptr, {{0, P}}, 1.0};
            const Schedule<Real> schedule{
                order.data(),
                1,
                data.n,
                &rate,
                1,
                bidirectional ? 0 : 35,
                bidirectional ? std::vector<Real*>{} : std::vector<Real*>{carry.data()},
                {},
                dropout,
                progress,
                sums,
                snapshot.data(),
                1e9};
            Trainer<Real> trainer(net, Loss::squared_error, true, memory, threads);
            expect(train(trainer, data, given, objective, sgd, schedule, interrupt) == Status::finished &&
                       std::isfinite(sums[0]),
                   "training in slices");
            std::copy_n(net.parameters.data(), P, out + P);
          }
        for (std::size_t i = 1; i < found.size(); ++i)
          expect(found[i] == found[0], "neither threads nor memory change a bit");
        add_bits(found[0].data(), static_cast<Index>(found[0].size()));
      }
}

// A minibatch large enough for all threads, twice at once.
void at_once() {
  const auto work = [] {
    one<float>({{Kind::simple_rnn, 96, Activation::tanh, true, false},
                {Kind::dense, 4, Activation::softmax, true, false}},
               Loss::cross_entropy, 0, 4, 150);
  };
  checks = 0;
  work();
  std::thread other([&] {
    const Problem<float> problem(150, 3, 9);
    Network<float> net(3, {{Kind::simple_rnn, 96, Activation::tanh, true, false}});
    fill(net);
    std::vector<float> out(static_cast<std::size_t>(150 * 96));
    Wanted<float> wanted;
    wanted.outputs = out.data();
    Interrupt interrupt;
    for (int i = 0; i < 20; ++i)
      if (!run_forward(net, problem.data(), wanted, interrupt, 4)) std::exit(1);
  });
  for (int i = 0; i < 5; ++i) work();
  other.join();
}

}  // namespace

int main(int argc, char**) {
  if (argc > 1) {  // any argument: what ELMAN_ISA may be here
    for (const std::string& name : available_isas()) std::printf("%s\n", name.c_str());
    return 0;
  }
  everything<float>();
  everything<double>();
  symbols<float>();
  symbols<double>();
  checkpoints<float>();
  checkpoints<double>();
  slices<float>();
  slices<double>();
  const int done = checks;
  at_once();
  std::printf("%s: %d checks passed, results %016llx\n", isa().c_str(), done + checks,
              static_cast<unsigned long long>(bits));
  return 0;
}
