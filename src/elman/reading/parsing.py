"""Common to the readers of files: the result, lines of text, numbers in text, labels of rows."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.data.sequences import Array

Codes = NDArray[np.int64]

# Linear in the length of the text, which may be millions of characters long. Python's float accepts more than
# this: '1_000', and the digits of all scripts.
_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf(?:inity)?)", re.IGNORECASE
)
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_LARGE = 2**28  # bytes; a file that expands beyond this and 100 times its size is refused
_LARGEST_RATIO = 100
_BLOCK = 2**18  # characters
_LARGEST_TEXTS = 2**30  # bytes of an array of strings, in which each string takes the space of the longest


@dataclass(frozen=True, slots=True, eq=False)
class SequenceFile:
    """The content of a file: n sequences, their labels and names.

    X: float64 arrays (T_i, F); y: None, an array (n,), or a list of arrays (T_i,); ids: n names, or None;
    features: F names, or None; times: arrays (T_i,), or None without a column of times; units: F units, and
    rate in Hz, or None; gaps: whether cells of a column of labels per step were empty, so that a whole number
    -1 in y stands for none.
    """

    X: list[Array]
    y: Array | list[Array] | None
    ids: list[str] | None = None
    features: list[str] | None = None
    times: list[Array] | None = None
    gaps: bool = False
    units: list[str] | None = None
    rate: float | None = None


def text_blocks(path: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield blocks of lines of a UTF-8 file, with their line ends, and the number of each block's first line.

    A ValueError names the line that is not UTF-8 text.
    """
    first = 1
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            while lines := file.readlines(_BLOCK):
                if "\0" in "".join(lines):
                    at = first + next(i for i, line in enumerate(lines) if "\0" in line)
                    raise ValueError(f"{source} line {at} has a NUL byte: it is no text file")
                yield first, lines
                first += len(lines)
    except UnicodeDecodeError:
        at, byte = _undecodable(path)
        raise ValueError(
            f"{source} line {at} is not UTF-8 text (byte 0x{byte:02x}): save it as UTF-8"
        ) from None


def _undecodable(path: str) -> tuple[int, int]:
    """Return the line and the byte at which the decoder stopped, which works in blocks, not lines."""
    number = 1
    with Path(path).open("rb") as file:
        for line in file:
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return number + len(re.findall(rb"\r(?!\n)", line[: error.start])), line[error.start]
            number += len(re.findall(rb"\r\n?|\n", line))
    return number, 0


def shown(text: str) -> str:
    """Return a text of the file in quotes, short enough for a message.

    >>> shown("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'"
    """
    return repr(text if len(text) <= 40 else text[:37] + "...")


def listed(texts: Sequence[str]) -> str:
    """Return the first few texts in quotes.

    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    return ", ".join(shown(text) for text in texts[:12]) + (", ..." if len(texts) > 12 else "")


def reason(error: object) -> str:
    """Return the message of another library, on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."


def suspicious(unpacked: int, packed: int) -> bool:
    """Whether a file expands so much that it looks like an attempt to fill the memory."""
    return unpacked > _LARGE and unpacked > _LARGEST_RATIO * packed


def not_a_number(text: str) -> str:
    """Return what is wrong with a text that should be a number.

    >>> not_a_number("1,5")
    "'1,5' is not a number (a decimal point is expected, not a comma)"
    """
    if not text:
        return "an empty value is not a number"
    hint = " (a decimal point is expected, not a comma)" if decimal_comma(text) else ""
    return f"{shown(text)} is not a number{hint}"


def is_number(text: str) -> bool:
    """Whether `number` takes this text."""
    return _NUMBER.fullmatch(text) is not None


def is_whole(text: str) -> bool:
    """Whether a text is a whole number, written without a decimal point."""
    return _INTEGER.fullmatch(text) is not None


def decimal_comma(text: str) -> bool:
    """Whether a text is a number with a decimal comma."""
    return _DECIMAL_COMMA.fullmatch(text) is not None


def number(text: str) -> float:
    """Return a text as a number, with a decimal point and without separators; otherwise raise ValueError.

    >>> number("-1.5e3"), number("nan")
    (-1500.0, nan)
    """
    if _NUMBER.fullmatch(text):
        return float(text)
    raise ValueError(not_a_number(text))


def plain(text: str) -> bool:
    """Whether Python's float reads this text as `number` does."""
    return text.isascii() and "_" not in text


def append_numbers(buffer: array[float], cells: Sequence[str], missing: str) -> int:
    """Append cells to a buffer of doubles, the text ``missing`` as NaN, and return how many were appended.

    If they are not all appended, the next cell is not a number.

    >>> buffer = array("d")
    >>> append_numbers(buffer, ["1", "", "2", "x"], ""), buffer
    (3, array('d', [1.0, nan, 2.0]))
    """
    if append_quickly(buffer, cells):
        return len(cells)
    for i, cell in enumerate(cells):
        text = cell.strip()
        if text == missing:
            buffer.append(nan)
        elif _NUMBER.fullmatch(text):
            buffer.append(float(text))
        else:
            return i
    return len(cells)


def append_quickly(buffer: array[float], cells: Sequence[str]) -> bool:
    """Append cells and return True if all are numbers; otherwise append nothing and return False."""
    if not plain("".join(cells)):
        return False
    start = len(buffer)
    try:
        buffer.extend(map(float, cells))
    except ValueError:
        del buffer[start:]
        return False
    return True


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """One label per row: row i has values[codes[i]], or no label if codes[i] is -1.

    values: int64, float64 or str, without duplicates.
    """

    values: Array
    codes: Codes

    def take(self, rows: Codes | slice) -> Array:
        """Return the labels of rows; -1, NaN or "" if a row has none."""
        codes = self.codes[rows]
        gone = codes < 0
        if not gone.any():
            return self.values[codes]
        filler: object = {"i": -1, "f": nan, "U": ""}[self.values.dtype.kind]
        if not len(self.values):
            return np.full(len(codes), filler)
        return np.where(gone, np.array(filler, self.values.dtype), self.values[codes])


def labels_from_text(texts: Sequence[str], codes: Codes, floats: bool, where: str) -> Labels:
    """Return labels as integers if all texts are integers, as floats if all are numbers, else as strings.

    ``texts`` differ from each other; "" is a missing label. ``floats=False``: integers or strings only.

    >>> labels_from_text(["3", "-1"], np.array([0, 1, 0]), True, "'a.csv'").take(slice(None))
    array([ 3, -1,  3])
    """
    empty = texts.index("") if "" in texts else -1
    if empty >= 0:
        texts = [*texts[:empty], *texts[empty + 1 :]]
        codes = np.where(codes == empty, -1, codes - (codes > empty))
    if all(map(_INTEGER.fullmatch, texts)):
        whole = [int(text) for text in texts]
        # '1' and '01' are two labels and must stay two
        if len(set(whole)) == len(whole) and all(-(2**63) <= value < 2**63 for value in whole):
            return Labels(np.array(whole, np.int64), codes)
    elif floats and all(map(_NUMBER.fullmatch, texts)):
        return labels_from_floats(np.array([float(text) for text in texts]), codes)
    return Labels(as_strings(texts, len(codes), where), codes)


def labels_from_floats(values: NDArray[np.float64], codes: Codes) -> Labels:
    """Return labels that are numbers, NaN for a missing one, without duplicates."""
    distinct, place = np.unique(values, return_inverse=True)
    place = np.where(np.isnan(values), -1, place)
    return Labels(distinct, np.where(codes < 0, -1, place[codes]) if len(values) else codes)


def as_strings(texts: Sequence[str], rows: int, where: str) -> Array:
    """Return texts as an array of strings, for ``rows`` rows; ValueError if it would fill the memory."""
    longest = max(map(len, texts), default=1)
    if 4 * longest * max(rows, len(texts)) > _LARGEST_TEXTS:
        raise ValueError(f"{where}: a label has {longest} characters, too many for an array of {rows} labels")
    return np.array(texts, dtype=f"<U{max(longest, 1)}")
