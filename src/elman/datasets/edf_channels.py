"""The channels of an EDF or BDF file, by name or number, and their common rate."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from elman._validation import describe
from elman.datasets.edf_header import Header
from elman.errors import ArgumentTypeError, ArgumentValueError, Mention, MentionError
from elman.reading.parsing import listed, shown


def chosen_channels(header: Header, channels: Any, source: str) -> list[int]:
    """Return the places of the channels in the header's list of signals."""
    ordinary = [i for i, signal in enumerate(header.signals) if not signal.annotations]
    names = [header.signals[i].label for i in ordinary]
    if not ordinary:
        raise MentionError(
            f"{source} has annotations, but no signals: read its recording and give this file as ",
            Mention("annotations"),
        )
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


def common_rate(rates: Sequence[Fraction], names: Sequence[str], source: str) -> Fraction:
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


def like_first(
    header: Header, chosen: list[int], given: Any, first: Sequence[str], of: str, source: str
) -> list[int]:
    """Return the places of the channels that the first file, ``of``, has: the same names in its order."""
    names = [header.signals[i].label for i in chosen]
    if names == list(first):
        return chosen
    for name in [*(one for one in first if one not in names), *(one for one in names if one not in first)]:
        has, lacks = (of, source) if name in first else (source, of)
        raise MentionError(
            f"{lacks} has no channel {shown(name)}, which {has} has, expected the same channels in all "
            "files: choose ",
            Mention("channels", bare=True),
        )
    if given is not None or len(set(names)) < len(names):
        raise ValueError(f"{source} has the channels {listed(names)}, expected {listed(first)}, as {of}")
    return [chosen[names.index(name)] for name in first]


def check_units(
    units: Sequence[str], first: Sequence[str], names: Sequence[str], of: str, source: str
) -> None:
    """Raise ValueError if a channel has another unit than in the first file, ``of``."""
    for unit, other, name in zip(units, first, names, strict=True):
        if _plain(unit) != _plain(other):
            raise ValueError(
                f"{source}, channel {shown(name)}, is in {shown(unit)}, but in {shown(other)} in {of}, "
                "expected one unit in all files"
            )


def _plain(unit: str) -> str:
    """Return a unit with one of its spellings of micro."""
    return unit.replace("\u00b5", "u").replace("\u03bc", "u")
