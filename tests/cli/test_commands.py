"""elman train, evaluate and check: what each writes, to whom, and with which exit code."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

import sklearn.base
from sklearn import metrics
from typer.main import get_command

import elman
from elman.cli.commands import check, plots
from elman.cli.commands.hyperparameters import Recipe
from elman.model import gradient_check
from elman.plotting import style
from helpers.command_files import command, content, rising, walks, write_all, write_long

QUICK = ("--hidden", 5, "--rate", 0.02, "--epochs", 3, "--no-curves", "-q")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write_all(folder)
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """An own copy of all files, as the working folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ----------------------------------------------------------------------------------------------- train


def test_train_writes_a_model_curves_and_its_scores(folder):
    write_long(folder / "many.csv", walks(120), lambda x, t: rising(x))
    answer = command("train", "many.csv", "--model", "m.elman", "--hidden", "8,5", "--rate", "0.02")
    assert answer.code == 0
    assert {path.name for path in folder.glob("m.*")} == {"m.elman", "m.curves.png"}  # and no checkpoint
    model = elman.load("m.elman")
    assert model.hidden_layer_sizes == (8, 5)
    first, *bar = answer.err.splitlines()
    assert first == (
        "many.csv: 108 sequences of 2 features (2 classes, one label a sequence); 12 held out to stop early"
    )
    assert "epoch/s" in bar[-1] and "val_accuracy=" in bar[-1]
    head, _, *rows = answer.out.split("\n\n")[0].strip("\n").splitlines()
    assert head.split() == ["training", "held", "out"]
    assert [re.split("  +", row)[0] for row in rows] == ["sequences", "accuracy", "balanced accuracy"]
    assert rows[0].split()[1:] == ["108", "12"]
    assert f"model   m.elman: RNNClassifier, 2 features, 2 classes, {len(model.network_.parameters):,} " in (
        answer.out
    )
    assert "curves  m.curves.png" in answer.out
    assert (folder / "m.curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_document_of_train(folder):
    write_long(folder / "many.csv", walks(120), lambda x, t: rising(x))
    answer = command(
        "train",
        "many.csv",
        "-m",
        "m.elman",
        "--epochs",
        30,
        "--patience",
        4,
        "--rate",
        0.05,
        "--json",
        "-q",
        "--no-curves",
    )
    assert (answer.code, answer.err) == (0, "")
    found = answer.document
    assert list(found) == [
        "model",
        "estimator",
        "task",
        "per_step",
        "features",
        "classes",
        "parameters",
        "dtype",
        "seed",
        "epochs",
        "best_epoch",
        "resumed_after",
        "seconds",
        "training",
        "validation",
        "curves",
        "history",
    ]
    assert list(found["training"]) == ["sequences", "steps", "answers", "accuracy", "balanced_accuracy"]
    assert list(found["validation"]) == ["source", *found["training"]]
    assert (found["estimator"], found["task"], found["classes"]) == (
        "RNNClassifier",
        "classify",
        ["down", "up"],
    )
    assert (found["training"]["sequences"], found["validation"]["sequences"]) == (108, 12)
    # The weights are those of the best epoch, which is not the last, and the scores are theirs.
    scores, losses = found["history"]["val_accuracy"], found["history"]["val_loss"]
    best = max(range(found["epochs"]), key=lambda i: (scores[i], -losses[i]))
    assert found["best_epoch"] == best + 1 < found["epochs"] < 30
    assert found["validation"]["accuracy"] == scores[best]
    model = elman.load("m.elman")
    X, y = elman.read_sequences("many.csv")
    right = model.predict(X) == y
    held = round(found["validation"]["accuracy"] * 12)
    assert right.sum() == held + round(found["training"]["accuracy"] * 108)


@pytest.mark.parametrize(
    ("file", "estimator", "scores"),
    [
        ("classify", "RNNClassifier", ["accuracy", "balanced_accuracy"]),
        ("tag", "RNNTagger", ["accuracy", "balanced_accuracy"]),
        ("regress", "RNNRegressor", ["r2", "mae", "rmse"]),
        ("steps", "RNNRegressor", ["r2", "mae", "rmse"]),
    ],
)
def test_the_labels_choose_the_task(folder, file, estimator, scores):
    found = command("train", f"{file}.csv", "-m", "m.elman", *QUICK, "--json").document
    assert found["estimator"] == estimator
    assert found["per_step"] == (file in ("tag", "steps"))
    assert list(found["training"])[3:] == scores
    model = elman.load("m.elman")
    X, y = elman.read_sequences(f"{file}.csv")
    if not found["validation"]:
        assert found["training"][scores[0]] == pytest.approx(model.score(X, y), abs=1e-12)
    # A label a step: 10 % of the sequences have labels enough to stop by; a label a sequence: 6 have not.
    assert (found["validation"] is not None) == (file in ("tag", "steps"))


def test_numbers_may_be_classes_and_classes_numbers(folder):
    X = walks(30)
    write_long(folder / "whole.csv", X, lambda x, t: int(x[:, 0].sum() > 0) + 3)
    write_long(folder / "decimal.csv", X, lambda x, t: 0.5 if x[:, 0].sum() > 0 else 1.0)
    kinds = {}
    for file in ("whole", "decimal"):
        for task in ("auto", "regress"):
            found = command(
                "train", f"{file}.csv", "-m", f"{file}.elman", *QUICK, "--task", task, "--json"
            ).document
            kinds[file, task] = found["estimator"]
    assert kinds == {
        ("whole", "auto"): "RNNClassifier",
        ("whole", "regress"): "RNNRegressor",
        ("decimal", "auto"): "RNNRegressor",
        ("decimal", "regress"): "RNNRegressor",
    }
    write_long(folder / "floats.csv", X, lambda x, t: f"{int(x[:, 0].sum() > 0)}.0")
    found = command("train", "floats.csv", "-m", "m.elman", *QUICK, "--task", "classify", "--json").document
    assert found["classes"] == [0.0, 1.0]
    # One label a sequence may be trained as one a step.
    found = command("train", "classify.csv", "-m", "tags.elman", *QUICK, "--task", "tag", "--json").document
    assert found["estimator"] == "RNNTagger"


def test_every_option_of_training_reaches_the_estimator(folder):
    given = (
        "--cell",
        "rnn",
        "--hidden",
        "7,6",
        "--activation",
        "relu",
        "--pooling",
        "max",
        "--epochs",
        "4",
        "--batch-size",
        "9",
        "--rate",
        "0.003",
        "--schedule",
        "cosine",
        "--noise",
        "0.1",
        "--alpha",
        "0.01",
        "--clip-norm",
        "0.5",
        "--patience",
        "3",
        "--balanced",
        "--seed",
        "5",
        "--threads",
        "1",
        "--dtype",
        "float64",
        "--bidirectional",
        "--dropout",
        "0.25",
    )
    assert command("train", "classify.csv", "-m", "m.elman", "--no-curves", "-q", *given).code == 0
    model = elman.load("m.elman")
    expected = {
        "cell": "rnn",
        "hidden_layer_sizes": (7, 6),
        "activation": "relu",
        "pooling": "max",
        "max_iter": 4,
        "batch_size": 9,
        "learning_rate_init": 0.003,
        "learning_rate": "cosine",
        "input_noise": 0.1,
        "alpha": 0.01,
        "clip_norm": 0.5,
        "n_iter_no_change": 3,
        "class_weight": "balanced",
        "random_state": 5,
        "n_jobs": 1,
        "dtype": "float64",
        "bidirectional": True,
        "dropout": 0.25,
    }
    assert {name: model.get_params()[name] for name in expected} == expected
    options = ("--truncation", 3, "--clip-norm", 0)
    assert command("train", "classify.csv", "-m", "m.elman", *QUICK, *options).code == 0
    model = elman.load("m.elman")
    assert (model.truncation, model.clip_norm, model.verbose) == (3, None, False)


def test_the_defaults_are_the_estimators(folder):
    same = Recipe(dtype=None, seed=None).parameters("classify")
    defaults = elman.RNNClassifier().get_params()
    assert same == {name: defaults[name] for name in same}


def test_the_same_command_gives_the_same_file(folder):
    files = []
    for seed in (1, 1, 2):
        assert command("train", "classify.csv", "-m", "m.elman", *QUICK, "--seed", seed).code == 0
        files.append(content("m.elman"))
    assert files[0] == files[1] != files[2]


def test_a_file_to_validate_with(folder):
    write_long(folder / "valid.csv", walks(20, seed=3), lambda x, t: rising(x))
    answer = command("train", "classify.csv", "-m", "m.elman", *QUICK[:-1], "--valid", "valid.csv", "--json")
    found = answer.document
    assert answer.err.startswith(
        "classify.csv: 60 sequences of 2 features (2 classes, one label a sequence); "
        "20 in valid.csv to stop early\n"
    )
    assert (found["training"]["sequences"], found["validation"]["source"]) == (60, "valid.csv")
    again = command("evaluate", "m.elman", "valid.csv", "--json", "--no-picture").document
    assert again["accuracy"] == found["validation"]["accuracy"]


def test_labels_of_another_type_are_the_same_labels(folder):
    """Digits alone make whole numbers, one word among them makes strings: a split must not matter."""
    X = walks(60)
    write_long(
        folder / "mixed.csv", X, lambda x, t: "1" if x[0, 0] > 0.5 else "-1" if x[0, 0] > -0.5 else "n"
    )
    write_long(
        folder / "digits.csv", [x for x in X if x[0, 0] > -0.5], lambda x, t: 1 if x[0, 0] > 0.5 else -1
    )
    answer = command("train", "mixed.csv", "-m", "m.elman", *QUICK, "--valid", "digits.csv", "--json")
    assert answer.document["classes"] == ["-1", "1", "n"]
    found = command("evaluate", "m.elman", "digits.csv", "--json", "--no-picture").document
    assert found["unknown"] == []
    assert found["accuracy"] == answer.document["validation"]["accuracy"]


def test_tags_that_do_not_change_in_the_file_to_validate_with(folder):
    """Its labels could be one a sequence; the file that is trained on says that they are not."""
    write_long(folder / "valid.csv", walks(3, seed=3), lambda x, t: "high")
    found = command("train", "tag.csv", "-m", "m.elman", *QUICK, "--valid", "valid.csv", "--json").document
    assert found["validation"]["answers"] == found["validation"]["steps"] > 3
    found = command("evaluate", "m.elman", "valid.csv", "--json", "--no-picture").document
    assert found["per_step"] and found["answers"] == found["steps"]


def test_a_tiny_file_trains_without_held_out_data(folder):
    write_long(folder / "tiny.csv", walks(3), lambda x, t: "a" if x[0, 0] > walks(3)[0][0, 0] else "b")
    answer = command("train", "tiny.csv", "-m", "m.elman", *QUICK[:-1])
    assert answer.code == 0
    assert "3 sequences of 2 features (2 classes, one label a sequence); nothing held out: too few\n" in (
        answer.err
    )
    assert "held out" not in answer.out
    assert "accuracy" in answer.out
    answer = command("train", "classify.csv", "-m", "n.elman", *QUICK[:-1], "--valid-fraction", 0)
    assert "; nothing held out\n" in answer.err
    answer = command("train", "classify.csv", "-m", "n.elman", *QUICK, "--valid-fraction", 0.5, "--json")
    assert answer.document["validation"]["sequences"] == 30


def test_what_is_held_out_of_a_subject_that_is_trained_on_is_said(folder):
    """By ids that name a subject; a file of --valid may have the same ids for other sequences."""
    X, quick = walks(60), (*QUICK, "--valid-fraction", 0.25)
    write_long(folder / "night.csv", X, lambda x, t: rising(x), lambda i: f"sub-{i // 2}_ses-{i % 2}")
    write_long(folder / "other.csv", X[:30], lambda x, t: rising(x), lambda i: f"sub-{i + 100}_ses-1")
    sentence = ", a recording of the same subject: the scores say little of new subjects\n"
    for options in (quick, (*QUICK, "--valid", "night2.csv")):
        write_long(folder / "night2.csv", X[:30], lambda x, t: rising(x), lambda i: f"sub-{i}_ses-7")
        answer = command("train", "night.csv", "-m", "m.elman", *options)
        assert answer.code == 0 and re.search(r"night.csv: sub-.* was not trained on, but sub-", answer.err)
        assert answer.err.count(sentence) == 1
    for file, options in (("classify.csv", quick), ("night.csv", (*QUICK, "--valid", "other.csv"))):
        answer = command("train", file, "-m", "m.elman", *options)
        assert answer.code == 0 and sentence not in answer.err


@pytest.mark.parametrize("file", ["classify", "tag", "steps", "regress"])
def test_the_estimator_holds_out_and_its_rows_are_scored(folder, file):
    """The scores of the document are those of the rows that the estimator did not train on."""
    given = (f"{file}.csv", "-m", "m.elman", *QUICK, "--valid-fraction", 0.25, "--seed", 4, "--json")
    found = command("train", *given).document
    assert (found["training"]["sequences"], found["validation"]["sequences"]) == (45, 15)
    model = elman.load("m.elman")
    assert (model.early_stopping, model.validation_fraction) == (True, 0.25)
    X, y = elman.read_sequences(f"{file}.csv")
    if file == "regress":
        y = np.asarray(y)
    again = sklearn.base.clone(model).fit(X, y)
    rows = again.validation_rows_
    np.testing.assert_array_equal(again.network_.parameters, model.network_.parameters)
    held_out = [y[i] for i in rows] if isinstance(y, list) else y[rows]
    score = model.score([X[i] for i in rows], held_out)
    name = "r2" if file in ("steps", "regress") else "accuracy"
    assert found["validation"][name] == pytest.approx(score, abs=1e-9)
    flat = np.concatenate(held_out) if isinstance(y, list) else held_out
    known = flat != "" if file in ("tag", "classify") else ~np.isnan(flat)
    assert found["validation"]["answers"] == known.sum()


def test_what_cannot_be_held_out(folder):
    """Nothing by default; an error that names the option where a share was asked for."""
    X = walks(120)
    rare = {0: "rare"}
    write_long(folder / "rare.csv", X, lambda x, t: rare.get(int(x is not X[0]), rising(x)))
    answer = command("train", "rare.csv", "-m", "m.elman", *QUICK[:-1], "--json")
    assert answer.document["validation"] is None
    assert "; nothing held out: that needs at least two of each class\n" in answer.err
    assert answer.err.count("sequences of 2 features") == 1
    assert command("train", "rare.csv", "-m", "n.elman", *QUICK, "--valid-fraction", 0.2).sentence() == (
        "--valid-fraction is 0.2, but none of the 120 sequences of 'rare.csv' can be spared: "
        "expected at least two of each class (0 holds nothing out)"
    )
    assert not Path("n.elman").exists() and not Path("n.elman.checkpoint").exists()
    assert command("train", "classify.csv", "-m", "n.elman", *QUICK, "--valid-fraction", 0.01).sentence() == (
        "--valid-fraction is 0.01, but none of the 60 sequences of 'classify.csv' can be spared: "
        "expected one of each of the 2 classes in both parts, 1 and 59 (0 holds nothing out)"
    )


@pytest.mark.parametrize("labels", ["ab", "12.5"])
def test_all_labels_in_one_sequence(folder, labels):
    """Whether that one is held out or not, one of the parts has no label."""
    X = [np.repeat(walks(1)[0], 20, axis=0), *walks(20)]
    one = labels == "12.5"
    write_long(folder / "one.csv", X, lambda x, t: "" if x is not X[0] else t + 0.5 if one else labels[t % 2])
    options = ("one.csv", "-m", "n.elman", *QUICK, "--seed")
    for seed in range(12):  # one in seven holds it out
        answer = command("train", *options, seed, "--json")
        assert (answer.code, answer.document["validation"]) == (0, None)
    for seed in range(12):
        assert command("train", *options, seed, "--valid-fraction", 0.1).sentence() == (
            "--valid-fraction is 0.1, but none of the 21 sequences of 'one.csv' can be spared: "
            "expected sequences with labels in both parts (0 holds nothing out)"
        )


def test_curves_go_where_they_are_wanted(folder):
    pytest.importorskip("matplotlib")
    quick = [option for option in QUICK if option != "--no-curves"]
    found = command("train", "classify.csv", "-m", "m.elman", *quick, "--curves", "c.svg", "--json").document
    assert found["curves"] == "c.svg" and "<svg" in Path("c.svg").read_text(encoding="utf-8")
    found = command("train", "classify.csv", "-m", "n.elman", *QUICK, "--json").document
    assert found["curves"] is None and not list(folder.glob("n.*.png"))
    # The default place cannot be written: nobody asked for it, and the model is trained.
    Path("o.curves.png").mkdir()
    answer = command("train", "classify.csv", "-m", "o.elman", *quick[:-1], "--json")
    assert answer.document["curves"] is None
    assert "nothing was drawn: o.curves.png: Is a directory" in answer.err
    # What was asked for is tried before the training.
    refused = command("train", "classify.csv", "-m", "p.elman", *quick, "--curves", "o.curves.png")
    assert refused.sentence() == "o.curves.png: Not a regular file"
    assert not Path("p.elman").exists()


@pytest.mark.parametrize(
    ("model", "expected"),
    [("a/m.elman", "a/m.curves.png"), ("m", "m.curves.png"), ("m.v2", "m.v2.curves.png")],
)
def test_where_pictures_go(model, expected):
    assert plots.beside(model, "curves") == Path(expected)


# ------------------------------------------------------------------------------------- errors of train


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "'bad.csv' is empty"),
        ("id,x,label\n", "'bad.csv' has no rows under its header line"),
        ("id,x,label\na,1,u\na,oops,u\n", "'bad.csv' line 3, column 'x': 'oops' is not a number"),
        (
            "id,x\na,1\na,2\nb,3\n",
            "'bad.csv' has no labels, expected a column 'label' (--label names another column)",
        ),
        ("id,x,label\na,1,u\na,2,u\nb,3,u\n", "'bad.csv' has one class, 'u', expected at least two classes"),
        (
            "id,x,label\na,1,u\na,,u\nb,3,v\n",
            "'bad.csv', sequence 'a', step 2: column 'x' has no number, expected a finite number",
        ),
        (
            "x,y,label\n1,2,u\n3,inf,v\n",
            "'bad.csv', sequence 1, step 2: feature 0 has inf, expected a finite number",
        ),
        (
            "id,x,y\na,1,u\na,2,u\n",
            "'bad.csv' has the columns 'x' and 'y': is 'y' a label (--label 'y') or a feature (--features)?",
        ),
    ],
)
def test_a_file_that_cannot_be_trained_on(tmp_path, monkeypatch, content, sentence):
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text(content)
    assert command("train", "bad.csv", "--model", "m.elman").sentence() == sentence
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--epochs 0", "--epochs is 0, expected an integer of at least 1"),
        ("--epochs many", "Invalid value for '--epochs'"),
        ("--batch-size 0", "--batch-size is 0, expected"),
        ("--hidden 8,x", "--hidden is '8,x', expected numbers of units such as 64 or 64,32"),
        ("--hidden 8,0", "--hidden is 0, expected an integer of at least 1"),
        ("--rate -1", "--rate is -1.0, expected a finite number above 0"),
        ("--schedule up", "--schedule is 'up', expected one of"),
        ("--activation frog", "--activation is 'frog', expected one of"),
        ("--pooling frog", "--pooling is 'frog', expected one of"),
        ("--dropout 1", "--dropout is 1.0, expected"),
        ("--noise -1", "--noise is -1.0, expected"),
        ("--alpha nan", "--alpha is nan, expected"),
        ("--clip-norm -1", "--clip-norm is -1.0, expected"),
        ("--truncation 0", "--truncation is 0, expected"),
        ("--patience 0", "--patience is 0, expected"),
        ("--seed -1", "--seed is -1, expected"),
        ("--threads 0", "--threads is 0, expected"),
        ("--dtype float16", "--dtype is 'float16', expected"),
        ("--cell frog", "--cell is 'frog', expected one of"),
        ("--task guess", "--task is 'guess', expected one of 'auto', 'classify', 'tag', 'regress'"),
        ("--task tag --per-sequence", "'classify.csv' has one label a sequence, expected one a step to tag"),
        ("--task classify --per-step", "'classify.csv' has one label a step, expected one a sequence"),
        ("--task regress", "'classify.csv' has the label 'up', expected numbers"),
        ("--task tag --pooling max", "--pooling is 'max', expected 'last' where every step has a label"),
        ("--valid-fraction 1", "--valid-fraction is 1.0, expected a number from 0 to below 1"),
        ("--valid-fraction 0.1 --valid tag.csv", "--valid and --valid-fraction are both given"),
        ("--valid regress.csv", "'regress.csv' has the label -"),
        ("--valid steps.csv", "'steps.csv' line "),
        ("--valid nothing.csv", "nothing.csv: No such file or directory"),
        ("--valid unlabeled.csv", "'unlabeled.csv' has no labels, expected a column 'label'"),
        ("--label frog", "'classify.csv' has no column 'frog' (--label), expected one of 'id', 'time', 'x1'"),
        ("--features x1,9", "'classify.csv' has no column 9 (--features), expected 1 to 5"),
        ("--layout wide --time time", "--time is given, but a wide table (--layout 'wide') has none"),
        ("--curves curves.txt", "--curves is 'curves.txt', expected a name that ends with .png, .svg, .pdf"),
        ("--curves classify.csv", "--curves is 'classify.csv', which is also TRAIN: expected another file"),
        ("--curves m.elman", "--curves is 'm.elman', which is also --model: expected another file"),
    ],
)
def test_a_wrong_option_is_one_line_and_nothing_is_written(folder, options, sentence):
    before = sorted(folder.iterdir())
    answer = command("train", "classify.csv", "--model", "m.elman", *options.split())
    assert answer.sentence().startswith(sentence)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("path", "content", "options", "sentence"),
    [
        (
            "label=eeg.csv",
            "id,x,label\na,1,u\na,oops,u\n",
            "",
            "'label=eeg.csv' line 3, column 'x': 'oops' is not a number",
        ),
        (
            "features=raw/a.csv",
            "x\nbad\n",
            "",
            "'features=raw/a.csv' line 2, column 'x': 'bad' is not a number",
        ),
        ("header=True.csv", "", "", "'header=True.csv' is empty"),
        (
            "header=True.csv",
            "1,2,3\n4,5,6\n",
            "",
            "'header=True.csv' line 1 counts from 1 to 3: are these names of columns (--header) or values (",
        ),
        (
            "a.csv",
            "id,x,label\na,1,u\n",
            "--label per_step=True",
            "'a.csv' has no column 'per_step=True' (--label), expected one of 'id', 'x', 'label'",
        ),
        (
            "layout='wide'.csv",
            "time,label='y'\n1,2\n",
            "",
            "\"layout='wide'.csv\" has no column 'id' (--id), which a long table has (--layout 'wide' reads",
        ),
        (
            "id=.csv",
            "id,per_step=True,label\na,header=False,u\n",
            "",
            "'id=.csv' line 2, column 'per_step=True': 'header=False' is not a number",
        ),
        (
            "a.csv",
            "id,time,x,label\nlabel=1,5,1,u\nlabel=1,5,2,u\n",
            "",
            "'a.csv' line 3, column 'time': the same time as in line 2, both in sequence 'label=1'",
        ),
        (
            "a.csv",
            "id,x,label\nid=True,1,u\nid=True,,u\nb,3,v\n",
            "",
            "'a.csv', sequence 'id=True', step 2: column 'x' has no number, expected a finite number",
        ),
        (
            "per_step=False.csv",
            "id,x,time=,features=\na,1,2,3\n",
            "--features x,frog",
            "'per_step=False.csv' has no column 'frog' (--features), expected one of 'id', 'x', 'time=',",
        ),
        (
            "label is.csv",
            "id,x\na,1\n",
            "--per-step --id id",
            "--per-step is True, but 'label is.csv' has no column of labels (--label)",
        ),
        (
            "time=1.ts",
            "@univariate true\n",
            "--label header=True",
            "--label is given, but is no option for a .ts file",
        ),
        (
            "a.csv",
            "id,class,target,x\na,1,2,3\n",
            "",
            "'a.csv' has the columns 'class' and 'target': which one is it (--label)?",
        ),
    ],
)
@pytest.mark.parametrize("name", ["train", "evaluate", "predict", "check", "replay"])
def test_names_that_look_like_options_are_shown_as_they_are(folder, name, path, content, options, sentence):
    if name == "replay":
        pytest.importorskip("pylsl")
        if "column 'x' has no number" in sentence:
            pytest.skip("missing numbers may be played")
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(content)
    given = {
        "train": ("train", path, "-m", "m.elman"),
        "replay": ("replay", path, "--lsl", "s", "--rate", 1),
        "predict": ("predict", "classify.elman", path),
        "evaluate": ("evaluate", "tag.elman" if "--per-step" in options else "classify.elman", path),
        "check": ("check", "classify.elman", path),
    }[name]
    assert command(*given, *options.split()).sentence().startswith(sentence)


def test_keys_of_an_archive_that_look_like_options(folder):
    np.savez("label=.npz", X=np.zeros((2, 3, 2)), y=[0, 1])
    for options, sentence in [
        (("--label", "id=True"), "'label=.npz' has no key 'id=True' (--label), expected one of 'X', 'y'"),
        (("--id", 3), "--id is 3 (a int), expected a key of 'label=.npz'"),
        (("--layout", "wide"), "--layout is given, but is no option for a .npz file"),
        (("--no-header",), "--header is given, but is no option for a .npz file"),
    ]:
        assert command("train", "label=.npz", "-m", "m.elman", *options).sentence() == sentence


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("classify.csv", "--model is 'classify.csv', which is also TRAIN: expected another file"),
        ("./classify.csv", "--model is './classify.csv', which is also TRAIN: expected another file"),
        (".", ".: Not a regular file"),
        ("nowhere/m.elman", "nowhere/m.elman: No such file or directory"),
    ],
)
def test_a_model_that_cannot_be_written_is_said_before_the_training(folder, model, sentence):
    before = Path("classify.csv").read_bytes()
    assert command("train", "classify.csv", "--model", model).sentence() == sentence
    assert Path("classify.csv").read_bytes() == before


def test_minus_one_is_a_class_of_sequences_and_refused_for_steps(folder):
    X = walks(40)
    write_long(folder / "signs.csv", X, lambda x, t: 1 if x[:, 0].sum() > 0 else -1)
    options = ("signs.csv", "-m", "m.elman", *QUICK, "--valid", "signs.csv", "--json")
    found = command("train", *options).document
    assert found["classes"] == [-1, 1]
    assert found["validation"]["answers"] == 40
    assert found["validation"]["accuracy"] == found["training"]["accuracy"]
    found = command("evaluate", "m.elman", "signs.csv", "--json", "--no-picture").document
    assert (found["answers"], found["missing"], found["labels"]) == (40, 0, [-1, 1])
    assert (
        command("train", *options, "--task", "tag")
        .sentence()
        .startswith(MINUS_ONE.format("signs.csv", "s0", 1))
    )


MINUS_ONE = (
    "{0!r}, sequence {1!r}, step {2} has the label -1, which also stands for a missing label: leave the cell "
    "empty if the step has no label, or give the class another name"
)


def signs(x, t):
    return round(float(np.sign(x[t, 0]) * (abs(x[t, 0]) > 0.4)))


def first_minus(X):
    return next((f"s{i}", t + 1) for i, x in enumerate(X) for t in range(len(x)) if signs(x, t) == -1)


def test_a_class_minus_one_of_steps_is_never_swallowed(folder):
    """Written in a cell it is refused, by evaluate only if the model has no such class."""
    X = walks(40)
    write_long(folder / "minus.csv", X, signs)
    write_long(folder / "plus.csv", X, lambda x, t: abs(signs(x, t)))
    said = MINUS_ONE.format("minus.csv", *first_minus(X))
    assert command("train", "minus.csv", "-m", "m.elman", *QUICK).sentence() == said
    assert command("train", "plus.csv", "-m", "m.elman", *QUICK, "--valid", "minus.csv").sentence() == said
    assert not Path("m.elman").exists()
    assert command("train", "plus.csv", "-m", "m.elman", *QUICK).code == 0
    assert elman.load("m.elman").missing_label == "auto"
    assert command("evaluate", "m.elman", "minus.csv").sentence() == said
    np.savez("minus.npz", X=np.zeros((2, 3, 2)), y=[[0, -1, 1], [0, 1, 1]])
    sentence = command("train", "minus.npz", "-m", "n.elman", "--task", "tag").sentence()
    assert sentence.startswith("'minus.npz', sequence 0, step 2 has the label -1, which also stands for")


def test_minus_one_is_a_class_of_steps_where_the_model_has_it(folder):
    """An empty cell of an evaluated file is no such class: it was counted as one."""
    X = walks(40)
    write_long(folder / "minus.csv", X, signs)
    common = {"hidden_layer_sizes": 6, "max_iter": 30, "random_state": 0, "learning_rate_init": 0.02}
    found, y = elman.read_sequences("minus.csv")
    model = elman.RNNTagger(**common, missing_label=None).fit(found, y)
    model.save("m.elman")
    answer = command("evaluate", "m.elman", "minus.csv", "--json", "--no-picture").document
    assert (answer["missing"], answer["labels"], answer["unknown"]) == (0, [-1, 0, 1], [])
    assert answer["accuracy"] == pytest.approx(model.score(found, y))
    write_long(folder / "gaps.csv", X, lambda x, t: "" if t == 1 else abs(signs(x, t)))
    answer = command("evaluate", "m.elman", "gaps.csv", "--json", "--no-picture").document
    assert (answer["missing"], answer["answers"]) == (40, sum(map(len, X)) - 40)


def test_empty_cells_of_whole_numbers_are_steps_without_a_label(folder):
    X = walks(60)
    write_long(folder / "gaps.csv", X, lambda x, t: "" if t == 1 else abs(signs(x, t)))
    write_long(folder / "plus.csv", X, lambda x, t: abs(signs(x, t)))
    for train, valid, missing in [("gaps", "plus", -1), ("plus", "gaps", -1), ("plus", "plus", "auto")]:
        arguments = ("train", f"{train}.csv", "-m", "m.elman", *QUICK, "--valid", f"{valid}.csv", "--json")
        arguments += ("--restart",)
        found = command(*arguments).document
        model = elman.load("m.elman")
        assert (model.missing_label, found["classes"]) == (missing, [0, 1])
        for name, part in ((train, found["training"]), (valid, found["validation"])):
            data, y = elman.read_sequences(f"{name}.csv")
            assert part["answers"] == sum(map(len, X)) - (60 if name == "gaps" else 0)
            model.missing_label = -1
            assert part["accuracy"] == pytest.approx(model.score(data, y), abs=1e-12)


def test_a_models_own_missing_label_is_missing_in_a_file_too(folder):
    X = walks(40)
    for name, missing in (("whole", 99), ("words", "gap")):
        write_long(folder / f"{name}.csv", X, lambda x, t, m=missing: m if t == 1 else abs(signs(x, t)))
        data, y = elman.read_sequences(f"{name}.csv")
        model = elman.RNNTagger(6, max_iter=3, random_state=0, missing_label=missing).fit(data, y)
        model.save("m.elman")
        found = command("evaluate", "m.elman", f"{name}.csv", "--json", "--no-picture").document
        assert (found["missing"], found["unknown"]) == (40, [])
        assert found["accuracy"] == pytest.approx(model.score(data, y), abs=1e-12)


def test_whole_numbers_are_targets_and_empty_cells_are_none(folder):
    """-1 is a number like others, unless the file has empty cells: a reader refuses to read both."""
    X = walks(40)
    write_long(folder / "whole.csv", X, lambda x, t: round(3 * x[t, 0]))
    write_long(folder / "gaps.csv", X, lambda x, t: "" if t == 2 else 2 + abs(round(3 * x[t, 0])))
    for name, missing in (("whole", 0), ("gaps", 40)):
        options = (f"{name}.csv", "-m", "m.elman", *QUICK, "--task", "regress", "--json", "--restart")
        found = command("train", *options, "--valid-fraction", 0).document
        assert found["training"]["answers"] == sum(map(len, X)) - missing
        model, (data, y) = elman.load("m.elman"), elman.read_sequences(f"{name}.csv")
        numbers = [np.where((rows == -1) & (missing > 0), np.nan, rows) for rows in y]
        assert found["training"]["r2"] == pytest.approx(model.score(data, numbers), abs=1e-6)
        found = command("evaluate", "m.elman", f"{name}.csv", "--json").document
        assert (found["missing"], found["answers"]) == (missing, sum(map(len, X)) - missing)
    write_long(folder / "both.csv", X, lambda x, t: "" if t == 2 else round(3 * x[t, 0]))
    answer = command("train", "both.csv", "-m", "n.elman", "--task", "regress").sentence()
    assert answer.endswith("the label is missing, which would become -1, but -1 is a label elsewhere")


# -------------------------------------------------------------------------------------------- evaluate


def test_evaluate_counts_as_scikit_learn_does(folder):
    found = command("evaluate", "classify.elman", "classify.csv", "--json").document
    X, y = elman.read_sequences("classify.csv")
    guess = elman.load("classify.elman").predict(X)
    assert list(found) == [
        "model",
        "estimator",
        "file",
        "task",
        "per_step",
        "sequences",
        "steps",
        "answers",
        "missing",
        "accuracy",
        "balanced_accuracy",
        "labels",
        "unknown",
        "by_class",
        "confusion",
        "r2",
        "mae",
        "rmse",
        "picture",
    ]
    assert found["accuracy"] == metrics.accuracy_score(y, guess) < 1
    assert found["balanced_accuracy"] == metrics.balanced_accuracy_score(y, guess) != found["accuracy"]
    assert found["labels"] == ["down", "up"]
    assert found["confusion"] == metrics.confusion_matrix(y, guess).tolist()
    columns = metrics.precision_recall_fscore_support(y, guess)
    for i, each in enumerate(found["by_class"]):
        assert list(each) == ["label", "precision", "recall", "f1", "support"]
        assert list(each.values())[1:] == [column[i] for column in columns]
    assert found["picture"] == "classify.confusion.png"
    assert Path("classify.confusion.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_in_words(folder):
    answer = command("evaluate", "classify.elman", "classify.csv")
    assert (answer.code, answer.err) == (0, "")
    found = command("evaluate", "classify.elman", "classify.csv", "--json", "--no-picture").document
    right = found["confusion"][0][0] + found["confusion"][1][1]
    assert f"accuracy           {found['accuracy']:.4f} ({right} of 60 right)" in answer.out
    assert f"balanced accuracy  {found['balanced_accuracy']:.4f}" in answer.out
    lines = [line.split() for line in answer.out.splitlines()]
    assert ["class", "precision", "recall", "F1", "support"] in lines
    down = found["by_class"][0]
    assert [
        "down",
        *(f"{down[key]:.4f}" for key in ("precision", "recall", "f1")),
        str(down["support"]),
    ] in lines
    at = lines.index(["expected", "/", "predicted", "down", "up"])
    shown = [
        [name, *(str(count) if count else "." for count in row)]
        for name, row in zip(["down", "up"], found["confusion"], strict=True)
    ]
    assert lines[at + 2 : at + 4] == shown
    assert "\x1b" not in answer.out  # no colors where it is no terminal
    assert max(map(len, answer.out.splitlines())) <= 80


def test_steps_without_a_label_are_left_out(folder):
    answer = command("evaluate", "tag.elman", "tag.csv")
    assert "60 steps without a label are left out" in answer.out
    found = command("evaluate", "tag.elman", "tag.csv", "--json").document
    X, y = elman.read_sequences("tag.csv")
    assert found["accuracy"] == elman.load("tag.elman").score(X, y)
    assert (found["missing"], found["answers"]) == (60, sum(map(len, X)) - 60)


@pytest.mark.parametrize("name", ["regress", "steps"])
def test_numbers_are_evaluated_by_their_errors(folder, name):
    found = command("evaluate", f"{name}.elman", f"{name}.csv", "--json").document
    X, y = elman.read_sequences(f"{name}.csv")
    guess = elman.load(f"{name}.elman").predict(X)
    if name == "steps":
        y, guess = np.concatenate(y), np.concatenate(guess)
        guess, y = guess[~np.isnan(y)], y[~np.isnan(y)]
    assert found["r2"] == pytest.approx(metrics.r2_score(y, guess), abs=1e-12)
    assert found["mae"] == pytest.approx(np.abs(y - guess).mean(), abs=1e-12)
    assert found["rmse"] == pytest.approx(np.sqrt(((y - guess) ** 2).mean()), abs=1e-12)
    assert found["accuracy"] is found["confusion"] is found["picture"] is None
    answer = command("evaluate", f"{name}.elman", f"{name}.csv")
    assert f"R2                       {found['r2']:.4f}\n" in answer.out
    assert list(folder.glob("*.png")) == []


def test_labels_that_the_model_does_not_know_count_as_wrong(folder):
    text = Path("classify.csv").read_text().replace(",up\n", ",upwards\n")
    Path("other.csv").write_text(text)
    found = command("evaluate", "classify.elman", "other.csv", "--json").document
    assert (found["labels"], found["unknown"]) == (["down", "up", "upwards"], ["upwards"])
    assert found["accuracy"] == found["confusion"][0][0] / 60
    assert found["balanced_accuracy"] == pytest.approx(found["by_class"][0]["recall"] / 2)
    assert found["by_class"][1]["recall"] is None  # nothing was "up": JSON knows no NaN
    answer = command("evaluate", "classify.elman", "other.csv")
    count = found["by_class"][2]["support"]
    assert f"{count} answers count as wrong: the model has no class 'upwards'" in answer.out


def test_a_bare_network_is_evaluated_by_the_places_of_its_outputs(folder):
    write_long(folder / "places.csv", walks(20), lambda x, t: int(x[:, 0].sum() > 0) * 2)
    found = command("evaluate", "network.elman", "places.csv", "--json", "--no-picture").document
    X, y = elman.read_sequences("places.csv")
    assert found["labels"] == [0, 1, 2]
    assert found["accuracy"] == (elman.load("network.elman").predict(X).argmax(axis=1) == y).mean()


def test_more_classes_than_fit_are_listed_by_their_confusions(folder):
    X = walks(80)
    names = [f"a class with a long name {i}" for i in range(6)]
    write_long(folder / "six.csv", X, lambda x, t: names[int(6 * abs(x[0, 0])) % 6])
    assert command("train", "six.csv", "-m", "six.elman", *QUICK).code == 0
    answer = command("evaluate", "six.elman", "six.csv", "--no-picture")
    assert "confusions (--json and the picture have them all)" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    found = command("evaluate", "six.elman", "six.csv", "--no-picture", "--json").document
    counts = np.array(found["confusion"])
    np.fill_diagonal(counts, 0)
    i, j = np.unravel_index(counts.argmax(), counts.shape)
    assert re.search(rf"{names[i]} +{names[j]} +{counts[i, j]}\n", answer.out)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("classify.elman unlabeled.csv", "'unlabeled.csv' has no labels, expected a column 'label'"),
        ("classify.elman tag.csv", "'tag.csv' line 2, column 'label': another label than in other rows"),
        ("classify.elman regress.csv", "'regress.csv' has the labels -"),
        ("regress.elman classify.csv", "'classify.csv' has the label 'up', expected numbers"),
        ("network_steps.elman steps.csv", "'steps.csv' has one number an answer, expected 2"),
        ("classify.csv classify.csv", "'classify.csv' is not an elman file, or damaged"),
        ("nothing.elman classify.csv", "nothing.elman: No such file or directory"),
        ("classify.elman wide.csv", "'wide.csv' has 1 feature a step, expected 2, as 'classify.elman'"),
        (
            "classify.elman classify.csv --picture a.bmp",
            "--picture is 'a.bmp', expected a name that ends with",
        ),
        ("classify.elman classify.csv --picture no/a.png", "no/a.png: No such file or directory"),
        ("regress.elman regress.csv --picture a.png", "--picture is given, but 'regress.elman' answers with"),
        (
            "classify.elman classify.csv --features x1",
            "'classify.csv' has the features 'x1', expected",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(folder, arguments, sentence):
    Path("wide.csv").write_text("label,a,b,c\nup,1,2,3\ndown,3,2,1\n")
    assert command("evaluate", *arguments.split()).sentence().startswith(sentence)


def test_an_npz_file_without_labels_has_no_column(folder):
    np.savez("unlabeled.npz", X=np.zeros((2, 5, 2)))
    answer = command("evaluate", "classify.elman", "unlabeled.npz")
    said = "elman: 'unlabeled.npz' has no labels, expected a key 'y' (--label names another key)\n"
    assert (answer.code, answer.err.splitlines()[-1] + "\n") == (2, said)


# ----------------------------------------------------------------------------------------------- check


@pytest.mark.parametrize("model", ["classify", "tag", "regress", "steps", "network", "network_steps"])
@pytest.mark.parametrize("data", [(), ("unlabeled.csv",)])
def test_saved_gradients_are_right(folder, model, data):
    answer = command("check", f"{model}.elman", *data, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.document
    assert list(found) == [
        "model",
        "data",
        "parameters",
        "entries",
        "skipped",
        "largest_relative_error",
        "ok",
        "worst",
    ]
    assert found["ok"] and found["largest_relative_error"] < 1e-7
    assert found["entries"] == found["parameters"] > 30
    assert found["data"] == (data[0] if data else "random sequences")
    assert abs(found["worst"][0]["expected"]) > 0  # a loss that does not depend on the weights proves nothing


def test_check_standardizes_as_the_model_does(folder, monkeypatch):
    X = [100.0 + x for x in walks(30)]
    write_long(folder / "far.csv", X, lambda x, t: rising(x - 100.0))
    assert command("train", "far.csv", "-m", "far.elman", *QUICK).code == 0
    seen = {}

    def check_gradient(net, X, y, **options):
        seen["X"] = X
        return elman.check_gradient(net, X, y, **options)

    monkeypatch.setattr(check, "check_gradient", check_gradient)
    assert command("check", "far.elman", "far.csv").code == 0
    assert sorted(len(x) for x in seen["X"]) == sorted(len(x) for x in X)[:4]  # the four shortest
    assert np.abs(np.concatenate(seen["X"])).max() < 5


def test_check_in_words_and_its_options(folder):
    answer = command("check", "tag.elman", "--entries", 10, "--seed", 3)
    assert answer.code == 0
    assert re.search(
        r"^ok: 10 entries compared, 0 skipped \(kinks\), largest relative error \d", answer.out, re.MULTILINE
    )
    assert command("check", "tag.elman", "--entries", 0).sentence() == (
        "--entries is 0, expected an integer of at least 1"
    )
    assert command("check", "tag.csv").sentence().startswith("'tag.csv' is not an elman file")


def test_a_wrong_gradient_is_exit_code_1(folder, monkeypatch):
    right = gradient_check._mean_loss

    def wrong(*arguments):
        measure, gradient = right(*arguments)
        gradient[3] += 0.01
        return measure, gradient

    monkeypatch.setattr(gradient_check, "_mean_loss", wrong)
    answer = command("check", "tag.elman")
    assert answer.code == 1
    assert "NOT ok: " in answer.out and "  0.kernel[0,3]: expected " in answer.out
    answer = command("check", "tag.elman", "--json")
    assert (answer.code, answer.document["ok"]) == (1, False)


# ------------------------------------------------------------------------------------ the commands all


def test_every_option_is_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    app = get_command(importlib.import_module("elman.cli.app").app)
    for name in ("train", "predict", "evaluate", "check"):
        section = re.search(rf"^## .*`elman {name}`.*?(?=^## )", page + "\n## ", re.MULTILINE | re.DOTALL)
        assert section, name
        for parameter in app.commands[name].params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                shared = "## Columns of the file" if option in _OF_COLUMNS else None
                where = page[page.index(shared) :] if shared else section[0]
                if option.startswith("-"):
                    assert f"`{option}" in where, f"elman {name} {option}"


def test_the_commands_in_the_docs_run(tmp_path, monkeypatch):
    """Each line of commands.md as it stands, with files of these names, without ``jq`` and ``sensor``."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("train.csv", "valid.csv", "test.csv")):
        write_long(tmp_path / name, walks(30, seed=seed), lambda x, _: rising(x))
    text = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    lines = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()
    assert len(lines) >= 8
    for line in lines:
        program, *arguments = shlex.split(line.removeprefix("sensor | ").partition(" | ")[0], comments=True)
        done = command(*arguments, stdin=b"0.1,0.2\n0.3,0.4\n" if line.startswith("sensor") else b"")
        assert program == "elman" and done.code == 0, (line, done.err)
        if "jq" in line:
            assert done.document["predictions"][0]
        if line.startswith("sensor"):
            assert len(done.out.splitlines()) == 2


def test_the_defaults_in_the_docs_are_those_of_the_options():
    """Where an option has a value by default, the page's cell is that value."""
    app = get_command(importlib.import_module("elman.cli.app").app)
    compared = 0
    for page, names in (("commands.md", ("train", "check")), ("monitor.md", ("monitor", "replay"))):
        text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
        for name in names:
            section = re.search(rf"^## .*`elman {name}`.*?(?=^## )", text + "\n## ", re.MULTILINE | re.DOTALL)
            cells = dict(re.findall(r"^\| `(--[a-z-]+)`[^|]*\| ([^|]*) \|", section[0], re.MULTILINE))
            for parameter in app.commands[name].params:
                said = cells.get(parameter.opts[0], "").strip("` ")
                if parameter.default in (None, False) or not said:
                    continue
                same = said == parameter.default if isinstance(parameter.default, str) else None
                assert same or float(said) == float(parameter.default), (name, parameter.opts[0], said)
                compared += 1
    assert compared >= 15


_OF_COLUMNS = (
    "--label",
    "--id",
    "--time",
    "--features",
    "--layout",
    "--per-step",
    "--per-sequence",
    "--header",
    "--no-header",
)


def test_the_options_of_a_file_are_the_same_in_all_commands():
    commands = get_command(importlib.import_module("elman.cli.app").app).commands
    found = {
        name: [(p.opts, p.secondary_opts, p.help) for p in command.params if p.opts[0] in _OF_COLUMNS]
        for name, command in commands.items()
    }
    assert len(found["train"]) == 7
    assert found["train"] == found["predict"] == found["evaluate"] == found["check"] == found["replay"]
    assert found["monitor"] == found["demo"] == []


@pytest.mark.parametrize("name", ["train", "predict", "evaluate", "check"])
def test_help_names_every_option(name):
    answer = command(name, "--help")
    assert answer.code == 0 and "--json" in answer.out and "--label" in answer.out


def test_columns_may_be_named_and_numbered(folder):
    text = Path("classify.csv").read_text().replace("id,time,x1,x2,label", "patient,t,x1,x2,state")
    Path("named.csv").write_text(text)
    named = ("--id", "patient", "--time", "t", "--label", "state", "--features", "x1, x2")
    numbered = ("--id", 1, "--time", 2, "--label", 5, "--features", "3,4")
    plain = command("evaluate", "classify.elman", "classify.csv", "--json", "--no-picture").document
    for columns in (named, numbered):
        found = command(
            "evaluate", "classify.elman", "named.csv", *columns, "--json", "--no-picture"
        ).document
        assert found["confusion"] == plain["confusion"]


def test_without_a_picture_everything_else_is_said(folder, monkeypatch):
    monkeypatch.setattr(style, "available", lambda: False)
    answer = command("evaluate", "classify.elman", "classify.csv")
    assert answer.code == 0 and "balanced accuracy" in answer.out
    assert answer.err == 'nothing was drawn: matplotlib is not installed (pip install "elman[plot]")\n'
    answer = command("evaluate", "classify.elman", "classify.csv", "--json")
    assert json.loads(answer.out)["picture"] is None
