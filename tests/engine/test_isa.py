"""Every instruction set of this machine, each in a process of its own, since ELMAN_ISA is read at import."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from elman import _engine
from helpers.support import HERE, fraction, run_with_isa

ALL = ["x86-64-v4", "x86-64-v3", "x86-64-v2", "neon", "generic"]

SAME_BITS = """
import hashlib
import numpy as np, elman
from helpers.networks import CELLS, rnn
from helpers.support import random_answers, ragged, as_y

def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[:16]

HEADS = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "squared_error": "tanh"}
lengths = [30, 1, 17, 50, 8, 9, 50, 33, 2, 64, 5]
for dtype in ("float32", "float64"):
    for cell in CELLS:
        for H in (1, 17, 130):
            for loss, head in HEADS.items():
                options = {}
                if loss == "squared_error":
                    options = {"bidirectional": True, "dropout": 0.2, "recurrent_dropout": 0.3}
                layers = [rnn(H, cell, steps=True, **options), rnn(H, cell), elman.Dense(5, activation=head)]
                net = elman.Network(layers, input_size=7, dtype=dtype, seed=H)
                generator = np.random.default_rng(H)
                X = ragged(generator, lengths, 7, dtype)
                y = as_y(layers, random_answers(generator, layers, 5, lengths, loss))
                loss_value, gradient = net.loss_and_gradient(X, y, loss=loss)
                before = digest(np.float64(loss_value), gradient)
                history = net.fit(X, y, loss=loss, batch_size=4, epochs=3, verbose=False).history
                after = digest(net.parameters), digest(net.predict(X)), digest(np.array(history["loss"]))
                print(dtype, cell, H, loss, before, *after)
"""


def need(isa: str, available: list[str]) -> None:
    if isa not in available:
        pytest.skip(f"this machine cannot run {isa}, only {', '.join(available)}")


@pytest.mark.parametrize("isa", ALL)
def test_the_forced_one_runs(isa, available_isas):
    need(isa, available_isas)
    run_with_isa(isa, "import elman")


def test_an_unknown_one_is_an_error():
    done = subprocess.run(
        [sys.executable, "-c", "import elman; elman.Network"],
        env=os.environ | {"ELMAN_ISA": "x86-64-v9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 and "x86-64-v9" in done.stderr and "ELMAN_ISA" in done.stderr


def test_avx2_is_avx512_to_the_bit(available_isas):
    need("x86-64-v4", available_isas)
    need("x86-64-v3", available_isas)
    narrow, wide = (run_with_isa(isa, SAME_BITS).splitlines() for isa in ("x86-64-v3", "x86-64-v4"))
    assert len(narrow) == len(wide) == 144
    assert [(a, b) for a, b in zip(narrow, wide, strict=True) if a != b] == []


@pytest.mark.parametrize("isa", ALL)
def test_the_laws_hold(isa, available_isas):
    """Some of the laws; all of them under `make prove`."""
    need(isa, available_isas)
    if isa == _engine.isa():
        pytest.skip(f"{isa} is what every other test runs on")
    run_laws(
        isa,
        "outputs_and_states or loss_and_gradient or sizes or rows_streamed or fit_is_gradient "
        "or initial_states_are or dropout_is_the or everything_is",
        share=9,
    )


@pytest.mark.prove
@pytest.mark.parametrize("isa", ALL)
def test_all_the_laws_hold(isa, available_isas):
    need(isa, available_isas)
    run_laws(isa, "not isa", share=fraction())


def run_laws(isa: str, selection: str, share: int) -> None:
    if os.environ.get("ELMAN_ISA"):
        pytest.skip("already inside a run of one instruction set")
    files = [
        str(HERE / "engine" / f"test_{name}.py")
        for name in ("laws", "bits", "truncation", "golden", "layer_options", "embedding")
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "-k", selection, *files],
        env=os.environ | {"ELMAN_ISA": isa, "ELMAN_LAWS": str(share)},
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parent,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
