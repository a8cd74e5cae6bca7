"""elman's errors: a ValueError and a TypeError that carry their argument, and training that diverged."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple


def _argument_of(where: str) -> str:
    """Return the argument of a place: "X" of "X[3]"."""
    return re.split(r"[^-\w]", where, maxsplit=1)[0]


class _ArgumentError(Exception):
    """What both errors about an argument share."""

    def __init__(self, where: str, problem: str, expected: str = "") -> None:
        super().__init__(where, problem, expected)  # as args, so that the error can be pickled
        self.where, self.problem, self.expected = where, problem, expected

    @property
    def argument(self) -> str:
        """The name of the argument: "X" where ``where`` is "X[3]"."""
        return _argument_of(self.where)

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


class NonFiniteError(ArgumentValueError):
    """An answer is NaN or infinite: an overflow in the network, or weights that are not finite.

    ``where`` is the sequence, such as "X[3]", or the step of a stream. An answer that is no number would
    otherwise become a class, an alarm or a score.

    >>> print(NonFiniteError("X[3]", "has the output nan", "finite numbers"))
    X[3] has the output nan, expected finite numbers
    """


class Mention(NamedTuple):
    """An argument that the sentence of a `MentionError` mentions.

    ``value`` is the one that the sentence suggests, if it suggests one. ``bare``: the name alone, without the
    equals sign.

    >>> print(Mention("label"), Mention("header", True), Mention("fs", bare=True))
    label= header=True fs
    """

    name: str
    value: Any = None
    bare: bool = False

    def __str__(self) -> str:
        if self.bare:
            return self.name
        return f"{self.name}=" if self.value is None else f"{self.name}={self.value!r}"


class MentionError(ValueError):
    """A ValueError whose sentence mentions arguments, such as one about a file that they describe.

    In Python the arguments are written as in a call. A caller with other names for them, such as a command
    line with options, gets its own sentence from `spelled`. The rest of the sentence is never changed.

    Parameters
    ----------
    *parts : str or Mention
        The sentence, piece by piece.

    Attributes
    ----------
    argument, came, expected : str
        The name of the first argument that is mentioned, what was given, and what was expected.

    >>> error = MentionError("'label=a.csv' has no column 'x' (", Mention("label"), ")")
    >>> print(error)
    'label=a.csv' has no column 'x' (label=)
    >>> error.spelled(lambda mention: f"--{mention.name}"), error.argument
    ("'label=a.csv' has no column 'x' (--label)", 'label')
    """

    def __init__(self, *parts: str | Mention) -> None:
        super().__init__(*parts)  # as args, so that the error can be pickled
        self.parts = parts

    @property
    def argument(self) -> str:
        """The name of the first argument that is mentioned."""
        name = next((part.name for part in self.parts if isinstance(part, Mention)), "")
        return _argument_of(name)

    @property
    def came(self) -> str:
        """What was given: the sentence up to "expected"."""
        return str(self).partition(", expected ")[0]

    @property
    def expected(self) -> str:
        """What was expected, "" where the sentence does not say it."""
        return str(self).partition(", expected ")[2]

    def spelled(self, spell: Callable[[Mention], str]) -> str:
        """Return the sentence with each argument written as ``spell`` writes it."""
        return "".join(spell(part) if isinstance(part, Mention) else part for part in self.parts)

    def __str__(self) -> str:
        return self.spelled(str)


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
