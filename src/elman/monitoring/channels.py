"""The channels of a stream in the order and the units of the features that a model knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.data.alignment import FeatureOrder, aligned_rows
from elman.data.feature_names import UNKNOWN, Features, known_of
from elman.data.sequences import Array
from elman.reading.parsing import listed


@dataclass(frozen=True)
class ChannelOrder:
    """Which channels of a sample (C,) are read, in order, and by what each is multiplied; None: as they are.

    ``known`` is what the model knows of its features, ``names`` are those of the channels that are read, None
    where these are unknown, and ``note`` is a sentence for the user, or "".
    """

    known: Features = UNKNOWN
    places: tuple[int, ...] | None = None
    scales: Array | None = None
    names: tuple[str, ...] | None = None
    note: str = ""

    def read(self, samples: Any) -> Array:
        """Return samples (k, F) as the model reads them; samples with names of their own go by these."""
        if type(samples) is not np.ndarray and known_of(samples).names is not None:
            return np.asarray(aligned_rows(samples, self.known, "samples"), np.float64)
        read: Array = np.asarray(samples, np.float64)
        if self.places is not None and read.ndim == 2 and read.shape[1] > max(self.places):
            read = read[:, self.places]
        return read if self.scales is None else np.multiply(read, self.scales)


def order_of(
    known: Features,
    channels: Sequence[str] | None,
    units: Sequence[str] | None = None,
    where: str = "the stream",
    source: str = "as the model was trained",
) -> ChannelOrder:
    """Return how channels are read by a model that knows these features; None where they have no names.

    A stream may have more channels than the model reads, if all of the model's are among them. Errors:
    ValueError for names that are missing or unknown, and for a unit of another kind.

    >>> order_of(Features(("Fp1", "Fp2")), ["Fp2", "Fp1"]).places
    (1, 0)
    """
    names, wanted = None if channels is None else tuple(channels), known.names
    several = wanted is not None and len(wanted) > 1
    if names is None or wanted is None:
        note = ""
        if names is None and several and wanted is not None:
            note = f"{where} names no channels: they are read as {listed(wanted)} ({source})"
        elif names is not None and len(names) > 1 and wanted is None:
            note = f"nothing is known of the features ({source}): {listed(names)} are read in this order"
        return ChannelOrder(known, names=names, note=note)
    found = Features(names, tuple(units) if units is not None and any(units) else None)
    chosen: list[int] | None = None
    if len(names) > len(wanted) and set(wanted) <= set(names) and len(set(names)) == len(names):
        chosen = [names.index(name) for name in wanted]
        found = found.take(chosen)
    order = FeatureOrder(known, None, source, where)
    columns, scales = order.places(found, where)
    notes = []
    if columns is not None or chosen is not None:
        notes.append(f"{where}: the channels are read by name, {listed(wanted)}")
    if scales is not None:
        notes.append(f"{where} is converted: {order.conversions()} ({source})")
    places = chosen if chosen is not None else columns
    return ChannelOrder(known, None if places is None else tuple(places), scales, wanted, "; ".join(notes))


def known_of_stream(stream: Any) -> Features:
    """Return what a stream of a model knows of its features: `elman.stream` and what reads it in chunks."""
    names, units = getattr(stream, "feature_names", None), getattr(stream, "feature_units", None)
    return Features(names, units, getattr(stream, "rate", None))
