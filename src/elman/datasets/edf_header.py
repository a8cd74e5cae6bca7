"""Headers of EDF and BDF files: what contradicts the size or the content of its file is refused, or noted.

edfio, which reads the samples, is lenient: it corrects inconsistencies and skips annotations that it cannot
read. So it gets a file whose header is right (`repaired`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from elman.errors import Mention, MentionError
from elman.reading.parsing import shown

_FIXED = 256  # bytes of the header, and again for each signal
LARGEST_HEADER = _FIXED * (1 + 9999)
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
_RANGES = (_FIXED, 16 + 80 + 8, 8 + 8)  # the physical ranges: after so many bytes, and so many of each signal
_LARGEST = 10**30  # of physical values, which are float32 in the end
_INTEGER = re.compile(r"[+-]?[0-9]{1,8}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


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
    """A header of ``size`` bytes; ``records`` data records of ``duration`` s and ``record`` bytes follow.

    ``start`` is the date and the time in the header, None if they are no date; ``notes`` are sentences about
    what was read otherwise than it stands in the header.
    """

    bdf: bool
    kind: str  # EDF, EDF+C, EDF+D, BDF, BDF+C, BDF+D
    size: int
    records: int
    record: int
    duration: Fraction
    signals: tuple[Signal, ...]
    start: datetime | None
    notes: tuple[str, ...]

    @property
    def interrupted(self) -> bool:
        return self.kind.endswith("D")


def is_edf(content: bytes) -> bool:
    """Whether a file begins as EDF and BDF do."""
    return content[:8] in (b"0       ", b"\xffBIOSEMI")


def annotations_alone(path: str) -> bool:
    """Whether a file has annotations and no signals, such as the stages of a night."""
    with Path(path).open("rb") as file:
        content = file.read(LARGEST_HEADER)
    count = content[252:256].strip(b" \0")
    if not is_edf(content) or not count.isdigit() or not int(count):
        return False
    labels = {content[_FIXED + 16 * i : _FIXED + 16 * (i + 1)].rstrip() for i in range(int(count))}
    return labels <= {b"EDF Annotations", b"BDF Annotations"}


def read_header(content: bytes, length: int, source: str, damaged: bool = False) -> Header:
    """Return the header of an EDF or BDF file of ``length`` bytes, which begins with ``content``.

    The length must agree with the header. With ``damaged``, the whole data records that the header announces
    are read, and a note says what is wrong.

    Source: Kemp et al., Electroencephalogr. Clin. Neurophysiol. 82, 391 (1992); EDF+: Kemp and Olivan, Clin.
    Neurophysiol. 114, 1755 (2003).
    """
    bdf = content[:8] == b"\xffBIOSEMI"
    if not is_edf(content):
        begin = shown(content[:8].decode("latin-1"))
        raise ValueError(f"{source} is no EDF or BDF file: it begins with {begin}")
    if length < _FIXED:
        raise ValueError(f"{source} ends after {length} bytes, within its header")

    def text(start: int, width: int) -> str:
        return decoded(content[start : start + width]).strip(" \0")

    def whole(name: str, start: int, width: int) -> int:
        value = text(start, width)
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
    if length < size:
        raise ValueError(f"{source} ends after {length} bytes, within its header of {size}")
    if duration is None or duration < 0:
        raise ValueError(f"{source}: a data record takes {shown(text(244, 8))} s, expected a number above 0")
    signals = _signals(content, count, bdf, source)
    if duration == 0 and not all(signal.annotations for signal in signals):
        raise ValueError(f"{source}: a data record takes 0 s, expected a number above 0")
    record = sum(signal.samples for signal in signals) * (3 if bdf else 2)
    records, notes = _records(records, length, size, record, source, damaged)
    name = "BDF" if bdf else "EDF"
    plus = text(192, 44)[:5]
    return Header(
        bdf,
        plus if plus in (f"{name}+C", f"{name}+D") else name,
        size,
        records,
        record,
        duration,
        signals,
        _start(text(168, 8), text(176, 8), text(88, 80)),
        (*notes, *_commas(content, count, source)),
    )


def repaired(content: bytes, header: Header) -> bytes:
    """Return the bytes of a file as its header was read: that many data records, decimal points."""
    end = header.size + header.records * header.record
    if end == len(content) and not header.notes:
        return content
    first, last = _ranges(len(header.signals))
    return b"".join(
        (
            content[:236],
            str(header.records).encode().ljust(8),
            content[244:252].replace(b",", b"."),
            content[252:first],
            content[first:last].replace(b",", b"."),
            content[last:end],
        )
    )


def decoded(text: bytes) -> str:
    r"""Return UTF-8, which EDF+ requires of annotations, and otherwise Latin-1, which some recorders write.

    >>> decoded(b"\xc2\xb5V"), decoded(b"\xb5V")
    ('µV', 'µV')
    """
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _signals(content: bytes, count: int, bdf: bool, source: str) -> tuple[Signal, ...]:
    fields: list[dict[str, str]] = [{} for _ in range(count)]
    special = ("BDF" if bdf else "EDF") + " Annotations"
    at = _FIXED
    names = [content[at + 16 * i : at + 16 * i + 16].rstrip().decode("latin-1") for i in range(count)]
    for name, width in _FIELDS:
        for field in fields:
            field[name] = decoded(content[at : at + width]).strip(" \0")
            at += width
    signals: list[Signal] = []
    place = 0
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
        place += samples * (3 if bdf else 2)
    return tuple(signals)


def _records(
    records: int, length: int, size: int, record: int, source: str, damaged: bool
) -> tuple[int, list[str]]:
    """Return the number of data records that can be read, and notes on a size that contradicts it."""
    found, rest = divmod(length - size, record)
    if records == -1 and not rest:  # a recorder that was stopped in the middle leaves -1
        records = found
    notes = []
    if rest or found != records:
        wrong = (
            f"{source} has {length} bytes, expected {size + max(records, 0) * record} by its header, "
            f"{records} data records of {record} bytes after {size}: it is truncated or damaged"
        )
        records = found if records < 0 else min(found, records)
        if not damaged:
            raise MentionError(wrong, *way_out(records))
        notes.append(f"{wrong}; the first {records} data records are read")
    if records < 1:
        raise ValueError(f"{source} has no data records")
    return records, notes


def way_out(records: int) -> tuple[str | Mention, ...]:
    """Return the end of a sentence about a damaged file: how to read the data records before the damage."""
    return (" (", Mention("damaged", "read"), f" reads the first {records})") if records > 0 else ()


def _decimal(text: str) -> Fraction | None:
    return Fraction(text.replace(",", ".")) if _DECIMAL.fullmatch(text) else None


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


def _ranges(count: int) -> tuple[int, int]:
    """Return the bytes that hold the physical ranges of all signals."""
    fixed, before, width = _RANGES
    return fixed + before * count, fixed + (before + width) * count


def _commas(content: bytes, count: int, source: str) -> list[str]:
    """Return a note if a number of the header has a decimal comma."""
    first, last = _ranges(count)
    for at in (244, *range(first, last, 8)):
        field = decoded(content[at : at + 8]).strip(" \0")
        if "," in field and _DECIMAL.fullmatch(field):
            return [f"{source} has decimal commas in its header, such as {shown(field)}: read as points"]
    return []


def _start(day: str, clock: str, recording: str) -> datetime | None:
    """Return the start of a recording. EDF+ has the year in full; without it, EDF means 1985 to 2084."""
    full = re.match(r"Startdate (\d\d)-([A-Z]{3})-(\d{4})\b", recording, re.ASCII)
    short, times = (re.fullmatch(r"(\d\d)\.(\d\d)\.(\d\d)", text, re.ASCII) for text in (day, clock))
    if times is None:
        return None
    if full is not None and full[2] in _MONTHS:
        year, month, of = int(full[3]), _MONTHS.index(full[2]) + 1, int(full[1])
    elif short is not None:
        year, month, of = int(short[3]), int(short[2]), int(short[1])
        year += 1900 if year >= 85 else 2000
    else:
        return None
    try:
        return datetime(year, month, of, int(times[1]), int(times[2]), int(times[3]))
    except ValueError:  # such as 00.00.00, which some programs write to hide it
        return None
