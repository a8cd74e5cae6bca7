"""Constraints hold exactly after every update, follow a network wherever it goes, and leave the rest
alone."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import elman
from elman import Dense, Network
from elman.nn import initializers
from helpers.networks import rnn
from helpers.support import assert_near, assert_same_bits, ragged

OPTIMIZERS = [
    elman.SGD(0.5),
    elman.SGD(0.5, momentum=0.9, nesterov=True),
    elman.RMSprop(0.05),
    elman.Adam(0.05),
    elman.AdamW(0.05, weight_decay=0.1),
]


def problem(cell, dtype, seed=0):
    net = Network([rnn(6, cell), Dense(3, "softmax")], input_size=2, dtype=dtype, seed=seed)
    generator = np.random.default_rng(seed)
    return net, ragged(generator, [5, 9, 1, 7, 3, 8], 2, dtype), np.arange(6) % 3, generator


def assert_obeyed(net, mask, sign):
    w = net.weights["0.recurrent_kernel"]
    assert (w[~mask] == 0).all()
    assert (w * sign >= 0).all()
    assert (np.abs(w[mask]) > 0).sum() > mask.sum() // 4


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_constraints_hold_after_every_update(optimizer, cell, dtype):
    net, X, y, generator = problem(cell, dtype)
    shape = net.weights["0.recurrent_kernel"].shape
    mask, sign = generator.uniform(size=shape) < 0.6, np.array([1, 1, 1, -1, -1, 0])
    net.constrain("0.recurrent_kernel", mask=mask, sign=sign)
    assert net.constrained == ("0.recurrent_kernel",)
    assert_obeyed(net, mask, sign[:, None])
    stepped = copy.deepcopy(net)
    before = net.parameters.copy()
    net.fit(X, y, optimizer=optimizer, epochs=4, batch_size=6, shuffle=False, clip_norm=1.0, verbose=False)
    for _ in range(4):
        stepped.update(stepped.loss_and_gradient(X, y)[1], optimizer, clip_norm=1.0)
        assert_obeyed(stepped, mask, sign[:, None])
    assert_same_bits(stepped.parameters, net.parameters)
    assert np.abs(net.parameters - before).max() > 1e-3


def test_a_mask_is_a_smaller_network(dtype):
    """Half the units cut off: the other half trains as if they were not there, clipping included."""
    net, X, y, _ = problem("tanh", dtype)
    mask = np.zeros((6, 6), bool)
    mask[:3, :3] = True
    net.constrain("0.recurrent_kernel", mask=mask)
    net.constrain("0.kernel", mask=np.array([[1, 1, 1, 0, 0, 0]] * 2))
    net.constrain("1.kernel", mask=np.array([[1] * 3] * 3 + [[0] * 3] * 3))
    net.constrain("0.bias", mask=[1, 1, 1, 0, 0, 0])
    small = Network([rnn(3, "tanh"), Dense(3, "softmax")], input_size=2, dtype=dtype, seed=0)
    for name, w in small.weights.items():
        w[...] = net.weights[name][tuple(slice(size) for size in w.shape)]
    for each in (net, small):
        each.fit(X, y, optimizer=elman.Adam(0.01), epochs=10, clip_norm=0.05, verbose=False)
    for name, w in small.weights.items():
        assert_near(net.weights[name][tuple(slice(size) for size in w.shape)], w, dtype, name)


def test_what_is_free_trains_as_before(dtype):
    net, X, y, _ = problem("lstm", dtype)
    twin = copy.deepcopy(net)
    net.constrain("1.bias", mask=[1, 1, 1])
    for each in (net, twin):
        each.fit(X, y, epochs=3, clip_norm=0.1, verbose=False)
    assert_same_bits(net.parameters, twin.parameters)


def test_constraints_are_kept(tmp_path, dtype):
    net, X, y, generator = problem("gru", dtype)
    mask = generator.uniform(size=(6, 18)) < 0.5
    net.constrain("0.recurrent_kernel", mask=mask, sign=[1, -1, 1, -1, 1, -1])
    net.fit(X, y, epochs=2, verbose=False)
    net.save(tmp_path / "net")
    kept = [elman.load(tmp_path / "net"), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)]
    net.fit(X, y, epochs=3, verbose=False)
    for other in kept:
        assert other.constrained == net.constrained
        other.fit(X, y, epochs=3, verbose=False)
        assert_same_bits(other.parameters, net.parameters)
        assert_obeyed(other, mask, np.array([[1], [-1]] * 3))


def test_constraints_can_be_replaced_and_lifted():
    net, X, y, _ = problem("tanh", "float64")
    net.constrain("0.recurrent_kernel", sign=np.ones(6))
    assert (net.weights["0.recurrent_kernel"] >= 0).all()
    net.constrain("0.recurrent_kernel", sign=-np.ones((6, 6)))
    assert (net.weights["0.recurrent_kernel"] == 0).all()
    net.fit(X, y, optimizer=elman.SGD(1.0), epochs=5, verbose=False)
    assert (net.weights["0.recurrent_kernel"] <= 0).all() and net.weights["0.recurrent_kernel"].min() < 0
    net.constrain("0.*")
    assert net.constrained == ()
    net.fit(X, y, optimizer=elman.SGD(1.0), epochs=5, verbose=False)
    assert net.weights["0.recurrent_kernel"].max() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": np.ones((6, 5))}, "mask has shape (6, 5), expected (6, 6) (as 0.recurrent_kernel)"),
        ({"mask": np.full((6, 6), 0.5)}, "expected True or False for each entry of 0.recurrent_kernel"),
        ({"mask": "yes"}, "mask is 'yes' (a str), expected True or False"),
        ({"sign": np.ones(5)}, "sign has shape (5,), expected (6,) (one a row of 0.recurrent_kernel) or (6"),
        ({"sign": np.full(6, 2)}, "expected -1, 0 (free) or 1 for each row of 0.recurrent_kernel"),
        ({"sign": np.full(6, np.nan)}, "expected -1, 0 (free) or 1"),
    ],
)
def test_wrong_constraints_are_refused(options, message):
    net = problem("tanh", "float32")[0]
    before = net.parameters.copy()
    with pytest.raises(ValueError, match=re.escape(message)):
        net.constrain("0.recurrent_kernel", **options)
    with pytest.raises(ValueError, match="matches no parameter"):
        net.constrain("7.kernel", sign=[1])
    assert net.constrained == ()
    np.testing.assert_array_equal(net.parameters, before)


# ----------------------------------------------------------------------------------------------- initializers


def test_sized_initializers():
    rng = np.random.default_rng
    q = initializers.draw("orthogonal:0.9", (7, 7), rng(0))
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(q)), 0.9, rtol=1e-12)
    plain = initializers.draw("orthogonal", (7, 7), rng(0))
    np.testing.assert_array_equal(initializers.draw("orthogonal:1", (7, 7), rng(0)), plain)
    np.testing.assert_array_equal(initializers.draw("identity:0.5", (3, 3), rng(0)), 0.5 * np.eye(3))
    assert (initializers.draw("constant:-0.5", (2, 3), rng(0)) == -0.5).all()
    assert 0.15 < np.abs(initializers.draw("uniform:0.2", (40, 40), rng(0))).max() <= 0.2
    assert initializers.draw("normal:0.3", (100, 100), rng(0)).std() == pytest.approx(0.3, rel=0.05)


def test_each_gate_is_drawn_by_itself(cell):
    net = Network([rnn(6, cell, recurrent_initializer="orthogonal:0.8", bidirectional=True)], 3, seed=0)
    for name in ("0.recurrent_kernel", "0.reverse.recurrent_kernel"):
        w = net.weights[name].astype(float)
        for gate in np.split(w, w.shape[1] // 6, axis=1):
            np.testing.assert_allclose(gate @ gate.T, 0.64 * np.eye(6), atol=1e-6)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("orthogonal:", "expected the spectral radius after the colon, a finite number"),
        ("orthogonal:-1", "expected the spectral radius after the colon"),
        ("normal:nan", "expected the standard deviation after the colon"),
        ("zeros:1", "expected a number after a colon only for 'orthogonal'"),
        ("constant", "expected its value too, as in 'constant:0.5'"),
        ("ortho:1", "expected a number after a colon only for"),
    ],
)
def test_wrong_sizes_are_refused(value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        rnn(3, "gru", recurrent_initializer=value)
