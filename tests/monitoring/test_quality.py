"""Signal quality: dead, clipped and foreign channels are said, and their answers raise and end no alarm."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import elman
from elman.data import signal_limits
from elman.datasets import simulate_eeg
from elman.evaluation import signal_quality
from elman.features import FillMissing, Frames, LogSpectrum
from elman.monitoring import Alarm, Answer, ChunkedStream, Monitor, SlidingStream

FS = 173.61
FROM = 1389  # 8 s


@pytest.fixture(scope="module")
def model():
    """The model of docs/eeg.md."""
    X, y, _ = simulate_eeg(20)
    network = elman.RNNClassifier(
        32, pooling="mean", max_iter=40, batch_size=16, learning_rate_init=5e-3,
        learning_rate="onecycle", input_noise=0.3, dtype="float32", random_state=0,
    )  # fmt: skip
    return make_pipeline(LogSpectrum(fs=FS, window=512, hop=64, max_hz=45), network).fit(X, y)


@pytest.fixture(scope="module")
def segments():
    """A healthy segment and a seizure."""
    return simulate_eeg(1, kinds=("healthy", "ictal"), seed=3)[0]


def watch(model, x, chunk=100, **options):
    """Return the monitor, its answers, and its events as (seconds, kind, text)."""
    sliding = SlidingStream(lambda: elman.stream(model), 1736, first=512, every=64)
    alarm = Alarm("ictal", index=1, on=0.8, off=0.5)
    monitor = Monitor(sliding, features=x.shape[1], rate=FS, alarm=alarm, **options)
    said = []
    for k in range(0, len(x), chunk):
        said += monitor.feed(x[k : k + chunk], np.arange(k, min(k + chunk, len(x))) / FS)
    events = [(what.time, what.kind, what.text) for what in said if not isinstance(what, Answer)]
    return monitor, [what for what in said if isinstance(what, Answer)], events


def changed(x, value, stop=None):
    x = x.copy()
    x[FROM:stop] = value
    return x


def test_a_signal_as_in_training_is_not_remarked_upon(model, segments):
    rest, ictal = segments
    monitor, answers, events = watch(model, rest)
    assert (events, monitor.unreliable, monitor.faults) == ([], 0, [])
    assert all(answer.reliable for answer in answers)
    monitor, answers, events = watch(model, ictal)
    assert [kind for _, kind, _ in events] == ["alarm"]
    assert events[0][0] > 7.5
    assert monitor.unreliable == 0


def test_unseen_segments_of_every_kind_are_as_in_training(model):
    """60 segments of each kind; with 400 of each, 56,400 windows, none is marked either."""
    new, _, _ = simulate_eeg(60, seed=77)
    assert elman.evaluation.signal_quality(new, limits=model) == []


@pytest.mark.parametrize("value", ["frozen", 0.0, "rail"])
@pytest.mark.parametrize("chunk", [7, 100, 5000])
def test_a_dead_channel_is_said_and_ends_no_alarm(model, segments, value, chunk):
    ictal = segments[1]
    dead = {"frozen": ictal[FROM], "rail": 1.5 * ictal.max()}.get(value, value)
    monitor, answers, events = watch(model, changed(ictal, dead), chunk)
    assert [kind for _, kind, _ in events] == ["alarm", "quality"]
    assert events[1][2] == "channel 1 is flat; answers are unreliable"
    assert 8.0 < events[1][0] < 9.0
    assert monitor.active
    assert all(answer.alarm for answer in answers if not answer.reliable)
    assert [answer.reliable for answer in answers] == [answer.time < events[1][0] for answer in answers]
    assert min(answer.values[1] for answer in answers) < 0.1  # it would have ended
    assert monitor.faults == ["channel 1: flat"]
    assert (monitor.reliable, monitor.unreliable) == (False, sum(not a.reliable for a in answers))
    monitor, answers, events = watch(model, changed(ictal, dead), quality=False)
    assert [kind for _, kind, _ in events] == ["alarm", "all clear"]
    assert monitor.unreliable == 0


def test_a_clipped_channel_raises_no_alarm_until_it_has_left_the_window(model, segments):
    rest = segments[0]
    loud, rail = 20 * rest[FROM:2000], 2 * np.abs(rest).max()
    monitor, answers, events = watch(model, changed(rest, np.clip(loud, -rail, rail), 2000))
    assert [kind for _, kind, _ in events] == ["quality", "quality"]
    assert events[0][2] == f"channel 1 is clipped at {-rail:.4g} or {rail:.4g}; answers are unreliable"
    assert events[1][2] == "channel 1: good again"
    assert monitor.alarms == []
    assert monitor.faults == []
    # The window of ten seconds; half a second until a fault is found, and then the next answer, after 64.
    unreliable = [answer.sample for answer in answers if not answer.reliable]
    assert FROM < unreliable[0] < FROM + 90 + 64
    assert 2000 + 1736 - 64 < unreliable[-1] < 2000 + 1736 + 90
    assert answers[-1].reliable


@pytest.mark.parametrize(("factor", "words"), [(1e-3, "varies by "), (1e3, "reaches ")])
def test_another_unit_is_said_at_once(model, segments, factor, words):
    for x in segments:
        monitor, answers, events = watch(model, x * factor)
        assert events[0][1] == "quality"
        assert words in events[0][2]
        assert "the training data" in events[0][2]
        assert monitor.alarms == []
        assert not any(answer.reliable for answer in answers)


def test_mains_are_said(model, segments):
    rest = segments[0]
    hum = 3 * rest.std() * np.sin(2 * np.pi * 50 * np.arange(len(rest)) / FS)[:, None]
    monitor, _, events = watch(model, rest + hum)
    assert events[0][1] == "quality"
    assert "mains (50 Hz); answers are unreliable" in events[0][2]
    assert monitor.alarms == []
    assert watch(model, rest + hum / 10)[2] == []


def several(seed=0, count=40):
    r = np.random.default_rng(seed)
    return [r.normal(size=(1000, 3)) * [1.0, 100.0, 0.01] for _ in range(count)], ["a", "b"] * (count // 2)


def spectra(X, y):
    net = elman.RNNClassifier(4, max_iter=1)
    return make_pipeline(LogSpectrum(fs=200.0, window=200, hop=50), net).fit(X, y)


def test_each_channel_has_its_own_limits():
    net = spectra(*several())
    x = several(1, 2)[0][0]
    swapped = x[:, [1, 0, 2]]
    dead = x.copy()
    dead[300:, [0, 2]] = 0.0
    seen = {}
    for name, given in ("as it is", x), ("swapped", swapped), ("dead", dead):
        sliding = SlidingStream(lambda: elman.stream(net), 400, 200, 50)
        monitor = Monitor(sliding, features=3, rate=200.0, channels=["Fz", "Cz", "Pz"])
        seen[name] = [w.text for w in monitor.feed(given, np.arange(1000) / 200) if not isinstance(w, Answer)]
    assert seen["as it is"] == []
    assert any(text.startswith("Fz reaches ") for text in seen["swapped"])
    assert any(text.startswith("Cz varies by ") for text in seen["swapped"])
    assert seen["dead"] == ["Fz, Pz, flat: the first of them is flat; answers are unreliable"]


def test_values_that_are_held_for_missing_ones_are_a_fault_too():
    """94 % of the numbers missing, one sample at a time, as of a radio that marks what it lost."""
    net = spectra(*several())
    x = several(1, 2)[0][0]
    x[np.arange(1000) % 18 > 0, 1] = np.nan
    sliding = SlidingStream(lambda: elman.stream(net), 400, 200, 50)
    monitor = Monitor(sliding, features=3, rate=200.0, alarm=Alarm("b", 1, 0.0, 0.0))
    happened = monitor.feed(x, np.arange(1000) / 200)
    assert [what.kind for what in happened if not isinstance(what, Answer)] == ["missing", "quality"]
    assert not any(what.reliable for what in happened if isinstance(what, Answer))
    assert monitor.alarms == []


def test_persistence_counts_reliable_answers_only(model):
    class Given:
        signal_limits = signal_limits.of(model)

        def steps(self, x):
            return np.abs(x) / 10

        def reset(self):
            pass

    x = np.random.default_rng(0).normal(size=(2000, 1))
    x[500:1000] = 0.0
    x[::2] = np.where(x[::2] == 0.0, 0.0, 9.0)
    monitor = Monitor(ChunkedStream(Given), features=1, rate=FS, alarm=Alarm("p", 0, 0.8, 0.5, off_steps=2))
    answers = [what for what in monitor.feed(x, np.arange(2000) / FS) if isinstance(what, Answer)]
    assert monitor.active
    flat = [answer for answer in answers if not answer.reliable]
    assert {answer.alarm for answer in flat} == {answers[flat[0].sample - 2].alarm}


def test_the_screen_says_what_it_waits_for_and_what_is_wrong(model, segments):
    pytest.importorskip("rich")
    from rich.console import Console

    from elman.cli.monitor_state import Seen
    from elman.cli.monitor_view import Screen

    sliding = SlidingStream(lambda: elman.stream(model), 1736, first=512, every=64)
    monitor = Monitor(sliding, features=1, rate=FS, alarm=Alarm("ictal", 1, 0.8, 0.5), channels=["EEG"])
    seen = Seen("", ["healthy", "ictal", "interictal"], True)
    seen.monitor = monitor
    written = io.StringIO()
    screen = Screen(seen, Console(file=written, width=90, height=30, color_system=None))
    shown = []
    signal = changed(segments[1], 0.0)
    for part in np.split(np.arange(len(signal)), [1000, 2200]):
        for what in monitor.feed(signal[part], part / FS):
            if isinstance(what, Answer):
                seen.answer(what.values, what.time)
        screen._console.print(screen.drawn())
        shown.append(written.getvalue())
    assert f"waiting for {(1344 - 1000) / FS:.1f} s of signal" in shown[0]
    assert "unreliable" not in shown[0]
    assert "unreliable: EEG: flat" in shown[1]


# what is learned, and kept


def test_what_is_learned_travels_with_the_model(model, segments, tmp_path):
    elman.save(model, tmp_path / "m.elman")
    limits = elman.stream(model).signal_limits
    expected = watch(model, segments[1] * 1e3)[2]
    for other in (elman.load(tmp_path / "m.elman"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        found = elman.stream(other).signal_limits
        assert (found.window, found.rate) == (87, FS)
        for name in ("low", "high", "least", "repeats", "rails", "mains"):
            np.testing.assert_array_equal(getattr(found, name), getattr(limits, name))
        assert watch(other, segments[1] * 1e3)[2] == expected


def models(X, y):
    steps = [np.repeat(label, len(x)) for x, label in zip(X, y, strict=True)]
    index = [["a", "b"].index(label) for label in y]
    network = elman.Network([elman.SimpleRNN(3), elman.Dense(2, "softmax")], input_size=3, seed=0)
    network.fit(X, index, verbose=False)
    return [
        elman.RNNClassifier(3, max_iter=1).fit(X, y),
        elman.RNNTagger(3, max_iter=1).fit(X, steps),
        elman.RNNRegressor(3, max_iter=1).fit(X, index),
        make_pipeline(Frames(20, 10), elman.RNNClassifier(3, max_iter=1)).fit(X, y),
        make_pipeline("passthrough", elman.RNNClassifier(3, max_iter=1)).fit(X, y),
        network,
    ]


def test_every_model_of_signals_learns_them(tmp_path):
    X, y = several(count=4)
    dead = X[0].copy()
    dead[500:, 1] = 0.0
    for i, model in enumerate(models(X, y)):
        elman.save(model, tmp_path / f"{i}.elman")
        copies = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
        for each in (model, elman.load(tmp_path / f"{i}.elman"), *copies):
            limits = elman.stream(each).signal_limits
            assert limits.window == 64
            np.testing.assert_allclose(limits.low, np.min(np.concatenate(X), axis=0), rtol=1e-6)
            (fault,) = elman.evaluation.signal_quality([dead], limits=each)
            assert (fault.channel, fault.kind) == (1, "flat")


def test_a_pipeline_in_a_pipeline_has_the_limits_of_its_first_step():
    X = [np.random.default_rng(i).normal(size=(700, 2)) for i in range(4)]
    inner = make_pipeline(Frames(4, 4))
    outer = make_pipeline("passthrough", inner, Frames(2, 2)).fit(X)
    assert elman.stream(outer).signal_limits is inner[0].signal_limits_


def test_where_limits_make_no_sense_there_are_none(tmp_path):
    r = np.random.default_rng(0)
    table, labels = r.normal(size=(30, 200)), ["a", "b"] * 15
    short = [r.normal(size=(30, 2)) for _ in range(30)]
    symbols = elman.Network([elman.Embedding(5, 3), elman.SimpleRNN(3), elman.Dense(2)], input_size=1)
    symbols.fit(r.integers(0, 5, size=(10, 300)), r.normal(size=(10, 2)), verbose=False)
    for i, model in enumerate(
        [
            elman.RNNClassifier(3, max_iter=1).fit(table, labels),
            elman.RNNClassifier(3, max_iter=1).fit(short, labels),
            symbols,
        ]
    ):
        elman.save(model, tmp_path / "m.elman")
        assert b"signal_limits" not in (tmp_path / "m.elman").read_bytes(), i
        assert elman.stream(model).signal_limits is None
    refit = elman.RNNClassifier(3, max_iter=1).fit(several(count=4)[0], ["a", "b"] * 2)
    assert refit.fit(short, labels).__dict__.get("signal_limits_") is None


def test_a_second_fit_widens_what_a_partial_one_learned():
    X, y = several(count=4)
    model = elman.RNNClassifier(3, max_iter=1)
    model.partial_fit(X, y, classes=["a", "b"])
    model.partial_fit([10 * x for x in X], y)
    np.testing.assert_array_equal(model.signal_limits_.high, 10 * np.max(np.concatenate(X), axis=0))
    assert elman.evaluation.signal_quality(X, limits=model) == []
    assert model.fit(X, y).signal_limits_.high[0] == np.max(np.concatenate(X), axis=0)[0]


def test_channels_that_were_constant_or_held_in_training_may_be_so():
    r = np.random.default_rng(0)
    X = [
        np.column_stack([r.normal(size=1000), np.repeat(r.normal(size=10), 100), r.integers(0, 2, 1000)])
        for _ in range(8)
    ]
    model = elman.RNNClassifier(3, max_iter=1).fit(X, ["a", "b"] * 4)
    x = X[0].copy()
    x[300:, 1] = 0.0  # held for much longer than ever before
    assert elman.evaluation.signal_quality([x, *X], limits=model) == []


def faults_of(train, test):
    model = elman.RNNClassifier(2, max_iter=1, random_state=0)
    model.fit(train, np.arange(len(train)) % 2)
    return [(fault.kind, fault.text) for fault in signal_quality(test, limits=model)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_signals_of_few_levels_are_ordinary():
    def rate(seed):  # whole beats a minute, once a second; a minute without any change is rare
        rng = np.random.default_rng(seed)
        return 70.0 + np.cumsum((rng.random((600, 1)) < 0.07) * rng.choice([-1, 1], (600, 1)), axis=0)

    def still(seed):  # an accelerometer that mostly lies on a table, of 128 steps for each g
        rng = np.random.default_rng(seed)
        moves = np.repeat(rng.random(20) < 0.3, 200)[:, None]
        return np.round(128 * np.where(moves, 0.5, 0.003) * rng.normal(size=(4000, 3))) / 128

    for signal in (rate, still):
        assert faults_of([signal(i) for i in range(20)], [signal(100 + i) for i in range(100)]) == []


def test_missing_values_among_few_levels_are_ordinary():
    def rate(seed):
        rng = np.random.default_rng(seed)
        x = 70.0 + np.cumsum((rng.random((600, 1)) < 0.5) * rng.choice([-1, 1], (600, 1)), axis=0)
        return np.where(rng.random((600, 1)) < 0.2, np.nan, x)

    fill = FillMissing().fit([rate(i) for i in range(20)])
    assert signal_quality([rate(100 + i) for i in range(50)], limits=fill) == []
    held = np.where(np.arange(600)[:, None] < 300, rate(200), 70.0)
    assert signal_quality([held], limits=fill)[0].start == 320


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("trained", [np.float32, np.float64])
def test_a_constant_in_float32_is_that_in_float64(trained):
    X = [np.c_[np.random.default_rng(i).normal(size=640), np.full(640, 0.1)] for i in range(6)]
    for new in (np.float32, np.float64):
        assert faults_of([x.astype(trained) for x in X], [x.astype(new) for x in X]) == []
    assert faults_of(X, [X[0] * [1.0, 1.1]])[0][0] == "too large"


def test_a_rare_dead_stretch_in_training_does_not_make_it_normal():
    X, y = several()
    X[0][500:700, 0] = 0.0
    model = elman.RNNClassifier(3, max_iter=1).fit(X, y)
    faults = elman.evaluation.signal_quality([np.zeros((500, 3))], limits=model)
    assert [(fault.channel, fault.kind) for fault in faults] == [(i, "flat") for i in range(3)]


def test_damaged_limits_in_a_file_are_refused():
    limits = {"signal_limits": np.zeros((2, 7)), "signal_limits_window": np.array([64.0, np.nan])}

    class Fitted:
        pass

    signal_limits.restore(Fitted(), limits, 2)
    for name, value in [
        ("signal_limits", np.zeros((3, 7))),
        ("signal_limits", np.full((2, 7), np.nan)),
        ("signal_limits_window", np.array([1.0, 200.0])),
        ("signal_limits_window", np.array([64.5, 200.0])),
        ("signal_limits_window", np.array([64.0, -1.0])),
        ("signal_limits_window", np.array([64.0])),
    ]:
        with pytest.raises(ValueError):  # noqa: PT011
            signal_limits.restore(Fitted(), limits | {name: value}, 2)
