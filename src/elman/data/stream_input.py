"""What a stream of features takes: one sample (F,) or a chunk of samples (k, F), read and checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman.data.sequences import Array
from elman.errors import ArgumentTypeError, ArgumentValueError


def read_samples(samples: Any, features: int, missing: bool = False) -> Array:
    """Return samples (F,) or (k, F) as (k, F) in float32 if they are, otherwise float64; not copied.

    Where F is 1, (k,) and a number are samples too. ``missing`` lets NaN pass. Errors: TypeError for what is
    no array of real numbers, ValueError for a wrong size, NaN or infinity.

    >>> read_samples([1, 2], 2).shape, read_samples([1, 2], 1).shape
    ((1, 2), (2, 1))
    """
    x = np.asarray(samples)
    kind = x.dtype.kind
    if kind not in "fiub":
        raise ArgumentTypeError("samples", f"has dtype {x.dtype}", "real numbers")
    if x.ndim != 2:
        if features == 1 and x.ndim < 2:
            x = x.reshape(-1, 1)
        elif x.ndim == 1:
            x = x[None]
    if x.ndim != 2 or x.shape[1] != features:
        raise ArgumentValueError(
            "samples",
            f"has shape {np.shape(samples)}",
            f"({features},) or (k, {features}): {features} features, as in fit",
        )
    # count_nonzero is the fastest of what looks at every number.
    if kind == "f" and np.count_nonzero(np.isfinite(x)) < x.size and (not missing or np.isinf(x).any()):
        wrong = np.isinf(x) if missing else ~np.isfinite(x)
        i, feature = np.argwhere(wrong)[0].tolist()
        raise ArgumentValueError(
            f"samples[{i}]", f"has {x[i, feature]} in feature {feature}", "finite numbers"
        )
    return x if x.dtype == np.float32 else x.astype(np.float64, copy=False)


def read_symbols(samples: Any, n: int) -> Array:
    """Return integers below n, a number, (k,) or (k, 1), as int64 (k, 1): samples for an Embedding.

    Errors: TypeError for what are no integers, ValueError for a wrong size or an integer out of range.

    >>> read_symbols([3, 1], 5).tolist()
    [[3], [1]]
    """
    x = np.asarray(samples)
    if x.size and x.dtype.kind not in "iu":
        expected = "integers (the network begins with an Embedding)"
        raise ArgumentTypeError("samples", f"has dtype {x.dtype}", expected)
    if x.ndim > 2 or (x.ndim == 2 and x.shape[1] != 1):
        raise ArgumentValueError("samples", f"has shape {x.shape}", "(k,), one integer a step")
    x = x.reshape(-1, 1)
    for i in np.flatnonzero((x < 0) | (x >= n))[:1].tolist():
        raise ArgumentValueError(f"samples[{i}]", f"is {x[i, 0]}", f"0..{n - 1} (the Embedding's n)")
    return x.astype(np.int64)
