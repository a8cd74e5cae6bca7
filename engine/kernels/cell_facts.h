// The facts of every cell, stated once: the kernels compute with them (cells.h), and the engine sizes its
// buffers and adds up its gradients by them. Everything is counted in units: one column is H numbers.
#pragma once

namespace elman {

// How a recurrent layer computes. gru applies the reset gate after the recurrent product, gru_before before
// it.
enum class Cell : int { elman = 0, leaky = 1, gru = 2, gru_before = 3, lstm = 4 };
constexpr int cell_count = 5;

// Gates that follow one another in the recurrent kernel and whose cotangents follow one another in dz.
struct CellPiece {
  int gate;          // the first of them in the recurrent kernel
  int count;         // how many there are
  int column;        // where the cotangent of the first stands in dz
  int operand = -1;  // the kept column that these gates multiply; -1: they multiply h
};

struct CellFacts {
  int gates;    // of the kernel and the recurrent kernel
  int states;   // h, or h and c
  int kept;     // columns that a step keeps for the way back
  int columns;  // of dz, the cotangents of a step's sums
  int pieces;   // those that multiply h come first
  CellPiece piece[2];
};

// As Cell lists them.
constexpr CellFacts cell_facts[cell_count] = {
    {.gates = 1, .states = 1, .kept = 0, .columns = 1, .pieces = 1, .piece = {{0, 1, 0}}},
    {.gates = 1, .states = 1, .kept = 1, .columns = 1, .pieces = 1, .piece = {{0, 1, 0}}},
    {.gates = 3, .states = 1, .kept = 4, .columns = 4, .pieces = 2, .piece = {{0, 2, 0}, {2, 1, 3}}},
    {.gates = 3, .states = 1, .kept = 4, .columns = 3, .pieces = 2, .piece = {{0, 2, 0}, {2, 1, 2, 3}}},
    {.gates = 4, .states = 2, .kept = 4, .columns = 4, .pieces = 1, .piece = {{0, 4, 0}}},
};

}  // namespace elman
