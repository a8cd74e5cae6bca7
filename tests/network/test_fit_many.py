"""Many networks at once: the bits of each alone, its own options, errors, Ctrl-C."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import elman
from elman import SGD, Adam, Dense, DivergenceError, Network, SimpleRNN
from helpers.support import assert_same_bits

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(T, 3)) for T in (4, 9, 1, 7, 3)]
Y = [0, 1, 2, 0, 1]


def nets(count=5, dtype="float32"):
    sizes = [3 + i for i in range(count)]
    return [Network([SimpleRNN(H), Dense(3, "softmax")], 3, dtype=dtype, seed=H) for H in sizes]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_each_has_the_bits_that_it_has_alone(dtype, n_threads):
    alone, together = nets(dtype=dtype), nets(dtype=dtype)
    options = {"epochs": 7, "batch_size": 2, "optimizer": Adam(0.05), "clip_norm": 1.0}
    expected = [net.fit(X, Y, verbose=False, **options) for net in alone]
    found = elman.fit_many(together, X, Y, verbose=False, n_threads=n_threads, **options)
    for a, b, h, k in zip(alone, together, expected, found, strict=True):
        assert_same_bits(a.parameters, b.parameters)
        assert h.history == k.history and k is b.history


def test_networks_of_different_dtypes_and_inputs_share_a_call():
    mixed, alone = (
        [*nets(1, "float32"), *nets(1, "float64"), Network([SimpleRNN(2), Dense(3, "softmax")], 1, seed=0)]
        for _ in range(2)
    )
    narrow = [x[:, :1] for x in X]
    elman.fit_many(mixed, X, Y, each=[{}, {}, {"X": narrow}], epochs=2, verbose=False)
    for net, given in zip(alone, (X, X, narrow), strict=True):
        net.fit(given, Y, epochs=2, verbose=False)
    for a, b in zip(alone, mixed, strict=True):
        assert_same_bits(a.parameters, b.parameters)


def test_each_takes_the_place_of_what_is_shared():
    alone, together = nets(3), nets(3)
    each = [{"optimizer": SGD(0.1)}, {"X": X[:2], "y": Y[:2]}, {"epochs": 3}]
    elman.fit_many(together, X, Y, each=each, epochs=2, verbose=False)
    alone[0].fit(X, Y, epochs=2, optimizer=SGD(0.1), verbose=False)
    alone[1].fit(X[:2], Y[:2], epochs=2, verbose=False)
    alone[2].fit(X, Y, epochs=3, verbose=False)
    for a, b in zip(alone, together, strict=True):
        assert_same_bits(a.parameters, b.parameters)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: elman.fit_many(nets(1)[0], X, Y), TypeError, "nets is Network"),
        (lambda: elman.fit_many([], X, Y), ValueError, "nets is empty"),
        (lambda: elman.fit_many([*nets(1), 3], X, Y), TypeError, r"nets\[1\] is 3 \(a int\)"),
        (lambda: elman.fit_many(nets(1) * 2, X, Y), ValueError, r"nets\[1\] is nets\[0\]"),
        (lambda: elman.fit_many(nets(2), X, Y, each=[{}]), ValueError, "each has 1 dicts, expected 2"),
        (lambda: elman.fit_many(nets(1), X, Y, each=["a"]), TypeError, r"each\[0\] is 'a'"),
        (lambda: elman.fit_many(nets(1), X, Y, each=[{"verbose": True}]), ValueError, "'verbose'"),
        (lambda: elman.fit_many(nets(1), X, Y, verbose=False, epochs=0), ValueError, "epochs is 0"),
        (lambda: elman.fit_many(nets(1), X, Y, verbose=False, rate=1), TypeError, "rate"),
    ],
)
def test_what_is_wrong_is_said(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_one_that_diverges_leaves_the_others_trained():
    several = [Network([SimpleRNN(2, "identity")], 3, seed=i) for i in range(3)]
    each = [{}, {"optimizer": SGD(1e30)}, {}]
    with pytest.raises(DivergenceError) as raised:
        elman.fit_many(several, X, np.ones((5, 2)), each=each, epochs=30, verbose=False)
    assert raised.value.__notes__ == ["This happened to nets[1]."]
    assert [net.history.epoch for net in (several[0], several[2])] == [30, 30]
    assert all(np.isfinite(net.parameters).all() for net in several)


def test_a_bar_counts_networks(capfd):
    elman.fit_many(nets(2), X, Y, n_threads=1)
    assert "2/2" in capfd.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="this system has no such signals")
def test_ctrl_c_stops_them_all():
    several = [Network([SimpleRNN(64), Dense(3, "softmax")], 3, seed=i) for i in range(4)]
    many = [RNG.normal(size=(50, 3)) for _ in range(200)]
    killer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    killer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        elman.fit_many(several, many, [0] * 200, epochs=100_000, verbose=False)
    assert time.monotonic() - started < 10.0  # a hundred thousand epochs would take hours
    for net in several:  # none of them is in use any more
        net.reset_state()
    several[0].fit(X, Y, verbose=False)
