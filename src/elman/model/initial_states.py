"""Initial states: from the user's form to the engine's, checked, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman._validation import describe
from elman.data.input_types import State
from elman.data.sequences import Array
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.model.model import Model
from elman.nn.layers import LSTM


def initial_states(given: Any, model: Model, n: int) -> list[Array] | None:
    """Return one array (n, state size) per recurrent layer (an LSTM has h and c side by side), or None.

    Shapes: a list with one entry per recurrent layer: (n, H), (n, 2H) where bidirectional, the pair (h, c) of
    such arrays for an LSTM, or None for zeros.
    """
    if given is None:
        return None
    layers = [model.layers[i] for i in model.recurrent]
    if isinstance(given, (str, np.ndarray)) or not isinstance(given, (list, tuple)):
        expected = "a list with one entry a recurrent layer"
        raise ArgumentTypeError("initial_state", f"is {describe(given)}", expected)
    if len(given) != len(layers):
        raise ArgumentValueError(
            "initial_state", f"has {len(given)} entries", f"{len(layers)} (one a recurrent layer)"
        )
    made = []
    for i, (entry, layer, width) in enumerate(zip(given, layers, model.native.hidden_sizes, strict=True)):
        name, states = f"initial_state[{i}]", 2 if isinstance(layer, LSTM) else 1
        if entry is None:
            made.append(np.zeros((n, states * width), model.dtype))
        elif states == 1:
            made.append(_state(entry, (n, width), model.dtype, name))
        else:
            if not isinstance(entry, (list, tuple)) or len(entry) != 2:
                raise ArgumentTypeError(name, f"is {describe(entry)}", "the pair (h, c) of an LSTM")
            pair = [_state(part, (n, width), model.dtype, f"{name}[{k}]") for k, part in enumerate(entry)]
            made.append(np.concatenate(pair, axis=1))
    return made


def _state(given: Any, shape: tuple[int, int], dtype: np.dtype[Any], name: str) -> Array:
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise ArgumentTypeError(name, f"has dtype {array.dtype}", "real numbers")
    if array.shape != shape:
        raise ArgumentValueError(name, f"has shape {array.shape}", f"{shape} (sequences, units)")
    with np.errstate(over="ignore"):
        made = np.ascontiguousarray(array, dtype=dtype)
    if not np.isfinite(made).all():
        row, unit = np.argwhere(~np.isfinite(made))[0].tolist()
        came = f"{array[row, unit]} in row {row}"
        raise ArgumentValueError(name, f"has {came}", f"numbers that are finite in {dtype}")
    return made


def to_user_form(flat: list[Array], model: Model) -> State:
    """Return states in the form of ``initial_state``: those of an LSTM as the pair (h, c)."""
    entries: State = []
    for array, i in zip(flat, model.recurrent, strict=True):
        if isinstance(model.layers[i], LSTM):
            half = array.shape[1] // 2
            entries.append((array[:, :half].copy(), array[:, half:].copy()))
        else:
            entries.append(array)
    return entries
