"""The simulated EEG: its equations, the rhythms and amplitudes of the paper, seeds, steps and words."""

import numpy as np
import pytest
from scipy import signal

from elman.datasets import neural_mass, simulate_eeg, simulate_seizure
from elman.datasets.simulated_eeg import ACTIVITIES, ELECTRODE, _recorded
from reference import wendling

FS = 173.61
PAPER = {  # Wendling et al. (2002): B and G at A = 5
    "background": (50.0, 15.0),
    "sporadic spikes": (40.0, 15.0),
    "sustained spikes": (25.0, 15.0),
    "slow rhythmic": (10.0, 15.0),
    "low-voltage rapid": (5.0, 25.0),
    "quasi-sinusoidal": (15.0, 0.0),
}


def rows(dataset):
    return dataset.X.values.reshape(len(dataset.X), -1)


def spectrum(x, fs=FS):
    """Frequencies and the share of power at each."""
    f, power = signal.welch(x, fs, nperseg=min(512, len(x)))
    return f, power / power.sum()


def share(x, low, high):
    f, power = spectrum(x)
    return power[(f >= low) & (f < high)].sum()


def median_frequency(x):
    f, power = spectrum(x)
    return f[np.searchsorted(power.cumsum(), 0.5)]


def peak(x):
    f, power = spectrum(x)
    return f[power.argmax()]


def spikes(x):
    """When a potential of more than 240 µV above the mean is reached, in seconds."""
    return signal.find_peaks(x - x.mean(), height=240.0, distance=12)[0] / FS


@pytest.fixture(scope="module")
def by_type():
    x = rows(simulate_eeg(6, kinds=list(ACTIVITIES), seconds=12.0, seed=3))
    return {name: x[6 * i : 6 * i + 6] for i, name in enumerate(ACTIVITIES)}


# equations


@pytest.mark.parametrize(("B", "G"), PAPER.values(), ids=PAPER)
def test_integrate_is_the_papers_ten_equations(B, G):
    p = neural_mass.draw_input(np.random.default_rng(1), 1500, 1e-3)
    one = np.ones(1)
    ours = neural_mass.integrate(5.0 * one, B * one, G * one, one, p[:, None], 1e-3)
    np.testing.assert_allclose(ours[:, 0], wendling(5.0, B, G, p, 1e-3), rtol=0, atol=1e-9)


def test_without_fast_inhibition_it_is_jansen_and_rits_column():
    """Alpha at A = 3.25, B = 22 and an input in the middle of 120 to 320 pulses/s (1995, section 3)."""
    one, p = np.ones(1), np.full((6000, 1), 220.0)
    y = neural_mass.integrate(3.25 * one, 22.0 * one, 0.0 * one, one, p, 1e-3)[3000:, 0]
    f, power = signal.periodogram(y - y.mean(), 1000.0)
    assert 8.0 <= f[power.argmax()] <= 13.0
    assert np.ptp(y) > 2.0


def test_heuns_method_is_of_second_order():
    one = np.ones(1)

    def end(step):
        p = np.full((round(0.2 / step), 1), 150.0)
        return neural_mass.integrate(5.0 * one, 25.0 * one, 15.0 * one, one, p, step)[-1, 0]

    truth = end(2e-5)
    assert abs(end(4e-4) - truth) / abs(end(2e-4) - truth) == pytest.approx(4.0, rel=0.25)


def test_speed_scales_time():
    """With a steady input, a column of speed 1.25 goes through the same potentials 1.25 times as fast."""
    p = np.full((4000, 1), 120.0)
    gains = [np.array([gain]) for gain in (5.0, 25.0, 15.0)]
    slow = neural_mass.integrate(*gains, np.array([1.0]), p, 5e-4)
    fast = neural_mass.integrate(*gains, np.array([1.25]), p, 4e-4)
    np.testing.assert_allclose(slow, fast, rtol=0, atol=1e-8)
    assert np.ptp(slow) > 10.0


def test_gains_that_change_in_time():
    p = neural_mass.draw_input(np.random.default_rng(0), 900, 1e-3)[:, None]
    A, one = np.array([5.0]), np.ones(1)
    B = np.where(np.arange(900) < 600, 50.0, 5.0)[:, None]
    G = np.full((900, 1), 15.0)
    changing = neural_mass.integrate(A, B, G, one, p, 1e-3)
    steady = neural_mass.integrate(A, B[0], G[0], one, p, 1e-3)
    np.testing.assert_array_equal(changing[:600], steady[:600])
    assert abs(changing[-1] - steady[-1]) > 1.0


# the paper's description


def test_ranges_hold_the_papers_gains():
    for name, (B, G) in PAPER.items():
        for value, (low, high) in ((B, ACTIVITIES[name].B), (G, ACTIVITIES[name].G)):
            assert low <= value <= high


def test_background_is_small_broad_and_without_spikes(by_type):
    for x in by_type["background"]:
        assert 15.0 < x.std() < 40.0
        assert np.abs(x).max() < 240.0
        assert share(x, 0, 13) > 0.6
        assert spectrum(x)[1].max() < 0.15  # no rhythm stands out


def test_sporadic_spikes_are_large_and_rare(by_type):
    counts = [len(spikes(x)) for x in by_type["sporadic spikes"]]
    assert sum(counts) > 6
    assert max(counts) / 12.0 < 2.5
    for x, count in zip(by_type["sporadic spikes"], counts, strict=True):
        if count:
            assert np.ptp(x) > 1200.0
            assert np.median(np.abs(x)) < 0.1 * np.abs(x).max()  # quiet in between


def test_sustained_spikes_come_regularly(by_type):
    for x in by_type["sustained spikes"]:
        gaps = np.diff(spikes(x))
        assert 3.0 < 1.0 / gaps.mean() < 6.0
        assert gaps.std() < 0.15 * gaps.mean()
        assert peak(x) == pytest.approx(1.0 / gaps.mean(), abs=0.5)
        assert x.std() > 320.0


def test_slow_rhythmic_activity_is_small_with_a_peak_near_alpha(by_type):
    for x in by_type["slow rhythmic"]:
        assert 7.0 < peak(x) < 13.0
        assert x.std() < 48.0
        assert share(x, 7, 14) > 1.4 * np.mean([share(b, 7, 14) for b in by_type["background"]])


def test_low_voltage_rapid_activity_is_smallest_and_fastest(by_type):
    largest = max(x.std() for x in by_type["low-voltage rapid"])
    slowest = min(median_frequency(x) for x in by_type["low-voltage rapid"])
    assert slowest > 9.0
    for x in by_type["background"]:
        assert largest < x.std()
        assert slowest > median_frequency(x)
    fast = [
        np.mean([share(x, 15, 40) for x in by_type[name]]) for name in ("low-voltage rapid", "background")
    ]
    assert fast[0] > 0.35 > 1.5 * fast[1]


def test_quasi_sinusoidal_activity_is_one_line(by_type):
    for x in by_type["quasi-sinusoidal"]:
        assert 9.0 < peak(x) < 13.0
        assert share(x, peak(x) - 1.0, peak(x) + 1.0) > 0.8
        assert x.std() > 160.0


def test_ictal_is_larger_and_kinds_are_told_apart_by_spectra():
    """Shares of power in five bands, no amplitude: trained on one seed, tried on another."""
    from sklearn.linear_model import LogisticRegression

    X, y, powers = [], [], {}
    for seed in (0, 1):
        data = simulate_eeg(12, seconds=8.0, seed=seed)
        bands = ((0.5, 4), (4, 8), (8, 13), (13, 25), (25, 45))
        X.append([[np.log(share(x, *band)) for band in bands] for x in rows(data)])
        y.append(data.y)
        powers = {kind: np.mean(rows(data)[data.y == kind] ** 2) for kind in np.unique(data.y)}
    assert LogisticRegression(max_iter=1000).fit(X[0], y[0]).score(X[1], y[1]) > 0.8
    assert powers["ictal"] > 1.5 * powers["interictal"] > 15 * powers["healthy"]


def test_an_electrode_sees_microvolts():
    """Background of tens of µV, ictal activity of hundreds, and no value far above a millivolt."""
    data = simulate_eeg(12, seed=4)
    x = rows(data)
    size = {kind: np.median(x[data.y == kind].std(axis=1)) for kind in ("healthy", "ictal")}
    assert 20.0 < size["healthy"] < 50.0
    assert 150.0 < size["ictal"] < 500.0
    largest = {kind: np.abs(x[data.y == kind]).max() for kind in np.unique(data.y)}
    assert largest["healthy"] < 200.0
    assert 800.0 < largest["ictal"] < 1200.0
    assert 800.0 < largest["interictal"] < 1300.0


@pytest.mark.parametrize("simulate", [lambda: simulate_eeg(1, seconds=0.5), lambda: simulate_seizure(50.0)])
def test_the_unit_is_said(simulate):
    assert simulate().description.units == ("µV",)


def test_the_electrode_is_a_factor(monkeypatch):
    """The cells' own potential in mV, for whoever wants it, is the signal divided by ELECTRODE."""
    signals = simulate_eeg(1, seconds=0.5).X.values, simulate_seizure(50.0, fs=64.0).X.values
    monkeypatch.setattr("elman.datasets.simulated_eeg.ELECTRODE", 1.0)
    cells = simulate_eeg(1, seconds=0.5).X.values, simulate_seizure(50.0, fs=64.0).X.values
    for seen, own in zip(signals, cells, strict=True):
        np.testing.assert_allclose(seen, ELECTRODE * own, rtol=1e-12)


# seeds and steps


def test_a_segment_follows_from_seed_kind_and_number_alone():
    few = simulate_eeg(4, kinds=("interictal", "ictal"), seconds=1.5, seed=7)
    np.random.seed(0)
    many = simulate_eeg(9, kinds=("ictal", "healthy", "interictal"), seconds=2.5, seed=7)
    assert np.random.get_state()[2] == 624  # nobody drew from NumPy's common generator
    short = len(few.X[0])
    for kind in ("interictal", "ictal"):
        a = [x for x, label in zip(few.X, few.y, strict=True) if label == kind]
        b = [x for x, label in zip(many.X, many.y, strict=True) if label == kind]
        for i in range(4):
            np.testing.assert_allclose(a[i], b[i][:short], rtol=0, atol=1e-7)


def test_seeds_repeat_and_differ():
    one, again, other = (rows(simulate_eeg(2, seconds=1.0, seed=seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert not np.isclose(one, other).all(axis=1).any()
    assert not np.allclose(one[0], one[1])


def test_more_segments_than_are_simulated_at_once(monkeypatch):
    whole = simulate_eeg(3, seconds=1.0)
    monkeypatch.setattr("elman.datasets.simulated_eeg.TOGETHER", 4)
    np.testing.assert_allclose(simulate_eeg(3, seconds=1.0).X.values, whole.X.values, rtol=0, atol=1e-7)


def test_the_step_does_not_matter():
    """Other noise, the same statistics: amplitude within 6 %, the share of each band within 20 %."""
    names = ("background", "slow rhythmic")
    coarse, fine = (rows(simulate_eeg(12, kinds=names, seconds=8.0, step=s)) for s in (1e-3, 5e-4))
    for at in (slice(0, 12), slice(12, 24)):
        assert coarse[at].std() == pytest.approx(fine[at].std(), rel=0.06)
        for band in ((1, 5), (5, 9), (9, 14), (14, 25)):
            a, b = (np.mean([share(x, *band) for x in some[at]]) for some in (coarse, fine))
            assert a == pytest.approx(b, rel=0.2)


def test_the_input_keeps_its_spectrum():
    """White noise of spectral density 2 · 30² / 512, whatever the step."""
    for step in (1e-3, 1e-4):
        p = neural_mass.draw_input(np.random.default_rng(0), 200_000, step)
        f, power = signal.welch(p, 1 / step, nperseg=round(1 / step))
        assert p.mean() == pytest.approx(90.0, abs=1.0)
        assert power[(f > 1) & (f < 200)].mean() == pytest.approx(2 * 30.0**2 / 512, rel=0.05)


def test_the_amplifier_and_the_samples():
    """Gains of a second-order Butterworth: 1 inside, 1/sqrt(2) at the corners; no offset, nothing aliased."""
    fs, substeps = 128.0, 8
    t = np.arange(60 * 1024) / 1024
    frequencies = [0.53, 8.0, 40.0, 100.0]
    waves = np.stack([9.0 + np.sin(2 * np.pi * f * t) for f in frequencies], axis=1)
    out = _recorded(waves, 50 * 128, fs, substeps)[10 * 128 :]
    size = np.sqrt(2 * np.mean(out**2, axis=0))
    np.testing.assert_allclose(size[:3], [np.sqrt(0.5), 1.0, np.sqrt(0.5)], atol=0.03)
    assert size[3] < 1e-3
    assert np.abs(out.mean(axis=0)).max() < 0.01


# what comes back


def test_what_comes_back():
    X, y, description = simulate_eeg(2, kinds=["ictal", "healthy"], seconds=0.5, fs=256.0)
    assert [x.shape for x in X] == [(128, 1)] * 4
    assert X.values.dtype == np.float64
    assert y.tolist() == ["ictal", "ictal", "healthy", "healthy"]
    assert description.fs == 256.0
    assert description.units == ("µV",)
    assert description.ids == ("ictal-000", "ictal-001", "healthy-000", "healthy-001")
    assert "Wendling" in description.source


def test_a_seizure():
    X, (labels,), description = simulate_seizure(40.0, onset=15.0, duration=20.0, seed=2)
    x = X[0][:, 0]
    t = np.arange(len(x)) / FS
    assert len(x) == len(labels) == round(40 * FS)
    np.testing.assert_array_equal(labels == "ictal", (t >= 15.0) & (t < 35.0))
    assert x[t < 3.0].std() < 48.0
    assert len(spikes(x[(t > 6.0) & (t < 15.0)])) > 1
    onset, sine, discharge = ((t > 17.5) & (t < 20.0), (t > 26.0) & (t < 29.0), (t > 31.5) & (t < 35.0))
    assert x[onset].std() < 48.0
    assert median_frequency(x[onset]) > 9.0
    assert 9.0 < peak(x[sine]) < 13.0
    assert 3.0 < peak(x[discharge]) < 6.0
    assert x[discharge].std() > 320.0
    assert x[t > 37.0].std() < 48.0
    assert "from 15 to 35 s" in str(description)
    assert description.annotations == ((15.0, 20.0, "ictal"),)


def test_a_seizure_follows_from_its_seed():
    short = {"seconds": 1.0, "onset": 0.2, "duration": 0.5}
    one, again, other = (simulate_seizure(**short, seed=seed).X.values for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.isclose(one, other).all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"n": 0}, ValueError, "n is 0, expected an integer of at least 1"),
        ({"n": 2.0}, TypeError, "n is 2.0"),
        ({"kinds": "ictal"}, TypeError, "kinds is 'ictal'"),
        ({"kinds": 3}, TypeError, "kinds is 3"),
        ({"kinds": ()}, ValueError, "expected at least one name"),
        ({"kinds": ("ictal", "ictal")}, ValueError, "each once"),
        ({"kinds": ("ictal", "sick")}, ValueError, r"kinds\[1\] is 'sick'"),
        ({"seconds": 0.0}, ValueError, "seconds is 0.0"),
        ({"seconds": 0.001}, ValueError, "one sample at fs 173.61"),
        ({"seconds": float("nan")}, ValueError, "seconds is nan"),
        ({"fs": -1.0}, ValueError, "fs is -1.0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"seed": "a"}, TypeError, "seed is 'a'"),
        ({"step": 0.01}, ValueError, "step is 0.01, expected at most 0.001"),
        ({"step": 0.0}, ValueError, "step is 0.0"),
    ],
)
def test_wrong_arguments(change, error, words):
    with pytest.raises(error, match=words):
        simulate_eeg(**{"n": 1, "seconds": 1.0, **change})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"onset": -1.0}, "onset is -1.0"),
        ({"duration": 0.0}, "duration is 0.0"),
        ({"onset": 50.0}, r"onset \+ duration is 75, expected at most seconds, 60"),
    ],
)
def test_wrong_times_of_a_seizure(change, words):
    with pytest.raises(ValueError, match=words):
        simulate_seizure(**change)
