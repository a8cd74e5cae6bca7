"""Ten thousand files with something wrong in them: a sentence or a whole network, nothing else."""

import json
import sys

import pytest

from helpers import support


def meet(seed, count, folder):
    """Meet so many mutants in a process whose memory is limited; returns what happened, by name."""
    script = (
        "import sys; from helpers.damage import drive; drive(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])"
    )
    said = support.run_script(script, timeout=900, arguments=[str(seed), str(count), str(folder)])
    counts = json.loads(said)
    print(counts)
    return counts


def test_damaged_files_are_refused_or_whole(tmp_path):
    counts = meet(0, 300, tmp_path)
    assert counts["raw: refused"] > 50
    assert counts["sealed: refused"] > 50
    assert counts["sealed: other"] > 0
    assert counts["slowest"] < 10.0
    assert counts["megabytes"] < 100 or sys.platform != "linux"


@pytest.mark.prove
@pytest.mark.parametrize("part", range(4))
def test_many_damaged_files_are_refused_or_whole(tmp_path, part):
    counts = meet(100 + part, -(-support.proofs(10_000) // 4), tmp_path)
    assert counts["slowest"] < 10.0
    assert counts["megabytes"] < 100 or sys.platform != "linux"
