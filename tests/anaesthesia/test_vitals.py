"""Records of anaesthesia: what is read, and what is said of files that are something else."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from elman.anaesthesia import load_vitals

DATA = Path(os.environ.get("ELMAN_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
NAN = np.nan
TRACKS = ("Orchestra/PPF20_RATE", "Orchestra/RFTN20_RATE", "BIS/BIS", "Solar8000/NIBP_MBP")
CASE = np.array([[0.0, 5.0, 0.0, NAN], [60.0, 5.0, 90.5, NAN], [NAN, 5.0, NAN, NAN]], np.float32)


def saved(folder, tracks=TRACKS, **cases):
    path = folder / "cases.npz"
    np.savez_compressed(path, tracks=np.array(tracks), **cases)
    return path


def written(folder, text, name="cases.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_npz(tmp_path):
    X, y, description = load_vitals(saved(tmp_path, case_7=CASE, case_11=CASE[:2] + np.float32(1)))
    assert len(X) == len(y) == 2
    expected = CASE.copy()
    expected[0, 2] = NAN  # a BIS of 0 is no reading
    np.testing.assert_array_equal(X[0], expected)
    np.testing.assert_array_equal(X[1][:, :3], [[1, 6, 1], [61, 6, 91.5]])
    np.testing.assert_array_equal(y[0], [NAN, 90.5, NAN])
    assert X.values.dtype == y[0].dtype == np.float32
    assert description.ids == ("case_7", "case_11")
    assert description.channels == TRACKS
    assert description.fs == 0.1
    assert "2 operations, 5 steps" in str(description)
    assert str(description).endswith("without any value: Solar8000/NIBP_MBP")


def test_csv_is_the_same_in_any_order_of_rows_and_columns(tmp_path):
    text = "BIS/BIS,time,CaseID,Orchestra/PPF20_RATE\n80,20,b,3\n0,0,b,1\n95.5,100,a,\n,10,b,2\n"
    X, y, description = load_vitals(written(tmp_path, text))
    assert description.ids == ("b", "a")
    assert description.channels == ("BIS/BIS", "Orchestra/PPF20_RATE")
    np.testing.assert_array_equal(X[0], [[NAN, 1], [NAN, 2], [80, 3]])
    np.testing.assert_array_equal(X[1], [[95.5, NAN]])
    np.testing.assert_array_equal(y[0], [NAN, NAN, 80])


def test_rows_left_out_of_a_csv_have_no_values(tmp_path):
    X, _, _ = load_vitals(written(tmp_path, "case;time;BIS\n1;5;90\n1;35;80\n", "cases.txt"))
    np.testing.assert_array_equal(X[0][:, 0], [90, NAN, NAN, 80])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("case,time,BIS\n1,0,90\n1,10,x\n", "line 3, column 'BIS': 'x' is not a number"),
        ("case,time,BIS\n1,0,90\n1,0,80\n", "line 3, column 'time': the same time as in line 2"),
        ("case,time,BIS\n1,0,90\n1,15,80\n", "'1': time 15 is not a whole number of steps of 10 s after 0"),
        ("case,time,BIS\n1,0,90\n1,1000000,80\n", "'1': the times go from 0 to 1000000 s"),
        ("case,time,BIS\n1,0,90\n1,10,101\n", "'1', row 2, BIS is 101, expected BIS from 0 to 100"),
        ("case,time,BIS\n1,0,90\n1,10,-1\n", "'1', row 2, BIS is -1, expected BIS from 0 to 100"),
        ("case,time,BIS,MAP\n1,0,90,inf\n", "'1', row 1, MAP is inf, expected finite numbers"),
        ("case,time,BIS,PPF20_RATE\n1,0,90,-2\n", "PPF20_RATE is -2, expected finite numbers, and rates"),
        ("case,time,HR\n1,0,90\n", "has the tracks 'HR', expected one called BIS/BIS or BIS"),
        ("case,time\n1,0\n", "has no columns of tracks"),
        ("time,BIS\n0,90\n", "has the columns 'time', 'BIS', expected one with the operation"),
        ("case,id,time,BIS\n1,1,0,90\n", "expected one with the operation"),
        ("Unnamed: 0,id,time,BIS\n0,1,0,90\n", "has the column 'Unnamed: 0', the name of one without a name"),
        ("case,BIS\n1,90\n", "one called time"),
        ("case,time,BIS\n", "has no rows under its header"),
        ("", "is empty"),
    ],
)
def test_a_wrong_csv_is_named(tmp_path, text, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)) as error:
        load_vitals(written(tmp_path, text))
    assert "cases.csv" in str(error.value)


@pytest.mark.parametrize(
    ("cases", "sentence"),
    [
        ({"tracks": TRACKS}, "has the keys 'tracks', expected 'tracks' and an array 'case_...'"),
        ({"case_1": CASE[:, :3]}, "'case_1' has shape (3, 3) and dtype float32, expected (T, 4)"),
        ({"case_1": CASE[:0]}, "'case_1' has shape (0, 4)"),
        ({"case_1": CASE[0]}, "'case_1' has shape (4,)"),
        ({"case_1": CASE, "case_2": CASE.astype("U")}, "'case_2' has shape (3, 4) and dtype <U"),
        ({"case_1": np.array([CASE, None], object)}, "'case_1' holds Python objects"),
        ({"case_1": CASE + np.float32(20)}, "'case_1', row 2, BIS/BIS is 110.5"),
        ({"case_1": CASE, "tracks": (*TRACKS[:3], "BIS/BIS")}, "'tracks' has a name twice"),
        ({"case_1": CASE, "tracks": np.arange(4)}, "'tracks' has shape (4,) and dtype int64"),
        ({"case_1": CASE, "tracks": ("a", "b", "c", "d")}, "has the tracks 'a', 'b', 'c', 'd'"),
    ],
)
def test_a_wrong_npz_is_named(tmp_path, cases, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)) as error:
        load_vitals(saved(tmp_path, **cases))
    assert "cases.npz" in str(error.value)


def test_an_npz_without_tracks_and_a_file_of_another_kind_are_named(tmp_path):
    np.savez(tmp_path / "x.npz", case_1=CASE)
    with pytest.raises(ValueError, match="has the keys 'case_1'"):
        load_vitals(tmp_path / "x.npz")
    with pytest.raises(ValueError, match="cannot be read: File is not a zip file"):
        load_vitals(written(tmp_path, "case,time,BIS\n1,0,90\n", "y.npz"))
    with pytest.raises(ValueError, match=r"ends in '.edf', expected one of .npz, .csv"):
        load_vitals(written(tmp_path, "x", "y.edf"))
    with pytest.raises(FileNotFoundError):
        load_vitals(tmp_path / "nothing.csv")
    with pytest.raises(TypeError, match="path is 3"):
        load_vitals(3)


def test_a_damaged_npz_is_refused_or_whole(tmp_path):
    whole = saved(tmp_path, case_1=CASE, case_2=CASE).read_bytes()
    random, refused = np.random.default_rng(0), 0
    for trial in range(300):
        content = bytearray(whole)
        if trial % 3:
            content[random.integers(len(whole))] ^= 1 << random.integers(8)
        else:
            del content[random.integers(len(whole)) :]
        (tmp_path / "x.npz").write_bytes(content)
        said = ""
        try:
            X, y, _ = load_vitals(tmp_path / "x.npz")
        except ValueError as error:
            said = str(error)
        if said:
            assert "x.npz" in said
            refused += 1
        else:
            assert X.values.shape[1] == 4
            assert len(X) == len(y)
    assert refused > 150


def test_real_files():
    path = DATA / "anesthesia" / "valid.npz"
    if not path.is_file():
        pytest.skip("the evaluation data is not here (ELMAN_DATA names its folder)")
    X, y, description = load_vitals(path)
    assert len(X) == 204
    assert X.values.shape == (287_740, 6)
    with np.load(path) as file:
        raw = file["case_4654"]
    at = description.ids.index("case_4654")
    raw[raw[:, 2] == 0, 2] = NAN
    np.testing.assert_array_equal(X[at], raw)
    np.testing.assert_array_equal(y[at], raw[:, 2])
    assert "without any value: Solar8000/NIBP_MBP" in str(description)
