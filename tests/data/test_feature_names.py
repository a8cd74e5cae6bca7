"""Names, units and rates of features: what carries them, and what loses them because they might be false."""

import copy
import pickle

import numpy as np
import pytest

import elman
from elman import Sequences
from elman.data.alignment import aligned, aligned_rows
from elman.data.feature_names import Features, NamedArray
from elman.data.units import factor

KNOWN = {"feature_names": ("hr", "bp", "spo2"), "feature_units": ("1/min", "mmHg", ""), "rate": 10.0}


@pytest.fixture
def x():
    return NamedArray(np.arange(12.0).reshape(4, 3), **KNOWN)


KEEPS = {
    "rows": (lambda x: x[1:3], (0, 1, 2), 10.0),
    "one row": (lambda x: x[2], (0, 1, 2), 10.0),
    "a loop": (lambda x: list(x)[1], (0, 1, 2), 10.0),
    "every second row": (lambda x: x[::2], (0, 1, 2), 5.0),
    "chosen rows": (lambda x: x[[3, 1]], (0, 1, 2), None),
    "some rows": (lambda x: x[np.asarray(x)[:, 0] > 2], (0, 1, 2), None),
    "columns": (lambda x: x[:, [2, 0]], (2, 0), 10.0),
    "columns backwards": (lambda x: x[:, ::-1], (2, 1, 0), 10.0),
    "some columns": (lambda x: x[..., np.array([True, False, True])], (0, 2), 10.0),
    "one sequence": (lambda x: x[None], (0, 1, 2), 10.0),
    "and back": (lambda x: x[None][0], (0, 1, 2), 10.0),
    "a copy": (lambda x: x.copy(), (0, 1, 2), 10.0),
    "copy": (copy.copy, (0, 1, 2), 10.0),
    "deepcopy": (copy.deepcopy, (0, 1, 2), 10.0),
    "pickle": (lambda x: pickle.loads(pickle.dumps(x)), (0, 1, 2), 10.0),
    "dtype": (lambda x: x.astype(np.float32), (0, 1, 2), 10.0),
    "flipped": (lambda x: np.flip(x, 1), (2, 1, 0), 10.0),
}
LOSES = {
    "scaled": lambda x: x * 1000,
    "of another": lambda x: 1 - x,
    "a mean": lambda x: x.mean(axis=0),
    "transposed": lambda x: x.T,
    "one column": lambda x: x[:, 0],
    "a new last axis": lambda x: x[:, :, None],
    "joined": lambda x: np.concatenate([x, x], axis=1),
    "plain": np.asarray,
    "reshaped": lambda x: x.reshape(3, 4),
    "sorted": lambda x: np.sort(x, axis=1),
    "pairs": lambda x: x[[0, 1], [1, 0]],
    "a mask of values": lambda x: x[np.asarray(x) > 3],
}


@pytest.mark.parametrize("name", KEEPS)
def test_names_stay_with_their_columns(x, name):
    take, columns, rate = KEEPS[name]
    made = take(x)
    assert made.feature_names == tuple(KNOWN["feature_names"][i] for i in columns)
    assert made.feature_units == tuple(KNOWN["feature_units"][i] for i in columns)
    assert made.rate == rate
    expected = take(np.asarray(x))
    assert made.shape == expected.shape and (np.asarray(made) == expected).all()


@pytest.mark.parametrize("name", LOSES)
def test_what_might_be_false_is_gone(x, name):
    made = LOSES[name](x)
    assert getattr(made, "feature_names", None) is getattr(made, "feature_units", None) is None
    assert getattr(made, "rate", None) is None
    np.testing.assert_array_equal(np.asarray(made), LOSES[name](np.asarray(x)))


def test_in_place_the_names_are_gone(x):
    x *= 1000.0
    assert x.feature_names is x.feature_units is x.rate is None and x[1, 0] == 3000.0


def test_sequences_carry_names(x):
    parts = Sequences(np.asarray(x), [0, 1, 4], **KNOWN)
    for each in (parts, pickle.loads(pickle.dumps(parts)), copy.deepcopy(parts), Sequences(x, [0, 1, 4])):
        assert (each.feature_names, each.feature_units, each.rate) == tuple(KNOWN.values())
        assert each[1].feature_names == each[-1].feature_names == KNOWN["feature_names"]
        assert [part.rate for part in each] == [10.0, 10.0]
    assert type(Sequences(np.asarray(x), [0, 4])[0]) is np.ndarray


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"feature_names": ["a"]}, "feature_names has 1 strings, expected 3, one for each feature"),
        ({"feature_names": "abc"}, "feature_names is 'abc'.*expected 3 strings"),
        ({"feature_names": [1, 2, 3]}, r"feature_names\[0\] is 1.*expected a string"),
        ({"feature_units": ["V", "V"]}, "feature_units has 2 strings"),
        ({"rate": 0.0}, "rate is 0"),
    ],
)
def test_wrong_names(x, given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Sequences(np.asarray(x), [0, 4], **given)


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        ("mV", "uV", 1e3),
        ("uV", "mV", 1e-3),
        ("V", "\u00b5V", 1e6),
        ("\u03bcV", "\u00b5V", 1.0),
        ("microvolts", "uV", 1.0),
        ("Millivolt", "nV", 1e6),
        ("UV", "uV", 1.0),
        ("fT", "T", 1e-15),
        ("kPa", "hPa", 10.0),
        ("kOhm", "\u03a9", 1e3),
        ("", "uV", 1.0),
        ("uV", "", 1.0),
        ("mmHg", "mmHg", 1.0),
        ("mmHg", "kPa", None),
        ("uV", "uA", None),
        ("m", "mV", None),
        ("min", "s", None),
        ("S", "s", None),
        ("%", "1", None),
        ("BPM", "bpm", 1.0),
        ("MMHG", "mmHg", 1.0),
        ("degC", "\u00b0C", 1.0),
        ("K", "degC", None),
        ("MW/m2", "mW/m2", None),
        ("MV", "uV", None),  # a header in capitals: millivolts, as nobody has megavolts
        ("MV", "MV", 1.0),
    ],
)
def test_units_with_a_known_factor(given, wanted, expected):
    assert factor(given, wanted) == (expected if expected is None else pytest.approx(expected, rel=1e-15))


def test_first_names_are_the_order_of_the_others():
    a = NamedArray([[1.0, 2.0]], feature_names=["p", "q"], feature_units=["V", ""])
    b = NamedArray([[2000.0, 1.0]], feature_names=["q", "p"], feature_units=["", "mV"], rate=5.0)
    with pytest.warns(UserWarning, match=r"X was converted: 'p' from mV to V \(as X\[0\]\)"):
        (first, second), known = aligned([a, b])
    assert known == Features(("p", "q"), ("V", ""), 5.0)
    assert first.tolist() == [[1.0, 2.0]] and second.tolist() == [[0.001, 2000.0]]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"feature_names": ["p", "r"]},
            "has the features 'p', 'r', expected 'p', 'q' .as X.0..: 'q' is missing",
        ),
        ({"feature_names": ["q", "p"], "rate": 200.0}, r"X\[1\] has 200 Hz, expected 100 Hz"),
        ({"feature_names": ["q", "p"], "feature_units": ["Ohm", "V"]}, r"X\[1\] has 'q' in Ohm, expected V"),
        ({"feature_names": ["p", "p"]}, "'p' is there twice, so none can be put in order"),
    ],
)
def test_sequences_that_cannot_be_brought_into_order(other, message):
    a = NamedArray([[1.0, 2.0]], feature_names=["p", "q"], feature_units=["V", "V"], rate=100.0)
    with pytest.raises(ValueError, match=message):
        aligned([a, NamedArray([[1.0, 2.0]], **other)])


def test_equal_names_need_not_differ():
    pair = [NamedArray([[1.0, 2.0]], feature_names=["EEG", "EEG"], rate=rate) for rate in (100.0, 100.5)]
    assert aligned(pair)[1] == Features(("EEG", "EEG"), None, 100.0)  # half a percent is the same rate


def test_sequences_without_names_among_others_are_told():
    named = NamedArray([[1.0, 2.0]], feature_names=["p", "q"])
    with pytest.warns(UserWarning, match="X has sequences without feature names among others"):
        aligned([named, np.ones((1, 2))])


def test_float32_stays_float32_and_whole_numbers_are_scaled():
    known = Features(("p",), ("uV",))
    for dtype, expected in ((np.float32, np.float32), (np.int16, np.float64)):
        x = NamedArray(np.ones((3, 1), dtype), feature_names=["p"], feature_units=["mV"])
        with pytest.warns(UserWarning, match="'p' from mV to uV"):
            made = aligned(x[None], known)[0]
        assert made.dtype == expected and (made == 1000).all()


def test_steps_of_a_stream():
    pandas = pytest.importorskip("pandas")
    known = Features(("p", "q"))
    x = NamedArray([[1.0, 2.0], [3.0, 4.0]], feature_names=["q", "p"])
    frame = pandas.DataFrame(np.asarray(x), columns=["q", "p"])
    for steps in (x, frame):
        assert aligned_rows(steps, known, "x").tolist() == [[2.0, 1.0], [4.0, 3.0]]
    for step in (x[1], frame.iloc[1]):
        assert aligned_rows(step, known, "x", one=True).tolist() == [4.0, 3.0]
    plain = np.zeros(2)
    assert aligned_rows(plain, known, "x", one=True) is plain


@pytest.mark.parametrize("opened", [lambda net: net.stream(), elman.stream])
def test_the_stream_of_a_network_reads_by_name(opened):
    X = Sequences(np.random.default_rng(0).normal(size=(60, 3)), [0, 20, 40, 60], **KNOWN)
    net = elman.Network([elman.SimpleRNN(3), elman.Dense(1)], input_size=3, seed=0)
    net.fit(X, np.zeros((3, 1)), epochs=1, verbose=0)
    expected = opened(net).steps(X.values)
    given = X[0][:, [2, 0, 1]]
    stream = opened(net)
    np.testing.assert_array_equal(stream.steps(given), expected[:20])
    stream.reset()
    np.testing.assert_array_equal([stream.step(row) for row in given], expected[:20])
    with pytest.raises(ValueError, match="'hr' is missing, 'pulse' is unknown"):
        stream.steps(NamedArray(np.asarray(given), feature_names=["spo2", "pulse", "bp"]))
    several = net.stream(4)
    several.state = several.state
    np.testing.assert_array_equal(several.step(given[:4]), net.stream(4).step(np.asarray(X[0][:4])))
