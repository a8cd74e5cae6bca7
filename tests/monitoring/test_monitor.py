"""Monitors without a network: answers, gaps, missing values, alarms, latencies, the record, the screen."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

from elman import Dense, MeanPool, Network, SimpleRNN, stream
from elman.cli.monitor_csv import Record
from elman.cli.monitor_drawing import bar, sparkline, trace
from elman.cli.monitor_state import Seen
from elman.monitoring import Alarm, Answer, ChunkedStream, Event, Latencies, Monitor, SlidingStream
from elman.monitoring.description import Description
from elman.monitoring.replay import Player

RATE = 100.0
NET = Network(
    [SimpleRNN(5, return_sequences=True), Dense(2, "softmax")], input_size=2, seed=0, dtype="float64"
)
SIGNAL = np.random.default_rng(0).normal(size=(400, 2))


def monitor(**options):
    return Monitor(ChunkedStream(lambda: stream(NET)), features=2, **({"rate": RATE} | options))


def stamps(count, start=5.0, speed=1.0):
    return start + np.arange(count) / (RATE * speed)


def fed(watching, samples, times, seed=0):
    """Everything that happens when the samples come in chunks of any size."""
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(samples) + 1, size=12))
    happened = []
    for part, when in zip(np.split(samples, cuts), np.split(times, cuts), strict=True):
        happened += watching.feed(part, when)
    return happened


def answers(happened):
    return [what for what in happened if isinstance(what, Answer)]


def values(happened):
    return np.array([answer.values for answer in answers(happened)])


def events(happened):
    return [(what.kind, what.sample) for what in happened if isinstance(what, Event)]


def expected(samples):
    return NET.predict(samples[None])[0]


@pytest.mark.parametrize("seed", range(3))
def test_each_sample_is_answered_as_the_batch_is_however_it_comes(seed):
    watching = monitor()
    happened = fed(watching, SIGNAL, stamps(400), seed)
    np.testing.assert_array_equal(values(happened), expected(SIGNAL))
    assert [answer.sample for answer in happened] == list(range(1, 401))
    assert [answer.time for answer in happened] == stamps(400).tolist()
    assert (watching.samples, watching.answers, watching.gaps, watching.resets) == (400, 400, 0, 0)
    assert watching.last == stamps(400)[-1]


def test_answers_of_frames_belong_to_the_sample_that_completes_them():
    from elman.features import Frames

    frames = Frames(width=8, hop=4).fit([SIGNAL])
    for cuts in ([], [1, 7, 8, 9], [3, 11, 12, 24], list(range(25))):
        answering, at, rows, begin = ChunkedStream(lambda: stream(frames), first=8, every=4), [], [], 0
        for part in np.split(SIGNAL[:25], cuts):
            places, values = answering.feed(part)
            at += (begin + places).tolist()
            rows += values.tolist()
            begin += len(part)
        assert at == [7, 11, 15, 19, 23]
        np.testing.assert_array_equal(rows, frames.transform([SIGNAL[:25]])[0])
    with pytest.raises(RuntimeError, match="the model gave 5 answers, expected 24"):
        ChunkedStream(lambda: stream(frames)).feed(SIGNAL[:24])


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_a_short_gap_is_noted_and_a_long_one_begins_a_new_sequence(speed):
    watching = monitor(speed=speed, reset_after=3.0)
    times = stamps(400, speed=speed)
    times[100:] += 2.0 / speed  # seconds of the signal
    times[250:] += 4.0 / speed
    happened = fed(watching, SIGNAL, times)
    assert events(happened) == [("gap", 101), ("gap", 251)]
    assert (watching.lost, watching.gaps, watching.resets) == (200 + 400, 2, 1)
    np.testing.assert_array_equal(values(happened)[:250], expected(SIGNAL[:250]))
    np.testing.assert_array_equal(values(happened)[250:], expected(SIGNAL[250:]))
    first = happened.index(next(what for what in happened if what.sample == 101))
    assert isinstance(happened[first], Event)
    assert isinstance(happened[first + 1], Answer)


def test_packets_that_come_late_are_no_gaps():
    times = stamps(400) + np.repeat(np.random.default_rng(1).uniform(0, 0.09, size=40), 10)
    watching = monitor()
    assert events(fed(watching, SIGNAL, times)) == []


def test_a_clock_that_goes_back_begins_a_new_sequence():
    times = stamps(400)
    times[200:] -= 100.0
    watching = monitor()
    happened = fed(watching, SIGNAL, times)
    assert events(happened) == [("clock", 201)]
    assert (watching.lost, watching.resets) == (0, 1)
    np.testing.assert_array_equal(values(happened)[200:], expected(SIGNAL[200:]))


def test_without_a_rate_only_a_long_silence_is_a_gap():
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.9, size=400))
    times[300:] += 5.0
    watching = monitor(rate=None)
    assert events(fed(watching, SIGNAL, times)) == [("gap", 301)]
    assert watching.lost == 0


def test_a_missing_value_is_held_for_a_while():
    broken = SIGNAL.copy()
    broken[50:120, 1] = np.nan
    broken[130, 0] = np.inf
    held = SIGNAL.copy()
    held[50:120, 1] = SIGNAL[49, 1]
    held[130, 0] = SIGNAL[129, 0]
    watching = monitor()
    happened = fed(watching, broken, stamps(400))
    np.testing.assert_array_equal(values(happened), expected(held))
    assert (watching.missing, watching.left_out, watching.resets) == (71, 0, 0)
    assert events(happened) == [("missing", 51)]  # the second one follows so soon that it is not said again
    assert "channel 2" in happened[50].text


def test_samples_are_left_out_while_there_is_nothing_to_hold():
    broken = SIGNAL.copy()
    broken[:10, 0] = np.nan  # before its first value
    broken[150:300] = np.nan  # for longer than a second
    watching = monitor()
    happened = fed(watching, broken, stamps(400))
    said = [kind for kind, _ in events(happened)]
    assert said == ["missing", "silent", "missing", "missing", "silent", "missing"]
    assert [a.sample for a in answers(happened)] == [*range(11, 251), *range(301, 401)]
    assert (watching.left_out, watching.resets) == (60, 2)
    held = SIGNAL[10:250].copy()
    held[140:] = SIGNAL[149]
    np.testing.assert_array_equal(values(happened)[:240], expected(held))
    np.testing.assert_array_equal(values(happened)[240:], expected(SIGNAL[300:]))


def test_a_model_that_fills_missing_values_itself_is_given_them():
    from elman.features import FillMissing

    broken = SIGNAL.copy()
    broken[:300, 0] = np.nan
    broken[10, 1] = -np.inf
    filled = FillMissing().fit([SIGNAL])
    watching = Monitor(ChunkedStream(lambda: stream(filled)), features=2, rate=RATE, takes_missing=True)
    happened = fed(watching, broken, stamps(400))
    broken[10, 1] = np.nan
    np.testing.assert_array_equal(values(happened), filled.transform([broken])[0])
    assert (watching.missing, watching.left_out) == (301, 0)


def test_numbers_that_the_model_cannot_read_do_not_end_it():
    net = Network([SimpleRNN(2, return_sequences=True), Dense(2, "softmax")], input_size=2, seed=0)
    watching = Monitor(ChunkedStream(lambda: stream(net)), features=2, rate=RATE)
    broken = SIGNAL.copy()
    broken[105] = 1e300  # more than float32 holds
    happened = []
    for part, when in zip(np.split(broken, 20), np.split(stamps(400), 20), strict=True):
        happened += watching.feed(part, when)
    assert events(happened) == [("refused", 101)]
    assert (watching.left_out, watching.resets, watching.answers) == (20, 1, 380)
    np.testing.assert_array_equal(values(happened)[100:], net.predict(SIGNAL[None, 120:])[0])


class Given:
    """A stream that answers with its input, so that the alarm's value is the signal."""

    def steps(self, x):
        return x

    def reset(self):
        pass


def raised(signal, alarm, times=None):
    samples = np.array(signal)[:, None]
    watching = Monitor(ChunkedStream(Given), features=1, rate=RATE, alarm=alarm)
    happened = watching.feed(samples, stamps(len(samples)) if times is None else times)
    return watching, [answer.alarm for answer in answers(happened)], events(happened)


def test_an_alarm_has_two_thresholds_and_a_peak():
    watching, on, said = raised([0.1, 0.7, 0.8, 0.6, 0.95, 0.5, 0.49, 0.7], Alarm("ictal", 0, 0.8, 0.5))
    assert on == [False, False, True, True, True, True, False, False]
    assert said == [("alarm", 3), ("all clear", 7)]
    (one,) = watching.alarms
    assert (one.start, one.end, one.peak) == (5.02, 5.06, 0.95)
    assert not watching.active


def test_an_alarm_on_a_value_that_answers_do_not_have_is_refused():
    watching = monitor(alarm=Alarm("ictal", index=2, on=0.8, off=0.5))
    with pytest.raises(ValueError, match=r"^index is 2, expected one of the 2 values of an answer"):
        watching.feed(SIGNAL, stamps(400))


def test_a_low_alarm_is_raised_below_and_ended_above():
    alarm = Alarm("value", 0, on=40.0, off=45.0, low=True)
    watching, on, _ = raised([50.0, 41.0, 40.0, 30.0, 44.0, 45.0, 45.1], alarm)
    assert on == [False, False, True, True, True, True, False]
    assert watching.alarms[0].peak == 30.0


def test_a_long_gap_ends_an_alarm():
    times = stamps(4)
    times[2:] += 60.0
    watching, on, said = raised([0.9, 0.9, 0.6, 0.6], Alarm("ictal", 0, 0.8, 0.5), times)
    assert on == [True, True, False, False]
    assert said == [("alarm", 1), ("gap", 3), ("all clear", 3)]
    assert watching.alarms[0].end == times[2]


def test_the_last_seconds_alone_are_answered():
    net = Network([SimpleRNN(4, return_sequences=True), MeanPool(), Dense(2)], input_size=2, seed=1)
    answering = SlidingStream(lambda: stream(net), window=40)
    assert answering.waiting == 31
    got = np.concatenate([answering.feed(part)[1] for part in np.split(SIGNAL, [7, 90, 91, 200])])
    assert len(got) == len(SIGNAL) - 30  # none before the window is full
    for count, value in enumerate(got, start=31):
        begin = (count - 31) // 10 * 10  # the oldest of four, a quarter apart
        assert 30 < count - begin <= 40
        np.testing.assert_allclose(value, net.predict(SIGNAL[None, begin:count])[0], atol=1e-6)
    answering.reset()
    at, again = answering.feed(SIGNAL[:60])
    assert at.tolist() == list(range(30, 60))
    np.testing.assert_array_equal(again, got[:30])


@pytest.mark.parametrize(("window", "streams"), [(40, 4), (41, 4), (37, 5), (64, 3), (20, 1), (8, 8)])
@pytest.mark.parametrize(("first", "every"), [(1, 1), (8, 3)])
def test_no_answer_rests_on_less_than_the_window_has_later(window, streams, first, every):
    """The number of samples behind each answer: from the first one on it is never less than later."""
    from elman.features import Frames

    frames = Frames(width=first, hop=every).fit([SIGNAL]) if first > 1 else NET
    if streams == 8 and first == 8:
        return  # a quarter less than the window holds no frame
    sliding = SlidingStream(lambda: stream(frames), window, first, every, streams=streams)
    resting = []
    for count in range(1, 301):
        waiting = sliding.waiting
        at, _ = sliding.feed(SIGNAL[count - 1 : count])
        assert (waiting <= 1) or not len(at)
        if len(at):
            oldest = max(sliding._age(start) for start in sliding._starts)
            resting.append(oldest or window)
    steady = [n for n, count in zip(resting, range(len(resting)), strict=True) if count >= 60]
    assert min(resting[:60]) >= min(steady)
    assert max(resting) <= window


@pytest.mark.parametrize("low", [False, True])
def test_an_alarm_takes_several_answers_in_a_row(low):
    sign = -1.0 if low else 1.0
    alarm = Alarm("ictal", 0, sign * 0.8, sign * 0.5, low, on_steps=2, off_steps=3)
    signal = [0.9, 0.1, 0.9, 0.9, 0.4, 0.4, 0.6, 0.4, 0.4, 0.4, 0.9]
    _, on, said = raised(sign * np.array(signal), alarm)
    assert on == [False] * 3 + [True] * 6 + [False] * 2
    assert said == [("alarm", 4), ("all clear", 10)]
    with pytest.raises(ValueError, match="on_steps"):
        Alarm("ictal", 0, 0.8, 0.5, on_steps=0)


def test_answers_before_a_long_gap_do_not_count_towards_an_alarm():
    times = stamps(6)
    times[2:] += 60.0
    _, on, said = raised([0.9] * 6, Alarm("ictal", 0, 0.8, 0.5, on_steps=3), times)
    assert on == [False] * 4 + [True] * 2
    assert said == [("gap", 3), ("alarm", 5)]


def test_a_long_gap_empties_the_window():
    times = stamps(400)
    times[200:] += 60.0
    sliding = SlidingStream(lambda: stream(NET), window=40)
    watching = Monitor(sliding, features=2, rate=RATE, alarm=Alarm("p", 0, 0.0, 0.0))
    happened = fed(watching, SIGNAL, times)
    assert [a.sample for a in answers(happened)] == [*range(31, 201), *range(231, 401)]
    assert events(happened) == [("alarm", 31), ("gap", 201), ("all clear", 201), ("alarm", 231)]


@pytest.mark.parametrize(
    ("samples", "times", "message"),
    [
        (np.zeros((3, 1)), np.zeros(3), r"samples has shape \(3, 1\), expected \(k, 2\)"),
        (np.zeros((3, 2)), np.zeros(2), r"stamps has shape \(2,\), expected \(3,\)"),
        (np.zeros((2, 2)), np.array([0.0, np.nan]), "is nan, expected a finite"),
    ],
)
def test_what_does_not_fit_is_refused(samples, times, message):
    with pytest.raises(ValueError, match=message):
        monitor().feed(samples, times)


def test_latencies_are_counted_to_one_per_cent():
    seen = Latencies(recent=100)
    all_of_them = np.random.default_rng(0).lognormal(-4, 1, size=20_000)
    for part in np.split(all_of_them, [1, 500, 500]):
        seen.add(part)
    for share, name in [(0.5, "median"), (0.95, "p95")]:
        assert seen.summary()[name] == pytest.approx(np.quantile(all_of_them, share), rel=0.011)
        assert seen.live()[name] == pytest.approx(np.quantile(all_of_them[-100:], share))
    assert seen.summary()["max"] == all_of_them.max()
    assert all(math.isnan(value) for value in [*Latencies().summary().values(), *Latencies().live().values()])


# the record


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_record_goes_on_where_it_was_killed(tmp_path):
    path = tmp_path / "out.csv"
    record = Record(str(path), ["label", "p_a", "p_b"])
    record.answer(Answer(1.5, 7, np.array([0.1, 0.9]), True), ["b", 0.1, 0.9], 0.25, 0.0123456789)
    record.flush()
    assert len(rows(path)) == 2
    record.close()
    path.write_bytes(path.read_bytes() + b"1970-01-01T00:0")
    record = Record(str(path), ["label", "p_a", "p_b"])
    record.event(Event(2.5, 9, "gap", "a gap of 2 s, or so"), 1.0)
    record.close()
    assert rows(path) == [
        ["time", "stamp", "sample", "label", "p_a", "p_b", "alarm", "reliable", "latency", "event"],
        ["1970-01-01T00:00:00.250+00:00", "1.5", "7", "b", "0.1", "0.9", "1", "1", "0.012346", ""],
        ["1970-01-01T00:0"],
        ["1970-01-01T00:00:01.000+00:00", "2.5", "9", "", "", "", "", "", "", "gap: a gap of 2 s, or so"],
    ]
    with pytest.raises(ValueError, match="a file with other columns than time,stamp,sample,value,alarm"):
        Record(str(path), ["value"])


# the other end


class Kept:
    def __init__(self):
        self.samples, self.stamps = [], []

    def push(self, samples, times):
        self.samples.append(samples)
        self.stamps.append(times)


@pytest.mark.parametrize("total", [400, 1000])
def test_a_recording_is_played_sample_by_sample_at_its_time(total):
    line, player = Kept(), Player(SIGNAL, rate=250.0, start=3.0, total=total)
    rng = np.random.default_rng(2)
    now, more = 3.0, True
    while more:
        more = player.play(line, now)
        assert np.concatenate(line.stamps)[-1] <= now  # nothing is sent before its time,
        assert player.sent == total or now - np.concatenate(line.stamps)[-1] < 1 / 250 + 1e-9  # nor kept
        now += rng.uniform(0, 0.3)
    np.testing.assert_array_equal(np.concatenate(line.samples), np.tile(SIGNAL, (3, 1))[:total])
    np.testing.assert_allclose(np.concatenate(line.stamps), 3.0 + np.arange(total) / 250, rtol=1e-12)


# drawing


def dots(lines):
    """Which dots of Braille letters are set: rows from the top, columns."""
    cells = np.array([[ord(letter) - 0x2800 for letter in line] for line in lines])
    bits = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
    return (cells[:, None, :, None] & bits[None, :, None, :] > 0).reshape(4 * len(cells), -1)


def test_a_trace_keeps_every_peak_and_leaves_missing_values_blank():
    signal = np.zeros(1000)
    signal[333], signal[700] = 1.0, -1.0
    signal[800:900] = np.nan
    drawn = dots(trace(signal, width=25, rows=2))
    assert drawn.shape == (8, 50)
    assert drawn[:, 333 // 20].sum() >= 4 and drawn[0].sum() == drawn[7].sum() == 1
    assert drawn[7, 700 // 20]
    assert not drawn[:, 40:45].any()
    assert drawn[:, :40].any(axis=0).all()


def test_bars_and_sparklines():
    shares = {-1: "    ", 0: "    ", 0.25: "█   ", 0.53: "██▏ ", 1: "████", 2: "████"}
    assert {share: bar(share, 4) for share in shares} == shares
    assert sparkline(np.array([30.0, 45.0, 60.0]), 30.0, 60.0) == "▁▄█"
    assert dots(trace(np.ones(3), 4, 1)).sum() == 8


def test_the_screen_shows_signal_probabilities_alarm_and_counts():
    pytest.importorskip("rich")
    from rich.console import Console

    from elman.cli.monitor_view import Lines, Screen, status

    seen = Seen("elman monitor  m.elman", ["healthy", "ictal [/]"], True)
    written = io.StringIO()
    console = Console(file=written, width=90, height=30, force_terminal=True, color_system=None)
    with Screen(seen, console) as screen:
        assert "no stream yet" in written.getvalue()
        watching = monitor(alarm=Alarm("ictal [/]", 1, 0.1, 0.05), channels=["Fp1", "[b]Fp2"])
        seen.monitor = watching
        seen.description = Description("eeg", "", "host", "EEG", RATE * 2, ("Fp1", "Fp2"), 2.0)
        seen.connected = True
        for what in watching.feed(SIGNAL, stamps(400)):
            if isinstance(what, Answer):
                seen.answer(what.values, what.time)
            else:
                screen.note(what.text)
        seen.add(SIGNAL, RATE)
        seen.latencies.add(np.array([0.0123]))
    text = written.getvalue()
    for words in (
        "eeg from host, 2 channels, 100 Hz, 2 times as fast",
        "Fp1",
        "[b]Fp2",
        "ictal [/]",
        "ALARM",
        "samples 400  answers 400",
        "latency 12 ms",
        "1 so far",
    ):
        assert words in text, words
    assert status(seen, seen.monitor).startswith("samples 400  answers 400  ictal [/] 0.")
    said = []
    lines = Lines(seen, said.append)
    lines.note("a word")
    lines._next = 0.0
    lines.tick()
    lines.tick()
    assert [line[10:] for line in said] == ["a word", status(seen, seen.monitor)]


def test_the_history_keeps_the_largest_value_of_each_second():
    seen = Seen("", ["p"], True)
    seen.monitor = Monitor(ChunkedStream(Given), features=1, rate=RATE, alarm=Alarm("p", 0, 0.8, 0.5))
    for now, value in [(9.1, 0.3), (9.8, 0.2), (10.0, 0.5), (13.5, 0.7)]:
        seen.answer(np.array([value]), now)
    np.testing.assert_array_equal(list(seen.history)[-6:], [np.nan, 0.3, 0.5, np.nan, np.nan, 0.7])
