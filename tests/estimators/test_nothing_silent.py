"""Whatever is wrong with columns, channels, axes, labels or units: the answers are those of clean data, or
there is a warning or an error."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from elman import Dense, Network, RNNClassifier, RNNRegressor, RNNTagger, Sequences, SimpleRNN
from elman.features import Frames, LogSpectrum
from helpers.command_files import command
from helpers.support import proofs, stack

pandas = pytest.importorskip("pandas")

NAMES, RATE = ("Fp1", "Cz", "O2"), 100.0
FACTORS = {"uV": 1.0, "µV": 1.0, "mV": 1e-3, "V": 1e-6, "nV": 1e3}


@dataclass(frozen=True)
class Recordings:
    """n sequences (T_i, F) with what their source says of the columns; ``units`` is one for all of them."""

    values: list[np.ndarray]
    names: tuple[str, ...] | None = NAMES
    unit: str = "uV"
    rate: float | None = RATE

    def each(self, change: Any) -> Recordings:
        return replace(self, values=[change(x) for x in self.values])

    def named(self) -> Sequences:
        offsets = np.cumsum([0, *map(len, self.values)])
        units = (self.unit,) * self.values[0].shape[1]
        return Sequences(
            np.concatenate(self.values),
            offsets,
            feature_names=self.names,
            feature_units=units,
            rate=self.rate,
        )


def recordings(seed: int, n: int = 12) -> Recordings:
    r = np.random.default_rng(seed)
    scales = np.array([30.0, 100.0, 10.0])
    return Recordings([r.normal(size=(steps, 3)) * scales for steps in r.integers(40, 60, n)])


def labels(X: Recordings) -> np.ndarray:
    return np.array(["high" if np.mean(x[:, 0] > 0) > 0.5 else "low" for x in X.values])


def step_labels(X: Recordings) -> list[np.ndarray]:
    return [(x[:, 0] > 0).astype(int) for x in X.values]


FORMS = {
    "sequences": lambda X: X.named(),
    "arrays": lambda X: list(X.named()),
    "frames": lambda X: [pandas.DataFrame(x, columns=X.names) for x in X.values],
}


@pytest.fixture(scope="module")
def models() -> dict[tuple[str, str], Any]:
    """What asks a fitted model for answers, by the kind of the model and the form of its training data."""
    X = recordings(0, 40)
    options: dict[str, Any] = {"max_iter": 10, "learning_rate_init": 0.02, "random_state": 0}
    made: dict[tuple[str, str], Any] = {}
    for form, given in FORMS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tagger = RNNTagger(4, **options).fit(given(X), step_labels(X))
            regressor = RNNRegressor(4, **options).fit(given(X), [x[:, 0].mean() for x in X.values])
            pipeline = make_pipeline(LogSpectrum(fs=RATE, window=20, hop=10), RNNClassifier(4, **options))
            pipeline.fit(given(X), labels(X))
            frames = make_pipeline(Frames(4, 2), RNNClassifier(4, **options)).fit(given(X), labels(X))
            net = Network([SimpleRNN(4), Dense(2, "softmax")], input_size=3, seed=0)
            net.fit(given(X), (labels(X) == "low").astype(int), epochs=5, verbose=False)
        made["tagger", form] = tagger.predict_proba
        made["regressor", form] = regressor.predict
        made["spectrum", form] = pipeline.predict_proba
        made["frames", form] = frames.predict_proba
        made["network", form] = net.predict
    return made


# Faults. Each returns recordings, and what must become of them: "same" answers, or to be "told".


def shuffled(X, r):
    order = np.roll(np.arange(3), r.integers(1, 3))
    return replace(X.each(lambda x: x[:, order]), names=tuple(X.names[i] for i in order)), "same"


def converted(X, r):
    unit = r.choice([unit for unit in FACTORS if unit != X.unit])
    return replace(X.each(lambda x: x * FACTORS[unit]), unit=str(unit)), "same or told"


def another_unit(X, r):
    return replace(X, unit=str(r.choice(["T", "mmHg", "1/min", "%"]))), "told"


def renamed(X, r):
    names = list(X.names)
    names[r.integers(3)] = str(r.choice(["Fp2", "fp1", "EEG Cz", "Fp1 "]))
    return replace(X, names=tuple(names)), "told"


def one_fewer(X, r):
    kept = np.delete(np.arange(3), r.integers(3))
    return replace(X.each(lambda x: x[:, kept]), names=tuple(X.names[i] for i in kept)), "told"


def one_more(X, r):
    at = int(r.integers(4))
    names = list(X.names)
    names.insert(at, "row")
    return replace(X.each(lambda x: np.insert(x, at, np.arange(len(x)), axis=1)), names=tuple(names)), "told"


def twice(X, r):
    names = list(X.names)
    i = int(r.integers(3))
    names[i] = names[(i + 1) % 3]
    return replace(X, names=tuple(names)), "told"


def another_rate(X, r):
    return replace(X.each(lambda x: x[::2]), rate=RATE / 2), "told"


def turned(X, r):
    return replace(X.each(lambda x: np.ascontiguousarray(x.T)), names=None, unit=""), "told"


def not_a_number(X, r):
    values = [x.copy() for x in X.values]
    x = values[r.integers(len(values))]
    x[r.integers(len(x)), r.integers(3)] = r.choice([np.nan, np.inf, -np.inf])
    return replace(X, values=values), "told"


FAULTS = (
    shuffled, converted, another_unit, renamed, one_fewer, one_more, twice, another_rate, turned,
    not_a_number,
)  # fmt: skip
SAID_BY_FRAMES = (shuffled, renamed, one_fewer, one_more, twice, not_a_number)  # no units, no rate


def outcome(call: Any, clean: Any) -> tuple[str, Any]:
    """Return what a call does beside the answers to clean data, such as "refused", and the evidence."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        try:
            answer = call()
        except (ValueError, TypeError) as error:
            return "refused", str(error)
    a, b = stack(answer).ravel(), stack(clean).ravel()
    same = a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-5)
    if notes:
        return ("noted", [str(note.message) for note in notes])
    return ("same" if same else "other"), (a, b)


def check(models: Any, draws: int, seed: int) -> None:
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for draw in range(draws):
        r = np.random.default_rng([seed, draw])
        kind, fitted = list(models)[r.integers(len(models))]
        ask = models[kind, fitted]
        form = str(r.choice(list(FORMS)))
        fault = FAULTS[r.integers(len(FAULTS))]
        if "frames" in (form, fitted) and fault not in SAID_BY_FRAMES:
            continue
        X = recordings(1000 + draw)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clean = ask(FORMS[fitted](X))
        wrong, right = fault(X, r)
        found, evidence = outcome(lambda: ask(FORMS[form](wrong)), clean)  # noqa: B023  called at once
        seen[fault.__name__][found] += 1
        told = found in ("refused", "noted")
        assert found != "refused" or len(evidence) > 15, evidence
        assert {"same": found == "same", "told": told, "same or told": found != "other"}[right], (
            kind, fitted, form, fault.__name__, found, evidence,
        )  # fmt: skip
    for fault in FAULTS:
        assert sum(seen[fault.__name__].values()) >= draws // 100, seen


def test_faults_of_columns_units_axes_and_numbers_are_told(models):
    check(models, 300, 0)


@pytest.mark.prove
def test_thousands_of_faults_of_columns_units_axes_and_numbers_are_told(models):
    check(models, proofs(20_000), 1)


# Files, through the commands. Each fault changes the rows of a table; answers are compared by sequence.

COLUMNS = ["id", "time", "hr", "bp", "label"]


def table(seed: int, n: int = 30, steps: int = 6) -> pandas.DataFrame:
    r = np.random.default_rng(seed)
    y = r.permutation(np.arange(n) % 2)
    return pandas.DataFrame(
        {
            "id": np.repeat([f"p{i}" for i in range(n)], steps),
            "time": np.tile(np.arange(steps), n),
            "hr": 60 + 5 * r.normal(size=n * steps),
            "bp": np.repeat(80.0 + 20 * y, steps) + 5 * r.normal(size=n * steps),
            "label": np.repeat(np.where(y, "awake", "asleep"), steps),
        }
    )


def columns_shuffled(d, r):
    return d[list(r.permutation(d.columns))], "same"


def column_renamed(d, r):
    return d.rename(columns={str(r.choice(["hr", "bp"])): "spo2"}), "told"


def column_added(d, r):
    name = str(r.choice(["spo2", "Unnamed: 0", "row"]))
    return d.assign(**{name: np.arange(len(d))})[[name, *COLUMNS]], "told"


def column_dropped(d, r):
    return d.drop(columns=str(r.choice(["hr", "bp"]))), "told"


def cell_emptied(d, r):
    d = d.astype(object)
    d.loc[int(r.integers(len(d))), str(r.choice(["hr", "bp"]))] = str(r.choice(["", "NA", "?", "1,5", "inf"]))
    return d, "told"


def label_missing(d, r):
    d = d.astype(object)
    whose = str(r.choice(d["id"].unique()))
    d.loc[d["id"] == whose, "label"] = str(r.choice(["", "NA", "null", "?", "<NA>"]))
    return d, "told"


TABLE_FAULTS = (
    columns_shuffled, column_renamed, column_added, column_dropped, cell_emptied, label_missing,
)  # fmt: skip


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(0, 60).to_csv("train.csv", index=False)
    options = ("--epochs", 40, "--rate", 0.01, "--hidden", 8, "--no-curves", "-q")
    assert command("train", "train.csv", "-m", "m.elman", *options).code == 0


def check_tables(draws: int, seed: int) -> None:
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for draw in range(draws):
        r = np.random.default_rng([seed, draw])
        fault = TABLE_FAULTS[r.integers(len(TABLE_FAULTS))]
        d = table(1000 + draw)
        wrong, right = fault(d, r)
        d.to_csv("clean.csv", index=False)
        wrong.to_csv("wrong.csv", index=False)
        verb = str(r.choice(["predict", "evaluate"]))
        if fault is label_missing:
            verb = "evaluate"  # predict reads no labels
        more = ("--no-picture",) if verb == "evaluate" else ()
        clean, found = (command(verb, "m.elman", f"{name}.csv", *more) for name in ("clean", "wrong"))
        assert clean.code == 0, clean
        if found.code:
            assert found.code == 2 and found.out == "" and "wrong.csv" in found.err, found
        same = found.out.replace("wrong.csv", "clean.csv") == clean.out
        how = "refused" if found.code else "same" if same else "other"
        seen[fault.__name__][how] += 1
        assert how == {"same": "same", "told": "refused"}[right], (fault.__name__, verb, found)
    assert set(seen) == {fault.__name__ for fault in TABLE_FAULTS}, seen


def test_faults_of_files_are_told(trained):
    check_tables(40, 0)


@pytest.mark.prove
def test_hundreds_of_faults_of_files_are_told(trained):
    check_tables(proofs(1_000), 1)
