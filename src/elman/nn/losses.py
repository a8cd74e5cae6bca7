"""Losses by name: which output each needs, which one a network takes by default, and what it reports."""

from __future__ import annotations

from typing import Any

from elman._validation import choice

NAMES = ("cross_entropy", "binary_cross_entropy", "squared_error")
_NEEDS = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}


def default_loss(readout: str | None) -> str:
    """Return the loss that goes with the activation of a Dense layer at the end; None: there is none.

    >>> default_loss("softmax")
    'cross_entropy'
    """
    return {"softmax": "cross_entropy", "sigmoid": "binary_cross_entropy"}.get(readout or "", "squared_error")


def check_loss(loss: Any, last: Any) -> str:
    """Return the loss's name (the default for None) if the last layer fits it.

    >>> from elman.nn.layers import Dense
    >>> check_loss("cross_entropy", Dense(3))
    Traceback (most recent call last):
    ...
    ValueError: loss 'cross_entropy' needs a Dense layer with activation 'softmax' last, the network ends with
    Dense \
(activation 'identity')
    """
    activation = getattr(last, "activation", None)
    kind = type(last).__name__
    readout = activation if kind == "Dense" else None
    if loss is None:
        return default_loss(readout)
    name = choice("loss", loss, NAMES)
    needed = _NEEDS.get(name)
    if needed and readout != needed:
        end = kind + (f" (activation {activation!r})" if activation else "")
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
