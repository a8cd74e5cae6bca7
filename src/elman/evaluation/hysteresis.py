"""Alarms with hysteresis: two thresholds, so that a probability that hovers at one of them is one alarm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman._validation import describe, integer, refuse_mask
from elman.errors import ArgumentTypeError, ArgumentValueError


class Hysteresis:
    """An alarm that starts at ``on`` and ends below ``off``, one step at a time.

    The alarm starts at the last of ``on_steps`` consecutive steps with p >= on. It ends at the last of
    ``off_steps`` consecutive steps with p < off. It is never dated back.

    Parameters
    ----------
    on : float
        Finite; usually a probability, but any score will do.
    off : float or None
        At most ``on``; None is ``on``.
    on_steps, off_steps : int
        At least 1.

    Attributes
    ----------
    active : bool
        Whether the alarm is on.

    Raises
    ------
    TypeError, ValueError
        For settings other than these, and by `step` if p is not a finite number; the alarm is unchanged then.

    >>> alarm = Hysteresis(on=0.8, off=0.4)
    >>> [alarm.step(p) for p in (0.7, 0.9, 0.5, 0.3, 0.5)]
    [False, True, True, False, False]
    """

    __slots__ = ("_count", "active", "off", "off_steps", "on", "on_steps")

    def __init__(
        self, on: float = 0.5, off: float | None = None, *, on_steps: int = 1, off_steps: int = 1
    ) -> None:
        self.on = _finite("on", on)
        self.off = self.on if off is None else _finite("off", off)
        if self.off > self.on:
            raise ArgumentValueError("off", f"is {self.off}", f"at most on, {self.on}")
        self.on_steps = integer("on_steps", on_steps, 1)
        self.off_steps = integer("off_steps", off_steps, 1)
        self.active = False
        self._count = 0  # consecutive steps in favor of a change

    def step(self, p: float) -> bool:
        """Read the next p and return whether the alarm is on."""
        p = _finite("p", p)
        if self.active:
            self._count = self._count + 1 if p < self.off else 0
            if self._count == self.off_steps:
                self.reset()
        else:
            self._count = self._count + 1 if p >= self.on else 0
            if self._count == self.on_steps:
                self.active, self._count = True, 0
        return self.active

    def run(self, p: ArrayLike) -> NDArray[np.bool_]:
        """Return whether it is on after each step of p (T,), starting off; this alarm does not change.

        >>> Hysteresis(0.8, on_steps=2).run([0.9, 0.9, 0.9, 0.1]).tolist()
        [False, True, True, False]
        """
        refuse_mask("p", p)
        values = np.asarray(p)
        if values.ndim != 1 or values.dtype.kind not in "fiub":
            raise ArgumentValueError(
                "p", f"has shape {values.shape} and dtype {values.dtype}", "(T,) numbers, one a step"
            )
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            raise ArgumentValueError(f"p[{wrong[0]}]", f"is {values[wrong[0]]}", "a finite number")
        fresh = Hysteresis(self.on, self.off, on_steps=self.on_steps, off_steps=self.off_steps)
        return np.array([fresh.step(value) for value in values.astype(np.float64).tolist()], np.bool_)

    def reset(self) -> None:
        """End the alarm and forget the previous steps, as after a gap."""
        self.active, self._count = False, 0

    def __repr__(self) -> str:
        steps = f"on_steps={self.on_steps}, off_steps={self.off_steps}"
        return f"Hysteresis(on={self.on}, off={self.off}, {steps})"


def _finite(name: str, value: Any) -> float:
    if type(value) is not float:
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise ArgumentTypeError(name, f"is {describe(value)}", "a finite number")
        try:
            value = float(value)
        except OverflowError:
            raise ArgumentValueError(name, f"is {describe(value)}", "a finite number") from None
    if not math.isfinite(value):
        raise ArgumentValueError(name, f"is {value}", "a finite number")
    return float(value)
