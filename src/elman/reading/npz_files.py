"""NumPy's .npz, a zip of arrays: every entry is checked before it is used, and no pickle is read."""

from __future__ import annotations

import math
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

from elman._validation import describe
from elman.data.sequences import Array, Sequences
from elman.errors import ArgumentTypeError, Mention, MentionError
from elman.reading.columns import Options
from elman.reading.label_cells import labels_from_cells, missing_label
from elman.reading.named import of_archive
from elman.reading.parsing import SequenceFile, listed, reason, shown, suspicious

_BLOCK = 2**20
_MOST_AXES = 32  # of an array in any version of NumPy


def read(path: str, source: str, options: Options) -> SequenceFile:
    """Return the sequences of an .npz file; a ValueError names the key at fault.

    Shapes: ``X`` (n, T, F) or (n, T), or ``values`` (N, F) or (N,) with ``offsets`` (n + 1,); ``y`` (n,), or
    one label per step: (n, T) or (N,); ``ids`` (n,); ``feature_names`` and ``feature_units`` (F,); ``fs``, a
    rate in Hz. The options may name other keys for y and ids.
    """
    with Path(path).open("rb") as file:
        archive = Archive(file, source)
        keys = archive.entries.keys()
        wanted = ("X",) if "X" in keys else ("values", "offsets")
        if not keys >= set(wanted) or keys >= {"X", "values"}:
            raise ValueError(
                f"{source} has the keys {listed(list(keys)) or 'of no array'}, "
                f"expected 'X', or 'values' and 'offsets'"
            )
        arrays = [archive.array(key) for key in wanted]
        y = archive.chosen("label", options.label, "y")
        ids = archive.chosen("id", options.id, "ids")
        rectangular = len(arrays) == 1
        X, offsets = _from_array(arrays[0], source) if rectangular else _from_packed(arrays, source)
        known = of_archive(archive, X[0].shape[1])
    answers = None if y is None else _answers(y, offsets, rectangular, options, source)
    return SequenceFile(X, answers, None if ids is None else _names(ids, len(X), source), **known)


class Archive:
    """The entries of a zip file by their keys, each of which can be read as an array."""

    def __init__(self, file: IO[bytes], source: str) -> None:
        self.source = source
        try:
            self.zip = zipfile.ZipFile(file)
            infos = self.zip.infolist()
        except Exception as error:
            raise ValueError(f"{source} cannot be read: {reason(error)}") from None
        self.entries = {info.filename.removesuffix(".npy"): info for info in infos}
        self.size = file.seek(0, 2)

    def chosen(self, option: str, key: str | int | None, default: str) -> Array | None:
        if key is None:
            return self.array(default) if default in self.entries else None
        if not isinstance(key, str):
            raise ArgumentTypeError(option, f"is {describe(key)}", f"a key of {self.source}")
        if key not in self.entries:
            raise MentionError(
                f"{self.source} has no key {shown(key)} (",
                Mention(option),
                f"), expected one of {listed(list(self.entries))}",
            )
        return self.array(key)

    def array(self, key: str) -> Array:
        info = self.entries[key]
        where = f"{self.source}, {shown(key)}"
        # The directory of the zip is checked against the file's size, since it may be wrong.
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{where} is encrypted or compressed in a way that NumPy does not know")
        packed = min(info.compress_size, self.size)
        try:
            with self.zip.open(info) as stream:
                dtype, shape, fortran = _read_header(stream)
                problem = _problem(dtype, shape, info.file_size - stream.tell(), packed)
                if not problem:
                    array = np.empty(math.prod(shape), dtype)
                    _fill(array, stream)
        except Exception as error:
            raise ValueError(f"{where} cannot be read: {reason(error)}") from None
        if problem:
            raise ValueError(f"{where} {problem}")
        return array.reshape(shape, order="F" if fortran else "C")


def _read_header(stream: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    version = np.lib.format.read_magic(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no warning about a file written under Python 2
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"its format has version {version[0]}.{version[1]}, expected 1.0 or 2.0")
    return dtype, shape, fortran


def _problem(dtype: np.dtype[Any], shape: tuple[int, ...], size: int, packed: int) -> str:
    """Return why ``size`` bytes, ``packed`` in the file, cannot or should not become this array, or ""."""
    if dtype.hasobject:
        return (
            "holds Python objects, which elman does not unpickle: save numbers "
            "(sequences of different lengths as 'values' and 'offsets')"
        )
    if dtype.kind not in "fiubU" or dtype.itemsize == 0:
        return f"has dtype {dtype}, expected numbers or strings"
    if len(shape) > _MOST_AXES or any(type(size) is not int for size in shape):
        return f"claims to be {dtype} of shape {shown(str(shape))}, expected at most {_MOST_AXES} integers"
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize != size:
        return f"claims to be {dtype} of shape {shown(str(shape))}, which does not fit its {size} bytes"
    if suspicious(count * max(8, dtype.itemsize), packed):
        return (
            f"would be {count} numbers out of {packed} bytes, more likely a trap than data "
            f"(if it is data, save it with numpy.savez, uncompressed)"
        )
    return ""


def _fill(array: Array, stream: IO[bytes]) -> None:
    room, at = array.view(np.uint8), 0
    while at < len(room):
        block = np.frombuffer(stream.read(min(_BLOCK, len(room) - at)), np.uint8)
        if not len(block):
            raise ValueError("it ends too early")
        room[at : at + len(block)] = block
        at += len(block)
    if stream.read(1):
        raise ValueError("it is longer than it says")  # this also makes zipfile verify the checksum
    if array.dtype.kind == "b" and (room > 1).any():
        raise ValueError("it has truth values that are neither true nor false")
    if array.dtype.kind == "U":
        points = array.view(array.dtype.byteorder.replace("=", "") + "u4")
        if (points > 0x10FFFF).any() or ((points >= 0xD800) & (points < 0xE000)).any():
            raise ValueError("it has characters that do not exist")


def _numbers(array: Array, where: str) -> Array:
    if array.dtype.kind == "U":
        raise ValueError(f"{where} has dtype {array.dtype}, expected real numbers")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float64)


def _from_array(array: Array, source: str) -> tuple[list[Array], Array]:
    values = _numbers(array, f"{source}, 'X'")
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or 0 in values.shape:
        raise ValueError(
            f"{source}, 'X' has shape {array.shape}, expected (sequences, steps, features) or "
            f"(sequences, steps), none of them 0"
        )
    n, steps, _ = values.shape
    return list(values), np.arange(n + 1, dtype=np.int64) * steps


def _from_packed(arrays: list[Array], source: str) -> tuple[list[Array], Array]:
    values, offsets = _numbers(arrays[0], f"{source}, 'values'"), arrays[1]
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(
            f"{source}, 'values' has shape {values.shape}, expected (steps of all sequences, features)"
        )
    try:
        sequences = Sequences(values, offsets)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: {error}") from None
    if not len(sequences):
        raise ValueError(f"{source} has no sequences, expected at least one")
    lengths = np.diff(sequences.offsets)
    if not lengths.all():
        raise ValueError(f"{source}: sequence {int(np.argmin(lengths))} is empty, expected at least one step")
    return list(sequences), sequences.offsets


def _answers(
    y: Array, offsets: Array, rectangular: bool, options: Options, source: str
) -> Array | list[Array] | None:
    per_step = options.per_step
    n, total = len(offsets) - 1, int(offsets[-1])
    stepwise = (n, total // n) if rectangular else (total,)
    wanted = [(n,), stepwise] if per_step is None else [stepwise if per_step else (n,)]
    if y.shape not in wanted:
        raise ValueError(
            f"{source}: the labels have shape {y.shape}, expected {' or '.join(map(str, wanted))}"
        )
    per_step = y.shape != (n,) or bool(per_step)
    if y.dtype.kind in "iub":
        if y.dtype.kind == "u" and y.size and y.max() >= 2**63:
            raise ValueError(f"{source}: the labels reach {y.max()}, expected integers below 2**63")
        y = y.astype(np.int64)
    elif y.dtype.kind == "f":
        y = y.astype(np.float64)
    else:
        y = y.astype(y.dtype.newbyteorder("="))
    return _complete(y, per_step, offsets, f"{source}, {shown(str(options.label or 'y'))}")


def _complete(y: Array, per_step: bool, offsets: Array, where: str) -> Array | list[Array] | None:
    """Return labels with NaN or "" for a missing one, None if all are; sequences must all have theirs."""
    flat, cells = y.reshape(-1), None
    if y.dtype.kind == "U":

        def fail(i: int, problem: str) -> NoReturn:
            raise ValueError(f"{where}[{_place(y, i)}]: {problem}")

        cells, codes = np.unique(flat, return_inverse=True)
        labels = labels_from_cells(cells.tolist(), codes, where, fail, typed=True)
        gone, found = labels.codes < 0, labels.take(slice(None))
        flat = found if gone.any() else flat
    else:
        gone = np.isnan(flat)
    if gone.all():
        return None
    if per_step:
        return np.split(flat, offsets[1:-1])
    if gone.any():
        i = int(np.argmax(gone))
        problem = missing_label("" if cells is None else str(cells[codes[i]]))
        raise ValueError(f"{where}[{_place(y, i)}]: {problem}")
    return flat


def _place(y: Array, i: int) -> str:
    return ", ".join(str(k) for k in np.unravel_index(i, y.shape))


def _names(ids: Array, n: int, source: str) -> list[str]:
    if ids.shape != (n,) or ids.dtype.kind not in "iuU":
        came = f"shape {ids.shape} and dtype {ids.dtype}"
        raise ValueError(f"{source}: the ids have {came}, expected {n} integers or strings")
    return [str(name) for name in ids.tolist()]
