"""Whatever comes in: a ValueError or TypeError in words, or the reference's answer. Never a crash, never a
silent wrong number."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import elman
import reference as ref
from elman import Dense, Embedding, MaxPool, MeanPool
from helpers import networks
from helpers.networks import rnn
from helpers.support import OUTPUT_OF, TOLERANCE, assert_near, flat, network, proofs, weights_of

QUICK = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
LONG = settings(
    max_examples=proofs(10_000), deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)

CELLS = st.sampled_from(list(networks.CELLS))
BAD_NUMBERS = [np.nan, np.inf, -np.inf, 1e39, -1e300]


@st.composite
def stacks(draw, loss):
    """A right stack of layers, its number of outputs last."""
    layers = [Dense(draw(st.integers(1, 5)), activation="relu")] if draw(st.booleans()) else []
    depth = draw(st.integers(1, 3))
    pool = draw(st.sampled_from([None, MeanPool(), MaxPool()]))
    for level in range(depth):
        steps = level < depth - 1 or pool is not None or draw(st.booleans())
        units, bias = draw(st.integers(1, 20)), draw(st.booleans())
        layers.append(rnn(units, draw(CELLS), steps=steps, use_bias=bias, bidirectional=draw(st.booleans())))
    layers += [] if pool is None else [pool]
    return [*layers, Dense(draw(st.integers(1, 6)), activation=OUTPUT_OF[loss], use_bias=draw(st.booleans()))]


@st.composite
def right_problems(draw):
    """A network, rows in one of the forms, answers and options that are all right."""
    loss = draw(st.sampled_from(list(OUTPUT_OF)))
    layers = draw(stacks(loss))
    F, C, dtype = draw(st.integers(1, 9)), layers[-1].units, draw(st.sampled_from(["float32", "float64"]))
    form = draw(st.sampled_from(["array", "list", "Sequences"]))
    n = draw(st.integers(1, 9))
    T = draw(st.integers(1, 12))
    lengths = [T] * n if form == "array" else draw(st.lists(st.integers(1, 12), min_size=n, max_size=n))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    came = draw(st.sampled_from(["f2", "f4", "f8", "i1", "u1", "i4", "i8", "?", ">f4", ">f8"]))
    rows = [generator.normal(scale=2.0, size=(T, F)).clip(-100, 100).astype("f2") for T in lengths]
    rows = [np.abs(row).astype(came) if came[0] in "u?" else row.astype(came) for row in rows]
    per_step = ref.has_time_axis(layers)
    missing = draw(st.sampled_from([0.0, 0.3, 0.9])) if per_step else 0.0
    answers = [one_answer(generator, loss, C, T if per_step else 1, missing, draw) for T in lengths]
    of_steps = [[generator.uniform(0.1, 3.0, size=T) for T in lengths]] if per_step else []
    options = {
        "reduction": draw(st.sampled_from(["mean", "sum"])),
        "l2": draw(st.sampled_from([0.0, 0.1])),
        "sample_weight": draw(st.sampled_from([None, generator.uniform(0.1, 3.0, size=n), *of_steps])),
    }
    return layers, F, dtype, form, rows, [y if per_step else y[0] for y in answers], loss, options, generator


@st.composite
def right_problems_of_symbols(draw):
    """The same of sequences of integers, which an Embedding reads, with a table or as one-hot rows."""
    layers, _, dtype, form, rows, answers, loss, options, generator = draw(right_problems())
    n = draw(st.integers(1, 130))
    layers = [Embedding(n, draw(st.sampled_from([None, 1, 4, 17]))), *layers]
    came = draw(st.sampled_from(["u1", "i2", "i4", "i8", "u8", ">i4"]))
    rows = [generator.integers(0, n, size=len(row)).astype(came) for row in rows]
    return layers, 1, dtype, form, rows, answers, loss, options, generator


def one_answer(generator, loss, C, n, missing, draw):
    gone = generator.uniform(size=(n, C)) < missing
    if loss == "cross_entropy":
        return np.where(gone[:, 0], -1, generator.integers(0, C, size=n))
    if loss == "binary_cross_entropy":
        return np.where(gone, np.nan, generator.uniform(size=(n, C)))
    return np.where(gone, np.nan, generator.normal(size=(n, C)))


def in_form(rows, form):
    if form == "array":
        return np.array(rows)
    if form == "list":
        return list(rows)
    return elman.Sequences(np.concatenate(rows), np.cumsum([0, *map(len, rows)]))


def readout_terms(layers, weights, x):
    """The sum of the sizes of what the last layer adds up for each output, (C,) or (T, C)."""
    last = len(layers) - 1
    below = np.abs(ref.output(layers[:-1], weights, x))
    return below @ np.abs(weights[f"{last}.kernel"]) + np.abs(weights.get(f"{last}.bias", 0.0))


def check_right(problem):
    layers, F, dtype, form, rows, answers, loss, options, generator = problem
    per_step = ref.has_time_axis(layers)
    known = any(
        (np.asarray(y) >= 0).any() if loss == "cross_entropy" else (~np.isnan(y)).any() for y in answers
    )
    net = network(layers, F, dtype, ref.random_weights(layers, F, generator))
    weights = weights_of(net)
    X = in_form(rows, form)
    truth = rows if isinstance(layers[0], Embedding) else [row.astype(float) for row in rows]
    y = in_form(answers, form) if per_step else np.array(answers)
    before = [row.copy() for row in rows]

    found = net.predict(X)
    assert type(found) is (type(X) if per_step else np.ndarray)
    expected = [ref.output(layers, weights, x) for x in truth]
    stacked = (
        found.values
        if isinstance(found, elman.Sequences)
        else np.concatenate([np.atleast_2d(row) for row in found])
    )
    assert stacked.dtype == dtype
    outputs = np.concatenate([np.atleast_2d(row) for row in expected])
    slack = 0.0
    if loss == "squared_error":  # the readout's sum may cancel: its terms leave their roundings
        terms = np.concatenate([np.atleast_2d(readout_terms(layers, weights, x)) for x in truth])
        slack = ROUNDINGS * np.finfo(dtype).eps * np.linalg.norm(terms)
    assert np.linalg.norm(stacked - outputs) <= TOLERANCE[dtype] * np.linalg.norm(outputs) + slack

    done = ref.minibatch(layers, weights, truth, answers, loss, **options)
    value, gradient = net.loss_and_gradient(X, y, loss=loss, **options)
    if known:
        if loss == "squared_error":  # |dL| <= |p - y| |dp| for L = |p - y|^2 / 2
            wanted = np.concatenate([np.atleast_2d(row) for row in answers])
            sizes = np.linalg.norm(terms + np.abs(np.nan_to_num(wanted)))
            slack = np.sqrt(2.0 * done.loss) * ROUNDINGS * np.finfo(dtype).eps * sizes
        assert abs(value - done.loss) <= TOLERANCE[dtype] * done.loss + slack
        # Gradients may cancel: an error is measured by what was summed, at least 1.
        assert np.linalg.norm(gradient - flat(done.gradient)) <= 30 * TOLERANCE_OF[dtype] * max(
            1.0, np.linalg.norm(flat(done.gradient))
        )
    for row, was in zip(rows, before, strict=True):
        np.testing.assert_array_equal(row, was)


ROUNDINGS = 16  # of each term of a sum: those of the states below it count too
TOLERANCE_OF = {"float64": 1e-11, "float32": 1e-5}


@QUICK
@given(right_problems())
def test_right_input_gives_the_reference(problem):
    check_right(problem)


@QUICK
@given(right_problems_of_symbols())
def test_right_integers_give_the_reference(problem):
    check_right(problem)


@pytest.mark.prove
@LONG
@given(right_problems_of_symbols())
def test_right_integers_give_the_reference_at_length(problem):
    check_right(problem)


@pytest.mark.prove
@LONG
@given(right_problems())
def test_right_input_gives_the_reference_at_length(problem):
    check_right(problem)


# ---------------------------------------------------------------------------------------------- wrong input


def refused(call):
    """The call says in words what is wrong; returns the sentence."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert len(str(caught.value)) > 10
    assert not isinstance(caught.value, UnicodeError)
    return str(caught.value)


@QUICK
@given(right_problems(), st.data())
def test_numbers_that_are_not_finite_are_refused_by_row(problem, data):
    layers, F, dtype, form, rows, answers, loss, _, _ = problem
    rows = [row.astype("f8") for row in rows]
    bad = data.draw(st.sampled_from(BAD_NUMBERS))
    assume(not abs(bad) <= float(np.finfo(dtype).max))
    row = data.draw(st.integers(0, len(rows) - 1))
    step, feature = data.draw(st.integers(0, len(rows[row]) - 1)), data.draw(st.integers(0, F - 1))
    rows[row][step, feature] = bad
    net = elman.Network(layers, input_size=F, dtype=dtype, seed=0)
    before = net.parameters.copy()
    X = in_form(rows, form)
    y = in_form(answers, form) if ref.has_time_axis(layers) else np.array(answers)
    for call in (
        lambda: net.predict(X),
        lambda: net.states(X),
        lambda: net.record(X),
        lambda: net.evaluate(X, y, loss=loss),
        lambda: net.loss_and_gradient(X, y, loss=loss),
        lambda: net.fit(X, y, loss=loss, verbose=False),
    ):
        assert f"X[{row}]" in refused(call)
    np.testing.assert_array_equal(net.parameters, before)
    if any(getattr(layer, "bidirectional", False) for layer in layers):
        return  # no streams
    stream = net.stream()
    state = [np.array(each) for each in stream.state]  # of an LSTM a pair
    refused(lambda: stream.step(rows[row][step]))
    for was, now in zip(state, stream.state, strict=True):
        np.testing.assert_array_equal(was, now)


WRONG_X = {
    "none": lambda n, F: None,
    "text": lambda n, F: "abc",
    "number": lambda n, F: 3.0,
    "empty list": lambda n, F: [],
    "no rows": lambda n, F: np.zeros((0, 3, F)),
    "no steps": lambda n, F: np.zeros((n, 0, F)),
    "an empty row": lambda n, F: [np.zeros((2, F))] * (n - 1) + [np.zeros((0, F))],
    "two dimensions": lambda n, F: np.zeros((n, F)),
    "four dimensions": lambda n, F: np.zeros((n, 2, F, 1)),
    "a feature too many": lambda n, F: np.zeros((n, 2, F + 1)),
    "a feature too few in a row": lambda n, F: [np.zeros((2, F))] * (n - 1) + [np.zeros((2, F - 1))],
    "a flat row": lambda n, F: [np.zeros((2, F))] * (n - 1) + [np.zeros(F)],
    "complex": lambda n, F: np.zeros((n, 2, F), complex),
    "objects": lambda n, F: np.full((n, 2, F), None),
    "strings": lambda n, F: np.full((n, 2, F), "a"),
    "dates": lambda n, F: np.zeros((n, 2, F), "datetime64[s]"),
    "records": lambda n, F: np.zeros((n, 2, F), [("a", "f4")]),
    "ragged nesting": lambda n, F: [[[0.0] * F], [[0.0] * F, [0.0]]],
    "a dict": lambda n, F: {"a": np.zeros((2, F))},
}


@pytest.mark.parametrize("wrong", WRONG_X)
@pytest.mark.parametrize("method", ["predict", "states", "record", "evaluate", "loss_and_gradient", "fit"])
def test_wrong_inputs_are_refused(wrong, method, dtype):
    n, F = 3, 4
    net = elman.Network([rnn(5, "tanh"), Dense(2, activation="softmax")], input_size=F, dtype=dtype, seed=0)
    arguments = [] if method in ("predict", "states", "record") else [np.zeros(n, int)]
    options = {"verbose": False} if method == "fit" else {}
    sentence = refused(lambda: getattr(net, method)(WRONG_X[wrong](n, F), *arguments, **options))
    assert "X" in sentence


WRONG_Y = {
    "none": None,
    "one too few": np.zeros(2, int),
    "one too many": np.zeros(4, int),
    "a class too high": np.array([0, 1, 3]),
    "negative": np.array([0, -1, 1]),
    "more negative": np.array([0, -2, 1]),
    "huge": np.array([0, 2**62, 1]),
    "fractions": np.array([0.0, 0.5, 1.0]),
    "text": np.array(["a", "b", "c"]),
    "too wide": np.zeros((3, 4)),
    "not probabilities": np.full((3, 3), 0.9),
    "negative probabilities": np.array([[1.5, -0.5, 0.0]] * 3),
    "a NaN": np.array([[1.0, 0.0, 0.0], [np.nan] * 3, [0.0, 1.0, 0.0]]),
    "three dimensions": np.zeros((3, 1, 3)),
    "objects": np.array([None, 1, 2]),
}


@pytest.mark.parametrize("wrong", WRONG_Y)
@pytest.mark.parametrize("method", ["evaluate", "loss_and_gradient", "fit"])
def test_wrong_answers_are_refused(wrong, method, dtype):
    net = elman.Network([rnn(5, "tanh"), Dense(3, activation="softmax")], input_size=2, dtype=dtype, seed=0)
    before = net.parameters.copy()
    options = {"verbose": False} if method == "fit" else {}
    sentence = refused(lambda: getattr(net, method)(np.zeros((3, 4, 2)), WRONG_Y[wrong], **options))
    assert "y" in sentence
    np.testing.assert_array_equal(net.parameters, before)


WRONG_OPTIONS = {
    "loss": ["mse", "", 3, "binary_cross_entropy"],
    "optimizer": ["adagrad", 3, None, elman.Adam],
    "epochs": [-1, 1.5, "2", None],
    "batch_size": [0, -1, 2.5, "all"],
    "sample_weight": [np.ones(2), np.full(3, -1.0), np.full(3, np.nan), np.zeros((3, 1)), "a"],
    "l2": [-1.0, np.nan, np.inf, "a"],
    "truncation": [0, -3, 1.5, "a"],
    "clip_norm": [0.0, -1.0, np.nan, "a"],
    "reduction": ["max", None, 3],
    "n_threads": [0, -1, 1.5, "a"],
    "callbacks": [3, [3]],
    "validation_data": [3, (np.zeros((3, 4, 2)),), (np.zeros((3, 4, 5)), np.zeros(3, int))],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG_OPTIONS.items() for value in values], ids=repr
)
def test_wrong_options_are_refused(name, value):
    net = elman.Network([rnn(5, "tanh"), Dense(3, activation="softmax")], input_size=2, seed=0)
    before = net.parameters.copy()
    sentence = refused(
        lambda: net.fit(np.zeros((3, 4, 2)), np.array([0, 1, 2]), verbose=False, **{name: value})
    )
    assert name in sentence
    np.testing.assert_array_equal(net.parameters, before)


@QUICK
@given(
    st.one_of(
        st.integers(-3, 3),
        st.floats(),
        st.text(max_size=3),
        st.none(),
        st.booleans(),
        st.lists(st.floats(), max_size=5),
        st.lists(st.integers(0, 4), max_size=3).map(np.zeros),
    )
)
def test_a_stream_refuses_or_answers(x):
    """Two finite numbers are answered, all else is refused and leaves the state as it was."""
    net = elman.Network(
        [rnn(5, "tanh"), Dense(3, activation="softmax")], input_size=2, dtype="float64", seed=0
    )
    stream = net.stream()
    state = stream.state[0].copy()
    try:
        y = stream.step(x)
    except (ValueError, TypeError):
        np.testing.assert_array_equal(stream.state[0], state)
    else:
        row = np.asarray(x, float)
        assert row.shape == (2,)
        assert_near(y, ref.output(net.layers, weights_of(net), row[None]), "float64")


ANY_SYMBOLS = st.one_of(
    st.lists(st.integers(-2, 5), max_size=6),
    st.lists(st.floats(), max_size=4),
    st.integers(),
    st.none(),
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=2), max_size=3),
    st.text(max_size=3),
    st.lists(st.booleans(), max_size=3),
    st.lists(st.integers(), max_size=3),
)


@QUICK
@given(ANY_SYMBOLS, st.sampled_from([None, 3]))
def test_anything_as_symbols_is_refused_or_read_right(x, units):
    """Integers from 0 to 4 are answered as one-hot rows would be, all else is refused."""
    layers = [Embedding(5, units), rnn(4, "gru", steps=True), Dense(5, activation="softmax")]
    net = network(
        layers, 1, "float64", networks.lively_weights(layers, 1, np.random.default_rng(len(repr(x))))
    )
    try:
        array = np.asarray(x)
    except ValueError:  # rows of different lengths
        array = np.asarray(x, object)
    whole = array.dtype.kind in "iu" and array.ndim > 0 and array.size > 0
    fits = whole and 0 <= array.min() <= array.max() < 5
    if fits and (array.ndim == 1 or array.shape[1] == 1):
        expected = ref.output(layers, weights_of(net), array.ravel())
        assert_near(net.predict([x])[0], expected, "float64")
    else:
        refused(lambda: net.predict([x]))
    if fits and array.ndim == 1:
        said = elman.generate(net, x, 4, temperature=0)
        told = np.concatenate([x, said])
        after = ref.output(layers, weights_of(net), told[:-1])[len(x) - 1 :]
        assert said.tolist() == after.argmax(axis=1).tolist()
    else:
        refused(lambda: elman.generate(net, x, 4))


@QUICK
@given(
    CELLS,
    st.integers(1, 9),
    st.sampled_from([None, 1, 3]),
    st.integers(1, 6),
    st.integers(1, 12),
    st.one_of(st.just(0.0), st.floats(1e-300, 1e300)),
    st.integers(0, 2**70),
    st.booleans(),
    st.data(),
)
def test_generation_draws_from_the_references_probabilities(
    cell, n, units, begun, steps, heat, seed, one_hot, data
):
    """Each symbol is the one that the same seed draws from what the reference says of all before it."""
    layers = [rnn(3, cell, steps=data.draw(st.booleans())), Dense(n, activation="softmax")]
    layers = layers if one_hot else [Embedding(n, units), *layers]
    generator = np.random.default_rng(seed)
    net = network(
        layers, n if one_hot else 1, "float64", ref.random_weights(layers, n if one_hot else 1, generator)
    )
    start = generator.integers(0, n, size=begun)
    said = elman.generate(net, start, steps, heat, seed)
    assert said.dtype == np.int64 and said.shape == (steps,) and ((said >= 0) & (said < n)).all()
    told = np.concatenate([start, said])
    drawing = np.random.default_rng(seed)
    for t in range(begun, len(told)):
        p = ref.output(layers, weights_of(net), np.eye(n)[told[:t]] if one_hot else told[:t])
        p = np.log(p[-1] if p.ndim == 2 else p)
        if heat == 0.0:
            assert p[told[t]] >= p.max() - 1e-9
            continue
        with np.errstate(over="ignore"):
            up_to = np.cumsum(np.exp((p - p.max()) / heat))
        place = drawing.random() * up_to[-1]
        below = up_to[told[t] - 1] if told[t] else 0.0
        slack = 1e-6 * up_to[-1] + (up_to[-1] if heat < 1e-4 else 0.0)  # rounding is as hot as it is cold
        assert below - slack <= place <= up_to[told[t]] + slack


@QUICK
@given(st.lists(st.integers(-2, 9), max_size=6), st.integers(0, 6))
def test_offsets_are_refused_or_read_right(offsets, steps):
    """Anything as offsets of `Sequences`."""
    values = np.arange(2.0 * steps).reshape(steps, 2)
    net = elman.Network([rnn(3, "tanh")], input_size=2, dtype="float64", seed=0)
    right = (
        len(offsets) > 1
        and offsets[0] == 0
        and offsets[-1] == steps
        and all(a < b for a, b in pairwise(offsets))
    )
    if right:
        found = net.predict(elman.Sequences(values, np.array(offsets)))
        expected = [ref.output(net.layers, weights_of(net), values[a:b]) for a, b in pairwise(offsets)]
        assert_near(found, expected, "float64")
    else:
        refused(lambda: net.predict(elman.Sequences(values, np.array(offsets, int))))


@QUICK
@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 12),
    st.sampled_from(["sgd", "adam", "rmsprop", "adamw"]),
    st.data(),
)
def test_training_with_any_options_is_the_reference(batch_size, epochs, truncation, optimizer, data):
    layers = [
        rnn(4, data.draw(CELLS), steps=True),
        rnn(3, "tanh", steps=data.draw(st.booleans())),
        Dense(2, activation="softmax"),
    ]
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=7))
    per_step = ref.has_time_axis(layers)
    X = [generator.normal(size=(T, 3)) for T in lengths]
    Y = [
        one_answer(generator, "cross_entropy", 2, T if per_step else 1, 0.3 * per_step, None) for T in lengths
    ]
    Y = Y if per_step else [y[0] for y in Y]
    assume(any(np.any(np.asarray(y) >= 0) for y in Y))
    made = {"sgd": elman.SGD, "adam": elman.Adam, "rmsprop": elman.RMSprop, "adamw": elman.AdamW}[optimizer](
        0.01
    )
    options = {
        "truncation": truncation,
        "stateful": data.draw(st.booleans()),
        "clip_norm": data.draw(st.sampled_from([None, 0.2])),
    }
    options |= {
        "reduction": data.draw(st.sampled_from(["mean", "sum"])),
        "l2": data.draw(st.sampled_from([0.0, 0.05])),
    }
    if per_step and data.draw(st.booleans()):
        options["sample_weight"] = [generator.uniform(0.1, 3.0, T) for T in lengths]
    net = network(layers, 3, "float64", ref.random_weights(layers, 3, generator))
    trainer = ref.Trainer(layers, weights_of(net), made, loss="cross_entropy", **options)
    expected = trainer.fit(X, Y, epochs, batch_size)
    found = net.fit(
        X,
        Y if per_step else np.array(Y),
        optimizer=made,
        epochs=epochs,
        batch_size=batch_size,
        shuffle=False,
        verbose=False,
        **options,
    ).history
    assert_near(found["loss"], [logs["loss"] for logs in expected], "float64", "losses")
    assert_near(net.parameters, flat(trainer.weights), "float64", "weights")
