"""What must be equal to the bit: rows in any company, streams, threads, instruction sets, halves of a fit,
saved networks."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import elman
import reference as ref
from elman import Dense, MaxPool, MeanPool
from helpers.networks import OPTIMIZERS, rnn
from helpers.support import (
    DTYPES,
    OTHER_CELLS,
    as_y,
    assert_near,
    assert_same_bits,
    network,
    proofs,
    ragged,
    random_answers,
    run_script,
    stack,
)

pytestmark = pytest.mark.large

WIDTHS_H = [1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 48, 64, 65, 100, 130]
WIDTHS_C = [1, 2, 5, 17, 40]
WIDTHS_F = [1, 2, 7, 16, 33]
LENGTHS = [1, 500, 2, 3, 64, 5, 31, 8, 257, 17, 33, 100, 1]
# Every layer that carries something through time; each function takes (H, C, cell).
STREAMED = {
    "last": lambda H, C, a: [rnn(H, a), Dense(C, activation="softmax")],
    "steps": lambda H, C, a: [rnn(H, a, steps=True), Dense(C, activation="sigmoid")],
    "two": lambda H, C, a: [rnn(H, a, steps=True), rnn(C, a), Dense(3)],
    "mean": lambda H, C, a: [rnn(H, a, steps=True), MeanPool(), Dense(C, activation="softmax")],
    "max": lambda H, C, a: [rnn(H, a, steps=True), MaxPool(), Dense(C, activation="tanh")],
    "bare": lambda H, C, a: [rnn(H, a)],
    "dense_first": lambda H, C, a: [Dense(C, activation="relu"), rnn(H, a, steps=True)],
}


def make(layers, F, dtype, seed=0):
    generator = np.random.default_rng(seed)
    return network(layers, F, dtype, ref.random_weights(layers, F, generator)), generator


# ------------------------------------------------------------------------------------ a row and its company


def assert_rows_keep_their_bits(net, X, per_step):
    """Alone, in every smaller batch from either end, in another order, and on other threads."""
    together = [np.array(row) for row in net.predict(X)]
    states = net.states(X)
    for row, x in enumerate(X):
        assert_same_bits(net.predict([x])[0], together[row], f"row {row} alone")
        assert_same_bits(net.predict(x[None])[0], together[row], f"row {row} alone, as an array")
        for layer, alone in enumerate(net.states([x])):
            assert_same_bits(alone[0], states[layer][row], f"states of row {row} alone")
    for n in (2, 3, 7):
        for begin in range(0, len(X), n):
            for row, found in enumerate(net.predict(X[begin : begin + n], n_threads=2), start=begin):
                assert_same_bits(found, together[row], f"row {row} among {n}")
    for row, found in enumerate(net.predict(X[::-1])):
        assert_same_bits(found, together[-1 - row], "backwards")
    for row, found in enumerate(net.record(X[3:]).outputs, start=3):
        assert_same_bits(found, together[row], f"row {row} on a tape")


def assert_stream_is_predict(net, x, per_step, prefixes):
    """The answer after step t is what predict gives on the first t steps."""
    stream = net.stream()
    answers = [stream.step(x_t).copy() for x_t in x]
    if per_step:
        assert_same_bits(np.array(answers), net.predict([x])[0], "stream")
    for t in prefixes:
        found = net.predict([x[:t]])[0]
        assert_same_bits(answers[t - 1], found[-1] if per_step else found, f"after {t} steps")


SIZED = [("tanh", H, C) for H in WIDTHS_H for C in WIDTHS_C]
SIZED += [(name, H, WIDTHS_C[H % 5]) for name in OTHER_CELLS for H in WIDTHS_H]


@pytest.mark.parametrize(("sized", "H", "C"), SIZED)
def test_a_row_is_independent_of_its_batch(sized, H, C, dtype):
    layers = [rnn(H, sized, steps=True), Dense(C, activation="softmax")]
    F = WIDTHS_F[(H + C) % len(WIDTHS_F)]
    net, generator = make(layers, F, dtype, seed=H * 100 + C)
    X = ragged(generator, LENGTHS, F, dtype)
    assert_rows_keep_their_bits(net, X, per_step=True)
    assert_stream_is_predict(net, X[5 + H % 5], True, [1, 2, 5])


@pytest.mark.parametrize("shape", STREAMED)
@pytest.mark.parametrize("H", [1, 5, 16, 33, 100])
def test_a_row_is_independent_of_its_batch_in_every_network(shape, H, cell, dtype):
    layers = STREAMED[shape](H, 5, cell)
    net, generator = make(layers, 7, dtype, seed=H)
    X = ragged(generator, [1, 40, 2, 9, 9, 17, 1], 7, dtype)
    per_step = ref.has_time_axis(layers)
    assert_rows_keep_their_bits(net, X, per_step)
    assert_stream_is_predict(net, X[1], per_step, range(1, 41))


@pytest.mark.parametrize("sized", ["tanh", *OTHER_CELLS])
@pytest.mark.parametrize("H", [3, 16, 33, 64, 130])
def test_a_row_is_independent_of_the_number_of_rows(sized, H, dtype):
    """Every number of rows around the edges of a register tile, the row at every end."""
    net, generator = make([rnn(H, sized), Dense(5, activation="softmax")], 6, dtype)
    x = generator.normal(size=(20, 6)).astype(dtype)
    alone = net.predict(x[None])[0]
    for B in [*range(1, 36), 63, 64, 65, 127, 200]:
        X = generator.normal(size=(B, 20, 6)).astype(dtype)
        for row in {0, B // 2, B - 1}:
            X[row] = x
            assert_same_bits(net.predict(X)[row], alone, f"row {row} of {B}")


@pytest.mark.parametrize("sized", ["tanh", *OTHER_CELLS])
@pytest.mark.parametrize("H", [3, 16, 33, 64])
def test_rows_streamed_together_are_rows_streamed_alone(sized, H, dtype):
    for shape, layers_of in STREAMED.items():
        layers = layers_of(H, 4, sized)
        net, generator = make(layers, 3, dtype)
        X = generator.normal(size=(9, 12, 3)).astype(dtype)
        together, alone = net.stream(rows=9), [net.stream() for _ in range(9)]
        out = np.empty((9, together.step(X[:, 0]).shape[1]), dtype)
        together.reset()
        for t in range(12):
            assert together.step(X[:, t], out=out) is out
            for row in range(9):
                assert_same_bits(alone[row].step(X[row, t]), out[row], f"{shape}: row {row}, step {t}")


# ------------------------------------------------------------------------------------------ halves of a row


@pytest.mark.parametrize("shape", STREAMED)
def test_a_call_leaves_nothing_to_the_next(shape, cell, dtype):
    """A small run's memory serves the next: of other shapes, of a loss, after other weights, in threads."""
    layers = STREAMED[shape](17, 5, cell)
    net, generator = make(layers, 3, dtype)
    calls = []
    for n, steps in [(1, 8), (5, 1), (30, 40), (1, 200), (2, 3), (70, 20), (1, 8), (5, 1)]:
        X = generator.normal(size=(n, steps, 3)).astype(dtype)
        X = X if n < 30 else [x[: 1 + i % steps] for i, x in enumerate(X)]
        y = [np.zeros((len(x), net.model.outputs)) for x in X] if net.model.per_step else None
        calls.append((X, np.zeros((n, net.model.outputs)) if y is None else y if n >= 30 else np.stack(y)))

    def answers(of):
        predicted = [stack(of().predict(X)).copy() for X, _ in calls]
        states = [stack(of().states(X)[0]).copy() for X, _ in calls]
        losses = [of().evaluate(X, y, loss="squared_error")["loss"] for X, y in calls]
        return [*predicted, *states, *map(np.float64, losses)]

    for weights in (net.parameters.copy(), 0.5 * net.parameters):
        net.parameters[:] = weights
        fresh = answers(lambda: copy.deepcopy(net))
        for found, expected in zip(answers(lambda: net), fresh, strict=True):
            assert_same_bits(found, expected)
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(lambda _: answers(lambda: net), range(8)):
                for one, expected in zip(found, fresh, strict=True):
                    assert_same_bits(one, expected)


@pytest.mark.parametrize("shape", STREAMED)
@pytest.mark.parametrize("cut", [1, 7, 19])
def test_two_halves_are_the_whole(shape, cut, cell, dtype):
    """The state of a stream is all that a row's past is."""
    layers = STREAMED[shape](17, 5, cell)
    net, generator = make(layers, 3, dtype)
    x = generator.normal(size=(20, 3)).astype(dtype)
    whole = net.stream()
    expected = [whole.step(x_t).copy() for x_t in x]
    first, second = net.stream(), net.stream()
    for x_t in x[:cut]:
        first.step(x_t)
    state = first.state
    for x_t in x[cut:]:
        first.step(x_t)  # a copy: what comes later changes nothing
    second.state = state
    for t, x_t in enumerate(x[cut:], start=cut):
        assert_same_bits(second.step(x_t), expected[t], f"step {t}")
    assert len(state) == sum(not isinstance(layer, Dense) for layer in layers)
    second.reset()
    assert_same_bits(second.step(x[0]), expected[0], "after reset")


def test_two_stateful_halves_are_the_whole(cell, dtype):
    layers = [rnn(17, cell, steps=True), rnn(5, "sigmoid", steps=True), Dense(2)]
    net, generator = make(layers, 3, dtype)
    X = ragged(generator, [20, 7, 13], 3, dtype)
    Y = random_answers(generator, layers, 2, [20, 7, 13], "squared_error")
    whole = net.evaluate(X, Y)["loss"]
    halves = [net.evaluate([x[:4] for x in X], [y[:4] for y in Y], stateful=True)["loss"]]
    halves += [net.evaluate([x[4:] for x in X], [y[4:] for y in Y], stateful=True)["loss"]]
    assert_near((12 * halves[0] + 28 * halves[1]) / 40, whole, dtype)


# -------------------------------------------------------------------------------------------- training runs


def training(dtype, H=16, lengths=None, layers=None, seed=5):
    lengths = [9, 3, 12, 1, 7, 12, 5, 2, 12, 4] if lengths is None else lengths
    layers = layers or [rnn(H, "tanh", steps=True), rnn(H, "relu"), Dense(4, activation="softmax")]
    net = elman.Network(layers, input_size=6, dtype=dtype, seed=seed)
    generator = np.random.default_rng(seed)
    X = ragged(generator, lengths, 6, dtype)
    return net, X, as_y(layers, random_answers(generator, layers, 4, lengths, "cross_entropy", missing=0.2))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize(
    "options", [{}, {"l2": 0.1, "clip_norm": 0.1, "reduction": "sum"}], ids=["plain", "all_options"]
)
def test_fit_is_gradient_and_update(optimizer, options, dtype):
    fit_is_gradient_and_update(optimizer, options, dtype)


def test_fit_is_gradient_and_update_for_every_cell(cell, dtype):
    layers = [rnn(9, cell, steps=True), rnn(20, cell), Dense(4, activation="softmax")]
    fit_is_gradient_and_update(elman.Adam(0.01), {"l2": 0.1}, dtype, layers=layers)


def fit_is_gradient_and_update(optimizer, options, dtype, **made):
    fitted, X, y = training(dtype, **made)
    stepped = training(dtype, **made)[0]
    fitted.fit(X, y, optimizer=optimizer, epochs=3, batch_size=4, shuffle=False, verbose=False, **options)
    clip_norm = options.get("clip_norm")
    rest = {name: value for name, value in options.items() if name != "clip_norm"}
    for _ in range(3):
        for begin in range(0, len(X), 4):
            _, gradient = stepped.loss_and_gradient(X[begin : begin + 4], y[begin : begin + 4], **rest)
            stepped.update(gradient, optimizer, clip_norm=clip_norm)
    assert_same_bits(stepped.parameters, fitted.parameters)


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, elman.Adam(elman.CosineDecay(0.01, 30))], ids=repr)
@pytest.mark.parametrize("shuffle", [False, True], ids=["in_order", "shuffled"])
def test_two_fits_are_one(optimizer, shuffle, dtype):
    whole, X, y = training(dtype)
    parts = training(dtype)[0]
    options = {"optimizer": optimizer, "batch_size": 3, "shuffle": shuffle, "verbose": False}
    expected = whole.fit(X, y, epochs=7, **options).history["loss"]
    found = []
    for epochs in (2, 4, 1):
        parts.fit(X, y, epochs=epochs, **options)
        found += parts.history.history["loss"][-epochs:]
    assert_same_bits(parts.parameters, whole.parameters)
    assert found == expected


@pytest.mark.parametrize(
    "options", [{}, {"truncation": 4}, {"stateful": True}, {"truncation": 3, "stateful": True}], ids=str
)
def test_callbacks_validation_and_the_bar_change_no_bit(options, dtype):
    plain, X, y = training(dtype)
    watched = training(dtype)[0]
    plain.fit(X, y, epochs=4, batch_size=3, verbose=False, **options)
    seen = []
    watched.fit(
        X,
        y,
        epochs=4,
        batch_size=3,
        verbose=True,
        validation_data=(X[:4], y[:4]),
        callbacks=[lambda net, epoch, logs: seen.append((epoch, sorted(logs)))],
        **options,
    )
    assert_same_bits(watched.parameters, plain.parameters)
    assert len(seen) == 4 and seen[0][1] == ["accuracy", "loss", "val_accuracy", "val_loss"]


def test_seeds_decide(dtype):
    runs = []
    for seed in (1, 1, 2):
        net, X, y = training(dtype, seed=5)
        net = elman.Network(net.layers, input_size=6, dtype=dtype, seed=seed)
        net.fit(X, y, epochs=2, batch_size=3, verbose=False)
        runs.append(net.parameters.copy())
    assert_same_bits(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_fresh_entropy_is_kept_as_the_seed():
    first = elman.Network([rnn(3, "tanh")], input_size=2, seed=None)
    again = elman.Network([rnn(3, "tanh")], input_size=2, seed=first.seed)
    assert_same_bits(again.parameters, first.parameters)
    assert not np.array_equal(
        elman.Network([rnn(3, "tanh")], input_size=2, seed=None).parameters, first.parameters
    )


def test_shuffling_visits_every_row_in_another_order(dtype):
    """With a rate of 0 all epochs have one mean loss; otherwise the order changes the weights."""
    net, X, y = training(dtype)
    truth = net.evaluate(X, y)["loss"]
    history = net.fit(X, y, optimizer=elman.SGD(0.0), epochs=5, batch_size=3, verbose=False).history
    assert_near(history["loss"], [truth] * 5, dtype)
    weights = []
    for shuffle in (True, False):
        net = training(dtype)[0]
        net.fit(X, y, optimizer=elman.SGD(0.1), epochs=1, batch_size=3, shuffle=shuffle, verbose=False)
        weights.append(net.parameters.copy())
    assert not np.array_equal(*weights)


# -------------------------------------------------------------------------------------------------- threads

DEEP = [("tanh", 2), *((name, 1) for name in ["tanh", *OTHER_CELLS])]
THREADED = {
    "eeg128": ([50] * 64, 128),
    "ragged": ([1 + (i * 37) % 60 for i in range(70)], 128),
    "odd": ([30 + i % 7 for i in range(33)], 65),
    "long": ([400] * 5, 64),
    "wide": ([1 + (i * 29) % 79 for i in range(150)], 200),
    "tiny": ([4] * 3, 3),
}


@pytest.mark.parametrize("size", THREADED)
@pytest.mark.parametrize(("threaded", "depth"), DEEP)
def test_threads_change_no_bit(size, threaded, depth, dtype):
    lengths, H = THREADED[size]
    layers = [rnn(H, threaded, steps=True) for _ in range(depth)] + [Dense(4, activation="softmax")]
    results = []
    for n_threads in (1, 2, 3, 4):
        net, X, y = training(dtype, lengths=lengths, layers=layers)
        history = net.fit(
            X, y, epochs=2, batch_size=40, clip_norm=0.5, verbose=False, n_threads=n_threads
        ).history
        predicted = stack(net.predict(X, n_threads=n_threads))
        evaluated = net.evaluate(X, y, n_threads=n_threads)
        results.append((net.parameters.copy(), predicted, history, evaluated))
    for n_threads, (parameters, predicted, history, evaluated) in enumerate(results[1:], start=2):
        assert_same_bits(parameters, results[0][0], f"weights, {n_threads} threads")
        assert_same_bits(predicted, results[0][1], f"outputs, {n_threads} threads")
        assert history == results[0][2] and evaluated == results[0][3]


@pytest.mark.parametrize("H", [16, 200])
def test_threads_change_no_bit_of_an_evaluation(H, dtype):
    """Sums over many rows, which a split by threads would add up in another order."""
    for seed in range(6):
        lengths = np.random.default_rng(seed).integers(1, 80, size=100 + 20 * seed).tolist()
        layers = [rnn(H, "tanh", steps=True), rnn(H, "tanh", steps=True), Dense(4, activation="softmax")]
        net, X, y = training(dtype, lengths=lengths, layers=layers, seed=seed)
        found = [net.evaluate(X, y, n_threads=n_threads) for n_threads in (1, 2, 3, 4, 8)]
        assert found == [found[0]] * 5


USES_THREADS = """
import os, sys, threading, time
import numpy as np, elman
before, most = len(os.listdir("/proc/self/task")), 0
net = elman.Network([elman.SimpleRNN(128), elman.Dense(4, activation="softmax")], input_size=6, seed=0)
X, y = np.random.default_rng(0).normal(size=(64, 50, 6)), np.arange(64) % 4
done = threading.Event()
def watch():
    global most
    while not done.is_set():
        most = max(most, len(os.listdir("/proc/self/task")) - 1)
        time.sleep(0.001)
watcher = threading.Thread(target=watch); watcher.start()
net.fit(X, y, epochs=30, verbose=False, n_threads=4)
done.set(); watcher.join()
print(before, most)
"""


def test_the_sizes_above_really_use_threads():
    pytest.importorskip("resource", reason="threads are counted in /proc")
    before, most = map(int, run_script(USES_THREADS).split())
    assert most >= before + 3


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(proofs(100)))
def test_threads_change_no_bit_for_random_sizes(seed):
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 120, size=generator.integers(1, 90)).tolist()
    H, dtype = int(generator.integers(1, 200)), DTYPES[seed % 2]
    name = ["tanh", *OTHER_CELLS][seed % 5]
    layers = [rnn(H, name, steps=seed % 3 > 0), Dense(4, activation="softmax")]
    runs = []
    for n_threads in (1, 2, 3, 4, 7):
        net, X, y = training(dtype, lengths=lengths, layers=layers)
        net.fit(X, y, epochs=2, batch_size=int(1 + seed * 7 % 64), verbose=False, n_threads=n_threads)
        runs.append(net.parameters.copy())
    for parameters in runs[1:]:
        assert_same_bits(parameters, runs[0])


# -------------------------------------------------------------------------------------------------- keeping


def copies(net, path):
    net.save(path)
    return {
        "load": elman.load(path),
        "pickle": pickle.loads(pickle.dumps(net)),
        "deepcopy": copy.deepcopy(net),
    }


@pytest.mark.parametrize("shape", STREAMED)
def test_saved_networks_predict_the_same_bits(shape, cell, dtype, tmp_path):
    layers = STREAMED[shape](9, 4, cell)
    net, generator = make(layers, 3, dtype)
    X = ragged(generator, [5, 1, 9], 3, dtype)
    for name, kept in copies(net, tmp_path / "net.safetensors").items():
        assert kept.layers == net.layers and list(kept.weights) == list(net.weights), name
        assert_same_bits(kept.parameters, net.parameters, name)
        assert_same_bits(stack(kept.predict(X)), stack(net.predict(X)), name)
        kept.parameters[...] = 0
        assert np.abs(net.parameters).max() > 0, name


def test_pickled_and_copied_networks_train_on_with_the_same_bits(cell, dtype):
    layers = [rnn(9, cell, steps=True), rnn(5, cell), Dense(4, activation="softmax")]
    net, X, y = training(dtype, layers=layers)
    options = {"optimizer": elman.Adam(0.01), "batch_size": 3, "epochs": 2, "verbose": False}
    net.fit(X, y, **options)
    others = [pickle.loads(pickle.dumps(net)), copy.deepcopy(net)]
    net.fit(X, y, **options)
    for other in others:
        other.fit(X, y, **options)
        assert_same_bits(other.parameters, net.parameters)
