#include "core/spec.h"

#include <stdexcept>

namespace elman {
namespace {

using Type = Operation::Type;

constexpr Index most_parameters = Index(1) << 40, most_units = Index(1) << 20;

void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(what);
}

// Adds the operations and parameters of one layer after the other to a spec.
class Builder {
 public:
  explicit Builder(Spec& spec) : spec_(spec), width_(spec.input_size) {}

  void add(std::size_t i, const Layer& layer) {
    switch (layer.kind) {
      case Kind::embedding: return add_embedding(i, layer);
      case Kind::mean_pool: return add_pool(Pool::mean);
      case Kind::max_pool: return add_pool(Pool::max);
      case Kind::dense: return add_dense(i, layer, "kernel");
      default: return add_recurrent(i, layer);
    }
  }

  void finish() {
    require(!spec_.operations.empty(), "a network needs a layer above a one-hot input");
    spec_.output_size = width_;
    spec_.per_step = steps_;
    for (const Parameter& p : spec_.parameters)
      if (p.shape.size() == 2 && p.shape[0] * p.shape[1] > 1 << 19) spec_.gradient_block = 512;
  }

 private:
  void add_embedding(std::size_t i, const Layer& layer) {
    require(i == 0 && spec_.input_size == 1 && layer.symbols >= 1 && layer.symbols <= most_units,
            "an embedding is the first layer, over one integer a step");
    spec_.symbols = width_ = layer.symbols;
    // A one-hot input has no operation of its own: the one above it looks its rows up.
    if (layer.units > 0) add_dense(i, layer, "embeddings");
  }

  void add_pool(Pool pool) {
    require(steps_ && !spec_.operations.empty(), "a pool needs a layer with a time axis below it");
    push_pool(pool);
    steps_ = false;
  }

  void add_dense(std::size_t i, const Layer& layer, const char* kernel) {
    Operation op = operation(Type::dense, layer);
    op.kernel = parameter(i, kernel, {width_, op.out}, layer.kind == Kind::dense);
    if (layer.use_bias) op.bias = parameter(i, "bias", {op.out}, false);
    push(op);
    width_ = op.out;
  }

  void add_recurrent(std::size_t i, const Layer& layer) {
    Operation op = operation(Type::recurrent, layer);
    check_recurrent(layer);
    op.cell = cell_of(layer);
    op.leak = layer.leak;
    op.dropout = layer.dropout;
    op.recurrent_dropout = layer.recurrent_dropout;
    op.last_alone = !layer.return_sequences;
    op.layer = static_cast<Index>(spec_.hidden_sizes.size());
    op.directions = layer.bidirectional ? 2 : 1;
    for (; op.direction < op.directions; ++op.direction) {
      op.reverse = op.direction == 1;
      op.adds = layer.bidirectional && op.direction == 0;  // going backward, the second direction comes first
      add_recurrent_parameters(i, layer, op);
      push(op);
    }
    width_ = op.out * op.directions;
    spec_.hidden_sizes.push_back(width_);
    spec_.state_sizes.push_back(width_ * op.facts().states);
    if (layer.bidirectional) push_join(op.out, layer.return_sequences);
    else if (!layer.return_sequences) push_pool(Pool::last);
    steps_ = layer.return_sequences;
  }

  void check_recurrent(const Layer& layer) const {
    const auto rate = [](double p) { return p >= 0 && p < 1; };
    require(layer.kind <= Kind::lstm && layer.activation != Activation::softmax && layer.leak > 0 &&
                layer.leak <= 1 && rate(layer.dropout) && rate(layer.recurrent_dropout),
            "unknown layer");
    require(steps_, "a recurrent layer needs a time axis");
  }

  static Cell cell_of(const Layer& layer) {
    switch (layer.kind) {
      case Kind::gru: return layer.reset_after ? Cell::gru : Cell::gru_before;
      case Kind::lstm: return Cell::lstm;
      default: return layer.leak == 1.0 ? Cell::elman : Cell::leaky;
    }
  }

  void add_recurrent_parameters(std::size_t i, const Layer& layer, Operation& op) {
    const Index columns = op.gates() * op.out;
    const std::string half = op.reverse ? "reverse." : "";
    op.kernel = parameter(i, half + "kernel", {width_, columns}, true);
    op.recurrent = parameter(i, half + "recurrent_kernel", {op.out, columns}, true);
    if (layer.use_bias) op.bias = parameter(i, half + "bias", {columns}, false);
    if (layer.use_bias && op.cell == Cell::gru)
      op.recurrent_bias = parameter(i, half + "recurrent_bias", {columns}, false);
  }

  // What dense and recurrent operations have in common.
  Operation operation(Type type, const Layer& layer) const {
    require(layer.units >= 1 && layer.units <= most_units, "units out of range");
    Operation op{};
    op.type = type;
    op.in = width_;
    op.out = layer.units;
    op.input = below_;
    op.lookup = spec_.symbols > 0 && below_ < 0;
    op.steps_in = op.steps_out = steps_;
    op.activation = layer.activation;
    return op;
  }

  void push_pool(Pool pool) {
    Operation op{};
    op.type = Type::pool;
    op.pool = pool;
    op.in = op.out = width_;
    op.input = below_;
    op.steps_in = true;
    op.steps_out = false;
    push(op);
  }

  void push_join(Index H, bool sequences) {
    spec_.whole_rows = true;
    Operation op{};
    op.type = Type::join;
    op.in = H;
    op.out = width_;
    op.input = below_;
    op.steps_in = true;
    op.steps_out = sequences;
    push(op);
  }

  // Both halves of a bidirectional layer read what is below the first.
  void push(const Operation& op) {
    spec_.operations.push_back(op);
    below_ = static_cast<Index>(spec_.operations.size()) - 1;
  }

  // The offset of a new parameter.
  Index parameter(std::size_t layer, const std::string& name, std::vector<Index> shape, bool decays) {
    Index size = 1;
    for (const Index n : shape) {
      require(n <= most_parameters / size, "the network is too large");
      size *= n;
    }
    const Index offset = spec_.parameter_count;
    require(offset + size <= most_parameters, "the network is too large");
    spec_.parameters.push_back({std::to_string(layer) + "." + name, offset, std::move(shape), decays});
    spec_.parameter_count += size;
    return offset;
  }

  Spec& spec_;
  Index width_;        // of what the operations until now give
  Index below_ = -1;   // the last of them
  bool steps_ = true;  // has it a time axis?
};

}  // namespace

Spec::Spec(Index inputs, std::vector<Layer> given) : input_size(inputs), layers(std::move(given)) {
  require(inputs >= 1 && !layers.empty(), "a network needs an input and a layer");
  Builder builder(*this);
  for (std::size_t i = 0; i < layers.size(); ++i) builder.add(i, layers[i]);
  builder.finish();
}

Index work_per_step(const Spec& spec) {
  Index work = 0;
  for (const Operation& op : spec.operations) {
    const bool recurrent = op.type == Type::recurrent;
    if ((op.type == Type::dense || recurrent) && op.steps_in)
      work += op.gates() * op.out * (op.terms() + (recurrent ? op.out : 0));
  }
  return work;
}

}  // namespace elman
