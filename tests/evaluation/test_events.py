"""Scores by event, worked out by hand, by a slow rule of the same words, and by SzCORE's own program."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.evaluation import Event, Hysteresis, event_scores, events


def steps(length, *spans):
    made = np.zeros(length, int)
    for begin, end in spans:
        made[begin:end] = 1
    return made


PLAIN = {"before": 0, "after": 0, "merge": 0, "longest": 1e9}  # any overlap, and nothing else


def counts(scores):
    return scores.n_events, scores.n_detected, scores.n_alarms, scores.n_false


def test_events_are_runs_in_seconds():
    assert events([1, 1, 0, 0, 1], 0.25) == [Event(0.0, 0.5), Event(1.0, 1.25)]
    assert events(np.zeros(5, bool), 1.0) == []


def test_any_overlap_is_a_detection_and_touching_is_none():
    truth = steps(100, (10, 20), (40, 50), (70, 80))
    scores = event_scores(truth, steps(100, (19, 25), (50, 60), (90, 95)), 1.0, **PLAIN)
    assert counts(scores) == (3, 1, 3, 2)
    assert scores.sensitivity == pytest.approx(1 / 3) and scores.precision == pytest.approx(1 / 3)
    assert scores.f1 == pytest.approx(1 / 3)
    assert scores.delays.tolist() == [10.0]  # the answer of step 19 is there at 20 s


def test_an_alarm_that_covers_two_seizures_finds_both():
    truth = steps(100, (10, 20), (40, 50))
    scores = event_scores(truth, steps(100, (15, 45)), 1.0, **PLAIN)
    assert counts(scores) == (2, 2, 1, 0)
    assert scores.delays.tolist() == [6.0, 1.0]  # it was on already when the second began


def test_alarms_near_a_seizure_are_not_false():
    truth = steps(1000, (500, 520))
    for begin, found in ((469, False), (470, True), (579, True), (580, False)):
        scores = event_scores(truth, steps(1000, (begin, begin + 1)), 1.0)
        assert scores.n_detected == found and scores.n_false == (not found), begin
    early = event_scores(truth, steps(1000, (400, 540)), 1.0)
    assert early.delays.tolist() == [-29.0]  # on already, 30 s before: what is earlier has no part in it


def test_neighbors_are_one_event():
    apart = steps(1000, (100, 110), (199, 210), (300, 310))  # gaps of 89 and 90 s
    scores = event_scores(apart, np.zeros(1000), 1.0)
    assert scores.n_events == 2
    assert event_scores(np.zeros(1000), apart, 1.0).n_alarms == 2
    assert event_scores(apart, np.zeros(1000), 1.0, merge=0).n_events == 3
    assert event_scores(apart, np.zeros(1000), 0.5).n_events == 1


def test_a_long_alarm_is_several():
    scores = event_scores(steps(4000, (2000, 2030)), steps(4000, (1000, 2201)), 1.0)
    assert counts(scores) == (1, 1, 5, 4)  # 1000-1300-1600-1900-2200-2201: the fourth has the seizure, and
    assert scores.delays.tolist() == [-29.0]
    whole = event_scores(steps(4000, (1000, 2200)), steps(4000, (1010, 1400)), 1.0)
    assert counts(whole) == (4, 2, 2, 0)
    assert whole.delays.tolist() == [11.0]  # one beginning, however many pieces


def test_recordings_are_counted_together_and_their_ends_are_ends():
    truth = [steps(600, (590, 600)), steps(1200, (0, 10))]
    predicted = [steps(600, (595, 600)), steps(1200, (500, 510))]
    scores = event_scores(truth, predicted, 1.0)
    assert counts(scores) == (2, 1, 2, 1)
    assert scores.hours == pytest.approx(0.5) and scores.false_alarms_per_hour == pytest.approx(2.0)
    assert scores.delays.tolist() == [6.0]


def test_the_length_of_a_step_scales_everything():
    truth, predicted = steps(3600, (1000, 1060)), steps(3600, (1012, 1050), (2000, 2010))
    second = event_scores(truth, predicted, 1.0)
    tenth = event_scores(np.repeat(truth, 10), np.repeat(predicted, 10), 0.1)
    assert counts(second) == counts(tenth) == (1, 1, 2, 1)
    assert second.hours == pytest.approx(tenth.hours)
    assert (second.delays, tenth.delays) == (pytest.approx([13.0]), pytest.approx([12.1]))
    assert second.mean_delay == second.median_delay == pytest.approx(13.0)


def test_mean_and_median_delay():
    truth = steps(5000, (1000, 1010), (2000, 2010), (3000, 3010))
    scores = event_scores(truth, steps(5000, (1000, 1001), (2001, 2003), (3008, 3009)), 1.0)
    assert scores.delays.tolist() == [1.0, 2.0, 9.0]
    assert scores.mean_delay == 4.0 and scores.median_delay == 2.0


def test_rates_of_nothing_are_nan():
    none = event_scores(np.zeros(3600), np.zeros(3600), 1.0)
    assert np.isnan([none.sensitivity, none.precision, none.f1, none.mean_delay, none.median_delay]).all()
    assert none.false_alarms_per_hour == 0.0 and len(none.delays) == 0
    assert "nan" in str(none)
    missed = event_scores(steps(3600, (5, 9)), np.zeros(3600), 1.0)
    assert missed.sensitivity == 0.0 and np.isnan(missed.precision) and missed.f1 == 0.0
    false = event_scores(np.zeros(3600), steps(3600, (5, 9)), 1.0)
    assert np.isnan(false.sensitivity) and false.precision == 0.0 and false.false_alarms_per_hour == 1.0


def test_from_probabilities_to_scores():
    p = np.full(3600, 0.1)
    p[1005:1050], p[1020] = 0.9, 0.5
    alarm = Hysteresis(on=0.8, off=0.4, on_steps=3)
    scores = event_scores(steps(3600, (1000, 1060)), alarm.run(p), 1.0)
    assert scores.delays.tolist() == [8.0]  # 5 s without a sign, then three steps
    assert alarm.run(p).sum() == 43 and not alarm.active


def slowly(truth, predicted, second, before, after, merge, longest):
    """The same rules, over lists in seconds."""

    def listed(mask):
        spans = [[e.begin, e.end] for e in events(mask, second)]
        joined = []
        for begin, end in spans:
            if joined and begin - joined[-1][1] < merge - 1e-9:
                joined[-1][1] = end
            else:
                joined.append([begin, end])
        pieces = []
        for begin, end in joined:
            while end - begin > longest + 1e-9:
                pieces.append((begin, begin + longest))
                begin += longest
            pieces.append((begin, end))
        return pieces

    seizures, alarms = listed(truth), listed(predicted)

    def near(s, a):
        return a[0] < s[1] + after - 1e-9 and s[0] - before < a[1] - 1e-9

    detected = sum(any(near(s, a) for a in alarms) for s in seizures)
    false = sum(not any(near(s, a) for s in seizures) for a in alarms)
    return len(seizures), detected, len(alarms), false


MASKS = st.lists(st.integers(1, 120), min_size=2, max_size=12)


def mask(lengths, other):
    runs = np.concatenate([np.full(n, i % 2) for i, n in enumerate(lengths)])
    return np.resize(np.concatenate([runs, np.zeros(other)]), 1500)


@settings(max_examples=80, deadline=None)
@given(MASKS, MASKS, st.sampled_from([0.1, 0.5, 1.0, 4.0]))
def test_the_counts_are_those_of_the_rules(a, b, second):
    truth, predicted = mask(a, 1500), mask(b, 1500)
    rules = {"before": 30.0, "after": 60.0, "merge": 90.0, "longest": 300.0}
    expected = slowly(truth, predicted, second, **rules)
    assert counts(event_scores(truth, predicted, second, **rules)) == expected


def szcore(truth, predicted, fs):
    scoring = pytest.importorskip("timescoring.scoring", reason="pip install timescoring")
    annotations = pytest.importorskip("timescoring.annotations")
    found = scoring.EventScoring(annotations.Annotation(truth, fs), annotations.Annotation(predicted, fs))
    return found.refTrue, found.tp, len(found.hyp.events), found.fp


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(200))
def test_the_counts_are_those_of_szcore(seed):
    """Against timescoring, the program of SzCORE's authors."""
    generator = np.random.default_rng(seed)
    fs = [1, 2, 5, 10][seed % 4]
    both = [mask(generator.integers(1, 200, size=generator.integers(2, 14)).tolist(), 1500) for _ in range(2)]
    assert counts(event_scores(*both, 1 / fs)) == szcore(both[0].astype(bool), both[1].astype(bool), fs)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: event_scores([0, 1], [0, 0.3], 1.0), ValueError, "predicted[1] is 0.3, expected 0 or 1 (H"),
        (lambda: event_scores([0, -1], [0, 1], 1.0), ValueError, "truth[1] is -1, expected 0 or 1"),
        (lambda: event_scores([0, 1], [0], 1.0), ValueError, "truth has 2 steps and predicted 1, expected"),
        (lambda: event_scores([[0, 1]], [[0]], 1.0), ValueError, "truth[0] has 2 steps and predicted[0] 1"),
        (lambda: event_scores([[0], [1]], [[0]], 1.0), ValueError, "truth and predicted have 2 and 1 rows"),
        (lambda: event_scores([[0], [1]], [0, 1], 1.0), ValueError, "truth and predicted have 2 and 2 rows"),
        (lambda: event_scores([], [], 1.0), ValueError, "truth has shape (0,), expected (T,), T at least 1"),
        (lambda: event_scores(["a"], [0], 1.0), TypeError, "truth has dtype <U1, expected truth values"),
        (lambda: event_scores([0], [0], 0.0), ValueError, "seconds_per_step is 0.0, expected a finite"),
        (lambda: event_scores([0], [0], 1.0, before=-1), ValueError, "before is -1.0, expected a finite"),
        (lambda: event_scores([0], [0], 1.0, longest=0), ValueError, "longest is 0.0, expected a finite"),
        (lambda: events([0.5], 1.0), ValueError, "steps[0] is 0.5, expected 0 or 1"),
        (lambda: Hysteresis().run([0.5, np.nan]), ValueError, "p[1] is nan, expected a finite"),
        (lambda: Hysteresis().run([[0.5]]), ValueError, "p has shape (1, 1) and dtype float64, expect"),
    ],
)
def test_wrong_arguments(call, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        call()
