"""What the tests of checkpoints share: a small training, and what two networks have in common."""

from __future__ import annotations

import os

import numpy as np
import pytest

from elman import Dense, Network, SimpleRNN
from elman.model import file
from helpers import support

RNG = np.random.default_rng(0)
X = RNG.normal(size=(10, 6, 2))
Y = np.arange(10) % 3
RAGGED = [x[: 1 + i % 6] for i, x in enumerate(X)]


def network(dtype="float32", seed=0):
    return Network([SimpleRNN(4), Dense(3, "softmax")], input_size=2, dtype=dtype, seed=seed)


def fit(net, epochs, **options):
    return net.fit(X, Y, epochs=epochs, **({"verbose": False, "batch_size": 4} | options))


def assert_equal(one, other):
    """Two networks know the same."""
    assert one.history.history == other.history.history
    support.assert_same_bits(one.parameters, other.parameters)
    a, b = file.state(one.model), file.state(other.model)
    for name in ("seed", "epoch", "updates", "frozen"):
        assert a[name] == b[name], name
    for name in ("moments", "carry"):
        for mine, yours in zip(a[name] or [], b[name] or [], strict=True):
            support.assert_same_bits(mine, yours, name)


def refuses(path, call, *messages):
    """A call that raises ValueError and changes nothing."""
    content = path.read_bytes()
    with pytest.raises(ValueError, match=r"run\.elman") as raised:
        call()
    said = str(raised.value).replace(f"{path.parent}{os.sep}", "")
    for message in messages:
        assert message in said
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]
    return said
