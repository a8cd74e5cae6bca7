"""The samples of an EDF or BDF file, in physical units and at one rate; edfio reads them."""

from __future__ import annotations

import io
import math
import warnings
from fractions import Fraction
from typing import Any

import numpy as np

from elman.data.sequences import Array
from elman.datasets.edf_header import Header, repaired
from elman.errors import ArgumentValueError
from elman.reading.parsing import reason, shown

_LARGEST_RATIO = 100_000  # of a change of rate, whose filter is twenty times as long


def read_samples(
    content: bytes,
    header: Header,
    chosen: list[int],
    rate: Fraction,
    parts: list[tuple[int, int]],
    source: str,
) -> tuple[Array, list[int]]:
    """Return the channels as one array (N, F) at the given rate, and the steps of each part."""
    steps = [math.ceil((last - first) * header.duration * rate) for first, last in parts]
    signals = _signals(content, header, source)
    ratios = [_ratio(rate, header, i, source) for i in chosen]
    values = np.empty((sum(steps), len(chosen)), np.float32)
    for column, (i, ratio) in enumerate(zip(chosen, ratios, strict=True)):
        samples, at = header.signals[i].samples, 0
        try:
            whole = signals[i].data
        except Exception as error:
            name = shown(header.signals[i].label)
            raise ValueError(f"{source}, channel {name} cannot be read: {reason(error)}") from None
        for (first, last), length in zip(parts, steps, strict=True):
            values[at : at + length, column] = _resampled(whole[first * samples : last * samples], ratio)
            at += length
    return values, steps


def _ratio(rate: Fraction, header: Header, i: int, source: str) -> Fraction:
    own = header.signals[i].samples / header.duration
    ratio = rate / own
    if max(ratio.numerator, ratio.denominator) > _LARGEST_RATIO:
        raise ArgumentValueError(
            "fs",
            f"is {float(rate)}, {ratio} of the {float(own):g} Hz of channel {shown(header.signals[i].label)} "
            f"of {source}",
            f"integers up to {_LARGEST_RATIO} in it",
        )
    return ratio


def _signals(content: bytes, header: Header, source: str) -> dict[int, Any]:
    """Return edfio's signals by their places in the header."""
    try:
        import edfio
    except ImportError as error:
        raise ImportError('reading EDF and BDF needs edfio: pip install "elman[eeg]"') from error
    try:
        read = edfio.read_bdf if header.bdf else edfio.read_edf
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a number of data records that is -1, which is known
            signals = read(io.BytesIO(repaired(content, header))).signals
    except Exception as error:
        raise ValueError(f"{source} cannot be read: {reason(error)}") from None
    places = [i for i, signal in enumerate(header.signals) if not signal.annotations]
    return dict(zip(places, signals, strict=True))


def _resampled(x: Array, ratio: Fraction) -> Array:
    """Return x at ``ratio`` times its rate; a straight line stays a straight line, up to its ends."""
    if ratio == 1:
        return x
    from scipy.signal import resample_poly

    resampled: Array = resample_poly(x, ratio.numerator, ratio.denominator, padtype="line")
    return resampled
