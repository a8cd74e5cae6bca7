"""Channels are read by the names that the model knows, in the monitor and in its command."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

import elman
from elman import RNNClassifier, Sequences
from elman.data.feature_names import NamedArray
from elman.datasets import load_edf
from elman.monitoring import ChunkedStream, Monitor, SlidingStream
from elman.monitoring.description import Description

RNG = np.random.default_rng(0)
RATE = 100.0
X = Sequences(
    RNG.normal(size=(400, 2)) * [3.0, 1.0],
    np.arange(5) * 100,
    feature_names=["Fp1", "Fp2"],
    feature_units=["uV", "uV"],
    rate=RATE,
)
SAMPLES = RNG.normal(size=(50, 2)) * [3.0, 1.0]
STAMPS = np.arange(50) / RATE
MISSING = "'Fp1', 'Fp2' are missing, 'O1', 'O2' are unknown"


@pytest.fixture(scope="module")
def model():
    return RNNClassifier(4, max_iter=2, random_state=0).fit(X, ["rest", "seizure"] * 2)


def answers(monitor, samples):
    return np.array([each.values for each in monitor.feed(samples, STAMPS) if hasattr(each, "values")])


@pytest.mark.parametrize("kind", [ChunkedStream, lambda opened: SlidingStream(opened, 20)])
def test_the_monitor_reads_channels_by_name(model, kind):
    def monitor(**options):
        return Monitor(kind(lambda: elman.stream(model)), features=2, rate=RATE, **options)

    expected = answers(monitor(channels=["Fp1", "Fp2"]), SAMPLES)
    np.testing.assert_array_equal(answers(monitor(), SAMPLES), expected)  # without names: the model's order
    swapped = monitor(channels=["Fp2", "Fp1"])
    assert swapped.channels == ["Fp1", "Fp2"]
    np.testing.assert_array_equal(answers(swapped, SAMPLES[:, ::-1]), expected)
    more = monitor(channels=["Trigger", "Fp2", "Fp1"])
    np.testing.assert_array_equal(answers(more, np.column_stack([STAMPS, SAMPLES[:, ::-1]])), expected)
    named = NamedArray(SAMPLES[:, ::-1], feature_names=["Fp2", "Fp1"])  # which know better
    np.testing.assert_array_equal(answers(monitor(channels=["Fp1", "Fp2"]), named), expected)
    with pytest.raises(ValueError, match=MISSING):
        monitor(channels=["O1", "O2"])
    with pytest.raises(ValueError, match=MISSING):
        monitor().feed(NamedArray(SAMPLES, feature_names=["O1", "O2"]), STAMPS)


def test_the_columns_of_a_data_frame_are_names(model):
    pandas = pytest.importorskip("pandas")
    streams = [ChunkedStream(lambda: elman.stream(model)) for _ in range(2)]
    expected, swapped = (Monitor(each, features=2, rate=RATE) for each in streams)
    frame = pandas.DataFrame(SAMPLES[:, ::-1], columns=["Fp2", "Fp1"])
    np.testing.assert_array_equal(answers(swapped, frame), answers(expected, SAMPLES))
    with pytest.raises(ValueError, match=MISSING):
        swapped.feed(pandas.DataFrame(SAMPLES, columns=["O1", "O2"]), STAMPS)


def test_another_number_of_channels_or_another_rate_is_said(model):
    stream = ChunkedStream(lambda: elman.stream(model))
    with pytest.raises(ValueError, match="features is 3, expected 2, as the model was trained with"):
        Monitor(stream, features=3, rate=RATE)
    with pytest.warns(UserWarning, match="rate is 250 Hz, and the model was trained on a signal of 100 Hz"):
        Monitor(stream, features=2, rate=250.0)
    with pytest.raises(ValueError, match=r"stamps\[1\] is nan, expected a finite number of seconds"):
        Monitor(stream, features=2).feed(SAMPLES[:2], [0.0, np.nan])


def test_a_window_shorter_than_the_first_answer_is_refused(model):
    with pytest.raises(ValueError, match="window is 40, expected an integer of at least 64"):
        SlidingStream(lambda: elman.stream(model), 40, first=64, every=32)


def test_a_note_names_a_channel_by_its_own_name(model):
    monitor = Monitor(ChunkedStream(lambda: elman.stream(model)), features=2, channels=["Fp2", "Fp1"])
    samples = SAMPLES[:, ::-1].copy()
    samples[0, 0] = np.nan  # of Fp2
    happened = monitor.feed(samples, STAMPS)
    assert any("Fp2" in getattr(each, "text", "") for each in happened)


# the command

STREAM = Description("amp", "a1", "host", "EEG", RATE, ("Fp2", "Fp1"), units=("millivolts", "millivolts"))


class Scripted:
    """A source that is there, gives its chunks, and is then interrupted."""

    connected, connections = True, 1

    def __init__(self, description, samples):
        self.description = description
        self.chunks = [SimpleNamespace(samples=samples, stamps=STAMPS, timed=True)]

    def pull(self, timeout):
        if self.chunks:
            return self.chunks.pop()
        raise KeyboardInterrupt


def watched(path, stream, samples, **options):
    """Return the values that the command answered, its notes, and its run."""
    pytest.importorskip("typer")
    pytest.importorskip("rich")
    from elman.cli.commands import loaded_model
    from elman.cli.commands import monitor as jobs

    run = jobs._Run(loaded_model.load(str(path)), jobs.Watching("amp", **options))
    run.check(stream)
    notes, seen = [], []
    view = SimpleNamespace(note=notes.append, tick=lambda: None)
    run.note, run.seen.answer = notes.append, lambda values, _: seen.append(values)
    assert jobs._watch(run, Scripted(stream, samples), view, lambda: 1.0) == "by Ctrl-C"
    return np.array(seen), notes, run


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("channels") / "m.elman"
    model.save(path)
    return path


def test_the_command_reads_labels_and_units(model, path):
    expected = model.predict_proba(NamedArray(SAMPLES, feature_names=["Fp1", "Fp2"])[None])[0]
    found, notes, run = watched(path, STREAM, SAMPLES[:, ::-1] / 1e3)
    np.testing.assert_allclose(found[-1], expected, rtol=1e-6)
    assert any("the channels are read by name, 'Fp1', 'Fp2'" in note for note in notes)
    assert any("converted: 'Fp1', 'Fp2' from millivolts to uV" in note for note in notes)
    assert run.monitor.channels == ["Fp1", "Fp2"]
    more = dataclasses.replace(STREAM, channels=("Trigger", "Fp2", "Fp1"), units=())
    found, _, _ = watched(path, more, np.column_stack([STAMPS, SAMPLES[:, ::-1]]))
    np.testing.assert_allclose(found[-1], expected, rtol=1e-6)
    found, _, _ = watched(path, more, np.column_stack([STAMPS, SAMPLES[:, ::-1]]), channels=("Fp2", "3"))
    np.testing.assert_allclose(found[-1], expected, rtol=1e-6)


def test_the_command_takes_numbered_and_unlabeled_channels_as_they_come(model, path):
    expected = model.predict_proba(NamedArray(SAMPLES, feature_names=["Fp1", "Fp2"])[None])[0]
    plain = dataclasses.replace(STREAM, units=())
    found, notes, _ = watched(path, plain, SAMPLES, channels=("1", "2"))
    np.testing.assert_allclose(found[-1], expected, rtol=1e-6)
    assert any("channels 1, 2 are read as Fp1, Fp2 (as " in note for note in notes)
    other = dataclasses.replace(STREAM, channels=("A1", "A2"))  # numbers choose channels of any name
    found, notes, _ = watched(path, other, SAMPLES / 1e3, channels=("1", "2"))
    np.testing.assert_allclose(found[-1], expected, rtol=1e-6)
    assert any("converted: 'Fp1', 'Fp2' from millivolts to uV" in note for note in notes)
    with pytest.raises(ValueError, match="has 'Fp1' in mmHg, expected uV"):
        watched(path, dataclasses.replace(other, units=("mmHg", "uV")), SAMPLES, channels=("1", "2"))
    unlabeled = dataclasses.replace(plain, channels=("channel 1", "channel 2"), labeled=False)
    found, notes, _ = watched(path, unlabeled, SAMPLES)
    np.testing.assert_allclose(found[-1], expected, rtol=1e-6)
    assert any("names no channels" in note for note in notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": ("O1", "O2")}, MISSING + r".* \(--channels with numbers reads channels of any name\)$"),
        ({"units": ("Ohm", "uV")}, "has 'Fp2' in Ohm, expected uV"),
        ({"rate": 200.0}, "the stream 'amp' has 200 Hz, expected 100 Hz"),  # of the training
    ],
)
def test_the_command_refuses_other_channels(path, change, message):
    with pytest.raises(ValueError, match=message):
        watched(path, dataclasses.replace(STREAM, **change), SAMPLES)


def test_a_model_without_names_says_so(tmp_path):
    model = RNNClassifier(4, max_iter=2).fit(X.values.reshape(4, 100, 2), ["rest", "seizure"] * 2)
    model.save(tmp_path / "plain.elman")
    found, notes, _ = watched(tmp_path / "plain.elman", STREAM, SAMPLES)
    np.testing.assert_allclose(found[-1], model.predict_proba(SAMPLES[None])[0], rtol=1e-6)
    assert any("nothing is known of the features" in note and "'Fp2', 'Fp1'" in note for note in notes)


# recordings


def test_a_recording_is_read_by_its_labels_and_replayed_with_them(tmp_path):
    edfio = pytest.importorskip("edfio")
    pytest.importorskip("typer")
    from elman.cli.commands import replay

    rng = np.random.default_rng(1)

    def write(name, labels, values, unit):
        signals = [
            edfio.EdfSignal(x, RATE, label=label, physical_dimension=unit, physical_range=(-1e4, 1e4))
            for x, label in zip(values.T, labels, strict=True)
        ]
        edfio.Edf(signals).write(tmp_path / name)

    values = rng.normal(size=(400, 2)) * [300.0, 100.0]
    write("right.edf", ["Fp1", "Fp2"], values, "uV")
    write("swapped.edf", ["Fp2", "Fp1"], values[:, ::-1], "uV")
    write("others.edf", ["O1", "O2"], values, "uV")
    write("nano.edf", ["Fp1", "Fp2"], values, "nV")
    right = load_edf(tmp_path / "right.edf").X
    assert (right[0].feature_names, right[0].feature_units) == (("Fp1", "Fp2"), ("uV", "uV"))
    assert right.rate == RATE
    model = RNNClassifier(4, max_iter=2).fit(list(right) * 4, ["rest", "seizure"] * 2)
    expected = model.predict_proba(right)
    np.testing.assert_allclose(model.predict_proba(load_edf(tmp_path / "swapped.edf").X), expected, rtol=1e-6)
    with pytest.raises(ValueError, match=MISSING):
        model.predict_proba(load_edf(tmp_path / "others.edf").X)
    nano = load_edf(tmp_path / "nano.edf").X
    thousand = Sequences(nano.values * 1e3, nano.offsets, **nano.features.arguments())
    with pytest.warns(UserWarning, match="'Fp1', 'Fp2' from nV to uV"):
        np.testing.assert_allclose(model.predict_proba(thousand), expected, rtol=1e-4)
    found = replay.load(str(tmp_path / "nano.edf"), {}, None, None)
    assert (found.channels, found.units, found.labeled) == (("Fp1", "Fp2"), ("nV", "nV"), True)
    np.savez(tmp_path / "a.npz", X=values[None], fs=RATE)
    assert not replay.load(str(tmp_path / "a.npz"), {}, None, None).labeled
