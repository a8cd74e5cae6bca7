"""Losses by name: which output each needs, which one a network takes by default, and what it reports."""

from __future__ import annotations

from typing import Any, Literal, get_args

from elman._validation import choice
from elman.errors import ArgumentValueError
from elman.nn.layers import Dense, Layer, SimpleRNN

Loss = Literal["cross_entropy", "binary_cross_entropy", "squared_error"]
NAMES: tuple[Loss, ...] = get_args(Loss)
CODES: dict[str, int] = {name: code for code, name in enumerate(NAMES)}  # the engine's
_NEEDS: dict[Loss, str] = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}

Reduction = Literal["mean", "sum"]  # of the losses of the answers, to that of an update
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)


def default_loss(readout: str | None) -> Loss:
    """Return the default loss for the activation of a Dense layer at the end, None where there is none.

    >>> default_loss("softmax")
    'cross_entropy'
    """
    found: dict[str | None, Loss] = {"softmax": "cross_entropy", "sigmoid": "binary_cross_entropy"}
    return found.get(readout, "squared_error")


def check_loss(loss: Any, last: Layer) -> Loss:
    """Return the name of the loss, the default for None, if the last layer of the network fits it.

    >>> check_loss("cross_entropy", Dense(3))
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: loss 'cross_entropy' needs a Dense layer with activation
    'softmax' last, the network ends with Dense (activation 'identity')
    """
    readout = last.activation if isinstance(last, Dense) else None
    if loss is None:
        return default_loss(readout)
    name = choice("loss", loss, NAMES)
    needed = _NEEDS.get(name)
    if needed and readout != needed:
        end = type(last).__name__
        if isinstance(last, (Dense, SimpleRNN)):
            end += f" (activation {last.activation!r})"
        raise ArgumentValueError(
            f"loss {name!r}",
            f"needs a Dense layer with activation {needed!r} last, the network ends with {end}",
        )
    return name


def report_keys(loss: str) -> tuple[str, ...]:
    """Return the keys of the reports of a loss.

    >>> report_keys("cross_entropy")
    ('loss', 'accuracy')
    """
    if loss == "squared_error":
        return ("loss", "mean_squared_error", "mean_absolute_error")
    return ("loss", "accuracy")
