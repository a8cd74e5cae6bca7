"""What is in a recording, from Python and the command line; nothing of it is read but header and notes."""

import json
import re
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from elman.cli.main import main
from elman.datasets import Annotation, edf_info, load_edf
from helpers import recordings

DATA = recordings.data("edf")
X = np.zeros((20, 100), int)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "edfio", None)  # which is not needed
    recordings.edf_plus(
        Path("night.edf"),
        {"EEG Fp1": X, "Temp": X[:, :10]},
        [(5, "on"), (10, "on"), (7.5, "seizure", 2)],
        fields={"unit": "µV".encode()},
    )
    return Path("night.edf")


def test_what_is_in_a_file(path):
    info = edf_info(path)
    assert (info.path, info.kind, info.channels) == ("night.edf", "EDF+C", ("EEG Fp1", "Temp"))
    assert (info.rates, info.units, info.seconds) == ((100.0, 10.0), ("µV", "µV"), 20.0)
    assert info.start == datetime(2020, 2, 1, 3, 4, 5)
    assert info.annotations == (
        Annotation(5, None, "on"),
        Annotation(7.5, 2, "seizure"),
        Annotation(10, None, "on"),
    )
    assert (
        list(info.texts.items()) == [("on", 2), ("seizure", 1)] and info.notes == () and info.sequences == 1
    )


@pytest.mark.parametrize(
    ("when", "recording", "start"),
    [
        (b"24.04.8916.13.00", b"", datetime(1989, 4, 24, 16, 13)),
        (b"01.02.0316.13.07", b"Startdate X X", datetime(2003, 2, 1, 16, 13, 7)),
        (b"24.04.yy16.13.00", b"Startdate 24-APR-2112 X", datetime(2112, 4, 24, 16, 13)),
        (b"31.02.0316.13.00", b"", None),
        (b"00.00.0000.00.00", b"", None),
        (b"nonsense, really", b"", None),
    ],
)
def test_the_start(path, when, recording, start):
    content = path.read_bytes()
    path.write_bytes(content[:88] + recording.ljust(80) + when + content[184:])
    assert edf_info(path).start == start


def test_the_start_is_that_of_the_first_sample(path):
    recordings.edf_plus(path, {"Cz": X}, starts=[0.25 + i for i in range(20)], when="01.02.0304.05.06")
    assert edf_info(path).start == datetime(2003, 2, 1, 4, 5, 6, 250_000)


def test_annotations_alone(path):
    recordings.edf_plus(path, {}, [(0, "W", 30), (30, "N1", 30)], record=0)
    info = edf_info(path)
    assert (info.channels, info.seconds, info.sequences, info.texts) == ((), 0.0, 0, {"W": 1, "N1": 1})


def test_what_is_wrong_is_noted(path):
    content = path.read_bytes()
    recordings.edf_plus(path, {"Cz": X}, starts=[i if i < 10 else i + 50 for i in range(20)])
    assert edf_info(path).sequences == 2 and "times jump by 50 s after 10 s" in edf_info(path).notes[0]
    recordings.edf_plus(path, {"Cz": X}, starts=[i if i < 10 else i + 50 for i in range(20)], kind="EDF+D")
    assert edf_info(path).sequences == 2 and edf_info(path).notes == ()
    recordings.edf_plus(path, {"Cz": X}, starts=[1.004 * i for i in range(20)])
    assert edf_info(path).notes == ("'night.edf': its data records of 1 s begin every 1.004 s",)
    path.write_bytes(content[:-5])
    assert edf_info(path).seconds == 19.0 and "the first 19 data records are read" in edf_info(path).notes[0]
    recordings.edf_plus(path, {"Cz": X}, fields={"low": b"3276.7"})
    assert "channel 'Cz': its physical range is '3276.7' to '3276.7'" in edf_info(path).notes[0]


def test_no_recording(path):
    Path("a.csv").write_text("1,2")
    with pytest.raises(ValueError, match=r"'a.csv' is no EDF or BDF file: it begins with '1,2'"):
        edf_info("a.csv")
    with pytest.raises(FileNotFoundError):
        edf_info("none.edf")
    with pytest.raises(TypeError, match=r"path is None \(a NoneType\), expected a path"):
        edf_info(None)


@pytest.mark.skipif(DATA is None, reason="no EDF recording beside the checkout (ELMAN_DATA says where)")
def test_a_recording_of_a_clinic():
    pytest.importorskip("edfio")
    file = DATA / "Subject00_2.edf"
    info, description = edf_info(file), load_edf(file).description
    assert (info.channels, info.units, info.annotations) == (
        description.channels,
        description.units,
        description.annotations,
    )
    assert set(info.rates) == {500.0} and info.seconds == 62.0 and info.start == datetime(2011, 1, 1)


# ----------------------------------------------------------------------------------------------- the command


def test_the_command_shows_it(path, capsys):
    assert main(["info", "night.edf"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("night.edf: EDF+C, 20 s, ")
    assert re.search(r"1 +EEG Fp1 +100 +µV", shown) and re.search(r"2 +Temp +10 +µV", shown)
    assert re.search(r"on +2\n", shown) and re.search(r"seizure +1\n", shown)


def test_the_command_as_json(path, capsys):
    content = path.read_bytes()
    path.write_bytes(content[:168] + b"24.04.8916.13.00" + content[184:-5])
    assert main(["info", "night.edf", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (
        found["file"] == "night.edf" and found["kind"] == "EDF+C" and found["start"] == "1989-04-24T16:13:00"
    )
    assert found["channels"] == ["EEG Fp1", "Temp"] and found["rates"] == [100.0, 10.0]
    assert found["texts"] == {"on": 2, "seizure": 1} and found["seconds"] == 19.0
    assert found["annotations"][1] == {"onset": 7.5, "duration": 2.0, "text": "seizure"}
    assert "the first 19 data records are read" in found["notes"][0]


def test_the_command_refuses_other_files(path, capsys):
    Path("a.csv").write_text("1,2")
    assert main(["info", "a.csv"]) == 2
    assert capsys.readouterr().err == ("elman: 'a.csv' is neither a model of elman nor an EDF or BDF file\n")
    assert main(["info", "none.edf"]) == 2
    assert capsys.readouterr().err == "elman: none.edf: No such file or directory\n"


def test_the_content_decides(path, capsys):
    path.rename("night.dat")
    assert main(["info", "night.dat"]) == 0 and "EEG Fp1" in capsys.readouterr().out
