"""EDF and BDF: what edfio wrote comes back; annotations become labels; what is damaged is refused by name."""

import re
import sys
from datetime import time

import numpy as np
import pytest

from elman.datasets import Annotation, load_edf
from helpers import recordings

edfio = pytest.importorskip("edfio")
DATA = recordings.data("edf")
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(scale=100, size=(3, 4 * 250))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "night.edf"


def eeg(path, annotations=None, **options):
    return recordings.edf(path, [(f"EEG {i}", 250, x) for i, x in enumerate(NOISE)], annotations, **options)


@pytest.mark.parametrize(("bdf", "step"), [(False, 2000 / 65535), (True, 2000 / 16777215)])
@pytest.mark.parametrize("annotations", [None, [(1.5, 0.5, "spike")]])
def test_signals_come_back_in_their_units(path, bdf, step, annotations):
    eeg(path, annotations, bdf=bdf)
    X, y, description = load_edf(path)
    assert y is None and len(X) == 1 and X.values.dtype == np.float32
    assert np.abs(X[0] - NOISE.T).max() < 0.51 * step + 1e-4
    assert (description.fs, description.channels) == (250.0, ("EEG 0", "EEG 1", "EEG 2"))
    assert description.units == ("uV",) * 3 and description.ids == ("night",)
    assert description.annotations == (() if annotations is None else (Annotation(1.5, 0.5, "spike"),))


def test_the_ending_of_the_name_does_not_matter(path):
    eeg(path.with_suffix(".rec"), bdf=True)
    assert load_edf(path.with_suffix(".rec")).X.values.shape == (1000, 3)


def test_channels_by_name_and_number_in_the_order_given(path):
    eeg(path)
    X, _, description = load_edf(path, channels=["EEG 2", 1])
    assert description.channels == ("EEG 2", "EEG 0")
    np.testing.assert_array_equal(X[0], load_edf(path).X[0][:, [2, 0]])


def test_two_channels_of_one_name_are_chosen_by_number(path):
    recordings.edf(path, [("T8-P8", 100, x[:100]) for x in NOISE[:2]])
    with pytest.raises(ValueError, match=r"has 2 channels 'T8-P8': choose by number, 1 and 2"):
        load_edf(path, channels=["T8-P8"])
    assert np.abs(load_edf(path, channels=[2]).X[0][:, 0] - NOISE[1, :100]).max() < 0.02


# ---------------------------------------------------------------------------------------------------- rates


def slow(path):
    """A sine of 3 Hz and, of another rate, a line that rises by 10 a second."""
    seconds = 4
    sine = 500 * np.sin(2 * np.pi * 3 * np.arange(seconds * 256) / 256)
    line = 90 + 10 * np.arange(seconds * 8) / 8
    recordings.edf(path, [("Cz", 256, sine), ("SpO2", 8, line, "%")])


def test_different_rates_need_one_to_be_chosen(path):
    slow(path)
    with pytest.raises(ValueError, match=r"night.edf': channel 'Cz' has 256 Hz and 'SpO2' 8 Hz, expec"):
        load_edf(path)
    assert load_edf(path, channels=["SpO2"]).description.fs == 8.0


@pytest.mark.parametrize("fs", [64, 100.5, 173.61, 512])
def test_resampled_signals_are_the_same_signals(path, fs):
    slow(path)
    X, _, description = load_edf(path, fs=fs)
    assert X[0].shape == (int(np.ceil(4 * fs)), 2) and description.fs == fs
    at = np.arange(len(X[0])) / fs
    inside = (at > 0.5) & (at < 3.4)  # the line ends at 3.875 s, and filters need some samples
    assert np.abs(X[0][inside, 0] - 500 * np.sin(2 * np.pi * 3 * at[inside])).max() < 3
    assert np.abs(X[0][inside, 1] - (90 + 10 * at[inside])).max() < 0.2
    assert X[0][:, 1].min() > 89.5 and X[0][:, 1].max() < 130.5  # no fall to zero at the ends


def test_what_is_faster_than_the_new_rate_does_not_come_back_as_something_slow(path):
    recordings.edf(path, [("Cz", 256, 500 * np.sin(2 * np.pi * 60 * np.arange(1024) / 256))])
    X = load_edf(path, fs=64).X[0]
    assert np.abs(X[16:-16]).max() < 5


def test_the_own_rate_is_no_resampling(path):
    eeg(path)
    np.testing.assert_array_equal(load_edf(path, fs=250).X.values, load_edf(path).X.values)


def test_rates_that_are_no_ratio_are_refused(path):
    slow(path)
    with pytest.raises(ValueError, match=r"fs is 99.1234567, .* of the 256 Hz of channel 'Cz' of .*night"):
        load_edf(path, fs=99.1234567)


# --------------------------------------------------------------------------------------------------- labels


def test_annotations_become_a_label_a_step(path):
    eeg(path, [(0.5, 1.0, "seizure"), (3.0, 10.0, "artifact"), (2.0, None, "spike"), (1.0, 1.0, "note")])
    labels = {"seizure": 1, "artifact": 2, "spike": 3}
    _, y, description = load_edf(path, labels=labels)
    expected = np.zeros(1000, int)
    expected[125:375], expected[750:], expected[500] = 1, 2, 3
    np.testing.assert_array_equal(y[0], expected)
    assert [a.text for a in description.annotations] == ["seizure", "note", "spike", "artifact"]
    _, y, _ = load_edf(path, fs=50, labels=labels, channels=[1])
    np.testing.assert_array_equal(y[0], expected[::5])


def test_intervals_that_touch_do_not_overlap(path):
    eeg(path, [(0.0, 4 / 3, "W"), (4 / 3, 4 / 3, "N1"), (8 / 3, 4 / 3, "W")])
    _, y, _ = load_edf(path, labels={"W": "wake", "N1": "light"}, other="none")
    assert y[0].tolist() == ["wake"] * 334 + ["light"] * 333 + ["wake"] * 333


def test_rounding_moves_no_label(path):
    """1.1 s at 100 Hz is step 110, although 1.1 * 100 > 110."""
    eeg(path, [(1.1, 1.1, "seizure")])
    _, y, _ = load_edf(path, fs=100, labels={"seizure": 1})
    assert np.flatnonzero(y[0]).tolist() == list(range(110, 220))


def test_a_beginning_and_an_end_are_an_interval(path):
    eeg(path, [(0.5, None, "on"), (1.0, None, "off"), (3.0, None, "on")])
    _, y, _ = load_edf(path, labels={("on", "off"): 1.0}, other=0.0)
    assert y[0].dtype == np.float64
    assert np.flatnonzero(np.diff(y[0])).tolist() == [124, 249, 749] and y[0][-1] == 1.0


def test_an_instant_between_two_steps_labels_the_one_it_lies_in(path):
    eeg(path, [(0.9999, None, "spike"), (1.0102, 0.001, "spike")])
    _, y, _ = load_edf(path, labels={"spike": 1})
    assert np.flatnonzero(y[0]).tolist() == [249, 252]


def test_onsets_count_from_the_first_sample(path):
    """A recording that began a fraction after the second in its header, which is the zero of its onsets."""
    signals = [edfio.EdfSignal(NOISE[0], 250, label="Cz")]
    notes = [edfio.EdfAnnotation(1.0, 0.5, "seizure")]
    edfio.Edf(signals, starttime=time(0, 0, 0, 250_000), annotations=notes).write(path)
    assert b"+1.25\x150.5\x14seizure" in path.read_bytes()
    _, y, description = load_edf(path, labels={"seizure": 1})
    assert description.annotations == (Annotation(1.0, 0.5, "seizure"),)
    assert np.flatnonzero(y[0]).tolist() == list(range(250, 375))


def test_two_labels_for_one_step_are_refused_on_request(path):
    eeg(path, [(0.5, 1.0, "a"), (1.2, 1.0, "b"), (1.4, 0.1, "a")])
    assert load_edf(path, labels={"a": 1, "b": 1}, overlap="refuse").y[0].sum() == 425
    sentence = r"night.edf': the annotations 'a' at 0.5 s and 'b' at 1.2 s overlap, expected one"
    with pytest.raises(ValueError, match=sentence):
        load_edf(path, labels={"a": 1, "b": 2}, overlap="refuse")


def test_an_interrupted_recording_is_several_sequences(path):
    eeg(path, [(0.5, 0.25, "a")], interrupted=[0, 1, 100, 101])
    X, y, description = load_edf(path, labels={"a": 1})
    assert [x.shape for x in X] == [(500, 3), (500, 3)] and description.ids == ("night", "night")
    assert np.flatnonzero(y[0]).tolist() == list(range(125, 188)) and not y[1].any()
    np.testing.assert_allclose(X.values, NOISE.T, atol=0.02)


def test_labels_find_their_part_of_an_interrupted_recording(path):
    eeg(path, [(0.5, None, "on"), (3.5, None, "off")])
    content = path.read_bytes()
    changes = ((b"EDF+C", b"EDF+D"), (b"+2\x14", b"+7\x14"), (b"+3\x14", b"+8\x14"), (b"+3.5", b"+8.5"))
    for old, new in changes:
        content = content.replace(old, new)
    path.write_bytes(content)
    X, y, _ = load_edf(path, labels={("on", "off"): 1})
    assert [len(x) for x in X] == [500, 500]
    assert y[0].tolist() == [0] * 125 + [1] * 375 and y[1].tolist() == [1] * 375 + [0] * 125


def test_records_in_the_wrong_order_are_refused(path):
    eeg(path, interrupted=[0, 1, 10, 5])
    with pytest.raises(ValueError, match=r"night.edf': data record 4 begins before record 3 has ended"):
        load_edf(path)


# --------------------------------------------------------------------------------------------------- damage


def patched(path, at, text):
    content = bytearray(path.read_bytes())
    content[at : at + len(text)] = text
    path.write_bytes(bytes(content))


FIRST = 256  # byte of the first signal's label; three signals, so the fields of each kind stand together
SAMPLES = 256 + 3 * (16 + 80 + 8 + 8 + 8 + 8 + 8 + 80)


@pytest.mark.parametrize(
    ("at", "text", "sentence"),
    [
        (0, b"1       ", "is no EDF or BDF file: it begins with '1       '"),
        (184, b"1280    ", "has 3 signals and a header of 1280 bytes, expected 256 and again as many"),
        (236, b"5       ", "has 7024 bytes, expected 8524 by its header, 5 data records of 1500 bytes after"),
        (236, b"3       ", "has 7024 bytes, expected 5524 by its header"),
        (236, b"-4      ", "has 7024 bytes, expected 1024 by its header"),
        (236, b"4_0     ", "the number of data records is '4_0', expected an integer"),
        (244, b"-1      ", "a data record takes '-1' s, expected a number above 0"),
        (244, b"0       ", "a data record takes 0 s, expected a number above 0"),
        (244, b"nan     ", "a data record takes 'nan' s, expected a number above 0"),
        (252, b"0   ", "has 0 signals and a header of 1024 bytes"),
        (252, b"-3  ", "has -3 signals and a header of 1024 bytes"),
        (SAMPLES, b"0       ", "signal 1, 'EEG 0': the number of samples in a data record is '0', expec"),
        (SAMPLES, b"25x     ", "signal 1, 'EEG 0': the number of samples in a data record is '25x'"),
        (SAMPLES, b"99999999", "it is truncated or damaged"),
        (256 + 3 * 104, b"1000    ", "channel 'EEG 0': its physical range is '1000' to '1000', expected"),
        (256 + 3 * 112, b"9e99    ", "channel 'EEG 0': its physical range is '-1000' to '9e99', expected"),
        (
            256 + 3 * 104,
            b"1,5,2   ",
            "channel 'EEG 0': its physical range is '1,5,2' to '1000', expected two",
        ),
        (256 + 3 * 120, b"32767   ", "channel 'EEG 0': its digital range is '32767' to '32767', expec"),
    ],
)
def test_a_damaged_header_is_named(path, at, text, sentence):
    eeg(path)
    patched(path, at, text)
    with pytest.raises(ValueError, match=re.escape("night.edf'")) as caught:
        load_edf(path)
    assert sentence in str(caught.value)


def test_a_channel_without_a_range_can_be_left_out(path):
    eeg(path)
    patched(path, 256 + 3 * 104, b"1000    ")
    np.testing.assert_allclose(load_edf(path, channels=[2, 3]).X.values, NOISE[1:].T, atol=0.02)


@pytest.mark.parametrize("bdf", [False, True])
def test_a_truncated_file_is_named(path, bdf):
    content = eeg(path, [(1.0, 1.0, "seizure")], bdf=bdf)
    for length in (1, 8, 200, 256, 700, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"night.edf'"):
            load_edf(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(ValueError, match="truncated or damaged"):
        load_edf(path)


def test_a_recorder_that_was_stopped_leaves_no_number_of_records(path):
    eeg(path)
    patched(path, 236, b"-1      ")
    assert load_edf(path).X.values.shape == (1000, 3)


def test_annotations_are_read_whole_or_refused(path):
    content = eeg(path, [(1.0, 1.0, "seizure")])
    path.write_bytes(content.replace(b"+1\x151\x14seizure\x14", b"x1\x151\x14seizure\x14"))
    with pytest.raises(ValueError, match=r"night.edf', data record 2: 'x1.*seizure.* is no list of"):
        load_edf(path)
    path.write_bytes(content.replace(b"+2\x14\x14", b"\0\0\0\0"))
    with pytest.raises(ValueError, match=r"data record 3: its annotations do not say when it begins"):
        load_edf(path)
    path.write_bytes(content.replace(b"seizure", b"Krampf\xe4"))  # not UTF-8, as EDF+ would have it
    assert load_edf(path).description.annotations[0].text == "Krampfä"


def test_what_was_interrupted_must_say_when(path):
    eeg(path)
    patched(path, 192, b"EDF+D")
    with pytest.raises(ValueError, match=r"was interrupted \(EDF\+D\), but has no times of its data records"):
        load_edf(path)


def test_a_file_of_annotations_alone_has_no_signals(path):
    recordings.edf(path, [], [(1.0, 1.0, "seizure")], record=None)
    with pytest.raises(ValueError, match=r"night.edf' has annotations, but no signals"):
        load_edf(path)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"channels": ["Cz"]}, ValueError, "has no channel 'Cz', expected one of 'EEG 0', 'EEG 1', 'E"),
        ({"channels": [0]}, ValueError, "has no channel 0, expected 1 to 3"),
        ({"channels": [1, "EEG 0"]}, ValueError, "channels is [1, 'EEG 0'] (a list), expected at least one"),
        ({"channels": []}, ValueError, "channels is [] (a list), expected at least one channel, each once"),
        ({"channels": "EEG 0"}, TypeError, "channels is 'EEG 0' (a str), expected a list of names"),
        ({"channels": [None]}, TypeError, "channels has None (a NoneType), expected names or numbers"),
        ({"fs": 0}, ValueError, "fs is 0.0, expected a finite number above 0"),
        ({"fs": "128"}, TypeError, "fs is '128' (a str), expected a finite number above 0"),
        ({"labels": ["a"]}, TypeError, "labels is ['a'] (a list), expected a mapping from texts"),
        ({"labels": {1: 1}}, TypeError, "labels has the key 1 (a int), expected a text, or two"),
        ({"labels": {"a": "x"}}, TypeError, "other and the labels are [0, 'x'] (a list), expected all"),
        ({"labels": {"a": True}}, TypeError, "other and the labels are [0, True] (a list), expected"),
    ],
)
def test_wrong_arguments(path, options, error, sentence):
    eeg(path)
    with pytest.raises(error, match=re.escape(sentence)):
        load_edf(path, **options)


def test_wrong_paths(path, tmp_path):
    with pytest.raises(FileNotFoundError):
        load_edf(path)
    with pytest.raises(ValueError, match=r"has no recordings, expected files in \.edf, \.bdf, \.rec"):
        load_edf(tmp_path)
    with pytest.raises(TypeError, match=r"path is 3 \(a int\), expected a path"):
        load_edf(3)


def test_without_edfio_the_extra_is_named(path, monkeypatch):
    eeg(path)
    monkeypatch.setitem(sys.modules, "edfio", None)
    with pytest.raises(ImportError, match=r'pip install "elman\[eeg\]"'):
        load_edf(path)


@pytest.mark.skipif(DATA is None, reason="no EDF recording beside the checkout (ELMAN_DATA says where)")
def test_a_recording_of_a_clinic():
    file = DATA / "Subject00_2.edf"
    X, _, description = load_edf(file)
    assert X.values.shape == (31000, 21) and description.fs == 500.0
    assert description.channels[:2] == ("EEG Fp1", "EEG Fp2") and description.units[-1] == "mV"
    for i, signal in enumerate(edfio.read_edf(file).signals):
        np.testing.assert_allclose(X[0][:, i], signal.data, rtol=1e-6, atol=1e-6)
    assert load_edf(file, fs=128, channels=["EEG Cz"]).X.values.shape == (7936, 1)
