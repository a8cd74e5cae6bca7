"""Many recordings as one data set: lists, folders, ids, subjects, and splits that keep a subject together."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

from elman.datasets import load_edf
from elman.evaluation import check_no_leak, chunk, folds
from helpers import recordings

pytest.importorskip("edfio")
PATHS = [f"subject{s}_night{n}.edf" for s in range(1, 9) for n in (1, 2)]
CLASSES = ["a", "a", "b", "b"] * 4
DIVIDED = "fall on both sides of a split"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(name, seed=0, channels=("EEG 1",), rate=100, notes=(), **options):
    noise = np.random.default_rng(seed)
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    samples = {channel: noise.integers(-1000, 1000, (5, rate)) for channel in channels}
    recordings.edf_plus(Path(name), samples, notes, **options)
    return {channel: x.reshape(-1) / 10 for channel, x in samples.items()}


def test_a_list_is_one_data_set():
    values = [record(name, seed) for seed, name in enumerate(PATHS[:3])]
    X, y, description = load_edf(PATHS[:3])
    assert y is None and description.fs == 100 and description.ids == tuple(Path(p).stem for p in PATHS[:3])
    assert description.subjects == description.ids
    assert description.text == "3 recordings: 1 of their channels, 15 s at 100 Hz"
    for x, channels in zip(X, values, strict=True):
        np.testing.assert_allclose(x[:, 0], channels["EEG 1"], atol=1e-3)
    X, y, _ = load_edf([Path(p) for p in PATHS[:3]], fs=50, channels=[1], labels={"x": 1}, annotations=_none)
    assert [len(x) for x in X] == [len(one) for one in y] == [250] * 3


def _none(path):
    Path("none.csv").write_text("file,onset,duration,text\nother,1,1,x\n")
    return "none.csv"


def test_a_folder_is_read_with_its_subfolders():
    for place in ("data/s2/night.edf", "data/s1/night.EDF", "data/s1/eve.rec", "data/s1/.hidden.edf"):
        record(place)
    Path("data/notes.txt").write_text("no recording")
    description = load_edf("data").description
    assert description.ids == ("s1/eve", "s1/night", "s2/night")  # whole paths where two files have one name
    assert load_edf(["data/s1", "data/s2/night.edf"]).description.ids == description.ids


def test_files_of_annotations_alone_are_left_out_of_folders():
    record("data/night-PSG.edf")
    recordings.edf_plus(Path("data/night-Hypnogram.edf"), {}, [(0, "W", 5)], record=0)
    with pytest.warns(
        UserWarning, match="night-Hypnogram.edf' has annotations, but no signals: it is left out"
    ):
        assert load_edf("data").description.ids == ("night-PSG",)
    stages = load_edf("data", labels={"W": 1}, annotations=lambda p: p.replace("PSG", "Hypnogram"))
    assert stages.y[0].all()
    Path("data/night-PSG.edf").unlink()
    with pytest.raises(ValueError, match="has annotations, but no signals, as all files of its folder"):
        load_edf("data")


def test_channels_are_put_in_the_order_of_the_first_file():
    record("a.edf", channels=("Fz", "Cz"))
    values = record("b.edf", channels=("Cz", "Fz"))
    X, _, description = load_edf(["a.edf", "b.edf"])
    assert description.channels == ("Fz", "Cz")
    np.testing.assert_allclose(X[1], np.stack([values["Fz"], values["Cz"]], 1), atol=1e-3)
    assert load_edf(["a.edf", "b.edf"], channels=["Cz"]).description.channels == ("Cz",)
    with pytest.raises(ValueError, match=r"'b.edf' has no channel 'Fz', which 'a.edf' has"):
        load_edf(["a.edf", "b.edf"], channels=[1])  # the first of each file


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"channels": ("Cz",)},
            r"'b.edf' has no channel 'Fz', which 'a.edf' has, expected the same channels",
        ),
        (
            {"channels": ("Fz", "Cz", "Pz")},
            r"'a.edf' has no channel 'Pz', which 'b.edf' has, expected the same",
        ),
        ({"rate": 50}, r"'b.edf' has 50 Hz and 'a.edf' 100 Hz, expected one rate: give fs"),
        (
            {"fields": {"unit": b"mV"}},
            r"'b.edf', channel 'Fz', is in 'mV', but in 'uV' in 'a.edf', expected one",
        ),
    ],
)
def test_files_that_do_not_fit_are_named(options, sentence):
    record("a.edf", channels=("Fz", "Cz"))
    record("b.edf", **{"channels": ("Fz", "Cz"), **options})
    with pytest.raises(ValueError, match=sentence):
        load_edf(["a.edf", "b.edf"])


def test_two_spellings_of_micro_are_one_unit():
    record("a.edf")
    record("b.edf", fields={"unit": "µV".encode()})
    assert load_edf(["a.edf", "b.edf"]).description.units == ("uV",)


def test_a_fault_in_one_of_many_files_is_named():
    for name in PATHS[:3]:
        record(name)
    Path(PATHS[1]).write_bytes(Path(PATHS[1]).read_bytes()[:-7])
    with pytest.raises(ValueError, match=r"^'subject1_night2.edf' has .* truncated or damaged"):
        load_edf(PATHS[:3])
    with pytest.warns(UserWarning, match=r"^'subject1_night2.edf' .* the first 4 data records are read"):
        assert [len(x) for x in load_edf(PATHS[:3], damaged="read").X] == [500, 400, 500]


def test_texts_may_occur_in_any_of_the_files():
    record("a.edf", notes=[(1, "seizure", 1)])
    record("b.edf")
    assert [int(y.sum()) for y in load_edf(["a.edf", "b.edf"], labels={"seizure": 1}).y] == [100, 0]
    with pytest.warns(
        UserWarning, match="the text 'fit' does not occur in any of 2 files, the first is 'a.edf': its a"
    ):
        load_edf(["a.edf", "b.edf"], labels={"fit": 1})


@pytest.mark.parametrize(
    ("path", "error", "sentence"),
    [
        ([], ValueError, "path is an empty list, expected at least one file"),
        (["a.edf", "./a.edf"], ValueError, r"path has './a.edf' twice, expected each file once"),
        (["a.edf", "link.edf"], ValueError, r"path has 'link.edf' twice, expected each file once"),
        (["a.edf", "b\0.edf"], ValueError, "which no file can be called"),
        (["a.edf", 3], TypeError, r"path\[1\] is 3 \(a int\), expected a path"),
        (["a.edf", "b.edf"], FileNotFoundError, "b.edf"),
    ],
)
def test_wrong_lists(path, error, sentence):
    record("a.edf")
    Path("link.edf").symlink_to("a.edf")
    with pytest.raises(error, match=sentence):
        load_edf(path)


# --------------------------------------------------------------------------------------------------- subjects


def table(text):
    Path("subjects.csv").write_text(text)
    return "subjects.csv"


@pytest.mark.parametrize(
    "subjects",
    [
        lambda path: path[:8],
        {path: path[:8] for path in PATHS},
        {Path(path): path[:8] for path in PATHS},
        {Path(path).stem: path[:8] for path in PATHS},
        lambda path: int(path[7]),
        "file,subject\n" + "".join(f"{path},{path[:8]}\n" for path in PATHS),
        "participant_id\tage\tfilename\n" + "".join(f"{p[:8]}\t9\t{p[:-4]}\n" for p in PATHS),
    ],
)
def test_subjects(subjects):
    for path in PATHS[:4]:
        record(path)
    given = table(subjects) if isinstance(subjects, str) else subjects
    description = load_edf(PATHS[:4], subjects=given).description
    assert [name[-1] for name in description.subjects] == ["1", "1", "2", "2"]
    assert description.ids == tuple(Path(p).stem for p in PATHS[:4])
    one = load_edf(PATHS[3], subjects=given).description
    assert one.subjects == description.subjects[3:]


def test_a_recording_in_parts_has_one_subject():
    record("a.edf", starts=[0, 1, 10, 11, 12], kind="EDF+D")
    description = load_edf("a.edf", subjects={"a": "Ada"}).description
    assert description.subjects == ("Ada", "Ada") and description.ids == ("a", "a")


@pytest.mark.parametrize(
    ("subjects", "error", "sentence"),
    [
        ({"a": "x"}, ValueError, "subjects has no entry for 's1/b.edf', expected one, such as 'b.edf'"),
        (
            {"b": "x"},
            ValueError,
            "subjects has one entry 'b' for 's1/b.edf' and 's2/b.edf', expected one for",
        ),
        (lambda _: None, TypeError, r"subjects gives None \(a NoneType\) for 's1/b.edf', expected a name"),
        (3, TypeError, r"subjects is 3 \(a int\), expected a function of the path, a mapping"),
        (
            "file,age\nb,3\n",
            ValueError,
            "has the columns 'file', 'age', expected one of 'subject', 'subject_i",
        ),
        ("file,subject\nb,\n", ValueError, "'subjects.csv' line 2: 'b' has no subject"),
        ("file,subject\nb,x\nb,y\n", ValueError, "'subjects.csv' line 3: 'b' has a second subject"),
    ],
)
def test_wrong_subjects(subjects, error, sentence):
    paths = ["s1/b.edf", "s2/b.edf"]
    for path in paths:
        record(path)
    with pytest.raises(error, match=sentence):
        load_edf(paths, subjects=table(subjects) if isinstance(subjects, str) else subjects)
    both = load_edf(paths, subjects={"s1/b": "x", Path("s2/b.edf"): "y"}).description
    assert both.subjects == ("x", "y") and both.ids == ("s1/b", "s2/b")


# ----------------------------------------------------------------------------------------------------- splits


def sides(split, subject):
    return [len({subject[i] for i in train} & {subject[i] for i in test}) for train, test in split]


def test_a_split_by_subjects_is_silent_and_divides_none():
    for path in PATHS:
        record(path)
    description = load_edf(".", subjects=lambda path: Path(path).name[:8]).description
    assert sides(folds(CLASSES, description.subjects, n_splits=4), description.subjects) == [0] * 4


def test_recordings_of_one_subject_that_fall_apart_are_said():
    """By their subjects, where load_edf knows them, in a list, an array of objects, chunks and copies."""
    paths = [f"{letter}.edf" for letter in "abcdefghijklmnop"]
    for path in paths:
        record(path)
    ids = load_edf(paths, subjects=lambda path: (ord(path[0]) - ord("a")) // 2).description.ids
    for groups in (
        ids,
        list(ids),
        np.array(ids, object),
        pickle.loads(pickle.dumps(ids)),
        copy.deepcopy(ids),
    ):
        with pytest.warns(UserWarning, match=rf"of subject '\d' {DIVIDED} .*: group by subject") as caught:
            folds(CLASSES, groups, n_splits=4)
        assert len(caught) == 1 and caught[0].filename == __file__
    chunks = chunk(np.zeros((16, 10, 1)), CLASSES, 5, groups=ids)
    with pytest.warns(UserWarning, match=DIVIDED):
        folds(chunks.y, chunks.groups, n_splits=4)
    with pytest.warns(
        UserWarning, match=r"the recordings 'a' and 'b' of subject '0' fall on both sides of a split:"
    ):
        check_no_leak([0, 1], [2, 3], chunks.groups)
    check_no_leak([0, 1, 2, 3], [4, 5], chunks.groups)


@pytest.mark.parametrize(
    "form",
    [
        "subject{}_night{}",
        "sub-{:02}_ses-{}",
        "sub-A{}_task-rest_run-{}",
        "site1_subj{}-{}",
        "Subject{:02}_{}",
        "chb{:02}_{:02}",
        "patient {} night {}",
        "S{:03}R{:02}",
        "SC4{:02}{}E0-PSG",
        "sub-{0:02}/ses-{1}/eeg/sub-{0:02}_ses-{1}_eeg",  # names of files with folders, where two are alike
        "data/S{0:03}/S{0:03}R{1:02}",
        "cassette/SC4{:02}{}E0-PSG",
    ],
)
def test_names_that_name_a_subject(form):
    ids = [form.format(subject, night) for subject in range(8) for night in (1, 2)]
    for groups in (ids, np.array(ids)):
        with pytest.warns(UserWarning, match=DIVIDED):
            folds(CLASSES, groups, n_splits=4)


@pytest.mark.parametrize(
    "form", ["{}/V1.{}", "Z{}{}", "segment_{}_{}", "rec{}_{}", "patient{}{}", "subject {}{}", "run{}-sub{}"]
)
def test_names_that_name_no_subject_say_nothing(form):
    ids = [form.format(*place) for place in np.ndindex(8, 2)]
    folds(CLASSES, [*ids[:-1], ids[-1] + "9"], n_splits=4)
    folds(CLASSES, range(16), n_splits=4)
