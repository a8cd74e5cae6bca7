"""`elman predict --stream`: steps come line by line, and each is answered before the next is read."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from elman.cli.commands import loaded_model, predict
from elman.data.sequences import Array
from elman.reading.parsing import not_a_number, number, plain

# One comma, semicolon or tab with spaces around, or spaces alone: nothing between two commas is no number.
_SEPARATOR = re.compile(r" *[,;\t] *| +")


def answers(model: loaded_model.Opened, lines: Iterable[bytes], as_json: bool) -> Iterator[str]:
    """Yield one answer a step, without its end of line; an empty line starts a new sequence, unanswered.

    After features of several steps, a step that completes no features has no answer.
    ValueError names the line that is wrong, counted from 1.
    """
    stream: Any = model.stream()
    tell = _as_json if as_json else _as_csv
    for count, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8-sig" if count == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise ValueError(f"line {count} is not UTF-8 text, expected {_wanted(model)}") from None
        if not text:
            stream.reset()
            continue
        values = stream.step(_step(model, text, count))
        if values is not None:
            yield tell(model, values)


def _step(model: loaded_model.Opened, text: str, count: int) -> Array:
    """Return the numbers of a line (F,)."""
    parts = _SEPARATOR.split(text)
    try:
        values = [float(part) for part in parts] if plain(text) else [number(part) for part in parts]
    except ValueError:
        wrong = next(part for part in parts if not _is_number(part))
        raise ValueError(f"line {count}: {not_a_number(wrong)}, expected {_wanted(model)}") from None
    if len(values) != model.features:
        came = f"{len(values)} number{'' if len(values) == 1 else 's'}"
        raise ValueError(f"line {count} has {came}, expected {_wanted(model)}")
    x = np.array(values)
    right = np.isfinite(x) | (np.isnan(x) & model.takes_missing)
    if not right.all():
        raise ValueError(
            f"line {count} has {parts[int(np.argmin(right))]}, expected {_wanted(model)}, all finite"
        )
    if model.integers:
        if x[0] != np.floor(x[0]):
            raise ValueError(f"line {count} has {parts[0]}, expected an integer")
        return x.astype(np.int64)
    return x


def _wanted(model: loaded_model.Opened) -> str:
    if model.features == 1:
        return "1 number"
    return f"{model.features} numbers separated by commas, semicolons, tabs or spaces"


def _is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True


def _as_csv(model: loaded_model.Opened, values: Array) -> str:
    cells = predict.cells(model, values.tolist())
    first = cells[0]
    if isinstance(first, str):  # only a label may need quotes
        room = io.StringIO()
        csv.writer(room, lineterminator="").writerow([first, ""])
        return room.getvalue() + ",".join(map(repr, cells[1:]))
    return ",".join(map(repr, cells))


def _as_json(model: loaded_model.Opened, values: Array) -> str:
    return json.dumps(predict.spoken(model, values), allow_nan=False)
