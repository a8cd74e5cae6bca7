"""Warnings that point at the user's line."""

from __future__ import annotations

import inspect
import warnings

_INSIDE = ("elman", "sklearn", "contextlib")


def warn(text: str) -> None:
    """Give a UserWarning that points at the first line outside of elman and scikit-learn."""
    frame, level = inspect.currentframe(), 0
    while frame is not None:
        level += 1
        if frame.f_globals.get("__name__", "").partition(".")[0] not in _INSIDE:
            break
        frame = frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)
