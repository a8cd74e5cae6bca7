"""Published sets: as good as was promised, and quick. They are no part of elman: without them, skipped."""

import pytest

from benchmarks import accuracy

PROMISED = {"JapaneseVowels": 0.96, "BasicMotions": 0.95, "ItalyPowerDemand": 0.95}


@pytest.mark.parametrize("name", PROMISED)
def test_published_sets_are_told_apart(name):
    if not (accuracy.DATA / f"{name}_TEST.ts").is_file():
        pytest.skip("the evaluation data is not here (ELMAN_DATA names its folder)")
    found = accuracy.measure(name)
    assert accuracy.RECIPES[name].cell == "rnn"
    assert len(found.accuracies) == 5 and found.mean >= PROMISED[name]
    assert max(found.seconds) < 10.0
