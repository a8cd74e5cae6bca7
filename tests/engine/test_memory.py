"""Gradients from checkpoints: every bit is that of a gradient that holds all steps, in less memory."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from elman import (
    LBFGS,
    LSTM,
    SGD,
    Adam,
    Dense,
    DivergenceError,
    LevenbergMarquardt,
    MaxPool,
    Network,
    SimpleRNN,
)
from elman.data.sequences import as_batch
from elman.model.memory import AUTO, needed
from helpers.networks import BARE, SHAPES, C, build, lively_weights, rnn
from helpers.support import (
    as_y,
    assert_same_bits,
    error,
    network,
    ragged,
    random_answers,
    run_script,
)

pytestmark = pytest.mark.large

F = 3
RAGGED = [700, 90, 1, 333, 700, 128, 2, 699, 40, 257, 511]
EVEN = [400] * 8
LONG = [30_000, 20_000, 90, 30_000, 1, 29_999]
LIMITS = (1.0, 1.5, 4.0)  # times the least possible


def problem(layers, lengths, dtype, loss="cross_entropy", seed=0, missing=0.3):
    generator = np.random.default_rng(seed)
    net = network(layers, F, dtype, lively_weights(layers, F, generator))
    X = ragged(generator, lengths, F, dtype)
    return net, X, as_y(layers, random_answers(generator, layers, C, lengths, loss, missing))


def need(net, X, loss, size=None, **options):
    batch = as_batch(X, F, net.dtype)
    return needed(net.model, batch, loss, size=size or batch.n, **({"dropping": False} | options))


def assert_memory_changes_nothing(net, X, y, loss, dropping=False, **options):
    whole, least = need(net, X, loss, dropping=dropping)
    assert least < 0.6 * whole, (least, whole)
    value, gradient = net.loss_and_gradient(X, y, loss=loss, memory=whole, **options)
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    for factor in LIMITS:
        limit = int(factor * least)
        assert limit < whole or factor > 1, (limit, whole)
        found, bits = net.loss_and_gradient(X, y, loss=loss, memory=limit, **options)
        assert found == value, (factor, found, value)
        assert_same_bits(bits, gradient, f"memory={limit}")


@pytest.mark.parametrize("shape", [*SHAPES, *BARE])
@pytest.mark.parametrize("lengths", [RAGGED, EVEN], ids=["ragged", "even"])
def test_the_bits_do_not_depend_on_memory(shape, lengths, cell, dtype):
    loss = "squared_error" if shape in BARE else "cross_entropy"
    net, X, y = problem(build(shape, cell, loss), lengths, dtype, loss)
    assert_memory_changes_nothing(net, X, y, loss)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "squared_error"])
@pytest.mark.parametrize("shape", ["last", "steps", "max"])
def test_the_bits_do_not_depend_on_memory_under_other_losses(shape, loss, dtype):
    net, X, y = problem(build(shape, "lstm", loss), RAGGED, dtype, loss)
    assert_memory_changes_nothing(net, X, y, loss)


@pytest.mark.parametrize("shape", ["last", "two_last", "three_steps", "mean", "max", "dense_between"])
def test_chunks_that_go_back_piece_by_piece(shape, cell, dtype, monkeypatch):
    """Chunks of many bytes go back some blocks of steps at a time; within checkpoints' stretches none is."""
    net, X, y = problem(build(shape, cell, "cross_entropy"), LONG, dtype)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    whole, least = need(net, X, "cross_entropy")
    assert whole > 2 * 4 * 2**20  # from here on, for two threads
    value, gradient = net.loss_and_gradient(X, y, loss="cross_entropy", memory=2**30, l2=0.1)
    found, bits = net.loss_and_gradient(X, y, loss="cross_entropy", memory=max(2**20, least), l2=0.1)
    assert found == value
    assert_same_bits(bits, gradient, "stretches")


def test_large_kernels_are_summed_in_larger_blocks(monkeypatch):
    """More than 2^19 weights in one kernel: blocks of 512 rows, in stretches and for each thread the same."""
    layers = [LSTM(380), Dense(C, activation="softmax")]
    net, X, y = problem(layers, [900, 700, 900], "float32")
    assert net.weights["0.recurrent_kernel"].size > 2**19
    whole, least = need(net, X, "cross_entropy")
    found = []
    for threads, memory in (("1", whole), ("2", whole), ("2", least), ("1", 2 * least)):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.append(net.loss_and_gradient(X, y, loss="cross_entropy", memory=memory))
    for value, gradient in found[1:]:
        assert value == found[0][0]
        assert_same_bits(gradient, found[0][1], "threads or memory")


@pytest.mark.parametrize("shape", ["last", "three_steps", "max"])
def test_nor_with_dropout_initial_states_weights_and_l2(shape, cell, dtype):
    def dropping(layer):
        if not hasattr(layer, "recurrent_dropout"):
            return layer
        sequences = layer.return_sequences
        return rnn(layer.units, cell, steps=sequences, dropout=0.3, recurrent_dropout=0.2)

    net, X, y = problem([dropping(layer) for layer in build(shape, cell, "cross_entropy")], RAGGED, dtype)
    generator = np.random.default_rng(1)
    starts = [
        tuple(generator.normal(size=(2, len(X), layer.units)))
        if isinstance(layer, LSTM)
        else generator.normal(size=(len(X), layer.units))
        for layer in net.layers
        if hasattr(layer, "recurrent_dropout")
    ]
    assert_memory_changes_nothing(
        net,
        X,
        y,
        "cross_entropy",
        dropping=True,
        initial_state=starts,
        seed=3,
        l2=0.1,
        reduction="sum",
        sample_weight=np.arange(1.0, len(X) + 1),
    )


@pytest.mark.parametrize("lengths", [[5000], [60] * 300, [1, 2000], [129, 128, 127, 1], [2, 1]], ids=str)
def test_one_row_many_rows_short_rows(lengths, dtype):
    for layers in ([SimpleRNN(5), Dense(C)], [LSTM(C, return_sequences=True), MaxPool()]):
        net, X, y = problem(layers, lengths, dtype, "squared_error")
        whole, least = need(net, X, "squared_error")
        assert least <= whole  # of short rows all may be the least
        value, gradient = net.loss_and_gradient(X, y, memory=whole)
        found, bits = net.loss_and_gradient(X, y, memory=least)
        assert found == value
        assert_same_bits(bits, gradient)


def test_a_maximum_that_comes_again_gets_its_cotangent_once(dtype):
    """The states are the same in every step: the first step alone has the maximum, in the first stretch."""
    net = Network([SimpleRNN(3, return_sequences=True), MaxPool()], F, dtype=dtype, seed=0)
    net.weights["0.recurrent_kernel"][:] = 0
    X, y = np.ones((4, 900, F)), np.ones((4, 3))
    whole, least = need(net, X, "squared_error")
    _, gradient = net.loss_and_gradient(X, y, memory=least)
    _, once = net.loss_and_gradient(X[:, :1], y)
    assert_same_bits(gradient, once)
    assert_same_bits(net.loss_and_gradient(X, y, memory=whole)[1], gradient)


@pytest.mark.parametrize("options", [{}, {"truncation": 300}, {"stateful": True}], ids=str)
@pytest.mark.parametrize("shape", ["two_last", "steps", "dense_between"])
def test_fit_gives_the_same_bits_on_any_number_of_threads(shape, options, cell, dtype):
    lengths = [*RAGGED, *EVEN, 350, 20, 1]
    loss, size = "cross_entropy", 9
    fitted = []
    truncation = options.get("truncation", 0)
    for n_threads, factor in ((1, None), (1, 1.0), (2, 1.0), (3, 1.3)):
        net, X, y = problem(build(shape, cell, loss), lengths, dtype)
        whole, least = need(net, X, loss, size, truncation=truncation)
        assert least < whole
        history = net.fit(
            X,
            y,
            optimizer=Adam(0.001),
            batch_size=size,
            epochs=2,
            clip_norm=1.0,
            verbose=False,
            memory=whole if factor is None else int(factor * least),
            n_threads=n_threads,
            **options,
        ).history
        carried = [] if net.model.carry is None else [np.array(c) for c in net.model.carry]
        fitted.append([net.parameters.copy(), *map(np.array, history.values()), *carried])
    for run in fitted[1:]:
        for found, expected in zip(run, fitted[0], strict=True):
            assert_same_bits(found, expected)


def test_threads_that_share_rows_and_gradients(dtype):
    """Large enough that several threads work on a stretch."""
    layers = [LSTM(40, return_sequences=True), Dense(C, "softmax")]
    fitted = []
    for n_threads in (1, 2, 4):
        net, X, y = problem(layers, [int(T) for T in np.linspace(30, 400, 70)], dtype)
        whole, least = need(net, X, "cross_entropy")
        assert least < 0.3 * whole
        for memory in (whole, least):
            twin = network(layers, F, dtype, dict(net.weights))
            twin.fit(X, y, batch_size=70, memory=memory, n_threads=n_threads, verbose=False)
            fitted.append(twin.parameters.copy())
    for parameters in fitted[1:]:
        assert_same_bits(parameters, fitted[0])


def test_too_little_memory_is_refused_with_the_least_possible():
    layers = [LSTM(5), Dense(C, "softmax")]
    net, X, y = problem(layers, RAGGED, "float32")
    _, least = need(net, X, "cross_entropy")
    before = net.parameters.copy()
    message = f"memory is {least - 1}, expected at least {least} bytes"
    with pytest.raises(ValueError, match=message):
        net.loss_and_gradient(X, y, memory=least - 1)
    with pytest.raises(ValueError, match=message):
        net.fit(X, y, memory=least - 1, batch_size=len(X), verbose=False)
    assert_same_bits(net.parameters, before)
    # the three longest rows need most, whatever order they come in
    _, least = need(net, [X[i] for i in (0, 4, 7)], "cross_entropy")
    with pytest.raises(ValueError, match=f"expected at least {least} bytes"):
        net.fit(X, y, memory=least - 1, batch_size=3, verbose=False)
    net.fit(X, y, memory=least, batch_size=3, verbose=False)


def test_bidirectional_layers_need_whole_sequences():
    net, X, y = problem(build("both_mean", "gru", "cross_entropy"), EVEN, "float32")
    whole, least = need(net, X, "cross_entropy")
    assert whole == least
    net.loss_and_gradient(X, y, memory=whole)
    with pytest.raises(ValueError, match=r"layers\[1\] \(GRU\) is bidirectional and needs whole sequences"):
        net.loss_and_gradient(X, y, memory=whole - 1)


def test_second_order_takes_what_has_a_meaning_there():
    net, X, y = problem([SimpleRNN(4), Dense(C, "softmax")], EVEN, "float64")
    _, least = need(net, X, "cross_entropy")
    fitted = []
    for memory in (AUTO, least):
        net = problem([SimpleRNN(4), Dense(C, "softmax")], EVEN, "float64")[0]
        net.fit(X, y, optimizer=LBFGS(), epochs=3, memory=memory, verbose=False)
        fitted.append(net.parameters.copy())
    assert_same_bits(*fitted)
    with pytest.raises(ValueError, match="expected 'auto' with LevenbergMarquardt"):
        net.fit(X, y, optimizer=LevenbergMarquardt(), memory=least, verbose=False)


@pytest.mark.parametrize("batch_size", [3, 8])
def test_a_loss_that_is_not_finite_stops_it_in_the_same_batch(batch_size, dtype):
    told = []
    for factor in (None, 1.0):
        net, X, y = problem(build("steps", "relu", "squared_error"), EVEN, dtype, "squared_error")
        whole, least = need(net, X, "squared_error", batch_size)
        with pytest.raises(DivergenceError) as raised:
            net.fit(
                X,
                y,
                optimizer=SGD(1e12),
                batch_size=batch_size,
                epochs=5,
                verbose=False,
                memory=whole if factor is None else int(factor * least),
            )
        told.append((raised.value.epoch, raised.value.batch, net.parameters.tobytes(), net.history.history))
    assert told[0] == told[1]
    assert np.isfinite(net.parameters).all()


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
def test_ctrl_c_ends_it_promptly():
    net = Network([LSTM(64), Dense(2, "softmax")], 4, seed=0)
    X = np.zeros((8, 200_000, 4), np.float32)
    for wait in (0.3, 1.2):
        killed = []

        def kill(killed=killed):
            killed.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(wait, kill)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            net.loss_and_gradient(X, np.zeros(8, int), memory=20_000_000)
        assert time.perf_counter() - killed[0] < 2.0  # a whole pass takes many times longer


RISE = """
import re, sys
import numpy as np
from elman import Dense, Network, SimpleRNN
T, B = int(sys.argv[1]), int(sys.argv[4])
X = np.random.default_rng(0).standard_normal((B, T, 4), dtype=np.float32)
net = Network([SimpleRNN(64), Dense(3, "softmax")], 4, seed=0)
y = np.arange(B) % 3
net.loss_and_gradient(X[:8, :100], y[:8])
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
before = peak()
loss, gradient = net.loss_and_gradient(X, y, memory="auto" if sys.argv[2] == "auto" else int(sys.argv[2]))
print(peak() - before)
np.save(sys.argv[3], gradient)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_grows_by_what_was_counted(tmp_path):
    T = 30_000
    net = Network([SimpleRNN(64), Dense(3, "softmax")], 4, seed=0)
    batch = as_batch(np.zeros((8, T, 4), np.float32), 4, net.dtype)
    whole, least = needed(net.model, batch, "cross_entropy", size=8, dropping=False)
    rises, gradients = [], []
    for memory in (whole, least):
        out = tmp_path / f"{memory}.npy"
        rises.append(int(run_script(RISE, arguments=[str(T), str(memory), str(out), "8"])))
        gradients.append(np.load(out))
    assert 0.9 * whole < rises[0] < 1.1 * whole
    assert rises[1] < least + 1_000_000 < 0.05 * whole
    assert_same_bits(*gradients)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_many_short_rows_are_counted_too(tmp_path):
    """Here what is kept of each row, as its state before the first step, is most of it."""
    B = 60_000
    net = Network([SimpleRNN(64), Dense(3, "softmax")], 4, seed=0)
    batch = as_batch(np.zeros((B, 1, 4), np.float32), 4, net.dtype)
    whole, _ = needed(net.model, batch, "cross_entropy", size=B, dropping=False)
    rise = int(run_script(RISE, arguments=["1", str(whole), str(tmp_path / "out.npy"), str(B)]))
    assert 0.8 * whole < rise < 1.15 * whole


@pytest.mark.prove
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_million_steps(tmp_path):
    """The gradient of 8 sequences of 1,000,000 steps, 64 units, in float32: under 400 MB, near float64's."""
    T, out = 1_000_000, tmp_path / "gradient.npy"
    rise = int(run_script(RISE, timeout=600, arguments=[str(T), "auto", str(out), "8"]))
    assert rise < 20_000_000
    found = np.load(out)
    X = np.random.default_rng(0).standard_normal((8, T, 4), dtype=np.float32)
    net = Network([SimpleRNN(64), Dense(3, "softmax")], 4, seed=0)
    exact = Network(net.layers, 4, dtype="float64", seed=0)
    exact.parameters[:] = net.parameters
    assert error(found, exact.loss_and_gradient(X, np.arange(8) % 3)[1]) < 1e-4
