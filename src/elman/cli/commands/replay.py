"""`elman replay`: a recording is sent as a Lab Streaming Layer stream, as a device would send it."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elman import reading
from elman._validation import number
from elman.cli.commands import Say
from elman.cli.commands.data import plural
from elman.cli.commands.option_names import option, option_names
from elman.data.sequences import Array
from elman.errors import ArgumentValueError
from elman.monitoring.description import Description, listed
from elman.monitoring.replay import Player
from elman.reading.parsing import shown

_LINGER = 1.0  # s that the stream stays after its last sample, so that readers get it
_TOLD = 5.0  # s between two lines of progress
_EDF = (".edf", ".bdf")


@dataclass(frozen=True)
class Recording:
    """Samples (T, F), NaN where one is missing, their rate in Hz, names and units of the channels."""

    samples: Array
    rate: float
    channels: tuple[str, ...]
    units: tuple[str, ...] = ()
    labeled: bool = True


@dataclass(frozen=True)
class Replayed:
    """What was played: ``seconds`` of the recording at ``rate`` Hz; ``ended`` is the reason of the end."""

    file: str
    stream: str
    channels: list[str]
    rate: float
    speed: float
    samples: int
    seconds: float
    ended: str


def replay(
    path: str,
    name: str,
    *,
    options: Mapping[str, Any],
    rate: float | None = None,
    only: str | None = None,
    speed: float = 1.0,
    loop: bool = False,
    seconds: float | None = None,
    wait: float = 0.0,
    kind: str = "EEG",
    damaged: str = "refuse",
    lan: bool = False,
    say: Say,
) -> Replayed:
    """Play a recording until it ends, or until Ctrl-C.

    ``options`` are those of `elman.read_sequences`. All sequences of the file are played one after the other,
    or ``only`` one, by its id or its number from 0. ``damaged`` is that of `elman.datasets.load_edf`. Only
    this machine can read the stream, with ``lan`` the network too. Errors: ValueError for a file that cannot
    be read, or has no rate if ``rate`` is None; ImportError without pylsl.
    """
    from elman.monitoring import loopback, lsl

    if not lan and not loopback.possible():
        raise ArgumentValueError(
            "--lan",
            "is not given, but on this system a stream can only be offered on every network interface",
            "--lan, if others may read the recording",
        )
    number("--speed", speed, positive=True)
    number("--wait", wait)
    if seconds is not None:
        number("--seconds", seconds, positive=True)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        recording = load(path, options, rate, only, damaged)
    for note in notes:
        say(str(note.message))
    stream = Description(
        name,
        f"elman replay {name}",
        "",
        kind,
        recording.rate * speed,
        recording.channels,
        speed,
        recording.units,
        recording.labeled,
    )
    outlet = lsl.Outlet(stream, lan=lan)
    whole = math.inf if loop else len(recording.samples)
    total = whole if seconds is None else min(whole, round(seconds * stream.rate))
    length = len(recording.samples) / recording.rate
    say(
        f"{path}: {plural(len(recording.channels), 'channel')} ({listed(recording.channels)}), "
        f"{recording.rate:g} Hz, {length:.1f} s; the stream is {name!r}, "
        + ("open to the whole network (--lan)" if lan else "open to this machine alone")
    )
    player = None
    try:
        _await(outlet, wait, say)
        player = Player(recording.samples, stream.rate, lsl.clock(), total)
        player.run(outlet, lsl.clock, _Progress(player, recording.rate, say))
        ended = "at its end" if total == whole else f"after {seconds:g} s"
        time.sleep(_LINGER)
    except KeyboardInterrupt as stop:
        ended = str(stop) or "by Ctrl-C"
    sent = 0 if player is None else player.sent
    return Replayed(
        path, name, list(recording.channels), recording.rate, speed, sent, sent / recording.rate, ended
    )


def _await(outlet: Any, wait: float, say: Say) -> None:
    """Wait for a reader, at most ``wait`` seconds."""
    end = time.monotonic() + wait
    while wait and not outlet.read():
        if time.monotonic() > end:
            say(f"nobody read it in {wait:g} s: it begins now")
            return
        time.sleep(0.01)


class _Progress:
    """Writes a line of progress every few seconds."""

    def __init__(self, player: Player, rate: float, say: Say) -> None:
        self._player, self._rate, self._say = player, rate, say
        self._next = time.monotonic() + _TOLD

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            self._next += _TOLD
            self._say(f"{self._player.sent} samples, {self._player.sent / self._rate:.1f} s of the recording")


# reading


def load(
    path: str, options: Mapping[str, Any], rate: float | None, only: str | None, damaged: str = "refuse"
) -> Recording:
    """Return a file as one recording."""
    if rate is not None:
        number("--rate", rate, positive=True)
    ending = Path(path).suffix.lower()
    edf = ending in _EDF
    if not edf and ending not in reading.ENDINGS:
        endings = ", ".join((*reading.ENDINGS, *_EDF))
        raise ValueError(f"{path!r} ends in {shown(ending)}, expected one of {endings}")
    sequences, ids, names, own, units = _edf(path, options, rate, damaged) if edf else _table(path, options)
    if only is not None:
        known = [str(i) for i in range(len(sequences))] if ids is None else list(ids)
        if only not in known:
            raise ArgumentValueError("--only", f"is {only!r}, but {path!r} has {listed(known)}")
        sequences = [x for x, one in zip(sequences, known, strict=True) if one == only]
    found = own if rate is None else rate
    if found is None:
        raise ValueError(f"{path!r} says nothing of its rate: expected --rate, samples a second")
    samples = np.concatenate(sequences)
    channels = names or [f"channel {i + 1}" for i in range(samples.shape[1])]
    return Recording(samples, found, tuple(channels), tuple(units), bool(names))


Parts = tuple[list[Array], Sequence[str] | None, Sequence[str] | None, float | None, Sequence[str]]


def _table(path: str, options: Mapping[str, Any]) -> Parts:
    with option_names():
        file = reading.read(path, **options)
    wide = file.features if file.features and len(file.features) == file.X[0].shape[1] else None
    own = _rate_within(path) if Path(path).suffix.lower() == ".npz" else None
    return file.X, file.ids, wide, own, file.units or ()


def _rate_within(path: str) -> float | None:
    """Return ``fs`` of an .npz file, None without one."""
    with np.load(path) as archive:
        if "fs" not in archive:
            return None
        value = np.asarray(archive["fs"])
    if value.size != 1 or value.dtype.kind not in "iuf":
        raise ValueError(f"{path!r}, 'fs' has dtype {value.dtype} and shape {value.shape}, expected a number")
    return number(f"{path!r}, 'fs'", value.item(), positive=True)


def _edf(path: str, options: Mapping[str, Any], rate: float | None, damaged: Any) -> Parts:
    """Read an EDF or BDF file: ``features`` are its channels, resampled to ``rate`` if it is given."""
    wrong = next((name for name in options if name != "features"), None)
    if wrong is not None:
        raise ArgumentValueError(option(wrong), "is given, but is no option for an EDF or BDF file")
    from elman.datasets import load_edf

    with option_names():
        data = load_edf(path, channels=options.get("features"), fs=rate, damaged=damaged)
    return list(data.X), None, data.description.channels, data.description.fs, data.description.units
