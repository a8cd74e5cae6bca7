"""Simulated operations under propofol and remifentanil: a patient, a pump, an anaesthetist, a monitor.

Concentrations and BIS follow published models (`elman.anaesthesia.pharmacology`), with constants for each
patient that vary around those of the population. The rest is elman's own simple model: the anaesthetist's
control, the effect of stimuli, pressure and pulse, the noise and gaps of the monitor. The simulation should
look like records of operations. It must not be used for dosing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elman._validation import integer, number
from elman.anaesthesia import pharmacology as drugs
from elman.anaesthesia.pharmacology import Compartments, Floats, Patient
from elman.data.sequences import Array, Sequences
from elman.datasets.dataset import Dataset, Description
from elman.errors import ArgumentTypeError, ArgumentValueError

SECONDS = 10.0
TRACKS = (
    "Orchestra/PPF20_RATE",
    "Orchestra/RFTN20_RATE",
    "BIS/BIS",
    "Solar8000/ART_MBP",
    "Solar8000/PLETH_HR",
)
PROPOFOL = 20.0  # mg per ml in the pump's syringe
REMIFENTANIL = 20.0  # µg
PUMP = 1200.0  # ml/h, the largest rate of the pump

# Coefficients of variation between patients: of C50 and steepness from Bouillon et al. 2004 (table 5), of
# the kinetics from Schnider et al. 1998 and Minto et al. 1997; that of propofol's ke0 is an assumption.
_C50_SPREAD = (0.182, 0.888)
_STEEPNESS_SPREAD = 0.304
_KINETICS = ("v1", "v2", "v3", "cl1", "cl2", "cl3", "ke0")
_PROPOFOL_SPREAD = (0.0404, 0.01, 0.1435, 0.1005, 0.01, 0.1179, 0.42)
_REMIFENTANIL_SPREAD = (0.26, 0.29, 0.66, 0.14, 0.36, 0.41, 0.68)


@dataclass(frozen=True)
class Operation:
    """One simulated operation, with its true BIS and concentrations.

    ``tracks`` (T, 5) as in `TRACKS`, NaN where there is no value; ``truth`` (T,) the BIS without the
    monitor's smoothing and noise; ``effect`` (T, 2) the effect-site concentrations, µg/ml and ng/ml.
    """

    patient: Patient
    tracks: Array
    truth: Floats
    effect: Floats


def simulate_anaesthesia(
    n: int = 20, seed: int = 0, *, minutes: tuple[float, float] = (60.0, 180.0), gaps: bool = True
) -> Dataset[list[Array]]:
    """Return n simulated operations as `load_vitals` returns recorded ones: X, y, description.

    Shapes: X `Sequences` of (T_i, 5), float32, one row every 10 s, NaN where there is no value; y a list of n
    arrays (T_i,), float32: the BIS of X. ``minutes`` is the shortest and the longest time from induction to
    the end of the infusions. A few minutes awake are added before and after. ``gaps=False`` keeps all values.
    Operation i depends on seed and i only.

    Errors: ValueError and TypeError that name the argument.

    >>> X, y, description = simulate_anaesthesia(2, seed=1, minutes=(20, 30))
    >>> description.channels[2], X[0].shape == (len(y[0]), 5)
    ('BIS/BIS', True)
    """
    integer("n", n, 1)
    integer("seed", seed)
    given: Any = minutes
    if not isinstance(given, tuple) or len(given) != 2:
        raise ArgumentTypeError("minutes", f"is {minutes!r}", "(shortest, longest)")
    low, high = (number(f"minutes[{i}]", value, minimum=10.0) for i, value in enumerate(minutes))
    if high < low:
        raise ArgumentValueError("minutes", f"is {minutes}", "the shortest time first")
    cases = [operate(np.random.default_rng([seed, i]), (low, high), gaps).tracks for i in range(n)]
    offsets = np.cumsum([0, *map(len, cases)])
    X = Sequences(np.concatenate(cases), offsets, feature_names=TRACKS, rate=1.0 / SECONDS)
    known = float((~np.isnan(X.values[:, 2])).mean())
    text = (
        f"{n} simulated operations, {len(X.values)} steps of {SECONDS:g} s; a BIS reading at {known:.0%} of "
        f"them; tracks {', '.join(TRACKS)}"
    )
    ids = tuple(f"simulated_{seed}_{i}" for i in range(n))
    source = "simulated; Schnider et al. 1998, 1999; Minto et al. 1997; Bouillon et al. 2004"
    return Dataset(X, [case[:, 2] for case in X], Description(text, 1.0 / SECONDS, TRACKS, ids, source))


def operate(rng: np.random.Generator, minutes: tuple[float, float], gaps: bool = True) -> Operation:
    """Return one operation."""
    patient = draw_patient(rng)
    awake = int(rng.uniform(3, 8) * 6)
    asleep = int(rng.uniform(*minutes) * 6)
    after = int(rng.uniform(8, 15) * 6)
    T = awake + asleep + after
    stimulus = _stimuli(rng, T, awake, awake + asleep)
    body = _Body(rng, patient)
    pumps = (_Pump(drugs.schnider(patient), PROPOFOL), _Pump(drugs.minto(patient), REMIFENTANIL))
    anaesthetist = _Anaesthetist(rng)
    rates, truth, effect = np.zeros((T, 2)), np.empty(T), np.empty((T, 2))
    shown, slow, noise = np.empty(T), body.awake, _colored(rng, T, 40.0, 3.0)
    smoothing = 1.0 - math.exp(-SECONDS / 15.0)  # monitors show a mean of about half a minute
    for t in range(T):
        if awake <= t < awake + asleep:
            targets = anaesthetist.targets(t - awake, shown[t - 1], stimulus[t])
            rates[t] = [pump.rate(target) for pump, target in zip(pumps, targets, strict=True)]
        for pump, rate in zip(pumps, rates[t].tolist(), strict=True):
            pump.give(rate)
        effect[t] = body.give(rates[t])
        truth[t] = body.bis(effect[t], stimulus[t])
        slow += (truth[t] - slow) * smoothing
        # The index is noisiest in the middle of its range, and quiet when awake.
        shown[t] = slow + noise[t] * (0.4 + math.sqrt(max(0.0, slow * (100.0 - slow))) / 50.0)
    bis = np.clip(np.round(shown, 1), 1.0, 98.0)
    pressure, pulse = _circulation(rng, effect, stimulus)
    tracks = np.column_stack([np.round(rates, 1), bis, pressure, pulse]).astype(np.float32)
    if gaps:
        _lose(rng, tracks, awake)
    return Operation(patient, tracks, truth, effect)


def draw_patient(rng: np.random.Generator) -> Patient:
    """Return an adult: age 20 to 80, height and body mass index around the means of adults of each sex."""
    male = bool(rng.random() < 0.5)
    height = rng.normal(172.0 if male else 160.0, 6.5)
    index = np.clip(rng.normal(24.0, 3.0), 18.0, 32.0)
    weight = index * (height / 100) ** 2
    return Patient(age=float(rng.uniform(20, 80)), weight=float(weight), height=float(height), male=male)


class _Body:
    """A simulated patient: the population's model with every constant varied."""

    def __init__(self, rng: np.random.Generator, patient: Patient) -> None:
        own = (
            _varied(rng, drugs.schnider(patient), _PROPOFOL_SPREAD),
            _varied(rng, drugs.minto(patient), _REMIFENTANIL_SPREAD),
        )
        self.steps = [model.step(SECONDS) for model in own]
        self.states = np.zeros((2, 4))
        means = (drugs.PROPOFOL_C50, drugs.REMIFENTANIL_C50)
        self.c50 = (means[0] * _around(rng, _C50_SPREAD[0]), means[1] * _around(rng, _C50_SPREAD[1]))
        self.steepness = drugs.STEEPNESS * _around(rng, _STEEPNESS_SPREAD)
        self.awake = float(np.clip(rng.normal(95.0, 2.0), 88.0, drugs.BIS_AWAKE))

    def give(self, rates: Floats) -> Floats:
        """Return the effect-site concentrations after a step at these rates, ml/h."""
        for i, ((A, b), strength) in enumerate(zip(self.steps, (PROPOFOL, REMIFENTANIL), strict=True)):
            self.states[i] = A @ self.states[i] + b * (rates[i] * strength / 60.0)
        return self.states[:, 3].copy()

    def bis(self, effect: Floats, stimulus: float) -> float:
        """Return the index: a stimulus raises it, and remifentanil weakens the stimulus."""
        propofol, remifentanil = (max(0.0, float(level)) for level in effect)
        asleep = drugs.bis(propofol, remifentanil, awake=self.awake, c50=self.c50, steepness=self.steepness)
        felt = stimulus / (1.0 + remifentanil / 3.0)
        return float(asleep + (self.awake - asleep) * felt / (1.0 + felt))


class _Pump:
    """A pump with target concentrations, which uses the population's model, not the patient's own."""

    def __init__(self, model: Compartments, strength: float) -> None:
        self.A, self.b = model.step(SECONDS)
        self.strength, self.state = strength, np.zeros(4)

    def rate(self, target: float) -> float:
        """Return the rate in ml/h that brings the plasma of its model to the target within the step."""
        wanted = float(target - self.A[0] @ self.state) / float(self.b[0]) * 60.0 / self.strength
        return round(min(max(wanted, 0.0), PUMP), 1)

    def give(self, rate: float) -> None:
        self.state = self.A @ self.state + self.b * (rate * self.strength / 60.0)


class _Anaesthetist:
    """Sets the pumps' targets: reads the monitor every few minutes and aims at BIS of about 40 to 55."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.propofol, self.remifentanil = rng.uniform(3.5, 5.0), rng.uniform(3.0, 5.0)
        self.wanted = rng.uniform(40.0, 52.0)
        self.next = int(rng.uniform(24, 48))

    def targets(self, since: int, bis: float, stimulus: float) -> tuple[float, float]:
        """Return the targets, µg/ml and ng/ml, ``since`` steps after the induction."""
        if since >= self.next:
            off = bis - self.wanted
            if abs(off) > 5:
                self.propofol = min(max(self.propofol + 0.04 * min(max(off, -12.0), 12.0), 1.2), 7.0)
            if stimulus > 0.4:
                self.remifentanil = min(self.remifentanil + self.rng.uniform(0.5, 1.5), 10.0)
            elif stimulus < 0.1:
                self.remifentanil = max(self.remifentanil - self.rng.uniform(0.0, 0.7), 1.5)
            self.next = since + int(self.rng.uniform(6, 48))
        return self.propofol, self.remifentanil


def _around(rng: np.random.Generator, variation: float) -> float:
    """Return a log-normal factor of median 1 with this coefficient of variation."""
    return float(np.exp(rng.normal(0.0, np.sqrt(np.log1p(variation**2)))))


def _varied(rng: np.random.Generator, model: Compartments, spread: tuple[float, ...]) -> Compartments:
    changes: Any = {
        name: getattr(model, name) * _around(rng, cv) for name, cv in zip(_KINETICS, spread, strict=True)
    }
    return replace(model, **changes)


def _stimuli(rng: np.random.Generator, T: int, begin: int, end: int) -> Floats:
    """Return the strength of the stimuli: intubation, incision, and surgery of varying intensity."""
    stimulus = np.zeros(T)
    events = [(begin + int(rng.uniform(24, 40)), rng.uniform(0.5, 1.5))]
    at = events[0][0] + rng.uniform(60, 150)
    while at < end:
        events.append((int(at), rng.exponential(0.5)))
        at += rng.exponential(60.0)
    events.append((end + int(rng.uniform(20, 50)), 1.0))  # dressing, speaking to
    for start, strength in events:
        lasting = rng.uniform(6, 40)
        after = np.arange(max(0, T - start))
        stimulus[start:] += strength * (1 - np.exp(-(after + 1) / 2.0)) * np.exp(-after / lasting)
    return stimulus


def _colored(rng: np.random.Generator, T: int, seconds: float, deviation: float) -> Floats:
    """Return noise of this standard deviation, whose correlation falls to 1/e within ``seconds``."""
    from scipy.signal import lfilter

    a = np.exp(-SECONDS / seconds)
    white = rng.normal(0.0, deviation * np.sqrt(1 - a**2), T)
    white[0] /= np.sqrt(1 - a**2)
    noise: Floats = lfilter([1.0], [1.0, -a], white)
    return noise


def _circulation(rng: np.random.Generator, effect: Floats, stimulus: Floats) -> tuple[Floats, Floats]:
    """Return mean arterial pressure in mmHg and heart rate in 1/min.

    Both fall with U = propofol / 5 + remifentanil / 15 by a largest share times U / (1 + U), and rise with
    the stimulus that is felt. The relation is elman's own, of a realistic size.
    """
    units = np.maximum(effect, 0.0) @ [1 / 5, 1 / 15]
    felt = stimulus / (1.0 + np.maximum(effect[:, 1], 0.0) / 3.0)
    sunk = units / (1.0 + units)
    pressure = rng.normal(95, 10) * (1 - rng.uniform(0.3, 0.6) * sunk + 0.15 * felt)
    pulse = rng.normal(75, 9) * (1 - rng.uniform(0.15, 0.4) * sunk + 0.15 * felt)
    pressure += _colored(rng, len(effect), 120.0, 5.0)
    pulse += _colored(rng, len(effect), 90.0, 3.0)
    limited: tuple[Any, Any] = (np.clip(pressure, 30.0, 200.0), np.clip(pulse, 35.0, 180.0))
    return np.round(limited[0]), np.round(limited[1])


def _lose(rng: np.random.Generator, tracks: Array, awake: int) -> None:
    """Remove values: of pumps and monitors before they are connected, and in later gaps."""
    T = len(tracks)
    connected = int(rng.uniform(0, awake))
    tracks[:connected, :2] = np.nan
    tracks[: int(rng.uniform(0, awake)), 2] = np.nan
    tracks[: awake + int(rng.uniform(0, 60)), 3] = np.nan  # the arterial line is placed after the induction
    shares_and_lengths = ((2, 0.03, 8.0), (3, 0.02, 3.0), (4, 0.01, 3.0), (0, 0.005, 2.0), (1, 0.005, 2.0))
    for column, share, length in shares_and_lengths:
        for start in np.flatnonzero(rng.random(T) < share / length):
            tracks[start : start + 1 + int(rng.exponential(length)), column] = np.nan
