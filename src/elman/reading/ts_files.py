"""The .ts format of the UEA and UCR archives: tags, then one line per sequence, channels split by ':'."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from elman.data.sequences import Array
from elman.reading.columns import Options
from elman.reading.parsing import (
    SequenceFile,
    append_numbers,
    labels_from_text,
    listed,
    not_a_number,
    number,
    shown,
    text_blocks,
)

Lines = Iterator[tuple[int, str]]

_TRUTHS = ("timestamps", "univariate", "equallength", "classlabel", "targetlabel")
_WHOLES = {"dimensions": "dimensions", "dimension": "dimensions", "serieslength": "serieslength"}


@dataclass(slots=True)
class _Header:
    """The values of the tags, None for a tag that is absent. All other tags are ignored."""

    timestamps: bool | None = None
    univariate: bool | None = None
    equallength: bool | None = None
    targetlabel: bool | None = None
    dimensions: int | None = None
    serieslength: int | None = None
    classlabel: bool | None = None
    classes: dict[str, int] = field(default_factory=dict)  # the code of each label, in the tag's order


def read(path: str, source: str, _: Options) -> SequenceFile:
    """Return the sequences of a .ts file; a ValueError names a line against the format or the tags.

    Class labels are integers if @classLabel lists only integers, otherwise strings. Targets are floats. '?'
    in the values is NaN.
    """
    lines = _content(path, source)
    header = _read_header(lines, source)
    X: list[Array] = []
    codes = array("q")
    targets = array("d")
    for at, line in lines:
        where = f"{source} line {at}"
        fields = line.split(":")
        if header.classlabel or header.targetlabel:
            label = fields.pop().strip()
            if not fields:
                raise ValueError(f"{where} has no ':', expected values, ':' and a label")
            if header.classlabel:
                codes.append(_code(label, header, where))
            else:
                targets.append(_target(label, where))
        if not X:
            _check_channels(fields, header, where)
        elif len(fields) != X[0].shape[1]:
            raise ValueError(f"{where} has {_count(fields)}, expected {X[0].shape[1]} as the first sequence")
        x = _values(fields, where)
        _check_length(len(x), X, header, where)
        X.append(x)
    if not X:
        raise ValueError(f"{source} has no sequences after @data")
    if header.targetlabel:
        return SequenceFile(X, np.array(targets))
    if header.classlabel:
        classes = list(header.classes)
        labels = labels_from_text(classes, np.array(codes, np.int64), False, f"{source}, @classLabel")
        return SequenceFile(X, labels.take(slice(None)))
    return SequenceFile(X, None)


def _content(path: str, source: str) -> Lines:
    """Yield the lines that are not blank or comments, each with its number."""
    for first, lines in text_blocks(path, source):
        for at, line in enumerate(lines, first):
            text = line.strip()
            if text and not text.startswith("#"):
                yield at, text


def _read_header(lines: Lines, source: str) -> _Header:
    header = _Header()
    for at, line in lines:
        where = f"{source} line {at}"
        if not line.startswith("@"):
            raise ValueError(f"{where} is {shown(line)}, expected a tag: values come after @data")
        tag, *words = line.split()
        name = _WHOLES.get(tag[1:].lower(), tag[1:].lower())
        if name == "data":
            break
        if name not in _TRUTHS and name not in _WHOLES:
            continue
        if getattr(header, name) is not None:
            raise ValueError(f"{where} has the tag {tag} a second time")
        setattr(header, name, (_truth if name in _TRUTHS else _whole)(tag, words, where))
        if name == "classlabel" and header.classlabel:
            if len(words) < 2:
                raise ValueError(f"{where} lists no labels, expected @classLabel true and all labels")
            header.classes = {label: i for i, label in enumerate(dict.fromkeys(words[1:]))}
    else:
        raise ValueError(f"{source} has no line @data")
    if header.timestamps:
        raise ValueError(f"{source} has time stamps, which elman does not read: save the values alone")
    if header.classlabel and header.targetlabel:
        raise ValueError(f"{source} has both @classLabel true and @targetLabel true, expected one of them")
    if header.classlabel is None and header.targetlabel is None:
        raise ValueError(f"{source} says neither @classLabel nor @targetLabel (true or false) before @data")
    return header


def _truth(tag: str, words: list[str], where: str) -> bool:
    word = words[0].lower() if words else "nothing"
    if word not in ("true", "false"):
        raise ValueError(f"{where}: {shown(tag)} is followed by {shown(word)}, expected true or false")
    return word == "true"


def _whole(tag: str, words: list[str], where: str) -> int:
    word = words[0] if words else "nothing"
    if not (word.isascii() and word.isdigit() and len(word) < 19 and int(word)):
        raise ValueError(f"{where}: {shown(tag)} is followed by {shown(word)}, expected an integer from 1")
    return int(word)


def _code(label: str, header: _Header, where: str) -> int:
    code = header.classes.get(label)
    if code is None:
        raise ValueError(
            f"{where} has the label {shown(label)}, expected one that @classLabel lists: "
            f"{listed(list(header.classes))}"
        )
    return code


def _target(label: str, where: str) -> float:
    try:
        target = number(label)
    except ValueError as error:
        raise ValueError(f"{where}, target: {error}") from None
    if np.isnan(target):
        raise ValueError(f"{where} has the target {label}, expected a number")
    return target


def _count(fields: list[str]) -> str:
    return f"{len(fields)} dimension{'s' if len(fields) > 1 else ''}"


def _check_channels(fields: list[str], header: _Header, where: str) -> None:
    if header.univariate and len(fields) != 1:
        raise ValueError(f"{where} has {_count(fields)}, expected 1 (@univariate true)")
    if header.dimensions is not None and len(fields) != header.dimensions:
        raise ValueError(
            f"{where} has {_count(fields)}, expected {header.dimensions} (@dimensions {header.dimensions})"
        )


def _check_length(steps: int, X: list[Array], header: _Header, where: str) -> None:
    if header.equallength is False:
        return
    if header.serieslength is not None and steps != header.serieslength:
        raise ValueError(
            f"{where} has {steps} steps, expected {header.serieslength} (@seriesLength {header.serieslength})"
        )
    if header.equallength and X and steps != len(X[0]):
        raise ValueError(
            f"{where} has {steps} steps, expected {len(X[0])} as the first sequence (@equalLength true)"
        )


def _values(fields: list[str], where: str) -> Array:
    """Return the channels of a line as an array (T, F)."""
    buffer = array("d")
    steps = 0
    for channel, text in enumerate(fields, 1):
        cells = text.split(",")
        steps = steps or len(cells)
        if len(cells) != steps:
            raise ValueError(
                f"{where}: dimension {channel} has {len(cells)} values, expected {steps} as dimension 1"
            )
        wrong = append_numbers(buffer, cells, "?")
        if wrong < steps:
            problem = not_a_number(cells[wrong].strip())
            raise ValueError(f"{where}, dimension {channel}, value {wrong + 1}: {problem}")
    return np.array(np.frombuffer(buffer).reshape(len(fields), steps).T, order="C")
