"""Writes the model files of this version, and beside each what it must predict for ever.

These files are never made anew, only added to: they stand for what users have on their disks. A release that
writes another format, or more into it, adds files under its own number: `python tests/released/make.py 0.2`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from elman import SGD, AdamW, CosineDecay, Dense, MeanPool, Network, RNNClassifier, SimpleRNN, _engine

HERE = Path(__file__).resolve().parent
OPTIONS: dict[str, Any] = {
    "optimizer": SGD(0.1, momentum=0.9),
    "batch_size": 5,
    "stateful": True,
    "truncation": 3,
    "clip_norm": 1.0,
    "verbose": False,
}


def data() -> tuple[Any, Any]:
    """Sequences of different lengths, as one buffer and where each begins, and a class for each."""
    rng = np.random.default_rng(0)
    offsets = np.cumsum([0, *rng.integers(2, 9, 12)])
    return rng.normal(size=(offsets[-1], 3)), offsets


def labels(offsets: Any) -> Any:
    return np.arange(len(offsets) - 1) % 3


def network(dtype: str) -> Network:
    layers = [SimpleRNN(6, "relu", return_sequences=True), SimpleRNN(4, return_sequences=True)]
    return Network([*layers, MeanPool(), Dense(3, "softmax")], input_size=3, dtype=dtype, seed=1)


def sequences(values: Any, offsets: Any) -> list[Any]:
    return np.split(values, offsets[1:-1])


def answers(net: Network | RNNClassifier, X: list[Any]) -> Any:
    return net.predict(X) if isinstance(net, Network) else net.predict_proba(X)


def write(path: Path, net: Network | RNNClassifier, values: Any, offsets: Any) -> None:
    np.savez_compressed(
        path.with_suffix(".npz"),
        values=values,
        offsets=offsets,
        predictions=answers(net, sequences(values, offsets)),
        isa=_engine.isa(),
    )


def main(version: str) -> None:
    values, offsets = data()
    X, y = sequences(values, offsets), labels(offsets)
    net: Network | RNNClassifier
    for kind in ("network", "checkpoint", "classifier"):
        path = HERE / f"{kind}-{version}.elman"
        if path.exists():
            print(f"{path} exists: files of a release are never made anew")
            continue
        if kind == "network":
            net = network("float32")
            net.freeze("0.bias")
            optimizer = AdamW(CosineDecay(0.05, 40))
            net.fit(X, y, optimizer=optimizer, epochs=5, validation_data=(X[:4], y[:4]), verbose=False)
            net.save(path)
        elif kind == "classifier":
            net = RNNClassifier((5, 4), pooling="mean", class_weight="balanced", max_iter=5, random_state=3)
            named = np.array(["rest", "walk", "run"])[y]
            net.fit(X, named, validation_data=(X[:4], named[:4]))
            net.save(path)
        else:
            net = Network([SimpleRNN(5), Dense(3, "softmax")], input_size=3, dtype="float64", seed=2)
            net.fit(X, y, epochs=4, checkpoint=path, **OPTIONS)
        write(path, net, values, offsets)


if __name__ == "__main__":
    main(sys.argv[1])
