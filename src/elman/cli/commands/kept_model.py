"""The file of a finished model: which data it is of, so that another training does not replace it unasked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from elman.cli.commands.data import Data
from elman.data.feature_names import known_of
from elman.estimators import files
from elman.model import file

_KEY = "data"  # of the spec: beside what `elman.load` reads


def save(estimator: Any, model: str, data: Data) -> None:
    """Write a fitted estimator as its own ``save`` does, with a checksum of what it was trained on."""
    spec, arrays = files.pack_fitted(estimator)
    file.write(model, spec | {_KEY: checksum(data)}, arrays)


def replaces(model: str, data: Data, restart: bool) -> str:
    """Return a note on what training on some data will replace, "" for nothing or a model of the same data.

    ValueError for any other file, unless ``restart`` allows it.
    """
    if not Path(model).exists() or not Path(model).stat().st_size:
        return ""
    try:
        kept = file.read(model)[0].get(_KEY)
    except ValueError:
        what = "is no model of elman's"
    else:
        if kept == checksum(data):
            return ""
        what = "is a finished model of other data"
        if kept is None:
            what = "is a finished model that does not say of which data"
    if restart:
        return f"{model} {what}: it is replaced"
    raise ValueError(f"{model!r} {what}: --restart replaces it, another --model keeps it")


def checksum(data: Data) -> str:
    """Return a checksum of sequences, labels and names of features: other data give another one.

    >>> from elman.cli.commands.data import Data
    >>> a, b = (Data("a.csv", [np.zeros((steps, 1))], np.array(["x"]), None) for steps in (2, 3))
    >>> checksum(a) == checksum(a), checksum(a) == checksum(b)
    (True, False)
    """
    digest = hashlib.blake2b(digest_size=16)
    known = known_of(data.X[0])
    if known.known:  # the same numbers under other names make another model
        digest.update(repr((known.names, known.units)).encode())
    y = data.labels()
    labels = y if isinstance(y, list) else [y]
    # As numbers, a label is the same whether the task takes it for a class or not.
    labels = [part.astype(np.float64) if part.dtype.kind in "iuf" else part for part in labels]
    for array in [*data.X, *labels]:
        digest.update(f"{array.shape} {array.dtype.str}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data if array.size else b"")
    return digest.hexdigest()
