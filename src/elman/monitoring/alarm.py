"""The alarm of a monitor, on one value of each answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from elman.data.sequences import Array
from elman.errors import ArgumentValueError
from elman.evaluation.hysteresis import Hysteresis


@dataclass
class Raised:
    """An alarm that was raised: the stamps of its start and end (None: it is still on), its worst value."""

    start: float
    end: float | None
    peak: float


@dataclass
class Alarm:
    """An alarm on value ``index`` of each answer, called ``name``.

    It is raised by ``on_steps`` answers in a row at ``on`` or above, and ends after ``off_steps`` answers in
    a row below ``off``, which is at most ``on``. With ``low`` it is raised at ``on`` or below, and ends above
    ``off``, which is at least ``on``.
    """

    name: str
    index: int
    on: float
    off: float
    low: bool = False
    on_steps: int = 1
    off_steps: int = 1
    hysteresis: Hysteresis = field(init=False)

    def __post_init__(self) -> None:
        sign = -1.0 if self.low else 1.0
        self.hysteresis = Hysteresis(
            sign * self.on, sign * self.off, on_steps=self.on_steps, off_steps=self.off_steps
        )

    def value(self, values: Array) -> float:
        """Return the value of an answer (C,) that the alarm is on; ValueError if it has none at ``index``."""
        if not -len(values) <= self.index < len(values):
            raise ArgumentValueError(
                "index", f"is {self.index}", f"one of the {len(values)} values of an answer"
            )
        return float(values[self.index])

    def step(self, values: Array) -> bool:
        """Return whether the alarm is on after the next answer."""
        value = self.value(values)
        return self.hysteresis.step(-value if self.low else value)
