"""EDF files as recorders and people write them: the right labels, a sentence, or an error, never silence."""

import warnings

import numpy as np
import pytest

from elman.datasets import load_edf
from helpers import recordings

pytest.importorskip("edfio")
ONE = {("on", "off"): 1}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "night.edf"


def write(path, notes=(), records=20, **options):
    """Records of 1 s at 100 Hz, of noise."""
    x = np.random.default_rng(0).integers(-1000, 1000, (records, 100))
    recordings.edf_plus(path, {"EEG 1": x}, notes, **options)
    return x.reshape(-1) / 10


def runs(y):
    """(First step, label) of each run."""
    starts = np.flatnonzero(np.r_[True, y[1:] != y[:-1]])
    return [(int(i), y[i].item()) for i in starts]


def labels(path, labels, **options):
    return [runs(y) for y in load_edf(path, labels=labels, **options).y]


# ------------------------------------------------------------------------------------------ beginning and end


@pytest.mark.parametrize("order", [("on", "off"), ("off", "on")])
def test_intervals_that_touch_are_both_labeled(path, order):
    write(path, [(5, "on"), *((10, text) for text in order), (15, "off")])
    assert labels(path, ONE) == [[(0, 0), (500, 1), (1500, 0)]]


def test_three_intervals_that_touch(path):
    write(path, [(2, "on"), (5, "on"), (5, "off"), (9, "on"), (9, "off"), (12, "off"), (15, "on")])
    assert labels(path, ONE) == [[(0, 0), (200, 1), (1200, 0), (1500, 1)]]


def test_touching_intervals_of_two_pairs_with_one_end(path):
    write(path, [(5, "left"), (10, "right"), (10, "off"), (15, "left"), (15, "off"), (18, "off")])
    pairs = {("left", "off"): 1, ("right", "off"): 2}
    assert labels(path, pairs) == [[(0, 0), (500, 1), (1000, 2), (1500, 1), (1800, 0)]]


def test_an_interval_that_ends_where_it_begins_is_an_instant(path):
    write(path, [(5, "on"), (5, "off"), (10, "on"), (12, "off")])
    assert labels(path, ONE) == [[(0, 0), (500, 1), (501, 0), (1000, 1), (1200, 0)]]


def test_two_pairs_with_one_beginning(path):
    write(path, [(2, "on"), (4, "stop"), (8, "on"), (10, "off")])
    pairs = {("on", "off"): 1, ("on", "stop"): 2}
    expected = [[(0, 0), (200, 2), (400, 0), (800, 1), (1000, 0)]]
    assert labels(path, pairs) == labels(path, dict(reversed(pairs.items()))) == expected


def test_a_beginning_whose_end_would_say_its_label_needs_it(path):
    write(path, [(2, "on"), (4, "stop"), (5, "on"), (6, "off"), (8, "on")])
    with pytest.raises(
        ValueError, match=r"night.edf': the annotation 'on' at 8 s has no end, expected one of"
    ):
        load_edf(path, labels={("on", "off"): 1, ("on", "stop"): 2})


# ------------------------------------------------------------------------------------------------------ times


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+D"])
@pytest.mark.parametrize("every", [1.004, 0.994])
def test_labels_follow_records_that_drift(path, kind, every):
    starts = [round(every * i, 3) for i in range(600)]
    values = write(path, [(starts[500], "seizure", 10)], 600, starts=starts, kind=kind)
    X, y, _ = load_edf(path, labels={"seizure": 1})
    np.testing.assert_allclose(X[0][:, 0], values, atol=1e-3)  # nothing is cut or joined otherwise
    (_, (first, _), (last, _)) = runs(y[0])
    assert len(X) == 1 and first == 50000 and abs(last - 50000 - 1000 / every) <= 1
    _, y, _ = load_edf(path, labels={"seizure": 1}, fs=50)
    assert runs(y[0])[1] == (25000, 1)


def test_a_gap_in_a_drifting_recording_is_still_a_gap(path):
    starts = [1.004 * i + (30 if i >= 300 else 0) for i in range(600)]
    write(path, [(starts[450], "seizure", 1)], 600, starts=starts, kind="EDF+D")
    X, y, _ = load_edf(path, labels={"seizure": 1})
    assert [len(x) for x in X] == [30000, 30000] and runs(y[1])[1] == (15000, 1) and not y[0].any()


def test_a_jump_in_a_continuous_file_is_an_interruption(path):
    starts = [i if i < 10 else i + 50 for i in range(20)]
    write(path, [(5, "seizure", 60)], starts=starts)
    with pytest.warns(
        UserWarning, match=r"night.edf' is marked as continuous, but its times jump by 50 s aft"
    ):
        X, y, description = load_edf(path, labels={"seizure": 1})
    assert [len(x) for x in X] == [1000, 1000] and description.ids == ("night", "night")
    assert [runs(one) for one in y] == [[(0, 0), (500, 1)], [(0, 1), (500, 0)]]


def test_rounded_times_are_no_jump(path):
    """Records of 0.51 s whose times have one digit after the point, up to 0.05 s off."""
    x = np.zeros((40, 51), int)
    starts = [round(0.51 * i + 0.001, 1) for i in range(40)]
    recordings.edf_plus(path, {"Cz": x}, [(10.2, "seizure", 5)], starts=starts, record=0.51)
    X, y, _ = load_edf(path, labels={"seizure": 1})
    assert len(X) == 1 and abs(int(y[0].argmax()) - 1020) <= 5


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+D"])
def test_times_that_jitter_are_no_interruption(path, kind):
    """By 8 ms, almost a sample; labels keep to within that, and a real gap is still one."""
    jitter = np.random.default_rng(1).uniform(-0.008, 0.008, 60).round(3)
    starts = np.r_[0, np.arange(1, 60) + jitter[1:]] + np.where(np.arange(60) >= 40, 0.5, 0)
    write(path, [(30, "seizure", 3)], 60, starts=starts.tolist(), kind=kind)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        X, y, _ = load_edf(path, labels={"seizure": 1})
    assert [len(x) for x in X] == [4000, 2000] and len(notes) == (kind == "EDF+C")
    assert abs(int(y[0].argmax()) - 3000) <= 1 and abs(int(y[0].sum()) - 300) <= 2


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+D"])
@pytest.mark.parametrize("every", [1.0, 1.004])
def test_regular_losses_are_no_drift(path, kind, every):
    starts = [every * i + 0.1 * (i // 10) for i in range(60)]
    write(path, [(starts[35], "seizure", 1)], 60, starts=starts, kind=kind)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        X, y, _ = load_edf(path, labels={"seizure": 1})
    assert [len(x) for x in X] == [1000] * 6 and len(notes) == (kind == "EDF+C")
    assert runs(y[3])[1] == (500, 1)


def test_times_that_go_back_say_nothing_in_a_continuous_file(path):
    write(path, starts=[0] * 20)
    with pytest.warns(
        UserWarning, match=r"record 2 begins before record 1 has ended, although .* are ignored"
    ):
        assert len(load_edf(path).X[0]) == 2000


# ------------------------------------------------------------------------------------------------------ texts


def test_a_text_in_other_letters_is_an_error(path):
    write(path, [(5, "seizure", 3), (9, "note")])
    for text in ("Seizure", "seizure ", " SEIZURE"):
        with pytest.raises(
            ValueError, match=r"does not occur in .*night.edf', expected 'seizure': its ann"
        ) as e:
            load_edf(path, labels={text: "ictal"}, other="rest")
        assert "'seizure', 'note'" in str(e.value) and e.value.argument == "labels"


def test_texts_that_occur_nowhere_are_said(path):
    write(path, [(5, "seizure", 3), (12, "on")])
    with pytest.warns(
        UserWarning, match=r"the text 'artifact' does not occur in .*: its annotations are 'seiz"
    ):
        assert labels(path, {"seizure": 1, "artifact": 2}) == [[(0, 0), (500, 1), (800, 0)]]
    with pytest.warns(UserWarning, match=r"'x' does not occur in .*night.edf'.*; all steps have the label 0"):
        assert labels(path, {"x": 1}) == [[(0, 0)]]
    with pytest.warns(UserWarning, match=r"the text 'of' does not occur"):  # or all until the end is labeled
        assert labels(path, {("on", "of"): 1}) == [[(0, 0), (1200, 1)]]


def test_texts_may_be_spelled_in_two_ways(path):
    write(path, [(5, "seizure", 3)])
    with pytest.warns(UserWarning, match="the text 'Seizure' does not occur"):
        assert labels(path, {"seizure": 1, "Seizure": 1}) == [[(0, 0), (500, 1), (800, 0)]]


def test_a_text_that_occurs_in_two_spellings_is_said(path, tmp_path):
    said = r"the text 'Seizure' occurs in .*, but labels has 'seizure' alone: its steps have the label 0"
    write(path, [(5, "seizure", 3), (12, "Seizure", 3), (17, "note")])
    with pytest.warns(UserWarning, match=said):
        assert labels(path, {"seizure": 1}) == [[(0, 0), (500, 1), (800, 0)]]
    write(path, [(5, "seizure", 3)])
    write(tmp_path / "other.edf", [(5, "Seizure", 3)])
    with pytest.warns(UserWarning, match=said):
        load_edf([path, tmp_path / "other.edf"], labels={"seizure": 1})


def test_labels_outside_the_recorded_time_are_said(path):
    write(path, [(5, "seizure", 3), (25, "seizure", 3)])
    with pytest.warns(UserWarning, match=r"1 of 2 intervals with a label lie outside .*'seizure' at 25 s"):
        labels(path, {"seizure": 1})


# ---------------------------------------------------------------------------------------------------- overlap


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("later", [(0, 0), (200, 1), (400, 2), (600, 0)]), ("earlier", [(0, 0), (200, 1), (401, 2), (600, 0)])],
)
def test_an_overlap_by_rounding(path, policy, expected):
    write(path, [(2, "T0", 2.005), (4, "T1", 2)])
    with pytest.warns(
        UserWarning, match=r"night.edf': the annotations 'T0' at 2 s and 'T1' at 4 s overlap by 0.005"
    ):
        assert labels(path, {"T0": 1, "T1": 2}, overlap=policy) == [expected]
    with pytest.raises(ValueError, match=r"overlap, expected one label a step \(overlap='later' takes"):
        load_edf(path, labels={"T0": 1, "T1": 2}, overlap="refuse")
    assert labels(path, {"T0": 1, "T1": 1}, overlap="refuse") == [[(0, 0), (200, 1), (600, 0)]]


def test_an_interval_within_another_gives_it_back(path):
    write(path, [(2, "a", 10), (4, "b", 2)])
    with pytest.warns(UserWarning, match="overlap by 8 s"):
        assert labels(path, {"a": 1, "b": 2}) == [[(0, 0), (200, 1), (400, 2), (600, 1), (1200, 0)]]


@pytest.mark.parametrize("policy", ["later", "earlier", "refuse"])
def test_two_labels_that_begin_together_are_refused(path, policy):
    write(path, [(2, "a", 3), (2, "b", 2)])
    with pytest.raises(ValueError, match="'a' at 2 s and 'b' at 2 s overlap, expected one label a step"):
        load_edf(path, labels={"a": 1, "b": 2}, overlap=policy)


def test_unknown_policies_are_refused(path):
    write(path)
    with pytest.raises(ValueError, match="overlap is 'first', expected one of 'later', 'earlier', 'refuse'"):
        load_edf(path, overlap="first")
    with pytest.raises(ValueError, match="damaged is 'skip', expected one of 'refuse', 'read'"):
        load_edf(path, damaged="skip")


# ----------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("damage", "records"),
    [
        (lambda content: content[:-150], 19),
        (lambda content: content + bytes(77), 20),
        (lambda content: content[:236] + b"22      " + content[244:], 20),
        (lambda content: content[:236] + b"18      " + content[244:], 18),
        (lambda content: content[:236] + b"-1      " + content[244:-150], 19),
    ],
)
def test_a_damaged_file_is_read_up_to_the_damage(path, damage, records):
    values = write(path, [(5, "seizure", 3)])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        ValueError, match=rf"truncated or damaged \(damaged='read' reads the first {records}\)"
    ):
        load_edf(path)
    with pytest.warns(UserWarning, match=rf"night.edf' has .*; the first {records} data records are read"):
        X, y, _ = load_edf(path, labels={"seizure": 1}, damaged="read")
    np.testing.assert_allclose(X[0][:, 0], values[: 100 * records], atol=1e-3)
    assert runs(y[0]) == [(0, 0), (500, 1), (800, 0)]


def test_damaged_annotations_end_what_is_read(path):
    values = write(path, [(15, "late", 1)])
    path.write_bytes(path.read_bytes().replace(b"+12\x14\x14", b"?12\x14\x14"))
    with pytest.raises(ValueError, match=r"record 13: '\?12.* is no list of annotations \(damaged='read'"):
        load_edf(path)
    with pytest.warns(UserWarning, match=r"data record 13: .*; the first 12 data records are read"):
        X, _, description = load_edf(path, damaged="read")
    np.testing.assert_allclose(X[0][:, 0], values[:1200], atol=1e-3)
    assert description.annotations == ()


def test_records_in_the_wrong_order_are_read_up_to_there(path):
    write(path, starts=[*range(15), *range(3, 8)], kind="EDF+D")
    with pytest.raises(
        ValueError, match=r"data record 16 begins before record 15 has ended \(damaged='read'"
    ):
        load_edf(path)
    with pytest.warns(UserWarning, match="the first 15 data records are read"):
        assert len(load_edf(path, damaged="read").X[0]) == 1500


def test_nothing_before_the_damage_is_an_error(path):
    write(path)
    path.write_bytes(path.read_bytes()[:800])
    with pytest.raises(ValueError, match=r"night.edf' has no data records"):
        load_edf(path, damaged="read")


# ----------------------------------------------------------------------------------------------------- header


@pytest.mark.parametrize("fields", [{"low": b"-3276,8"}, {"duration": b"1,0"}, {"duration": b"1,"}])
def test_a_decimal_comma_in_the_header(path, fields):
    values = write(path, fields=fields)
    with pytest.warns(UserWarning, match=r"night.edf' has decimal commas in its header, such as '.*,"):
        np.testing.assert_allclose(load_edf(path).X[0][:, 0], values, atol=1e-3)


def test_a_decimal_comma_in_annotations(path):
    write(path, [(5.5, "seizure", 2.25)])
    content = path.read_bytes().replace(b"+5.5\x152.25", b"+5,5\x152,25")
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="decimal commas in its annotations"):
        assert labels(path, {"seizure": 1}) == [[(0, 0), (550, 1), (775, 0)]]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_units_and_names_are_text(path, encoding):
    write(path, fields={"unit": "µV".encode(encoding)})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"EEG 1 ".ljust(16), "EEG ä".encode(encoding).ljust(16)))
    description = load_edf(path).description
    assert description.units == ("µV",) and description.channels == ("EEG ä",)
