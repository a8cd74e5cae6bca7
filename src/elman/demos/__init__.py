"""The systems of the five articles, one real data set and EEG, running on elman.

Each demo is one file with functions that compute the result (``run``), describe it (``describe``) and draw it
(``draw``). ``elman demo NAME`` plays one, ``elman demo all`` plays all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from elman.demos._demo import Demo, Outcome, Show, closing_table, prepare
from elman.errors import ArgumentValueError

NAMES = ("points", "gradient", "adder", "letters", "digits", "eeg", "anaesthesia")
SIZED = ("eeg", "anaesthesia")  # these take the user's data, and have a quick size

__all__ = ["NAMES", "Demo", "Outcome", "get", "play", "prepare"]


def get(name: str, data: Path | None = None, quick: bool = False) -> Demo[Any]:
    """Return the demo of that name. Its module is imported now, not with the package.

    ``data`` is a file or folder of the user, ``quick`` asks for a small size: for the demos that have them.
    """
    if name not in NAMES:
        raise ValueError(f"there is no demo {name!r}, expected one of {', '.join(NAMES)} or all")
    if data is not None and name not in SIZED:
        raise ArgumentValueError("--data", f"belongs to the demo {' or '.join(SIZED)}, not to {name}")
    module = import_module(f"elman.demos.{name}")
    demo: Demo[Any] = module.demo(data, quick) if name in SIZED else module.DEMO
    return demo


def play(
    names: Sequence[str],
    show: Show = print,
    folder: Path | None = None,
    *,
    data: Path | None = None,
    quick: bool = False,
) -> list[Outcome]:
    """Play the demos one after the other; several are played in the quick size and end with a table."""
    demos = [get(name, data, quick or len(names) > 1) for name in names]
    outcomes = [demo.play(show, folder)[1] for demo in demos]
    if len(outcomes) > 1:
        show("\n" + closing_table(outcomes))
    return outcomes
