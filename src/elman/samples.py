"""What a stream of features takes: one sample (F,) or a chunk of samples (k, F), read and checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman.sequences import Array


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
        raise TypeError(f"samples has dtype {x.dtype}, expected real numbers")
    if x.ndim != 2:
        if features == 1 and x.ndim < 2:
            x = x.reshape(-1, 1)
        elif x.ndim == 1:
            x = x[None]
    if x.ndim != 2 or x.shape[1] != features:
        raise ValueError(
            f"samples has shape {np.shape(samples)}, expected ({features},) or (k, {features}): {features} "
            f"features, as in fit"
        )
    if kind == "f" and not (np.isfinite(x).all() if not missing else not np.isinf(x).any()):
        wrong = np.isinf(x) if missing else ~np.isfinite(x)
        i, feature = np.argwhere(wrong)[0].tolist()
        raise ValueError(f"samples[{i}] has {x[i, feature]} in feature {feature}, expected finite numbers")
    return x if x.dtype == np.float32 else x.astype(np.float64, copy=False)
