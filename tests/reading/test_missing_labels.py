"""Labels that are missing, or that are no numbers among numbers: one cell never changes the task."""

import re
from pathlib import Path

import numpy as np
import pytest

import elman
from elman.cli import main

NUMBERS = [f"{0.37 * i + 0.5:.3f}" for i in range(40)]
SIGNS = ["NA", "na", "null", "NULL", "None", "?", "<NA>", "N/A", "#N/A", "-", "."]
CLASS_SIGNS = ["NA", "null", "?", "<NA>", "N/A", "#N/A", "nan", "NaN", ""]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(labels, separator=",", name="a.csv", steps=6):
    """A long table: a sequence for each label, or a list of labels, one for each step."""
    rows = [["id", "time", "hr", "target"]]
    for i, label in enumerate(labels):
        each = label if isinstance(label, list) else [label] * steps
        rows += [[f"p{i}", str(t), str((7 * i + t * t) % 11), one] for t, one in enumerate(each)]
    Path(name).write_text("".join(separator.join(row) + "\n" for row in rows))
    return name


def with_cell(cell, labels=NUMBERS):
    return [cell if i == 7 else label for i, label in enumerate(labels)]


def refusal(message):
    return pytest.raises(ValueError, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("cell", SIGNS)
def test_a_missing_target_of_a_sequence_is_refused(cell):
    with refusal(f"'a.csv' line 44, column 'target': the label is missing ('{cell}')"):
        elman.read_sequences(write(with_cell(cell)))
    with refusal(f"'a.csv' line 9, column 'label': the label is missing ('{cell}')"):  # wide
        rows = "".join(f"{label},1,2\n" for label in with_cell(cell))
        Path("a.csv").write_text("label,t0,t1\n" + rows)
        elman.read_sequences("a.csv")


@pytest.mark.parametrize("cell", SIGNS)
def test_a_missing_target_of_a_step_is_a_missing_answer(cell):
    y = elman.read_sequences(write([["0.5", cell, "1.5"], ["2.5", "3.5"]]))[1]
    np.testing.assert_array_equal(y[0], [0.5, np.nan, 1.5])
    y = elman.read_sequences(write([["4", cell, "5"], ["4", "5"]]))[1]
    assert y[0].tolist() == [4, -1, 5] and y[0].dtype == np.int64


@pytest.mark.parametrize("cell", CLASS_SIGNS)
def test_a_missing_class_is_no_class(cell):
    shown = "" if cell.lower() in ("nan", "") else f" ('{cell}')"
    for names in (["0", "1"], ["rest", "walk"]):
        with refusal(f"'a.csv' line 44, column 'target': the label is missing{shown}"):
            elman.read_sequences(write(with_cell(cell, names * 20)))
    y = elman.read_sequences(write([["rest", cell, "walk"], ["walk"]]))[1]
    assert [row.tolist() for row in y] == [["rest", "", "walk"], ["walk"]]
    y = elman.read_sequences(write([["0", cell, "1"], ["1"]]))[1]
    assert [row.tolist() for row in y] == [[0, -1, 1], [1]] and y[0].dtype == np.int64  # classes as before


@pytest.mark.parametrize("names", [["+", "-"], ["None", "mild", "severe"], [".", "x"], ["none", "some"]])
def test_signs_that_are_names_of_classes_elsewhere(names):
    assert elman.read_sequences(write(names * 3))[1].tolist() == names * 3


def test_a_column_of_signs_alone_has_no_labels():
    assert elman.read_sequences(write(["?"] * 4))[1] is None


@pytest.mark.parametrize("labels", [NUMBERS, NUMBERS[:3]])
def test_a_decimal_comma_is_named(labels):
    with refusal(
        "'a.csv' line 2, column 'target': '0,500' is not a number (a decimal point is expected, not a comma)"
    ):
        elman.read_sequences(write([label.replace(".", ",") for label in labels], ";"))
    with pytest.raises(ValueError, match=r"^'a.csv' line 44, column 'target': '1,5' is not a number \(a dec"):
        elman.read_sequences(write(with_cell("1,5"), ";"))


@pytest.mark.parametrize("cell", ["abc", "1.5x", "n.d.", "<0.1", "1_0"])
def test_any_text_among_numeric_targets_is_refused(cell):
    with refusal(f"'a.csv' line 44, column 'target': '{cell}' is not a number"):
        elman.read_sequences(write(with_cell(cell)))


def test_a_few_numbers_among_names_are_names():
    labels = ["0.5", "1.0", "placebo"] * 4
    assert elman.read_sequences(write(labels))[1].tolist() == labels
    labels = ["1", "2", "other"] * 4
    assert elman.read_sequences(write(labels))[1].tolist() == labels


# siblings: Parquet, .npz, and the commands


def parquet(labels):
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    columns = {"a": np.sqrt(np.arange(len(labels))), "b": np.ones(len(labels)), "target": labels}
    pyarrow.parquet.write_table(arrow.table(columns), "a.parquet")
    return "a.parquet"


def test_missing_labels_of_strings_in_parquet():
    for cell in ("NA", "None", "?"):
        with refusal(f"'a.parquet' row 8, column 'target': the label is missing ('{cell}')"):
            elman.read_sequences(parquet(with_cell(cell, ["1", "2"] * 20)))
    with refusal("'a.parquet' row 8, column 'target': the label is missing"):
        elman.read_sequences(parquet(with_cell(None, ["u", "v"] * 20)))
    with refusal("'a.parquet' row 1, column 'target': '0.500' is a string, expected a number as target"):
        elman.read_sequences(parquet(with_cell("NA")))
    with pytest.raises(ValueError, match=r"^'a.parquet' row 1, column 'target': '0,500' is not a number \("):
        elman.read_sequences(parquet([label.replace(".", ",") for label in NUMBERS]))
    assert elman.read_sequences(parquet(["1", "2", "2"]))[1].tolist() == ["1", "2", "2"]


def save(y, **more):
    np.savez("a.npz", X=np.ones((len(y), 3, 1)), y=y, **more)
    return "a.npz"


def test_missing_labels_in_npz():
    with refusal("'a.npz', 'y'[7]: the label is missing"):
        elman.read_sequences(save(np.array(with_cell("nan"), float)))
    with refusal("'a.npz', 'y'[7]: the label is missing ('NA')"):
        elman.read_sequences(save(np.array(with_cell("NA", ["u", "v"] * 20))))
    with refusal("'a.npz', 'y'[7]: 'abc' is not a number"):
        elman.read_sequences(save(np.array(with_cell("abc"))))
    with refusal("'a.npz', 'y'[0, 2]: '0,5' is not a number (a decimal point is expected, not a comma)"):
        elman.read_sequences(save(np.array([["1", "2", "0,5"]])))
    with refusal("'a.npz', 'other'[1]: the label is missing ('?')"):
        elman.read_sequences(save([1, 2], other=["u", "?"]), label="other")
    y = elman.read_sequences(save(np.array([["u", "NA", "v"]])))[1]
    assert [row.tolist() for row in y] == [["u", "", "v"]]
    y = elman.read_sequences(save(np.array([[1.0, np.nan, 2.0]])))[1]
    np.testing.assert_array_equal(y[0], [1.0, np.nan, 2.0])
    assert elman.read_sequences(save(np.array(["", ""])))[1] is None


def said(capsys, *arguments):
    """The exit code of a command, and its last line on standard error."""
    code = main.main([*arguments])
    return code, capsys.readouterr().err.strip().rpartition("\n")[2]


def test_the_commands_refuse_them(capsys):
    pytest.importorskip("typer")
    small = ["-m", "m.elman", "--epochs", "1", "--hidden", "2", "--no-curves", "-q"]
    missing = "elman: 'a.csv' line 44, column 'target': the label is missing ('NA')"
    write(with_cell("NA"))
    for task in ([], ["--task", "regress"]):
        assert said(capsys, "train", "a.csv", *small, *task) == (2, missing)
    write(with_cell("NA", ["0", "1"] * 20))
    assert said(capsys, "train", "a.csv", *small) == (2, missing)
    write(NUMBERS, name="right.csv")
    assert said(capsys, "train", "right.csv", *small)[0] == 0
    write(with_cell("NA"))
    assert said(capsys, "evaluate", "m.elman", "a.csv") == (2, missing)
    assert said(capsys, "train", "right.csv", *small, "--restart", "--valid", "a.csv") == (2, missing)
    write(["0.5", "1.5", "high"] * 4)
    expected = "elman: 'a.csv' has the label 'high', expected numbers"
    assert said(capsys, "train", "a.csv", *small, "--restart", "--task", "regress") == (2, expected)
