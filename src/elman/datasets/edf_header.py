"""Headers of EDF and BDF files: a file whose size or content contradicts its header is refused.

edfio, which reads the samples, is lenient: it corrects inconsistencies and skips annotations that it cannot
read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from elman.reading.parsing import shown

_FIXED = 256  # bytes of the header, and again for each signal
# The fields of each signal, in their order: first all labels, then all transducers, ...
_FIELDS = (
    ("label", 16),
    ("transducer", 80),
    ("unit", 8),
    ("physical_min", 8),
    ("physical_max", 8),
    ("digital_min", 8),
    ("digital_max", 8),
    ("prefiltering", 80),
    ("samples", 8),
    ("reserved", 32),
)
_LARGEST = 10**30  # of physical values, which are float32 in the end
_INTEGER = re.compile(r"[+-]?[0-9]{1,8}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal of the header: its name, unit, samples in a data record, and where they begin in it."""

    label: str
    unit: str
    samples: int
    place: int  # bytes
    annotations: bool
    problem: str  # why its samples have no physical values, or ""


@dataclass(frozen=True, slots=True)
class Header:
    """A header of ``size`` bytes; ``records`` data records of ``duration`` s and ``record`` bytes follow."""

    bdf: bool
    interrupted: bool
    size: int
    records: int
    record: int
    duration: Fraction
    signals: tuple[Signal, ...]


def read_header(content: bytes, source: str) -> Header:
    """Return the header of an EDF or BDF file; the size of the file must agree with it.

    Source: Kemp et al., Electroencephalogr. Clin. Neurophysiol. 82, 391 (1992); EDF+: Kemp and Olivan, Clin.
    Neurophysiol. 114, 1755 (2003).
    """
    bdf = content[:8] == b"\xffBIOSEMI"
    if not bdf and content[:8] != b"0       ":
        begin = shown(content[:8].decode("latin-1"))
        raise ValueError(f"{source} is no EDF or BDF file: it begins with {begin}")
    if len(content) < _FIXED:
        raise ValueError(f"{source} ends after {len(content)} bytes, within its header")

    def text(start: int, length: int) -> str:
        return content[start : start + length].decode("latin-1").strip(" \0")

    def whole(name: str, start: int, length: int) -> int:
        value = text(start, length)
        if not _INTEGER.fullmatch(value):
            raise ValueError(f"{source}: {name} is {shown(value)}, expected an integer")
        return int(value)

    size = whole("the length of the header", 184, 8)
    records = whole("the number of data records", 236, 8)
    duration = _decimal(text(244, 8))
    count = whole("the number of signals", 252, 4)
    if count < 1 or size != _FIXED * (count + 1):
        raise ValueError(
            f"{source} has {count} signals and a header of {size} bytes, expected {_FIXED} and again as many "
            f"for each signal"
        )
    if len(content) < size:
        raise ValueError(f"{source} ends after {len(content)} bytes, within its header of {size}")
    if duration is None or duration < 0:
        raise ValueError(f"{source}: a data record takes {shown(text(244, 8))} s, expected a number above 0")
    fields: list[dict[str, str]] = [{} for _ in range(count)]
    at = _FIXED
    special = f"{'BDF' if bdf else 'EDF'} Annotations"
    names = [content[at + 16 * i : at + 16 * i + 16].rstrip().decode("latin-1") for i in range(count)]
    for name, length in _FIELDS:
        for field in fields:
            field[name] = text(at, length)
            at += length
    signals: list[Signal] = []
    place, width = 0, 3 if bdf else 2
    for i, field in enumerate(fields, 1):
        samples = int(field["samples"]) if _INTEGER.fullmatch(field["samples"]) else 0
        if samples < 1:
            raise ValueError(
                f"{source}, signal {i}, {shown(field['label'])}: the number of samples in a data record is "
                f"{shown(field['samples'])}, expected an integer above 0"
            )
        annotations = names[i - 1] == special  # as edfio has it: with blanks before, it is another name
        problem = "" if annotations else _problem(field)
        signals.append(Signal(field["label"], field["unit"], samples, place, annotations, problem))
        place += samples * width
    if duration == 0 and not all(signal.annotations for signal in signals):
        raise ValueError(f"{source}: a data record takes 0 s, expected a number above 0")
    found, rest = divmod(len(content) - size, place)
    if records == -1 and not rest:  # a recorder that was stopped in the middle leaves -1
        records = found
    if rest or found != records:
        raise ValueError(
            f"{source} has {len(content)} bytes, expected {size + max(records, 0) * place} by its header, "
            f"{records} data records of {place} bytes after {size}: it is truncated or damaged"
        )
    if not records:
        raise ValueError(f"{source} has no data records")
    interrupted = text(192, 44)[:5] in ("EDF+D", "BDF+D")
    return Header(bdf, interrupted, size, records, place, duration, tuple(signals))


def _decimal(text: str) -> Fraction | None:
    return Fraction(text) if _DECIMAL.fullmatch(text) else None


def _problem(field: dict[str, str]) -> str:
    """Return why samples cannot be converted to physical values, or ""."""
    low, high = _decimal(field["physical_min"]), _decimal(field["physical_max"])
    if low is None or high is None or low == high or max(abs(low), abs(high)) > _LARGEST:
        what, least, most = "physical", field["physical_min"], field["physical_max"]
    else:
        what, least, most = "digital", field["digital_min"], field["digital_max"]
        if _INTEGER.fullmatch(least) and _INTEGER.fullmatch(most) and int(least) < int(most):
            return ""
    return f"its {what} range is {shown(least)} to {shown(most)}"
