"""The monitor of docs/eeg.md on unseen segments: its false alarms, what it finds, and when."""

import numpy as np
import pytest

from elman.datasets import simulate_eeg
from elman.monitoring import Alarm
from helpers import pages

PAGE = pages.ROOT / "docs" / "eeg.md"
SEED = 1000  # of no segment that was used to choose the recipe


@pytest.mark.prove
def test_400_healthy_and_40_ictal_segments(monkeypatch, tmp_path):
    """The rows of the page's table are what the page's own function finds with the page's own model."""
    monkeypatch.chdir(tmp_path)
    names = pages.run("docs/eeg.md")
    alarms, fs = names["alarms"], names["description"].fs
    healthy = list(simulate_eeg(400, kinds=["healthy"], seed=SEED).X)
    ictal = list(simulate_eeg(40, kinds=["ictal"], seed=SEED).X)
    alone = [alarms(x) for x in healthy]
    joined = alarms(np.concatenate(healthy))
    found = [alarms(x) for x in ictal]
    first = [each[0] for each in found if len(each)]
    for each in (*alone, joined, *found):
        assert all(start >= 0.75 * names["window"] / fs for start in each)  # none before its window is full
    false = sum(map(len, alone))
    assert false <= 2 and len(joined) <= 2 and len(first) >= 38

    names["Alarm"] = lambda *args, on_steps, **rest: Alarm(*args, **rest)
    hasty = sum(len(alarms(x)) for x in healthy)
    hours, seizures = (sum(map(len, X)) / fs / 3600 for X in (healthy, ictal))
    late = f"{np.median(first):.1f} s (median) after they begin"
    rows = [
        f"| 400 healthy segments, one by one | {hours:.1f} h | {false} false alarms |",
        f"| the same, one after another without a break | {hours:.1f} h | {len(joined)} false alarms |",
        f"| the same, one by one, without `--on-steps` | {hours:.1f} h | {hasty} false alarms |",
        f"| 40 ictal segments, one by one | {seizures:.1f} h | {len(first)} found, {late} |",
    ]
    text = PAGE.read_text(encoding="utf-8")
    for row in rows:
        assert row in text, rows
