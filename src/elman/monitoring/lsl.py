"""Lab Streaming Layer, the only module that imports pylsl: `Source` reads a stream, `Outlet` makes one.

Time stamps are in seconds of this machine's LSL clock, `clock`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from elman.data.sequences import Array
from elman.errors import ArgumentValueError
from elman.monitoring import loopback
from elman.monitoring.description import Description

try:
    import pylsl
    from pylsl.util import LostError
    from pylsl.util import TimeoutError as Expired
except ModuleNotFoundError as error:
    if error.name != "pylsl":
        raise
    raise ImportError('Lab Streaming Layer needs pylsl: pip install "elman[eeg]"') from None

_FORMATS = {1: "f4", 2: "f8", 4: "i4", 5: "i2", 6: "i1", 7: "i8"}  # 3 is text
_BLOCK = 1024  # samples that are fetched at a time
_SETTLE = 0.5  # s: other streams of the same name show themselves in that time
_FORGET = 5.0  # s after which a stream without an answer is forgotten
_SILENCE = 5.0  # s without a sample before the network is searched again
_BUFFER = 360  # s that either end keeps while the other is busy


def _configure() -> None:
    """Keep liblsl's own log off the terminal, and find streams that are kept on this machine.

    Multicast does not reach them, and not every liblsl asks at all ports of 127.0.0.1 by itself. The other
    settings stay those of the user's file.
    """
    places = (
        os.environ.get("LSLAPICFG"),
        "lsl_api.cfg",
        Path.home() / "lsl_api" / "lsl_api.cfg",
        "/etc/lsl_api/lsl_api.cfg",
    )
    found = next((Path(place) for place in places if place and Path(place).is_file()), None)
    text = "" if found is None else found.read_text(encoding="utf-8", errors="replace")
    own = "" if "KnownPeers" in text else "[lab]\nKnownPeers = {127.0.0.1}\n"
    own += "" if "[log]" in text else "[log]\nlevel = -3\n"
    if own and hasattr(pylsl, "set_config_content"):
        pylsl.set_config_content(f"{text}\n{own}")


_configure()


def clock() -> float:
    """Return the time of the LSL clock, in seconds from an arbitrary start."""
    return float(pylsl.local_clock())


class Chunk(NamedTuple):
    """Samples (k, F), their stamps (k,), and whether the stamps are known to be of this machine's clock."""

    samples: Array
    stamps: Array
    timed: bool


class Source:
    """A stream that is found by its name, read, and found again when it is lost.

    ``check`` is called with the `Description` of a stream before it is read. A ValueError from it is raised
    for the first stream; a later stream is not read then, and ``say`` gets the reason. ``say`` also gets a
    note when the stream is lost.

    Attributes
    ----------
    description : Description or None
        The description of the stream that is read, or was read last.
    connected : bool
    connections : int
    """

    def __init__(
        self,
        name: str,
        source_id: str | None,
        check: Callable[[Description], None],
        say: Callable[[str], None],
    ) -> None:
        self.name = name
        self.description: Description | None = None
        self.connections = 0
        self._wanted = source_id
        self._check, self._say = check, say
        self._predicate = f"name={_quoted('--lsl', name)}"
        if source_id is not None:
            self._predicate += f" and source_id={_quoted('--source', source_id)}"
        self._inlet: Any = None
        self._resolver: Any = None
        self._offset: float | None = None
        self._uid = self._refused = ""
        self._heard = clock()
        self._asked = 0.0

    @property
    def connected(self) -> bool:
        """Whether a stream is read."""
        return self._inlet is not None

    def pull(self, timeout: float) -> Chunk | None:
        """Return what has arrived, after waiting ``timeout`` seconds for it at most; None for nothing."""
        if self._inlet is None:
            self._seek(timeout)
            return None
        try:
            sample, stamp = self._inlet.pull_sample(timeout)
            if sample is None:
                self._suspect()
                return None
        except LostError:
            self._lose("is lost")
            return None
        samples, stamps = [np.array([sample], self._buffer.dtype)], [stamp]
        with contextlib.suppress(
            LostError
        ):  # the samples before it are kept; the next pull meets the loss again
            while True:
                _, more = self._inlet.pull_chunk(0.0, _BLOCK, self._buffer)
                samples.append(self._buffer[: len(more)].copy())
                stamps += more
                if len(more) < _BLOCK:
                    break
        self._heard, self._resolver = clock(), None
        self._correct(0.0)
        return Chunk(
            np.concatenate(samples).astype(np.float64),
            np.array(stamps) + (self._offset or 0.0),
            self._offset is not None,
        )

    def close(self) -> None:
        """Close the stream."""
        self._inlet = self._resolver = None

    # finding

    def _found(self) -> list[Any]:
        """Return the streams in the network now, the newest first."""
        if self._resolver is None:
            self._resolver = pylsl.ContinuousResolver(pred=self._predicate, forget_after=_FORGET)
        infos = list(self._resolver.results())
        return sorted(infos, key=lambda info: -info.created_at())

    def _seek(self, timeout: float) -> None:
        infos = self._found()
        if infos and self.description is None:
            time.sleep(_SETTLE)
            infos = self._found()
            ids = sorted({info.source_id() for info in infos})
            if len(ids) > 1:
                raise ValueError(
                    f"{len(ids)} streams are called {self.name!r}, from the sources "
                    f"{', '.join(map(repr, ids))}: expected one, choose with --source"
                )
        elif infos and self.description is not None:
            same = [info for info in infos if info.source_id() == self.description.source_id]
            infos = same or infos
            # The one that was lost may still be remembered, or may really be there.
            infos.sort(key=lambda info: info.uid() == self._uid)
        for info in infos:
            if info.uid() != self._refused and self._connect(info):
                return
        time.sleep(min(timeout, 0.1))

    def _connect(self, info: Any) -> bool:
        """Open a stream, and return whether it is open."""
        # recover=False: a stream that liblsl finds again by itself would be neither checked nor announced.
        inlet = pylsl.StreamInlet(info, _BUFFER, recover=False)
        try:
            description = _described(inlet.info(timeout=5.0))
            try:
                self._check(description)
            except ValueError as error:
                if self.description is None:
                    raise
                self._refused = info.uid()
                self._say(f"{error}; waiting for another")
                return False
            before = self.description
            self._asked = 0.0
            if before is None or before.host != description.host:  # another clock
                self._offset = None
                self._correct(2.0, inlet)
            inlet.open_stream(timeout=5.0)
        except (LostError, Expired):  # it has just gone, or was only remembered
            return False
        self._buffer = np.empty((_BLOCK, len(description.channels)), _FORMATS[info.channel_format()])
        self._inlet, self._resolver = inlet, None
        self.description, self._uid, self._heard = description, info.uid(), clock()
        self.connections += 1
        return True

    def _correct(self, timeout: float, inlet: Any = None) -> None:
        """Measure the offset between the clocks of the two machines, every two seconds."""
        now = clock()
        if now - self._asked < 2.0:
            return
        self._asked = now
        # Otherwise the offset stays as it was; a lost stream is noticed where samples are read.
        with contextlib.suppress(LostError, Expired):
            self._offset = float((inlet or self._inlet).time_correction(timeout))

    # losing

    def _suspect(self) -> None:
        """Look for the stream under a new address if it has been silent for some seconds."""
        rate = 0.0 if self.description is None else self.description.rate
        patience = max(_SILENCE, 5.0 / rate if rate else 0.0)
        silent = clock() - self._heard
        if silent < patience:
            return
        known = self._found()
        if any(info.uid() != self._uid for info in known) and silent > patience + 1.0:
            self._lose("was silent, and there is a new one")
        elif not known and silent > patience + _FORGET:
            self._lose("does not answer")

    def _lose(self, why: str) -> None:
        self._inlet = None
        self._say(f"stream {self.name!r} {why}; looking for it")


class Outlet:
    """A stream of float32 samples that others can find by its name, as `elman replay` makes it.

    It is open to this machine alone, or with ``lan`` to all that reach one of its network interfaces. OSError
    where liblsl cannot be kept from that.
    """

    def __init__(self, description: Description, unit: str = "", *, lan: bool = False) -> None:
        rate = description.rate
        info = pylsl.StreamInfo(
            description.name,
            description.kind,
            len(description.channels),
            rate,
            "float32",
            description.source_id,
        )
        channels = info.desc().append_child("channels")
        units = description.units or (unit,) * len(description.channels)
        for label, own in zip(description.channels, units, strict=True):
            channel = channels.append_child("channel")
            channel.append_child_value("label", label if description.labeled else "")
            channel.append_child_value("unit", own)
            channel.append_child_value("type", description.kind)
        info.desc().append_child("elman").append_child_value("speed", repr(description.speed))
        before = None if lan else loopback.sockets()
        self._outlet = pylsl.StreamOutlet(info, 0, _BUFFER)
        if before is not None:
            try:
                loopback.confine(before)
            except OSError:
                del self._outlet
                raise

    def push(self, samples: Array, stamps: Array) -> None:
        """Send samples (k, F) with their stamps (k,)."""
        self._outlet.push_chunk(np.ascontiguousarray(samples, np.float32), stamps.tolist())

    def read(self) -> bool:
        """Whether the stream has a reader."""
        return bool(self._outlet.have_consumers())


def _described(info: Any) -> Description:
    """Return the description of a stream; ValueError for a stream of text."""
    name, count = info.name(), info.channel_count()
    if info.channel_format() not in _FORMATS:
        raise ValueError(f"stream {name!r} carries text (markers), expected numbers")
    labels, units = [], []
    channel = info.desc().child("channels").child("channel")
    while not channel.empty():
        labels.append(channel.child_value("label"))
        units.append(channel.child_value("unit"))
        channel = channel.next_sibling("channel")
    labeled = len(labels) == count and all(labels)
    if not labeled:
        labels = [f"channel {i + 1}" for i in range(count)]
    try:
        speed = float(info.desc().child("elman").child_value("speed"))
    except ValueError:  # any other stream
        speed = 1.0
    return Description(
        name,
        info.source_id(),
        info.hostname(),
        info.type(),
        info.nominal_srate(),
        tuple(labels),
        speed if 0.0 < speed < np.inf else 1.0,
        tuple(units) if len(units) == count and any(units) else (),
        labeled,
    )


def _quoted(option: str, text: str) -> str:
    """Return a text in quotes of XPath 1.0, the query language of LSL."""
    if not text or ("'" in text and '"' in text):
        raise ArgumentValueError(option, f"is {text!r}", "a name with no more than one kind of quotes")
    return f'"{text}"' if "'" in text else f"'{text}'"
