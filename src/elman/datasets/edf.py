"""EDF and BDF, the common formats of EEG and sleep recordings."""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, overload

import numpy as np

from elman._validation import as_text, describe, number
from elman.data.sequences import Array, Sequences
from elman.datasets.dataset import Dataset, Description
from elman.datasets.edf_annotations import Labels, read_annotations
from elman.datasets.edf_header import Header, read_header
from elman.errors import ArgumentTypeError, ArgumentValueError, Mention, MentionError
from elman.reading.parsing import listed, reason, shown
from elman.reading.paths import check_file

_LARGEST_RATIO = 100_000  # of a change of rate, whose filter is twenty times as long


@overload
def load_edf(
    path: str | os.PathLike[str],
    *,
    channels: Sequence[str | int] | None = None,
    fs: float | None = None,
    labels: None = None,
    other: Any = 0,
) -> Dataset[None]: ...
@overload
def load_edf(
    path: str | os.PathLike[str],
    *,
    channels: Sequence[str | int] | None = None,
    fs: float | None = None,
    labels: Mapping[Any, Any],
    other: Any = 0,
) -> Dataset[list[Array]]: ...
def load_edf(
    path: str | os.PathLike[str],
    *,
    channels: Sequence[str | int] | None = None,
    fs: float | None = None,
    labels: Mapping[Any, Any] | None = None,
    other: Any = 0,
) -> Dataset[list[Array]] | Dataset[None]:
    """Return the signals of an EDF, EDF+, BDF or BDF+ file, and labels from its annotations.

    Shapes: X float32 (T, F) in physical units, one sequence. A recording with interruptions (EDF+D) gives
    several, all with the file's name in ``description.ids``. y is None without ``labels``, otherwise a list
    of (T,) for each sequence, one label per step. ``description`` has the names and units of the channels and
    all annotations.

    Parameters
    ----------
    path : str or os.PathLike
        The format is decided by the content of the file, not by its extension.
    channels : list or None
        Names as in the file, such as "EEG Fp1", or numbers from 1; None takes all signals.
    fs : float or None
        All channels are resampled to this rate in Hz (`scipy.signal.resample_poly`: low-pass, no delay). None
        keeps the common rate of the channels, which must be the same for all.
    labels : mapping or None
        Maps the text of an annotation to the label of the steps it covers, such as ``{"seizure": 1}``, or two
        texts to the label of the steps between them, ``{("onset", "end"): 1}``; if the second is missing, to
        the end of the recording. Texts must match the file exactly; other annotations are ignored. An
        annotation without a duration labels the one step that it lies in.
    other : label
        The label of all other steps.

    Raises
    ------
    ValueError
        If the file is truncated, damaged or of another format; if channels are unknown, have no physical
        range or different rates (without ``fs``); if two annotations give a step different labels.
    TypeError, OSError
        For a path of a wrong type, and for files that cannot be opened.
    ImportError
        If edfio is not installed (extra ``eeg``).

    Source: Kemp et al., Electroencephalogr. Clin. Neurophysiol. 82, 391 (1992); EDF+: Kemp and Olivan, Clin.
    Neurophysiol. 114, 1755 (2003).
    """
    text = as_text(path)
    source = repr(text)
    rate = None if fs is None else Fraction(repr(number("fs", fs, positive=True)))
    labeling = None if labels is None else Labels(labels, other)
    check_file(text, source)
    try:
        return _load(text, source, channels, rate, labeling)
    except MemoryError:
        raise ValueError(f"{source} needs more memory than there is") from None


def _load(
    path: str, source: str, channels: Any, rate: Fraction | None, labeling: Labels | None
) -> Dataset[list[Array]] | Dataset[None]:
    content = Path(path).read_bytes()
    header = read_header(content, source)
    starts, annotations = read_annotations(content, header, source)
    chosen = _chosen(header, channels, source)
    rates = [header.signals[i].samples / header.duration for i in chosen]
    if rate is None:
        rate = _common(rates, [header.signals[i].label for i in chosen], source)
    parts = _parts(starts, header, max(rates), source)
    values, lengths = _values(content, header, chosen, rate, parts, source)
    y: Any = None
    if labeling is not None:
        intervals = labeling.intervals(annotations, float(starts[-1] + header.duration))
        y = [
            labeling.steps(intervals, float(starts[first]), float(rate), steps, source)
            for (first, _), steps in zip(parts, lengths, strict=True)
        ]
    seconds = float(header.records * header.duration)
    description = Description(
        text=f"{Path(path).name}: {len(chosen)} of its channels, {seconds:g} s at {float(rate):g} Hz",
        fs=float(rate),
        channels=tuple(header.signals[i].label for i in chosen),
        ids=(Path(path).stem,) * len(lengths),
        units=tuple(header.signals[i].unit for i in chosen),
        annotations=annotations,
    )
    return Dataset(Sequences(values, np.cumsum([0, *lengths])), y, description)


def _chosen(header: Header, channels: Any, source: str) -> list[int]:
    """Return the places of the channels in the header's list of signals."""
    ordinary = [i for i, signal in enumerate(header.signals) if not signal.annotations]
    names = [header.signals[i].label for i in ordinary]
    if not ordinary:
        raise ValueError(f"{source} has annotations, but no signals")
    if channels is None:
        found = ordinary
    else:
        if not isinstance(channels, (list, tuple)):
            raise ArgumentTypeError("channels", f"is {describe(channels)}", "a list of names or numbers")
        found = [ordinary[_place(channel, names, source)] for channel in channels]
        if not found or len(set(found)) < len(found):
            raise ArgumentValueError(
                "channels", f"is {describe(channels)}", "at least one channel, each once"
            )
    for i in found:
        if header.signals[i].problem:
            raise MentionError(
                f"{source}, channel {shown(header.signals[i].label)}: {header.signals[i].problem}, expected "
                f"two numbers, the lower one first (",
                Mention("channels"),
                " can leave it out)",
            )
    return found


def _place(channel: Any, names: list[str], source: str) -> int:
    if isinstance(channel, int) and not isinstance(channel, bool):
        if 1 <= channel <= len(names):
            return channel - 1
        raise ValueError(f"{source} has no channel {channel}, expected 1 to {len(names)}")
    if not isinstance(channel, str):
        raise ArgumentTypeError("channels", f"has {describe(channel)}", "names or numbers of channels")
    count = names.count(channel)
    if count > 1:
        numbers = " and ".join(str(i) for i, name in enumerate(names, 1) if name == channel)
        raise ValueError(f"{source} has {count} channels {shown(channel)}: choose by number, {numbers}")
    if not count:
        raise ValueError(f"{source} has no channel {shown(channel)}, expected one of {listed(names)}")
    return names.index(channel)


def _common(rates: list[Fraction], names: list[str], source: str) -> Fraction:
    """Return the one rate of all channels."""
    for rate, name in zip(rates, names, strict=True):
        if rate != rates[0]:
            raise MentionError(
                f"{source}: channel {shown(names[0])} has {float(rates[0]):g} Hz and {shown(name)} "
                f"{float(rate):g} Hz, expected one rate: give ",
                Mention("fs", bare=True),
                ", or choose ",
                Mention("channels", bare=True),
            )
    return rates[0]


def _parts(starts: list[Fraction], header: Header, rate: Fraction, source: str) -> list[tuple[int, int]]:
    """Return first and last + 1 data record of each part without a gap."""
    if not header.interrupted:
        return [(0, header.records)]
    bounds = [0]
    for i in range(1, header.records):
        gap = starts[i] - starts[i - 1] - header.duration
        if abs(gap) * rate > Fraction(1, 2):
            if gap < 0:
                raise ValueError(f"{source}: data record {i + 1} begins before record {i} has ended")
            bounds.append(i)
    return list(zip(bounds, [*bounds[1:], header.records], strict=True))


def _values(
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
            signals = read(io.BytesIO(content)).signals
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
