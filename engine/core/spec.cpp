#include "core/spec.h"

#include <stdexcept>

namespace elman {

Spec::Spec(Index inputs, std::vector<Layer> given) : input_size(inputs), layers(std::move(given)) {
  if (inputs < 1 || layers.empty()) throw std::invalid_argument("a network needs an input and a layer");
  Index width = inputs;
  bool steps = true;
  const auto add = [&](std::size_t layer, const std::string& name, std::vector<Index> shape, bool decays) {
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
  const auto push = [&](Operation op) {
    operations.push_back(op);
    return static_cast<Index>(operations.size()) - 1;
  };
  Index below = -1;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    Operation op{};
    if (layer.kind == Kind::embedding) {
      if (i > 0 || inputs != 1 || layer.symbols < 1 || layer.symbols > (Index(1) << 20))
        throw std::invalid_argument("an embedding is the first layer, over one integer a step");
      symbols = width = layer.symbols;
      if (layer.units == 0) continue;  // one-hot: a lookup of what stands above
    }
    op.in = width;
    op.input = below;
    op.lookup = symbols > 0 && below < 0;
    op.steps_in = op.steps_out = steps;
    if (layer.kind == Kind::mean_pool || layer.kind == Kind::max_pool) {
      if (!steps || operations.empty())
        throw std::invalid_argument("a pool needs a layer with a time axis below it");
      op.type = Operation::Type::pool;
      op.pool = layer.kind == Kind::mean_pool ? Pool::mean : Pool::max;
      op.out = width;
      op.steps_out = steps = false;
      below = push(op);
      continue;
    }
    if (layer.units < 1 || layer.units > (Index(1) << 20)) throw std::invalid_argument("units out of range");
    const Index H = layer.units;
    op.out = H;
    op.activation = layer.activation;
    if (layer.kind == Kind::dense || layer.kind == Kind::embedding) {
      op.type = Operation::Type::dense;
      const bool table = layer.kind == Kind::embedding;
      op.kernel = add(i, table ? "embeddings" : "kernel", {width, H}, !table);
      if (layer.use_bias) op.bias = add(i, "bias", {H}, false);
      width = H;
      below = push(op);
      continue;
    }
    const auto rate = [](double p) { return p >= 0 && p < 1; };
    if (layer.kind > Kind::lstm || layer.activation == Activation::softmax ||
        !(layer.leak > 0 && layer.leak <= 1) || !rate(layer.dropout) || !rate(layer.recurrent_dropout))
      throw std::invalid_argument("unknown layer");
    if (!steps) throw std::invalid_argument("a recurrent layer needs a time axis");
    op.type = Operation::Type::recurrent;
    if (layer.kind == Kind::simple_rnn) op.cell = layer.leak == 1.0 ? Cell::elman : Cell::leaky;
    if (layer.kind == Kind::gru) op.cell = layer.reset_after ? Cell::gru : Cell::gru_before;
    if (layer.kind == Kind::lstm) op.cell = Cell::lstm;
    op.leak = layer.leak;
    op.dropout = layer.dropout;
    op.recurrent_dropout = layer.recurrent_dropout;
    op.last_alone = !layer.return_sequences;
    op.layer = static_cast<Index>(hidden_sizes.size());
    op.directions = layer.bidirectional ? 2 : 1;
    const Index columns = op.facts().gates * H;
    for (; op.direction < op.directions; ++op.direction) {
      op.reverse = op.direction == 1;
      op.adds = layer.bidirectional && op.direction == 0;  // going backward, the second direction comes first
      const std::string half = op.reverse ? "reverse." : "";
      op.kernel = add(i, half + "kernel", {width, columns}, true);
      op.recurrent = add(i, half + "recurrent_kernel", {H, columns}, true);
      if (layer.use_bias) op.bias = add(i, half + "bias", {columns}, false);
      if (layer.use_bias && op.cell == Cell::gru)
        op.recurrent_bias = add(i, half + "recurrent_bias", {columns}, false);
      below = push(op);
    }
    width = H * op.directions;
    hidden_sizes.push_back(width);
    state_sizes.push_back(width * op.facts().states);
    steps = layer.return_sequences;
    if (layer.bidirectional) {
      whole_rows = true;
      Operation join{};
      join.type = Operation::Type::join;
      join.in = H;
      join.out = width;
      join.steps_in = true;
      join.steps_out = steps;
      join.input = below;
      below = push(join);
    } else if (!steps) {
      Operation last{};
      last.type = Operation::Type::pool;
      last.in = last.out = width;
      last.steps_in = true;
      last.steps_out = false;
      last.input = below;
      below = push(last);
    }
  }
  if (operations.empty()) throw std::invalid_argument("a network needs a layer above a one-hot input");
  output_size = width;
  per_step = steps;
  for (const Parameter& p : parameters)
    if (p.shape.size() == 2 && p.shape[0] * p.shape[1] > 1 << 19) gradient_block = 512;
}

}  // namespace elman
