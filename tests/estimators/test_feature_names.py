"""Models know the names, units and rate of their features, and read others in their own order."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import elman
from elman import Adam, Dense, Network, RNNClassifier, Sequences, SimpleRNN, fit_many, generate, sensitivity
from elman.datasets import simulate_eeg
from elman.evaluation import chunk
from elman.features import BandPower, FillMissing, Frames
from helpers.estimators import KINDS, make
from helpers.support import assert_same_bits, stack

RNG = np.random.default_rng(0)
NAMES, UNITS, RATE = ("hr", "bp", "spo2"), ("1/min", "mV", ""), 10.0
VALUES = RNG.normal(size=(12, 6, 3))
CLASSES, NUMBERS = np.arange(12) % 2, RNG.normal(size=12)
STEPS = (VALUES[:, :, 0] > 0).astype(int)
ORDER = [2, 0, 1]
OTHERS = r"expected 'hr', 'bp', 'spo2' \(as in fit\): 'bp' is missing, 'x' is unknown"


def answers(kind):
    return {"classifier": CLASSES, "regressor": NUMBERS, "step_regressor": VALUES[:, :, 1], "tagger": STEPS}[
        kind
    ]


def sequences(values, names=NAMES, units=UNITS, rate=RATE):
    flat = np.concatenate(list(values))
    offsets = np.cumsum([0, *map(len, values)])
    return Sequences(flat, offsets, feature_names=names, feature_units=units, rate=rate)


def swapped():
    """The same sequences, their columns in another order."""
    pick = lambda what: tuple(what[i] for i in ORDER)  # noqa: E731
    return sequences(VALUES[:, :, ORDER], pick(NAMES), pick(UNITS))


def forms(X):
    pandas = pytest.importorskip("pandas")
    yield X
    yield list(X)
    yield [pandas.DataFrame(np.asarray(x), columns=x.feature_names) for x in X]


RIGHT, RENAMED = sequences(VALUES), sequences(VALUES, ("hr", "x", "spo2"))


def small(kind, **options):
    return make(kind, **{"hidden_layer_sizes": 4, "max_iter": 3, "random_state": 0} | options)


@pytest.mark.parametrize("kind", KINDS)
def test_an_estimator_reads_by_name(kind):
    model = small(kind).fit(RIGHT, answers(kind))
    assert model.feature_names_in_.tolist() == list(NAMES) and model.feature_names_in_.dtype == object
    assert (model.feature_units_, model.rate_) == (UNITS, RATE)
    expected = stack(model.predict(RIGHT))
    for X in forms(swapped()):
        assert_same_bits(stack(model.predict(X)), expected)
        assert model.score(X, answers(kind)) == model.score(RIGHT, answers(kind))
    for X in forms(RENAMED):
        with pytest.raises(ValueError, match=OTHERS):
            model.predict(X)
        with pytest.raises(ValueError, match=OTHERS):
            model.score(X, answers(kind))
    assert_same_bits(stack(model.predict(swapped()[0][None])), stack(model.predict(RIGHT[0][None])))


@pytest.mark.parametrize(
    "columns", [[("eeg", "C3"), ("eeg", "C4"), ("ecg", "I")], [7, 3, 5], ["hr", 1, 2.5], "arrow"]
)
def test_columns_are_names_also_where_they_are_no_strings(columns):
    pandas = pytest.importorskip("pandas")
    right = [pandas.DataFrame(x, columns=list(NAMES)) for x in VALUES]
    if columns == "arrow":
        make_table = pytest.importorskip("pyarrow").Table.from_pandas
    else:
        right = [frame.set_axis(columns, axis=1) for frame in right]
        make_table = lambda frame: frame  # noqa: E731
    other = [frame.iloc[:, ORDER] for frame in right]
    model = small("classifier").fit(list(map(make_table, right)), CLASSES)
    assert_same_bits(model.predict_proba(list(map(make_table, other))), model.predict_proba(right))


def test_columns_of_frames_that_are_no_measurements_are_told(tmp_path):
    """Files are refused with them; frames that pandas has read from files are told."""
    pandas = pytest.importorskip("pandas")
    frames = [pandas.DataFrame(x, columns=list(NAMES)) for x in VALUES]
    saved, table = [], pandas.DataFrame(VALUES[:, :, 0])
    for i, frame in enumerate([*frames, table]):
        frame.to_csv(tmp_path / f"{i}.csv")
        saved.append(pandas.read_csv(tmp_path / f"{i}.csv"))
    net = Network([SimpleRNN(2), Dense(1)], 4, seed=0)
    timed = [frame.assign(seconds=np.arange(6) * 0.1) for frame in frames]
    for fit, X, column in (
        (
            lambda X: small("classifier").fit(X, CLASSES),
            saved[:-1],
            "'Unnamed: 0', as saved row numbers",
        ),
        (
            lambda X: small("classifier").fit(X, CLASSES),
            saved[-1],
            "'Unnamed: 0', as saved row numbers",
        ),
        (lambda X: small("classifier").fit(X, CLASSES), timed, "'seconds', which counts the steps"),
        (lambda X: Frames(2).fit(X), timed, "'seconds', which counts the steps"),
        (lambda X: net.fit(X, NUMBERS[:, None], epochs=1, verbose=False), timed, "'seconds', which counts"),
    ):
        with pytest.warns(UserWarning, match=f"X has the column {column}.*drop it"):
            fit(X)
    chosen = [elman.NamedArray(frame, feature_names=frame.columns) for frame in timed]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for X in (frames, chosen, [frame[["hr"]] for frame in frames], [frame[:2] for frame in timed[:2]]):
            Frames(2).fit(X)


def test_the_numbers_of_columns_without_names_are_no_names():
    pandas = pytest.importorskip("pandas")
    frames = [pandas.DataFrame(x) for x in VALUES]
    model = small("classifier").fit(frames, CLASSES)
    assert model.feature_names_in_ is None
    model.predict(frames)
    with pytest.warns(UserWarning, match="X has feature names, but RNNClassifier was fitted without"):
        model.predict([frame[[1, 0, 2]] for frame in frames])


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_fit_reads_by_name(kind, tmp_path):
    y, file = answers(kind), tmp_path / "run.elman"
    plain = small(kind).fit(RIGHT, y).network_.parameters
    mixed = list(RIGHT)[:5] + list(swapped())[5:]
    assert_same_bits(small(kind).fit(mixed, y).network_.parameters, plain)
    with pytest.raises(ValueError, match=r"X\[5\] has the features 'hr', 'x', 'spo2'.*\(as X\[0\]\)"):
        small(kind).fit(list(RIGHT)[:5] + list(RENAMED)[5:], y)

    watched = [small(kind).fit(RIGHT, y, validation_data=(X, y)) for X in (RIGHT, swapped())]
    assert watched[0].validation_scores_ == watched[1].validation_scores_
    with pytest.raises(ValueError, match=f"validation_data cannot be used.*{OTHERS}"):
        small(kind).fit(RIGHT, y, validation_data=(RENAMED, y))

    warm = [small(kind, warm_start=True).fit(RIGHT, y).fit(X, y) for X in (RIGHT, swapped())]
    assert_same_bits(warm[0].network_.parameters, warm[1].network_.parameters)
    with pytest.raises(ValueError, match=OTHERS):
        warm[0].fit(RENAMED, y)

    part = [small(kind).fit(RIGHT, y).partial_fit(X, y) for X in (RIGHT, swapped())]
    assert_same_bits(part[0].network_.parameters, part[1].network_.parameters)
    with pytest.raises(ValueError, match=OTHERS):
        part[0].partial_fit(RENAMED, y)

    small(kind, max_iter=2).fit(RIGHT, y, checkpoint=file)
    with pytest.raises(ValueError, match=OTHERS):
        small(kind).fit(RENAMED, y, checkpoint=file, resume=True)
    again = small(kind).fit(swapped(), y, checkpoint=file, resume=True)
    assert again.feature_names_in_.tolist() == list(NAMES)
    assert_same_bits(again.network_.parameters, plain)


def test_a_new_fit_takes_new_names():
    model = RNNClassifier(4, max_iter=1).fit(RIGHT, CLASSES).fit(RENAMED, CLASSES)
    assert model.feature_names_in_.tolist() == ["hr", "x", "spo2"]
    model.fit(VALUES, CLASSES)
    assert model.feature_names_in_ is model.feature_units_ is model.rate_ is None
    assert not hasattr(clone(model), "feature_names_in_")


def test_names_on_one_side_only_are_told():
    model = RNNClassifier(4, max_iter=1, random_state=0).fit(RIGHT, CLASSES)
    with pytest.warns(
        UserWarning, match="X does not have valid feature names, but RNNClassifier was fitted with"
    ):
        model.predict(VALUES)
    model = RNNClassifier(4, max_iter=1, random_state=0).fit(VALUES, CLASSES)
    with pytest.warns(UserWarning, match="X has feature names, but RNNClassifier was fitted without"):
        model.predict(RIGHT)
    one = Sequences(RIGHT.values[:, :1], RIGHT.offsets, feature_names=["hr"])
    RNNClassifier(4, max_iter=1).fit(one, CLASSES).predict(VALUES[:, :, :1])  # one feature has no order


def test_the_warning_points_at_the_line_of_the_call():
    model = RNNClassifier(4, max_iter=1).fit(RIGHT, CLASSES)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.score(VALUES, CLASSES)
    assert [each.filename for each in caught] == [__file__]


def test_units_are_converted_and_told():
    model = RNNClassifier(4, max_iter=3, random_state=0).fit(RIGHT, CLASSES)
    other = sequences(VALUES * [1.0, 1e-3, 1.0], units=("1/min", "V", "%"))
    with pytest.warns(UserWarning, match=r"X was converted: 'bp' from V to mV \(as in fit\)"):
        found = model.predict_proba(other)
    np.testing.assert_allclose(found, model.predict_proba(RIGHT), rtol=1e-6)
    with pytest.raises(ValueError, match=r"X has 'bp' in Ohm, expected mV \(as in fit\)"):
        model.predict(sequences(VALUES, units=("1/min", "Ohm", "")))
    with pytest.raises(ValueError, match=r"X has 250 Hz, expected 10 Hz \(as in fit\)"):
        model.predict(sequences(VALUES, rate=250.0))


def test_files_and_pickles_keep_the_names(tmp_path):
    model = RNNClassifier(4, max_iter=2, random_state=0).fit(RIGHT, CLASSES)
    model.save(tmp_path / "model.elman")
    for other in (
        elman.load(tmp_path / "model.elman"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ):
        assert other.feature_names_in_.tolist() == list(NAMES)
        assert (other.feature_units_, other.rate_) == (UNITS, RATE)
        assert_same_bits(other.predict_proba(swapped()), model.predict_proba(RIGHT))


def test_transformers_and_pipelines_read_by_name(tmp_path):
    for features in (Frames(2), FillMissing()):
        fitted = features.fit(RIGHT)
        assert_same_bits(stack(fitted.transform(swapped())), stack(fitted.transform(RIGHT)))
        with pytest.raises(ValueError, match=OTHERS):
            fitted.transform(RENAMED)
    assert Frames(2).fit(RIGHT).get_feature_names_out().tolist()[:2] == ["hr_0", "bp_0"]
    model = make_pipeline(Frames(2), RNNClassifier(4, max_iter=3, random_state=0)).fit(RIGHT, CLASSES)
    assert model.feature_names_in_.tolist() == list(NAMES)
    elman.save(model, tmp_path / "model.elman")
    for other in (model, elman.load(tmp_path / "model.elman")):
        assert_same_bits(other.predict_proba(swapped()), model.predict_proba(RIGHT))
        with pytest.raises(ValueError, match=OTHERS):
            other.predict(RENAMED)
        assert (other[0].feature_units_, other[0].rate_) == (UNITS, RATE)


def test_features_of_another_rate_are_refused():
    X = simulate_eeg(1, kinds=("healthy", "ictal"), seconds=4.0, fs=128.0).X
    assert BandPower(128.0).fit(X).rate_ == 128.0
    with pytest.raises(ValueError, match=r"X has 128 Hz, expected 256 Hz \(fs\)"):
        BandPower(256.0).fit(X)
    unnamed = BandPower(256.0).fit(X.values.reshape(2, -1, 1))
    with pytest.raises(ValueError, match="X has 128 Hz, expected 256 Hz"):
        unnamed.transform(X)


def network():
    return Network([SimpleRNN(4), Dense(2, "softmax")], 3, seed=0)


def fitted(X=RIGHT, **options):
    net = network()
    net.fit(X, CLASSES, epochs=3, optimizer=Adam(0.01), verbose=False, **options)
    return net


def test_a_network_reads_by_name(tmp_path):
    net = fitted()
    assert net.feature_names_in_.tolist() == list(NAMES) and (net.feature_units_, net.rate_) == (UNITS, RATE)
    net.save(tmp_path / "net.elman")
    for each in (net, elman.load(tmp_path / "net.elman"), pickle.loads(pickle.dumps(net))):
        for X in forms(swapped()):
            assert_same_bits(each.predict(X), net.predict(RIGHT))
            assert each.evaluate(X, CLASSES) == net.evaluate(RIGHT, CLASSES)
            assert_same_bits(stack(each.states(X)[0]), stack(net.states(RIGHT)[0]))
            assert each.loss_and_gradient(X, CLASSES)[0] == net.loss_and_gradient(RIGHT, CLASSES)[0]
        for call in (each.predict, each.states, each.record, lambda X: fit_again(net, X)):
            with pytest.raises(ValueError, match=OTHERS):
                call(RENAMED)
    tape = net.record(list(swapped()))
    assert_same_bits(tape.outputs, net.predict(RIGHT))
    assert tape.backward(np.ones((12, 2))).inputs[0].feature_names == NAMES  # in the order of the network
    plain, other = (sensitivity.gradient_norms(net, X, CLASSES) for X in (RIGHT, swapped()))
    assert_same_bits(stack(other), stack(plain))


def fit_again(net, X):
    net.fit(X, CLASSES, epochs=1, verbose=False)


def test_every_fit_of_a_network_reads_by_name(tmp_path):
    file = tmp_path / "run.elman"
    expected = fitted().parameters
    assert_same_bits(fitted(list(RIGHT)[:5] + list(swapped())[5:]).parameters, expected)
    two = [fitted(validation_data=(X, CLASSES)).history["val_loss"] for X in (RIGHT, swapped())]
    assert two[0] == two[1]
    with pytest.raises(ValueError, match=r"validation_data\[0\] has the features 'hr', 'x', 'spo2'"):
        fitted(validation_data=(RENAMED, CLASSES))
    network().fit(RIGHT, CLASSES, epochs=2, optimizer=Adam(0.01), verbose=False, checkpoint=file)
    with pytest.raises(ValueError, match="'bp' is missing, 'x' is unknown"):
        fitted(RENAMED, checkpoint=file, resume=True)
    assert_same_bits(fitted(swapped(), checkpoint=file, resume=True).parameters, expected)
    nets = [network(), network()]
    fit_many(nets, list(RIGHT), CLASSES, epochs=3, optimizer=Adam(0.01), verbose=False)
    for net in nets:
        assert_same_bits(net.parameters, expected)
        assert net.feature_names_in_.tolist() == list(NAMES)


def test_a_fit_that_fails_leaves_no_names():
    net = network()
    with pytest.raises(ValueError, match="epochs"):
        net.fit(RIGHT, CLASSES, epochs=0, verbose=False)
    assert net.feature_names_in_ is None
    net.predict(RENAMED)  # nothing has been learned: no order is wrong
    net.fit(VALUES, CLASSES, epochs=1, verbose=False)
    with pytest.warns(
        UserWarning, match="X has feature names, but the network was fitted without feature names"
    ):
        net.predict(RIGHT)
    with pytest.warns(
        UserWarning, match="X does not have valid feature names, but the network was fitted with"
    ):
        fitted().predict(VALUES)


def test_a_file_without_names_is_as_before(tmp_path):
    net = network()
    net.fit(VALUES, CLASSES, epochs=1, verbose=False)
    spec, _ = elman.model.file.pack(net.model)
    assert not {"feature_names", "feature_units", "rate"} & set(spec)


def test_generation_begins_in_the_right_order():
    net = Network([SimpleRNN(4), Dense(3)], 3, seed=0)
    net.fit(RIGHT, NUMBERS[:, None] * np.ones(3), epochs=1, verbose=False)
    assert_same_bits(generate(net, swapped()[0], 4), generate(net, RIGHT[0], 4))


def test_chunks_keep_the_names():
    cut = chunk(list(RIGHT)[:3] + list(swapped())[3:], CLASSES, 3).X
    assert (cut.feature_names, cut.feature_units, cut.rate) == (NAMES, UNITS, RATE)
    assert_same_bits(cut.values, RIGHT.values)


@pytest.mark.parametrize("kind", ["estimator", "network", "pipeline", "features"])
def test_streams_read_by_name(kind):
    pandas = pytest.importorskip("pandas")
    classifier = RNNClassifier(4, max_iter=2, random_state=0)
    model = {
        "estimator": lambda: classifier.fit(RIGHT, CLASSES),
        "network": fitted,
        "pipeline": lambda: make_pipeline(Frames(2), classifier).fit(RIGHT, CLASSES),
        "features": lambda: Frames(2).fit(RIGHT),
    }[kind]()
    stream = elman.stream(model)
    assert (stream.feature_names, stream.feature_units, stream.rate) == (NAMES, UNITS, RATE)
    expected = stream.steps(VALUES[0])  # plain numbers are in the model's order: nothing to say
    other = swapped()[0]
    for x in (other, pandas.DataFrame(np.asarray(other), columns=other.feature_names)):
        stream.reset()
        assert_same_bits(stream.steps(x), expected)
    rows = pandas.DataFrame(np.asarray(other), columns=other.feature_names).iloc
    for steps in (list(other), [rows[i] for i in range(6)]):
        stream.reset()
        assert_same_bits(np.array([y for step in steps if (y := stream.step(step)) is not None]), expected)
    with pytest.raises(ValueError, match=f"samples has the features 'hr', 'x', 'spo2', {OTHERS}"):
        stream.steps(RENAMED[0])


def test_the_streams_of_transformers_and_learners_read_by_name():
    for features in (Frames(2).fit(RIGHT), FillMissing().fit(RIGHT)):
        expected = features.stream().steps(VALUES[0])
        assert_same_bits(features.stream().steps(swapped()[0]), expected)
        stream = features.stream()
        rows = [row for x in swapped()[0] if (row := stream.step(x)) is not None]
        assert_same_bits(np.stack(rows), expected)
    one, other = fitted().online("sgd", truncation=3), fitted().online("sgd", truncation=3)
    for x, y in zip(VALUES[0], swapped()[0], strict=True):
        assert_same_bits(one.step(x, 1), other.step(y, 1))


def test_an_estimators_own_stream_reads_by_name():
    model = RNNClassifier(4, max_iter=2, random_state=0).fit(RIGHT, CLASSES)
    expected = model.stream().steps(VALUES[0])
    assert_same_bits(model.stream().steps(swapped()[0]), expected)
    stream = model.stream()
    assert_same_bits(np.stack([stream.step(x) for x in swapped()[0]]), expected)
    many = np.stack([np.asarray(x) for x in RIGHT], axis=1)
    assert_same_bits(model.stream(12).steps(many)[:, 0], expected)
