"""What the tests of the commands share: small files of every kind, and a way to run a command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import elman
from elman.cli.main import main
from elman.model import file

COLUMNS = ("x1", "x2")


@dataclass(frozen=True)
class Answer:
    """What one command wrote, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document of --json; json.loads refuses anything before or after it."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        return json.loads(self.out, parse_constant=refuse)

    def sentence(self) -> str:
        """The one line of an error."""
        assert (self.code, self.out) == (2, ""), self
        assert self.err.startswith("elman: ") and self.err.count("\n") == 1, self.err
        return self.err.removeprefix("elman: ").strip()


def command(*arguments: object, stdin: bytes = b"") -> Answer:
    """Run a command in this process: a second faster than in one of its own."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2))
    given, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
    finally:
        sys.stdin = given
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return Answer(code, *texts)


def content(path: str | Path) -> tuple[Any, dict[str, bytes]]:
    """Everything that a model file holds. (Its bytes may differ: the order in its header is not fixed.)"""
    spec, arrays = file.read(path)
    return spec, {name: array.tobytes() for name, array in arrays.items()}


def process(*arguments: object, cwd: Path | None = None, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command in a process of its own, with the package that is tested here."""
    here = str(Path(elman.__file__).parents[1])
    path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-m", "elman", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={"PYTHONIOENCODING": "utf-8", **os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": ""},
        **options,
    )


def walks(count: int, seed: int = 0) -> list[np.ndarray]:
    """Sequences of 4 to 12 steps and two features, with four digits after the point."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(int(steps), 2)).round(4) for steps in rng.integers(4, 13, size=count)]


def rising(x: np.ndarray) -> str:
    """The label of a whole sequence."""
    return "up" if x[:, 0].sum() > 1 else "down"


def write_long(path: Path, X: list[np.ndarray], labels: Any = None, names: Any = None) -> Path:
    """Write a row a step; ``labels(x, t)`` is the label of a step, ``names(i)`` the id of a sequence."""
    head = ["id", "time", *COLUMNS[: X[0].shape[1]], *([] if labels is None else ["label"])]
    lines = [",".join(head)]
    for i, x in enumerate(X):
        for t, row in enumerate(x.tolist()):
            cells = [names(i) if names else f"s{i}", t, *row, *([] if labels is None else [labels(x, t)])]
            lines.append(",".join(map(str, cells)))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_all(folder: Path) -> None:
    """Write one file and one fitted model a task, and two bare networks."""
    X = walks(60)
    write_long(folder / "classify.csv", X, lambda x, t: rising(x))
    write_long(folder / "tag.csv", X, lambda x, t: "" if t == 2 else "high" if x[t, 0] > 0 else "löw")
    write_long(folder / "regress.csv", X, lambda x, t: f"{x[:, 0].mean():.4f}")
    write_long(folder / "steps.csv", X, lambda x, t: "" if t == 2 else f"{x[: t + 1, 0].mean():.4f}")
    write_long(folder / "unlabeled.csv", walks(5, seed=1))
    common: dict[str, Any] = {"hidden_layer_sizes": 6, "max_iter": 15, "random_state": 0, "dtype": "float32"}
    common["learning_rate_init"] = 0.02
    for name, model in {
        "classify": elman.RNNClassifier(**common),
        "tag": elman.RNNTagger(**common, missing_label=""),
        "regress": elman.RNNRegressor(**common),
        "steps": elman.RNNRegressor(**common, return_sequences=True),
    }.items():
        model.fit(*elman.read_sequences(folder / f"{name}.csv")).save(folder / f"{name}.elman")
    layers = [elman.SimpleRNN(4), elman.Dense(3, "softmax")]
    elman.Network(layers, input_size=2, seed=0).save(folder / "network.elman")
    layers = [elman.SimpleRNN(4, return_sequences=True), elman.Dense(2)]
    elman.Network(layers, input_size=2, seed=0).save(folder / "network_steps.elman")
