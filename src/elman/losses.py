"""Losses by name: which output each needs, which one a network takes by default, and what it reports."""

from __future__ import annotations

from typing import Any

from elman.arguments import choice
from elman.layers import Dense, Layer

NAMES = ("cross_entropy", "binary_cross_entropy", "squared_error")
_NEEDS = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}


def default_loss(last: Layer) -> str:
    """Return the loss that goes with the last layer's activation.

    >>> default_loss(Dense(3, "softmax"))
    'cross_entropy'
    """
    activation = last.activation if isinstance(last, Dense) else ""
    return {"softmax": "cross_entropy", "sigmoid": "binary_cross_entropy"}.get(activation, "squared_error")


def check_loss(loss: Any, last: Layer) -> str:
    """Return the loss's name (the default for None) if the last layer fits it.

    >>> check_loss("cross_entropy", Dense(3))
    Traceback (most recent call last):
    ...
    ValueError: loss 'cross_entropy' needs a Dense layer with activation 'softmax' last, the network ends with
    Dense \
(activation 'identity')
    """
    if loss is None:
        return default_loss(last)
    name = choice("loss", loss, NAMES)
    needed = _NEEDS.get(name)
    if needed and not (isinstance(last, Dense) and last.activation == needed):
        activation = getattr(last, "activation", None)
        end = type(last).__name__ + (f" (activation {activation!r})" if activation else "")
        raise ValueError(
            f"loss {name!r} needs a Dense layer with activation {needed!r} last, the network ends with {end}"
        )
    return name


def report_keys(loss: str) -> tuple[str, ...]:
    """Return the names of what is reported with a loss.

    >>> report_keys("cross_entropy")
    ('loss', 'accuracy')
    """
    if loss == "squared_error":
        return ("loss", "mean_squared_error", "mean_absolute_error")
    return ("loss", "accuracy")
