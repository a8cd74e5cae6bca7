"""Losses between time stamps: told from gaps, jitter, packets and the drift of a clock."""

from __future__ import annotations

import numpy as np
import pytest

from elman.monitoring import Alarm, Answer, ChunkedStream, Monitor, SlidingStream
from elman.monitoring.losses import Losses

RATE = 200.0
T = np.arange(12000) / RATE
N = np.arange(12000)


class Mean:
    """A stream that answers with the mean of the samples since its start: an alarm where it is high."""

    def __init__(self):
        self.reset()

    def steps(self, x):
        sums = self._sum + np.cumsum(x[:, 0])
        counts = self._count + np.arange(1, len(x) + 1)
        self._sum, self._count = sums[-1], counts[-1]
        return (sums / counts)[:, None]

    def reset(self):
        self._sum, self._count = 0.0, 0


def watch(stamps, rate=RATE, chunk=20, speed=1.0, value=0.9, window=400):
    """Feed a signal that always raises the alarm."""
    sliding = SlidingStream(Mean, window)
    monitor = Monitor(
        sliding, features=1, rate=rate, speed=speed, alarm=Alarm("p", 0, 0.8, 0.5), reset_after=1.0
    )
    happened = []
    for k in range(0, len(stamps), chunk):
        part = stamps[k : k + chunk]
        happened += monitor.feed(np.full((len(part), 1), value), part)
    events = [what for what in happened if not isinstance(what, Answer)]
    return monitor, [what for what in happened if isinstance(what, Answer)], events


def noted(events):
    return [event.kind for event in events]


@pytest.mark.parametrize("chunk", [1, 20, 12000])
@pytest.mark.parametrize(
    ("kept", "lost"), [(N % 9 < 5, 5332), (N % 18 == 0, 11333), (N % 2 == 0, 6000), (N % 10 > 0, 1200)]
)
def test_losses_shorter_than_a_gap_are_counted_and_not_answered(kept, lost, chunk):
    monitor, answers, events = watch(T[kept], chunk=chunk, window=800)
    assert monitor.lost == pytest.approx(lost, rel=0.01)
    assert (monitor.gaps, monitor.losses, len(answers)) == (0, 1, 0)
    assert noted(events) == ["loss"]
    assert "samples per second come, expected 200" in events[0].text
    assert monitor.left_out + events[0].sample - 1 == monitor.samples


def test_a_rate_that_is_not_the_one_expected_is_said():
    monitor, answers, events = watch(np.arange(4380) / 73, 240.0)
    assert (noted(events), answers) == (["loss"], [])
    assert events[0].text.startswith("about 73 samples per second come, expected 240, ")
    assert monitor.lost == pytest.approx(60 * (240 - 73), rel=0.01)
    monitor, answers, events = watch(np.arange(9000) / 250)
    assert noted(events)[-1] == "rate"
    assert events[-1].text.startswith("about 250 samples per second come, expected 200: no answers")
    assert monitor.lost == 0
    assert max(answer.time for answer in answers) < 4.0


@pytest.mark.parametrize("wrong", [0.004, -0.004, 0.015])
@pytest.mark.parametrize("chunk", [20, 12000])
def test_a_slow_clock_is_a_drift_and_no_loss(wrong, chunk):
    monitor, answers, events = watch((1 + wrong) * T, chunk=chunk)
    assert (monitor.lost, monitor.losses, len(answers)) == (0, 0, 12000 - 300)
    assert [kind for kind in noted(events) if kind != "alarm"] == ["drift"]
    assert f"a clock that is {100 * abs(wrong):.2g} % wrong" in events[-1].text
    assert monitor.drift == pytest.approx(wrong, abs=1e-4)


CLOCKS = {
    "exact": T,
    "packets of ten with one stamp": T[N // 10 * 10],
    "jitter of single stamps": T + np.random.default_rng(0).uniform(0, 0.004, size=12000),
    "packets that come late": T + np.repeat(np.random.default_rng(1).uniform(0, 0.09, size=1200), 10),
    "samples held back, then sent at once": np.where((N > 3000) & (N < 3020), T[3020], T),
    "the clock of a crystal": T * 1.00005,
    "a stream that begins late": T + 1e6,
}


@pytest.mark.parametrize("name", CLOCKS)
@pytest.mark.parametrize("chunk", [3, 777])
def test_what_is_no_loss_is_quiet(name, chunk):
    stamps = CLOCKS[name]
    monitor, answers, events = watch(stamps, chunk=chunk)
    assert (monitor.lost, monitor.gaps, monitor.losses, monitor.resets) == (0, 0, 0, 0)
    assert noted(events) == ["alarm"]
    assert len(answers) == len(stamps) - 300
    assert abs(monitor.drift) < 0.001


@pytest.mark.parametrize("chunk", [3, 777])
def test_a_recording_played_ten_times_as_fast(chunk):
    monitor, _, events = watch(T / 10, chunk=chunk, speed=10.0)
    assert (monitor.lost, monitor.gaps, noted(events)) == (0, 0, ["alarm"])
    kept = N % 9 < 5
    monitor, answers, events = watch(T[kept] / 10, chunk=chunk, speed=10.0)
    assert monitor.lost == pytest.approx(5332, rel=0.01)
    assert noted(events)[-1] == "loss"
    assert len(answers) < 400


def test_without_a_rate_nothing_is_compared():
    monitor, answers, events = watch(
        np.cumsum(np.random.default_rng(0).uniform(0, 0.5, size=2000)), rate=None
    )
    assert (monitor.lost, monitor.losses, noted(events), len(answers)) == (0, 0, ["alarm"], 1700)
    assert np.isnan(monitor.drift)


@pytest.mark.parametrize("chunk", [3, 12000])
def test_single_samples_lost_now_and_then_are_counted_and_answered(chunk):
    kept = np.random.default_rng(3).random(12000) > 0.004
    kept[:200] = True
    monitor, answers, events = watch(T[kept], chunk=chunk)
    counted = len(T[kept]) // 200 * 200  # once a second
    assert monitor.lost == np.rint(T[kept][counted - 1] * RATE) + 1 - counted > 40
    assert (monitor.losses, noted(events), len(answers)) == (0, ["alarm"], kept.sum() - 300)
    assert abs(monitor.drift) < 0.001


@pytest.mark.parametrize("jitter", [0.0, 0.08])
@pytest.mark.parametrize("chunk", [3, 12000])
def test_after_a_loss_the_window_must_be_full_again(jitter, chunk):
    kept = (N < 4000) | (N >= 7000) | (N % 9 < 5)
    late = np.repeat(np.random.default_rng(4).uniform(0, jitter, size=1200), 10)
    monitor, answers, events = watch((T + late)[kept], chunk=chunk)
    assert monitor.lost == pytest.approx((~kept).sum(), rel=0.01 if not jitter else 0.04)
    assert noted(events) == ["alarm", "loss", "loss", "all clear", "alarm"]
    began, over = events[1].time, events[2].time
    assert 20.0 < began < 20.5
    assert 35.0 < over < 39.0
    assert "a new sequence begins" in events[2].text
    assert monitor.resets == 1
    times = np.array([answer.time for answer in answers])
    assert not ((times > began) & (times < over + 1.4)).any()  # 300 of 400 samples
    assert events[-1].time > over + 1.4
    assert monitor.sound


def test_the_signal_is_the_same_however_it_is_cut():
    kept = (N < 4000) | (N >= 7000) | (N % 3 == 0)
    seen = [watch(T[kept], chunk=chunk)[1:] for chunk in (1, 13, 20, 12000)]
    for answers, events in seen[1:]:
        assert abs(len(answers) - len(seen[0][0])) <= 2  # the sum of 3 s may round differently
        assert [event.kind for event in events] == [event.kind for event in seen[0][1]]


def test_gaps_that_follow_each_other_closely_begin_a_new_sequence():
    """Each is shorter than a second, and half of the signal is missing."""
    kept = N % 80 < 40  # 0.2 s of each 0.4 s
    monitor, answers, events = watch(T[kept])
    assert monitor.gaps == 149
    assert monitor.lost == 149 * 40
    assert monitor.resets > 20
    assert answers == []
    assert any("with those just before it 1" in event.text for event in events)
    monitor, answers, events = watch(T[(N < 4000) | (N >= 4100)])  # one of half a second changes nothing
    assert (monitor.gaps, monitor.resets, len(answers)) == (1, 0, 11900 - 300)


def test_a_chunked_stream_is_not_answered_either():
    monitor = Monitor(ChunkedStream(Mean), features=1, rate=RATE, alarm=Alarm("p", 0, 0.8, 0.5, on_steps=3))
    answers = [w for w in monitor.feed(np.ones((667, 1)), T[::18]) if isinstance(w, Answer)]
    assert len(answers) == 2
    assert monitor.alarms == []


@pytest.mark.parametrize("chunk", [20, 12000])
def test_pauses_whose_samples_come_at_once_are_no_drift(chunk):
    second = T % 7.0
    stamps = np.where((T > 7.0) & (second < 0.5), T + 0.5 - second, T)  # each seventh second begins late
    monitor, _, events = watch(stamps, chunk=chunk)
    assert set(noted(events)) == {"alarm", "gap"}
    assert not monitor.drift < -0.002
    later = np.concatenate([stamps, T + stamps[-1] + 1 / RATE])  # and then a minute without
    assert abs(watch(later, chunk=chunk)[0].drift) < 1e-4


def test_a_drift_is_not_said_to_be_no_loss_where_that_is_unknown():
    rng = np.random.default_rng(0)
    stamps = (T + rng.uniform(0, 0.01, 12000))[rng.random(12000) > 0.008]
    _, _, events = watch(stamps)
    texts = [event.text for event in events if event.kind == "drift"]
    assert [text.partition(" wrong, ")[2] for text in texts] == ["or samples are lost one at a time"]


def test_a_loss_begins_and_ends_at_the_same_sample_in_all_chunks():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        kept = np.ones(4000, bool)
        begin = rng.integers(500, 2000)
        kept[begin : begin + 1000] = rng.random(1000) > 0.3
        stamps = (np.arange(4000) / 100)[kept]
        found = []
        for chunk in (1, 7, 33, 4000):
            losses, turns = Losses(100.0), []
            steps = np.diff(stamps, prepend=np.nan)
            for k in range(0, len(steps), chunk):
                turns += [(k + turn.place, turn.sound) for turn in losses.feed(steps[k : k + chunk])]
            found.append((turns, losses.lost))
        assert found == found[:1] * 4


def test_a_drift_of_less_than_any_clock_says_nothing():
    losses = Losses(100.0)
    assert losses.feed(np.full(6000, 1.0005 / 100)) == []
    assert losses.drift == pytest.approx(0.0005, rel=1e-3)
    assert not losses.drifts


@pytest.mark.parametrize("rate", [0.1, 1.0, 4.0, 12.5, 173.61])
def test_slow_signals_with_jitter_neither_drift_nor_lose(rate):
    jitter = min(0.09, 0.4 / rate)
    stamps = np.arange(6000) / rate + np.random.default_rng(6).uniform(0, jitter, size=6000)
    monitor, _, events = watch(stamps, rate=rate)
    assert (monitor.lost, monitor.losses, noted(events)) == (0, 0, ["alarm"])
    assert abs(monitor.drift) < 0.001


def test_a_source_that_waits_between_samples_is_slow_and_loses_nothing():
    """As of a program that sleeps for a period after each sample: 4 to 7 % slow, in parts of a period."""
    r = np.random.default_rng(0)
    steps = 0.0101 + np.where(r.random(6000) < 0.25, r.exponential(0.0012, 6000), 0.0)
    losses = Losses(100.0)
    assert [losses.feed(steps[k : k + 20]) for k in range(0, 6000, 20)] == [[]] * 300
    assert losses.lost < 12
    assert 0.03 < losses.drift < 0.05
    assert "a clock that is" in losses.drift_text
    whole = 0.01 * (1 + (r.random(6000) < 0.05))  # the same rate, but samples are lost
    losses = Losses(100.0)
    turns = [turn for k in range(0, 6000, 20) for turn in losses.feed(whole[k : k + 20])]
    assert turns[0].kind == "loss"
    assert losses.lost == round(whole.sum() * 100) - 6000
