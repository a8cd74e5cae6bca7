"""The description of a stream: its name, rate and channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
    """The description of a stream.

    ``rate`` is in Hz of the time stamps, 0 if they are irregular. ``speed`` is the seconds of signal in one
    second, above 1 where `elman replay` plays faster. ``channels`` are labels, or names like "channel 1" if
    the stream is not ``labeled``; ``units`` are theirs, "" where one is unknown, or () if all are.
    """

    name: str
    source_id: str
    host: str
    kind: str
    rate: float
    channels: tuple[str, ...]
    speed: float = 1.0
    units: tuple[str, ...] = ()
    labeled: bool = True

    def __str__(self) -> str:
        count = len(self.channels)
        rate = f"{self.rate / self.speed:g} Hz" if self.rate else "no fixed rate"
        faster = "" if self.speed == 1.0 else f", {self.speed:g} times as fast"
        return f"{self.name} from {self.host}, {count} channel{'' if count == 1 else 's'}, {rate}{faster}"


def listed(names: Sequence[str]) -> str:
    """Return the first few names, for a message.

    >>> listed(["Fp1", "Fp2", "F3", "F4", "C3"])
    'Fp1, Fp2, F3, F4, ...'
    """
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
