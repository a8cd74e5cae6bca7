"""Truncated backpropagation and carried state: the engine is the reference, and Elman's own rule is a
special case."""

from __future__ import annotations

import numpy as np
import pytest

import elman
import reference as ref
from helpers.networks import C, build, rnn
from helpers.support import (
    OTHER_CELLS,
    as_y,
    assert_near,
    assert_same_bits,
    flat,
    network,
    ragged,
    random_answers,
    weights_of,
)

pytestmark = pytest.mark.large

F = 3
LENGTHS = [4, 9, 1, 6, 2, 9, 3]


def problem(shape, dtype, loss="cross_entropy", seed=0, missing=0.3, cell="tanh"):
    layers = build(shape, cell, loss)
    generator = np.random.default_rng(seed)
    net = network(layers, F, dtype, ref.random_weights(layers, F, generator))
    X = ragged(generator, LENGTHS, F, dtype)
    return layers, net, X, random_answers(generator, layers, C, LENGTHS, loss, missing)


def train(net, layers, X, answers, **options):
    return net.fit(X, as_y(layers, answers), shuffle=False, verbose=False, **options)


@pytest.mark.parametrize("shape", ["last", "steps", "two_last", "three_steps", "dense_between"])
@pytest.mark.parametrize("truncation", [1, 2, 3, 7, 9, 50])
@pytest.mark.parametrize("stateful", [False, True], ids=["fresh", "stateful"])
@pytest.mark.parametrize("each", ["tanh", *OTHER_CELLS])
def test_truncated_training_is_the_reference(shape, truncation, stateful, each, dtype):
    layers, net, X, answers = problem(shape, dtype, cell=each)
    options = {
        "loss": "cross_entropy",
        "truncation": truncation,
        "stateful": stateful,
        "clip_norm": 0.5,
        "l2": 0.01,
    }
    trainer = ref.Trainer(layers, weights_of(net), elman.Adam(0.01), **options)
    expected = trainer.fit(X, answers, epochs=3, batch_size=4)
    history = train(
        net, layers, X, answers, optimizer=elman.Adam(0.01), epochs=3, batch_size=4, **options
    ).history
    for name in expected[0]:
        assert_near(history[name], [logs[name] for logs in expected], dtype, name)
    assert_near(net.parameters, flat(trainer.weights), dtype, "weights")


@pytest.mark.parametrize("shape", ["last", "steps", "two_last", "three_steps"])
@pytest.mark.parametrize("each", ["tanh", *OTHER_CELLS])
def test_stateful_training_and_evaluation_are_the_reference(shape, each, dtype):
    layers, net, X, answers = problem(shape, dtype, cell=each)
    trainer = ref.Trainer(layers, weights_of(net), elman.SGD(0.05), loss="cross_entropy", stateful=True)
    for epochs in (2, 1):  # the state goes on from fit to evaluate to fit
        expected = trainer.fit(X, answers, epochs=epochs, batch_size=3)
        history = train(
            net, layers, X, answers, optimizer=elman.SGD(0.05), epochs=epochs, batch_size=3, stateful=True
        ).history
        assert_near(history["loss"][-epochs:], [logs["loss"] for logs in expected], dtype, "loss")
        truth = trainer.evaluate(X, answers)
        found = net.evaluate(X, as_y(layers, answers), stateful=True)
        assert_near(found["loss"], truth["loss"], dtype, "evaluated loss")
    assert_near(net.parameters, flat(trainer.weights), dtype, "weights")


def test_a_long_truncation_is_the_whole_to_the_bit(cell, dtype):
    layers, whole, X, answers = problem("two_last", dtype, cell=cell)
    cut = problem("two_last", dtype, cell=cell)[1]
    for net, truncation in ((whole, None), (cut, max(LENGTHS))):
        train(
            net, layers, X, answers, optimizer=elman.Adam(0.01), epochs=3, batch_size=4, truncation=truncation
        )
    assert_same_bits(cut.parameters, whole.parameters)


def test_truncation_of_one_lets_nothing_flow_back(dtype):
    """The last step alone answers: the step before it gets no gradient, its state is an input."""
    layers = [rnn(4, "tanh"), elman.Dense(2, activation="softmax")]
    generator = np.random.default_rng(0)
    net = network(layers, F, dtype, ref.random_weights(layers, F, generator))
    x = ragged(generator, [2], F, dtype)[0]
    x[1] = 0.0
    before = {name: w.copy() for name, w in net.weights.items()}
    net.fit([x], np.array([1]), optimizer=elman.SGD(1.0), truncation=1, verbose=False)
    assert_same_bits(
        net.weights["0.kernel"],
        before["0.kernel"],
        "x is zero at the last step, so nothing reaches the kernel",
    )
    assert np.abs(net.weights["0.recurrent_kernel"] - before["0.recurrent_kernel"]).max() > 1e-3
    net.fit([x], np.array([1]), optimizer=elman.SGD(1.0), verbose=False)
    assert np.abs(net.weights["0.kernel"] - before["0.kernel"]).max() > 1e-3


def test_shuffling_is_free_when_stateful(dtype):
    """With a rate of 0, each epoch's loss is that of the rows going on, whatever their order."""
    layers, net, X, answers = problem("last", dtype)
    trainer = ref.Trainer(layers, weights_of(net), elman.SGD(0.0), loss="cross_entropy", stateful=True)
    expected = [logs["loss"] for logs in trainer.fit(X, answers, epochs=4)]
    found = net.fit(
        X,
        as_y(layers, answers),
        optimizer=elman.SGD(0.0),
        epochs=4,
        batch_size=2,
        shuffle=True,
        stateful=True,
        verbose=False,
    )
    assert_near(found.history["loss"], expected, dtype)
    assert abs(expected[1] - expected[0]) > 1e-3


def test_reset_state_starts_anew(dtype):
    layers, net, X, answers = problem("last", dtype)
    y = as_y(layers, answers)
    first = net.evaluate(X, y, stateful=True)
    second = net.evaluate(X, y, stateful=True)
    net.reset_state()
    assert net.evaluate(X, y, stateful=True) == first != second
    assert net.evaluate(X, y) == first


def test_validation_and_predict_leave_the_carried_state_alone(dtype):
    layers, net, X, answers = problem("last", dtype)
    y = as_y(layers, answers)
    twin = problem("last", dtype)[1]
    options = {"optimizer": elman.SGD(0.05), "shuffle": False, "stateful": True, "verbose": False}
    net.fit(X, y, epochs=2, validation_data=(X[:3], y[:3]), **options)
    net.predict(X[:2])
    net.evaluate(X[:2], y[:2])
    net.fit(X, y, epochs=1, **options)
    twin.fit(X, y, epochs=3, **options)
    assert_same_bits(net.parameters, twin.parameters)


def test_another_number_of_rows_is_refused(dtype):
    layers, net, X, answers = problem("last", dtype)
    y = as_y(layers, answers)
    net.evaluate(X, y, stateful=True)
    with pytest.raises(ValueError, match="reset_state"):
        net.evaluate(X[:-1], y[:-1], stateful=True)
    net.reset_state()
    net.evaluate(X[:-1], y[:-1], stateful=True)


def test_truncation_with_a_pool_is_refused():
    layers, net, X, answers = problem("mean", "float32")
    with pytest.raises(ValueError, match="truncation"):
        train(net, layers, X, answers, truncation=3)


def test_an_update_without_an_answer_changes_nothing(dtype):
    layers, net, X, answers = problem("steps", dtype)
    twin = problem("steps", dtype)[1]
    silent = [np.full_like(y, -1) for y in answers]
    adam = elman.Adam(0.01)
    train(net, layers, X + X, silent + answers, optimizer=adam, epochs=2, batch_size=len(X), l2=0.1)
    train(twin, layers, X, answers, optimizer=adam, epochs=2, batch_size=len(X), l2=0.1)
    assert_same_bits(net.parameters, twin.parameters)
