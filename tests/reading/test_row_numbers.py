"""Columns that number rows or steps are refused as features, and read where the caller names them."""

import re
from pathlib import Path

import numpy as np
import pytest

import elman
from elman.cli import main
from elman.cli.commands import replay

R = np.random.default_rng(0)
HR = R.normal(size=360).round(3)
ID = np.repeat(np.arange(60), 6)
LABEL = (ID >= 30).astype(int)
FROM_FILE = ": write the file without it, or name the columns of values (features=)"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name="a.csv", **columns):
    """A table of these columns; 'Unnamed: 0' is written as Unnamed__0."""
    names = [column.replace("__0", ": 0") for column in columns]
    rows = zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True)
    Path(name).write_text("\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return name


def refusal(message):
    return pytest.raises(ValueError, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("rows", [4, 360])
def test_a_column_that_pandas_named(rows):
    table = {"Unnamed__0": R.normal(size=rows), "id": ID[:rows], "hr": HR[:rows]}
    problem = "'a.csv', column 'Unnamed: 0' has the name of a column without a name, so it is no measurement"
    with refusal(problem + FROM_FILE):
        elman.read_sequences(write(**table))
    X, _ = elman.read_sequences("a.csv", features=["Unnamed: 0", "hr"])
    np.testing.assert_array_equal(np.concatenate(X)[:, 0], table["Unnamed__0"])
    assert elman.read_sequences("a.csv", features=["hr"])[0][0].shape[1] == 1


@pytest.mark.parametrize("first", [0, 1, 300])
def test_a_column_that_counts_the_rows(first):
    count = np.arange(first, first + 360)
    with refusal("'a.csv', column 'sample' counts the rows, so it is no measurement" + FROM_FILE):
        elman.read_sequences(write(id=ID, hr=HR, sample=count, label=LABEL))
    X, y = elman.read_sequences("a.csv", features=["hr", "sample"])
    assert X[1][0].tolist() == [HR[6], count[6]] and len(y) == 60
    shuffled = R.permutation(360)
    with pytest.raises(ValueError, match="column 'sample' counts the rows"):
        elman.read_sequences(write(id=ID[shuffled], time=shuffled, hr=HR, sample=count))


@pytest.mark.parametrize(
    "step", [np.arange(6), np.arange(6) + 7, np.arange(6) / 250, 1.7e9 + np.arange(6) / 8]
)
def test_a_column_that_counts_the_steps(step):
    write(id=ID, hr=HR, t=np.tile(step, 60), label=LABEL)
    with refusal(
        "'a.csv', column 't' counts the steps of each sequence: it is the time (time=) or no measurement, "
        "unless the columns of values are named (features=)"
    ):
        elman.read_sequences("a.csv")
    assert elman.read_sequences("a.csv", time="t")[0][0].shape == (6, 1)
    assert elman.read_sequences("a.csv", features=["hr", "t"])[0][0].shape == (6, 2)


def test_steps_are_counted_in_the_order_of_time():
    order = R.permutation(360)
    count = np.tile(np.arange(6), 60)
    write(id=ID[order], time=np.arange(360)[order], hr=HR[order], count=count[order])
    with pytest.raises(ValueError, match="column 'count' counts the steps of each sequence"):
        elman.read_sequences("a.csv")


def test_a_wide_table_and_one_without_names():
    table = {"index": np.arange(20), "t0": HR[:20], "t1": HR[20:40]}
    with refusal(
        "'a.csv', column 'index' counts the rows, so it is no measurement: write the file without it, or "
        "call it the id (id=)"
    ):
        elman.read_sequences(write(**table))
    assert elman.read_sequences("a.csv", id="index")[0][0].shape == (2, 1)
    Path("b.csv").write_text("\n".join(f"{i + 4},{HR[i]},{HR[i + 1]}" for i in range(20)))
    with pytest.raises(ValueError, match=r"^'b.csv', column 1 counts the rows"):
        elman.read_sequences("b.csv")
    write(Unnamed__0=[3, 1], t0=[5, 6])
    with pytest.raises(ValueError, match=r"column 'Unnamed: 0' has the name of .* call it the id \(id=\)$"):
        elman.read_sequences("a.csv")


def test_infinite_values_are_no_counters():
    values = np.array([0.0, *[np.inf] * 358, 359.0])
    steps = np.tile([0.0, 1.0, 2.0, 3.0, 4.0, np.inf], 60)
    huge = np.tile([-1e308, 1e308], 180)
    X, _ = elman.read_sequences(write(id=ID, values=values, steps=steps, huge=huge))
    np.testing.assert_array_equal(np.concatenate(X), np.column_stack([values, steps, huge]))


def test_ordinary_columns_are_read():
    """Small files that count, columns that nearly count, ramps of different beginnings, constants."""
    assert len(elman.read_sequences(write(id=ID[:18], hr=np.arange(18)))[0]) == 3
    nearly = np.arange(360)
    nearly[200] = 5
    ramps = np.repeat(R.normal(size=60), 6) + np.tile(np.arange(6), 60) / 8
    phase = np.tile([0, 1, 2, 2, 2, 2], 60)
    X, _ = elman.read_sequences(write(id=ID, nearly=nearly, ramp=ramps, phase=phase, same=np.ones(360)))
    assert X[0].shape == (6, 4)
    event = np.tile([0, 1], 30)  # short sequences
    assert len(elman.read_sequences(write(id=np.repeat(np.arange(30), 2), event=event))[0]) == 30


def test_an_index_in_parquet():
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    def save(name, index, values):
        table = arrow.table({"id": ID, "hr": HR, name: values, "label": LABEL})
        facts = {b"pandas": index} if index else None
        pyarrow.parquet.write_table(table.replace_schema_metadata(facts), "a.parquet")

    values = R.normal(size=360)
    save("row", b'{"index_columns": ["row"]}', values)
    with refusal("'a.parquet', column 'row' is pandas' index, so it is no measurement" + FROM_FILE):
        elman.read_sequences("a.parquet")
    X, _ = elman.read_sequences("a.parquet", features=["row", "hr"])
    assert X[0][0].tolist() == [values[0], HR[0]]
    save("__index_level_0__", None, values)
    with pytest.raises(
        ValueError, match="column '__index_level_0__' has the name of a column without a name"
    ):
        elman.read_sequences("a.parquet")
    assert elman.read_sequences("a.parquet", features=["__index_level_0__"])[0][0].shape == (6, 1)
    save("row", None, np.arange(360))
    with pytest.raises(ValueError, match="column 'row' counts the rows"):
        elman.read_sequences("a.parquet")
    for facts in (b'{"index_columns": [{"kind": "range"}]}', b"[1]", b"{", b'{"index_columns": 3}', b"\xff"):
        save("row", facts, values)
        assert elman.read_sequences("a.parquet")[0][0].shape == (6, 2)


def test_a_frame_with_an_index():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"id": ID, "hr": HR, "label": LABEL})
    frame.index = pandas.Index(R.permutation(360), name="row")
    frame.to_parquet("a.parquet")
    with pytest.raises(ValueError, match="column 'row' is pandas' index"):
        elman.read_sequences("a.parquet")
    frame.set_index("id").to_parquet("b.parquet")  # an index with a role
    assert elman.read_sequences("b.parquet")[0][0].shape == (6, 1)


def test_the_commands_name_their_option(capsys):
    pytest.importorskip("typer")
    write(id=ID, hr=HR, sample=np.arange(360), label=LABEL)
    expected = (
        "elman: 'a.csv', column 'sample' counts the rows, so it is no measurement: write the file without "
        "it, or name the columns of values (--features)"
    )
    small = ["train", "a.csv", "-m", "m.elman", "--epochs", "1", "--hidden", "2", "--no-curves", "-q"]
    assert main.main(small) == 2
    assert capsys.readouterr().err.strip() == expected
    assert main.main([*small, "--features", "hr,sample"]) == 0
    for command in (["evaluate", "m.elman", "a.csv", "--no-picture"], ["predict", "m.elman", "a.csv"]):
        capsys.readouterr()
        assert main.main(command) == 2
        assert capsys.readouterr().err.strip() == expected
        assert main.main([*command, "--features", "hr,sample"]) == 0
    with pytest.raises(ValueError, match=re.escape(expected.removeprefix("elman: "))):
        replay.load("a.csv", {}, 100.0, None)
