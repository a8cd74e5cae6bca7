"""A row alone has loops of its own, and losses take several rows at a time: nothing comes out otherwise."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import elman
import reference as ref
from elman import Dense
from helpers.networks import rnn
from helpers.support import OUTPUT_OF, assert_near, assert_same_bits, network


def problem(H, C, loss, per_step, dtype, n=40, longest=7):
    generator = np.random.default_rng(H + C)
    layers = [rnn(H, "tanh", steps=per_step), Dense(C, activation=OUTPUT_OF[loss])]
    net = network(layers, 3, dtype, ref.random_weights(layers, 3, generator))
    X = [generator.normal(size=(1 + i % longest, 3)).astype(dtype) for i in range(n)]
    rows = [len(x) for x in X] if per_step else [1] * n
    if loss == "cross_entropy":
        y = [generator.integers(C, size=steps) for steps in rows]
    elif loss == "binary_cross_entropy":
        y = [generator.integers(2, size=(steps, C)).astype(float) for steps in rows]
    else:
        y = [generator.normal(size=(steps, C)) for steps in rows]
    return net, X, y if per_step else np.concatenate(y)


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("loss", OUTPUT_OF)
@pytest.mark.parametrize(("H", "C"), [(3, 1), (16, 16), (20, 17), (40, 1), (130, 33)])
def test_gradients_of_rows_alone_add_up(H, C, loss, per_step, dtype):
    if loss == "cross_entropy" and C == 1:
        C = 2
    net, X, y = problem(H, C, loss, per_step, dtype)
    value, gradient = net.loss_and_gradient(X, y, loss=loss, reduction="sum")
    alone = [
        net.loss_and_gradient(X[i : i + 1], y[i : i + 1], loss=loss, reduction="sum") for i in range(len(X))
    ]
    assert_near(sum(one for one, _ in alone), value, dtype, "loss")
    assert_near(np.sum([one for _, one in alone], axis=0), gradient, dtype, "gradient")
    outputs = np.concatenate(net.predict(X)) if per_step else net.predict(X)
    assert_same_bits(np.concatenate([net.predict([x])[0].reshape(-1, C) for x in X]), outputs)
    if loss == "cross_entropy":
        assert_near(outputs.sum(axis=1), np.ones(len(outputs)), dtype, "probabilities")


@pytest.mark.parametrize("per_step", [False, True])
def test_a_row_that_is_a_thread_s_only_one(per_step, dtype):
    """The ninth, which is the shortest too, goes no further than its own steps."""
    net, X, y = problem(64, 1, "binary_cross_entropy", per_step, dtype, n=9, longest=9)
    X = [np.repeat(x, 40, axis=0) for x in X]
    y = [np.repeat(one, 40, axis=0) for one in y] if per_step else y
    fitted = []
    for n_threads in (1, 2, 3):
        one = copy.deepcopy(net)
        one.fit(X, y, optimizer=elman.SGD(0.1), epochs=1, batch_size=9, verbose=False, n_threads=n_threads)
        fitted.append(one.parameters)
    for parameters in fitted[1:]:
        assert_same_bits(parameters, fitted[0])
