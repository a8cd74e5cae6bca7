"""Figures of the pages that no block of theirs prints, but an example, or code of elman."""

import re
import runpy
import sys

import numpy as np
import pytest
from scipy import signal

from elman.anaesthesia import future, repeated, simulate_anaesthesia
from elman.datasets import neural_mass
from helpers import pages

EXAMPLES = pages.ROOT / "examples"


def text_of(page):
    """The page's words, each space a single one."""
    return " ".join((pages.ROOT / "docs" / page).read_text(encoding="utf-8").split())


def rows_of(page):
    """The cells of the page's tables, by their first cell."""
    lines = (pages.ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:2] == "| "]
    return {first: others for first, *others in cells}


def run(name, arguments, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


# simulator.md


def test_the_six_types(capsys, monkeypatch):
    """The page's amplitudes, frequencies and rates of spikes are the output of examples/simulated_eeg.py."""
    types, kinds = run("simulated_eeg.py", [], capsys, monkeypatch).strip().split("\n\n")
    printed = {line[:20].strip(): line[20:].split() for line in types.splitlines()[1:]}
    assert len(printed) == 6
    shown = {name.split(", ")[-1]: cells for name, cells in rows_of("simulator.md").items()}
    names = {
        "background": "normal background activity",
        "sporadic spikes": "sporadic spikes",
        "sustained spikes": "sustained discharge of spikes",
        "slow rhythmic": "slow rhythmic activity",
        "low-voltage rapid": "low-voltage rapid activity",
        "quasi-sinusoidal": "slow quasi-sinusoidal activity",
    }
    for name, (sd, peak, middle, spikes) in printed.items():
        _, _, amplitude, strongest, rate, _ = shown[names[name]]
        assert amplitude == f"{sd} µV", name
        assert rate == ("none" if float(spikes) == 0 else f"{spikes} per second"), name
        if strongest.startswith("broad"):
            assert re.fullmatch(rf"broad, half (below|above) {middle} Hz", strongest), name
        elif strongest:
            assert strongest.startswith(f"{peak} Hz"), name
    rows = rows_of("simulator.md")
    for line in kinds.splitlines()[1:]:
        kind, *figures = line.split()
        assert rows[f"{kind}, 50 simulated"] == [f"{int(figure):,} µV" for figure in figures]


def test_jansen_and_rits_column_oscillates():
    one, p = np.ones(1), np.full((12_000, 1), 220.0)
    y = neural_mass.integrate(3.25 * one, 22.0 * one, 0.0 * one, one, p, 1e-3)[4000:, 0]
    f, power = signal.periodogram(y - y.mean(), 1000.0)
    hertz = re.search(r"this column oscillates at (\d+) Hz", text_of("simulator.md"))[1]
    assert pages.agrees(hertz, str(f[power.argmax()]))


# lyapunov.md (the exponents of known systems: tests/features/test_lyapunov.py)


@pytest.mark.prove
def test_the_recipe_of_2005_on_simulated_eeg(capsys, monkeypatch):
    """The simulated column of the table; that of Bonn needs its files (``--data``)."""
    said = run("eeg_2005.py", [], capsys, monkeypatch)
    rows = rows_of("lyapunov.md")
    for name, row in (
        ("Lyapunov, Elman, LM (2005)", "Lyapunov exponents, Elman network of 10 units, Levenberg-Marquardt"),
        ("Lyapunov, feedforward", "same exponents, mean over windows, feedforward network of 10 units"),
        ("log spectra, Elman", "log spectra, Elman network of 32 units, Adam"),
    ):
        found = re.search(rf"^{re.escape(name)} +([0-9.]+)", said, re.MULTILINE)[1]
        assert rows[row][0] == found, name
    assert f"an accuracy of {found} on simulated data" in text_of("simulator.md")


# anaesthesia.md


def test_repeating_the_last_value_in_simulated_operations():
    X, _, description = simulate_anaesthesia(30)
    ahead, now = (np.concatenate(rows(X, description.channels)) for rows in (future, repeated))
    error = np.nanmean(np.abs(ahead - now))
    assert f"a mean absolute error of {error:.1f} after a minute in 30 simulated" in text_of("anaesthesia.md")
