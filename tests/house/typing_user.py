"""What a user's type checker must know of elman: `make types` reads this file, test_types.py runs it.

`assert_type` fails where a result has another type or is Any. An unused `type: ignore` fails too: each of
them proves that a wrong argument is found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import elman
from elman import Dense, Network, RNNClassifier, RNNRegressor, RNNTagger, Sequences, SimpleRNN
from elman.anaesthesia import load_vitals, simulate_anaesthesia
from elman.data.input_types import SequenceInput, SequenceOutput
from elman.datasets import edf_info, load_bonn, load_edf, load_uci_seizure, simulate_eeg, simulate_seizure
from elman.features import Frames
from elman.persistence import Loaded
from elman.sensitivity import gradient_norms

Array = NDArray[Any]
Floats = NDArray[np.float64]

ARRAY = np.zeros((2, 5, 1))
LIST = [np.zeros((3, 1)), np.ones((2, 1))]
NUMBERS = [[[0.0], [1.0]], [[1.0]]]
SEQUENCES = Sequences(np.zeros((5, 1)), [0, 2, 5])
OBJECTS = np.empty(2, object)
OBJECTS[:] = LIST


def networks() -> None:
    """Networks take X in every form, and give their results in it."""
    net = Network([SimpleRNN(3), Dense(2, activation="softmax")], input_size=1, dtype="float64", seed=0)
    data: Any
    for data in (ARRAY, LIST, NUMBERS, SEQUENCES):
        net.fit(data, [0, 1], verbose=False)
    history = net.fit(ARRAY, [0, 1], loss="cross_entropy", optimizer="adam", reduction="sum", verbose=False)
    assert_type(history, elman.History)
    assert_type(history["loss"], list[float])
    net.fit(LIST, np.array([0, 1]), validation_data=(NUMBERS, [0, 1]), memory="auto", verbose=False)
    net.fit(tuple(LIST), [[0.5, 0.5], [1.0, 0.0]], sample_weight=[1.0, 2.0], verbose=0)
    assert_type(net.predict(ARRAY), Array)
    assert_type(net.predict(LIST), Array | list[Array])
    assert_type(net.predict(NUMBERS), Array | list[Array])
    assert_type(net.predict([np.zeros((3, 1)), [[1.0]]]), Array | list[Array])
    assert_type(net.predict(SEQUENCES, initial_state=[None]), Array | Sequences)
    assert_type(net.evaluate(ARRAY, [0, 1]), dict[str, float])
    assert_type(net.loss_and_gradient(LIST, [0, 1]), tuple[float, Array])
    assert_type(net.states(ARRAY), list[Array])
    assert_type(net.states(LIST), list[list[Array]])
    assert_type(net.states(SEQUENCES), list[Sequences])
    assert_type(net.record(ARRAY).outputs, Array)
    assert_type(net.record(LIST).outputs, Array | list[Array])
    assert_type(net.record(SEQUENCES).states, list[Sequences])
    assert_type(net.record(ARRAY).backward(np.ones((2, 2))).inputs, Array | None)
    assert_type(net.weights["0.kernel"], Array)
    assert_type(gradient_norms(net, ARRAY, [0, 1]), Floats)
    assert_type(gradient_norms(net, LIST, [0, 1]), list[Floats])
    assert_type(elman.fit_many([net], LIST, [0, 1], verbose=False), list[elman.History])
    assert elman.check_gradient(net, NUMBERS, [0, 1]).ok
    stream = net.stream()
    assert_type(stream.step([0.5]), Array)
    stream.state = stream.state
    net.predict(ARRAY, initial_state=[np.zeros((2, 3))])
    assert_type(net.online("sgd", rule="rtrl").step([1.0], 1), Array)
    net.weights["1.bias"] = [0.0, 1.0]
    net.constrain("0.kernel", sign=[1])


def estimators() -> None:
    """Estimators do so too, and tables of numbers with them."""
    classifier = RNNClassifier(3, max_iter=1, class_weight="balanced", dtype=np.float32).fit(LIST, ["a", "b"])
    assert_type(classifier, RNNClassifier)
    assert_type(classifier.predict(LIST), Array)
    assert_type(classifier.predict_proba(OBJECTS), Array)
    RNNClassifier((3, 2), max_iter=1).fit([[0.0, 1.0], [1.0, 0.0]], [True, False])
    labels = [np.array([0, 1, -1]), np.array([1, 0])]
    tagger = RNNTagger(3, max_iter=1, cell="gru", learning_rate="cosine", missing_label=-1).fit(LIST, labels)
    tagger.fit(LIST, labels, sample_weight=[np.ones(3), np.array([0.5, 2.0])])
    assert_type(tagger.predict(ARRAY), Array)
    assert_type(tagger.predict(LIST), Array | list[Array])
    assert_type(tagger.predict(SEQUENCES), list[Array] | Sequences)
    assert_type(tagger.predict_proba(SEQUENCES), Sequences)
    assert_type(tagger.stream().step([0.5]), Array)
    regressor = RNNRegressor(3, max_iter=1, solver="sgd", pooling="mean").fit(ARRAY, [0.0, 1.0])
    assert_type(regressor.predict(ARRAY), Array)
    assert_type(regressor.predict(SEQUENCES), Array | Sequences)
    assert_type(regressor.score(ARRAY, [0.0, 1.0]), float)


def features_and_data() -> None:
    """Features have results in the form of X, and data sets have typed fields."""
    frames = Frames(2, 1)
    assert_type(frames.fit(LIST), Frames)
    assert_type(frames.transform(ARRAY), Array)
    assert_type(frames.fit_transform(LIST), Array | list[Array])
    X, y, description = simulate_eeg(1, kinds=["healthy", "ictal"], seconds=0.5)
    assert_type(X, Sequences)
    assert_type(y, Array)
    assert_type(description.fs, float)
    assert_type(simulate_seizure(2.0, onset=0.5, duration=1.0).y, list[Array])
    assert_type(simulate_anaesthesia(1, minutes=(20, 30)).y, list[Array])


def kept(path: Path) -> None:
    """What is loaded can predict as it is."""
    Network([SimpleRNN(3)], input_size=1, seed=0).save(path)
    model = elman.load(path)
    assert_type(model, Loaded)
    assert_type(model.predict(ARRAY), Array)
    assert_type(model.predict(SEQUENCES), SequenceOutput)
    Network([SimpleRNN(3)], input_size=1, seed=0).online("sgd").save(path)
    learner = elman.load(path)
    assert isinstance(learner, elman.Learner)
    assert learner.step([1.0]).shape == (3,)


def files(path: Path) -> None:
    """Readers of files; this function is not run."""
    assert_type(load_edf(path).y, None)
    assert_type(load_edf(path, labels={"seizure": 1}).y, list[Array])
    assert_type(load_edf([path, "b.edf"], subjects=lambda file: file[:3], annotations={"b": path}).y, None)
    assert_type(edf_info(path).channels, tuple[str, ...])
    assert_type(load_bonn(path).y, Array)
    assert_type(load_uci_seizure(path).X, Sequences)
    assert_type(load_vitals(path).y, list[Array])
    assert_type(elman.read_sequences(path, layout="long"), tuple[list[Array], Array | list[Array] | None])


def wrong(net: Network, X: SequenceInput, path: Path) -> None:
    """What a type checker must find; this function is not run."""
    SimpleRNN(3, "softmax")  # type: ignore[arg-type]
    SimpleRNN(3, activation="softmaxx")  # type: ignore[arg-type]
    Dense(3, activation="softmaxx")  # type: ignore[arg-type]
    Network([SimpleRNN(3)], 1, dtype="float16")  # type: ignore[arg-type]
    net.fit(X, [0], loss="crossentropy")  # type: ignore[arg-type]
    net.fit(X, [0], optimizer="adamm")  # type: ignore[arg-type]
    net.fit(X, [0], reduction="max")  # type: ignore[arg-type]
    net.fit(X, [0], memory="much")  # type: ignore[arg-type]
    net.fit(3, [0])  # type: ignore[arg-type]
    net.online("lbfgs")  # type: ignore[arg-type]
    net.online("sgd", rule="rtlr")  # type: ignore[arg-type]
    net.predict(None)  # type: ignore[call-overload]
    RNNClassifier(cell="transformer")  # type: ignore[arg-type]
    RNNClassifier(activation="softmaxx")  # type: ignore[arg-type]
    RNNClassifier(solver="newton")  # type: ignore[arg-type]
    RNNClassifier(learning_rate="linear")  # type: ignore[arg-type]
    RNNClassifier(pooling="first")  # type: ignore[arg-type]
    RNNClassifier(class_weight="balance")  # type: ignore[arg-type]
    elman.second_order.jacobian(net, X, way="forward")  # type: ignore[arg-type]
    elman.read_sequences(path, layout="tall")  # type: ignore[arg-type]
    simulate_eeg(kinds=["epileptic"])  # type: ignore[list-item]
    elman.features.FillMissing(before="median")  # type: ignore[arg-type]
    elman.load(path).step([1.0])  # type: ignore[union-attr]
