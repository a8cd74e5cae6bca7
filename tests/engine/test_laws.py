"""Every network x cell x loss x dtype: the engine is the reference, and its gradients are central
differences.

`test_isa.py` runs this file again under every other instruction set of the machine.
"""

from __future__ import annotations

import numpy as np
import pytest

import elman
import reference as ref
from elman.model import gradient_check
from helpers.networks import OPTIMIZERS, C, build, cases, lively_weights, rnn
from helpers.support import (
    GRADIENT_TOLERANCE,
    OTHER_CELLS,
    as_y,
    assert_near,
    flat,
    network,
    proofs,
    ragged,
    random_answers,
    stack,
    weights_of,
)

pytestmark = pytest.mark.large

F = 3
LENGTHS = [4, 9, 1, 6, 2, 9, 3]
SAMPLE_WEIGHT = np.array([1.0, 2.0, 0.5, 3.0, 0.0, 1.0, 0.25])


@pytest.fixture(params=cases(), ids=lambda case: "-".join(case))
def problem(request, cell, dtype):
    """A network with the reference's weights, rows and answers with some missing."""
    shape, loss = request.param
    layers = build(shape, cell, loss)
    generator = np.random.default_rng(len(shape) * 7 + len(cell))
    weights = lively_weights(layers, F, generator)
    net = network(layers, F, dtype, weights)
    X = ragged(generator, LENGTHS, F, dtype)
    return layers, net, X, random_answers(generator, layers, C, LENGTHS, loss, missing=0.3), loss


def test_outputs_and_states_are_the_reference(problem, dtype):
    layers, net, X, _, _ = problem
    weights = weights_of(net)
    tape = net.record(X)
    outputs = [ref.output(layers, weights, x) for x in X]
    for actual in (net.predict(X), tape.outputs):
        if ref.has_time_axis(layers):
            assert isinstance(actual, list)
            assert_near(stack(actual), np.concatenate(outputs), dtype, "outputs")
        else:
            assert isinstance(actual, np.ndarray)
            assert_near(actual, outputs, dtype, "outputs")
    expected = [
        np.concatenate(rows) for rows in zip(*[ref.hidden_states(layers, weights, x) for x in X], strict=True)
    ]
    for states in (net.states(X), tape.states):
        assert len(states) == len(expected)
        for layer, (rows, truth) in enumerate(zip(states, expected, strict=True)):
            assert [len(row) for row in rows] == LENGTHS
            assert_near(stack(rows), truth, dtype, f"states {layer}")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_loss_and_gradient_are_the_reference(problem, dtype, reduction):
    layers, net, X, answers, loss = problem
    options = {"reduction": reduction, "sample_weight": SAMPLE_WEIGHT, "l2": 0.01}
    expected = ref.minibatch(layers, weights_of(net), X, answers, loss, **options)
    found, gradient = net.loss_and_gradient(X, as_y(layers, answers), loss=loss, **options)
    assert_near(found, expected.loss, dtype, "loss")
    assert_near(gradient, flat(expected.gradient), dtype, "gradient")


def test_vector_jacobian_products_are_the_reference(problem, dtype):
    layers, net, X, _, _ = problem
    weights, generator = weights_of(net), np.random.default_rng(3)
    traces = [ref.forward(layers, weights, np.asarray(x, float)) for x in X]
    cotangents = [generator.normal(size=row[-1].y.shape).astype(np.float32) for row in traces]
    pairs = [
        ref.backward(layers, weights, row, dy.astype(float))
        for row, dy in zip(traces, cotangents, strict=True)
    ]
    d_outputs = [dy.astype(dtype) for dy in cotangents]
    gradients = net.record(X).backward(d_outputs if ref.has_time_axis(layers) else np.array(d_outputs))
    total = {name: sum(gradient[name] for gradient, *_ in pairs) for name in weights}
    assert_near(gradients.parameters, flat(total), dtype, "parameters")
    for name, g in gradients.weights.items():
        assert g.shape == weights[name].shape
        assert_near(g, total[name], dtype, name)
    assert_near(stack(gradients.inputs), np.concatenate([dx for _, dx, _ in pairs]), dtype, "inputs")


def test_metrics_are_the_reference(problem, dtype):
    layers, net, X, answers, loss = problem
    expected = ref.evaluate(layers, weights_of(net), X, answers, loss, sample_weight=SAMPLE_WEIGHT)
    found = net.evaluate(X, as_y(layers, answers), loss=loss, sample_weight=SAMPLE_WEIGHT)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert_near(found[name], value, dtype, name)


def test_ten_training_steps_are_the_reference(problem, dtype):
    layers, net, X, answers, loss = problem
    optimizer = elman.SGD(0.05, momentum=0.9)
    options = {"loss": loss, "sample_weight": SAMPLE_WEIGHT, "l2": 0.01, "clip_norm": 1.0}
    trainer = ref.Trainer(layers, weights_of(net), optimizer, **options)
    expected = trainer.fit(X, answers, epochs=5, batch_size=4)
    history = net.fit(
        X,
        as_y(layers, answers),
        optimizer=optimizer,
        epochs=5,
        batch_size=4,
        shuffle=False,
        verbose=False,
        **options,
    ).history
    assert set(history) == set(expected[0])
    for name in expected[0]:
        assert_near(history[name], [logs[name] for logs in expected], dtype, name)
    assert_near(net.parameters, flat(trainer.weights), dtype, "weights")


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("clip_norm", [None, 0.1], ids=["free", "clipped"])
@pytest.mark.parametrize("frozen", [(), ("0.kernel", "2.bias")], ids=["all", "frozen"])
def test_every_optimizer_is_the_reference(optimizer, clip_norm, frozen, dtype):
    layers = [rnn(6, "tanh", steps=True), rnn(5, "tanh"), elman.Dense(C, activation="softmax")]
    generator = np.random.default_rng(0)
    net = network(layers, F, dtype, ref.random_weights(layers, F, generator))
    X = ragged(generator, LENGTHS, F, dtype)
    answers = random_answers(generator, layers, C, LENGTHS, "cross_entropy")
    for name in frozen:
        net.freeze(name)
    options = {"loss": "cross_entropy", "clip_norm": clip_norm, "l2": 0.05}
    trainer = ref.Trainer(layers, weights_of(net), optimizer, frozen=frozen, **options)
    expected = trainer.fit(X, answers, epochs=10, batch_size=3)
    history = net.fit(
        X,
        as_y(layers, answers),
        optimizer=optimizer,
        epochs=10,
        batch_size=3,
        shuffle=False,
        verbose=False,
        **options,
    )
    assert_near(history.history["loss"], [logs["loss"] for logs in expected], dtype, "losses")
    assert_near(net.parameters, flat(trainer.weights), dtype, "weights")


@pytest.mark.parametrize("sized", ["tanh", *OTHER_CELLS])
@pytest.mark.parametrize("H", [1, 2, 7, 16, 33, 64, 100, 130])
@pytest.mark.parametrize("B", [1, 5, 16, 37])
def test_sizes_are_the_reference(sized, H, B, dtype):
    """Around the edges of vectors and register tiles, in all three sizes at once."""
    generator = np.random.default_rng(H * B)
    width, outputs = 1 + (H * 5) % 40, 1 + (H * 3) % 50
    layers = [rnn(H, sized, steps=True), elman.Dense(outputs)]
    weights = ref.random_weights(layers, width, generator)
    net = network(layers, width, dtype, weights)
    lengths = generator.integers(1, 12, size=B).tolist()
    X = ragged(generator, lengths, width, dtype)
    answers = random_answers(generator, layers, outputs, lengths, "squared_error", missing=0.1)
    expected = ref.minibatch(layers, weights_of(net), X, answers, "squared_error")
    found, gradient = net.loss_and_gradient(X, answers, loss="squared_error")
    assert_near(found, expected.loss, dtype, "loss")
    assert_near(gradient, flat(expected.gradient), dtype, "gradient")


# -------------------------------------------------------------------------------------- central differences


def check(net, X, y, loss=None):
    report = elman.check_gradient(net, X, y, loss=loss)
    assert report.ok, str(report)
    assert report.max_relative_error <= GRADIENT_TOLERANCE, str(report)
    assert len(report.rows) > 0
    return report


def test_gradients_are_central_differences(problem):
    layers, net, X, answers, loss = problem
    check(net, X, as_y(layers, answers), loss)


def assert_central_differences(net, X, y, loss, epsilon=1e-4):
    """DESIGN's definition by hand, every entry: (4 d(e/2) - d(e)) / 3, nothing left out or measured twice.

    Beside the relative tolerance only what rounding of the loss does to a quotient is allowed.
    """

    def difference(i, e):
        kept = net.parameters[i]
        losses = []
        for offset in (e, -e):
            net.parameters[i] = kept + offset
            losses.append(net.evaluate(X, y, loss=loss)["loss"])
        net.parameters[i] = kept
        return (losses[0] - losses[1]) / (2 * e)

    value, actual = net.loss_and_gradient(X, y, loss=loss)
    rounding = 4 * np.finfo(np.float64).eps * value / epsilon
    begin = 0
    for name, w in net.weights.items():
        entries = range(begin, begin + w.size)
        found = actual[begin : begin + w.size]
        expected = np.array([(4 * difference(i, epsilon / 2) - difference(i, epsilon)) / 3 for i in entries])
        scale = np.maximum(np.maximum(np.abs(found), np.abs(expected)), 1e-3 * np.abs(expected).max())
        assert (np.abs(found - expected) <= GRADIENT_TOLERANCE * scale + rounding).all(), name
        begin += w.size


SMOOTH = [case for case in cases() if "max" not in case[0] and case[0] != "dense_between"]


@pytest.mark.parametrize("case", SMOOTH, ids="-".join)
@pytest.mark.parametrize("smooth", ["tanh", "sigmoid", "identity", *OTHER_CELLS])
def test_gradients_are_central_differences_by_hand(case, smooth):
    """The law without check_gradient, wherever no kink can lie."""
    shape, loss = case
    layers = build(shape, smooth, loss)
    generator = np.random.default_rng(len(shape) * 7 + len(smooth))
    net = network(layers, F, "float64", lively_weights(layers, F, generator))
    X = ragged(generator, LENGTHS, F)
    answers = random_answers(generator, layers, C, LENGTHS, loss, missing=0.3)
    assert_central_differences(net, X, as_y(layers, answers), loss)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("T", [1, 2, 3, 10, 100, 300])
def test_gradients_are_central_differences_far_back(cell, depth, T):
    """Relu's units stay away from its kink (biases of both signs), so that few entries are skipped."""
    layers = [rnn(4, cell, steps=True) for _ in range(depth - 1)]
    layers += [rnn(4, cell), elman.Dense(2, activation="softmax")]
    generator = np.random.default_rng(T + depth)
    weights = lively_weights(layers, 2, generator)
    if cell == "relu":
        for index in range(depth):
            weights[f"{index}.kernel"] *= 0.2
            weights[f"{index}.recurrent_kernel"] *= 0.6
            weights[f"{index}.bias"] = np.array([1.5, 1.5, -1.5, 1.5])
    net = network(layers, 2, "float64", weights)
    X = [np.clip(x, -1.5, 1.5) for x in ragged(generator, [T, max(1, T // 2)], 2)]
    check(net, X, np.array([0, 1]), "cross_entropy")
    check(net, X, None)
    if cell != "relu":
        assert_central_differences(net, X, np.array([0, 1]), "cross_entropy")


@pytest.mark.parametrize(
    "name", ["0.kernel", "0.recurrent_kernel", "0.bias", "0.recurrent_bias", "1.kernel", "1.bias"]
)
def test_a_wrong_gradient_is_found(cell, name, monkeypatch):
    """One entry, wrong by a thousandth of itself, in each parameter."""
    layers = [rnn(4, cell), elman.Dense(3, activation="softmax")]
    generator = np.random.default_rng(0)
    net = network(layers, F, "float64", lively_weights(layers, F, generator))
    if name not in net.weights:
        pytest.skip(f"{cell} has no {name}")
    offset = sum(
        w.size
        for other, w in net.weights.items()
        if list(net.weights).index(other) < list(net.weights).index(name)
    )
    X, y = ragged(generator, LENGTHS, F), np.arange(len(LENGTHS)) % 3
    right = gradient_check._mean_loss

    def wrong(*arguments):
        measure, gradient = right(*arguments)
        at = offset + np.abs(gradient[offset : offset + net.weights[name].size]).argmax()
        gradient[at] *= 1.001
        return measure, gradient

    assert elman.check_gradient(net, X, y).ok
    monkeypatch.setattr(gradient_check, "_mean_loss", wrong)
    report = elman.check_gradient(net, X, y)
    assert not report.ok
    assert report.max_relative_error == pytest.approx(1e-3, rel=0.01)
    worst = max(report.rows, key=lambda row: abs(row.expected - row.actual))
    assert worst.name == name


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(proofs(40)))
def test_gradients_are_central_differences_for_random_networks(seed):
    generator = np.random.default_rng(seed)
    shape, loss = cases()[generator.integers(len(cases()))]
    layers = build(shape, str(generator.choice(["tanh", "sigmoid", "identity", *OTHER_CELLS])), loss)
    lengths = generator.integers(1, 300, size=3).tolist()
    net = network(layers, F, "float64", lively_weights(layers, F, generator))
    answers = random_answers(generator, layers, C, lengths, loss, missing=0.2)
    check(net, ragged(generator, lengths, F), as_y(layers, answers), loss)
