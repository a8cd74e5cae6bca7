// What a network is: its layers as given, the operations that they make, and where each parameter lies in the
// one flat buffer.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernels/table.h"

namespace elman {

enum class Kind : int {
  simple_rnn = 0,
  gru = 1,
  lstm = 2,
  dense = 8,
  mean_pool = 9,
  max_pool = 10,
  embedding = 11
};

struct Layer {
  Kind kind;
  Index units;  // embedding: 0 for one-hot
  Activation activation;
  bool use_bias;
  bool return_sequences;
  double leak = 1.0;        // simple_rnn
  bool reset_after = true;  // gru
  bool bidirectional = false;
  double dropout = 0.0, recurrent_dropout = 0.0;
  Index symbols = 0;  // embedding: its input is one of so many integers
};

struct Parameter {
  std::string name;  // "0.kernel"
  Index offset;
  std::vector<Index> shape;
  bool decays;  // counted by l2: kernels and recurrent kernels
};

// A layer that takes the last step is two operations: the recurrence, and a pool. A bidirectional layer is
// three: a recurrence, one over the reversed rows, and what joins them, step by step or the last state of
// each.
struct Operation {
  enum class Type { recurrent, dense, pool, join } type;
  Index in, out;             // features
  bool steps_in, steps_out;  // has its input, its output a time axis?
  // The operation below; -1: the network's input. Of a join it is the second recurrence, and the first is the
  // operation before that.
  Index input = -1;
  Activation activation = Activation::identity;
  Pool pool = Pool::last;
  Index kernel = -1, recurrent = -1, bias = -1, recurrent_bias = -1;  // offsets, -1 none
  Cell cell = Cell::elman;
  double leak = 1.0, dropout = 0.0, recurrent_dropout = 0.0;
  bool reverse = false;     // over each row from its end to its start
  bool adds = false;        // the other direction has given the cotangent of the input already
  bool last_alone = false;  // only each row's last state is used
  // Over the network's input of integers: there are `in` of them, and the product with the kernel is one of
  // its rows.
  bool lookup = false;
  Index layer = 0;                      // which recurrent layer,
  Index direction = 0, directions = 1;  // and which half of it

  // Facts of a recurrent operation.
  const CellFacts& facts() const { return cell_facts[static_cast<int>(cell)]; }
  std::span<const CellPiece> pieces() const {
    return {facts().piece, static_cast<std::size_t>(facts().pieces)};
  }
  // Facts of any operation.
  Index gates() const { return type == Type::recurrent ? facts().gates : 1; }
  Index states() const { return type == Type::recurrent ? facts().states : 1; }
  Index kept() const { return type == Type::recurrent ? facts().kept : 0; }
  Index terms() const { return lookup ? 1 : in; }  // of a sum over the input
};

struct Spec {
  Index input_size = 0, output_size = 0, parameter_count = 0;
  Index symbols = 0;  // the input is an integer below this at each step; 0: numbers
  bool per_step = true;
  std::vector<Layer> layers;
  std::vector<Operation> operations;
  std::vector<Parameter> parameters;
  std::vector<Index> hidden_sizes;  // of each recurrent layer: H, bidirectional 2 H
  std::vector<Index> state_sizes;   // and of all its states: the same, of lstm twice that
  bool whole_rows = false;          // can rows not be cut in time?
  // Rows at least in a block of a weight gradient's sum. There are more where a kernel is large, since each
  // block goes through all of it.
  Index gradient_block = 128;

  Spec(Index input_size, std::vector<Layer> layers);
};

// Multiply-adds of one step of one row through all products.
Index work_per_step(const Spec& spec);

}  // namespace elman
