"""Generation: what a network adds to a sequence is what its own predictions say, one step after the other."""

from __future__ import annotations

import re

import numpy as np
import pytest

import elman
from elman import GRU, LSTM, Dense, Embedding, MeanPool, Network, SimpleRNN
from elman.network.generate import _draw
from helpers.networks import rnn
from helpers.support import assert_same_bits

N = 5
ALPHABET = {
    "one_hot": lambda: [Embedding(N)],
    "table": lambda: [Embedding(N, 3)],
    "rows": list,
}


@pytest.fixture(params=ALPHABET)
def net(request, dtype):
    layers = [*ALPHABET[request.param](), LSTM(8, return_sequences=True), Dense(N, "softmax")]
    return Network(layers, None if len(layers) == 3 else N, dtype, seed=3)


def as_inputs(net, symbols):
    return np.array(symbols) if net.model.symbols else np.eye(N, dtype=net.dtype)[symbols]


def test_the_most_likely_symbol_follows_the_whole_sequence(net):
    said = elman.generate(net, [0, 3, 1], 12, temperature=0)
    assert said.dtype == np.int64
    sequence = [0, 3, 1]
    for symbol in said:
        assert symbol == net.predict([as_inputs(net, sequence)])[0][-1].argmax()
        sequence.append(int(symbol))


def test_a_seed_draws_the_same_symbols(net):
    draws = [elman.generate(net, [1], 200, 1.0, seed) for seed in (0, 0, 1, None, None)]
    assert_same_bits(draws[0], draws[1])
    assert len({d.tobytes() for d in draws}) == 4
    if not net.model.symbols:
        assert_same_bits(elman.generate(net, np.eye(N)[[1]], 200, seed=0), draws[0])


def test_a_first_symbol_has_the_networks_probabilities():
    net = Network([Embedding(N), GRU(4), Dense(N, "softmax")], dtype="float64", seed=3)
    net.parameters[:] *= 4.0
    p = net.predict([[2, 4]])[0]
    for temperature in (0.5, 1.0, 3.0):
        expected = p ** (1.0 / temperature) / (p ** (1.0 / temperature)).sum()
        counts = np.bincount(
            [elman.generate(net, [2, 4], 1, temperature, seed)[0] for seed in range(4000)], minlength=N
        )
        deviation = np.sqrt(4000 * expected * (1.0 - expected))
        assert (np.abs(counts - 4000 * expected) < 4.5 * deviation).all()


@pytest.mark.parametrize("temperature", [1e-300, 1e-3, 1.0, 1e3, 1e300])
def test_impossible_symbols_are_never_drawn(temperature):
    class Highest:
        @staticmethod
        def random():
            return np.nextafter(1.0, 0.0)

    class Lowest:
        @staticmethod
        def random():
            return 0.0

    p = np.array([0.0, 0.7, 0.0, 0.3, 0.0], np.float32)
    for rng in (Highest, Lowest, np.random.default_rng(0)):
        assert p[_draw(p, temperature, rng)] > 0.0
    assert _draw(p, 1e-300, np.random.default_rng(1)) == 1


def test_a_closed_loop_is_its_own_input(cell, dtype):
    net = Network([rnn(6, cell, steps=True), Dense(2)], input_size=2, dtype=dtype, seed=1)
    start = np.random.default_rng(0).normal(size=(4, 2)).astype(dtype)
    said = elman.generate(net, start, 6)
    assert said.shape == (6, 2)
    sequence = np.concatenate([start, said])
    assert_same_bits(net.predict(sequence[None])[0][3:9], said)
    assert_same_bits(elman.generate(net, start.tolist(), 6, seed=4), said)


def test_a_loop_may_end_with_a_pool_or_a_last_state(dtype):
    for layers in ([SimpleRNN(3, return_sequences=True), MeanPool()], [SimpleRNN(3)]):
        net = Network(layers, input_size=3, dtype=dtype, seed=0)
        assert_same_bits(elman.generate(net, np.ones((2, 3)), 4)[0], net.predict(np.ones((1, 2, 3)))[0])


def test_a_loop_that_explodes_says_so():
    net = Network([Dense(1)], input_size=1, seed=0)
    net.parameters[:] = [1e20, 0.0]
    with pytest.raises(RuntimeError, match="the output of step 1 is "):
        elman.generate(net, [[1.0]], 10)


LETTERS = Network([Embedding(N), GRU(3), Dense(N, "softmax")], seed=0)
SIGNAL = Network([GRU(3), Dense(2)], input_size=2, seed=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: elman.generate(3, [0], 1), "net is 3 (a int), expected an elman.Network"),
        (lambda: elman.generate(LETTERS, [0], 0), "steps is 0, expected an integer of at least 1"),
        (
            lambda: elman.generate(LETTERS, [0], 1, -1.0),
            "temperature is -1.0, expected a finite number of at least 0",
        ),
        (lambda: elman.generate(LETTERS, [0], 1, np.inf), "temperature is inf"),
        (lambda: elman.generate(LETTERS, [0], 1, 1.0, "a"), "seed is 'a'"),
        (lambda: elman.generate(LETTERS, [], 1), "start is empty, expected at least one step"),
        (lambda: elman.generate(LETTERS, [0, 5], 1), "start[1] is 5, expected 0..4"),
        (lambda: elman.generate(LETTERS, [-1], 1), "start[0] is -1, expected 0..4"),
        (lambda: elman.generate(LETTERS, [0.0], 1), "start has dtype float64, expected integers"),
        (lambda: elman.generate(LETTERS, [[0]], 1), "start has shape (1, 1), expected (steps,)"),
        (lambda: elman.generate(SIGNAL, [1.0, 2.0], 1), "start has shape (2,), expected (steps, 2)"),
        (lambda: elman.generate(SIGNAL, [[1.0]], 1), "start has 1 features, expected 2"),
        (lambda: elman.generate(SIGNAL, [[1.0, np.nan]], 1), "start[0] has nan at step 0, feature 1"),
        (
            lambda: elman.generate(SIGNAL, [[1.0, 0.0]], 1, 0.5),
            "temperature is 0.5, expected 1 without a softmax",
        ),
        (
            lambda: elman.generate(Network([Embedding(N), GRU(3), Dense(4, "softmax")], seed=0), [0], 1),
            "net has 4 outputs, expected 5, as many as its symbols",
        ),
        (
            lambda: elman.generate(Network([GRU(3)], 2, seed=0), [[0.0, 0.0]], 1),
            "net has 3 outputs, expected 2, as many as its inputs",
        ),
        (
            lambda: elman.generate(Network([Embedding(N), Dense(N)], seed=0), [0], 1),
            "net begins with an Embedding, expected a Dense with softmax as its last layer",
        ),
        (
            lambda: elman.generate(Network([GRU(1, bidirectional=True)], 2, seed=0), [[0.0, 0.0]], 1),
            "is bidirectional and needs whole sequences",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        call()
