"""Hysteresis: when an alarm is raised, when it is ended, and what it refuses."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.evaluation.hysteresis import Hysteresis


def steps(alarm, values):
    return [alarm.step(p) for p in values]


def test_the_line_itself_raises_and_only_below_the_other_ends():
    alarm = Hysteresis(on=0.8, off=0.4)
    assert steps(alarm, [0.79, 0.8, 0.4, 0.79, 0.39]) == [False, True, True, True, False]


def test_off_is_on_unless_given():
    assert steps(Hysteresis(0.5), [0.5, 0.49, 0.5]) == [True, False, True]


def test_counts_are_of_steps_in_a_row():
    alarm = Hysteresis(0.5, on_steps=3, off_steps=2)
    assert steps(alarm, [1, 1, 0, 1, 1]) == [False] * 5
    assert steps(alarm, [1]) == [True]  # the third in a row
    assert steps(alarm, [0, 1, 0]) == [True] * 3
    assert steps(alarm, [0, 1, 1, 1]) == [False, False, False, True]


def test_reset_ends_the_alarm_and_forgets_the_count():
    alarm = Hysteresis(0.5, on_steps=2, off_steps=2)
    steps(alarm, [1, 1])
    assert alarm.active
    alarm.reset()
    assert not alarm.active
    alarm.step(1)
    alarm.reset()
    assert steps(alarm, [1, 1]) == [False, True]


@given(st.lists(st.floats(0, 1), max_size=60), st.integers(1, 4), st.integers(1, 4))
def test_it_is_what_its_description_says(values, on_steps, off_steps):
    """Looking back over the last steps at every step says the same as counting."""
    alarm, active, since = Hysteresis(0.6, 0.3, on_steps=on_steps, off_steps=off_steps), False, 0
    for t, p in enumerate(values):
        last = values[max(since, t + 1 - (off_steps if active else on_steps)) : t + 1]
        if active and len(last) == off_steps and all(q < 0.3 for q in last):
            active, since = False, t + 1
        elif not active and len(last) == on_steps and all(q >= 0.6 for q in last):
            active, since = True, t + 1
        assert alarm.step(p) is active is alarm.active


def test_numbers_of_numpy_are_numbers():
    alarm = Hysteresis(np.float32(0.5), np.float64(0.25), on_steps=np.int64(1))
    assert alarm.step(np.float32(0.5))
    assert repr(alarm) == "Hysteresis(on=0.5, off=0.25, on_steps=1, off_steps=1)"


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"on": float("nan")}, ValueError, "on is nan, expected a finite number"),
        ({"on": "0.5"}, TypeError, "on is '0.5' (a str), expected a finite number"),
        ({"on": True}, TypeError, "on is True (a bool), expected a finite number"),
        ({"on": 0.5, "off": 0.6}, ValueError, "off is 0.6, expected at most on, 0.5"),
        ({"off": float("-inf")}, ValueError, "off is -inf, expected a finite number"),
        ({"on_steps": 0}, ValueError, "on_steps is 0, expected an integer of at least 1"),
        ({"off_steps": 1.0}, TypeError, "off_steps is 1.0 (a float), expected an integer of at least 1"),
    ],
)
def test_wrong_settings(arguments, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        Hysteresis(**arguments)


@pytest.mark.parametrize("p", [float("nan"), float("inf"), None, "1", [0.5], 10**400])
def test_a_wrong_step_changes_nothing(p):
    alarm = Hysteresis(0.5, on_steps=2)
    alarm.step(1)
    with pytest.raises((ValueError, TypeError), match=r"^p is .*, expected a finite number"):
        alarm.step(p)
    assert alarm.step(1)
