"""What a stream of features reads: one sample (F,) or several (k, F), checked and put into one form."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman.data.sequences import Array
from elman.errors import ArgumentTypeError, ArgumentValueError


def read_sample(sample: Any, features: int, missing: bool = False) -> Array:
    """Return one sample (F,) as (1, F), in float32 if it is float32, otherwise in float64.

    Where F is 1, a number is a sample too. ``missing`` allows NaN. Errors: TypeError for anything but an
    array of real numbers, ValueError for a wrong shape, NaN or infinity.

    >>> read_sample([1, 2], 2).shape, read_sample(3.0, 1).shape
    ((1, 2), (1, 1))
    """
    x = _numbers("sample", sample)
    if x.shape != (features,) and not (x.ndim == 0 and features == 1):
        several = "; steps takes several samples" if x.ndim == 2 else ""
        raise ArgumentValueError(
            "sample", f"has shape {x.shape}", f"({features},): {features} features, as in fit{several}"
        )
    x = x.reshape(1, features)
    if not _usable(x, missing):
        feature = int(np.argmax(_unusable(x[0], missing)))
        raise ArgumentValueError("sample", f"has {x[0, feature]} in feature {feature}", "finite numbers")
    return _real(x)


def read_samples(samples: Any, features: int, missing: bool = False) -> Array:
    """Return samples (k, F) in float32 if they are float32, otherwise in float64; not copied.

    Where F is 1, (k,) is taken too. ``missing`` allows NaN. Errors: TypeError for anything but an array of
    real numbers, ValueError for a wrong shape, NaN or infinity.

    >>> read_samples([[1, 2]], 2).shape, read_samples([1, 2], 1).shape
    ((1, 2), (2, 1))
    """
    x = _numbers("samples", samples)
    if features == 1 and x.ndim == 1:
        x = x.reshape(-1, 1)
    if x.ndim != 2 or x.shape[1] != features:
        one = "; step takes one sample" if x.ndim < 2 else ""
        raise ArgumentValueError(
            "samples",
            f"has shape {np.shape(samples)}",
            f"(k, {features}): {features} features, as in fit{one}",
        )
    if not _usable(x, missing):
        i, feature = np.argwhere(_unusable(x, missing))[0].tolist()
        raise ArgumentValueError(
            f"samples[{i}]", f"has {x[i, feature]} in feature {feature}", "finite numbers"
        )
    return _real(x)


def read_symbol(sample: Any, n: int) -> Array:
    """Return one integer below n as int64 (1, 1): a sample for an Embedding.

    Errors: TypeError for anything but an integer, ValueError for several of them or one out of range.

    >>> read_symbol(3, 5).tolist()
    [[3]]
    """
    x = _integers("sample", sample)
    if x.shape not in ((), (1,)):
        raise ArgumentValueError("sample", f"has shape {x.shape}", "an integer; steps takes several samples")
    x = x.reshape(1, 1)
    if not 0 <= x[0, 0] < n:
        raise ArgumentValueError("sample", f"is {x[0, 0]}", f"0..{n - 1} (the Embedding's n)")
    return x.astype(np.int64)


def read_symbols(samples: Any, n: int) -> Array:
    """Return integers below n, (k,) or (k, 1), as int64 (k, 1): samples for an Embedding.

    Errors: TypeError for anything but integers, ValueError for a wrong shape or an integer out of range.

    >>> read_symbols([3, 1], 5).tolist()
    [[3], [1]]
    """
    x = _integers("samples", samples)
    if x.ndim not in (1, 2) or (x.ndim == 2 and x.shape[1] != 1):
        one = "; step takes one sample" if x.ndim == 0 else ""
        raise ArgumentValueError("samples", f"has shape {x.shape}", f"(k,), one integer a step{one}")
    x = x.reshape(-1, 1)
    for i in np.flatnonzero((x < 0) | (x >= n))[:1].tolist():
        raise ArgumentValueError(f"samples[{i}]", f"is {x[i, 0]}", f"0..{n - 1} (the Embedding's n)")
    return x.astype(np.int64)


def _numbers(name: str, given: Any) -> Array:
    x = np.asarray(given)
    if x.dtype.kind not in "fiub":
        raise ArgumentTypeError(name, f"has dtype {x.dtype}", "real numbers")
    if x.dtype.itemsize > 8:  # a long double
        with np.errstate(over="ignore"):
            return x.astype(np.float64)
    return x


def _integers(name: str, given: Any) -> Array:
    x = np.asarray(given)
    if x.size and x.dtype.kind not in "iu":
        expected = "integers (the network begins with an Embedding)"
        raise ArgumentTypeError(name, f"has dtype {x.dtype}", expected)
    return x


def _usable(x: Array, missing: bool) -> bool:
    # count_nonzero is the fastest test that looks at every number.
    if x.dtype.kind != "f" or np.count_nonzero(np.isfinite(x)) == x.size:
        return True
    return missing and not np.isinf(x).any()


def _unusable(x: Array, missing: bool) -> Array:
    wrong: Array = np.isinf(x) if missing else ~np.isfinite(x)
    return wrong


def _real(x: Array) -> Array:
    return x if x.dtype == np.float32 else x.astype(np.float64, copy=False)
