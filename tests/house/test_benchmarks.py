"""The benchmarks' own arithmetic: what is counted, and that peers are given the same work."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import measure, report, train
from benchmarks.cases import CASES, Case
from benchmarks.measure import figures
from benchmarks.peers import Peer, elman_, numpy_


def products(case):
    """Count the matrix products of an update one after the other."""
    B, T, F, H, C = case.sizes.values()
    G = {"rnn": 1, "gru": 3, "lstm": 4}[case.cell]

    def product(rows, inner, columns):
        return 2 * rows * inner * columns

    total = 0
    for t in range(T):
        total += product(B, F, G * H) + product(F, B, G * H)  # x W, dW
        if t > 0:  # h U, dU, dz U'
            total += product(B, H, G * H) + product(H, B, G * H) + product(B, G * H, H)
        if case.per_step or t == 0:  # h V, dV, dz V'
            total += product(B, H, C) + product(H, B, C) + product(B, C, H)
    return total


@pytest.mark.parametrize("name", ["adder", "letters", "eeg32", "spectral", "wide", "char256-gru"])
def test_flops_are_those_of_the_products_that_are_needed(name):
    assert CASES[name].flops == products(CASES[name])


def test_a_ragged_case_counts_its_own_steps():
    case = replace(CASES["eeg64-ragged"], batches=1)
    alone = [replace(CASES["eeg64"], batch=1, batches=1, steps=int(n)).flops for n in case.lengths()]
    assert case.flops == sum(alone)
    assert 10 <= case.lengths().min() < 50 and 450 < case.lengths().max() <= 500


SMALL = {
    "per step": {"readout": "step", "kind": "text", "features": 4, "outputs": 4},
    "mean": {"readout": "mean"},
    "last": {},
    "ragged": {"shortest": 2},
}


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("change", SMALL)
def test_elman_and_numpy_agree(change, cell):
    case = Case("small", 6, 9, 3, 5, 4, "last", "signal", 2, cell=cell, dtype="float64")
    case = replace(case, **SMALL[change])
    expected = numpy_.losses(case, updates=5, threads=1)
    assert expected[-1] < expected[0]
    np.testing.assert_allclose(elman_.losses(case, updates=5, threads=1), expected, rtol=1e-12)
    answers = elman_.predictor(case, threads=1)()
    np.testing.assert_allclose(answers, numpy_.predictor(case, threads=1)(), rtol=1e-11)


def test_what_follows_a_sequence_is_not_read():
    case = replace(CASES["eeg64-ragged"], batch=4, batches=1, dtype="float64", units=8)
    x, y = case.data()
    padded = numpy_.train(case, x, y, case.lengths(), 3)
    x[np.arange(case.steps) >= case.lengths()[:, None]] = 7.0
    assert numpy_.train(case, x, y, case.lengths(), 3) == padded


@pytest.mark.parametrize("way", ["plain", "out"])
@pytest.mark.parametrize("batch", [1, 3])
def test_streams_agree(batch, way):
    case = Case("stream", batch, 20, 8, 16, 4, "step", "signal", 1)
    expected = numpy_.stepper(case, threads=1, way="plain")()
    np.testing.assert_allclose(elman_.stepper(case, threads=1, way=way)(), expected, rtol=1e-5)


def test_a_case_is_proved_measured_and_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    asked = ["train", "--cases", "letters", "--peers", "numpy", "--repeat", "2", "--threads", "1"]
    monkeypatch.setattr("sys.argv", asked)
    train.main()
    found = measure.load("train-float32-1")
    case = found["cases"]["letters"]
    assert set(case["losses"]["max_difference"]) == {"elman", "numpy"}
    assert case["ratios"]["numpy"]["n"] == 2 and case["ratios"]["numpy"]["median"] > 1
    assert 0 < case["share_of_peak"]["elman"] < 1
    pytest.importorskip("matplotlib")
    image = tmp_path / "speed.png"
    monkeypatch.setattr("sys.argv", ["report", "--train", "train-float32-1", "--image", str(image)])
    report.main()
    assert "| letters: B5 T1 F5 H3 |" in capsys.readouterr().out
    assert image.stat().st_size > 10_000


def test_other_losses_stop_the_benchmark(monkeypatch):
    case = replace(CASES["letters"], epochs=1)
    with Peer("numpy", 1) as peer:
        answer = Peer.ask

        def wrong(self, do, case, **more):
            return np.add(answer(self, do, case, **more), 1e-3 if case.dtype == "float32" else 0)

        monkeypatch.setattr(Peer, "ask", wrong)
        with pytest.raises(SystemExit, match="letters: numpy's losses differ from the truth"):
            measure.prove(case, [peer], peer, "losses", 2e-5, updates=2)


def test_ratios_are_those_of_the_same_turn():
    found = figures({"elman": [1.0, 2.0, 4.0], "torch": [3.0, 8.0, 8.0]})
    assert found["ratios"]["torch"]["median"] == 3.0
    assert found["times"]["torch"]["median"] == 8e6
