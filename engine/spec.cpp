#include "spec.h"

#include <stdexcept>

namespace elman {

Spec::Spec(Index inputs, std::vector<Layer> given) : input_size(inputs), layers(std::move(given)) {
  if (inputs < 1 || layers.empty()) throw std::invalid_argument("a network needs an input and a layer");
  Index width = inputs;
  bool steps = true;
  const auto add = [&](std::size_t layer, const char* name, std::vector<Index> shape, bool decays) {
    Index size = 1;
    for (const Index n : shape) {
      if (n > (Index(1) << 40) / size) throw std::invalid_argument("the network is too large");
      size *= n;
    }
    parameters.push_back({std::to_string(layer) + "." + name, parameter_count, std::move(shape), decays});
    parameter_count += size;
    if (parameter_count > (Index(1) << 40)) throw std::invalid_argument("the network is too large");
    return parameters.back().offset;
  };
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    Operation op{};
    op.in = width;
    op.steps_in = op.steps_out = steps;
    if (layer.kind == Kind::mean_pool || layer.kind == Kind::max_pool) {
      if (!steps || operations.empty()) throw std::invalid_argument("a pool needs a layer with a time axis below it");
      op.type = Operation::Type::pool;
      op.pool = layer.kind == Kind::mean_pool ? Pool::mean : Pool::max;
      op.out = width;
      op.steps_out = steps = false;
      operations.push_back(op);
      continue;
    }
    if (layer.units < 1 || layer.units > (Index(1) << 20)) throw std::invalid_argument("units out of range");
    op.out = layer.units;
    op.activation = layer.activation;
    if (layer.kind == Kind::simple_rnn) op.cell = layer.leak == 1.0 ? Cell::elman : Cell::leaky;
    if (layer.kind == Kind::gru) op.cell = layer.reset_after ? Cell::gru : Cell::gru_before;
    if (layer.kind == Kind::lstm) op.cell = Cell::lstm;
    const Index columns = layer.kind == Kind::dense ? layer.units : op.shape().gates * layer.units;
    op.kernel = add(i, "kernel", {width, columns}, true);
    width = layer.units;
    if (layer.kind == Kind::dense) {
      op.type = Operation::Type::dense;
      if (layer.use_bias) op.bias = add(i, "bias", {width}, false);
      operations.push_back(op);
      continue;
    }
    if (layer.kind > Kind::lstm || layer.activation == Activation::softmax || !(layer.leak > 0 && layer.leak <= 1)) throw std::invalid_argument("unknown layer");
    if (!steps) throw std::invalid_argument("a recurrent layer needs a time axis");
    op.type = Operation::Type::recurrent;
    op.leak = layer.leak;
    op.recurrent = add(i, "recurrent_kernel", {width, columns}, true);
    if (layer.use_bias) op.bias = add(i, "bias", {columns}, false);
    if (layer.use_bias && op.cell == Cell::gru) op.recurrent_bias = add(i, "recurrent_bias", {columns}, false);
    hidden_sizes.push_back(width);
    state_sizes.push_back(width * op.shape().states);
    operations.push_back(op);
    if (!layer.return_sequences) {
      Operation last{};
      last.type = Operation::Type::pool;
      last.in = last.out = width;
      last.steps_in = true;
      last.steps_out = steps = false;
      operations.push_back(last);
    }
  }
  output_size = width;
  per_step = steps;
}

}  // namespace elman
