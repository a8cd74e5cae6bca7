// What a network is: its layers as given, the operations that they make, and where each parameter lies in the one flat buffer.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.h"

namespace elman {

enum class Kind : int { simple_rnn = 0, dense = 8, mean_pool = 9, max_pool = 10 };

struct Layer {
  Kind kind;
  Index units;
  Activation activation;
  bool use_bias;
  bool return_sequences;
};

struct Parameter {
  std::string name;            // "0.kernel"
  Index offset;
  std::vector<Index> shape;
  bool decays;                 // counted by l2: kernels and recurrent kernels
};

// A layer that takes the last step is two operations: the recurrence, and a pool.
struct Operation {
  enum class Type { recurrent, dense, pool } type;
  Index in, out;               // features
  bool steps_in, steps_out;    // has its input, its output a time axis?
  Activation activation = Activation::identity;
  Pool pool = Pool::last;
  Index kernel = -1, recurrent = -1, bias = -1;   // offsets, -1 none
};

struct Spec {
  Index input_size = 0, output_size = 0, parameter_count = 0;
  bool per_step = true;
  std::vector<Layer> layers;
  std::vector<Operation> operations;
  std::vector<Parameter> parameters;
  std::vector<Index> state_sizes;   // of each recurrent layer

  Spec(Index input_size, std::vector<Layer> layers);
};

}  // namespace elman
