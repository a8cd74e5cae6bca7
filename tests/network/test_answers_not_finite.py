"""An answer that is NaN or infinite is an error that names its sequence, and never right in a metric."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import elman
from elman import GRU, Dense, Embedding, MaxPool, MeanPool, Network, Sequences, SimpleRNN
from elman.anaesthesia import DepthForecaster, simulate_anaesthesia
from elman.errors import NonFiniteError
from elman.monitoring import Alarm, Answer, ChunkedStream, Monitor, SlidingStream

LONG = 400


def spoiled(head=None, *, activation="identity", sequences=False, dtype="float32", below=(), factor=3.0):
    """A network whose states grow by a factor each step: NaN after 80 steps or 650."""
    layers = [*below, SimpleRNN(4, activation, return_sequences=sequences)]
    net = Network([*layers, *([head] if head else [])], input_size=1, dtype=dtype, seed=0)
    net.weights[f"{len(below)}.recurrent_kernel"][:] = factor * np.eye(4)
    return net


def forms(length):
    """Three sequences of which the second is too long, in each form."""
    short = np.ones((5, 1))
    listed = [short, np.ones((length, 1)), short]
    yield listed, 1
    yield Sequences(np.concatenate(listed), [0, 5, 5 + length, 10 + length]), 1
    yield np.ones((2, length, 1)), 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("head", [Dense(3, "softmax"), Dense(1, "sigmoid"), Dense(2), None], ids=str)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_predict_names_the_sequence(dtype, head, sequences, n_threads):
    net = spoiled(head, sequences=sequences, dtype=dtype)
    for X, row in forms(LONG * (1 + (dtype == "float64"))):
        with pytest.raises(NonFiniteError) as raised:
            net.predict(X, n_threads=n_threads)
        assert raised.value.where == f"X[{row}]"
        assert ("at step" in raised.value.problem) == sequences
        assert np.isnan(net.record(X).states[0][row]).any() or np.isinf(net.states(X)[0][row]).any()


def test_the_step_is_the_first_one():
    net = spoiled(Dense(2), sequences=True)
    short = np.ones((3, 1))
    with pytest.raises(NonFiniteError) as raised:
        net.predict([short, np.ones((LONG, 1))])
    step = int(raised.value.problem.rpartition(" ")[2])
    assert len(net.predict([short, np.ones((step, 1))])[1]) == step
    with pytest.raises(NonFiniteError, match=rf"^X\[1\] has the output \S+ at step {step}, expected finite"):
        net.predict([short, np.ones((step + 1, 1))])


@pytest.mark.parametrize("spoil", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_noticed(spoil):
    net = Network([SimpleRNN(3), Dense(1)], input_size=1, seed=0)
    net.weights["1.bias"][0] = spoil
    with pytest.raises(NonFiniteError, match=r"^X\[0\] has the output (nan|inf)"):
        net.predict(np.zeros((1, 1, 1)))
    with pytest.raises(NonFiniteError, match="at step 0 "):
        net.stream().step([0.0])
    with pytest.raises(NonFiniteError, match=r"^x led to an output that is not finite"):
        net.online("sgd").step([0.0])


@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.parametrize("upper", [[], [MaxPool()], [MeanPool()], [GRU(3)], [SimpleRNN(3, "relu")]], ids=str)
def test_no_layer_above_makes_a_number_of_nan(activation, upper):
    """inf - inf in the states below: whatever reads them."""
    layers = [SimpleRNN(4, activation, return_sequences=bool(upper)), *upper, Dense(2, "softmax")]
    net = Network(layers, input_size=1, seed=0)
    net.weights["0.recurrent_kernel"][:] = np.kron(np.eye(2), [[3.0, -3.0], [-3.0, 3.0]])
    net.weights["0.kernel"][:] = [[1.0, -1.0, 1.0, -1.0]]
    net.weights["0.bias"][:] = [0.0, 1.0, 0.0, 1.0]
    X = np.ones((1, LONG, 1))
    assert np.isnan(net.states(X)[0]).any() or activation == "relu"
    if np.isnan(net.states(X)[0]).any():
        with pytest.raises(NonFiniteError):
            net.predict(X)


# ---------------------------------------------------------------------------------------------------- metrics


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_no_class_is_right_for_nan(classes, sequences, n_threads):
    net = spoiled(Dense(classes, "softmax"), sequences=sequences)
    X = np.ones((2, LONG, 1))
    for c in range(classes):
        y = np.full((2, LONG), c) if sequences else [c, c]
        found = net.evaluate(X, y, n_threads=n_threads)
        assert np.isnan(found["loss"])
        finite = np.isfinite(net.states(X)[0]).all(axis=2).mean() if sequences else 0.0
        assert found["accuracy"] <= finite
        shares = np.eye(classes)[np.asarray(y)]
        assert net.evaluate(X, shares, n_threads=n_threads)["accuracy"] <= finite


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("outputs", [1, 2, 20])
def test_no_binary_answer_is_right_for_nan(outputs, sequences):
    net = spoiled(Dense(outputs, "sigmoid"), sequences=sequences)
    X = np.ones((3, LONG, 1))
    for answer in (0.0, 1.0):
        y = np.full((3, LONG, outputs) if sequences else (3, outputs), answer)
        finite = np.isfinite(net.states(X)[0]).all(axis=2).mean() if sequences else 0.0
        assert net.evaluate(X, y)["accuracy"] <= finite


def test_accuracy_of_finite_answers_is_as_before():
    """The first of several largest is the answer, among logits of any size below infinity."""
    net = Network([SimpleRNN(2), Dense(3, "softmax")], input_size=1, seed=0)
    X, large = np.zeros((1, 1, 1)), float(np.finfo(np.float32).max)
    for logits, right in (
        ([0, 0, 0], 0),
        ([1, 2, 2], 1),
        ([-large, -large, -1], 2),
        ([large, 0, 0], 0),
        ([-np.inf, 0, -1], 1),
        ([-large, -0.95 * large, -large], 1),  # below -3e38 all of them
    ):
        net.parameters[:] = 0.0
        net.weights["1.bias"][:] = logits
        assert int(net.predict(X)[0].argmax()) == right
        assert [net.evaluate(X, [c])["accuracy"] for c in range(3)] == [float(c == right) for c in range(3)]


def test_histories_never_count_nan_as_right():
    net = spoiled(Dense(2, "softmax"))
    with pytest.raises(elman.DivergenceError):
        net.fit(np.ones((2, 3, 1)), [0, 1], validation_data=(np.ones((2, LONG, 1)), [0, 0]), verbose=False)
    assert not any(net.history.history["val_accuracy"])


# ---------------------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize("rows", [None, 1, 3])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_stream_names_the_step_and_can_be_reset(rows, at_once):
    net = spoiled(Dense(2, "softmax"))
    one = np.ones(1) if rows is None else np.zeros((rows, 1))
    if rows is not None:
        one[-1] = 1.0
    stream, fresh = net.stream(rows), net.stream(rows).step(one)

    def take_all():
        if at_once:
            return stream.steps(np.stack([one] * LONG))
        return [stream.step(one) for _ in range(LONG)]

    with pytest.raises(NonFiniteError) as raised:
        take_all()
    assert raised.value.where == ("x" if rows is None else f"x[{rows - 1}]")
    step = int(raised.value.problem.removesuffix(" (from 0)").rpartition(" ")[2])
    again = net.stream(rows)
    assert np.isfinite(again.steps(np.stack([one] * step))).all()
    with pytest.raises(NonFiniteError, match=f"at step {step} "):
        again.step(one)
    with pytest.raises(NonFiniteError, match=f"at step {step + 1} "):
        again.step(one)
    stream.reset()
    np.testing.assert_array_equal(stream.step(one), fresh)
    again.state = net.stream(rows).state
    np.testing.assert_array_equal(again.steps(one[None])[0], fresh)


def test_a_stream_over_integers_and_a_learner():
    layers = [Embedding(2), SimpleRNN(4, "identity", return_sequences=True), Dense(2, "softmax")]
    net = Network(layers, seed=0)
    net.weights["1.recurrent_kernel"][:] = 3 * np.eye(4)
    with pytest.raises(NonFiniteError, match="at step"):
        net.stream().steps(np.ones(LONG, int))
    with pytest.raises(NonFiniteError, match="at step"):
        elman.generate(net, [0, 1], LONG, seed=0)
    with pytest.raises(NonFiniteError, match="at step"):
        elman.generate(net, [0, 1], LONG, temperature=0.0)
    learner = net.online("sgd")
    first = learner.step(1)
    with pytest.raises(NonFiniteError, match="reset"):
        all(learner.step(1).any() for _ in range(LONG))
    with pytest.raises(RuntimeError, match="NaN or infinite"):
        learner.step(1, 0)
    learner.reset()
    np.testing.assert_array_equal(learner.step(1), first)


# ----------------------------------------------------------------------------------------- estimators and all


def fitted(kind, **options):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(k, 2)) for k in rng.integers(10, 20, 12)]
    y = np.arange(12) % 2
    if kind is elman.RNNTagger or options.get("return_sequences"):
        y = [np.arange(len(x)) % 2 for x in X]
    model = kind(4, activation="relu", max_iter=1, random_state=0, **options).fit(X, y)
    model.network_.weights["0.recurrent_kernel"][:] = 3 * np.eye(4)
    return model, X, y


KINDS = [
    (elman.RNNClassifier, {}),
    (elman.RNNClassifier, {"pooling": "mean"}),
    (elman.RNNTagger, {}),
    (elman.RNNRegressor, {}),
    (elman.RNNRegressor, {"return_sequences": True}),
]


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_estimators_name_the_sequence(kind, options):
    model, X, y = fitted(kind, **options)
    bad = [*X[:2], np.ones((1000, 2)), *X[3:]]
    answers = [*y[:2], np.arange(1000) % 2, *y[3:]] if isinstance(y, list) else y
    calls = [lambda: model.predict(bad), lambda: model.score(bad, answers)]
    if hasattr(model, "predict_proba"):
        calls.append(lambda: model.predict_proba(bad))
    if hasattr(model, "predict_log_proba"):
        calls.append(lambda: model.predict_log_proba(bad))
    for call in calls:
        with pytest.raises(NonFiniteError, match=r"^X\[2\] has the output (nan|inf|-inf)"):
            call()
    for stream in (model.stream(), elman.stream(model)):
        first = stream.step([1.0, 1.0])
        with pytest.raises(NonFiniteError, match=r"^(x|samples) led to the answer -?(nan|inf) at step \d+ "):
            stream.steps(bad[2])
        stream.reset()
        np.testing.assert_array_equal(stream.step([1.0, 1.0]), first)


def test_a_pipeline_of_features():
    rng = np.random.default_rng(0)
    X, y = [rng.normal(size=(40, 1)) for _ in range(12)], np.arange(12) % 2
    model = make_pipeline(
        elman.features.Frames(4, 2), elman.RNNClassifier(4, activation="relu", max_iter=1, random_state=0)
    ).fit(X, y)
    model[-1].network_.weights["0.recurrent_kernel"][:] = 3 * np.eye(4)
    bad = np.ones((3000, 1))
    with pytest.raises(NonFiniteError, match=r"^X\[1\] has the output nan"):
        model.predict([X[0], bad])
    stream = elman.stream(model)
    expected = stream.steps(X[0])
    stream.reset()
    with pytest.raises(NonFiniteError, match=r"^samples led to the answer nan at step"):
        stream.steps(bad)
    stream.reset()
    np.testing.assert_array_equal(stream.steps(X[0]), expected)


@pytest.mark.parametrize("sliding", [False, True])
def test_the_monitor_notes_it_raises_nothing_and_begins_anew(sliding):
    model, _, _ = fitted(elman.RNNClassifier)
    rate = 100.0

    def opened():
        return elman.stream(model)

    stream = SlidingStream(opened, 4000) if sliding else ChunkedStream(opened)
    alarm = Alarm("1", index=1, on=2.0, off=1.5)  # never
    monitor = Monitor(stream, features=2, rate=rate, alarm=alarm)
    samples = np.ones((1500, 2))
    happened = []
    for k in range(0, 1500, 10):
        happened += monitor.feed(samples[k : k + 10], np.arange(k, k + 10) / rate)
    events = [what for what in happened if not isinstance(what, Answer)]
    assert {event.kind for event in events} == {"refused"}
    assert len(events) == monitor.resets >= 2
    assert "led to the answer nan at step" in events[0].text
    assert events[0].text.endswith("a new sequence begins")
    assert not monitor.alarms
    answers = [what for what in happened if isinstance(what, Answer)]
    assert all(np.isfinite(answer.values).all() for answer in answers)
    # The window is never full before the next new sequence.
    assert len(answers) == monitor.answers == (0 if sliding else 1500 - monitor.left_out)


def test_forecasts_of_depth():
    data = simulate_anaesthesia(3, seed=3, minutes=(30, 45))
    model = DepthForecaster(data.description.channels, cells=("rnn",), hidden=3, epochs=1).fit(data.X)
    for network in model.networks_:
        network.network_.parameters[-1] = np.nan
    for call in (model.predict, model.predict_depth, model.predict_change_proba):
        with pytest.raises(NonFiniteError, match=r"^X\[0\] has the output nan at step 0"):
            call(data.X)
    stream = model.stream()
    with pytest.raises(NonFiniteError, match=r"^samples led to the answer nan at step 0 "):
        stream.step(data.X[0][0])


def test_gradient_checks_of_what_is_not_finite_say_so():
    net, X = spoiled(Dense(2), dtype="float64"), np.ones((1, 1000, 1))
    for y in (None, [[0.0, 1.0]]):
        with pytest.raises(ValueError, match="is not finite for this X"):
            elman.check_gradient(net, X, y)
