"""The Bonn and UCI readers: every form of the owners' files gives the same segments, all else a sentence."""

import re
import zipfile

import numpy as np
import pytest

from elman.datasets import load_bonn, load_uci_seizure
from helpers import recordings
from helpers.recordings import bonn_names, bonn_zip, segment, segment_text, uci_table

DATA = recordings.data("bonn")


def fill(folder, names, spell=str, ending=".txt", text=segment_text):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / spell(name + ending)).write_bytes(text(name))
    return folder


def assert_bonn(found, names):
    X, y, description = found
    assert description.ids == tuple(names)
    assert y.tolist() == [dict(zip("ZONFS", "ABCDE", strict=True))[name[0]] for name in names]
    assert X.values.dtype == np.float32 and len(X) == len(names)
    assert description.units == ("µV",)
    for x, name in zip(X, names, strict=True):
        np.testing.assert_array_equal(x, segment(name)[:, None])


NAMES = bonn_names(2)  # Z001 Z002 O001 ... S002


@pytest.mark.parametrize(
    ("folder", "spell", "ending"),
    [
        ("ABCDE", str, ".txt"),
        ("ZONFS", str.lower, ".txt"),
        ("zonfs", str.upper, ".txt"),
        ([""] * 5, str, ".TXT"),
        (["bonn/set a", "bonn/set b", "bonn/set c", "bonn/set d", "bonn/set e"], str, ".Txt"),
        ("EDCBA", str, ".txt"),  # the names of the files decide
    ],
)
def test_folders_of_any_name_and_case(tmp_path, folder, spell, ending):
    for name, letter in zip(folder, "ZONFS", strict=True):
        fill(tmp_path / name, [n for n in NAMES if n[0] == letter], spell, ending)
    (tmp_path / "readme.txt").write_text("not a segment")
    assert_bonn(load_bonn(tmp_path), NAMES)
    assert_bonn(load_bonn(str(tmp_path), sets="EA"), [n for n in NAMES if n[0] in "ZS"])


def test_zips(tmp_path):
    paths = [
        bonn_zip(tmp_path / f"{letter}.zip", [n for n in NAMES if n[0] == letter], f"{letter}/{{}}.TXT")
        for letter in "ZONFS"
    ]
    assert_bonn(load_bonn(paths), NAMES)
    assert_bonn(load_bonn(tmp_path), NAMES)  # a folder of zips
    assert_bonn(load_bonn(paths[4]), ["S001", "S002"])
    fill(tmp_path / "unpacked", NAMES)  # beside what was unpacked from them
    assert_bonn(load_bonn(tmp_path), NAMES)


def test_what_the_finder_of_a_mac_adds_is_no_segment(tmp_path):
    with zipfile.ZipFile(tmp_path / "A.zip", "w") as file:
        file.writestr("Z/Z001.txt", segment_text("Z001"))
        file.writestr("__MACOSX/Z/._Z001.txt", b"\0\5\26\7")
    assert_bonn(load_bonn(tmp_path / "A.zip"), ["Z001"])


def test_an_npz(tmp_path):
    X = np.stack([segment(name) for name in NAMES]).astype(np.int16)
    letters = [dict(zip("ZONFS", "ABCDE", strict=True))[name[0]] for name in NAMES]
    np.savez(tmp_path / "bonn.npz", X=X, set=letters, id=NAMES, fs=173.61)
    assert_bonn(load_bonn(tmp_path / "bonn.npz"), NAMES)
    assert_bonn(load_bonn(tmp_path / "bonn.npz", sets="B"), ["O001", "O002"])
    np.savez(tmp_path / "bonn.npz", X=X, set=letters[::-1], id=NAMES)
    with pytest.raises(ValueError, match=r"bonn.npz', 'X'\[0\] is segment 'Z001' of set 'E', expected names"):
        load_bonn(tmp_path / "bonn.npz")


def test_ends_of_lines_of_every_system(tmp_path):
    for name, end in (("Z001", b"\r\n"), ("O001", b"\r"), ("N001", b"  \n")):
        fill(tmp_path, [name], text=lambda n, end=end: segment_text(n).replace(b"\n", end))
    fill(tmp_path, ["F001"], text=lambda n: b"+" + segment_text(n).rstrip().lstrip(b"-"))
    X, _, _ = load_bonn(tmp_path)
    assert np.array_equal(X[0][:, 0], segment("Z001")) and np.array_equal(X[1][:, 0], segment("O001"))
    assert np.array_equal(X[3][1:, 0], segment("F001")[1:])


def edited(name, line, text):
    lines = segment_text(name).splitlines()
    lines[line - 1] = text
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (edited("Z001", 17, b"1,5"), "Z001.txt' line 17: '1,5' is not an integer"),
        (edited("Z001", 4097, b"12.0"), "Z001.txt' line 4097: '12.0' is not an integer"),
        (edited("Z001", 3, b""), "Z001.txt' line 3: the line is empty, expected an integer"),
        (edited("Z001", 5, b"1 2"), "Z001.txt' line 5: '1 2' is not an integer"),
        (edited("Z001", 5, b"1_2"), "Z001.txt' line 5: '1_2' is not an integer"),
        (edited("Z001", 9, b"40000"), "Z001.txt' line 9: 40000 is no sample, expected an integer from -32"),
        (edited("Z001", 2, b"\xff"), "Z001.txt' line 2: "),
        (segment_text("Z001")[:9000], "samples, expected 4097"),
        (segment_text("Z001") + b"3\n", "Z001.txt' has 4098 samples, expected 4097"),
        (b"1\n" * 2**20, "Z001.txt' is larger than a segment can be"),
        (b"", "Z001.txt' is empty"),
        (b"\n\n", "Z001.txt' has 0 samples, expected 4097"),
    ],
)
def test_a_damaged_segment_is_named_with_its_line(tmp_path, content, sentence):
    (tmp_path / "Z001.txt").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        load_bonn(tmp_path)
    if content:
        with zipfile.ZipFile(tmp_path / "Z.zip", "w") as file:
            file.writestr("Z001.txt", content)
        with pytest.raises(ValueError, match=re.escape("Z.zip', 'Z001.txt'")):
            load_bonn(tmp_path / "Z.zip")


def test_a_segment_twice_with_other_values(tmp_path):
    fill(tmp_path / "a", ["Z001"])
    fill(tmp_path / "b", ["Z001"], text=lambda n: edited(n, 1, b"7"))
    with pytest.raises(ValueError, match=r"b.Z001.txt' has other values than .*a.Z001.txt', expected one"):
        load_bonn(tmp_path)


def test_a_set_that_is_asked_for_must_be_there(tmp_path):
    fill(tmp_path, ["Z001", "N001"])
    with pytest.raises(ValueError, match=r"no segment of set B \(O001.txt ...\) was found"):
        load_bonn(tmp_path, sets="AB")


@pytest.mark.parametrize(
    ("path", "sets", "error", "sentence"),
    [
        ("empty", None, ValueError, "has no segments, expected files named as the owners do: Z001.txt"),
        ("empty", "E", ValueError, "has no segments of the sets E"),
        ("other.csv", None, ValueError, "ends in '.csv', expected a folder, a .zip or an .npz"),
        ("torn.zip", None, ValueError, "torn.zip' cannot be read as a zip"),
        ("away", None, OSError, "away"),
        (3, None, TypeError, "path is 3 (a int), expected a path"),
        ([], None, ValueError, "path is an empty list"),
        ("empty", "F", ValueError, "sets is 'F' (a str), expected letters from A to E, each once"),
        ("empty", "AA", ValueError, "sets is 'AA' (a str), expected letters from A to E, each once"),
        ("empty", ["A"], TypeError, "sets is ['A'] (a list), expected letters from A to E"),
    ],
)
def test_wrong_arguments(tmp_path, path, sets, error, sentence):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.csv").write_text("1")
    (tmp_path / "torn.zip").write_text("PK")
    with pytest.raises(error, match=re.escape(sentence)):
        load_bonn(tmp_path / path if isinstance(path, str) else path, sets=sets)


@pytest.mark.skipif(DATA is None, reason="no Bonn recordings beside the checkout (ELMAN_DATA says where)")
def test_the_owners_own_files():
    X, y, description = load_bonn(DATA / "raw")
    whole, labels, named = load_bonn(DATA / "bonn_segments.npz")
    assert (np.unique(labels, return_counts=True)[1] == 100).all()
    for i, name in enumerate(description.ids):
        at = named.ids.index(name)
        assert labels[at] == y[i]
        np.testing.assert_array_equal(X[i], whole[at])


# ------------------------------------------------------------------------------------------------------ UCI


def write(tmp_path, lines):
    path = tmp_path / "data.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_segments_are_put_together_again(tmp_path):
    lines, segments = uci_table(6, seed=1)
    X, y, description = load_uci_seizure(write(tmp_path, lines))
    assert len(X) == 6 and y.dtype == np.int64
    rows = [line.split(",") for line in lines[1:]]
    first = dict.fromkeys(f"{cells[-1]}/{cells[0].split('.', 1)[1]}" for cells in rows)
    assert description.ids == tuple(first)  # as they first appear
    assert description.units == ("µV",)
    for x, label, name in zip(X, y, description.ids, strict=True):
        np.testing.assert_array_equal(x[:, 0], segments[name])
        assert name.startswith(f"{label}/")


def test_names_that_two_sets_share_are_two_segments(tmp_path):
    lines, segments = uci_table(2, seed=0, names=["1/V1.11", "5/V1.11"])
    X, y, description = load_uci_seizure(write(tmp_path, lines))
    assert sorted(description.ids) == ["1/V1.11", "5/V1.11"] and sorted(y) == [1, 5]
    for x, name in zip(X, description.ids, strict=True):
        np.testing.assert_array_equal(x[:, 0], segments[name])


def test_chunks_keep_the_name_of_their_segment(tmp_path):
    lines, segments = uci_table(3, seed=2)
    X, y, description = load_uci_seizure(write(tmp_path, lines[:30]), whole=False)
    assert len(X) == 29
    for x, label, name, line in zip(X, y, description.ids, lines[1:], strict=False):
        cells = line.split(",")
        chunk = int(cells[0].split(".")[0][1:])
        assert name == f"{label}/{cells[0].split('.', 1)[1]}" and label == int(cells[-1])
        np.testing.assert_array_equal(x[:, 0], segments[name][(chunk - 1) * 178 : chunk * 178])


@pytest.mark.parametrize("first", ['""', "", "Unnamed", '"Unnamed: 0"'])
def test_the_column_of_ids_may_have_any_name(tmp_path, first):
    lines, _ = uci_table(1)
    rest = lines[0].split(",", 1)[1]
    assert len(load_uci_seizure(write(tmp_path, [f"{first},{rest}", *lines[1:]])).X) == 1


def change(lines, at, old, new):
    lines[at - 1] = re.sub(old, new, lines[at - 1], count=1)
    return lines


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda s: change(s, 7, r",-?\d+,", ",abc,"), "data.csv' line 7, column 'X1': 'abc' is not a number"),
        (lambda s: change(s, 7, r",-?\d+,", ",,"), "line 7, column 'X1': the value is missing, expected a"),
        (lambda s: change(s, 7, r",-?\d+,", ",inf,"), "line 7, column 'X1': the value inf is no sample"),
        (lambda s: change(s, 9, r",\d$", ",6"), "line 9, column 'y': the label is '6', expected 1, 2, 3, 4"),
        (lambda s: change(s, 9, r",\d$", ","), "line 9, column 'y': the label is missing"),
        (lambda s: change(s, 9, r",\d$", ",up"), "line 9, column 'y': the label is 'up'"),
        (lambda s: change(s, 4, r"^X\d+", "X24"), "line 4, column 'id': 'X24."),
        (lambda s: change(s, 4, r"^X\d+.", ""), "line 4, column 'id': 'V1.0' is no id such as 'X21.V1.791'"),
        (lambda s: change(s, 4, r"^[^,]+", ""), "line 4, column 'id': the id is missing"),
        (lambda s: [*s, s[2]], "line 25, column 'id': the same id and y as in line 3"),
        (lambda s: s[:10] + s[11:], "which the segment of line 2 needs: 22 of its 23 chunks are there"),
        (lambda s: change(s, 5, r",-?\d+,", ","), "line 5 has 179 cells, expected 180 as in the first"),
        (lambda s: s[1:], "data.csv' line 1 is no header of the UCI table, expected the columns id, X1 to"),
        (lambda s: change(s, 1, "X178", "X179"), "data.csv' line 1 is no header of the UCI table"),
        (lambda s: ["1,2,4", "4,5,6"], "data.csv' has no header line, expected the columns id, X1 to X178"),
        (lambda s: s[:1], "data.csv' has no rows under its header line"),
    ],
)
def test_a_damaged_table_is_named_with_line_and_column(tmp_path, spoil, sentence):
    lines, _ = uci_table(1)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        load_uci_seizure(write(tmp_path, spoil(lines)))


def test_a_missing_chunk_is_named(tmp_path):
    lines, _ = uci_table(1)
    lost = lines.pop(12).split(",")
    with pytest.raises(ValueError, match=re.escape(f"has no row of id '{lost[0]}' and y {lost[-1]}")):
        load_uci_seizure(write(tmp_path, lines))
    assert len(load_uci_seizure(write(tmp_path, lines), whole=False).X) == 22


@pytest.mark.skipif(DATA is None, reason="no Bonn recordings beside the checkout (ELMAN_DATA says where)")
def test_the_table_is_cut_from_the_segments_of_bonn():
    """A row of the published table, X8.V1.1: its id says chunk 8 and its y set A; it is in Z002."""
    X, y, description = load_bonn(DATA / "bonn_segments.npz")
    at = description.ids.index("Z002")
    assert y[at] == "A"
    assert X[at][7 * 178 :][:8, 0].tolist() == [-32, -39, -47, -37, -32, -36, -57, -73]
