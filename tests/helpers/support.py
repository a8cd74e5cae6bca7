"""What the tests share: named tolerances, networks with given weights, golden files, scripts under another
instruction set."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

import reference

HERE = pathlib.Path(__file__).parents[1]  # tests/
GOLDEN = sorted((HERE / "golden").glob("*.npz"))

DTYPES = ["float32", "float64"]
ACTIVATIONS = ["tanh", "relu", "sigmoid", "identity"]
OTHER_CELLS = ["leaky", "gru", "gru_before", "lstm"]  # names of networks.CELLS
OUTPUT_OF = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "squared_error": "identity"}
LOSSES = list(OUTPUT_OF)

# How far the engine may be from truth: |actual - expected| / |expected| in the 2-norm of a whole array.
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}
# The relative error that check_gradient may find, in its own definition.
GRADIENT_TOLERANCE = 1e-7


def fraction() -> int:
    """ELMAN_PROVE_FRACTION=10 runs a tenth of the long proofs."""
    return int(os.environ.get("ELMAN_PROVE_FRACTION", "1"))


def proofs(n: int) -> int:
    return max(1, n // fraction())


# -------------------------------------------------------------------------------------------------- compare


def error(actual: Any, expected: Any) -> float:
    """Relative, in the 2-norm."""
    actual, expected = np.asarray(actual, float), np.asarray(expected, float)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    norm = float(np.linalg.norm(expected))
    return float(np.linalg.norm(actual - expected)) / (norm if norm > 0.0 else 1.0)


def assert_near(actual: Any, expected: Any, dtype: str, what: str = "") -> None:
    found = error(actual, expected)
    assert found <= TOLERANCE[dtype], (
        f"{what}: relative error {found:.3g}, at most {TOLERANCE[dtype]:g} in {dtype}"
    )


def assert_same_bits(actual: Any, expected: Any, what: str = "") -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype and actual.shape == expected.shape, (
        what,
        actual.dtype,
        actual.shape,
        expected.shape,
    )
    if actual.tobytes() != expected.tobytes():
        differs = np.argwhere(actual != expected)
        raise AssertionError(
            f"{what}: {len(differs)} of {actual.size} entries differ, first at {differs[:1].tolist()}"
        )


def stack(rows: Any) -> np.ndarray:
    """Per-step results as one (sum T_i, C) array, whatever their form."""
    if hasattr(rows, "values") and hasattr(rows, "offsets"):
        return np.asarray(rows.values)
    return np.concatenate([np.atleast_1d(row) for row in rows])


# ----------------------------------------------------------------------------------------------------- make


def network(layers: Iterable[Any], F: int, dtype: str, weights: dict[str, np.ndarray], seed: int = 0) -> Any:
    import elman

    net = elman.Network(list(layers), input_size=F, dtype=dtype, seed=seed)
    assert list(net.weights) == list(weights)
    for name, w in weights.items():
        net.weights[name][...] = w
    return net


def weights_of(net: Any) -> dict[str, np.ndarray]:
    """The network's own weights, as the reference takes them."""
    return {name: np.array(w, np.float64) for name, w in net.weights.items()}


def flat(weights: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([w.ravel() for w in weights.values()])


def ragged(
    generator: np.random.Generator, lengths: Iterable[int], F: int, dtype: str = "float64"
) -> list[np.ndarray]:
    """Rows whose values are the same numbers in both dtypes."""
    return [generator.normal(size=(T, F)).astype(np.float32).astype(dtype) for T in lengths]


def random_answers(
    generator: np.random.Generator,
    layers: list[Any],
    C: int,
    lengths: Iterable[int],
    loss: str,
    missing: float = 0.0,
) -> list[Any]:
    """One answer a row or a step, as the output has it; `missing`: the share without one, per step only."""
    per_step = reference.has_time_axis(layers)
    answers = []
    for T in lengths:
        n = T if per_step else 1
        gone = generator.uniform(size=(n, C)) < (missing if per_step else 0.0)
        if loss == "cross_entropy":
            y = np.where(gone[:, 0], -1, generator.integers(0, C, size=n))
        elif loss == "binary_cross_entropy":
            y = np.where(gone, np.nan, generator.integers(0, 2, size=(n, C)).astype(float))
        else:
            y = np.where(gone, np.nan, generator.normal(size=(n, C)))
        answers.append(y if per_step else y[0])
    return answers


def as_y(layers: list[Any], answers: list[Any]) -> Any:
    """Answers as the public API takes them: one array a network, or a list of rows."""
    return answers if reference.has_time_axis(layers) else np.array(answers)


# --------------------------------------------------------------------------------------------------- golden


@dataclass
class Golden:
    """One file of golden/, as make_golden.py describes it."""

    spec: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def lengths(self) -> list[int]:
        return [int(T) for T in self.arrays["lengths"]]

    def layers(self, module: ModuleType) -> list[Any]:
        made = []
        for kind, *facts in self.spec["layers"]:
            recurrent = kind in ("SimpleRNN", "GRU", "LSTM")
            options = {"return_sequences": facts.pop()} if recurrent else {}
            made.append(getattr(module, kind)(*facts, **options))
        return made

    def rows(self, name: str) -> list[np.ndarray]:
        """An array of one line a step, cut into rows."""
        return np.split(self.arrays[name], np.cumsum(self.lengths)[:-1])

    @property
    def X(self) -> list[np.ndarray]:
        return self.rows("X")

    @property
    def Y(self) -> list[Any]:
        return self.rows("Y") if len(self.arrays["Y"]) == sum(self.lengths) else list(self.arrays["Y"])

    def named(self, prefix: str) -> dict[str, np.ndarray]:
        order = [name.removeprefix("w/") for name in self.arrays if name.startswith("w/")]
        return {name: self.arrays[f"{prefix}/{name}"] for name in order}

    def run(self, module: ModuleType, name: str) -> tuple[Any, dict[str, Any]]:
        """The optimizer of a run, and the options of its fit."""
        optimizer, arguments, options = self.spec["runs"][name]
        options = {"batch_size": len(self.lengths)} | options
        if "sample_weight" in options:
            options["sample_weight"] = np.array(options["sample_weight"], float)
        return getattr(module, optimizer)(**arguments), options


def load_golden(path: pathlib.Path) -> Golden:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return Golden(json.loads(str(arrays.pop("spec"))), arrays)


# -------------------------------------------------------------------------------------------- other process


def environment() -> dict[str, str]:
    """This process' own, with these modules on the path."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}


def run_script(
    script: str, isa: str | None = None, timeout: float = 120.0, arguments: Iterable[str] = ()
) -> str:
    """Run Python code in a fresh process, which sees these modules too; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        env=environment() | ({} if isa is None else {"ELMAN_ISA": isa}),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_with_isa(isa: str, script: str, timeout: float = 120.0) -> str:
    """Run Python code under one instruction set, and be sure that it was that one."""
    check = "\nfrom elman import _engine\nprint('isa', _engine.isa())\n"
    said, _, ran = run_script(script + check, isa=isa, timeout=timeout).rpartition("isa ")
    assert ran.strip() == isa, f"ELMAN_ISA={isa} ran {ran.strip()}"
    return said
