"""Signal quality of recordings."""

from __future__ import annotations

import numpy as np
import pytest

import elman
from elman.evaluation import signal_quality
from elman.features import LogSpectrum

FS = 250.0


def recording(seed=0, steps=2000, features=3):
    return 50 * np.random.default_rng(seed).normal(size=(steps, features))


def found(faults):
    return [(f.sequence, f.channel, f.start, f.stop, f.kind) for f in faults]


def test_faults_are_found_without_any_model():
    x, y = recording(1), recording(2)
    x[500:750, 0] = 7.0
    x[1000:1250, 2] = np.clip(3 * x[1000:1250, 2], -60, 60)
    y[1500:, 1] += 200 * np.sin(2 * np.pi * 60 * np.arange(500) / FS)
    expected = [(0, 0, 500, 750, "flat"), (0, 2, 1000, 1250, "clipped"), (1, 1, 1500, 2000, "mains")]
    assert found(signal_quality([x, y], fs=FS)) == expected
    assert [fault.kind for fault in signal_quality([x, y])] == ["flat", "clipped"]  # no rate, no mains
    assert "60 Hz" in signal_quality([y], fs=FS)[0].text
    assert signal_quality(np.stack([recording(3), recording(4)]), fs=FS) == []


def test_a_model_knows_the_range_of_each_channel():
    X = [recording(i) for i in range(6)]
    spectrum = LogSpectrum(fs=FS, window=250).fit(X)
    new = [recording(9), recording(10) * [1.0, 1e-3, 1e3]]
    assert found(signal_quality(new, limits=spectrum)) == [
        (1, 1, 0, 2000, "too small"),
        (1, 2, 0, 2000, "too large"),
    ]
    texts = [fault.text for fault in signal_quality(new, limits=spectrum)]
    assert "and the training data by" in texts[0]
    assert "and the training data -" in texts[1]
    assert signal_quality(new, limits=elman.stream(spectrum).signal_limits) == signal_quality(
        new, limits=spectrum
    )


def test_the_end_of_a_recording_and_a_short_one_are_checked():
    x = recording(1, steps=1060)
    x[1000:] = 0.0
    faults = signal_quality([x, x[1000:1050], recording(2, 40), recording(3, 1)], fs=FS)
    assert [(f.sequence, f.stop) for f in faults if f.kind == "flat"] == [(0, 1060)] * 3 + [(1, 50)] * 3


def test_what_is_short_or_coarse_is_no_fault():
    noise = np.random.default_rng(0).normal(size=(2000, 1))
    fast = np.convolve(noise[:, 0], np.ones(5), "same")[:, None]
    for x, fs in [(noise[:20], None), (noise, 20.0), (noise, 50.0), (np.round(4 * fast), FS), (fast, 20.0)]:
        assert signal_quality([x], fs=fs) == []
    spectrum = LogSpectrum(fs=FS, window=250).fit([fast])
    slow = np.sin(np.linspace(0.0, 0.2, 30))[:, None]
    short = [noise[:steps] for steps in (2, 3, 5, 8, 13, 30, 60)]
    assert signal_quality([*short, slow], limits=spectrum) == []
    assert [fault.kind for fault in signal_quality([1000 * x for x in short], limits=spectrum)] == [
        "too large"
    ] * 7
    with pytest.raises(ValueError, match="fs is 500, expected 250, the rate that the model knows"):
        signal_quality([noise], limits=spectrum, fs=500.0)


def test_channels_are_read_by_name():
    def named(x, names, units):
        return elman.NamedArray(x, feature_names=names, feature_units=units, rate=FS)

    X = [named(recording(i) * [1.0, 10.0, 100.0], ["a", "b", "c"], ["uV"] * 3) for i in range(6)]
    swapped = named(np.asarray(X[0])[:, [2, 0, 1]] * 1e-6, ["c", "a", "b"], ["V"] * 3)
    network = elman.Network([elman.SimpleRNN(3), elman.Dense(1)], input_size=3, seed=0)
    network.fit(X, np.zeros((6, 1)), epochs=1, verbose=0)
    for model in (LogSpectrum(fs=FS, window=250).fit(X), network):
        with pytest.warns(UserWarning, match="converted"):
            assert signal_quality([swapped], limits=model) == []
        with pytest.raises(ValueError, match="'a' is missing, 'x' is unknown"):
            signal_quality([elman.NamedArray(recording(0), feature_names=["x", "b", "c"])], limits=model)
    hum = np.sin(2 * np.pi * 50 * np.arange(2000) / FS)[:, None]
    assert found(signal_quality([named(hum, ["a"], ["uV"])])) == [(0, 0, 0, 2000, "mains")]


def test_missing_values_are_no_fault():
    x = recording(1)
    x[300:700, 1] = np.nan
    assert signal_quality([x], fs=FS) == []


def test_what_has_learned_nothing_is_refused():
    X = [recording(i, 30) for i in range(6)]
    model = elman.RNNClassifier(3, max_iter=1).fit(X, [0, 1] * 3)
    with pytest.raises(ValueError, match="which has learned nothing of its channels, expected a model"):
        signal_quality(X, limits=model)
    with pytest.raises(ValueError, match=r"X\[0\]"):
        signal_quality(
            [recording(0, 500, 2)], limits=LogSpectrum(fs=FS).fit([recording(i) for i in range(6)])
        )
    with pytest.raises(ValueError, match="fs is 0"):
        signal_quality([recording(0)], fs=0)
