"""The examples in pages of docs run as they stand."""

import re
from pathlib import Path

import numpy as np
import pytest

from helpers import recordings

DOCS = Path(__file__).parents[2] / "docs"


def run(page, names):
    """Run the page's Python, block after block; returns what its last line would show and the text blocks."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    return re.findall(r"```text\n(.*?)```", text, re.DOTALL)


def test_recordings(monkeypatch, tmp_path):
    pytest.importorskip("edfio")
    monkeypatch.chdir(tmp_path)
    Path("bonn").mkdir()
    for letter in "ZNFS":
        recordings.bonn_zip(Path("bonn", f"{letter}.zip"), [f"{letter}001", f"{letter}002"])
    lines, _ = recordings.uci_table(2)
    Path("data.csv").write_text("\n".join(lines))
    noise = np.random.default_rng(0).normal(size=2560)
    notes = [(1.0, 2.0, "seizure"), (0.0, 5.0, "Sleep stage W"), (5.0, 5.0, "Sleep stage N2")]
    signals = [("EEG Fp1", 256, noise), ("EEG Fp2", 256, noise)]
    recordings.edf(Path("night.edf"), signals, notes)
    names = {}
    run("recordings.md", names)
    assert names["y"][0].tolist() == ["wake"] * 500 + ["sleep"] * 500
    assert names["description"].annotations[1].text == "seizure"


def test_evaluation(capsys):
    names = {}
    error, scores = run("evaluation.md", names)
    assert capsys.readouterr().out == scores
    assert len(names["cv"]) == 5 and len(names["chunks"].X) == 150
    assert names["after"].error < names["before"].error and names["scaling"].temperature_ > 1
    by_rows = np.arange(150) % 2 == 1
    with pytest.raises(ValueError, match="is on both sides") as caught:
        names["check_no_leak"](~by_rows, by_rows, names["chunks"].groups)
    assert f"ValueError: {caught.value}\n" == error


def test_eeg(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = {}
    run("eeg.md", names)
    assert np.mean(names["scores"]) > 0.9 and np.mean(names["beside"]) > 0.8
    assert len(names["answers"]) == 1 + (len(names["X"][0]) - 512) // 64
    with np.load("recording.npz") as recording:
        assert recording["X"].shape == (2, len(names["X"][0]), 1)


def test_monitor(monkeypatch, tmp_path, capsys):
    """The alarm comes some seconds after the seizure, which begins after 23.6 s."""
    monkeypatch.chdir(tmp_path)
    names = {}
    run("monitor.md", names)
    (line,) = capsys.readouterr().out.splitlines()
    assert "kind='alarm', text='ictal 0.8" in line
    assert 24 < names["monitor"].alarms[0].start < 34
    assert names["monitor"].samples == 2 * 4097
    with np.load("recording.npz") as recording:
        assert recording["fs"] == names["monitor"].rate


def test_reservoirs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = {}
    run("reservoirs.md", names)
    assert names["features"].fit_transform(names["X"]).shape == (36, 4 * 8 * 8)
    assert np.mean(names["scores"]) > 0.9
    assert names["windowed"].score(names["X"], names["y"]) > 0.8
    assert names["answers"].shape == (len(names["X"][0]) // 64, 3)
