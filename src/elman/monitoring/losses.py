"""Losses: time stamps compared with the rate that is expected, so that lost samples are told from drift."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from elman.data.sequences import Array

_ALLOWED = 0.02  # of the samples: less is drift, or a sample that is lost now and then
_SLOW = 0.15  # the same where samples come late, but few are lost: a program that waits between two, say
_JITTER = 0.15  # s of the clock: stamps differ by 0.1 s at most, as those of whole packets do
_FEWEST = 3.0  # samples: the same for slow signals
_OVER = 3.0  # s of the signal at the expected rate, after which it is sound again
_LASTS = 3.0  # s of the signal in which too many samples must come: a burst that was held back does not last
_BLOCK = 4.0  # s of the signal whose mean is one point of the drift
_FEW = 32  # samples in it, at least
_POINTS = 6  # points that the drift is measured over
_ROUNDING = 1e-6  # samples: sums differ by less where the same stamps come in other chunks
_DRIFT = 0.002  # relative; less is the clock of any device
_EXACT = 0.25  # samples: such a stamp is exact
_KNOWN = 50  # stamps, after which it is known whether they are exact
_RECENT = 400.0  # stamps that this is judged by


class Turn(NamedTuple):
    """From the sample ``place`` of a chunk on the signal is ``sound``, or not; ``text`` says why.

    ``kind`` is "loss", or "rate" where too many samples come.
    """

    place: int
    sound: bool
    kind: str
    text: str


class Losses:
    """Counts the samples lost between time stamps, and says where the signal is damaged.

    With d_k = step_k rate - 1 for the seconds between two stamps, jitter and packets with one stamp cancel
    out in the sum of d. Lost samples add up, one each, and so does the drift of a clock, slowly. The signal
    is damaged from the sample where S_k = max(0, S_{k-1} + d_k - a) exceeds 0.15 s of samples, until S has
    reached no new maximum for 3 s. The same sum of -d finds too many samples, if they come for 3 s or longer.
    The share a is 0.02, and 0.15 where most of d comes from steps that are no whole number of periods: such a
    source is slow, but loses nothing.

    Where the stamps are exact, a few samples lost now and then are counted too; they damage nothing.

    Parameters
    ----------
    rate : float
        Samples per second of the signal, in Hz.

    Attributes
    ----------
    lost : int
        Samples lost, without those in gaps; single ones are counted once a second.
    times : int
        How often the signal was damaged.
    sound : bool
        Whether the signal is undamaged now.
    drift : float
        The time between samples relative to that of the rate, minus 1, over the last 24 s without samples
        that count as lost; NaN before that.

    >>> losses = Losses(200.0)
    >>> losses.feed(np.full(1000, 1 / 200)), losses.lost
    ([], 0)
    >>> turns = losses.feed(np.full(1000, 2 / 200))  # each second sample is lost
    >>> [(turn.place, turn.sound, turn.kind) for turn in turns], losses.lost
    ([(30, False, 'loss')], 1000)
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.lost = self.times = 0
        self.drift = math.nan
        self._found = rate  # Hz, where the signal turned last
        self._sign = 0  # of a damage: 1 where samples are lost, -1 where there are too many, 0 where none
        self._late, self._dense = _Sum(), _Sum()  # too few samples, and too many
        self._pending: list[tuple[Array, Array]] = []  # what is counted once a second
        self._held = 0  # samples in it
        self._plain = True  # whether all of their stamps are exact
        self._base = 0  # `lost` before the present damage
        self._stamps = self._exact = self._early = 0.0  # recent ones, those exact, those too early
        self._whole = self._part = 0.0  # of d of the last seconds: in whole periods, and in parts of one
        self._singles = 0  # samples lost now and then, where the stamps are exact
        self._open = 0.0  # the sum of d since the last change of the stamp
        self._drifted = 0.0  # the sum of d of a sound signal, without lost samples
        self._seen = 0  # samples that are in the drift
        self._block = (0, 0.0)  # samples of this block, and the sum over them of the sum of d
        self._after_gap = False  # whether it follows a gap: what was held back may come there at once
        self._points: list[tuple[float, float]] = []
        self._known = False  # whether the stamps are exact

    @property
    def sound(self) -> bool:
        return self._sign == 0

    def feed(self, steps: Array, apart: Array | None = None, speed: float = 1.0) -> list[Turn]:
        """Take the seconds from each sample to the one before (k,), and return where the signal turns.

        NaN is for the first sample of all. ``apart`` (k,) marks gaps, which are counted elsewhere, and stamps
        that go back. ``speed`` is seconds of the signal per second of the clock.
        """
        d = steps * (self.rate * speed)
        d -= 1.0
        if math.isnan(d[0]):
            d[0] = 0.0
        dense = d  # a burst after a gap is what was held back
        if apart is not None and apart.any():
            d = np.where(apart, 0.0, d)
            dense = np.where(apart & (steps < 0), 0.0, dense)
        limit = max(_JITTER * self.rate * speed, _FEWEST)
        turns: list[Turn] = []
        begin, second = 0, max(round(self.rate), 1)
        while begin < len(d):
            end = min(begin + second - self._held, len(d))
            part = d[begin:end]
            other = part if dense is d else dense[begin:end]
            if self.sound:
                stop = self._watch(part, other, limit, second)
            else:
                stop = self._wait(part if self._sign > 0 else other)
            if stop is not None:
                turns.append(self._turn(begin + stop))
                end = begin + stop + 1
            begin = end
        return turns

    def _turn(self, index: int) -> Turn:
        kind = "rate" if self._sign < 0 else "loss"
        if self.sound:
            lost = f", {self.lost - self._base} were lost" if self.lost > self._base else ""
            text = f"samples come at the rate again{lost}; a new sequence begins"
        else:
            lost = f", {self.lost - self._base} are lost" if kind == "loss" else ""
            came = f"about {self._found:.3g} samples per second come, expected {self.rate:g}"
            text = f"{came}{lost}: no answers until they come at that rate"
        return Turn(index, self.sound, kind, text)

    def _watch(self, d: Array, dense: Array, limit: float, second: int) -> int | None:
        """Take samples of a sound signal, and return the index of the one that damages it, if any."""
        plain = d is dense and d.max() <= _ALLOWED and d.min() >= -_ALLOWED and not self._open
        stop = None
        if plain and self._late.value == 0.0:  # as of most devices: each stamp is exact, and S stays 0
            self._late.clear()
        else:
            stop = self._late.add(d, limit)
        taken = len(d) if stop is None else stop + 1
        self._plain &= plain
        self._pending.append((d[:taken], dense[:taken]))
        self._held += taken
        if stop is not None:
            self._damage(1, self._late)
        elif self._held == second and self._settle(limit):
            self._damage(-1, self._dense)
            stop = taken - 1
        return stop

    def _settle(self, limit: float) -> bool:
        """Count what a second of a sound signal has lost; whether too many samples have come for long."""
        parts, plain = self._pending, self._plain
        self._pending, self._held, self._plain = [], 0, True
        late = np.concatenate([part for part, _ in parts]) if len(parts) > 1 else parts[0][0]
        if any(other is not part and not np.array_equal(other, part) for part, other in parts):
            self._points, self._block, self._after_gap = [], (0, 0.0), True
        if plain and self._dense.value == 0.0:
            self._dense.clear()
            lasting = False
        else:
            early = -np.concatenate([part for _, part in parts])
            lasting = self._dense.lasting(early, limit, _LASTS * self.rate)
        self._count(late, plain)
        return lasting

    def _damage(self, sign: int, total: _Sum) -> None:
        """Begin to wait for a sound signal."""
        self._sign = sign
        self.times += 1
        self._found = self.rate * total.samples / max(total.samples + sign * total.excess, 1e-9)
        self._base = self.lost - (total.counted if sign > 0 else 0)
        self._lose(total)
        self._points, self._block = [], (0, 0.0)
        self._pending, self._held, self._plain = [], 0, True

    def _wait(self, d: Array) -> int | None:
        """Take samples of a damaged signal, and return the index of the one that makes it sound, if any."""
        total = self._late if self._sign > 0 else self._dense
        stop = total.quiet(self._sign * d, _OVER * self.rate, self._sign)
        self._lose(total)
        if stop is not None:
            self._sign, self._open, self._drifted = 0, 0.0, 0.0
            allowed = self._late.allowed
            self._late, self._dense = _Sum(allowed), _Sum(allowed)
        return stop

    def _lose(self, total: _Sum) -> None:
        if self._sign > 0:
            self.lost = max(self._base + max(round(total.excess), 0), 0)

    def _count(self, d: Array, plain: bool) -> None:
        """Count what exact stamps say is lost in a second, and measure the drift."""
        total = np.cumsum(d)
        lost = 0
        if plain:
            self._judge(len(d), len(d), 0)
        else:
            ends = total[d > -0.999] + self._open  # where the stamp is another one than before
            apart = np.diff(ends, prepend=0.0)  # from one stamp to the next, without the samples of the first
            self._open += float(total[-1]) - (float(ends[-1]) if len(ends) else 0.0)
            exact = int(np.count_nonzero(np.abs(apart) < _EXACT))
            self._allow(apart)
            if self._judge(len(apart), exact, int(np.count_nonzero(apart < -0.5))):
                # Samples that came together after a pause make up for what seemed lost in it.
                lost = max(int(np.rint(apart[np.abs(apart) > 0.75]).sum()), -self._singles)
                self._singles += lost
                self.lost += lost
                self._late.counted += lost if self._late.value else 0
        self._follow(len(d), float(total.sum()) + len(d) * self._drifted)
        self._drifted += float(total[-1]) - lost

    def _allow(self, apart: Array) -> None:
        """Set the share that S may lose, by whether what is missing between two stamps is whole samples."""
        fade = math.exp(-len(apart) / _RECENT)
        late = np.where(np.abs(apart - np.rint(apart)) < _EXACT, np.rint(apart), 0.0)
        self._whole = self._whole * fade + float(np.abs(late).sum())
        self._part = self._part * fade + abs(float((apart - late).sum()))
        self._late.allowed = self._dense.allowed = _SLOW if self._part > self._whole else _ALLOWED

    def _judge(self, stamps: int, exact: int, early: int) -> bool:
        """Return whether the stamps of the last seconds are exact."""
        fade = math.exp(-stamps / _RECENT)
        self._stamps = self._stamps * fade + stamps
        self._exact = self._exact * fade + exact
        self._early = self._early * fade + early
        known = self._stamps > _KNOWN and self._early < 0.01 * self._stamps
        self._known = known and self._exact > 0.9 * self._stamps
        return self._known

    def _follow(self, samples: int, total: float) -> None:
        """Add the sum over samples of the sum of d to the points that the drift is measured over."""
        count, before = self._block
        self._block = count + samples, before + total
        self._seen += samples
        count, total = self._block
        if count < max(_BLOCK * max(round(self.rate), 1), _FEW):
            return
        self._block = (0, 0.0)
        if self._after_gap:
            self._after_gap = False
            return
        self._points = [*self._points[1 - _POINTS :], (self._seen - count / 2, total / count)]
        if len(self._points) == _POINTS:
            x, y = np.array(self._points).T
            x -= x.mean()
            self.drift = float(x @ y / (x @ x))

    @property
    def drift_text(self) -> str:
        """The drift as a sentence."""
        rate, wrong = self.rate / (1.0 + self.drift), 100.0 * abs(self.drift)
        # Samples that are lost one at a time look like a drift, unless each stamp is exact.
        reason = "samples are lost one at a time" if self.drift > 0.0 and not self._known else ""
        reason = f"a clock that is {wrong:.2g} % wrong" + (f", or {reason}" if reason else ", not a loss")
        return f"{rate:.5g} samples per second come, expected {self.rate:g}: {reason}"

    @property
    def drifts(self) -> bool:
        """Whether the drift is more than that of any clock."""
        return abs(self.drift) > _DRIFT


class _Sum:
    """S_k = max(0, S_{k-1} + late_k - allowed), and what has come since it was 0."""

    def __init__(self, allowed: float = _ALLOWED) -> None:
        self.allowed = allowed
        self.value = self.excess = 0.0  # S; the sum of late since it was 0
        self.samples = self.counted = 0  # since it was 0; `counted` of them are known to be lost
        self.top = 0.0  # the largest S since it was 0
        self.still = 0.0  # periods since then

    def clear(self) -> None:
        """S is 0 at this sample."""
        self.samples, self.excess, self.top, self.counted = 0, 0.0, 0.0, 0

    def add(self, late: Array, limit: float) -> int | None:
        """Take samples (k,), and return the index of the one where S exceeds the limit, if any.

        The samples after that one are not taken.
        """
        total = np.cumsum(late)
        sums = total - self.allowed * np.arange(1, len(late) + 1)
        sums += self.value
        floor = np.minimum.accumulate(sums)
        np.minimum(floor, 0.0, out=floor)
        grown = sums - floor
        stop = None
        if grown.max() > limit + _ROUNDING:
            stop = int(np.argmax(grown > limit + _ROUNDING))
            sums, floor = sums[: stop + 1], floor[: stop + 1]
        taken, before = len(sums), 0.0
        if floor[-1] < 0.0:  # S was 0, last where the sum was least
            zero = int(sums.argmin())
            taken, before = taken - 1 - zero, float(total[zero])
            self.clear()
        self.samples += taken
        self.excess += float(total[len(sums) - 1]) - before
        self.value = float(sums[-1] - floor[-1])
        self.top = max(self.top, self.value)
        return stop

    def lasting(self, late: Array, limit: float, periods: float) -> bool:
        """Take samples (k,); whether S exceeds the limit, and has grown for so many periods until now."""
        top, samples = self.top, self.samples
        self.add(late, math.inf)
        passed = self.samples - self.excess  # periods of the clock since S was 0
        return self.samples > samples and self.value > max(limit, top) and passed >= periods

    def quiet(self, late: Array, periods: float, sign: int) -> int | None:
        """Take samples, and return the index of the one after which S has not grown for so many periods."""
        sums = np.cumsum(late - self.allowed) + self.value
        tops = np.maximum.accumulate(np.concatenate([[self.top], sums]))
        places = np.arange(len(late))
        last = np.maximum.accumulate(np.where(sums > tops[:-1] + _ROUNDING, places, -1))
        clock = np.concatenate([[-self.still], np.cumsum(1.0 + sign * late)])
        still = clock[1:] - clock[last + 1]
        over = still >= periods - _ROUNDING
        stop = int(np.argmax(over)) if over.any() else None
        taken = len(late) if stop is None else stop + 1
        self.value, self.top, self.still = float(sums[taken - 1]), float(tops[taken]), float(still[taken - 1])
        self.samples += taken
        self.excess += float(late[:taken].sum())
        return stop
