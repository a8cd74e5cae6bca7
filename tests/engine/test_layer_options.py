"""Bidirectional layers, initial states and dropout: the engine is the reference, gradients are central
differences, and no bit depends on company or threads."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import elman
import reference as ref
from elman import LSTM, Dense, MaxPool, MeanPool
from elman.model import seeds
from helpers.networks import BOTH, build, lively_weights, rnn
from helpers.support import (
    GRADIENT_TOLERANCE,
    as_y,
    assert_near,
    assert_same_bits,
    flat,
    network,
    ragged,
    random_answers,
    stack,
    weights_of,
)

pytestmark = pytest.mark.large

F = 3
LENGTHS = [4, 9, 1, 6, 2, 9, 3]


def made(layers, dtype, seed=0, C=3):
    generator = np.random.default_rng(seed)
    net = network(layers, F, dtype, lively_weights(layers, F, generator))
    X = ragged(generator, LENGTHS, F, dtype)
    return net, X, random_answers(generator, layers, C, LENGTHS, "cross_entropy", missing=0.2), generator


def as_input(starts, layers):
    """The reference's starts, one a row, as the public API takes them."""
    entries = []
    recurrent = [layer for layer in layers if ref.is_recurrent(layer)]
    for level, layer in enumerate(recurrent):
        parts = [np.array([row[level][k] for row in starts]) for k in range(len(starts[0][level]))]
        entries.append(tuple(parts) if isinstance(layer, LSTM) else parts[0])
    return entries


def random_starts(layers, generator, n):
    return [
        [
            tuple(generator.normal(size=s.shape).astype(np.float32).astype(float) for s in entry)
            for entry in ref.zero_state(layers)
        ]
        for _ in range(n)
    ]


# ------------------------------------------------------------------------------------------- both directions


def test_names_and_order_of_the_halves(cell):
    net = elman.Network([rnn(4, cell, bidirectional=True), Dense(2)], input_size=3, seed=0)
    own = [name for name in net.weights if name.startswith("0.") and "reverse" not in name]
    halves = [*own, *(name.replace("0.", "0.reverse.") for name in own), "1.kernel", "1.bias"]
    assert list(net.weights) == halves
    assert net.weights["1.kernel"].shape == (8, 2)
    assert np.abs(net.weights["0.kernel"] - net.weights["0.reverse.kernel"]).max() > 0.01
    if cell == "lstm":
        assert (net.weights["0.reverse.bias"][4:8] == 1.0).all()
    assert net.output_size == 2
    assert "(n, 8)" in net.summary()


def test_the_halves_are_two_networks(cell, dtype):
    """The second half over X is the first half's cell, with its weights, over the reversed rows."""
    both = elman.Network([rnn(5, cell, steps=True, bidirectional=True)], input_size=F, dtype=dtype, seed=1)
    last = elman.Network([rnn(5, cell, bidirectional=True)], input_size=F, dtype=dtype, seed=1)
    one = elman.Network([rnn(5, cell, steps=True)], input_size=F, dtype=dtype, seed=1)
    X = ragged(np.random.default_rng(0), LENGTHS, F, dtype)
    half = one.parameters.size
    assert both.parameters.size == 2 * half
    found, ends = both.predict(X), last.predict(X)
    for which in (0, 1):
        one.parameters[:] = both.parameters[which * half : (which + 1) * half]
        for row, x in enumerate(X):
            alone = one.predict([x[::-1].copy() if which else x])[0]
            assert_same_bits(found[row][:, 5 * which : 5 * which + 5], alone[::-1] if which else alone)
            assert_same_bits(ends[row, 5 * which : 5 * which + 5], alone[-1])


@pytest.mark.parametrize("shape", BOTH)
def test_rows_of_both_directions_keep_their_bits(shape, cell, dtype):
    net, X, *_ = made(build(shape, cell, "cross_entropy"), dtype)
    together = [np.array(row) for row in net.predict(X)]
    for row, x in enumerate(X):
        assert_same_bits(net.predict([x])[0], together[row], f"row {row} alone")
    for row, found in enumerate(net.predict(X[::-1])):
        assert_same_bits(found, together[-1 - row], "backwards")
    for row, found in enumerate(net.record(X[2:]).outputs, start=2):
        assert_same_bits(found, together[row], f"row {row} on a tape")
    states = net.states(X)
    for layer, alone in enumerate(net.states([X[1]])):
        assert_same_bits(alone[0], states[layer][1])


def test_long_rows_of_both_directions_are_not_cut(cell, dtype):
    """predict works through long rows in pieces; here it must not."""
    layers = [rnn(4, cell, steps=True, bidirectional=True)]
    net = network(layers, F, dtype, ref.random_weights(layers, F, np.random.default_rng(0)))
    X = ragged(np.random.default_rng(1), [3000, 1500], F, dtype)
    expected = [ref.output(layers, weights_of(net), x) for x in X]
    assert_near(stack(net.predict(X)), np.concatenate(expected), dtype)


def test_what_cuts_rows_is_refused():
    net = elman.Network([rnn(3, "gru", bidirectional=True), Dense(2, "softmax")], input_size=2, seed=0)
    X, y = np.zeros((2, 4, 2)), [0, 1]
    sentence = r"layers\[0\] \(GRU\) is bidirectional and needs whole sequences"
    for call in (
        lambda: net.fit(X, y, truncation=2, verbose=False),
        lambda: net.fit(X, y, stateful=True, verbose=False),
        lambda: net.evaluate(X, y, stateful=True),
        lambda: net.stream(),
        lambda: net.stream(rows=2),
    ):
        with pytest.raises(ValueError, match=sentence):
            call()
    assert net.model.carry is None


# --------------------------------------------------------------------------------------------- initial states

STARTED = ["last", "steps", "two_last", "dense_between", "both_last", "both_two"]


@pytest.mark.parametrize("shape", STARTED)
def test_initial_states_are_the_reference(shape, cell, dtype):
    layers = build(shape, cell, "cross_entropy")
    net, X, answers, generator = made(layers, dtype)
    weights, starts = weights_of(net), random_starts(layers, generator, len(X))
    given = as_input(starts, layers)
    outputs = [ref.output(layers, weights, x, start) for x, start in zip(X, starts, strict=True)]
    tape = net.record(X, initial_state=given)
    for actual in (net.predict(X, initial_state=given), tape.outputs):
        assert_near(
            stack(actual) if ref.has_time_axis(layers) else actual,
            np.concatenate(outputs) if ref.has_time_axis(layers) else outputs,
            dtype,
        )
    expected = ref.minibatch(layers, weights, X, answers, "cross_entropy", starts=starts)
    value, gradient = net.loss_and_gradient(X, as_y(layers, answers), initial_state=given)
    assert_near(value, expected.loss, dtype, "loss")
    assert_near(gradient, flat(expected.gradient), dtype, "gradient")
    cotangents = [generator.normal(size=y.shape).astype(dtype) for y in outputs]
    found = tape.backward(cotangents if ref.has_time_axis(layers) else np.array(cotangents))
    traces = [
        ref.forward(layers, weights, np.asarray(x, float), start) for x, start in zip(X, starts, strict=True)
    ]
    truth = [
        ref.backward(layers, weights, trace, np.asarray(d, float))
        for trace, d in zip(traces, cotangents, strict=True)
    ]
    assert_near(stack(found.inputs), np.concatenate([each.inputs for each in truth]), dtype, "inputs")
    wanted = as_input([each.starts for each in truth], layers)
    assert len(found.initial_state) == len(wanted)
    for actual, right in zip(found.initial_state, wanted, strict=True):
        assert isinstance(actual, tuple) == isinstance(right, tuple)
        assert_near(np.array(actual), np.array(right), dtype, "initial state")


@pytest.mark.parametrize("shape", ["last", "two_last", "both_two"])
def test_fit_starts_every_epoch_from_the_initial_state(shape, cell, dtype):
    layers = build(shape, cell, "cross_entropy")
    net, X, answers, generator = made(layers, dtype)
    stepped = copy.deepcopy(net)
    given = as_input(random_starts(layers, generator, len(X)), layers)
    options = {"optimizer": elman.SGD(0.1), "shuffle": False, "verbose": False}
    net.fit(X, as_y(layers, answers), epochs=3, batch_size=len(X), initial_state=given, **options)
    for _ in range(3):
        _, gradient = stepped.loss_and_gradient(X, as_y(layers, answers), initial_state=given)
        stepped.update(gradient, elman.SGD(0.1))
    assert_same_bits(net.parameters, stepped.parameters)


def test_an_initial_state_follows_its_row_through_a_shuffle(dtype):
    layers = [rnn(4, "lstm"), Dense(3, activation="softmax")]
    net, X, answers, generator = made(layers, dtype)
    starts = random_starts(layers, generator, len(X))
    trainer = ref.Trainer(layers, weights_of(net), elman.SGD(0.0), loss="cross_entropy")
    truth = ref.minibatch(layers, trainer.weights, X, answers, "cross_entropy", starts=starts).loss
    history = net.fit(
        X,
        as_y(layers, answers),
        optimizer=elman.SGD(0.0),
        epochs=4,
        batch_size=2,
        verbose=False,
        initial_state=as_input(starts, layers),
    ).history
    assert_near(history["loss"], [truth] * 4, dtype)


def test_streams_begin_with_an_initial_state_and_come_back_to_it(cell, dtype):
    layers = [rnn(5, cell, steps=True), MeanPool()] if cell == "tanh" else [rnn(5, cell, steps=True)]
    net, X, _, generator = made(layers, dtype)
    given = as_input(random_starts(layers, generator, 1), layers)
    alone = [tuple(part[0] for part in e) if isinstance(e, tuple) else e[0] for e in given]
    expected = net.predict([X[1]], initial_state=given)[0]
    for rows, state in ((None, alone), (1, given)):
        stream = net.stream(rows, initial_state=state)
        for _ in range(2):
            steps = [stream.step(x if rows is None else x[None]).copy() for x in X[1]]
            last = steps[-1] if rows is None else steps[-1][0]
            assert_same_bits(last, expected[-1] if expected.ndim == 2 else expected)
            stream.reset()


def test_zeros_and_none_are_no_initial_state(cell, dtype):
    layers = [rnn(4, cell, steps=True), rnn(3, cell)]
    net, X, _, _ = made(layers, dtype)
    zeros = as_input([ref.zero_state(layers) for _ in X], layers)
    plain = net.predict(X)
    for given in (zeros, [None, None], [zeros[0], None]):
        assert_same_bits(net.predict(X, initial_state=given), plain)


def test_the_states_of_one_half_start_the_other(cell, dtype):
    """A row cut in two: the last state of the first part starts the second."""
    layers = [rnn(6, cell, steps=True)]
    net, X, _, _ = made(layers, dtype)
    stream = net.stream()
    for x in X[1][:4]:
        stream.step(x)
    start = [tuple(s[None] for s in e) if isinstance(e, tuple) else e[None] for e in stream.state]
    assert_same_bits(net.predict([X[1][4:]], initial_state=start)[0], net.predict([X[1]])[0][4:])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("ab", "initial_state is 'ab' (a str), expected a list"),
        ([np.zeros((7, 4))], "initial_state has 1 entries, expected 2"),
        ([np.zeros((7, 4)), np.zeros((7, 3))], "initial_state[1] is array("),
        ([np.zeros((6, 4)), None], "initial_state[0] has shape (6, 4), expected (7, 4)"),
        ([None, (np.zeros((7, 3)),)], "expected the pair (h, c) of an LSTM"),
        ([None, (np.zeros((7, 3)), np.zeros((7, 4)))], "initial_state[1][1] has shape (7, 4), expected (7"),
        ([np.full((7, 4), np.inf), None], "initial_state[0] has inf in row 0"),
        ([np.full((7, 4), "a"), None], "initial_state[0] has dtype <U1"),
    ],
)
def test_wrong_initial_states_are_refused(given, message):
    net, X, answers, _ = made([rnn(4, "gru", steps=True), rnn(3, "lstm"), Dense(3, "softmax")], "float32")
    for call in (
        lambda: net.predict(X, initial_state=given),
        lambda: net.record(X, initial_state=given),
        lambda: net.loss_and_gradient(X, answers, initial_state=given),
        lambda: net.fit(X, answers, initial_state=given, verbose=False),
    ):
        with pytest.raises((ValueError, TypeError), match=re.escape(message)):
            call()


# ---------------------------------------------------------------------------------------------------- dropout


def dropped(cell, *, dropout=0.4, recurrent_dropout=0.3, **options):
    return {"dropout": dropout, "recurrent_dropout": recurrent_dropout} | options


DROPPED = {
    "last": lambda a: [rnn(5, a, **dropped(a)), Dense(3, activation="softmax")],
    "two_steps": lambda a: [
        rnn(4, a, steps=True, **dropped(a)),
        rnn(5, a, steps=True, **dropped(a, dropout=0.0)),
        Dense(3, activation="softmax"),
    ],
    "both": lambda a: [
        rnn(4, a, steps=True, **dropped(a, bidirectional=True)),
        rnn(3, a, **dropped(a, bidirectional=True)),
        Dense(3, activation="softmax"),
    ],
    "input_alone": lambda a: [rnn(5, a, **dropped(a, recurrent_dropout=0.0)), Dense(3, activation="softmax")],
    "max": lambda a: [rnn(5, a, steps=True, **dropped(a)), MaxPool(), Dense(3, activation="softmax")],
}


def masks_of(net, key, epoch=0):
    return [ref.masks_of(list(net.layers), F, key, epoch, row) for row in range(len(LENGTHS))]


@pytest.mark.parametrize("shape", DROPPED)
def test_dropout_is_the_reference(shape, cell, dtype):
    layers = DROPPED[shape](cell)
    net, X, answers, _ = made(layers, dtype)
    weights, seed = weights_of(net), 5
    masks = masks_of(net, seeds.dropout_key(seed))
    expected = ref.minibatch(layers, weights, X, answers, "cross_entropy", masks=masks)
    value, gradient = net.loss_and_gradient(X, as_y(layers, answers), seed=seed)
    assert_near(value, expected.loss, dtype, "loss")
    assert_near(gradient, flat(expected.gradient), dtype, "gradient")
    tape = net.record(X, seed=seed)
    outputs = [ref.output(layers, weights, x, None, m) for x, m in zip(X, masks, strict=True)]
    whole = np.concatenate(outputs) if ref.has_time_axis(layers) else np.array(outputs)
    assert_near(stack(tape.outputs) if ref.has_time_axis(layers) else tape.outputs, whole, dtype, "outputs")
    plain = net.loss_and_gradient(X, as_y(layers, answers))[0]
    assert abs(plain - value) > 1e-4
    assert_near(plain, ref.minibatch(layers, weights, X, answers, "cross_entropy").loss, dtype, "off")


@pytest.mark.parametrize("shape", DROPPED)
def test_gradients_with_dropout_are_central_differences(shape, cell):
    layers = DROPPED[shape](cell)
    net, X, answers, _ = made(layers, "float64")
    for y in (as_y(layers, answers), None):
        report = elman.check_gradient(net, X, y, seed=3)
        assert report.ok, str(report)
        assert report.max_relative_error <= GRADIENT_TOLERANCE
    assert elman.check_gradient(net, X, as_y(layers, answers), seed=3).rows[0].actual != (
        elman.check_gradient(net, X, as_y(layers, answers)).rows[0].actual
    )


@pytest.mark.parametrize("shape", ["last", "two_steps"])
@pytest.mark.parametrize("truncation", [None, 3])
def test_fit_drops_by_epoch_and_row(shape, cell, truncation, dtype):
    """Every epoch has its own masks, a row's are the same in whatever minibatch, for all chunks of it."""
    layers = DROPPED[shape](cell)
    net, X, answers, _ = made(layers, dtype)
    history = net.fit(
        X,
        as_y(layers, answers),
        optimizer=elman.SGD(0.0),
        epochs=3,
        batch_size=2,
        truncation=truncation,
        verbose=False,
    ).history
    masks = [masks_of(net, net.model.dropout_key, epoch) for epoch in range(3)]
    expected = [
        ref.minibatch(layers, weights_of(net), X, answers, "cross_entropy", masks=m).sums for m in masks
    ]
    assert_near(history["loss"], [sums.loss / sums.weight for sums in expected], dtype)
    assert len(set(history["loss"])) == 3
    assert net.evaluate(X, as_y(layers, answers))["loss"] not in history["loss"]


def test_dropout_does_not_depend_on_threads_or_pauses(cell, dtype, tmp_path):
    layers = [rnn(40, cell, **dropped(cell)), Dense(3, activation="softmax")]
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(70, 60, 6)).astype(dtype), generator.integers(0, 3, size=70)
    options = {"batch_size": 35, "verbose": False}
    nets = [elman.Network(layers, input_size=6, dtype=dtype, seed=2) for _ in range(5)]
    for net, threads in zip(nets[:3], (1, 2, 3), strict=True):
        net.fit(X, y, epochs=4, n_threads=threads, **options)
    nets[3].fit(X, y, epochs=1, **options)
    nets[3].save(tmp_path / "net")
    nets[3] = elman.load(tmp_path / "net")
    nets[3].fit(X, y, epochs=3, **options)
    nets[4].fit(X, y, epochs=2, **options)
    nets[4] = pickle.loads(pickle.dumps(nets[4]))
    nets[4].fit(X, y, epochs=2, callbacks=[lambda *_: False], **options)
    for net in nets[1:]:
        assert_same_bits(net.parameters, nets[0].parameters)


def test_dropout_is_off_everywhere_but_in_training(cell, dtype):
    layers = [rnn(5, cell, steps=True, **dropped(cell))]
    net, X, _, _ = made(layers, dtype)
    plain = network([rnn(5, cell, steps=True)], F, dtype, dict(net.weights))
    for found, truth in zip(net.predict(X), plain.predict(X), strict=True):
        assert_same_bits(found, truth)
    assert_same_bits(stack(net.states(X)[0]), stack(plain.states(X)[0]))
    assert_same_bits(stack(net.record(X).outputs), stack(plain.predict(X)))
    one, other = net.stream(), plain.stream()
    for x in X[1]:
        assert_same_bits(one.step(x), other.step(x))


def test_masks_drop_the_share_that_was_asked_for():
    layers = [rnn(200, "tanh", dropout=0.25, recurrent_dropout=0.5)]
    masks = [ref.masks_of(layers, 300, 1, 0, row)[0][0] for row in range(20)]
    inputs, states = np.array([m.inputs for m in masks]), np.array([m.states for m in masks])
    assert set(np.unique(inputs)) == {0.0, 1 / 0.75} and set(np.unique(states)) == {0.0, 2.0}
    assert abs((inputs == 0).mean() - 0.25) < 0.02 and abs((states == 0).mean() - 0.5) < 0.02
    assert len({m.tobytes() for m in inputs}) == 20


@pytest.mark.parametrize("name", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("bad", [-0.1, 1.0, 2, np.nan, "a", None, True])
def test_a_wrong_share_is_refused(name, bad):
    with pytest.raises((ValueError, TypeError), match=f"^{name} is "):
        elman.GRU(3, **{name: bad})
