"""The examples on EEG run, in a small size, and tell what they should."""

import pathlib
import re
import runpy
import sys

import numpy as np
import pytest

from elman.datasets import simulate_eeg

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


def run(name, arguments, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def accuracy(said, name):
    return float(re.search(rf"^{re.escape(name)}\s+([0-9.]+)", said, re.MULTILINE)[1])


def test_the_recipe_of_2005(capsys, monkeypatch):
    said = run("eeg_2005.py", ["--segments", 12, "--folds", 2, "--epochs", 30], capsys, monkeypatch)
    assert "Lyapunov exponents of 576 windows" in said
    for name in ("Lyapunov, Elman, LM (2005)", "Lyapunov, feedforward", "log spectra, Elman"):
        assert accuracy(said, name) > (0.9 if name.startswith("log") else 0.6)  # by chance 0.33


def test_the_recipe_of_2005_on_files_in_bonns_form(tmp_path, capsys, monkeypatch):
    """Segments of another seed stand for the recordings; who learned from simulation alone knows them."""
    data = simulate_eeg(12, seed=5)
    x = np.stack([segment[:, 0] for segment in data.X])
    sets = np.repeat(["A", "D", "E"], 12)
    ids = [f"{letter}{i:03d}" for letter in "ZFS" for i in range(1, 13)]
    np.savez(tmp_path / "bonn.npz", X=np.round(x).astype(np.int16), set=sets, id=ids)
    arguments = ["--data", tmp_path / "bonn.npz", "--segments", 12, "--folds", 2, "--epochs", 30]
    said = run("eeg_2005.py", arguments, capsys, monkeypatch)
    assert accuracy(said, "trained on simulation alone") > 0.8


def test_simulated_eeg(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "eeg.png"
    arguments = ["--segments", 2, "--seconds", 10, "--picture", picture]
    said = run("simulated_eeg.py", arguments, capsys, monkeypatch)
    rows = {line[:20].strip(): [float(v) for v in line[20:].split()] for line in said.splitlines()[1:7]}
    assert rows["quasi-sinusoidal"][1] == pytest.approx(11.0, abs=1.5)
    assert rows["sustained spikes"][3] == pytest.approx(4.4, abs=1.0)
    assert picture.stat().st_size > 10_000
