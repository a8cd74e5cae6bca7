"""How much memory a gradient may hold: ``memory=`` of fit and loss_and_gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman._validation import describe, integer
from elman.data.sequences import Batch
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.model.model import Model
from elman.nn import losses
from elman.nn.layers import RECURRENT

AUTO = 2**30  # bytes: some hundred thousand steps of all sequences of a network of medium size


def limit(given: Any) -> int:
    """Return the number of bytes that a gradient may hold before it uses checkpoints.

    >>> limit("auto"), limit(1e9)
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentTypeError: memory is 1000000000.0 (a float), expected 'auto' or an integer of bytes
    """
    if isinstance(given, str) and given == "auto":
        return AUTO
    if isinstance(given, str):
        raise ArgumentValueError("memory", f"is {given!r}", "'auto' or an integer of bytes")
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
        raise ArgumentTypeError("memory", f"is {describe(given)}", "'auto' or an integer of bytes")
    return integer("memory", given, 1)


def needed(
    model: Model, batch: Batch, loss: str, *, size: int, truncation: int = 0, dropping: bool
) -> tuple[int, int]:
    """Return the bytes that the gradient of a minibatch needs: without checkpoints, and the least with them.

    Counted are the buffers that grow with sequences and steps, for the minibatch of ``size`` sequences that
    needs most: that of the longest sequences, with one thread for each.
    """
    lengths = np.partition(batch.lengths(), batch.n - size)[batch.n - size :]
    if truncation:
        lengths = np.minimum(lengths, truncation)
    return model.native.need(size, int(lengths.max()), int(lengths.sum()), losses.CODES[loss], dropping, size)


def check_memory(
    given: Any, model: Model, batch: Batch, loss: str, *, size: int, truncation: int = 0, dropping: bool
) -> int:
    """Return ``memory`` in bytes; ValueError with the least possible number where it is too small.

    "auto" is never too small: beyond it the gradient uses checkpoints.
    """
    most = limit(given)
    whole, least = needed(model, batch, loss, size=size, truncation=truncation, dropping=dropping)
    if isinstance(given, str) or most >= min(whole, least):
        return most
    why = ""
    for i, layer in enumerate(model.layers):
        if isinstance(layer, RECURRENT) and layer.bidirectional:
            why = f"; layers[{i}] ({type(layer).__name__}) is bidirectional and needs whole sequences"
            break
    least = min(whole, least)
    raise ArgumentValueError("memory", f"is {most}", f"at least {least} bytes for these sequences{why}")
