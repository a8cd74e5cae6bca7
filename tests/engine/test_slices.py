"""Minibatches of many rows and steps go through in slices of eight rows, longest first: the gradient is the
sum of the slices' gradients, in their order, whatever the threads, the memory, and what is carried."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

import elman
import reference as ref
from elman import GRU, LSTM, Dense, DivergenceError, Embedding, Network, SimpleRNN
from elman.data.sequences import as_batch
from elman.model.memory import needed
from helpers.networks import BARE, BOTH, SHAPES, C, build, lively_weights, rnn
from helpers.support import (
    OTHER_CELLS,
    as_y,
    assert_near,
    assert_same_bits,
    error,
    flat,
    network,
    ragged,
    random_answers,
    run_script,
    weights_of,
)

F = 3
MANY = [2400, 1, 800, 2400, 40, 700, 3, 2000, 900, 2400, 650, 2400, 20, 999, 2400, 5, 1, 333, 1800]
EVEN = [2400] * 17
FEW = [40, 3, 40, 17, 40, 1, 24, 33, 8, 40, 40, 2, 29, 40, 16, 11, 40, 23, 38]  # enough for 40 units


def problem(layers, lengths, dtype, loss="cross_entropy", missing=0.3, seed=0):
    generator = np.random.default_rng(seed)
    net = network(layers, F, dtype, lively_weights(layers, F, generator))
    X = ragged(generator, lengths, F, dtype)
    return net, X, random_answers(generator, layers, C, lengths, loss, missing)


def slices(lengths):
    """Indices of the rows of each slice."""
    order = np.argsort([-T for T in lengths], kind="stable")
    return [order[i : i + 8] for i in range(0, len(order), 8)]


@pytest.mark.parametrize("lengths", [MANY, EVEN], ids=["ragged", "even"])
@pytest.mark.parametrize("shape", [*SHAPES, *BARE, *BOTH])
def test_the_gradient_is_the_sum_of_the_slices_gradients(shape, lengths, cell, dtype):
    """To the bit: each slice's rows alone are a minibatch of their own."""
    loss = "squared_error" if shape in BARE else "cross_entropy"
    layers = build(shape, cell, loss)
    net, X, answers = problem(layers, lengths, dtype, loss)

    def of(rows):
        y = as_y(layers, [answers[i] for i in rows])
        return net.loss_and_gradient([X[i] for i in rows], y, loss=loss, reduction="sum")

    value, gradient = of(range(len(X)))
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    alone = [of(rows) for rows in slices(lengths)]
    total = alone[0][1]
    for _, one in alone[1:]:
        total = total + one
    assert_same_bits(total, gradient)
    assert error(sum(one for one, _ in alone), value) < 1e-12


@pytest.mark.parametrize("options", [{}, {"truncation": 33}], ids=["whole", "truncated"])
@pytest.mark.parametrize("stateful", [False, True], ids=["fresh", "stateful"])
@pytest.mark.parametrize("per_step", [False, True], ids=["last", "steps"])
@pytest.mark.parametrize("each", ["tanh", *OTHER_CELLS])
def test_training_in_slices_is_the_reference(each, per_step, stateful, options, dtype):
    """Also where a slice, or a whole minibatch, has no answer: its states go on."""
    layers = [rnn(40, each, steps=per_step), Dense(C, activation="softmax")]
    net, X, answers = problem(layers, FEW, dtype)
    if per_step:
        for i in [*range(10, 19), *(row for row, T in enumerate(FEW) if T < 24)]:
            answers[i] = np.full_like(answers[i], -1)
    options = {"loss": "cross_entropy", "stateful": stateful, "clip_norm": 0.5, "l2": 0.01, **options}
    trainer = ref.Trainer(layers, weights_of(net), elman.Adam(0.01), **options)
    expected = trainer.fit(X, answers, epochs=2, batch_size=10)
    history = net.fit(
        X,
        as_y(layers, answers),
        optimizer=elman.Adam(0.01),
        epochs=2,
        batch_size=10,
        shuffle=False,
        verbose=False,
        **options,
    ).history
    for name in expected[0]:
        assert_near(history[name], [logs[name] for logs in expected], dtype, name)
    assert_near(net.parameters, flat(trainer.weights), dtype, "weights")


PLANS = [
    *((shape, {}) for shape in ("two_last", "steps", "dense_between", "both_steps")),
    *((shape, {"truncation": 1200}) for shape in ("two_last", "dense_between")),
    *((shape, {"stateful": True}) for shape in ("two_last", "steps")),
]


@pytest.mark.parametrize(("shape", "options"), PLANS, ids=str)
def test_neither_threads_nor_memory_change_a_bit(shape, options, cell, dtype):
    fitted = []
    layers = build(shape, cell, "cross_entropy")
    for n_threads, factor in ((1, None), (2, None), (5, None), (1, 1.0), (3, 1.0), (2, 2.0)):
        net, X, answers = problem(layers, [*MANY, *reversed(MANY)], dtype)
        batch = as_batch(X, F, net.dtype)
        truncation = options.get("truncation", 0)
        sizes = {"size": 19, "truncation": truncation, "dropping": False}
        whole, least = needed(net.model, batch, "cross_entropy", **sizes)
        assert least < whole
        history = net.fit(
            X,
            as_y(layers, answers),
            optimizer=elman.Adam(0.001),
            batch_size=19,
            epochs=2,
            clip_norm=1.0,
            l2=0.01,
            verbose=False,
            memory="auto" if factor is None else int(factor * least),
            n_threads=n_threads,
            **options,
        ).history
        carried = [] if net.model.carry is None else [np.array(c) for c in net.model.carry]
        fitted.append([net.parameters.copy(), *map(np.array, history.values()), *carried])
    for run in fitted[1:]:
        for found, expected in zip(run, fitted[0], strict=True):
            assert_same_bits(found, expected)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("each", ["tanh", *OTHER_CELLS])
def test_dropout_and_initial_states_are_those_of_the_row(each, place, dtype):
    """The first eight sequences, whatever slice they are in, have the gradient that they have alone."""
    layers = [rnn(40, each, dropout=0.3, recurrent_dropout=0.2), Dense(C, activation="softmax")]
    lengths = [40] * 8 + ([40] * 8 if place == 0 else [50] * 8)
    net, X, answers = problem(layers, lengths, dtype)
    y = as_y(layers, answers)
    generator = np.random.default_rng(1)
    start = generator.normal(size=(2, 16, 40)) if each == "lstm" else generator.normal(size=(16, 40))
    first = start[:, :8] if each == "lstm" else start[:8]
    options = {"loss": "cross_entropy", "reduction": "sum", "seed": 3}

    def states(given):
        return [tuple(given) if each == "lstm" else given]

    weights = np.repeat([1.0, 0.0], 8)
    _, found = net.loss_and_gradient(X, y, sample_weight=weights, initial_state=states(start), **options)
    _, alone = net.loss_and_gradient(X[:8], y[:8], initial_state=states(first), **options)
    _, other = net.loss_and_gradient(X[8:], y[8:], initial_state=states(first), **options)
    assert_near(found, alone, "float64", "gradient")
    assert error(other, alone) > 0.01


@pytest.mark.parametrize("units", [None, 20])
def test_integers_in_slices(units, dtype):
    layers = [Embedding(11, units), GRU(40, return_sequences=True), Dense(11, "softmax")]
    net = Network(layers, None, dtype=dtype, seed=0)
    generator = np.random.default_rng(0)
    X = [generator.integers(11, size=T) for T in FEW]
    y = [generator.integers(11, size=T) for T in FEW]
    _, gradient = net.loss_and_gradient(X, y, reduction="sum")
    total = np.zeros_like(gradient)
    for rows in slices(FEW):
        total = total + net.loss_and_gradient([X[i] for i in rows], [y[i] for i in rows], reduction="sum")[1]
    assert np.abs(gradient).max() > 0
    assert_same_bits(total, gradient)


def test_a_loss_that_is_not_finite_stops_in_its_minibatch_and_changes_nothing(dtype):
    told = []
    for n_threads in (1, 3):
        net, X, answers = problem([rnn(40, "relu", steps=True), Dense(C)], FEW, dtype, "squared_error")
        X[10][:] = np.finfo(dtype).max / 2
        before = net.parameters.copy()
        with pytest.raises(DivergenceError) as raised:
            net.fit(X, answers, batch_size=19, epochs=2, shuffle=False, verbose=False, n_threads=n_threads)
        assert_same_bits(net.parameters, before)
        told.append((raised.value.epoch, raised.value.batch))
    assert told[0] == told[1]


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_ends_it_promptly(n_threads):
    net = Network([LSTM(64), Dense(2, "softmax")], 4, seed=0)
    X = np.zeros((24, 60_000, 4), np.float32)
    killed = []

    def kill():
        killed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(0.7, kill).start()
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, np.zeros(24, int), batch_size=24, n_threads=n_threads, memory=50_000_000, verbose=False)
    assert time.perf_counter() - killed[0] < 2.0  # an epoch takes many times longer


RISE = """
import re, sys
import numpy as np
from elman import Dense, Network, SimpleRNN
T, B, threads = map(int, sys.argv[1:])
X = np.random.default_rng(0).standard_normal((B, T, 4), dtype=np.float32)
net = Network([SimpleRNN(64), Dense(3, "softmax")], 4, seed=0)
y = np.arange(B) % 3
fit = {"batch_size": B, "verbose": False, "n_threads": threads}
net.fit(X[:8, :100], y[:8], **fit)
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
before = peak()
net.fit(X, y, **fit)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_process_grows_by_what_was_counted(n_threads):
    T, B = 8000, 40
    net = Network([SimpleRNN(64), Dense(3, "softmax")], 4, seed=0)
    counted, _ = net.model.native.need(B, T, B * T, 0, False, n_threads)
    everything, _ = net.model.native.need(B, T, B * T, 0, False, B)
    rise = int(run_script(RISE, arguments=[str(T), str(B), str(n_threads)]))
    assert 0.9 * counted < rise < 1.1 * counted < 0.55 * everything


def test_what_is_large_or_short_stays_whole():
    """Each part of the rule decides: rows, steps, weights."""

    def sliced(layers, n, T):
        need = Network(layers, F, dtype="float32", seed=0).model.native.need
        alone, together = (need(n, T, n * T, 0, False, threads)[0] for threads in (1, n))
        return alone < 0.9 * together

    head = Dense(C, "softmax")
    assert sliced([SimpleRNN(64), head], 16, 32)
    assert not sliced([SimpleRNN(64), head], 8, 100)
    assert not sliced([SimpleRNN(64), head], 16, 31)
    assert not sliced([SimpleRNN(4), head], 16, 100)
    assert not sliced([SimpleRNN(512), head], 16, 100)


LIMITED = """
import re, sys
import numpy as np
from elman import Dense, Network, SimpleRNN
T, rows, memory, both = map(int, sys.argv[1:])
net = Network([SimpleRNN(64, bidirectional=bool(both)), Dense(3, "softmax")], 4, seed=0)
lengths = np.repeat([T, T // 2 - 100], rows)
X = [np.ones((steps, 4), dtype=np.float32) for steps in lengths]
y = np.arange(len(X)) % 3
fit = {"batch_size": rows, "shuffle": False, "verbose": False, "n_threads": 2}
def peak():
    with open("/proc/self/status") as file:
        return 1024 * int(re.search(r"VmHWM:\\s*(\\d+)", file.read())[1])
net.fit(X[:1], y[:1], **fit)
before = peak()
net.fit(X, y, memory=memory, **fit)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("both", "factor"), [(True, 1.05), (False, 1.2)], ids=["bidirectional", "forward"])
def test_memory_is_kept_to_whatever_minibatches_follow_one_another(both, factor, monkeypatch):
    """Bidirectional: one slice takes nearly all, then two take half each. Forward: two share it always."""
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")  # what is given back is gone at once
    T, rows = 6000, 16
    layers = [SimpleRNN(64, bidirectional=both), Dense(3, "softmax")]
    need = Network(layers, 4, seed=0).model.native.need
    memory = int(factor * need(rows, T, rows * T, 0, False, 1)[0])  # of one slice
    rise = int(run_script(LIMITED, arguments=[str(T), str(rows), str(memory), str(int(both))]))
    assert rise < 1.1 * memory


def test_more_slices_than_are_added_up_at_a_time(dtype):
    generator = np.random.default_rng(0)
    lengths = [*map(int, generator.integers(1, 60, size=300)), 60]
    layers = [GRU(40), Dense(C, "softmax")]
    net, X, answers = problem(layers, lengths, dtype)
    y = as_y(layers, answers)
    options = {"reduction": "sum", "loss": "cross_entropy"}
    _, gradient = net.loss_and_gradient(X, y, **options)
    total = np.zeros_like(gradient)
    for rows in slices(lengths):
        total = total + net.loss_and_gradient([X[i] for i in rows], y[rows], **options)[1]
    assert_same_bits(total, gradient)
    fitted = []
    for n_threads in (1, 2, 3):
        twin = network(layers, F, dtype, dict(net.weights))
        twin.fit(X, y, batch_size=301, optimizer=elman.SGD(0.1), n_threads=n_threads, verbose=False)
        fitted.append(twin.parameters.copy())
    assert_same_bits(fitted[1], fitted[0])
    assert_same_bits(fitted[2], fitted[0])
