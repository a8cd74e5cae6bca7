"""Sequences of integers: the engine is the reference, a one-hot Embedding the network over one-hot rows, and
no bit depends on company, threads or the form of X."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re

import numpy as np
import pytest

import elman
import reference as ref
from elman import Dense, Embedding, MaxPool, MeanPool, Network, Sequences
from elman.model import file, seeds
from helpers.networks import build, lively_weights, rnn
from helpers.support import (
    GRADIENT_TOLERANCE,
    as_y,
    assert_near,
    assert_same_bits,
    flat,
    network,
    random_answers,
    stack,
    weights_of,
)

pytestmark = pytest.mark.large

N, C = 7, 3
LENGTHS = [4, 9, 1, 6, 2, 9, 3]
SHAPES = ["last", "steps", "three_steps", "mean", "dense_between", "no_bias", "both_last", "both_two"]
CELLS = ["tanh", "leaky", "gru", "gru_before", "lstm"]


@pytest.fixture(params=[None, 4], ids=["one_hot", "table"])
def units(request):
    return request.param


@pytest.fixture(params=CELLS)
def cell(request):
    return request.param


def integers(generator, lengths=LENGTHS, n=N):
    return [generator.integers(0, n, size=T) for T in lengths]


def made(layers, dtype, seed=0):
    generator = np.random.default_rng(seed)
    net = network(layers, 1, dtype, lively_weights(layers, 1, generator))
    X = integers(generator)
    return net, X, random_answers(generator, layers, C, LENGTHS, "cross_entropy", missing=0.2), generator


def stacked(shape, cell, units, loss="cross_entropy"):
    return [Embedding(N, units), *build(shape, cell, loss)]


def without_units(net, layers):
    """The same network over rows of numbers: a dense layer without bias in the place of a table."""
    first = layers[0]
    rest = layers[1:] if first.units is None else [Dense(first.units, use_bias=False), *layers[1:]]
    twin = Network(rest, input_size=first.n, dtype=net.dtype, seed=0)
    twin.parameters[:] = net.parameters
    return twin


def rows_of(X, dtype):
    return [np.eye(N, dtype=dtype)[x] for x in X]


# --------------------------------------------------------------------------------------------- the reference


@pytest.mark.parametrize("shape", SHAPES)
def test_everything_is_the_reference(shape, cell, units, dtype):
    layers = stacked(shape, cell, units)
    net, X, answers, generator = made(layers, dtype)
    weights = weights_of(net)
    traces = [ref.forward(layers, weights, x) for x in X]
    outputs = [row[-1].y for row in traces]
    tape = net.record(X)
    per_step = ref.has_time_axis(layers)
    for found in (net.predict(X), tape.outputs):
        assert_near(
            stack(found) if per_step else found, np.concatenate(outputs) if per_step else outputs, dtype
        )
    expected = [
        np.concatenate(rows) for rows in zip(*[ref.hidden_states(layers, weights, x) for x in X], strict=True)
    ]
    for states in (net.states(X), tape.states):
        for found, truth in zip(states, expected, strict=True):
            assert_near(stack(found), truth, dtype)
    options = {"sample_weight": np.linspace(0.0, 2.0, len(X)), "l2": 0.01}
    wanted = ref.minibatch(layers, weights, X, answers, "cross_entropy", **options)
    value, gradient = net.loss_and_gradient(X, as_y(layers, answers), **options)
    assert_near(value, wanted.loss, dtype, "loss")
    assert_near(gradient, flat(wanted.gradient), dtype, "gradient")
    cotangents = [generator.normal(size=y.shape).astype(dtype) for y in outputs]
    found = tape.backward(cotangents if per_step else np.array(cotangents))
    truth = [
        ref.backward(layers, weights, row, d.astype(float)).weights
        for row, d in zip(traces, cotangents, strict=True)
    ]
    assert found.inputs is None
    for name, g in found.weights.items():
        assert_near(g, sum(each[name] for each in truth), dtype, name)


@pytest.mark.parametrize("truncation", [None, 1, 4])
def test_training_is_the_reference(truncation, cell, units, dtype):
    layers = stacked("three_steps" if truncation else "both_two", cell, units)
    net, X, answers, _ = made(layers, dtype)
    optimizer = elman.SGD(0.05, momentum=0.9)
    options = {
        "loss": "cross_entropy",
        "l2": 0.01,
        "clip_norm": 1.0,
        "truncation": truncation,
        "stateful": truncation == 4,
    }
    trainer = ref.Trainer(layers, weights_of(net), optimizer, **options)
    expected = trainer.fit(X, answers, epochs=4, batch_size=4)
    history = net.fit(
        X,
        as_y(layers, answers),
        optimizer=optimizer,
        epochs=4,
        batch_size=4,
        shuffle=False,
        verbose=False,
        **options,
    ).history
    assert_near(history["loss"], [logs["loss"] for logs in expected], dtype)
    assert_near(net.parameters, flat(trainer.weights), dtype)


@pytest.mark.parametrize("shape", ["last", "both_two", "dense_between"])
def test_gradients_are_central_differences(shape, cell, units):
    net, X, answers, _ = made(stacked(shape, cell, units), "float64")
    for y in (as_y(list(net.layers), answers), None):
        report = elman.check_gradient(net, X, y)
        assert report.ok and report.max_relative_error <= GRADIENT_TOLERANCE, str(report)
        assert len(report.rows) + len(report.skipped) == len(net.parameters)


def test_dropout_is_the_reference(cell, units, dtype):
    """One mask a sequence over the features; of a one-hot row it drops a symbol wherever it occurs."""
    options = {"dropout": 0.4, "recurrent_dropout": 0.3}
    layers = [
        Embedding(N, units),
        rnn(4, cell, steps=True, bidirectional=True, **options),
        rnn(5, cell, **options),
        Dense(C, "softmax"),
    ]
    net, X, answers, _ = made(layers, dtype)
    masks = [ref.masks_of(layers, 1, seeds.dropout_key(5), 0, row) for row in range(len(X))]
    expected = ref.minibatch(layers, weights_of(net), X, answers, "cross_entropy", masks=masks)
    value, gradient = net.loss_and_gradient(X, as_y(layers, answers), seed=5)
    assert_near(value, expected.loss, dtype)
    assert_near(gradient, flat(expected.gradient), dtype)
    report = elman.check_gradient(net, X, as_y(layers, answers), seed=5)
    assert report.max_relative_error <= GRADIENT_TOLERANCE
    if units is None:  # some symbol is dropped in a row where it occurs
        dropped = [set(np.flatnonzero(m[0][0].inputs == 0.0)) & set(x) for m, x in zip(masks, X, strict=True)]
        assert any(dropped)


def test_initial_states_and_their_gradients_are_the_reference(cell, units, dtype):
    layers = [Embedding(N, units), rnn(4, cell, steps=True)]
    net, X, _, generator = made(layers, dtype)
    starts = [
        [
            tuple(generator.normal(size=s.shape).astype("f4").astype(float) for s in e)
            for e in ref.zero_state(layers)
        ]
        for _ in X
    ]
    parts = tuple(np.array([s[0][k] for s in starts]) for k in range(len(starts[0][0])))
    given = [parts if cell == "lstm" else parts[0]]
    tape = net.record(X, initial_state=given)
    traces = [ref.forward(layers, weights_of(net), x, s) for x, s in zip(X, starts, strict=True)]
    assert_near(stack(tape.outputs), np.concatenate([t[-1].y for t in traces]), dtype)
    found = tape.backward([np.ones((T, 4)) for T in LENGTHS]).initial_state[0]
    truth = [ref.backward(layers, weights_of(net), t, np.ones_like(t[-1].y)).starts[0] for t in traces]
    for k, own in enumerate(found if cell == "lstm" else (found,)):
        assert_near(own, [row[k] for row in truth], dtype)


@pytest.mark.parametrize("sized", ["tanh", "gru", "lstm"])
@pytest.mark.parametrize("H", [1, 7, 16, 33, 130])
@pytest.mark.parametrize("B", [1, 5, 37])
def test_sizes_are_the_network_over_one_hot_rows(sized, H, B, dtype):
    """Around the edges of vectors, register tiles and blocks of a gradient's sum."""
    generator = np.random.default_rng(H * B)
    layers = [Embedding(N), rnn(H, sized, steps=True), Dense(5, "softmax")]
    net = network(layers, 1, dtype, lively_weights(layers, 1, generator))
    lengths = generator.integers(1, 30, size=B).tolist()
    X, y = integers(generator, lengths), integers(generator, lengths, 5)
    plain = without_units(net, layers)
    assert_near(stack(net.predict(X)), stack(plain.predict(rows_of(X, dtype))), dtype)
    (loss, gradient), (truth, right) = (
        net.loss_and_gradient(X, y),
        plain.loss_and_gradient(rows_of(X, dtype), y),
    )
    assert_near(loss, truth, dtype)
    assert_near(gradient, right, dtype)


def test_a_dense_layer_on_symbols_is_one_over_one_hot_rows(dtype):
    """With every activation, with a bias and without, at the end and below a recurrent layer."""
    generator = np.random.default_rng(5)
    X = integers(generator)
    for head in ("identity", "tanh", "relu", "sigmoid", "softmax"):
        for rest in ([], [rnn(4, "tanh"), Dense(2)]):
            for use_bias in (True, False):
                layers = [Embedding(N), Dense(C, head, use_bias=use_bias), *rest]
                net = network(layers, 1, dtype, lively_weights(layers, 1, generator))
                twin, what = without_units(net, layers), f"{head}, {len(rest)} above, bias {use_bias}"
                rows = rows_of(X, dtype)
                found, expected = net.predict(X), twin.predict(rows)
                assert_near(stack(found), stack(expected), dtype, what)
                assert_near(net.stream().step(X[0][0]), twin.stream().step(rows[0][0]), dtype, what)
                y = [np.zeros((T, C)) for T in LENGTHS] if not rest else np.zeros((len(X), 2))
                for a, b in zip(
                    net.loss_and_gradient(X, y, loss="squared_error"),
                    twin.loss_and_gradient(rows, y, loss="squared_error"),
                    strict=True,
                ):
                    assert_near(a, b, dtype, what)


def test_a_gradient_is_summed_in_the_order_of_steps(dtype):
    """In blocks of 128 rows, each summed from zero, from the last to the first (docs/numerics.md)."""
    generator = np.random.default_rng(6)
    x = integers(generator, [300], 3)[0]
    d = generator.normal(size=(300, 5)).astype(dtype)
    net = Network([Embedding(3), Dense(5, use_bias=False)], dtype=dtype, seed=0)
    found = net.record([x]).backward([d]).weights["1.kernel"]
    expected = np.zeros((3, 5), dtype)
    for begin in reversed(range(0, 300, 128)):
        block = np.zeros((3, 5), dtype)
        for symbol, row in zip(x[begin : begin + 128], d[begin : begin + 128], strict=True):
            block[symbol] += row
        expected += block
    assert_same_bits(found, expected)


def test_many_symbols(dtype):
    """Far more than rows: what is not met gets no gradient."""
    n = 50_000
    net = Network([Embedding(n, 8), rnn(4, "gru", dropout=0.1), Dense(2, "softmax")], dtype=dtype, seed=0)
    bare = Network([Embedding(n), rnn(4, "gru", dropout=0.1), Dense(2, "softmax")], dtype=dtype, seed=0)
    X = [np.array([n - 1, 17, 17]), np.array([17])]
    for each, name in ((net, "0.embeddings"), (bare, "1.kernel")):
        gradient = each.record(X, seed=1).backward(np.array([[1.0, -1.0], [0.5, 0.0]])).weights[name]
        assert set(np.flatnonzero(gradient.any(axis=1))) <= {17, n - 1}
        assert gradient[17].any()


# ------------------------------------------------------------------------------------------------------ bits


@pytest.mark.parametrize("shape", ["steps", "dense_between", "both_two", "mean"])
def test_rows_keep_their_bits(shape, cell, units, dtype):
    layers = stacked(shape, cell, units)
    net, X, *_ = made(layers, dtype)
    together = [np.array(row) for row in net.predict(X)]
    for row, x in enumerate(X):
        assert_same_bits(net.predict([x])[0], together[row], f"row {row} alone")
        if "both" in shape:
            continue
        one, three = net.stream(), net.stream(3)
        for t, symbol in enumerate(x):
            expected = net.predict([x[: t + 1]])[0]
            expected = expected if expected.ndim == 1 else expected[-1]
            assert_same_bits(one.step(symbol), expected, f"step {t}")
            assert_same_bits(three.step(np.array([symbol] * 3))[1], expected, f"step {t} of three")
    for row, found in enumerate(net.predict(X[::-1])):
        assert_same_bits(found, together[-1 - row], "backwards")


def test_threads_and_pauses_keep_the_bits(cell, units, dtype, tmp_path):
    layers = [Embedding(20, units), rnn(40, cell, dropout=0.2, recurrent_dropout=0.2), Dense(3, "softmax")]
    generator = np.random.default_rng(0)
    X, y = generator.integers(0, 20, size=(90, 60)), generator.integers(0, 3, size=90)
    options = {"batch_size": 45, "verbose": False}
    nets = [Network(layers, dtype=dtype, seed=2) for _ in range(5)]
    for net, threads in zip(nets[:3], (1, 2, 3), strict=True):
        net.fit(X, y, epochs=4, n_threads=threads, **options)
    nets[3].fit(X, y, epochs=1, **options)
    nets[3].save(tmp_path / "net")
    nets[3] = elman.load(tmp_path / "net")
    nets[3].fit(X, y, epochs=3, **options)
    nets[4].fit(X, y, epochs=2, checkpoint=tmp_path / "run", **options)
    nets[4] = Network(layers, dtype=dtype, seed=2)
    nets[4].fit(X, y, epochs=4, checkpoint=tmp_path / "run", resume=True, **options)
    for net in nets[1:]:
        assert_same_bits(net.parameters, nets[0].parameters)


def test_fit_is_gradient_plus_update(cell, units, dtype):
    net, X, answers, _ = made(stacked("two_last", cell, units), dtype)
    other = pickle.loads(pickle.dumps(net))
    y = as_y(list(net.layers), answers)
    net.fit(X, y, optimizer=elman.Adam(0.01), epochs=3, batch_size=len(X), shuffle=False, verbose=False)
    for _ in range(3):
        other.update(other.loss_and_gradient(X, y)[1], elman.Adam(0.01))
    assert_same_bits(net.parameters, other.parameters)


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", ">u8"])
def test_every_form_and_type_has_the_same_bits(kind, units, tmp_path):
    net = Network([Embedding(N, units), rnn(4, "gru", steps=True)], seed=0)
    X = np.random.default_rng(0).integers(0, N, size=(3, 5))
    expected = net.predict(X)
    assert expected.shape == (3, 5, 4)
    given = X.astype(kind)
    for same in (given, given[..., None], np.asfortranarray(given)):
        found = net.predict(same)
        assert isinstance(found, np.ndarray)
        assert_same_bits(found, expected)
    for same in (
        list(given),
        tuple(given[..., None]),
        X.tolist(),
        [given[0], X[1].tolist(), given[2, :, None]],
    ):
        found = net.predict(same)
        assert isinstance(found, list)
        assert_same_bits(np.array(found), expected)
    memory = np.memmap(tmp_path / "steps", given.dtype, "w+", shape=(15,))
    memory[:] = given.ravel()
    for values in (memory, given.reshape(15, 1)):
        found = net.predict(Sequences(values, [0, 5, 10, 15]))
        assert isinstance(found, Sequences)
        assert_same_bits(found.values.reshape(3, 5, 4), expected)


# ------------------------------------------------------------------------------------ what else works over it


@pytest.mark.parametrize("rule", ["bptt", "rtrl"])
def test_online_gradients_are_those_of_the_sequence(rule, units, tmp_path):
    layers = [Embedding(N, units), rnn(5, "leaky", steps=True), Dense(C, "softmax")]
    net, _, _, generator = made(layers, "float64")
    x, y = generator.integers(0, N, size=12), generator.integers(0, C, size=12)
    learner = net.online(elman.SGD(0.0), rule=rule, truncation=12 if rule == "bptt" else None)
    total = np.zeros_like(net.parameters)
    for t in range(12):
        assert_same_bits(learner.step(x[t] if t % 2 else int(x[t]), y[t]), net.predict([x[: t + 1]])[0][-1])
        total += learner.gradient
    assert_near(total, net.loss_and_gradient([x], [y], reduction="sum")[1], "float64")
    learner.save(tmp_path / "learner")
    other = elman.load(tmp_path / "learner")
    for t in range(5):
        assert_same_bits(other.step(x[t], y[t]), learner.step(x[t], y[t]))
        assert_same_bits(other.gradient, learner.gradient)


@pytest.mark.parametrize("head", ["softmax", "tanh"])
def test_online_without_recurrence(head, units):
    net = Network([Embedding(N, units), Dense(C, head)], dtype="float64", seed=0)
    y = 1 if head == "softmax" else [0.5, 0.0, -0.5]
    learner = net.online(elman.SGD(0.0), rule="bptt", truncation=3)
    learner.step(4, [0.2, 0.3, 0.5])
    learner.step(2, y)
    assert_near(learner.gradient, net.loss_and_gradient([[2]], [[y]])[1], "float64")


@pytest.mark.parametrize("shape", ["last", "steps", "mean", "both_last"])
def test_second_derivatives_are_the_reference(shape, units):
    layers = stacked(shape, "lstm", units)
    net, X, answers, _ = made(layers, "float64")
    truth = ref.jacobian(layers, weights_of(net), X)
    for way in ["reverse", *(["tangents"] if shape in ("last", "steps") else [])]:
        assert_near(elman.second_order.jacobian(net, X, way=way), truth, "float64", way)
    y = as_y(layers, answers)
    loss = net.fit(X, y, optimizer=elman.LevenbergMarquardt(), epochs=8, verbose=False).history["loss"]
    assert loss[-1] < 0.5 * loss[0]


def test_many_at_once_are_each_alone(units):
    X = [[1, 2, 3], [4, 5], [0]]
    nets = [
        Network([Embedding(N, units), rnn(3, "gru"), Dense(2, "softmax")], seed=seed) for seed in range(3)
    ]
    alone = copy.deepcopy(nets)
    elman.fit_many(nets, X, [0, 1, 1], epochs=3, verbose=False)
    for one, other in zip(nets, alone, strict=True):
        other.fit(X, [0, 1, 1], epochs=3, verbose=False)
        assert_same_bits(one.parameters, other.parameters)


def test_parameters_freeze_and_summary():
    net = Network([Embedding(10, 4), rnn(3, "gru"), Dense(2, "softmax")], seed=0)
    assert list(net.weights)[:2] == ["0.embeddings", "1.kernel"]
    table = net.weights["0.embeddings"]
    assert table.shape == (10, 4) and 0.03 < np.abs(table).max() <= 0.05
    assert "0 Embedding    (n, T, 4)             40" in net.summary()
    before = net.parameters.copy()
    net.freeze("0.embeddings")
    net.fit([[1, 2]], [0], verbose=False)
    assert_same_bits(net.parameters[:40], before[:40])
    assert (net.parameters[40:] != before[40:]).any()
    bare = Network([Embedding(10), rnn(3, "gru"), Dense(2, "softmax")], seed=0)
    assert bare.weights["1.kernel"].shape == (10, 9) and bare.input_size == 1
    assert "0 Embedding    (n, T, 10)             0" in bare.summary()
    assert dataclasses.asdict(Embedding(3)) == {
        "n": 3,
        "units": None,
        "embeddings_initializer": "uniform:0.05",
    }


# ---------------------------------------------------------------------------------------------------- errors

GRU = rnn(3, "gru")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Embedding(0), "n is 0, expected an integer of at least 1"),
        (lambda: Embedding(2.0), "n is 2.0 (a float), expected an integer"),
        (lambda: Embedding(2**21), "n is 2097152 (a int), expected an integer of at most 1048576"),
        (lambda: Embedding(3, 0), "units is 0, expected"),
        (lambda: Embedding(3, True), "units is True"),
        (lambda: Embedding(3, 2, embeddings_initializer="no"), "embeddings_initializer is 'no'"),
        (lambda: Network([GRU, Embedding(3)], 1), "layers[1] is an Embedding, expected it first"),
        (lambda: Network([Embedding(3)]), "layers[0] is a one-hot Embedding with nothing above it"),
        (lambda: Network([Embedding(3), MeanPool()]), "a one-hot Embedding with a MeanPool above it"),
        (
            lambda: Network([Embedding(3), GRU], 3),
            "input_size is 3, expected 1 or None: layers[0] is an Embedding",
        ),
        (lambda: Network([GRU]), "input_size is None, expected the number of features of X"),
    ],
)
def test_wrong_descriptions_are_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        make()


LAST = "; sequences"
BAD_X = [
    ([[1, 2], [0, 1, 2, 3, 4, 70]], "X[1] has index 70 at step 5, expected 0..6 (the Embedding's n)"),
    (np.array([[1, 2], [3, -1]]), "X[1] has index -1 at step 1, expected 0..6 (the Embedding's n)"),
    ([np.array([1, 2**64 - 1], "u8")], "X[0] has index 18446744073709551615 at step 1, expected 0..6"),
    (np.array([[2**64 - 1]], "u8"), "X[0] has index 18446744073709551615 at step 0, expected 0..6"),
    (Sequences(np.array([0, 7]), [0, 1, 2]), "X[1] has index 7 at step 0, expected 0..6"),
    (np.zeros((2, 3)), "X has dtype float64, expected integers (the network begins with an Embedding)"),
    (np.zeros((2, 3), bool), "X has dtype bool, expected integers"),
    ([np.zeros(3, "f4")], "X[0] has dtype float32, expected integers"),
    (["abc"], "X[0] has dtype <U3, expected integers"),
    (Sequences(np.zeros(2), [0, 2]), "X.values has dtype float64, expected integers"),
    (
        np.array([1, 2]),
        "X has shape (2,), expected (sequences, steps), one integer a step; one sequence is X[None]",
    ),
    (np.zeros((1, 2, 7), int), "X has shape (1, 2, 7), expected (sequences, steps), one integer a step"),
    ([1, 2], "X[0] has shape (), expected (steps,), integers; one sequence goes into a list of its own"),
    ([np.zeros((2, 7), int)], "X[0] has shape (2, 7), expected (steps,), integers"),
    (Sequences(np.zeros((2, 7), int), [0, 2]), "X.values has shape (2, 7), expected one integer a step"),
    ([[1], []], "X[1] is empty (0 steps), expected at least one step"),
    ([], "X has no sequences, expected at least one"),
    (np.zeros((0, 3), int), "X has no sequences"),
    (np.zeros((3, 0), int), "X has sequences of 0 steps"),
    (np.ma.masked_array([[1, 2]]), "X is a masked array"),
    (np.array([[1, None]]), "X has dtype object, expected integers"),
    (3, "X is 3 (a int), expected an array (n, T) of integers"),
]


@pytest.mark.parametrize(("X", "message"), BAD_X)
def test_wrong_sequences_are_refused(X, message, units):
    net = Network([Embedding(N, units), GRU, Dense(2, "softmax")], seed=0)
    before = net.parameters.copy()
    y = [0] * (len(X) if hasattr(X, "__len__") else 1)
    for call in (
        lambda: net.predict(X),
        lambda: net.fit(X, y, verbose=False),
        lambda: net.record(X),
        lambda: net.evaluate(X, y),
        lambda: elman.check_gradient(net, X),
        lambda: elman.second_order.jacobian(net, X),
    ):
        with pytest.raises((ValueError, TypeError), match=re.escape(message)):
            call()
    with pytest.raises((ValueError, TypeError), match=re.escape(message.replace("X", "validation_data[0]"))):
        net.fit([[1]], [0], validation_data=(X, y), verbose=False)
    assert_same_bits(net.parameters, before)


@pytest.mark.parametrize(
    ("rows", "x", "message"),
    [
        (None, 7, "x is 7, expected 0..6 (the Embedding's n); the stream's state is unchanged"),
        (None, -1, "x is -1, expected 0..6"),
        (None, 10**30, f"x is {10**30}, expected 0..6"),
        (None, np.uint64(2**64 - 1), "x is 18446744073709551615, expected 0..6"),
        (None, 1.0, "x has dtype float64, expected integers (the network begins with an Embedding)"),
        (None, True, "x has dtype bool, expected integers"),
        (None, "a", "x has dtype <U1, expected integers"),
        (None, [1, 2], "x has shape (2,), expected an integer"),
        (2, [1, 7], "x[1] is 7, expected 0..6"),
        (2, [1, 2, 3], "x has shape (3,), expected (2,), an integer a row"),
        (2, 1, "x has shape (), expected (2,)"),
        (2, [[1, 2]], "x has shape (1, 2), expected (2,)"),
    ],
)
def test_a_stream_refuses_what_it_cannot_step(rows, x, message):
    net = Network([Embedding(N), GRU], seed=0)
    stream = net.stream(rows)
    stream.step(1 if rows is None else [1, 2])
    before = stream.state[0]
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        stream.step(x)
    assert_same_bits(stream.state[0], before)
    assert_same_bits(
        stream.step(np.int8(3) if rows is None else np.array([[3], [4]])).shape,
        (3,) if rows is None else (2, 3),
    )


def test_a_learner_refuses_what_it_cannot_step(tmp_path):
    net = Network([Embedding(N), GRU], seed=0)
    learner = net.online("sgd", truncation=3)
    for x, message in (
        (7, "x is 7, expected 0..6 (the Embedding's n)"),
        (1.0, "x has dtype float64, expected an integer"),
        ([1, 2], "x has shape (2,), expected an integer"),
    ):
        with pytest.raises((ValueError, TypeError), match=re.escape(message)):
            learner.step(x)
    for _ in range(4):
        learner.step(5)
    learner.save(tmp_path / "learner")
    spec, arrays = file.read(tmp_path / "learner")
    for bad in (7.0, -1.0, 0.5, np.nan, 1e30):
        arrays["memory"] = arrays["memory"].copy()
        arrays["memory"][0] = bad
        file.write(tmp_path / "bad", spec, arrays)
        with pytest.raises(ValueError, match="not integers that the network knows"):
            elman.load(tmp_path / "bad")


def test_the_engine_checks_for_itself():
    """Memory safety: indices that nobody has looked at, or for another n, are not read."""
    from elman import _core

    net = Network([Embedding(N), GRU], seed=0)
    values, offsets = np.array([[1], [70]]), np.array([0, 2])
    out = np.empty((1, 3), np.float32)
    data = _core.Data(values, offsets)
    for _ in range(2):
        with pytest.raises(ValueError, match="not checked"):
            net.model.native.predict(data, out, 1)
        data.first_outside(100)  # true, but this network knows fewer
    assert data.first_outside(N) == 1
    with pytest.raises(ValueError, match="not checked"):
        net.model.native.predict(data, out, 1)
    with pytest.raises(ValueError, match="one integer a step"):
        _core.Data(np.zeros((2, 1)), offsets).first_outside(N)
    values[1] = 6
    assert data.first_outside(N) == -1
    values[1] = 2**40  # changed behind our back: anything but a crash
    net.model.native.predict(data, out, 1)
    assert np.isfinite(out).all()


def test_integers_have_no_gradient():
    net = Network([Embedding(N, 4), GRU], seed=0)
    with pytest.raises(ValueError, match="net begins with an Embedding, expected numbers"):
        elman.sensitivity.gradient_norms(net, [[1, 2]])


def test_pools_over_a_table(dtype):
    """A bag of symbols: no recurrence at all."""
    layers = [Embedding(N, 4), MaxPool(), Dense(C, "softmax")]
    net, X, answers, _ = made(layers, dtype)
    wanted = ref.minibatch(layers, weights_of(net), X, answers, "cross_entropy")
    value, gradient = net.loss_and_gradient(X, as_y(layers, answers))
    assert_near(value, wanted.loss, dtype)
    assert_near(gradient, flat(wanted.gradient), dtype)


def test_commands_read_integers(tmp_path, monkeypatch, capsys):
    """Files hold plain numbers; a network that begins with an Embedding takes the whole ones."""
    from elman.cli.commands import check, loaded_model, predict, stream

    net = Network([Embedding(N), GRU, Dense(2, "softmax")], seed=0)
    net.save(tmp_path / "net")
    (tmp_path / "good.csv").write_text("id,x\n0,1\n0,6\n1,3\n")
    (tmp_path / "bad.csv").write_text("id,x\n0,1.5\n")
    found = predict.predict(str(tmp_path / "good.csv"), str(tmp_path / "net"), options={})
    assert_same_bits(np.array(found.answers, np.float32), net.predict([[1, 6], [3]]))
    with pytest.raises(ValueError, match="numbers that are not whole"):
        predict.predict(str(tmp_path / "bad.csv"), str(tmp_path / "net"), options={})
    opened = loaded_model.load(str(tmp_path / "net"))
    assert len(list(stream.answers(opened, [b"1\n", b"6\n"], False))) == 2
    with pytest.raises(ValueError, match=r"line 1 has 1.5, expected an integer"):
        list(stream.answers(opened, [b"1.5\n"], False))
    assert check.check(str(tmp_path / "net"), columns={}).ok


def test_a_stream_takes_integers_in_any_cut():
    net = Network([Embedding(N), GRU, Dense(2, "softmax")], seed=0)
    live = elman.stream(net)
    found = np.concatenate(
        [live.step(1)[None], *(live.steps(x) for x in ([6, 3], [], np.array([[2]], np.uint8)))]
    )
    assert_same_bits(found[-1], net.predict([[1, 6, 3, 2]])[0])
    before = live.step(4)
    live.reset()
    live.steps([1, 6, 3, 2])
    for wrong in ([1, N], [-1], [[1, 2]], [0.5], 1):
        with pytest.raises((ValueError, TypeError), match="samples"):
            live.steps(wrong)
    for wrong in (N, -1, [1, 2], 0.5, [[1]]):
        with pytest.raises((ValueError, TypeError), match="sample "):
            live.step(wrong)
    assert_same_bits(live.step([4]), before)


MEMORY = [["three_steps", None], ["mean", 4], ["last", None], ["dense_between", 4]]


@pytest.mark.parametrize(("shape", "units"), MEMORY)
def test_checkpoints_through_time_keep_the_bits(shape, units, cell, dtype):
    layers = stacked(shape, cell, units)
    net, _, _, generator = made(layers, dtype)
    lengths = [700, 1, 2000, 350]
    X, y = (
        integers(generator, lengths),
        random_answers(generator, layers, C, lengths, "cross_entropy", missing=0.2),
    )
    loss, gradient = net.loss_and_gradient(X, as_y(layers, y), seed=1)
    whole, least = net.model.native.need(4, 2000, sum(lengths), 0, False, 1)
    assert least < 0.9 * whole
    found, same = net.loss_and_gradient(X, as_y(layers, y), memory=least, seed=1)
    assert_near(found, loss, "float64")
    assert_same_bits(same, gradient)
