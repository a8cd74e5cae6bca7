"""elman predict: exact columns, numbers that read back, and one answer a line through real pipes."""

from __future__ import annotations

import csv
import io
import json
import os
import select
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

import elman
from helpers.command_files import command, process, walks, write_all, write_long


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write_all(folder)
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(text):
    head, *rows = csv.reader(io.StringIO(text))
    return head, rows


def expected_rows(model, X):
    """What the model itself says: label, then numbers, for each sequence or each step."""
    if hasattr(model, "classes_"):
        labels, numbers = model.predict(X), model.predict_proba(X)
    else:
        labels, numbers = None, model.predict(X)
    if isinstance(numbers, list):
        labels = None if labels is None else np.concatenate(labels)
        numbers = np.concatenate([rows.reshape(len(rows), -1) for rows in numbers])
    numbers = numbers.reshape(len(numbers), -1).astype(float).tolist()
    return numbers if labels is None else [[label, *row] for label, row in zip(labels, numbers, strict=True)]


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("classify", ["id", "label", "p_down", "p_up"]),
        ("tag", ["id", "step", "label", "p_high", "p_löw"]),
        ("regress", ["id", "value"]),
        ("steps", ["id", "step", "value"]),
        ("network", ["id", "output_0", "output_1", "output_2"]),
        ("network_steps", ["id", "step", "output_0", "output_1"]),
    ],
)
def test_the_columns_and_the_numbers(folder, name, head):
    answer = command("predict", f"{name}.elman", "unlabeled.csv")
    assert (answer.code, answer.err) == (0, "")
    X, _ = elman.read_sequences("unlabeled.csv")
    got, rows = rows_of(answer.out)
    assert got == head
    if "step" in head:
        assert [row[:2] for row in rows] == [
            [f"s{i}", str(t + 1)] for i, x in enumerate(X) for t in range(len(x))
        ]
    else:
        assert [row[0] for row in rows] == [f"s{i}" for i in range(len(X))]
    start = head.index("step" if "step" in head else "id") + 1
    wanted = expected_rows(elman.load(f"{name}.elman"), X)
    for row, want in zip(rows, wanted, strict=True):
        numbers = [value if isinstance(value, str) else float(row[start + i]) for i, value in enumerate(want)]
        assert numbers == want  # to the bit
        assert [row[start + i] for i, value in enumerate(want) if isinstance(value, str)] == [
            value for value in want if isinstance(value, str)
        ]


@pytest.mark.parametrize("name", ["classify", "tag", "regress", "steps", "network", "network_steps"])
def test_the_document(folder, name):
    answer = command("predict", f"{name}.elman", "unlabeled.csv", "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.document
    assert list(found) == [
        "model",
        "estimator",
        "task",
        "per_step",
        "classes",
        "file",
        "predictions",
        "output",
    ]
    X, _ = elman.read_sequences("unlabeled.csv")
    model = elman.load(f"{name}.elman")
    wanted = iter(expected_rows(model, X))
    assert [each["id"] for each in found["predictions"]] == [f"s{i}" for i in range(len(X))]
    for each, x in zip(found["predictions"], X, strict=True):
        assert ("steps" in each) == found["per_step"]
        steps = each["steps"] if found["per_step"] else [{k: v for k, v in each.items() if k != "id"}]
        assert len(steps) == (len(x) if found["per_step"] else 1)
        for step in steps:
            want = next(wanted)
            if found["classes"]:
                assert step == {"label": want[0], "probabilities": want[1:]}
            else:
                assert step == {"values" if name in ("regress", "steps") else "outputs": want}


def test_into_a_file(folder):
    plain = command("predict", "tag.elman", "unlabeled.csv").out
    answer = command("predict", "tag.elman", "unlabeled.csv", "-o", "out.csv")
    assert (answer.code, answer.out, answer.err) == (0, "", "out.csv: answers to 5 sequences\n")
    assert Path("out.csv").read_bytes() == plain.encode()
    assert command("predict", "tag.elman", "unlabeled.csv", "-o", "-").out == plain
    both = command("predict", "tag.elman", "unlabeled.csv", "--output", "two.csv", "--json")
    assert both.document["output"] == "two.csv"
    assert Path("two.csv").read_bytes() == plain.encode()
    # What it writes it can read: labels, probabilities as values.
    X, y = elman.read_sequences("out.csv", features=["p_high", "p_löw"], per_step=True)
    assert [len(x) for x in X] == [len(labels) for labels in y] == [len(x) for x in walks(5, seed=1)]
    if os.name == "posix":
        assert command("predict", "tag.elman", "unlabeled.csv", "-o", "/dev/null").code == 0


def test_labels_in_the_file_do_not_matter(folder):
    X = walks(5, seed=1)
    plain = command("predict", "classify.elman", "unlabeled.csv").out
    write_long(folder / "labeled.csv", X, lambda x, t: "sideways")
    assert command("predict", "classify.elman", "labeled.csv").out == plain
    write_long(folder / "labeled.csv", X, lambda x, t: f"{t}")  # one a step, for a model of whole sequences
    assert command("predict", "classify.elman", "labeled.csv").out == plain


def test_sequences_without_ids_are_counted_from_0(folder):
    X = [x[:4, :1] for x in walks(30)]
    lines = [",".join([*map(str, x[:, 0]), "low" if x[0, 0] < 0 else "high"]) for x in X]
    Path("wide.csv").write_text("a,b,c,d,label\n" + "\n".join(lines) + "\n")
    options = ("--epochs", 2, "--no-curves", "-q")
    assert command("train", "wide.csv", "-m", "wide.elman", *options).code == 0
    head, rows = rows_of(command("predict", "wide.elman", "wide.csv").out)
    assert head == ["id", "label", "p_high", "p_low"]
    assert [row[0] for row in rows] == [str(i) for i in range(30)]
    found = command("predict", "wide.elman", "wide.csv", "--json").document
    assert [each["id"] for each in found["predictions"]] == list(range(30))


def test_labels_that_csv_must_quote(folder):
    write_long(folder / "odd.csv", walks(30), lambda x, t: '"a, ""b"""' if x[0, 0] > 0 else "[red]c[/]")
    assert command("train", "odd.csv", "-m", "odd.elman", "--epochs", 2, "--no-curves", "-q").code == 0
    head, rows = rows_of(command("predict", "odd.elman", "odd.csv").out)
    assert head == ["id", "label", "p_[red]c[/]", 'p_a, "b"']
    assert {row[1] for row in rows} <= {"[red]c[/]", 'a, "b"'}
    line = command("predict", "odd.elman", "-", "--stream", stdin=b"9 9\n").out
    ((label, *shares),) = csv.reader([line])
    assert label in ("[red]c[/]", 'a, "b"') and len(shares) == 2
    answer = command("evaluate", "odd.elman", "odd.csv", "--no-picture")
    assert "[red]c[/]" in answer.out and 'a, "b"' in answer.out


def test_a_model_of_tables(folder):
    """Fitted in Python on a data frame: rows of one length, columns with names."""
    pandas = pytest.importorskip("pandas")
    X = np.random.default_rng(0).normal(size=(40, 3)).round(3)
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    model = elman.RNNClassifier(4, max_iter=2, random_state=0).fit(frame, X[:, 0] > 0)
    model.save("table.elman")
    frame.to_csv("table.csv", index=False)
    head, rows = rows_of(command("predict", "table.elman", "table.csv").out)
    assert head == ["id", "label", "p_False", "p_True"]
    assert [[float(v) for v in row[2:]] for row in rows] == model.predict_proba(frame).tolist()
    assert [row[1] for row in rows] == [str(label) for label in model.predict(frame)]
    frame[["a", "b"]].to_csv("short.csv", index=False)
    assert command("predict", "table.elman", "short.csv").sentence() == (
        "'short.csv', sequence 0: 2 steps, expected 3 in each, "
        "as 'table.elman' was trained on a table of 3 columns"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("classify.csv unlabeled.csv", "'classify.csv' is not an elman file, or damaged"),
        ("nothing.elman unlabeled.csv", "nothing.elman: No such file or directory"),
        ("classify.elman nothing.csv", "nothing.csv: No such file or directory"),
        (
            "classify.elman one.csv",
            "'one.csv' has the features 'x1', expected 'x1', 'x2' (as 'classify.elman' was trained)",
        ),
        ("classify.elman gap.csv", "'gap.csv', sequence 'a', step 1: column 'x2' has no number, expected"),
        (
            "classify.elman -",
            "FILE is '-', standard input, which is read with --stream only: expected a file",
        ),
        ("classify.elman unlabeled.csv --stream", "FILE is 'unlabeled.csv', expected - (standard input)"),
        ("classify.elman - --stream -o a.csv", "--output is given with --stream"),
        ("classify.elman - --stream --per-step", "--per-step is given with --stream"),
        (
            "classify.elman unlabeled.csv -o unlabeled.csv",
            "--output is 'unlabeled.csv', which is also FILE",
        ),
        (
            "classify.elman unlabeled.csv -o classify.elman",
            "--output is 'classify.elman', which is also MODEL",
        ),
        ("classify.elman unlabeled.csv -o no/a.csv", "no/a.csv: No such file or directory"),
        ("classify.elman unlabeled.csv -o .", ".: "),
        ("classify.elman", "Missing argument 'FILE'"),
    ],
)
def test_what_cannot_be_predicted_is_one_line(folder, arguments, sentence):
    Path("one.csv").write_text("id,x1\na,1\na,2\n")
    Path("gap.csv").write_text("id,x1,x2\na,1,\na,2,3\n")
    before = Path("unlabeled.csv").read_bytes(), Path("classify.elman").read_bytes()
    assert command("predict", *arguments.split()).sentence().startswith(sentence)
    assert (Path("unlabeled.csv").read_bytes(), Path("classify.elman").read_bytes()) == before


# ---------------------------------------------------------------------------------------------- stream


def streamed(model, X):
    """What the model's own stream answers, a list of numbers a step."""
    stream = model.stream()
    answers = []
    for x in X:
        stream.reset()
        answers += [np.asarray(stream.step(row)).tolist() for row in x]
    return answers


@pytest.mark.parametrize("name", ["classify", "tag", "regress", "steps", "network", "network_steps"])
@pytest.mark.parametrize("separator", [",", ";", "\t", " ", " , "])
def test_a_stream_answers_every_step(folder, name, separator):
    X = walks(3, seed=2)
    lines = "\n\n".join("\n".join(separator.join(map(str, row)) for row in x.tolist()) for x in X)
    model = elman.load(f"{name}.elman")
    wanted = streamed(model, X)
    answer = command("predict", f"{name}.elman", "-", "--stream", stdin=lines.encode())
    assert (answer.code, answer.err) == (0, "")
    rows = [line.split(",") for line in answer.out.splitlines()]
    if hasattr(model, "classes_"):
        assert [row.pop(0) for row in rows] == [str(model.classes_[int(np.argmax(p))]) for p in wanted]
    assert [[float(v) for v in row] for row in rows] == wanted
    answer = command("predict", f"{name}.elman", "-", "--stream", "--json", stdin=lines.encode())
    found = [json.loads(line) for line in answer.out.splitlines()]
    key = "probabilities" if hasattr(model, "classes_") else "outputs" if "network" in name else "values"
    assert [each[key] for each in found] == wanted
    assert all(list(each) == (["label", key] if key == "probabilities" else [key]) for each in found)


def test_the_last_answer_of_a_stream_is_that_of_predict(folder):
    x = walks(1, seed=4)[0]
    lines = "\n".join(f"{a},{b}" for a, b in x.tolist()).encode()
    last = command("predict", "classify.elman", "-", "--stream", stdin=lines).out.splitlines()[-1]
    write_long(folder / "one.csv", [x])
    whole = command("predict", "classify.elman", "one.csv").out.splitlines()[-1]
    assert last == whole.removeprefix("s0,")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (b"1,2\n1,x\n", "line 2: 'x' is not a number, expected 2 numbers ('x1', 'x2') separated by commas, "),
        (b"1\n", "line 1 has 1 number, expected 2 numbers"),
        (b"1,2\n\n1,2,3\n", "line 3 has 3 numbers, expected 2 numbers"),
        (b"1,,2\n", "line 1: an empty value is not a number"),
        (b"1,\n", "line 1: an empty value is not a number"),
        (b"1\t\t2\n", "line 1: an empty value is not a number"),
        (b"nan,2\n", "line 1 has nan, expected 2 numbers ('x1', 'x2') separated by "),
        (b"1,1e999\n", "line 1 has 1e999, expected 2 numbers"),
        (b"1_0,2\n", "line 1: '1_0' is not a number"),
        ("1,٣\n".encode(), "line 1: '٣' is not a number"),
        (b"\xff,2\n", "line 1 is not UTF-8 text"),
        (b"time,x\n", "line 1: 'time' is not a number"),
    ],
)
def test_a_line_that_cannot_be_answered(folder, lines, sentence):
    answer = command("predict", "classify.elman", "-", "--stream", stdin=lines)
    assert answer.code == 2
    assert answer.err.startswith(f"elman: {sentence}") and answer.err.count("\n") == 1
    assert answer.out.count("\n") == int(sentence.startswith("line 2")) + int(sentence.startswith("line 3"))


def test_what_a_stream_lets_pass(folder):
    for lines, count in ((b"", 0), (b"\n\n \n", 0), (b"1 2", 1), ("\ufeff1;2\r\n\r\n3;4\r\n".encode(), 2)):
        answer = command("predict", "classify.elman", "-", "--stream", stdin=lines)
        assert (answer.code, answer.err, answer.out.count("\n")) == (0, "", count)


@pytest.mark.skipif(os.name != "posix", reason="select on pipes")
def test_each_line_is_answered_before_the_next_is_sent(folder):
    child = process("predict", "tag.elman", "-", "--stream", stdin=-1, bufsize=0)
    assert child.stdin and child.stdout and child.stderr
    x = walks(1, seed=5)[0][:3]
    wanted = streamed(elman.load("tag.elman"), [x, x[:1]])
    try:
        for t, want in enumerate(wanted):
            row = x[t % 3]
            child.stdin.write(f"{row[0]}, {row[1]}\n".encode())
            assert select.select([child.stdout], [], [], 30)[0], "no answer while the input is open"
            line = child.stdout.readline().decode()
            assert [float(v) for v in line.split(",")[1:]] == want
            if t == 2:
                child.stdin.write(b"\n")  # a new sequence
                assert not select.select([child.stdout], [], [], 0.2)[0], "an empty line is not answered"
        child.stdin.close()
        assert (child.wait(60), child.stdout.read(), child.stderr.read()) == (0, b"", b"")
    finally:
        child.kill()
        child.stdout.close()
        child.stderr.close()


@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
def test_a_reader_that_leaves(folder):
    child = process("predict", "tag.elman", "-", "--stream", stdin=-1)
    assert child.stdin and child.stdout and child.stderr
    child.stdin.write(b"1,2\n")
    child.stdin.flush()
    child.stdout.readline()
    child.stdout.close()
    try:
        child.stdin.write(b"1,2\n" * 10)
        child.stdin.close()
    except BrokenPipeError:
        pass
    assert child.wait(60) == 1
    assert child.stderr.read() == b""
    child.stderr.close()


def test_a_pipe_gets_utf_8_whatever_the_terminal(folder, monkeypatch):
    plain = command("predict", "tag.elman", "unlabeled.csv").out
    assert "p_löw" in plain
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    child = process("predict", "tag.elman", "unlabeled.csv")
    assert child.communicate(timeout=60) == (plain.encode(), b"")
    child = process("evaluate", "tag.elman", "tag.csv", "--no-picture")
    out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, b"")
    assert b"l?w" in out and out.isascii()  # a table for people, as the terminal can show it
