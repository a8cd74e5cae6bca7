"""Annotations from a file beside the recording: hypnograms, interval lists, summaries of CHB-MIT."""

import re
from pathlib import Path

import numpy as np
import pytest

from elman.datasets import Annotation, load_edf
from helpers import recordings

pytest.importorskip("edfio")
STAGES = {"Sleep stage W": "wake", "Sleep stage N1": "light"}
NIGHT = [(0, "Sleep stage W", 8), (8, "Sleep stage N1", 12)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(name, notes=(), **options):
    x = np.random.default_rng(0).integers(-1000, 1000, (20, 100))
    recordings.edf_plus(Path(name), {"EEG 1": x}, notes, **options)


def runs(y):
    starts = np.flatnonzero(np.r_[True, y[1:] != y[:-1]])
    return [(int(i), y[i].item()) for i in starts]


def stages(**options):
    return runs(load_edf("night.edf", labels=STAGES, other="?", **options).y[0])


@pytest.mark.parametrize("options", [{"record": 0}, {"starts": range(20)}])
def test_a_hypnogram(options):
    record("night.edf", [(1, "own", 1)])
    recordings.edf_plus(Path("stages.edf"), {}, NIGHT, **options)
    assert stages(annotations="stages.edf") == [(0, "wake"), (800, "light")]
    description = load_edf("night.edf", annotations="stages.edf").description
    assert description.annotations == tuple(Annotation(at, length, text) for at, text, length in NIGHT)
    sentence = (
        "'stages.edf' has annotations, but no signals: read its recording and give this file as annotations="
    )
    with pytest.raises(ValueError, match=sentence):
        load_edf("stages.edf", labels=STAGES, other="?")


def test_a_hypnogram_that_begins_at_another_time_is_moved():
    record("night.edf")
    recordings.edf_plus(Path("stages.edf"), {}, NIGHT, record=0, when="01.02.2003.04.08")
    with pytest.warns(
        UserWarning, match="'stages.edf' begins 3 s after the recording: its annotations are moved"
    ):
        assert stages(annotations="stages.edf") == [(0, "?"), (300, "wake"), (1100, "light")]


def test_the_first_sample_may_lie_after_the_start_in_the_header():
    record("night.edf", starts=[0.5 + i for i in range(20)])
    recordings.edf_plus(Path("stages.edf"), {}, NIGHT, record=0)
    with pytest.warns(UserWarning, match="begins 0.5 s before the recording"):
        assert stages(annotations="stages.edf") == [(0, "wake"), (750, "light"), (1950, "?")]


def test_a_damaged_hypnogram_is_read_on_request():
    record("night.edf")
    content = recordings.edf_plus(Path("stages.edf"), {}, NIGHT, starts=range(20))
    Path("stages.edf").write_bytes(content[:-5])
    with pytest.raises(ValueError, match=r"'stages.edf' has .* truncated or damaged"):
        load_edf("night.edf", annotations="stages.edf")
    with pytest.warns(UserWarning, match=r"'stages.edf' .*; the first 19 data records are read"):
        assert stages(annotations="stages.edf", damaged="read") == [(0, "wake"), (800, "light")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("e.tsv", "onset\tduration\ttrial_type\n0\t8\tSleep stage W\n8.0\t12\tSleep stage N1\n"),
        ("e.tsv", "onset\tduration\ttrial_type\tvalue\n8\t12\tSleep stage N1\t2\n0\t8\tSleep stage W\tn/a\n"),
        ("e.tsv", "onset\tduration\tvalue\n0\t8\tSleep stage W\n4\tn/a\tn/a\n8\t12\tSleep stage N1\n"),
        ("e.csv", "Onset,Duration,Annotation\n0,8,Sleep stage W\n8,12,Sleep stage N1\n"),
        ("e.csv", "start;end;label\n0;8;Sleep stage W\n8;20;Sleep stage N1\n"),
        ("e.csv", 'text,onset,duration\n"Sleep stage W",0,8\n\n"Sleep stage N1",8,12\n'),
        (
            "e.csv",
            "﻿file,onset,duration,text\nnight.edf,0,8,Sleep stage W\nb,1,1,x\nnight,8,12,Sleep stage N1\n",
        ),
    ],
)
def test_interval_lists(name, content):
    record("night.edf", [(1, "own", 1)])
    Path(name).write_text(content, encoding="utf-8")
    assert stages(annotations=name) == stages(annotations=Path(name)) == [(0, "wake"), (800, "light")]


def test_an_instant_in_a_list():
    record("night.edf")
    Path("e.csv").write_text("onset,duration,text\n5,,spike\n7,n/a,spike\n")
    _, y, description = load_edf("night.edf", labels={"spike": 1}, annotations="e.csv")
    assert np.flatnonzero(y[0]).tolist() == [500, 700] and description.annotations[0].duration is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("time,text\n1,a\n", "'e.csv' has the columns 'time', 'text', expected one of 'onset', 'start'"),
        (
            "onset,duration\n1,2\n",
            "'e.csv' has the columns 'onset', 'duration', expected one of 'trial_type'",
        ),
        ("onset,text\n1,a\nx,b\n", "'e.csv' line 3, column 'onset': 'x' is not a number"),
        ('onset,text\n"1,5",b\n', "'e.csv' line 2, column 'onset': '1,5' is not a number (a decimal point"),
        ("onset,text\nnan,b\n", "'e.csv' line 2, column 'onset': nan is no time in s"),
        ("onset,duration,text\n5,-1,b\n", "'e.csv' line 2: the interval ends before it begins"),
        ("onset,end,text\n5,4,b\n", "'e.csv' line 2: the interval ends before it begins"),
        ("onset,text\n5,b,c\n", "'e.csv' line 2 has 3 cells, expected 2"),
        ("onset,onset,text\n", "'e.csv' line 1 has two columns of one name, expected different ones"),
        ('onset,text\n1,"a\n', "'e.csv' line 2: unexpected end of data"),
        ("onset,text\n1,a\0\n", "'e.csv' line 2 has a NUL byte"),
        ("", "'e.csv' is empty"),
    ],
)
def test_wrong_lists(content, sentence):
    record("night.edf")
    Path("e.csv").write_text(content)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        load_edf("night.edf", annotations="e.csv")


def test_a_list_in_another_unit_is_said():
    """Milliseconds, or samples."""
    record("night.edf")
    Path("e.csv").write_text("onset,duration,text\n5000,1000,a\n9000,1000,a\n")
    with pytest.warns(
        UserWarning, match="'e.csv': 2 of 2 intervals with a label lie outside .* 'a' at 5000 s"
    ):
        load_edf("night.edf", labels={"a": 1}, annotations="e.csv")


SUMMARY = """Data Sampling Rate: 256 Hz
*************************

Channels in EDF Files:
**********************
Channel 1: FP1-F7

File Name: chb01_01.edf
File Start Time: 11:42:54
File End Time: 12:42:54
Number of Seizures in File: 0

File Name: chb01_03.edf
File Start Time: 13:43:04
File End Time: 14:43:04
Number of Seizures in File: 2
Seizure 1 Start Time: 3 seconds
Seizure 1 End Time: 5 seconds
Seizure 2 Start Time: 12 seconds
Seizure 2 End Time: 15 seconds

File Name: chb01_04.edf
Number of Seizures in File: 1
Seizure Start Time: 4 seconds
Seizure End Time: 6 seconds
"""


def test_a_summary_of_seizures():
    names = [f"chb01_{i:02}.edf" for i in (1, 3, 4)]
    for name in names:
        record(name)
    Path("chb01-summary.txt").write_text(SUMMARY)
    y = load_edf(names, labels={"seizure": 1}, annotations="chb01-summary.txt").y
    assert [runs(one) for one in y] == [
        [(0, 0)],
        [(0, 0), (300, 1), (500, 0), (1200, 1), (1500, 0)],
        [(0, 0), (400, 1), (600, 0)],
    ]
    # A recording without a seizure is no wrong text: the summary says so.
    assert not load_edf(names[0], labels={"seizure": 1}, annotations="chb01-summary.txt").y[0].any()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("chb01_03", "chb01_33", "'s.txt' says nothing of 'chb01_03.edf', only of 'chb01_01.edf', 'chb01_33"),
        ("File: 2", "File: 3", "'s.txt', 'chb01_03.edf': 4 times of 3 seizures, expected two of each"),
        ("Seizure 2 End Time: 15 seconds\n", "", "'s.txt', 'chb01_03.edf': 3 times of 2 seizures"),
        (
            "End Time: 5 s",
            "End Time: 2 s",
            "'s.txt' line 17: expected a start of a seizure, and then its end",
        ),
        ("Time: 5 s", "Time: x s", "'s.txt' line 18, column 'time': 'x' is not a number"),
    ],
)
def test_wrong_summaries(old, new, sentence):
    record("chb01_03.edf")
    Path("s.txt").write_text(SUMMARY.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(sentence)):
        load_edf("chb01_03.edf", annotations="s.txt")


def test_files_for_several_recordings():
    for name in ("a", "b"):
        record(f"{name}.edf", [(1, "own", 1)])
    Path("a.csv").write_text("onset,duration,text\n5,1,own\n")
    several = load_edf(["a.edf", "b.edf"], labels={"own": 1}, annotations={"a.edf": "a.csv", "b": None})
    assert [runs(y)[1] for y in several.y] == [(500, 1), (100, 1)] and several.description.annotations == ()
    by_call = load_edf(["a.edf"], labels={"own": 1}, annotations=lambda path: path.replace("edf", "csv"))
    assert runs(by_call.y[0])[1] == (500, 1)
    with pytest.raises(
        ValueError, match=r"annotations has no entry for 'b.edf', expected one, such as 'b.edf'"
    ):
        load_edf(["a.edf", "b.edf"], annotations={"a.edf": "a.csv"})
    sentence = (
        "'a.csv' does not say which recording a row belongs to, expected one file for each: give annotations="
    )
    with pytest.raises(ValueError, match=sentence):
        load_edf(["a.edf", "b.edf"], annotations="a.csv")
    recordings.edf_plus(Path("s.edf"), {}, NIGHT, record=0)
    with pytest.raises(
        ValueError, match=r"'s.edf' has the annotations of one recording, expected one file for"
    ):
        load_edf(["a.edf", "b.edf"], annotations="s.edf")
    with pytest.raises(TypeError, match=r"annotations is 3 \(a int\), expected a file, a mapping"):
        load_edf("a.edf", annotations=3)
    with pytest.raises(FileNotFoundError):
        load_edf("a.edf", annotations="none.csv")
