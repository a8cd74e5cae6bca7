"""elman's errors: a ValueError and a TypeError that carry their argument, and training that diverged."""

from __future__ import annotations

import re


class _ArgumentError(Exception):
    """What both errors about an argument share."""

    def __init__(self, where: str, problem: str, expected: str = "") -> None:
        super().__init__(where, problem, expected)  # as args, so that the error can be pickled
        self.where, self.problem, self.expected = where, problem, expected

    @property
    def argument(self) -> str:
        """The name of the argument: "X" where ``where`` is "X[3]"."""
        return re.split(r"[^-\w]", self.where, maxsplit=1)[0]

    @property
    def came(self) -> str:
        """What was given, in words."""
        return self.problem.removeprefix("is ").removeprefix("has ")

    def __str__(self) -> str:
        sentence = f"{self.where} {self.problem}"
        return f"{sentence}, expected {self.expected}" if self.expected else sentence


class ArgumentValueError(_ArgumentError, ValueError):
    """A value that an argument cannot have: the ValueError of all of elman's checks.

    Parameters
    ----------
    where : str
        The argument, or the part of it, such as "X[3]".
    problem : str
        What is wrong: "is -1", "has 5 features".
    expected : str
        What was expected, in words.

    Attributes
    ----------
    argument, came, expected : str
        The argument's name, what was given, and what was expected.

    >>> error = ArgumentValueError("X[3]", "has 5 features", "6 (the network's input_size)")
    >>> print(error)
    X[3] has 5 features, expected 6 (the network's input_size)
    >>> error.argument, error.came, error.expected
    ('X', '5 features', "6 (the network's input_size)")
    """


class ArgumentTypeError(_ArgumentError, TypeError):
    """A type that an argument cannot have: the TypeError of all of elman's checks; see `ArgumentValueError`.

    >>> print(ArgumentTypeError("units", "is '3' (a str)", "an integer"))
    units is '3' (a str), expected an integer
    """


class DivergenceError(RuntimeError):
    """Training stopped because a loss became NaN or infinite.

    The network's weights are those of the last good epoch (of the start, if there was none).

    Attributes
    ----------
    epoch, batch : int
        Where it happened, both counted from 0 within the call of ``fit``.

    >>> print(DivergenceError(3, 0))
    the loss became NaN or infinite in epoch 3, batch 0 (both counted from 0); the weights are those of the \
last good epoch. A smaller learning rate or clip_norm may help
    """

    def __init__(self, epoch: int, batch: int) -> None:
        self.epoch = epoch
        self.batch = batch
        super().__init__(epoch, batch)

    def __str__(self) -> str:
        good = "last good epoch" if self.epoch else "start (no epoch was good)"
        return (
            f"the loss became NaN or infinite in epoch {self.epoch}, batch {self.batch} "
            f"(both counted from 0); the weights are those of the {good}. "
            f"A smaller learning rate or clip_norm may help"
        )
