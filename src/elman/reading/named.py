"""The names, units and rate that a file gives to the features of its sequences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from elman.data.feature_names import Features, named
from elman.reading.parsing import SequenceFile

_TEXTS = ("feature_names", "feature_units")


def with_names(file: SequenceFile) -> SequenceFile:
    """Return a file whose sequences carry what it says of their features."""
    width = file.X[0].shape[1]
    names = None if file.features is None or len(file.features) != width else tuple(file.features)
    known = Features(names, None if file.units is None else tuple(file.units), file.rate)
    return replace(file, X=[named(x, known) for x in file.X]) if known.known else file


def of_archive(archive: Any, width: int) -> dict[str, Any]:
    """Return what an .npz file says of its F = ``width`` features, as arguments of `SequenceFile`.

    The keys are ``feature_names`` and ``feature_units``, (F,) strings, and ``fs``, the rate in Hz.
    """
    found = {}
    for key in _TEXTS:
        if key in archive.entries:
            texts = archive.array(key)
            if texts.shape != (width,) or texts.dtype.kind != "U":
                came = f"shape {texts.shape} and dtype {texts.dtype}"
                raise ValueError(f"{archive.source}, {key!r} has {came}, expected {width} strings")
            found[key] = texts.tolist()
    rate = archive.array("fs") if "fs" in archive.entries else None
    fixed = rate is not None and rate.size == 1 and rate.dtype.kind in "iuf"
    value = float(rate.item()) if rate is not None and fixed else 0.0
    return {
        "features": found.get("feature_names"),
        "units": found.get("feature_units"),
        "rate": value if np.isfinite(value) and value > 0.0 else None,  # `elman replay` refuses others
    }
