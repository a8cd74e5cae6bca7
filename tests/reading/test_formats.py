"""Files in: every format gives back the numbers that were written; what is wrong is said in one sentence."""

import contextlib
import csv
import io
import json
import os
import random
import re
import struct
import sys
import time
import zipfile
from collections import Counter
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import elman
from elman.reading import read
from helpers.module_graph import imports
from helpers.mutants import archive, mutate, mutate_inside
from helpers.support import proofs, run_script

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ELMAN_DATA", ROOT.parent / "shared" / "data"))
NAN = float("nan")


def write(path, content):
    """A file with this content, in the working directory: messages then name 'a.csv', not a long path."""
    Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def check(file):
    """Whatever was read is well formed."""
    assert isinstance(file.X, list) and file.X
    assert {x.shape[1] for x in file.X} == {file.X[0].shape[1]}
    for x in file.X:
        assert x.dtype == np.float64 and x.ndim == 2 and x.size and x.flags.c_contiguous and x.flags.writeable
    if isinstance(file.y, list):
        assert [y.shape for y in file.y] == [(len(x),) for x in file.X]
    for y in file.y if isinstance(file.y, list) else [] if file.y is None else [file.y]:
        assert y.dtype in (np.int64, np.float64) or y.dtype.kind == "U"
    if isinstance(file.y, np.ndarray):
        assert file.y.shape == (len(file.X),)
    assert file.ids is None or (len(file.ids) == len(file.X) and all(isinstance(i, str) for i in file.ids))
    assert file.features is None or len(file.features) == file.X[0].shape[1]
    return file


def refusal(message, end="$"):
    """That a ValueError says this, and with another ``end`` more."""
    return pytest.raises(ValueError, match=f"^{re.escape(message)}{end}")


def lists(arrays):
    return None if arrays is None else [a.tolist() for a in arrays]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# ------------------------------------------------------------------------------------------------------- .ts


def test_ts_univariate_and_ragged():
    text = "# a comment\n\n@problemName two\n@UNIVARIATE true\n@equalLength false\n@classLabel true up down\n"
    X, y = elman.read_sequences(write("a.ts", text + "@data\n1,2.5,-3e1:up\n# another\n\n4:down\n"))
    assert lists(X) == [[[1.0], [2.5], [-30.0]], [[4.0]]]
    assert y.tolist() == ["up", "down"] and y.dtype.kind == "U"


def test_ts_channels_become_columns():
    text = "@dimension 2\n@equallength true\n@serieslength 3\n@classLabel true 7 3\n@DATA\n1,2,3:4,5,6:3\n"
    file = check(read(write("a.ts", text)))
    assert lists(file.X) == [[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]]
    assert file.y.tolist() == [3] and file.y.dtype == np.int64
    assert file.ids is None and file.features is None


def test_ts_targets_missing_values_and_no_labels():
    file = check(read(write("a.ts", "@missing true\n@targetLabel true\n@data\n1,?,nan:4,5,6:-0.5\n")))
    np.testing.assert_array_equal(file.X[0], [[1, 4], [NAN, 5], [NAN, 6]])
    assert file.y.tolist() == [-0.5]
    assert check(read(write("a.ts", "@classLabel false\n@data\n1,2:3,4\n"))).y is None


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("1 -1", [1, -1]),
        ("1.0 2.0", ["1.0", "2.0"]),
        ("1 01", ["1", "01"]),
        ("1 x", ["1", "x"]),
        ("99999999999999999999 1", ["99999999999999999999", "1"]),
    ],
)
def test_ts_labels_are_whole_numbers_or_as_they_stand(classes, expected):
    first, second = classes.split()
    text = f"@classLabel true {classes}\n@data\n1:{first}\n2: {second} \n"
    assert elman.read_sequences(write("a.ts", text))[1].tolist() == expected


def test_ts_may_come_from_windows_or_an_old_mac():
    for end in ("\r\n", "\r"):
        text = end.join(["\ufeff@classLabel true ä b", "@data", "1,2:ä", "", "3:b"])
        X, y = elman.read_sequences(write("a.TS", text))
        assert lists(X) == [[[1.0], [2.0]], [[3.0]]]
        assert y.tolist() == ["ä", "b"]


# Text and what is said of it, after the name of the file.
NO_LABELS = "@classLabel false\n"
BAD_TS = [
    ("@data\n1", "says neither @classLabel nor @targetLabel (true or false) before @data"),
    (NO_LABELS, "has no line @data"),
    (NO_LABELS + "@data\n#\n", "has no sequences after @data"),
    ("1,2\n@data", "line 1 is '1,2', expected a tag: values come after @data"),
    ("@classLabel true\n", "line 1 lists no labels, expected @classLabel true and all labels"),
    ("@timestamps yes\n", "line 1: '@timestamps' is followed by 'yes', expected true or false"),
    ("@missing\n@univariate", "line 2: '@univariate' is followed by 'nothing', expected true or false"),
    ("@dimensions 0\n", "line 1: '@dimensions' is followed by '0', expected an integer from 1"),
    ("@dimensions 2\n@dimension 2", "line 2 has the tag @dimension a second time"),
    (
        NO_LABELS + "@timeStamps true\n@data\n",
        "has time stamps, which elman does not read: save the values alone",
    ),
    (
        "@targetLabel true\n@classLabel true a\n@data",
        "has both @classLabel true and @targetLabel true, expected one of them",
    ),
    (
        "@classLabel true a b\n\n@data\n1,2:c",
        "line 4 has the label 'c', expected one that @classLabel lists: 'a', 'b'",
    ),
    ("@classLabel true a\n@data\n1,2", "line 3 has no ':', expected values, ':' and a label"),
    ("@targetLabel true\n@data\n1:high", "line 3, target: 'high' is not a number"),
    ("@targetLabel true\n@data\n1:nan", "line 3 has the target nan, expected a number"),
    (NO_LABELS + "@univariate true\n@data\n1:2", "line 4 has 2 dimensions, expected 1 (@univariate true)"),
    (NO_LABELS + "@dimensions 3\n@data\n1:2", "line 4 has 2 dimensions, expected 3 (@dimensions 3)"),
    (NO_LABELS + "@data\n1:2\n\n3", "line 5 has 1 dimension, expected 2 as the first sequence"),
    (NO_LABELS + "@data\n1,2:3", "line 3: dimension 2 has 1 values, expected 2 as dimension 1"),
    (NO_LABELS + "@seriesLength 3\n@data\n1,2", "line 4 has 2 steps, expected 3 (@seriesLength 3)"),
    (
        NO_LABELS + "@equalLength true\n@data\n1,2\n1",
        "line 5 has 1 steps, expected 2 as the first sequence (@equalLength true)",
    ),
    (NO_LABELS + "@data\n1:1_0", "line 3, dimension 2, value 1: '1_0' is not a number"),
    (NO_LABELS + "@data\n1,,2", "line 3, dimension 1, value 2: an empty value is not a number"),
    (NO_LABELS.encode() + b"@data\n1,\xff2", "line 3 is not UTF-8 text (byte 0xff): save it as UTF-8"),
    (NO_LABELS + "@data\n1,\0", "line 3 has a NUL byte: it is no text file"),
]


@pytest.mark.parametrize(("text", "message"), BAD_TS)
def test_bad_ts_says_where(text, message):
    with refusal(f"'a.ts' {message}"):
        elman.read_sequences(write("a.ts", text))


# Figures that the files' own headers and their archive state: sequences, features, lengths, classes.
ARCHIVE = {
    "ArrowHead_TRAIN": (36, 1, 251, 251, {0, 1, 2}),
    "ArrowHead_TEST": (175, 1, 251, 251, {0, 1, 2}),
    "BasicMotions_TRAIN": (40, 6, 100, 100, {"Standing", "Running", "Walking", "Badminton"}),
    "BasicMotions_TEST": (40, 6, 100, 100, {"Standing", "Running", "Walking", "Badminton"}),
    "GunPoint_TRAIN": (50, 1, 150, 150, {1, 2}),
    "GunPoint_TEST": (150, 1, 150, 150, {1, 2}),
    "ItalyPowerDemand_TRAIN": (67, 1, 24, 24, {1, 2}),
    "ItalyPowerDemand_TEST": (1029, 1, 24, 24, {1, 2}),
    "JapaneseVowels_TRAIN": (270, 12, 7, 26, set(range(1, 10))),
    "JapaneseVowels_TEST": (370, 12, 7, 29, set(range(1, 10))),
}


@pytest.mark.parametrize("name", list(ARCHIVE))
def test_files_of_the_archive(name):
    path = DATA / "ts" / f"{name}.ts"
    if not path.exists():
        pytest.skip("the evaluation data is not here (ELMAN_DATA names its folder)")
    n, features, shortest, longest, classes = ARCHIVE[name]
    file = check(read(path))
    lengths = [len(x) for x in file.X]
    assert (len(lengths), file.X[0].shape[1], min(lengths), max(lengths)) == (
        n,
        features,
        shortest,
        longest,
    )
    assert set(file.y.tolist()) == classes
    # and once more, as plainly as it can be written
    rows = path.read_text().partition("@data")[2].split()
    for x, y, row in zip(file.X, file.y, rows, strict=True):
        *channels, label = row.split(":")
        np.testing.assert_array_equal(x.T, [[float(v) for v in c.split(",")] for c in channels])
        assert str(y) == label


# ------------------------------------------------------------------------------------------------------- csv


def test_wide_csv():
    text = "x0,x1,x2,Label,ID\n1,,3,up,a\n2,,,down,b\n"
    file = check(read(write("a.csv", text)))
    np.testing.assert_array_equal(file.X[0], [[1], [NAN], [3]])
    assert file.X[1].tolist() == [[2.0]]
    assert file.y.tolist() == ["up", "down"]
    assert file.ids == ["a", "b"] and file.features is None


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["1", "-1"], [1, -1]),
        (["1", "2.5"], [1.0, 2.5]),
        (["01", "1"], ["01", "1"]),
        (["", ""], None),
        (["inf", "1"], [np.inf, 1.0]),
    ],
)
def test_labels_have_the_type_of_them_all(labels, expected):
    y = elman.read_sequences(write("a.csv", f"x0,target\n1,{labels[0]}\n2,{labels[1]}\n"))[1]
    assert (None if y is None else y.tolist()) == expected


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_ends_and_marks(separator, end, mark):
    rows = [["x;0,\t", " x1", "label"], ["1.5", " 2 ", 'a"b'], [], ["3", "4", f"c{separator}d\ne"]]
    quoted = [separator.join('"' + c.replace('"', '""') + '"' for c in row) for row in rows]
    file = check(read(write("a.csv", mark + end.join(quoted))))
    assert lists(file.X) == [[[1.5], [2.0]], [[3.0], [4.0]]]
    assert file.y.tolist() == ['a"b', f"c{separator}d\ne"]


def test_csv_without_a_header_line():
    file = check(read(write("a.csv", "1.5,2\n3,\n")))
    assert lists(file.X) == [[[1.5], [2.0]], [[3.0]]]
    assert file.y is None
    file = check(read(write("a.tsv", "7\t1.5\t2\n8\t3\t4\n"), label=1))
    assert lists(file.X) == [[[1.5], [2.0]], [[3.0], [4.0]]]
    assert file.y.tolist() == [7, 8]
    file = check(read(write("a.txt", "a;0;1\na;1;2\n"), header=False, layout="long", id=1, time=2))
    assert lists(file.X) == [[[1.0], [2.0]]]
    assert file.ids == ["a"] and file.features is None


@pytest.mark.parametrize("first", ["0,1,2", "1,2,3"])
def test_a_first_line_that_counts_may_be_either(first):
    write("a.csv", f"{first}\n4,5,6\n")
    with pytest.raises(ValueError, match=r"^'a.csv' line 1 counts from . to .: are these names of columns"):
        elman.read_sequences("a.csv")
    assert len(elman.read_sequences("a.csv", header=True)[0]) == 1
    assert len(elman.read_sequences("a.csv", header=False)[0]) == 2


def test_long_csv_is_sorted_by_time_and_by_first_appearance():
    text = "Time,b,ID,a,class\n2,20,z,0.2,1\n1,1,a,1,2\n10,30,z,0.3,1\n-1,10,z,0.1,1\n"
    file = check(read(write("a.csv", text)))
    assert file.ids == ["z", "a"] and file.features == ["b", "a"]
    assert lists(file.X) == [[[10.0, 0.1], [20.0, 0.2], [30.0, 0.3]], [[1.0, 1.0]]]
    assert file.y.tolist() == [1, 2]


def test_long_csv_without_times_keeps_the_order_of_the_file():
    file = check(read(write("a.csv", "id,a\ns,3\nt,1\ns,2\n")))
    assert lists(file.X) == [[[3.0], [2.0]], [[1.0]]] and file.y is None


@pytest.mark.parametrize(
    "times",
    [
        ["2024-03-01", "2024-02-29", "2024-02-28T23:59:59.999999"],
        ["2024-01-01 00:00:00+01:00", "2024-01-01T00:00:00+02:00", "2023-12-31T21:59Z"],
        ["9007199254740993", "9007199254740992", "-9007199254740993"],
        ["1e3", "2.5", "-7"],
    ],
)
def test_times_are_numbers_or_dates(times):
    rows = "".join(f"s,{t},{3 - i}\n" for i, t in enumerate(times))
    assert lists(elman.read_sequences(write("a.csv", "id,time,x\n" + rows))[0]) == [[[1.0], [2.0], [3.0]]]


def test_labels_that_differ_within_a_sequence_are_one_a_step():
    write("a.csv", "id,x,label\na,1,u\na,2,v\nb,3,v\n")
    assert lists(elman.read_sequences("a.csv")[1]) == [["u", "v"], ["v"]]
    with refusal("'a.csv' line 2, column 'label': another label than in other rows of its sequence"):
        elman.read_sequences("a.csv", per_step=False)
    write("b.csv", "id,x,label\na,1,u\na,2,u\nb,3,v\n")
    assert elman.read_sequences("b.csv")[1].tolist() == ["u", "v"]
    assert lists(elman.read_sequences("b.csv", per_step=True)[1]) == [["u", "u"], ["v"]]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("1,,2", [[1, -1], [2]]),
        ("1.5,,2", [[1.5, NAN], [2.0]]),
        ("1.5,nan,2", [[1.5, NAN], [2.0]]),
        ("u,,v", [["u", ""], ["v"]]),
        ("-1,3,2", [[-1, 3], [2]]),
    ],
)
def test_a_missing_label_of_a_step(labels, expected):
    one, two, three = labels.split(",")
    write("a.csv", f"id,x,label\na,1,{one}\na,2,{two}\nb,3,{three}\n")
    y = elman.read_sequences("a.csv")[1]
    for got, wanted in zip(y, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_label_in_one_row_is_enough_when_one_is_asked_for():
    write("a.csv", "id,x,label\na,1,u\na,2,\nb,3,\n b ,4,v\n")
    assert elman.read_sequences("a.csv", per_step=False)[1].tolist() == ["u", "v"]


def test_equal_numbers_are_equal_labels():
    assert elman.read_sequences(write("a.csv", "id,x,y\na,1,2.50\na,2,2.5\n"), label="y")[1].tolist() == [2.5]


def test_columns_by_name_or_number():
    write("a.csv", "subject,when,p,q,state,note\ns,2,1,2,u,why\ns,1,3,4,u,not\n")
    options = {"id": "subject", "time": 2, "label": "state"}
    X, y = elman.read_sequences("a.csv", features=["q", 3], **options)
    assert lists(X) == [[[4.0, 3.0], [2.0, 1.0]]]
    assert y.tolist() == ["u"]
    with pytest.raises(ValueError, match="line 2, column 'note': 'why' is not a number"):
        elman.read_sequences("a.csv", **options)


def test_wide_or_long_is_asked_for_or_seen():
    repeated, single = "id,x,z\n1,5,6\n1,7,8\n", "id,x,z\n1,5,6\n2,7,8\n"
    assert [len(x) for x in elman.read_sequences(write("a.csv", repeated))[0]] == [2]
    assert [len(x) for x in elman.read_sequences("a.csv", layout="wide")[0]] == [2, 2]
    assert [x.shape for x in elman.read_sequences(write("b.csv", single))[0]] == [(2, 1), (2, 1)]
    assert [x.shape for x in elman.read_sequences("b.csv", layout="long")[0]] == [(1, 2), (1, 2)]
    assert [x.shape for x in elman.read_sequences("b.csv", features=["x", "z"])[0]] == [(1, 2), (1, 2)]
    write("c.csv", "id,time,z\n1,5,6\n2,7,8\n")
    assert [x.shape for x in elman.read_sequences("c.csv")[0]] == [(1, 1), (1, 1)]
    assert [x.shape for x in elman.read_sequences("c.csv", layout="wide")[0]] == [(2, 1), (2, 1)]


def test_x_and_y_may_be_two_features():
    write("a.csv", "id,x,y\na,1,2\na,3,4\n")
    with refusal("'a.csv' has the columns 'x' and 'y'", ""):
        elman.read_sequences("a.csv")
    assert elman.read_sequences("a.csv", features=["x", "y"])[0][0].shape == (2, 2)
    assert lists(elman.read_sequences("a.csv", label="y")[1]) == [[2, 4]]
    assert elman.read_sequences(write("b.csv", "id,x,y,label\na,1,2,u\na,3,4,u\n"))[0][0].shape == (2, 2)


# Text and what is said of it, after the name of the file.
BAD_CSV = [
    ("", "is empty"),
    ("\n \n", "has no rows"),
    ("a,b\n\n", "has no rows under its header line"),
    ("a,b,x3\n\n1,2,abc\n", "line 3, column 'x3': 'abc' is not a number"),
    ("a,b\n1,\n,2\nx,3\n", "line 4, column 'a': 'x' is not a number"),
    ('"a\nb",c\n1,"\n2"\n3,x\n', "line 5, column 'c': 'x' is not a number"),
    ("a,b\n1,1_000\n", "line 2, column 'b': '1_000' is not a number"),
    ("a,b\n1,２\n", "line 2, column 'b': '２' is not a number"),
    ("1.5,2\n3,x\n", "line 2, column 2: 'x' is not a number"),
    ("a;b\n1;2,5\n", "line 2, column 'b': '2,5' is not a number (a decimal point is expected, not a comma)"),
    ("a\n" + "x" * 99, f"line 2, column 'a': '{'x' * 37}...' is not a number"),
    ("a,b\n1,2\n1\n", "line 3 has 1 cells, expected 2 as in the first"),
    ("a,b\n1,2\n1,2,3\n", "line 3 has 3 cells, expected 2 as in the first"),
    ("a,b\n1,2\n,\n", "line 3: the row has no values, expected at least one"),
    (
        'a,b\n1,2\n1,"2\n',
        "line 3 cannot be split into cells: unexpected end of data (a quote that is not closed?)",
    ),
    ('a,b\n1,"2"3\n', "line 2 cannot be split into cells: ',' expected after '\"'"),
    (",a\n0,1\n", "line 1, column 1 has no name (if it is pandas' index: write the file with index=False)"),
    ("\na,b,a\n0,1,2\n", "line 2 has two columns 'a', expected different names"),
    ("id,label\n0,1\n", "has no columns of values, expected at least one"),
    ("class,Target,a\n1,2,3\n", "has the columns 'class' and 'Target': which one is it (label=)?"),
    ("id,x,y\na,1,2\n", "has the columns 'x' and 'y': is 'y' a label (label='y') or a feature (features=)?"),
    ("a,label\n1,u\n2,\n", "line 3, column 'label': the label is missing"),
    ("a,label\n1,1.5\n2,nan\n", "line 3, column 'label': the label is missing"),
    ("id,a,label\ns,1,u\nt,2,\nt,2,\n", "line 3, column 'label': the label is missing"),
    (
        "id,a,label\ns,1,-1\ns,2,\n",
        "line 3, column 'label': the label is missing, which would become -1, but -1 is a label elsewhere",
    ),
    ("id,a\ns,1\n ,2\n", "line 3, column 'id': the id is missing"),
    (
        "id,time,a\ns,1,1\nt,1,1\n\ns,1.0,2\n",
        "line 5, column 'time': the same time as in line 2, both in sequence 's'",
    ),
    ("id,time,a\ns,1,1\ns,inf,2\n", "line 3, column 'time': 'inf' is not a finite number"),
    (
        "id,time,a\ns,2024-13-01,1\n",
        "line 2, column 'time': '2024-13-01' is not a number or a date such as 2024-12-31T23:59:59.5",
    ),
    (
        "id,time,a\ns,2024-01-01,1\ns,2024-01-01T00:00Z,1\n",
        "line 3, column 'time': either '2024-01-01T00:00Z' or the first time, '2024-01-01', has no time zone",
    ),
    (
        "time,a\n1,2\n",
        "has no column 'id' (id=), which a long table has (layout='wide' reads a row a sequence)",
    ),
    (b"a,b\r1,2\r3,\xe9\r", "line 3 is not UTF-8 text (byte 0xe9): save it as UTF-8"),
    ("a,b\n1,2\n".encode("utf-16"), "line 1 is not UTF-8 text (byte 0xff): save it as UTF-8"),
    (b"a,b\n1,2\n3,\x00\n", "line 3 has a NUL byte: it is no text file"),
]


@pytest.mark.parametrize(("text", "message"), BAD_CSV)
def test_bad_csv_says_where(text, message):
    with refusal(f"'a.csv' {message}"):
        elman.read_sequences(write("a.csv", text))


def test_lines_are_counted_across_blocks():
    lines = [f"{i},{i}" for i in range(70_000)]
    lines[60_000] = "1,bad"
    write("a.csv", "a,b\n" + "\n".join(lines))
    with pytest.raises(ValueError, match=r"^'a.csv' line 60002, column 'b': 'bad' is not a number$"):
        elman.read_sequences("a.csv")
    write("a.csv", ("a,b\n" + "\n".join(lines)).encode().replace(b"bad", b"1\0"))
    with pytest.raises(ValueError, match=r"^'a.csv' line 60002 has a NUL byte"):
        elman.read_sequences("a.csv")


BAD_OPTIONS = [
    ({"label": 1.5}, TypeError, "label is 1.5 (a float), expected the name or the number of a column"),
    ({"id": True}, TypeError, "id is True (a bool), expected the name or the number of a column"),
    ({"features": "a"}, TypeError, "features is 'a' (a str), expected a list of columns"),
    ({"features": ["a", None]}, TypeError, "features[1] is None (a NoneType), expected the name or"),
    ({"features": []}, ValueError, "features is empty, expected at least one column"),
    ({"features": ["a", 1]}, ValueError, "features[1] is 1 (a int), a column that another option has"),
    ({"label": "a", "id": "a"}, ValueError, "id is 'a' (a str), a column that another option has"),
    ({"label": "c"}, ValueError, "'a.csv' has no column 'c' (label=), expected one of 'a', 'b'"),
    ({"id": 3}, ValueError, "'a.csv' has no column 3 (id=), expected 1 to 2"),
    ({"header": False, "time": "c"}, ValueError, "'a.csv' has no header line, so no column 'c' (time=)"),
    ({"layout": "square"}, ValueError, "layout is 'square', expected one of 'auto', 'wide', 'long'"),
    ({"layout": "wide", "time": "a"}, ValueError, "time is given, but a wide table (layout='wide') has none"),
    ({"layout": "wide", "per_step": True}, ValueError, "per_step is True, but a wide table (layout='wide')"),
    ({"id": "a", "per_step": True}, ValueError, "per_step is True, but 'a.csv' has no column of labels"),
    ({"per_step": 1}, TypeError, "per_step is 1 (a int), expected True or False"),
    ({"header": "no"}, TypeError, "header is 'no' (a str), expected True or False"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD_OPTIONS)
def test_bad_options_say_why(options, error, message):
    write("a.csv", "a,b\n1,2\n1,3\n")
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        elman.read_sequences("a.csv", **options)


# ----------------------------------------------------------------------------------------------------- .npz


def test_npz_of_equal_lengths():
    X = np.arange(24).reshape(2, 4, 3).astype("i2")
    np.savez("a.npz", X=X, y=[7, 5], ids=["p", "q"], rate=173.61)
    file = check(read("a.npz"))
    np.testing.assert_array_equal(file.X, X)
    assert file.y.tolist() == [7, 5] and file.ids == ["p", "q"]
    np.savez_compressed("a.npz", X=np.asfortranarray(X[:, :, 0]).astype(">f4"), y=np.zeros((2, 4), bool))
    file = check(read("a.npz"))
    np.testing.assert_array_equal(file.X, X[:, :, :1])
    assert lists(file.y) == [[0] * 4] * 2


def test_npz_of_any_lengths():
    np.savez("a.npz", values=np.arange(5.0), offsets=[0, 2, 5], y=np.array(["u", "v"], ">U1"), ids=[3, 1])
    file = check(read("a.npz"))
    assert lists(file.X) == [[[0.0], [1.0]], [[2.0], [3.0], [4.0]]]
    assert file.y.tolist() == ["u", "v"] and file.ids == ["3", "1"]
    np.savez("a.npz", values=np.zeros((5, 2)), offsets=[0, 2, 5], y=np.arange(5) / 2)
    assert lists(check(read("a.npz")).y) == [[0.0, 0.5], [1.0, 1.5, 2.0]]
    np.savez("a.npz", values=np.zeros((2, 1)), offsets=[0, 1, 2], y=[1, 2])
    assert read("a.npz").y.tolist() == [1, 2]
    assert lists(read("a.npz", per_step=True).y) == [[1], [2]]


def test_npz_of_python_2():
    archive("a.npz", {"X.npy": npy("(1L, 2L, 1L)")})
    assert lists(elman.read_sequences("a.npz")[0]) == [[[0.0], [0.0]]]


def test_npz_with_other_keys():
    np.savez("a.npz", X=np.zeros((2, 3)), set=["A", "B"], names=["p", "q"])
    file = check(read("a.npz", label="set", id="names"))
    assert file.y.tolist() == ["A", "B"] and file.ids == ["p", "q"]
    assert read("a.npz").y is None


def entry(header, data=b"", version=b"\x01\x00"):
    """The bytes of an .npy file, with a header of one's own."""
    text = header.encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def npy(shape="(1, 2, 1)", descr="'<f8'", data=b"\0" * 16, **rest):
    return entry(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n", data, **rest)


BAD_NPZ = [
    ({"X": np.zeros(3)}, ", 'X' has shape (3,), expected (sequences, steps, features) or"),
    ({"X": np.zeros((3, 0, 2))}, ", 'X' has shape (3, 0, 2), expected (sequences, steps, features) or"),
    ({"X": np.array([["a"]])}, ", 'X' has dtype <U1, expected real numbers"),
    ({"X": np.zeros((2, 2), complex)}, ", 'X' has dtype complex128, expected numbers or strings"),
    ({"X": np.zeros((2, 2), "M8[s]")}, ", 'X' has dtype datetime64[s], expected numbers or strings"),
    ({"X": np.zeros((2, 2), "f4,i4")}, ", 'X' has dtype [('f0', '<f4'), ('f1', '<i4')], expected"),
    (
        {"X": np.array([np.zeros(2), np.zeros(3)], object)},
        ", 'X' holds Python objects, which elman does not unpickle: save numbers (sequences of different",
    ),
    ({"x": np.zeros((2, 2))}, " has the keys 'x', expected 'X', or 'values' and 'offsets'"),
    ({}, " has the keys of no array, expected 'X', or 'values' and 'offsets'"),
    ({"X": np.zeros((2, 2)), "values": 1}, " has the keys 'X', 'values', expected 'X', or"),
    ({"X": np.zeros((2, 2)), "y": [1]}, ": the labels have shape (1,), expected (2,) or (2, 2)"),
    ({"X": np.zeros((2, 2)), "y": np.array([2**63, 1], "u8")}, ": the labels reach 9223372036854775808"),
    ({"X": np.zeros((2, 2)), "ids": [1.0, 2.0]}, ": the ids have shape (2,) and dtype float64, expected"),
    ({"values": np.zeros(3), "offsets": [0, 2]}, ": offsets run from 0 to 2, expected from 0 to 3"),
    ({"values": np.zeros(3), "offsets": [0, 0, 3]}, ": sequence 0 is empty, expected at least one step"),
    ({"values": np.zeros(0), "offsets": [0]}, " has no sequences, expected at least one"),
    ({"values": np.zeros((3, 0)), "offsets": [0, 3]}, ", 'values' has shape (3, 0), expected (steps"),
    (
        {"values": np.zeros(3), "offsets": [0, 1, 3], "y": [1, 2, 3, 4]},
        ": the labels have shape (4,), expected (2,) or (3,)",
    ),
]


@pytest.mark.parametrize(("arrays", "message"), BAD_NPZ)
def test_bad_npz_says_why(arrays, message):
    np.savez("a.npz", **arrays)
    with refusal(f"'a.npz'{message}", ""):
        elman.read_sequences("a.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            npy(f"({10**15},)"),
            "claims to be float64 of shape '(1000000000000000,)', which does not fit its 16 bytes",
        ),
        (npy("(-1, -2, 1)"), "claims to be float64 of shape '(-1, -2, 1)', which does not fit its 16 bytes"),
        (npy("(1, 2, 2)"), "claims to be float64 of shape '(1, 2, 2)', which does not fit its 16 bytes"),
        (npy(f"({10**300}, {10**300})"), "claims to be float64"),
        (npy("(1, 2)", "'|b1'", b"\x01\x07"), "cannot be read: it has truth values that are neither"),
        (npy(descr="'<U2'", shape="(1, 2)", data=b"\xff" * 16), "cannot be read: it has characters"),
        (npy(descr="'<U2'", shape="(1, 2)", data=b"\x00\xd8\x00\x00" * 4), "cannot be read: it has char"),
        (npy(version=b"\x03\x00"), "cannot be read: its format has version 3.0, expected 1.0 or 2.0"),
        (npy(descr="'|O'"), "holds Python objects"),
        (entry("(" * 5000), "cannot be read: "),
        (entry("{'descr': __import__('os').abort()}"), "cannot be read: "),
        (b"\x93NUMPY", "cannot be read: "),
        (b"", "cannot be read: "),
    ],
)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_npz_is_not_believed(content, message, method):
    archive("a.npz", {"X.npy": content}, method)
    with refusal(f"'a.npz', 'X' {message}", ""):
        elman.read_sequences("a.npz")


def test_npz_that_would_fill_the_memory_is_refused():
    data = npy("(1, 67108864, 1)", "'|i1'", bytes(2**26))
    archive("a.npz", {"X.npy": data}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"'X' would be 67108864 numbers out of .* more likely a trap"):
        elman.read_sequences("a.npz")
    archive("a.npz", {"X.npy": npy()}, zipfile.ZIP_BZIP2)
    with pytest.raises(ValueError, match="'X' is encrypted or compressed in a way that NumPy does not know"):
        elman.read_sequences("a.npz")


# -------------------------------------------------------------------------------------------------- parquet


def parquet(path, columns, **options):
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    table = columns if isinstance(columns, arrow.Table) else arrow.table(columns)
    pyarrow.parquet.write_table(table, path, **options)
    return path


def test_wide_parquet():
    columns = {"a": [1, 2, 3], "b": [None, 0.5, 2.0], "c": [True, None, None], "label": ["u", "v", "u"]}
    file = check(read(parquet("a.parquet", columns)))
    np.testing.assert_array_equal(file.X[0], [[1], [NAN], [1]])
    assert lists(file.X[1:]) == [[[2.0], [0.5]], [[3.0], [2.0]]]
    assert file.y.tolist() == ["u", "v", "u"]


def test_long_parquet():
    arrow = pytest.importorskip("pyarrow")
    ids = arrow.DictionaryArray.from_arrays([1, 0, 1], ["first", "second"])
    columns = {"id": ids, "time": arrow.array([2, 1, 1], arrow.timestamp("ns")), "x.1": [1.5, None, 3.0]}
    file = check(read(parquet("a.pq", columns)))
    assert file.ids == ["second", "first"] and file.features == ["x.1"] and file.y is None
    assert lists(file.X[:1]) == [[[3.0], [1.5]]] and np.isnan(file.X[1]).all()


@pytest.mark.parametrize(
    "type_", ["int8", "uint32", "int64", "float32", "float64", "bool_", "date32", "string"]
)
def test_types_of_parquet_columns(type_):
    arrow = pytest.importorskip("pyarrow")
    kind = getattr(arrow, type_)()
    values = {"string": ["0", "1", "1"], "bool_": [False, True, True]}.get(type_, [0, 1, 1])
    column = arrow.array(values, kind)
    expected = ["0", "1", "1"] if type_ == "string" else [0, 1, 1]
    if type_ not in ("date32", "string"):
        X, y = elman.read_sequences(parquet("a.parquet", {"x": column, "label": column}))
        assert [x.item() for x in X] == expected and y.tolist() == expected
        assert y.dtype == (np.float64 if "float" in type_ else np.int64)
    if "float" not in type_ and type_ not in ("bool_", "date32"):
        parquet("b.parquet", {"id": column, "x": [5, 6, 7]})
        assert read("b.parquet").ids == ["0", "1"]
    if type_ not in ("bool_", "string"):
        parquet("c.parquet", {"id": ["s"] * 2, "time": column[:2][::-1], "x": [5, 6]})
        assert lists(read("c.parquet").X) == [[[6.0], [5.0]]]


@pytest.mark.parametrize(
    "options",
    [
        {"row_group_size": 2},
        {"use_dictionary": False, "column_encoding": {"id": "DELTA_BYTE_ARRAY"}},
        {"use_dictionary": False, "column_encoding": {"id": "PLAIN"}, "compression": "gzip"},
        {"data_page_version": "2.0", "compression": "zstd"},
    ],
)
def test_encodings_of_parquet(options):
    file = read(parquet("a.parquet", {"id": list("abcab"), "x": [1, 2, 3, 4, 5]}, **options))
    assert file.ids == ["a", "b", "c"]
    assert lists(file.X) == [[[1.0], [4.0]], [[2.0], [5.0]], [[3.0]]]


def test_parquet_is_read_in_blocks():
    n = 20_000
    columns = {"id": [f"s{i % 3}" for i in range(n)], "x": np.arange(n), "label": np.arange(n) % 5}
    file = check(read(parquet("a.parquet", columns), features=["x"]))
    np.testing.assert_array_equal(file.X[1][:, 0], np.arange(1, n, 3))
    np.testing.assert_array_equal(file.y[1], np.arange(1, n, 3) % 5)


BAD_PARQUET = [
    ({"x": [[1.0], [2.0]]}, ", column 'x' holds list<element: double>, expected numbers"),
    ({"x": [{"a": 1}, {"a": 2}]}, ", column 'x' holds struct<a: int64>, expected numbers"),
    ({"x": ["1", "2"]}, ", column 'x' holds string, expected numbers"),
    ({"x": [1], "label": [b"u"]}, ", column 'label' holds binary, expected numbers or strings"),
    ({"x": [1], "id": [1.5]}, ", column 'id' holds double, expected integers or strings"),
    (
        {"x": [1], "id": [1], "time": ["a"]},
        ", column 'time' holds string, expected numbers, dates or timestamps",
    ),
    ({"x": []}, " has no rows"),
    ({"id": ["a", None, "a"], "x": [1, 2, 3]}, " row 2, column 'id': the id is missing"),
    (
        {"id": [1, 1], "time": [1, None], "x": [1, 2]},
        " row 2, column 'time': the time is missing or not finite",
    ),
    (
        {"id": [1, 1], "time": [1.0, 1.0], "x": [1, 2]},
        " row 2, column 'time': the same time as in row 1, both in sequence '1'",
    ),
    ({"a": [1, None], "b": [1, None]}, " row 2: the row has no values, expected at least one"),
    ({"a": [1, 2], "label": ["u", None]}, " row 2, column 'label': the label is missing"),
    ({"a": [1, 2], "__index_level_0__": [1, 2]}, ", column '__index_level_0__' has the name of a column"),
    ({"": [1, 2]}, ", column 1 has no name"),
]


@pytest.mark.parametrize(("columns", "message"), BAD_PARQUET)
def test_bad_parquet_says_where(columns, message):
    if columns == {"x": []}:
        columns = {"x": np.zeros(0)}
    with refusal(f"'a.parquet'{message}", ""):
        elman.read_sequences(parquet("a.parquet", columns))


def test_parquet_that_would_fill_the_memory_is_refused():
    parquet("a.parquet", {"x": np.zeros(40_000_000, np.int8)})
    with pytest.raises(ValueError, match=r"claims 40000000 rows in .* bytes, more likely a trap than data"):
        elman.read_sequences("a.parquet")
    parquet("b.parquet", {"label": ["x" * 100_000] * 30_000, "x": np.zeros(30_000)})  # stays a dictionary
    with pytest.raises(ValueError, match="a label has 100000 characters, too many for an array of 30000"):
        elman.read_sequences("b.parquet")


def test_without_pyarrow_parquet_says_what_to_install(monkeypatch):
    write("a.parquet", b"PAR1")
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError) as raised:
        elman.read_sequences("a.parquet")
    assert str(raised.value) == 'reading Parquet needs pyarrow: pip install "elman[parquet]"'


# -------------------------------------------------------------------------------------------- any file at all

ENDINGS = [".ts", ".npz", ".csv", ".tsv", ".txt", ".parquet", ".pq"]
NOISE = np.random.default_rng(0).bytes(5000)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "content", [b"", b"\0", NOISE, b"PK\x03\x04" + NOISE, b"PAR1" + NOISE + b"PAR1", b"\n" * 99, b"hello"]
)
def test_wrong_files_are_refused(ending, content):
    if ending in (".parquet", ".pq"):
        pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match=rf"^'a{ending}'[ ,].*[a-z]"):
        elman.read_sequences(write("a" + ending, content))


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_no_file(ending):
    path = "a" + ending
    with pytest.raises(FileNotFoundError, match=path):
        elman.read_sequences(path)
    Path(path).mkdir()
    with pytest.raises(IsADirectoryError, match=path):
        elman.read_sequences(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo("b" + ending)
        with pytest.raises(ValueError, match="is not a regular file"):
            elman.read_sequences("b" + ending)


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        (5, TypeError, "path is 5 (a int), expected a path (str or os.PathLike)"),
        (b"a.csv", TypeError, "path is b'a.csv' (a bytes), expected a path (str or os.PathLike)"),
        (None, TypeError, "path is None (a NoneType), expected a path (str or os.PathLike)"),
        ("a.edf", ValueError, "'a.edf' ends in '.edf', expected one of .ts, .npz, .csv, .tsv, .txt"),
        ("a", ValueError, "'a' ends in '', expected one of .ts"),
        ("", ValueError, "'' ends in '', expected one of .ts"),
        ("a\0.csv", ValueError, "path is 'a\\x00.csv', which no file can be called"),
        ("a.csv/b.csv", OSError, ""),
        ("a" * 5000 + ".csv", OSError, ""),
    ],
)
def test_bad_paths_say_why(path, error, message):
    write("a.csv", "a\n1\n")
    with pytest.raises(error) as raised:
        elman.read_sequences(path)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("ending", "options", "message"),
    [
        (".ts", {"label": "x"}, "label is given, but is no option for a .ts file"),
        (".npz", {"layout": "long"}, "layout is given, but is no option for a .npz file"),
        (".parquet", {"header": False}, "header is given, but is no option for a .parquet file"),
    ],
)
def test_options_of_other_formats_are_refused(ending, options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        elman.read_sequences("a" + ending, **options)


def test_npz_keys_are_names():
    np.savez("a.npz", X=np.zeros((2, 2)))
    with pytest.raises(TypeError, match=r"^label is 1"):
        elman.read_sequences("a.npz", label=1)
    with pytest.raises(ValueError, match=r"^'a.npz' has no key 'y' \(label=\), expected one of 'X'$"):
        elman.read_sequences("a.npz", label="y")


def test_the_examples_in_the_documentation():
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    long, wide, ts = (
        check(read(write(f"{i}.{ending}", example)))
        for i, (ending, example) in enumerate(re.findall(r"```(csv|ts)\n(.*?)```", text, re.DOTALL))
    )
    assert [x.shape for x in long.X] == [(2, 2), (2, 2)] and long.y.tolist() == ["asleep", "awake"]
    assert [len(x) for x in wide.X] == [4, 2, 4] and np.isnan(wide.X[2][1, 0])
    assert [x.shape for x in ts.X] == [(3, 2), (2, 2)] and ts.y.tolist() == ["up", "down"]


def test_huge_lines_and_cells_take_no_time():
    """A million columns; a number of a million digits; a million channels; a quote that swallows the file."""
    start = time.process_time()
    wide = ",".join(f"x{i}" for i in range(10**6)) + "\n" + "1," * 999_999 + "1\n"
    assert elman.read_sequences(write("a.csv", wide))[0][0].shape == (10**6, 1)
    with pytest.raises(ValueError, match="line 1, column 3 has no name"):
        elman.read_sequences(write("a.csv", "a,b" + "," * 10**6 + "\n1,2\n"))
    with pytest.raises(ValueError, match="field larger than field limit"):
        elman.read_sequences(write("a.csv", 'a,b\n1,"2\n' + "1,2\n" * 10**6))
    for text in ("9" * 10**6, "0." + "1" * 10**6, "1" * 10**6 + "x", "-" * 10**6, " " * 10**6):
        ts = write("a.ts", f"@classLabel false\n@data\n{text}\n")
        if text[-1].isdigit():
            assert len(elman.read_sequences(ts)[0]) == 1
        else:
            with pytest.raises(ValueError, match=r"is not a number|no sequences"):
                elman.read_sequences(ts)
    write("a.ts", "@classLabel false\n@data\n" + "1:" * 499_999 + "1\n")
    assert elman.read_sequences("a.ts")[0][0].shape == (1, 500_000)
    text = "id,x,label\n" + "a,1,u\n" * 3000 + "a,1," + "v" * 130_000 + "\n"
    with pytest.raises(ValueError, match="column 'label': a label has 130000 characters, too many"):
        elman.read_sequences(write("a.csv", text))
    assert time.process_time() - start < 60.0


def test_a_million_numbers_are_read():
    rows = [",".join(map(repr, row)) for row in np.random.default_rng(0).normal(size=(10_000, 100)).tolist()]
    write("a.csv", ",".join(f"x{i}" for i in range(100)) + "\n" + "\n".join(rows))
    X, _ = elman.read_sequences("a.csv")
    assert repr(X[-1][-1].item()) == rows[-1].rpartition(",")[2]


def test_readers_import_nothing_that_computes():
    readers = {"reading", *(f"reading.{kind}_files" for kind in ("ts", "npz", "csv", "parquet"))}
    names = ("tables", "columns", "label_cells", "parsing", "paths", "row_numbers", "times", "named")
    shared = {f"reading.{name}" for name in names}
    for name in readers | shared:
        allowed = (
            shared
            | {"_validation", "data.sequences", "data.feature_names", "data.counting", "errors"}
            | (readers if name == "reading" else set())
        )
        assert imports(name) - {""} <= allowed, name


# ------------------------------------------------------------------------------------------------ round trips

SLOW = list(HealthCheck)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=SLOW, derandomize=True)
FLOATS = st.floats(allow_nan=False) | st.just(NAN)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@st.composite
def problems(draw, widest=3):
    """Ragged rows, and labels of one of the kinds, one a sequence."""
    n, F = draw(st.integers(1, 5)), draw(st.integers(1, widest))
    X = []
    for _ in range(n):
        T = draw(st.integers(1, 6))
        values = draw(st.lists(FLOATS, min_size=T * F, max_size=T * F))
        X.append(np.array(values, float).reshape(T, F))
    labels = draw(
        st.sampled_from(
            [
                st.none(),
                st.integers(-(2**63), 2**63 - 1),
                st.floats(allow_nan=False),
                WORDS.map(lambda word: f"L{word}e"),
            ]
        )
    )
    y = [draw(labels) for _ in range(n)]
    return X, None if None in y else y


def assert_same(X, y, expected_X, expected_y):
    assert len(X) == len(expected_X)
    for got, wanted in zip(X, expected_X, strict=True):
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(np.signbit(got[~np.isnan(got)]), np.signbit(wanted[~np.isnan(wanted)]))
    if expected_y is None:
        assert y is None
    else:
        assert y.tolist() == expected_y and isinstance(y.tolist()[0], type(expected_y[0]))


def rewritten(ending, save, **options):
    with TemporaryDirectory() as folder:
        path = Path(folder, "a" + ending)
        save(path)
        file = check(read(path, **options))
        assert file.X[0].base is not path
        return file


@QUICK
@given(problems(), st.sampled_from(["?", "nan", "NaN"]))
def test_ts_round_trip(problem, missing):
    X, y = problem
    kind = None if y is None else type(y[0])
    if kind is str:
        y = ["".join(c for c in label if c.isalnum()) for label in y]
        tag = "@classLabel true " + " ".join(y)
    else:
        tag = {None: "@classLabel false", float: "@targetLabel true"}.get(
            kind, f"@classLabel true {' '.join(map(str, y or []))}"
        )
    lines = []
    for i, x in enumerate(X):
        channels = [",".join(missing if isnan(v) else repr(v) for v in c) for c in x.T.tolist()]
        lines.append(":".join(channels + ([] if y is None else [str(y[i])])))
    text = "\n".join([tag, "@data", *lines])
    file = rewritten(".ts", lambda path: path.write_text(text, encoding="utf-8"))
    assert_same(file.X, file.y, X, y)


@QUICK
@given(problems(), st.sampled_from([",", ";", "\t"]), st.randoms(use_true_random=False), st.booleans())
def test_long_csv_round_trip(problem, separator, shuffler, bare):
    X, y = problem
    names = [f"f{i}" for i in range(X[0].shape[1])]
    rows = []
    for i, x in enumerate(X):
        for t, row in enumerate(x.tolist()):
            values = ["" if isnan(v) and bare else repr(v) for v in row]
            rows.append([f"id{i}", t - 3, *values, *([] if y is None else [y[i]])])
    first = [row for row in rows if row[1] == -3]
    rest = [row for row in rows if row[1] != -3]
    shuffler.shuffle(rest)  # after the first row of each, which give the order of the sequences

    def save(path):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=separator)
            writer.writerow(["id", "time", *names, *([] if y is None else ["label"])])
            writer.writerows(first + rest)

    file = rewritten(".csv", save, layout="long")
    assert_same(file.X, file.y, X, y)
    assert file.ids == [f"id{i}" for i in range(len(X))] and file.features == names


@QUICK
@given(problems(1), st.booleans())
def test_wide_csv_round_trip(problem, labels_first):
    X, y = problem
    width = max(map(len, X))
    rows = [[f"x{i}" for i in range(width)]]
    rows += [[repr(v) for v in x[:, 0].tolist()] + [""] * (width - len(x)) for x in X]
    if y is not None:
        for row, label in zip(rows, ["label", *y], strict=True):
            row.insert(0 if labels_first else len(row), label)

    def save(path):
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)

    file = rewritten(".csv", save)
    assert_same(file.X, file.y, X, y)


@QUICK
@given(problems(), st.sampled_from([np.savez, np.savez_compressed]))
def test_npz_round_trip(problem, save):
    X, y = problem
    arrays = {"values": np.concatenate(X), "offsets": np.cumsum([0, *map(len, X)])}
    if y is not None:
        y = [label.rstrip("\0") if isinstance(label, str) else label for label in y]
        arrays["y"] = np.array(y)
    file = rewritten(".npz", lambda path: save(path, **arrays))
    assert_same(file.X, file.y, X, y)


@QUICK
@given(problems(), st.sampled_from(["none", "snappy"]), st.integers(1, 9))
def test_long_parquet_round_trip(problem, compression, group):
    pytest.importorskip("pyarrow")
    X, y = problem
    columns = {"id": [f"s{i}" for i, x in enumerate(X) for _ in x]}
    for k in range(X[0].shape[1]):
        columns[f"f{k}"] = [None if isnan(v) else v for x in X for v in x[:, k].tolist()]
    if y is not None:
        columns["label"] = [y[i] for i, x in enumerate(X) for _ in x]
    file = rewritten(
        ".parquet",
        lambda path: parquet(path, columns, compression=compression, row_group_size=group),
        layout="long",
    )
    assert_same(file.X, file.y, X, y)


@QUICK
@given(problems(1))
def test_wide_parquet_round_trip(problem):
    pytest.importorskip("pyarrow")
    X, y = problem
    width = max(map(len, X))
    columns = {f"x{t}": np.array([x[t, 0] if t < len(x) else None for x in X], object) for t in range(width)}
    columns = {name: [None if v is None else float(v) for v in column] for name, column in columns.items()}
    columns |= {} if y is None else {"y": y}
    file = rewritten(".parquet", lambda path: parquet(path, typed(columns)))
    assert_same(file.X, file.y, X, y)


def typed(columns):
    """NaN stays NaN, beside null; a column of nulls alone is one of numbers."""
    arrow = pytest.importorskip("pyarrow")
    kinds = {name: arrow.float64() if name.startswith("x") else None for name in columns}
    return arrow.table({name: arrow.array(column, kinds[name]) for name, column in columns.items()})


# -------------------------------------------------------------------------------- whatever else may come in


def originals():
    """Good files of every format, by ending."""
    r = np.random.default_rng(0)
    numbers = [[repr(v) for v in row] for row in r.normal(size=(12, 5)).round(4).tolist()]
    wide = "x0,x1,x2,x3,x4,label\n"
    wide += "".join(",".join([*row, "ab"[i % 2]]) + "\n" for i, row in enumerate(numbers))
    long = "id;time;p;q;label\n" + "".join(
        f"s{i % 3};{i};{row[0]};{row[1]};{'' if i == 5 else i % 4}\n" for i, row in enumerate(numbers)
    )
    dated = 'subject,timestamp,"a ""b""",c\n' + "".join(
        f'"s {i // 6}",2024-01-{i + 1:02}T00:00,{row[0]},{row[1]}\n' for i, row in enumerate(numbers)
    )
    head = "# about\n@problemName fuzz\n@timeStamps false\n@missing false\n"
    flat = head + "@univariate true\n@equalLength true\n@seriesLength 5\n@classLabel true 1 2\n@data\n"
    flat += "".join(",".join(row) + f":{1 + i % 2}\n" for i, row in enumerate(numbers))
    deep = head + "@univariate false\n@dimensions 2\n@equalLength false\n@targetLabel true\n@data\n"
    deep += "".join(
        ":".join([",".join(r[: 1 + i % 5]) for r in (row, row[::-1])]) + ":0.5\n"
        for i, row in enumerate(numbers)
    )
    files = {".csv": [wide, long, dated], ".ts": [flat, deep]}
    found = {ending: [text.encode() for text in texts] for ending, texts in files.items()}
    found[".npz"] = []
    for save in (np.savez, np.savez_compressed):
        for arrays in (
            {"X": r.normal(size=(5, 4, 2)), "y": np.arange(5), "ids": np.array(list("abcde"))},
            {"values": r.normal(size=(9, 2)), "offsets": [0, 4, 9], "y": np.array(["p", "q"])},
            {"X": np.array([np.zeros(2), np.zeros(3)], object)},
        ):
            buffer = io.BytesIO()
            save(buffer, **arrays)
            found[".npz"].append(buffer.getvalue())
    return found


def parquet_originals():
    import pyarrow
    import pyarrow.parquet

    columns = {
        "id": ["a"] * 20 + ["b"] * 30,
        "time": list(range(50)),
        "x": np.linspace(0, 1, 50),
        "z": [None if i % 7 == 0 else i for i in range(50)],
        "label": ["u", "v"] * 25,
    }
    found = []
    for options in (
        {"compression": "none"},
        {"compression": "snappy", "data_page_version": "2.0"},
        {"compression": "gzip", "row_group_size": 20},
        {"use_dictionary": False, "column_encoding": {"id": "DELTA_BYTE_ARRAY"}},
        {"use_dictionary": False, "column_encoding": {"x": "BYTE_STREAM_SPLIT"}},
    ):
        buffer = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table(columns), buffer, **options)
        found.append(buffer.getvalue())
    return found


def attack(path, contents, n, seed, options=({},)):
    """Read n mutated files: each is well formed or refused, within seconds; return how many were which."""
    choose = random.Random(seed)
    outcomes = Counter()
    for _ in range(n):
        inside = path.endswith(".npz") and choose.random() < 0.7
        content = (mutate_inside if inside else mutate)(choose.choice(contents), choose)
        Path(path).write_bytes(content)
        start, said = time.thread_time(), ""
        try:
            check(read(path, **choose.choice(options)))
            outcomes["read"] += 1
        except (ValueError, OSError) as error:
            outcomes["refused"] += 1
            said = str(error)
        assert "\n" not in said and len(said) < 1000 and "more memory" not in said, (said, content)
        assert time.thread_time() - start < 5.0, content
    return outcomes


TABLE_OPTIONS = [
    {},
    {},
    {"layout": "long"},
    {"layout": "wide"},
    {"header": False},
    {"per_step": True},
    {"label": 2},
    {"id": "subject"},
    {"id": 1, "time": 2, "per_step": False},
    {"features": [3, 4], "id": 1},
]
OPTIONS = {
    ".csv": TABLE_OPTIONS,
    ".ts": [{}],
    ".npz": [{}, {"per_step": True}],
    ".parquet": [{}, {"layout": "wide"}, {"per_step": True}],
}

# In a process of its own, whose memory is bounded: more than that is an error there, not a slow machine.
SIEGE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[5])
from test_formats import OPTIONS, attack, originals, parquet_originals
ending, n, seed, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
contents = parquet_originals() if ending == ".parquet" else originals()[ending]
path = folder + "/a" + ending
attack(path, contents, 20, seed + 1, OPTIONS[ending])
try:
    import resource
except ImportError:
    resource = None
if resource and sys.platform == "linux":
    room = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + 2**30
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
outcomes = attack(path, contents, n, seed, OPTIONS[ending])
if resource and sys.platform == "linux":
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 200, f"{grown} MB more"
print(json.dumps(outcomes))
"""


def besiege(ending, n, seed, folder):
    with contextlib.chdir(ROOT):
        said = run_script(
            SIEGE,
            timeout=1200.0,
            arguments=[ending, str(n), str(seed), str(folder), str(Path(__file__).parent)],
        )
    outcomes = json.loads(said)
    assert sum(outcomes.values()) == n
    assert n < 100 or min(outcomes["read"], outcomes["refused"]) > n // 100, outcomes
    return outcomes


@pytest.mark.parametrize("ending", [".csv", ".ts", ".npz", ".parquet"])
def test_damaged_files_are_read_or_refused(ending, tmp_path):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    besiege(ending, 150, 1, tmp_path)


@pytest.mark.prove
@pytest.mark.parametrize(
    ("ending", "n"), [(".csv", 5_000), (".ts", 5_000), (".npz", 2_000), (".parquet", 2_000)]
)
def test_thousands_of_damaged_files_are_read_or_refused(ending, n, tmp_path):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    besiege(ending, proofs(n), 1000, tmp_path)
