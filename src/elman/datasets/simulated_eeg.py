"""Simulated EEG: healthy, interictal and ictal segments, and a recording with a seizure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from elman._validation import choice, describe, integer, number
from elman.data.sequences import Array, Sequences
from elman.datasets import neural_mass
from elman.datasets.dataset import Annotation, Dataset, Description, described
from elman.datasets.neural_mass import Floats
from elman.errors import ArgumentTypeError, ArgumentValueError

A_GAIN = 5.0  # mV, in all six types of activity
SPEED = (0.9, 1.1)  # range of the speed of a segment's rhythms, relative to the paper
LONGEST_STEP = 1e-3  # s; the fastest synapses take 2 ms
LEAD, TAIL = 4.0, 0.1  # s simulated before and after the signal, so that column and filters settle
TOGETHER = 256  # segments at once: 110 MB where they last 24 s
PASS_BAND = (0.53, 40.0)  # Hz, 12 dB per octave: the amplifier of the Bonn recordings (Andrzejak et al. 2001)
# µV at the electrode for each mV of the cells. It gives ictal segments the size of Bonn's set E, an
# intracranial recording of seizures (docs/simulator.md).
ELECTRODE = 80.0
SOURCE = (
    "F. Wendling, F. Bartolomei, J. J. Bellanger and P. Chauvel (2002), European Journal of Neuroscience "
    "15(9), 1499-1508; B. H. Jansen and V. G. Rit (1995), Biological Cybernetics 73, 357-366"
)


@dataclass(frozen=True)
class Activity:
    """A type of activity: its ranges of the slow and the fast inhibitory gain in mV (lowest, highest)."""

    B: tuple[float, float]
    G: tuple[float, float]


# The six types of Wendling et al. (2002), whose (B, G) are (50, 15), (40, 15), (25, 15), (10, 15),
# (5, 25) and (15, 0). Each range contains its pair and stays within the type. The order fixes the seeds.
ACTIVITIES = {
    "background": Activity((47.0, 55.0), (13.0, 17.0)),
    "sporadic spikes": Activity((39.0, 41.0), (14.0, 16.0)),
    "sustained spikes": Activity((22.0, 30.0), (13.0, 17.0)),
    "slow rhythmic": Activity((9.0, 11.0), (13.0, 17.0)),
    "low-voltage rapid": Activity((4.0, 6.0), (24.0, 28.0)),
    "quasi-sinusoidal": Activity((14.0, 16.0), (0.0, 1.0)),
}
# The segments of a kind take its types in turn. Most of a seizure has a large amplitude, as four of six here.
_LARGE = ("sustained spikes", "quasi-sinusoidal")
Kind = Literal[
    "healthy",
    "interictal",
    "ictal",
    "background",
    "sporadic spikes",
    "sustained spikes",
    "slow rhythmic",
    "low-voltage rapid",
    "quasi-sinusoidal",
]
KINDS: dict[str, tuple[str, ...]] = {
    "healthy": ("background",),
    "interictal": ("sporadic spikes",),
    "ictal": (*_LARGE, "slow rhythmic", *_LARGE, "low-voltage rapid"),
} | {name: (name,) for name in ACTIVITIES}


def simulate_eeg(
    n: int = 100,
    *,
    kinds: Iterable[Kind] = ("healthy", "interictal", "ictal"),
    seconds: float = 23.6,
    fs: float = 173.61,
    seed: int = 0,
    step: float = LONGEST_STEP,
) -> Dataset[Array]:
    """Return n segments of simulated EEG of each kind, one channel, in µV.

    The potential of a column's pyramidal cells (equations in docs/simulator.md) reaches an intracranial
    electrode as 80 µV for each mV and passes an amplifier of 0.53 to 40 Hz. Healthy segments have about
    30 µV (standard deviation), the largest spikes about 1 mV. The kinds differ only in the inhibitory gains B
    and G. Each segment draws its gains from its type's range, and its rhythms are up to a tenth slower or
    faster. By default, length and rate are those of the Bonn recordings.

    Parameters
    ----------
    n : int
        Segments of each kind, at least 1.
    kinds : sequence of str
        "healthy": background activity; "interictal": sporadic spikes; "ictal": in turn sustained spikes,
        quasi-sinusoidal (both large), slow rhythmic, sustained spikes, quasi-sinusoidal, low-voltage rapid;
        or one of these six types by its name, as "background".
    seconds : float
        The length of a segment, at least one sample.
    fs : float
        The sampling rate in Hz.
    seed : int
        Segment i of a kind depends only on seed, kind, i, fs and step: more, longer or other segments do not
        change it.
    step : float
        The longest step of the integration in seconds, at most 0.001; the step used divides 1 / fs.

    Returns
    -------
    Dataset
        X, `Sequences` of segments (T, 1), T = seconds · fs, kind after kind; y (segments,), the kinds' names;
        the description, whose ``units`` are ("µV",).

    Raises
    ------
    TypeError, ValueError
        For an argument of the wrong type or out of its range.

    References
    ----------
    Wendling et al. (2002), European Journal of Neuroscience 15(9), 1499-1508: table 1 and the six types.

    >>> X, y, description = simulate_eeg(2, kinds=("interictal", "ictal"), seconds=2.0)
    >>> X
    Sequences(4 sequences, values (1388, 1) float64)
    >>> y.tolist(), description.units
    (['interictal', 'interictal', 'ictal', 'ictal'], ('µV',))
    >>> bool(X[2].std() > X[0].std())
    True
    """
    n, names = integer("n", n, 1), _checked_kinds(kinds)
    fs, steps, substeps = _sampling(seconds, fs, step)
    seed = integer("seed", seed)
    segments = [(KINDS[name][i % len(KINDS[name])], i) for name in names for i in range(n)]
    values = np.empty((len(segments), steps))
    for first in range(0, len(segments), TOGETHER):
        some = segments[first : first + TOGETHER]
        values[first : first + len(some)] = _segments(some, steps, fs, substeps, seed)
    ids = tuple(f"{name}-{i:03d}" for name in names for i in range(n))
    text = f"{n} simulated segments of {steps / fs:.1f} s of each kind: {', '.join(names)}."
    description = Description(text, fs, ("EEG",), ids, SOURCE, ("µV",))
    X = Sequences(values.reshape(-1, 1), np.arange(len(segments) + 1) * steps)
    return Dataset(described(X, description), np.repeat(names, n), description)


def simulate_seizure(
    seconds: float = 60.0,
    *,
    onset: float = 20.0,
    duration: float = 25.0,
    fs: float = 173.61,
    seed: int = 0,
    step: float = LONGEST_STEP,
) -> Dataset[list[Array]]:
    """Return one recording of simulated EEG with a seizure, and the label of every sample.

    It is the column of `simulate_eeg` with inhibitory gains that change over time. The recording starts with
    background activity. Then slow inhibition weakens and sporadic spikes appear. At the onset it drops, and
    fast activity of low voltage begins. A slow rhythm follows, which becomes quasi-sinusoidal and then a
    discharge of spikes. At the end inhibition returns. The drop and the fast onset follow observations in the
    temporal lobe (Wendling et al. 2005, J. Clin. Neurophysiol. 22, 343-356). The rest of the course and all
    times are elman's own choice.

    Parameters
    ----------
    seconds : float
        The length of the recording.
    onset, duration : float
        Start and length of the seizure in seconds; it must end within the recording.
    fs, seed, step
        As for `simulate_eeg`.

    Returns
    -------
    Dataset
        X, `Sequences` of one recording (T, 1) in µV; y, a list of its labels (T,), "interictal" or "ictal",
        as `RNNTagger` takes them; the description.

    Raises
    ------
    TypeError, ValueError
        For an argument of the wrong type or out of its range.

    >>> X, y, description = simulate_seizure(8.0, onset=3.0, duration=4.0, fs=128.0)
    >>> X[0].shape, int((y[0] == "ictal").sum())
    ((1024, 1), 512)
    """
    fs, steps, substeps = _sampling(seconds, fs, step)
    onset, duration = number("onset", onset), number("duration", duration, positive=True)
    seed = integer("seed", seed)
    end = onset + duration
    if end > seconds:
        raise ArgumentValueError("onset + duration", f"is {end:g}", f"at most seconds, {seconds:g}")
    lead, total, h = _span(steps, fs, substeps)
    times, B, G = zip(
        (0.2 * onset, 50.0, 15.0),
        (0.4 * onset, 40.5, 15.0),
        (onset, 39.5, 15.0),
        (onset + 0.05 * duration, 5.0, 25.0),
        (onset + 0.25 * duration, 5.0, 25.0),
        (onset + 0.40 * duration, 10.0, 15.0),
        (onset + 0.55 * duration, 15.0, 0.0),
        (onset + 0.70 * duration, 15.0, 0.0),
        (onset + 0.80 * duration, 25.0, 15.0),
        (end, 25.0, 15.0),
        (end + 1.0, 50.0, 15.0),
        strict=True,
    )
    now = (np.arange(total) - lead) * h
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(ACTIVITIES), 0)))
    p = neural_mass.draw_input(generator, total, h)[:, None]
    slow, fast = (np.interp(now, times, gain)[:, None] for gain in (B, G))
    potential = neural_mass.integrate(np.array([A_GAIN]), slow, fast, np.ones(1), p, h)
    X = Sequences(ELECTRODE * _recorded(potential, steps, fs, substeps), [0, steps])
    seen = np.arange(steps) / fs
    y = np.where((seen >= onset) & (seen < end), "ictal", "interictal")
    text = f"A simulated recording of {steps / fs:.1f} s; a seizure from {onset:g} to {end:g} s."
    events = (Annotation(onset, duration, "ictal"),)
    description = Description(text, fs, ("EEG",), ("seizure-000",), SOURCE, ("µV",), events)
    return Dataset(described(X, description), [y], description)


def _segments(some: list[tuple[str, int]], steps: int, fs: float, substeps: int, seed: int) -> Floats:
    """Return segments (n, steps) in µV, each given by its type and its number within its kind."""
    _, total, h = _span(steps, fs, substeps)
    n, order = len(some), list(ACTIVITIES)
    B, G, speed = np.empty(n), np.empty(n), np.empty(n)
    p = np.empty((total, n))
    for j, (name, i) in enumerate(some):
        key = np.random.SeedSequence(seed, spawn_key=(order.index(name), i))
        generator = np.random.default_rng(key)
        B[j], G[j] = generator.uniform(*ACTIVITIES[name].B), generator.uniform(*ACTIVITIES[name].G)
        speed[j] = generator.uniform(*SPEED)
        p[:, j] = neural_mass.draw_input(generator, total, h)
    potential = neural_mass.integrate(np.full(n, A_GAIN), B, G, speed, p, h)
    return ELECTRODE * _recorded(potential, steps, fs, substeps).T


def _recorded(potential: Floats, steps: int, fs: float, substeps: int) -> Floats:
    """Return the potentials (N, n) filtered by an amplifier, (steps, n), without lead and tail."""
    from scipy import signal

    rate = fs * substeps
    high = signal.butter(2, PASS_BAND[0], "highpass", fs=rate, output="sos")
    low = signal.butter(2, PASS_BAND[1], fs=rate, output="sos")
    passed = signal.sosfilt(np.concatenate([high, low]), potential, axis=0)
    first = _span(steps, fs, substeps)[0] // substeps
    sampled: Floats = signal.resample_poly(passed, 1, substeps, axis=0)[first : first + steps]
    return sampled


def _span(steps: int, fs: float, substeps: int) -> tuple[int, int, float]:
    """Return the integration's steps before the signal, all its steps, and their length in seconds."""
    lead, tail = math.ceil(LEAD * fs), math.ceil(TAIL * fs)
    return lead * substeps, (lead + steps + tail) * substeps, 1.0 / (fs * substeps)


def _sampling(seconds: float, fs: float, step: float) -> tuple[float, int, int]:
    """Return fs, the samples of a recording, and the integration's steps from one sample to the next."""
    seconds, fs = number("seconds", seconds, positive=True), number("fs", fs, positive=True)
    step = number("step", step, positive=True)
    if step > LONGEST_STEP:
        raise ArgumentValueError("step", f"is {step:g}", f"at most {LONGEST_STEP:g} s")
    steps = round(seconds * fs)
    if steps < 1:
        raise ArgumentValueError(
            "seconds", f"is {seconds:g}", f"at least {1 / fs:g}, one sample at fs {fs:g}"
        )
    return fs, steps, math.ceil(1.0 / (fs * step) - 1e-9)


def _checked_kinds(kinds: Iterable[str]) -> list[str]:
    if isinstance(kinds, str) or not isinstance(kinds, Iterable):
        raise ArgumentTypeError("kinds", f"is {describe(kinds)}", "a sequence of names")
    names = [choice(f"kinds[{i}]", kind, KINDS) for i, kind in enumerate(kinds)]
    if not names or len(set(names)) < len(names):
        raise ArgumentValueError("kinds", f"is {names}", "at least one name and each once")
    return names
