"""Streams: the batch's answers however the samples are cut; what is wrong leaves the state as it was."""

import signal
import time
import warnings

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import elman
from elman import (
    GRU,
    LSTM,
    Dense,
    Embedding,
    MeanPool,
    Network,
    RNNClassifier,
    RNNRegressor,
    RNNTagger,
    SimpleRNN,
)
from elman.features import BandPower, FillMissing, Frames, LogSpectrum
from elman.features.windows import Windowed

RNG = np.random.default_rng(3)
FS = 128.0
X = [RNG.normal(size=(n, 3)) * [1.0, 40.0, 3.0] + [0.0, 500.0, 1.0] for n in (700, 431, 1200, 258, 900, 513)]
Y = np.array(["left", "right"] * 3)
HOLED = [np.where(RNG.random(x.shape) < 0.3, np.nan, x) for x in X]
CHAINS = {
    "frames": [Frames(7, 3)],
    "gaps": [Frames(3, 50)],
    "spectrum": [LogSpectrum(FS, 64, 16, 45.0)],
    "bands": [BandPower(FS, window=250, hop=4)],
    "missing": [FillMissing()],
    "filled spectrum": [FillMissing(), LogSpectrum(FS, 100, 33, 45.0)],
    "frames of spectra": [LogSpectrum(FS, 32, 8), Frames(3, 2)],
}
CUTS = {
    "one by one": lambda n: [1] * n,
    "tenths of a second": lambda n: [13] * (n // 13 + 1),
    "all at once": lambda n: [n],
    "anyhow": lambda n: np.concatenate([RNG.integers(0, 90, size=n // 10), [n]]),
}


def answers(stream, x, cuts):
    """All answers, and how many samples were in when each came."""
    rows, ends, begin = [], [], 0
    for size in cuts:
        part = x[begin : begin + size]
        begin += len(part)
        if len(part) == 1:
            answer = stream.step(part[0])
            made = stream.steps(x[:0]) if answer is None else answer[None]
        else:
            made = stream.steps(part)
        rows.append(made)
        ends += [begin] * len(made)
    assert begin == len(x)
    return np.concatenate(rows), ends


def quick(kind=RNNClassifier, **options):
    return kind(**{"hidden_layer_sizes": 6, "max_iter": 2, "random_state": 0} | options)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_features_are_the_batchs_however_the_samples_are_cut(chain, cuts, dtype):
    data = [x.astype(dtype) for x in (HOLED if isinstance(chain[0], FillMissing) else X)]
    features = make_pipeline(*chain).fit(data)
    stream = elman.stream(features)
    for x, expected in zip(data[:4], features.transform(data[:4]), strict=True):
        rows, _ = answers(stream, x, cuts(len(x)))
        assert rows.dtype == dtype and np.array_equal(rows, expected)
        stream.reset()


@pytest.mark.parametrize("channels", [1, 3, 16, 30])
@pytest.mark.parametrize("hop", [16, 32, 64, 128])
def test_random_cuts_give_the_batchs_bits(hop, channels):
    """Few bins are a product, of so many channels that it stays small; otherwise there is a transform."""
    rng = np.random.default_rng([hop, channels])
    x = 30.0 * rng.normal(size=(2600, channels)) + 1e3
    for features in (
        LogSpectrum(512.0, 256, hop, 45.0),
        LogSpectrum(512.0, 255, hop),
        BandPower(512.0, window=256, hop=hop),
        BandPower(512.0, window=512, hop=hop),
        Frames(200, hop),
    ):
        expected = features.fit_transform([x])[0]
        stream = features.stream()
        for most in (3, 80, 700):
            cuts = [*rng.integers(0, most + 1, size=5200 // most).tolist(), len(x)]
            rows, _ = answers(stream, x, cuts)
            assert np.array_equal(rows, expected)
            stream.reset()
    model = make_pipeline(LogSpectrum(512.0, 256, hop, 45.0), quick()).fit([x[:1300], x[1300:]], [0, 1])
    rows, _ = answers(elman.stream(model), x, [*rng.integers(0, 110, size=40).tolist(), len(x)])
    ends = model[0].ends(len(x))
    assert np.array_equal(rows, model.predict_proba([x[: end + 1] for end in ends]))


def test_functions_of_ones_own_stream_too():
    class LineLength(Windowed):
        def __init__(self, window=256, hop=None):
            self.window, self.hop = window, hop

        def _function(self, window):
            return lambda windows: np.abs(np.diff(windows, axis=-1)).mean(axis=-1)

        def _names(self, channels):
            return [f"{channel}_length" for channel in channels]

    for data in (X, [x[:, :1] for x in X]):
        for hop in (1, 16, 300):
            features = LineLength(64, hop).fit(data)
            expected = features.transform(data)[0]
            lengths = np.abs(np.diff(data[0][:64], axis=0)).mean(axis=0)
            np.testing.assert_allclose(expected[0], lengths, rtol=1e-12)
            rows, _ = answers(features.stream(), data[0], CUTS["anyhow"](len(data[0])))
            assert np.array_equal(rows, expected)


def test_an_interrupted_step_leaves_the_state_as_it_was():
    """Whenever the interruption comes: in the features, with room in their memory or not, or behind them."""
    interrupt = False

    class Interrupted(Windowed):
        def __init__(self, window, hop):
            self.window, self.hop = window, hop

        def _function(self, window):
            def frames(windows):
                if interrupt:
                    raise KeyboardInterrupt
                return windows.reshape(len(windows), -1)

            return frames

        def _names(self, channels):
            return [f"{channel}_{i}" for channel in channels for i in range(self.window)]

    pipeline = make_pipeline(FillMissing(), Frames(2, 1), Interrupted(4, 3)).fit(HOLED)
    expected = pipeline.transform(HOLED)[0]
    stream = elman.stream(pipeline)
    rows = []
    for begin in range(0, len(HOLED[0]), 11):
        for samples in (HOLED[0][begin : begin + 11], HOLED[1], HOLED[1][:8]):
            interrupt = True
            with pytest.raises(KeyboardInterrupt):
                stream.steps(samples)
            interrupt = False
        rows.append(stream.steps(HOLED[0][begin : begin + 11]))
    assert np.array_equal(np.concatenate(rows), expected)


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_an_answer_comes_with_the_sample_that_completes_it(chain):
    data = HOLED if isinstance(chain[0], FillMissing) else X
    features = make_pipeline(*chain).fit(data)
    ends = np.arange(len(data[0]))
    for part in chain:
        ends = ends[part.ends(len(ends))]
    _, came = answers(elman.stream(features), data[0], CUTS["one by one"](len(data[0])))
    assert came == (ends + 1).tolist()


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_classifier_says_what_it_would_of_the_samples_so_far(cell, pooling):
    model = make_pipeline(LogSpectrum(FS, 64, 16, 45.0), quick(cell=cell, pooling=pooling)).fit(X, Y)
    stream = elman.stream(model)
    for cuts in CUTS.values():
        rows, _ = answers(stream, X[1], cuts(len(X[1])))
        ends = model[0].ends(len(X[1]))
        expected = model.predict_proba([X[1][: end + 1] for end in ends])
        assert rows.dtype == np.float64 and np.array_equal(rows, expected)
        stream.reset()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_regressors_taggers_and_networks_stream(dtype):
    steps = [x[:, :1] for x in X]
    tags = [np.where(x[:, 0] > 0, "up", "down") for x in X]
    net = Network([GRU(5, return_sequences=True), Dense(2)], input_size=3, dtype=dtype, seed=1)
    last = Network([SimpleRNN(5), Dense(2)], input_size=3, dtype=dtype, seed=1)
    for model, expected in [
        (quick(RNNTagger, dtype=dtype).fit(X, tags), lambda m: m.predict_proba(X)[1]),
        (quick(RNNRegressor, dtype=dtype, return_sequences=True).fit(X, steps), lambda m: m.predict(X)[1]),
        (quick(RNNRegressor, dtype=dtype).fit(X, np.arange(6.0)), lambda m: m.predict(X)[1:2]),
        (net, lambda m: m.predict(X)[1]),
        (last, lambda m: m.predict(X)[1:2]),
        (Pipeline([("none", "passthrough"), ("net", net)]), lambda _: net.predict(X)[1]),
    ]:
        wanted = expected(model).reshape(-1, np.size(expected(model)[0]))
        for cuts in CUTS.values():
            rows, _ = answers(elman.stream(model), X[1], cuts(len(X[1])))
            assert np.array_equal(rows[-len(wanted) :], wanted)
            assert len(rows) == len(X[1])


def test_univariate_samples_come_as_numbers_too():
    data = [x[:, 0] for x in X]
    for fitted in (data, np.stack([x[:258] for x in data])):  # a list, and a table
        model = make_pipeline(LogSpectrum(FS, 64, 16), quick()).fit(fitted, Y)
        expected = model.predict_proba(fitted[:1])[0]
        rows, _ = answers(elman.stream(model), fitted[0], [1] * len(fitted[0]))
        assert np.array_equal(rows[-1], expected)
        assert np.array_equal(elman.stream(model).steps(fitted[0].tolist())[-1], expected)
        assert np.array_equal(elman.stream(model).steps(fitted[0][:, None])[-1], expected)


def test_samples_of_another_type_are_taken_as_they_are():
    data = [np.round(x).astype(np.int16) for x in X]
    model = make_pipeline(LogSpectrum(FS, 64, 16), quick()).fit(data, Y)
    expected = model.predict_proba(data[:1])[0]
    for dtype in (np.int16, np.float64, np.float32):
        np.testing.assert_allclose(elman.stream(model).steps(data[0].astype(dtype))[-1], expected, atol=1e-6)


def test_nested_pipelines_are_one():
    inner = make_pipeline(FillMissing(), Frames(2))
    model = make_pipeline(inner, LogSpectrum(FS, 64, 16), None, quick()).fit(HOLED, Y)
    assert np.array_equal(elman.stream(model).steps(HOLED[0])[-1], model.predict_proba(HOLED[:1])[0])


def test_no_sample_no_answer():
    stream = elman.stream(make_pipeline(Frames(4), quick()).fit(X, Y))
    for few in (X[0][:0], X[0][:1], X[0][1:2]):
        made = stream.steps(few)
        assert made.shape == (0, 2) and made.dtype == np.float64
    assert stream.step(X[0][2]) is None
    assert stream.step(X[0][3]).shape == (2,)


def test_streams_share_nothing_with_each_other_the_caller_or_a_refit():
    data = [x.copy() for x in X]
    model = make_pipeline(FillMissing(flags=False), Frames(5, 2), quick()).fit(data, Y)
    expected = model.predict_proba(data[:1])[0]
    one, two = elman.stream(model), elman.stream(model)
    begin = data[0][:300].copy()
    one.steps(begin)
    begin[:] = 1e9
    two.steps(data[1])
    model.fit([x * 100.0 + 7.0 for x in data[:2]], Y[:2])
    made = one.steps(data[0][300:])
    assert np.array_equal(made[-1], expected)
    for features in (Frames(1), Frames(2, 1), LogSpectrum(FS, 2)):
        each = elman.stream(features.fit(data))
        rows = [row for x in data[0][:50] if (row := each.step(x)) is not None]
        assert np.array_equal(np.stack(rows), features.transform([data[0][:50]])[0])
    alone = elman.stream(make_pipeline(FillMissing(flags=False)).fit(data))
    first = alone.steps(data[0][:4])
    first[:] = -1.0
    assert np.array_equal(alone.step(np.full(3, np.nan)), data[0][3])


def test_what_is_wrong_leaves_the_state_as_it_was():
    small = make_pipeline(FillMissing(flags=False), Frames(4, 2), Frames(2, 1), quick(dtype="float32"))
    small.fit(HOLED, Y)
    whole = elman.stream(small).steps(HOLED[0])
    stream = elman.stream(small)
    rows = []
    bad = [
        (X[0][:5, :2], ValueError, r"samples has shape \(5, 2\), expected \(k, 3\): 3 features, as in fit$"),
        (np.zeros((2, 2, 3)), ValueError, "samples has shape"),
        (np.zeros(3), ValueError, r"samples has shape \(3,\).*; step takes one sample"),
        (np.array([[1.0, np.inf, 1.0]]), ValueError, r"samples\[0\] has inf in feature 1"),
        (np.full((9, 3), 1e200), ValueError, "finite"),  # not in float32
        (np.full((60, 3), 1e200), ValueError, "samples are too large"),
        ([["a", "b", "c"]], TypeError, "samples has dtype <U1, expected real numbers"),
        (np.zeros((1, 3), complex), TypeError, "samples has dtype complex128"),
    ]
    for begin in range(0, len(X[0]), 7):
        for samples, kind, message in bad:
            with pytest.raises(kind, match=message):
                stream.steps(samples)
        rows.append(stream.steps(HOLED[0][begin : begin + 7]))
    assert np.array_equal(np.concatenate(rows), whole)


@pytest.mark.parametrize("features", [LogSpectrum(FS, 64, 16), BandPower(FS, window=250), Frames(9, 4)])
def test_features_refuse_what_they_cannot_use_and_go_on(features):
    stream = features.fit(X).stream()
    whole = features.transform(X[:1])[0]
    rows = [stream.steps(X[0][:300])]
    with pytest.raises(ValueError, match=r"samples\[1\] has nan in feature 2"):
        stream.steps([[1, 2, 3], [4, 5, np.nan]])
    if not isinstance(features, Frames):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for count in (300, 5000):  # more than what it has room for, too
                with pytest.raises(ValueError, match="samples are too large for their features"):
                    stream.steps(np.full((count, 3), 1e200) * RNG.normal(size=(count, 1)))
    rows.append(stream.steps(X[0][300:]))
    assert np.array_equal(np.concatenate(rows), whole)


def test_what_cannot_stream_is_named():
    table = [np.zeros((300, 1))] * 4
    whole = BandPower(FS, window=None).fit(table)
    cases = [
        (make_pipeline(StandardScaler(), quick()), r"the step 'standardscaler' is StandardScaler\(\)"),
        (make_pipeline(Frames(2).fit(table), LogisticRegression()), "the step 'logisticregression' is Log"),
        (make_pipeline(whole), "the step 'bandpower' cannot stream: BandPower"),
        (LogisticRegression(), "model is LogisticRegression.*expected an estimator or a network of elman's"),
        (3, "model is 3"),
        (make_pipeline(None), "model has no step"),
        (make_pipeline(quick().fit(X, Y), Frames(2).fit(X)), "model has a network before its last step"),
    ]
    for model, message in cases:
        with pytest.raises(TypeError, match=message):
            elman.stream(model)
    for model in (quick(), Frames(2), FillMissing(), make_pipeline(Frames(2), quick())):
        with pytest.raises(NotFittedError):
            elman.stream(model)
    both = make_pipeline(Frames(2), quick(bidirectional=True)).fit(X, Y)
    with pytest.raises(ValueError, match="bidirectional"):
        elman.stream(both)


def test_a_network_streams_without_scikit_learn():
    import subprocess
    import sys

    script = (
        "import sys, elman, numpy as np; "
        "net = elman.Network([elman.SimpleRNN(2)], input_size=1, seed=0); "
        "elman.stream(net).steps(np.zeros((4, 1))); print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def stream_kinds(dtype):
    """A stream of each kind, twice, the samples it takes, and what the batch says to the first t of them."""
    layers = [GRU(5, return_sequences=True), LSTM(4, return_sequences=True), Dense(2)]
    net = Network(layers, input_size=3, dtype=dtype, seed=1)
    pooled = Network([GRU(5, return_sequences=True), MeanPool(), Dense(2)], input_size=3, dtype=dtype, seed=1)
    tagger = quick(RNNTagger, dtype=dtype).fit(X, [x[:, 0] > 0 for x in X])
    table = quick(dtype=dtype).fit(np.stack([x[:258, 0] for x in X]), Y)
    symbols = Network([Embedding(9), GRU(4), Dense(2)], dtype=dtype, seed=0)
    x = X[1][:80].astype(dtype)
    letters = RNG.integers(0, 9, 80)
    return {
        "network": (net.stream, x, lambda t: net.predict([x[:t]])[0][-1]),
        "pools": (pooled.stream, x, lambda t: pooled.predict([x[:t]])[0]),
        "symbols": (symbols.stream, letters, lambda t: symbols.predict([letters[:t]])[0]),
        "estimator": (tagger.stream, x, lambda t: tagger.predict_proba([x[:t]])[0][-1]),
        "one feature": (table.stream, x[:, :1], None),
        "elman.stream of a network": (lambda: elman.stream(net), x, lambda t: net.predict([x[:t]])[0][-1]),
        "elman.stream of symbols": (
            lambda: elman.stream(symbols),
            letters,
            lambda t: symbols.predict([letters[:t]])[0],
        ),
        "elman.stream of an estimator": (
            lambda: elman.stream(tagger),
            x,
            lambda t: tagger.predict_proba([x[:t]])[0][-1],
        ),
        "features": (FillMissing().fit(X).stream, x, None),
    }


KINDS = list(stream_kinds("float64"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_step_takes_one_and_steps_several_with_the_same_bits(kind, dtype):
    opened, x, predicted = stream_kinds(dtype)[kind]
    one, several = opened(), opened()
    single = np.stack([np.array(one.step(row)) for row in x])
    assert single.ndim == 2
    for cuts in ([80], [0, 1, 70, 9], [3] * 26 + [2]):
        parts = np.split(x, np.cumsum(cuts)[:-1])
        found = np.concatenate([several.steps(part) for part in parts])
        assert found.dtype == single.dtype and np.array_equal(found, single)
        several.reset()
    if predicted is not None:
        assert all(np.array_equal(single[t - 1], predicted(t)) for t in (1, 2, 33, 80))


@pytest.mark.parametrize("kind", KINDS)
def test_each_of_step_and_steps_names_the_other_and_keeps_its_state(kind):
    opened, x, _ = stream_kinds("float64")[kind]
    stream, twin = opened(), opened()
    stream.step(x[0]), twin.step(x[0])
    with pytest.raises(ValueError, match="steps takes several"):
        stream.step(x[:2])
    if kind != "one feature":  # there a number is a sample, and (k,) are k of them
        with pytest.raises(ValueError, match="step takes one"):
            stream.steps(x[0])
    bad = x[1:70].astype(float)
    bad[-1] = np.inf
    with pytest.raises((ValueError, TypeError)):
        stream.steps(bad)
    with pytest.raises((ValueError, TypeError)):
        stream.step(bad[-1])
    assert np.array_equal(stream.steps(x[1:]), twin.steps(x[1:]))


def test_several_streams_take_several_steps():
    net = Network([GRU(5, return_sequences=True), LSTM(4), Dense(2)], input_size=3, seed=1)
    model = quick().fit(X, Y)
    letters = Network([Embedding(9), GRU(4), Dense(2)], seed=0)
    x = np.stack([X[0][:40], X[1][:40]], axis=1)  # (T, rows, F)
    for made, samples in ((net, x), (model, x), (letters, RNG.integers(0, 9, (40, 2)))):
        one, several = made.stream(rows=2), made.stream(rows=2)
        single = np.stack([np.array(one.step(step)) for step in samples])
        assert np.array_equal(several.steps(samples), single)
        with pytest.raises(ValueError, match="step takes one step"):
            several.steps(samples[0])
        with pytest.raises(ValueError, match="steps takes several steps"):
            several.step(samples)
        with pytest.raises(ValueError, match=r"x has shape \(40, 1"):
            several.steps(samples[:, :1])


def test_a_sample_that_completes_nothing_gives_none():
    features = Frames(3, 2).fit(X)
    for stream in (features.stream(), elman.stream(features)):
        made = [stream.step(x) for x in X[0][:7]]
        assert [row is None for row in made] == [True, True, False, True, False, True, False]
        assert np.array_equal([made[2], made[4], made[6]], features.transform([X[0][:7]])[0])


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_an_interruption_of_many_steps_comes_soon_and_takes_none():
    net = Network([LSTM(256, return_sequences=True), MeanPool(), Dense(2)], input_size=3, seed=1)
    stream, twin = net.stream(), net.stream()
    x = RNG.normal(size=(400_000, 3)).astype(np.float32)
    for each in (stream, twin):
        each.steps(x[:5])
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    begin = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            stream.steps(x)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begin < 5
    assert np.array_equal(stream.steps(x[5:40]), twin.steps(x[5:40]))
