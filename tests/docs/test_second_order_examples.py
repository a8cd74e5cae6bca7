"""The examples of second order and of online learning run, in a small size."""

import pathlib
import runpy
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


def run(name, arguments, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def test_levenberg_marquardt(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "error.png"
    said = run(
        "levenberg_marquardt.py", ["--seeds", 2, "--times", 1, "--picture", picture], capsys, monkeypatch
    )
    assert "seeds below 1e-06" in said
    assert picture.stat().st_size > 10_000


def test_online_drift(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "drift.png"
    said = run("online_drift.py", ["--steps", 3000, "--picture", picture], capsys, monkeypatch)
    errors = {line[:16].strip(): line[16:].split()[:5] for line in said.splitlines()[1:]}
    for rule in ("bptt, 20 steps", "rtrl"):
        assert float(errors[rule][-1]) < 0.2 * float(errors["frozen"][-1])
    assert picture.stat().st_size > 10_000
