"""The share of the large families: chosen by the case alone, and every value of every parameter is met."""

import subprocess
import sys
from itertools import product

import pytest

from helpers import sampling
from helpers.support import HERE, environment

FAMILY = """
import pytest

pytestmark = pytest.mark.large

@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("units", range(50))
def {name}(units, dtype):
    pass
"""


def collected(*paths, **variables):
    """The ids of the cases that pytest would run, by test."""
    options = ["--collect-only", "-q", "-n0", "-p", "no:cacheprovider", "-p", "helpers.sampling"]
    options += ["-c", str(HERE.parent / "pyproject.toml"), "--rootdir", str(paths[0].parents[1])]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, paths)],
        env=environment() | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    found = {}
    for line in done.stdout.splitlines():
        test, bracket, case = line.partition("[")
        if bracket and "::" in test:
            found.setdefault(test.rpartition("::")[2], []).append(case)
    return found


def test_a_renamed_and_moved_test_runs_the_same_cases(tmp_path):
    paths = [tmp_path / "old" / "test_here.py", tmp_path / "new" / "deeper" / "test_there.py"]
    for path, name in zip(paths, ["test_before", "test_after"], strict=True):
        path.parent.mkdir(parents=True)
        path.write_text(FAMILY.format(name=name))
    found = collected(*paths, ELMAN_LAWS="8")
    assert found["test_before"] == found["test_after"]
    assert 50 <= len(found["test_before"]) < 100  # each of fifty values once
    every = collected(*paths, ELMAN_LAWS="1")
    assert len(every["test_before"]) == 100


@pytest.mark.parametrize("share", [2, 8, 97])
def test_each_value_of_each_parameter_is_met(share):
    axes = {"cell": ["tanh", "lstm", "gru"], "T": [1, 2, 3, 10, 100], "dtype": ["float32", "float64"]}
    cases = {
        "-".join(map(str, values)): dict(zip(axes, values, strict=True)) for values in product(*axes.values())
    }
    kept = sampling.chosen(cases, share)
    assert 0 < len(kept) < len(cases)
    for name, values in axes.items():
        assert {cases[case][name] for case in kept} == set(values)
