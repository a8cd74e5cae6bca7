"""The sequences of a file in the order and the units of the features that a model knows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

from elman.cli.commands.data import Data
from elman.data.alignment import aligned
from elman.data.feature_names import Features, known_of, named, plain
from elman.errors import ArgumentValueError
from elman.reading.parsing import listed


def in_order(data: Data, known: Features, trained: str, say: Callable[[str], None]) -> Data:
    """Return the sequences of a file as the features are known; ``trained`` says by whom, in messages.

    ``say`` gets a note of what was converted, and of names that only one side has. Errors: ValueError that
    names the file and the features which are missing or unknown.
    """
    found = known_of(data.X[0])
    if found.names is None and known.names is not None and len(known.names) == data.features > 1:
        say(f"{data.path} names no features: they are read as {listed(known.names)} ({trained})")
    if found.names is not None and known.names is None and len(found.names) > 1:
        names = listed(found.names)
        say(f"{data.path}: nothing is known of the features ({trained}): {names} are read in this order")
    if not known.known:
        return replace(data, X=[plain(x) for x in data.X])
    if not found.known:
        fits = known.names is None or len(known.names) == data.features
        return replace(data, X=[named(x, known) for x in data.X]) if fits else data
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            X, _ = aligned(data.X, known, repr(data.path), trained, trained)
    except ArgumentValueError as error:
        raise ValueError(f"{data.path!r} {error.problem}, expected {error.expected}") from None
    for each in told:
        if "was converted" in (text := str(each.message)):
            say(text)
    return replace(data, X=[named(x, known) for x in X])
