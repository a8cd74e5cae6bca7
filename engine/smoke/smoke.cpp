// Exercises the whole engine without Python, for the sanitizers: every cell, activation, pool and loss,
// ragged rows, truncation, checkpoints, carried states, threads, streams, tapes. Says how many checks passed
// and a number made of the bits of all results, to be compared between machines; any failed check ends the
// program with exit code 1.
#include <cmath>
#include <thread>

#include "smoke/one_network.h"

namespace elman::smoke {
namespace {

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

// A weight for each step: 1 is none at all, 0 is a step without an answer.
template <class Real> void row_weights() {
  const Problem<Real> problem(23, 3, 90);
  const Data data = problem.data();
  Network<Real> net(3, {{Kind::lstm, 20, Activation::identity, true, true},
                        {Kind::dense, 4, Activation::softmax, true, false}});
  fill(net);
  const std::size_t N = static_cast<std::size_t>(data.N);
  std::vector<long long> classes(N), fewer(N);
  std::vector<double> ones(N, 1.0), some(N);
  for (std::size_t i = 0; i < N; ++i) {
    classes[i] = static_cast<long long>(i % 4);
    some[i] = i % 3 ? 1.0 : 0.0;
    fewer[i] = i % 3 ? classes[i] : -1;
  }
  const auto gradient = [&](const std::vector<long long>& of, bool missing, const double* weights,
                            Index memory) {
    const Answers<Real> given{of.data(), nullptr, data.N, 4, missing, nullptr, weights};
    std::vector<Real> found(static_cast<std::size_t>(net.spec.parameter_count));
    double value = 0;
    Interrupt interrupt;
    const Objective objective{Loss::cross_entropy, true, 0.01, nullptr};
    expect(loss_and_gradient(net, data, given, objective, {}, nullptr, memory, found.data(), value, interrupt,
                             3) == Outcome::updated &&
               std::isfinite(value),
           "weights of steps");
    return found;
  };
  for (const Index memory : {Index(1), Index(1) << 40}) {
    expect(gradient(classes, false, ones.data(), memory) == gradient(classes, false, nullptr, memory),
           "weights of 1 change no bit");
    expect(gradient(classes, false, some.data(), memory) == gradient(fewer, true, nullptr, memory),
           "a step of weight 0 has no answer");
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
}  // namespace elman::smoke

int main(int argc, char**) {
  using namespace elman;
  using namespace elman::smoke;
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
  row_weights<float>();
  row_weights<double>();
  const int done = checks;
  at_once();
  std::printf("%s: %d checks passed, results %016llx\n", isa().c_str(), done + checks,
              static_cast<unsigned long long>(bits));
  return 0;
}
