"""X brought to the order and the units of the features that a model knows, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from elman.data.feature_names import UNKNOWN, Features, NamedArray, Texts, known_of, named, plain, row_of
from elman.data.sequences import Array, Sequences
from elman.data.units import factor
from elman.data.user_warnings import warn
from elman.errors import ArgumentValueError

RATES_DIFFER = 0.01  # of each other: clocks of devices are closer than that
_NAMELESS = frozenset((np.ndarray, list, tuple))
_MOST = 12  # names in a message


def aligned(
    X: Any, known: Features = UNKNOWN, name: str = "X", who: str | None = None, source: str = "as in fit"
) -> tuple[Any, Features]:
    """Return X in the order and the units of the features in ``known``, and what is known with X.

    X is anything that `as_batch` takes; what has no names stays as it is. Where ``known`` has no names, the
    first sequence with names is the model of the others. ``who`` is the name of a fitted model, for warnings,
    and None in a first fit; ``source`` says where ``known`` comes from.

    Errors: ValueError for names that are missing or unknown, units of another kind, and another rate.

    >>> x = NamedArray([[1.0, 2.0]], feature_names=["bp", "hr"])
    >>> aligned([x], Features(("hr", "bp")))[0]
    [array([[2., 1.]])]
    """
    if type(X) is list and known is UNKNOWN and _NAMELESS.issuperset(map(type, X)):  # the most common case
        return X, known
    if isinstance(X, Sequences):
        if X.features is UNKNOWN or not X.features.known:
            return X, known if known is UNKNOWN else _nameless(known, name, who)
        order = FeatureOrder(known, who, source, name)
        values = order.bring(X.values, X.features, name)
        return Sequences(values, X.offsets), order.finish(name)
    if isinstance(X, NamedArray):
        order = FeatureOrder(known, who, source, name)
        return order.bring(plain(X), X.features, name), order.finish(name)
    if isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 1:
        X = list(X)
    if not isinstance(X, (list, tuple)) or _NAMELESS.issuperset(map(type, X)):
        if not isinstance(X, (list, tuple, np.ndarray)) and known_of(X).known:
            return X, known  # one data frame, which is no collection of sequences: others say so
        return X, _nameless(known, name, who)
    order = FeatureOrder(known, who, source, name)
    items = [order.bring_item(item, f"{name}[{i}]") for i, item in enumerate(X)]
    return items, order.finish(name)


def aligned_rows(x: Any, known: Features, name: str, one: bool = False) -> Any:
    """Return steps (k, F) of a stream, or ``one`` (F,), in the order and units of the features in ``known``.

    Without names they stay as they are. Errors as for `aligned`.

    >>> x = NamedArray([[1.0, 2.0]], feature_names=["bp", "hr"])
    >>> aligned_rows(x[0], Features(("hr", "bp")), "x", one=True).tolist()
    [2.0, 1.0]
    """
    found = row_of(x) if one else known_of(x)
    if not found.known or not known.known or np.ndim(x) == (0 if one else 1):
        return plain(x)
    order = FeatureOrder(known, "the model", "as in fit", name)
    made = order.bring(np.asarray(x), found, name)
    order.finish(name)
    return made


def with_names(x: Any) -> Array:
    """Return steps (T, F) as an array that carries the names which a data frame or a `NamedArray` has."""
    found = known_of(x)
    return named(np.asarray(x), found) if found.known else np.asarray(x)


def labeled(made: Any, known: Features) -> Any:
    """Return results with one column a feature, in any form of X, that carry the names of the features."""
    names = Features(known.names)
    if names.names is None or made is None:
        return made
    if isinstance(made, Sequences):
        return Sequences(made.values, made.offsets, feature_names=names.names)
    return [named(each, names) for each in made] if isinstance(made, list) else named(made, names)


class FeatureOrder:
    """Brings one sequence after the other into one order, and warns once for all of them."""

    def __init__(self, known: Features, who: str | None, source: str, name: str) -> None:
        self.known, self.who, self.source, self.name = known, who, source, name
        self.right: Features | None = None  # of the last sequence that needed nothing
        self.named = known.names is not None
        self.strange = False  # names came for a model that has none
        self.bare = False  # a sequence without names among others
        self.converted: dict[tuple[str, str], list[str]] = {}

    def bring_item(self, item: Any, where: str) -> Any:
        """Return an item of a list; one that needs nothing stays as it is."""
        found = known_of(item)
        if not found.known:
            self.bare = True
            return plain(item)
        if found is self.right or (found == self.right and found.names is not None):
            return plain(item)
        if np.ndim(item) == 1:  # the steps of a univariate sequence, or no sequence at all
            return plain(item)
        return self.bring(plain(item), found, where)

    def bring(self, values: Any, found: Features, where: str) -> Any:
        """Return values (..., F) with the columns of ``found`` as they are known."""
        columns, scales = self.places(found, where)
        if columns is None and scales is None:
            self.right = found
            return values
        array = np.asarray(values)
        if columns is not None:
            array = array[..., columns]
        if scales is not None and array.dtype.kind in "fiub":
            scaled = array * scales
            array = scaled.astype(array.dtype, copy=False) if array.dtype.kind == "f" else scaled
        return array

    def places(self, found: Features, where: str) -> tuple[list[int] | None, Array | None]:
        """Return which columns of ``found`` are read, and by what each is multiplied; None: as they are."""
        self._check_rate(found, where)
        columns = self._columns(found, where)
        units = found.units if columns is None or found.units is None else found.take(columns).units
        return columns, self._scales(units, where)

    def finish(self, name: str) -> Features:
        """Warn of what was seen, and return what is known now."""
        if self.converted:
            warn(f"{name} was converted: {self.conversions()} ({self.source})")
        if self.strange:
            warn(f"X has feature names, but {self.who} was fitted without feature names")
        elif self.bare and self.known.names is not None and len(self.known.names) > 1:
            _warn_nameless(name, self.who if self.named else None)
        return self.known

    def conversions(self) -> str:
        """Return which features were converted from which unit to which, as text."""
        each = [f"{_listed(names)} from {a} to {b}" for (a, b), names in self.converted.items()]
        return "; ".join(each)

    def _check_rate(self, found: Features, where: str) -> None:
        if found.rate is None:
            return
        rate = self.known.rate
        if rate is None:
            self.known = replace(self.known, rate=found.rate)
        elif abs(found.rate - rate) > RATES_DIFFER * rate:
            raise ArgumentValueError(
                where,
                f"has {found.rate:g} Hz",
                f"{rate:g} Hz ({self.source}): resample it (numpy.asarray(x) drops a rate that is wrong)",
            )

    def _columns(self, found: Features, where: str) -> list[int] | None:
        """Return where the known features are among those found; None if they are in order."""
        names, wanted = found.names, self.known.names
        if names is None or names == wanted:
            return None
        if wanted is None:
            self.strange = self.who is not None
            self.known, self.source = replace(self.known, names=names), f"as {where}"
            return None
        if len(set(names)) < len(names) or len(set(wanted)) < len(wanted):
            twice = names if len(set(names)) < len(names) else wanted
            again = next(text for i, text in enumerate(twice) if text in twice[:i])
            raise ArgumentValueError(
                where,
                f"has the features {_listed(names)}",
                f"{_listed(wanted)} ({self.source}): {again!r} is there twice, so none can be put in order",
            )
        missing = [text for text in wanted if text not in names]
        unknown = [text for text in names if text not in wanted]
        if missing or unknown:
            raise ArgumentValueError(
                where,
                f"has the features {_listed(names)}",
                f"{_listed(wanted)} ({self.source}): {differences(missing, unknown)}",
            )
        return [names.index(text) for text in wanted]

    def _scales(self, units: Texts | None, where: str) -> Array | None:
        """Return by what each column is multiplied, (F,); None if by nothing."""
        wanted = self.known.units
        if units is None:
            return None
        if wanted is None or len(wanted) != len(units):
            if wanted is None:
                self.known = replace(self.known, units=units)
            return None
        if units == wanted:
            return None
        if any(not b and a for a, b in zip(units, wanted, strict=True)):
            filled = tuple(b or a for a, b in zip(units, wanted, strict=True))
            self.known = replace(self.known, units=filled)
        scales = np.ones(len(units))
        names = self.known.names or tuple(f"feature {i}" for i in range(len(units)))
        for i, (a, b) in enumerate(zip(units, wanted, strict=True)):
            times = factor(a, b)
            if times is None:
                expected = f"{b} ({self.source}), or a unit that differs from it by a known factor"
                raise ArgumentValueError(where, f"has {names[i]!r} in {a}", expected)
            if times != 1.0:
                scales[i] = times
                if names[i] not in (seen := self.converted.setdefault((a, b), [])):
                    seen.append(names[i])
        return None if (scales == 1.0).all() else scales


def differences(missing: Sequence[str], unknown: Sequence[str]) -> str:
    """Return which names are missing and which are unknown, as a sentence.

    >>> differences(["bp"], ["spo2", "pleth"])
    "'bp' is missing, 'spo2', 'pleth' are unknown"
    """
    parts = []
    for texts, what in ((missing, "missing"), (unknown, "unknown")):
        if texts:
            parts.append(f"{_listed(texts)} {'is' if len(texts) == 1 else 'are'} {what}")
    return ", ".join(parts)


def _listed(names: Iterable[str]) -> str:
    texts = [repr(text if len(text) <= 40 else text[:37] + "...") for text in names]
    return ", ".join(texts[:_MOST]) + (", ..." if len(texts) > _MOST else "")


def _nameless(known: Features, name: str, who: str | None) -> Features:
    if who is not None and known.names is not None and len(known.names) > 1:  # one feature has no order
        _warn_nameless(name, who)
    return known


def _warn_nameless(name: str, who: str | None) -> None:
    if who is None:
        warn(f"{name} has sequences without feature names among others that have them")
    else:
        warn(f"X does not have valid feature names, but {who} was fitted with feature names")
