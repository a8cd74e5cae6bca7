// What the engine asks of an instruction set: one struct of function pointers per scalar type, and the
// arguments they take.
//
// Kernels get raw pointers, never allocate, never fail. Shapes stand in brackets: T steps, B batch, F input
// features, H hidden units, C outputs, G gates; `ld` is the distance between rows. Buffers of rows that
// kernels write are padded to 64 bytes a row and may hold anything in the padding.
//
// Steps of a ragged minibatch lie time-major without padding: rows are sorted by length, longest first; at
// step t the first active[t] rows are alive and stand at rows offset[t] .. offset[t] + active[t]. A state
// buffer has B rows of initial states before that.
#pragma once

#include "kernels/cell_facts.h"

namespace elman {

using Index = long long;

enum class Activation : int { identity = 0, tanh = 1, relu = 2, sigmoid = 3, softmax = 4 };
enum class Loss : int { cross_entropy = 0, binary_cross_entropy = 1, squared_error = 2 };
enum class Pool : int { last = 0, mean = 1, max = 2 };
enum class OptimizerKind : int { sgd = 0, rmsprop = 1, adam = 2, adamw = 3 };

// Steps of the sorted rows of a minibatch.
struct Steps {
  Index T;              // steps of the longest row
  Index B;              // rows
  const Index* active;  // [T + 1] rows alive at a step, falling; active[T]: those whose later steps have gone
                        // back already, their dz at offset[T]
  const Index* offset;  // [T + 1] rows before a step's first
};

// A matrix [K, G N] of G gates (1 where there are none) cut into panels of columns: element (k, g, j) stands
// at data[(j / panel) * K * ld + k * ld + g * gate + j % panel]. So the gates of a unit lie side by side in
// its panel.
template <class Real> struct Matrix {
  const Real* data;
  Index ld;
  Index panel;
  Index gate = 0;
};

// A state is h, for lstm h and c: `stride` columns apart in a row of the buffer of states.
template <class Real> struct RecurrentForward {
  const Real* x;  // [sum T, F] input of every step
  Index ldx, F;
  Matrix<Real> kernel;         // [F, G H]
  Matrix<Real> recurrent;      // [H, G H]
  const Real* bias;            // [G H] or null
  const Real* recurrent_bias;  // [G H] or null, gru alone
  Real* states;                // [B + sum T, states] in: the first B rows; out: the rest
  Index ld, stride, H;
  Real* kept;  // [sum T, kept H] out: what the way back needs, dense; null where there is none (gru_before
               // needs it forward too)
  Index ldk;
  // [B, H], rows ld apart: what h is multiplied by before it meets the recurrent kernel, or null
  const Real* mask;
  Real* masked;  // [B + sum T, H] out: h so multiplied
  Activation activation;
  Real leak;
  const int* index = nullptr;  // [sum T] where x is an integer: the row of the kernel that stands for it; x
                               // is then [sum T, 1], what that row is multiplied by
};

template <class Real> struct RecurrentBackward {
  Matrix<Real> recurrent_transposed;  // [G H, H]
  const Real* states;                 // [B + sum T, states]
  Index ld, stride, H;
  const Real* kept;  // [sum T, kept H] or null
  Index ldk;
  const Real* d;  // [sum T, H] the cotangent of h where there is one; elman's is overwritten by dz. With
                  // `d_by_row` [B, H]: that of each row's last h
  Index ldd;
  Real* dz;  // [sum T, columns H] out: of the sums before the activations, dense; may be `kept`
  Index ldz;
  Real* carry;  // [B, H] what a step hands to the one before it beside dz: lstm's dc, the share of dh that
                // passes by for gru and leaky
  Index ldc;
  const Real* mask;  // as forward
  const Real* masked;
  Real* d_initial;  // [B, states] out: of the states before step 0, or null: not wanted
  bool every_step;  // is there a cotangent at every step, or at each row's last alone?
  bool d_by_row;
  Activation activation;
  Real leak;
};

template <class Real> struct Affine {
  const Real* x;  // [n, K]
  Index ldx, K;
  Matrix<Real> kernel;  // [K, N]
  const Real* bias;     // [N] or null
  Real* y;              // [n, N]
  Index ldy, N;
  Activation activation;  // softmax: left to `softmax`
  bool adds = false;      // y, without a bias, is added to what stands there
};

// y [n, N] = a [n, K] s [K, N] + b [n, L] t [L, N]; L may be 0.
template <class Real> struct Propagate {
  const Real* a;
  Index lda, K;
  const Real* s;
  Index lds;
  const Real* b;
  Index ldb, L;
  const Real* t;
  Index ldt;
  Real* y;
  Index ldy, N;
};

// Rows of a and d that belong together, `count` of them from each start.
struct Segment {
  Index a, d, count;
};

template <class Real> struct WeightGradient {
  const Real* a;  // [., K]
  Index lda, K;
  const Real* d;  // [., N]
  Index ldd, N;
  const Segment* segments;
  Index n_segments;
  Real* out;  // [K, N]: out += a' d over the segments
  Index ldo;
};

template <class Real> struct LossRows {
  Loss loss;
  Index C;
  const long long* classes;    // [.] class of a row or -1, or null
  const Real* values;          // [., C] probabilities or values, NaN = none, or null
  const double* class_weight;  // [C] what an answer of each class counts, or null: 1
  const double* row_weight;    // [.] what each answer counts, or null: 1; 0 is no answer
  double divisor;              // with `row_weight`: what it is divided by for the gradient
  const Index* first;          // [n] target row of each output row, before `t` is added; negative: none
  const Real* scale;     // [n] what a row's loss gradient is multiplied by, or null: no gradient is wanted
  const double* weight;  // [n] weight of each row in the sums
  double* sums;          // [n, 5] += (weighted loss, weight, metric 1, metric 2, metric weight)
  bool steps;  // the n rows are the steps of one row, whose targets follow one another: `first` and what
               // comes after it have one entry
};

struct UpdateRule {
  OptimizerKind kind;
  double a, b, epsilon, weight_decay;
  bool nesterov;
};

template <class Real> struct KernelTable {
  const char* name;
  void (*recurrent_forward[cell_count])(const RecurrentForward<Real>&, const Steps&, Index t0, Index t1,
                                        Index b0, Index b1);
  void (*recurrent_backward[cell_count])(const RecurrentBackward<Real>&, const Steps&, Index t0, Index t1,
                                         Index b0, Index b1);
  void (*affine)(const Affine<Real>&, Index n);
  // rows of a [n, N] in place
  void (*activate)(Activation, Real* y, Index ld, Index n, Index N);
  // d [n, N] in: cotangent of y, out: of the sums before the activation
  void (*activate_backward)(Activation, const Real* y, Index ldy, Real* d, Index ldd, Index n, Index N);
  // out [K, N] += over all segments, for the columns i0 .. i1 of a
  void (*weight_gradient)(const WeightGradient<Real>&, Index i0, Index i1);
  // out [N] += sum of the rows of d
  void (*bias_gradient)(const WeightGradient<Real>&);
  // y [n, C] in: logits (cross_entropy, binary_cross_entropy) or outputs (squared_error); out: cotangent of
  // the same where `scale` is given
  void (*loss)(const LossRows<Real>&, Real* y, Index ld, Index n, Index t);
  // running sum or maximum of n rows
  void (*pool_add)(Pool, Real* total, Index ldt, const Real* h, Index ldh, Index n, Index H);
  // total [H] / count
  void (*divide)(Real* out, const Real* total, Real count, Index H);
  // d [H] of the maximum to the first step that reached it; `maximum` is spent
  void (*max_backward)(Real* dz, const Real* h, Real* maximum, const Real* d, Index H);
  // src [K, G N] dense -> panels p0 .. p1 of `panel` columns of each gate, zeros beyond N
  void (*pack)(Real* out, const Real* src, Index K, Index N, Index gates, Index panel, Index p0, Index p1);
  // src [N, K] dense -> panels of its transpose [K, N]
  void (*pack_transposed)(Real* out, const Real* src, Index K, Index N, Index panel, Index p0, Index p1);
  bool (*all_finite)(const Real* x, Index n);
  // g += l2 w
  void (*add_scaled)(Real* g, const Real* w, Real l2, Index n);
  // w [n] into lower .. upper; g [n] = 0 where these are equal
  void (*into_bounds)(Real* w, const Real* lower, const Real* upper, Index n);
  void (*drop_fixed)(Real* g, const Real* lower, const Real* upper, Index n);
  // one optimizer step over n parameters; g is multiplied by `clip` first
  void (*update)(const UpdateRule&, double rate, Index step, Real clip, Real* w, const Real* g, Real* m,
                 Real* v, Index n);
  // tangents from step to step (tangents.h)
  void (*propagate)(const Propagate<Real>&, Index n);
  // for tests and benchmarks
  void (*map)(int function, Real* x, Index n);  // 0 tanh, 1 sigmoid, 2 exp of x <= 0, 3 log
  Real (*fma_loop)(Index rounds);               // a bare chain of multiply-adds; `fma_per_round` each
  Index fma_per_round;
};

}  // namespace elman
