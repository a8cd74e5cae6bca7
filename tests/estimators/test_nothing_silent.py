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

import elman
from elman import Dense, Network, RNNClassifier, RNNRegressor, RNNTagger, Sequences, SimpleRNN
from elman.features import Frames, LogSpectrum
from elman.monitoring import Answer, Monitor, SlidingStream
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


# Labels that are learned from.


def minus_one(y, r):
    y = [each.copy() for each in y]
    y[r.integers(len(y))][r.integers(5)] = -1
    return y


def nan_label(y, r):
    y = [each.astype(float) for each in y]
    y[r.integers(len(y))][r.integers(5)] = np.nan
    return y


def none_label(y, r):
    y = [each.astype(object) for each in y]
    y[r.integers(len(y))][r.integers(5)] = None
    return y


def empty_label(y, r):
    y = [each.astype(str).astype(object) for each in y]
    y[r.integers(len(y))][r.integers(5)] = ""
    return y


def masked_label(y, r):
    i = int(r.integers(len(y)))
    return [np.ma.masked_equal(each, 1) if k == i else each for k, each in enumerate(y)]


def one_label_short(y, r):
    i = int(r.integers(len(y)))
    return [each[:-1] if k == i else each for k, each in enumerate(y)]


LABEL_FAULTS = (minus_one, nan_label, none_label, empty_label, masked_label, one_label_short)


def check_labels(draws: int, seed: int) -> None:
    for draw in range(draws):
        r = np.random.default_rng([seed, draw])
        X = recordings(1000 + draw, 6)
        fault = LABEL_FAULTS[draw % len(LABEL_FAULTS)]
        model = RNNTagger(2, max_iter=1, random_state=0)
        wrong = fault(step_labels(X), r)
        found, evidence = outcome(lambda: [model.fit(X.named(), wrong).classes_.tolist()], [[0, 1]])  # noqa: B023
        assert found == "refused", (fault.__name__, found, evidence)
        assert len(evidence) > 15, evidence


def test_faults_of_labels_are_told():
    check_labels(30, 0)


@pytest.mark.prove
def test_hundreds_of_faults_of_labels_are_told():
    check_labels(proofs(1_000), 1)


# Outputs that are no numbers: networks whose states grow until they overflow.


def check_outputs(draws: int, seed: int) -> None:
    seen: Counter[bool] = Counter()
    for draw in range(draws):
        r = np.random.default_rng([seed, draw])
        dtype = str(r.choice(["float32", "float64"]))
        per_step, classes = bool(r.integers(2)), int(r.integers(2, 5))
        cell = SimpleRNN(3, str(r.choice(["relu", "identity"])), return_sequences=per_step)
        net = Network([cell, Dense(classes, "softmax")], input_size=1, dtype=dtype, seed=draw)
        net.weights["0.recurrent_kernel"][:] = r.uniform(0.5, 4.0) * np.eye(3)
        X = [r.normal(size=(int(steps), 1)) for steps in r.integers(5, 900, 4)]
        y = [r.integers(classes, size=len(x) if per_step else None) for x in X]
        raw = net.record(X).outputs
        raw = np.concatenate(raw) if per_step else raw
        finite = bool(np.isfinite(raw).all())
        seen[finite] += 1
        found, _ = outcome(lambda: net.predict(X), raw)  # noqa: B023
        assert found == ("same" if finite else "refused"), (draw, found)
        with np.errstate(invalid="ignore"):
            right = np.isfinite(raw).all(axis=1) & (raw.argmax(axis=1) == np.hstack(y))
        assert net.evaluate(X, y)["accuracy"] == pytest.approx(right.mean(), abs=1e-6)
        stream = net.stream()
        where = int(np.argmin([np.isfinite(row).all() for row in raw])) if per_step and not finite else None
        if where is not None:
            first = int(np.searchsorted(np.cumsum([len(x) for x in X]), where, side="right"))
            with pytest.raises(ValueError, match="led to the answer"):
                stream.steps(X[first])
            stream.reset()
            assert np.isfinite(stream.step(X[0][0])).all()
    assert min(seen[True], seen[False]) > draws // 10, seen


def test_outputs_that_are_no_numbers_are_told():
    check_outputs(40, 0)


@pytest.mark.prove
def test_hundreds_of_outputs_that_are_no_numbers_are_told():
    check_outputs(proofs(2_000), 1)


# A live signal: channels of another order, name or unit, a dead channel, samples that are lost.


@pytest.fixture(scope="module")
def watched():
    X = recordings(0, 40).each(lambda x: np.tile(x, (8, 1)))
    pipeline = make_pipeline(
        LogSpectrum(fs=RATE, window=50, hop=25),
        RNNClassifier(4, pooling="mean", max_iter=10, learning_rate_init=0.02, random_state=0),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pipeline.fit(X.named(), labels(X))


def answers_and_notes(model, x, channels, keep=slice(None)):
    """Return what the monitor answers and notes of a signal (T, 3), of which it gets some of the samples."""
    sliding = SlidingStream(lambda: elman.stream(model), 300, first=50, every=25)
    monitor = Monitor(sliding, features=3, rate=RATE, channels=channels)
    stamps = np.arange(len(x)) / RATE
    x, stamps = x[keep], stamps[keep]
    said = [what for k in range(0, len(x), 10) for what in monitor.feed(x[k : k + 10], stamps[k : k + 10])]
    answers = {what.sample: what.values for what in said if isinstance(what, Answer) and what.reliable}
    return answers, [what.text for what in said if not isinstance(what, Answer)]


def check_live(model, draws: int, seed: int) -> None:
    for draw in range(draws):
        r = np.random.default_rng([seed, draw])
        x = r.normal(size=(1500, 3)) * np.array([30.0, 100.0, 10.0])
        clean, notes = answers_and_notes(model, x, NAMES)
        assert len(clean) > 30
        assert not notes
        fault = ("order", "name", "dead", "zero", "loud", "lost", "nan")[draw % 7]
        wrong, names, keep = x.copy(), NAMES, slice(None)
        channel, begin = int(r.integers(3)), int(r.integers(300, 800))
        if fault == "order":
            order = np.roll(np.arange(3), r.integers(1, 3))
            wrong, names = x[:, order], tuple(NAMES[i] for i in order)
        elif fault == "name":
            names = tuple("Oz" if i == channel else name for i, name in enumerate(NAMES))
        elif fault == "dead":
            wrong[begin:, channel] = wrong[begin, channel]
        elif fault == "zero":
            wrong[begin:, channel] = 0.0
        elif fault == "loud":
            wrong[begin:, channel] *= float(r.choice([1e3, 1e-3]))
        elif fault == "lost":
            keep = np.flatnonzero(r.random(len(x)) < r.uniform(0.1, 0.7))
        else:
            wrong[begin : begin + 300, channel] = np.nan
        if fault == "name":
            with pytest.raises(ValueError, match="'Oz' is unknown"):
                answers_and_notes(model, wrong, names)
            continue
        found, notes = answers_and_notes(model, wrong, names, keep)
        if fault == "order":
            assert found.keys() == clean.keys()
            assert not notes
            assert all(np.allclose(found[at], clean[at]) for at in clean)
        else:
            assert notes, (draw, fault)
            late = {at for at in found if at > begin + 75} if fault in ("dead", "zero", "loud") else set()
            assert not late, (draw, fault, late)  # half a second to find it, and an answer that is due


def test_faults_of_a_live_signal_are_told(watched):
    check_live(watched, 14, 0)


@pytest.mark.prove
def test_hundreds_of_faults_of_a_live_signal_are_told(watched):
    check_live(watched, proofs(700), 1)


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
