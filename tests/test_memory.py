"""Gradients from checkpoints: every bit is that of a gradient that holds all steps, in less memory."""

from __future__ import annotations

import numpy as np
import pytest

from elman.memory import needed
from elman.sequences import as_batch
from networks import BARE, SHAPES, C, build, lively_weights
from support import as_y, assert_same_bits, network, ragged, random_answers

F = 3
RAGGED = [700, 90, 1, 333, 700, 128, 2, 699, 40, 257, 511]
EVEN = [400] * 8
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
