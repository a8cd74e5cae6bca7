"""DepthFeatures: features of an operation at each step, from its tracks and from drug models."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from elman._validation import describe, integer
from elman.anaesthesia import pharmacology
from elman.anaesthesia.filters import Carry, Count, Drug, Lags, Mean, Sum
from elman.anaesthesia.pharmacology import Floats, Patient
from elman.anaesthesia.simulator import PROPOFOL, REMIFENTANIL, SECONDS, TRACKS
from elman.anaesthesia.vitals import find_track, in_order
from elman.data.feature_names import Features
from elman.data.sequences import Array, Batch, Offsets
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.features.base import FeatureStream, Float64, SequenceTransformer
from elman.reading.parsing import listed

# The records have no age and size, so one typical patient represents all.
MIDDLE = Patient(age=57.0, weight=62.0, height=163.0, male=True)
AWAKE = 93.0  # BIS before the first reading
_MEANS = (2, 6, 18, 60, 180)  # steps
_LAGS = 6
_DAY = 8640  # steps
_NEEDED, _OPTIONAL = TRACKS[2::-1], TRACKS[3:]
# mmHg, 1/min: other values come from a flushed line or a detached sensor
_PLAUSIBLE = ((20.0, 200.0), (20.0, 250.0))

NAMES = (
    *("bis", *(f"bis_from_mean_{steps}" for steps in _MEANS)),
    *(f"bis_change_{lag}" for lag in range(1, _LAGS + 1)),
    *("bis_swing", "bis_jump_4", "bis_jump_60", "bis_known", "bis_since"),
    *(
        f"{drug}_{what}"
        for drug in ("propofol", "remifentanil")
        for what in (
            *("rate", "off", "missing", "off_for", "from_mean_6", "from_mean_30"),
            *("plasma", "effect", "effect_change", "dose"),
        )
    ),
    *("model_bis", "model_bis_change", "bis_from_model", "bis_from_model_mean"),
    *(
        f"{track}{what}"
        for track in ("pressure", "pulse")
        for what in ("", "_known", "_from_mean_3", "_from_mean_12", "_from_mean_60")
    ),
    *("time_log", "time"),
)


class DepthFeatures(SequenceTransformer):
    """53 features of each step of an operation, from its tracks, which may have NaN: (T, F) -> (T, 53).

    - BIS: the last reading, its age, its changes over 1 to 6 steps and from means over 20 s to half an hour,
      its variability.
    - Infusions: the rates, the time since they were turned off, their changes, the doses so far.
    - Drugs: the concentrations by `elman.anaesthesia.pharmacology`, now and ``ahead`` steps later at the
      present rates, the BIS of the population at these concentrations, and the difference of the patient.
    - Arterial pressure and pulse with their changes, and the time since the record began.

    All features depend on the past only.

    Parameters
    ----------
    tracks : sequence of str
        The names of the F tracks: ``description.channels`` of `load_vitals` and `simulate_anaesthesia`.
        Rates (in ml/h, 20 mg/ml of propofol and 20 µg/ml of remifentanil) and BIS must be among them.
    ahead : int
        Steps of 10 s, at least 1 and at most a day.
    patient : Patient or None
        The patient whose kinetics are used; None takes a typical one.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, or the sequence that has an infinite number.

    >>> from elman.anaesthesia import simulate_anaesthesia
    >>> X, _, description = simulate_anaesthesia(1, minutes=(10, 10))
    >>> DepthFeatures(description.channels).fit_transform(X)[0].shape == (len(X[0]), 53)
    True
    """

    takes_missing = True

    def __init__(self, tracks: Sequence[str] = TRACKS, *, ahead: int = 6, patient: Any = None) -> None:
        self.tracks = tracks
        self.ahead = ahead
        self.patient = patient

    def check_parameters(self) -> None:
        integer("ahead", self.ahead, 1, _DAY)
        if self.patient is not None and not isinstance(self.patient, Patient):
            raise ArgumentTypeError("patient", f"is {describe(self.patient)}", "a Patient or None")
        columns(self.tracks)

    def _read(self, X: Any, form: SequenceTransformer, fresh: bool) -> Batch:
        return super()._read(in_order(X, self.tracks), form, fresh)

    def _learn(self, batch: Batch) -> dict[str, Any]:
        if batch.values.shape[1] != len(self.tracks):
            raise ArgumentValueError(
                "X", f"has {batch.values.shape[1]} features", f"{len(self.tracks)} (as tracks)"
            )
        return {}

    def _apply(self, batch: Batch) -> Float64:
        made = []
        for begin, end in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
            made.append(self._stream().advance(np.asarray(batch.values[begin:end], np.float64)))
        return np.concatenate(made)

    def _names(self, channels: list[str]) -> list[str]:  # noqa: ARG002 - named after tracks
        return list(NAMES)

    def ends(self, steps: int) -> Offsets:
        """Return 0, ..., steps - 1: every row completes a step."""
        return np.arange(integer("steps", steps, 1))

    def stream(self) -> DepthStream:
        """Return a stream: ``step`` (F,) -> (53,), ``steps`` (k, F) -> (k, 53), NaN where one is missing."""
        check_is_fitted(self, "n_features_in_")
        self.check_parameters()
        stream = self._stream()
        stream.known = Features(tuple(self.tracks))
        return stream

    def _stream(self) -> DepthStream:
        return DepthStream(list(self.tracks), self.ahead, self.patient or MIDDLE)


def columns(tracks: Any) -> dict[str, int | None]:
    """Return the column of each known track; ValueError if a required one is missing."""
    if isinstance(tracks, str) or not all(isinstance(name, str) for name in tracks):
        raise ArgumentTypeError("tracks", f"is {describe(tracks)}", "names of tracks")
    found = {name: find_track(list(tracks), name) for name in (*_NEEDED, *_OPTIONAL)}
    for name in _NEEDED:
        if found[name] is None:
            raise ArgumentValueError("tracks", f"is {listed(list(tracks))}", f"{name} among them")
    return found


class DepthStream(FeatureStream):
    """Features of an operation in a stream: `DepthFeatures.stream` makes it."""

    missing = True

    def __init__(self, tracks: list[str], ahead: int, patient: Patient) -> None:
        super().__init__(len(tracks), len(NAMES))
        self._places = columns(tracks)
        self._models = (pharmacology.schnider(patient), pharmacology.minto(patient))
        self._ahead = ahead
        self._fresh = [Drug(model, SECONDS, ahead) for model in self._models]
        self.reset()

    def reset(self) -> None:
        """Go back to the beginning of an operation."""
        self._parts: dict[str, Any] = {}
        self._drugs = copy.deepcopy(self._fresh)
        self._mark = (self._parts, self._drugs)

    def undo(self) -> None:
        """Undo the last ``advance``."""
        self._parts, self._drugs = self._mark

    def advance(self, x: Array) -> Array:
        """Take rows (k, F) that were checked."""
        self._mark = (copy.deepcopy(self._parts), copy.deepcopy(self._drugs))
        columns: list[Any] = [*self._bis(x), *self._infusions(x), *self._circulation(x)]
        made = np.column_stack(columns)
        return made.astype(x.dtype, copy=False)

    def _part(self, name: str, kind: type, *arguments: Any) -> Any:
        if name not in self._parts:
            self._parts[name] = kind(*arguments)
        return self._parts[name]

    def _track(self, x: Array, name: str, before: float) -> tuple[Floats, Floats, Array]:
        place = self._places[name]
        values = np.full(len(x), np.nan) if place is None else x[:, place].astype(np.float64)
        return (*self._part(f"{name} last", Carry, before)(values), ~np.isnan(values))

    def _mean(self, name: str, steps: int, x: Floats) -> Floats:
        mean: Floats = self._part(f"{name} mean {steps}", Mean, steps)(x)
        return mean

    def _bis(self, x: Array) -> list[Floats]:
        place = self._places["BIS/BIS"]
        if place is not None and (x[:, place] == 0).any():  # no reading
            x = x.copy()
            x[x[:, place] == 0, place] = np.nan
        last, since, known = self._track(x, "BIS/BIS", AWAKE)
        means = [last - self._mean("BIS", steps, last) for steps in _MEANS]
        lags = self._part("BIS lags", Lags, _LAGS)(last)
        swing = np.log(np.maximum(self._mean("swing", 12, means[1] ** 2), 0.1))
        jumps = [np.log(self._mean("jump", steps, np.abs(lags[0])) + 0.2) for steps in (4, 60)]
        self._last = last
        return [last, *means, *lags, swing, *jumps, known, np.log1p(since)]

    def _infusions(self, x: Array) -> list[Floats]:
        made: list[Any] = []
        effects: list[tuple[Floats, Floats]] = []
        for name, strength, drug in zip(TRACKS[:2], (PROPOFOL, REMIFENTANIL), self._drugs, strict=True):
            rate, _, known = self._track(x, name, 0.0)
            log = np.log1p(rate)
            off = self._part(f"{name} off", Count)(rate == 0)
            now, later = drug(rate * (strength / 60.0))
            made += [log, rate == 0, ~known, np.log1p(off)]
            made += [log - np.log1p(self._mean(name, steps, rate)) for steps in (6, 30)]
            made += [np.log(now[:, place] + 0.3) for place in (0, 3)]
            made += [np.log((later[:, 3] + 0.3) / (now[:, 3] + 0.3))]
            made += [np.log1p(self._part(f"{name} dose", Sum)(rate) * (SECONDS / 3600.0))]
            effects.append((now[:, 3], later[:, 3]))
        (propofol, later_propofol), (remifentanil, later_remifentanil) = effects
        now = pharmacology.bis(propofol, remifentanil)
        later = pharmacology.bis(later_propofol, later_remifentanil)
        away = self._last - now
        return [*made, now, later - now, away, self._mean("away", 60, away)]

    def _circulation(self, x: Array) -> list[Floats]:
        made: list[Any] = []
        for name, before, (least, most) in zip(TRACKS[3:], (85.0, 75.0), _PLAUSIBLE, strict=True):
            place = self._places[name]
            if place is not None:
                with np.errstate(invalid="ignore"):
                    wild = (x[:, place] <= least) | (x[:, place] >= most)
                if wild.any():
                    x = x.copy()
                    x[wild, place] = np.nan
            value, _, known = self._track(x, name, before)
            made += [value, known, *(value - self._mean(name, steps, value) for steps in (3, 12, 60))]
        step = self._part("time", Count)(np.ones(len(x), bool)) - 1
        return [*made, np.log1p(step), step / 1000.0]
