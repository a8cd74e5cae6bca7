"""`elman predict --stream`: each line is one step, answered before the next line is read."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from elman.cli.commands import predict
from elman.cli.commands.loaded_model import LoadedModel
from elman.data.sequences import Array
from elman.errors import NonFiniteError
from elman.reading.parsing import listed, not_a_number, number, plain

# One comma, semicolon or tab with spaces around it, or spaces alone. Two commas enclose an empty text.
_SEPARATOR = re.compile(r" *[,;\t] *| +")


def answers(model: LoadedModel, lines: Iterable[bytes], as_json: bool) -> Iterator[str]:
    """Yield the answers, one line each without its end; an empty line starts a new sequence.

    After features of several steps, a step that completes no features has no answer. ValueError names the
    number of a wrong line, from 1.
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
        x = _step(model, text, count)
        try:
            values = stream.step(x)
        except NonFiniteError as error:
            raise ValueError(f"line {count}: the sequence so far {error.problem}") from None
        if values is not None:
            yield tell(model, values)


def _step(model: LoadedModel, text: str, count: int) -> Array:
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


def _wanted(model: LoadedModel) -> str:
    if model.features == 1:
        return "1 number"
    names = model.known.names
    which = "" if names is None or len(names) != model.features else f" ({listed(names)})"
    return f"{model.features} numbers{which} separated by commas, semicolons, tabs or spaces"


def _is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True


def _as_csv(model: LoadedModel, values: Array) -> str:
    cells = predict.cells(model, values.tolist())
    first = cells[0]
    if isinstance(first, str):  # only a label may need quotes
        room = io.StringIO()
        csv.writer(room, lineterminator="").writerow([first, ""])
        return room.getvalue() + ",".join(map(repr, cells[1:]))
    return ",".join(map(repr, cells))


def _as_json(model: LoadedModel, values: Array) -> str:
    return json.dumps(predict.as_document(model, values), allow_nan=False)
