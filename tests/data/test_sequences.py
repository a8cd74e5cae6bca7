"""Every form of X becomes one form, without copies where it can be, and results go back the way they came."""

import numpy as np
import pytest

from elman import Network, Sequences, SimpleRNN
from elman.data.sequences import as_batch

F32 = np.dtype("float32")


def test_sequences_index_like_a_list():
    values = np.arange(10.0).reshape(5, 2)
    s = Sequences(values, [0, 2, 5])
    assert len(s) == 2
    np.testing.assert_array_equal(s[-1], values[2:])
    assert np.shares_memory(s[0], values)
    assert [len(part) for part in s] == [2, 3]
    with pytest.raises(IndexError):
        s[2]
    with pytest.raises(TypeError, match="integer"):
        s[0:1]


def test_offsets_stay_as_they_were_checked():
    offsets = np.array([0, 2, 5])
    s = Sequences(np.zeros((5, 1)), offsets)
    offsets[1] = 99
    assert s.offsets[1] == 2
    with pytest.raises(ValueError, match="read-only"):
        s.offsets[1] = 3


@pytest.mark.parametrize(
    ("values", "offsets", "error", "message"),
    [
        (np.zeros((5, 2)), [0, 2, 4], ValueError, "offsets run from 0 to 4, expected from 0 to 5"),
        (np.zeros((5, 2)), [1, 5], ValueError, "offsets run from 1 to 5"),
        (np.zeros((5, 2)), [0, 4, 3, 5], ValueError, "offsets[2] is 3, expected at least offsets[1], 4"),
        (np.zeros((5, 2)), [0.0, 5.0], TypeError, "offsets has dtype float64"),
        (np.zeros((5, 2)), [], TypeError, "offsets has dtype float64 and shape (0,)"),
        (np.zeros((5, 2, 1)), [0, 5], ValueError, "values has shape (5, 2, 1)"),
        (np.zeros((5, 2), complex), [0, 5], TypeError, "values has dtype complex128"),
    ],
)
def test_bad_sequences_say_why(values, offsets, error, message):
    with pytest.raises(error) as raised:
        Sequences(values, offsets)
    assert message in str(raised.value)


def test_arrays_are_read_where_they_lie():
    X = np.zeros((3, 4, 2), np.float64)
    batch = as_batch(X, 2, F32)
    assert np.shares_memory(batch.values, X)
    assert batch.offsets.tolist() == [0, 4, 8, 12]
    s = Sequences(np.zeros((6, 2), np.int16), [0, 1, 6])
    assert np.shares_memory(as_batch(s, 2, F32).values, s.values)


def test_a_memmap_is_not_copied(tmp_path):
    values = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(6, 2))
    values[:] = 1.0
    read = np.memmap(tmp_path / "x", dtype=np.float32, mode="r", shape=(6, 2))
    s = Sequences(read, [0, 2, 6])
    assert np.shares_memory(as_batch(s, 2, F32).values, read)
    net = Network([SimpleRNN(3)], 2, seed=0)
    np.testing.assert_array_equal(net.predict(s), net.predict([np.ones((2, 2)), np.ones((4, 2))]))


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", ">f8", ">i4", "g"]
)
def test_every_real_dtype_gives_the_same_answer(dtype):
    X = np.random.default_rng(0).integers(0, 2, (3, 4, 2))
    net = Network([SimpleRNN(3)], 2, seed=0)
    given = X.astype(dtype)
    before = given.copy()
    np.testing.assert_array_equal(net.predict(given), net.predict(X))
    np.testing.assert_array_equal(net.predict(list(given)), net.predict(X))
    np.testing.assert_array_equal(given, before)


@pytest.mark.parametrize(
    "make", [lambda X: X[:, ::2], lambda X: X[..., ::-1], lambda X: np.asfortranarray(X), lambda X: X[::-1]]
)
def test_views_in_any_order_are_welcome(make):
    X = make(np.random.default_rng(0).normal(size=(3, 4, 2)))
    net = Network([SimpleRNN(3)], 2, seed=0)
    np.testing.assert_array_equal(net.predict(X), net.predict(X.copy(order="C")))


def test_lists_in_fortran_order_are_welcome():
    """As data frames and transposed recordings (channels, steps).T are; of one such array too."""
    X = np.random.default_rng(0).normal(size=(3, 4, 2))
    net = Network([SimpleRNN(3)], 2, seed=0)
    np.testing.assert_array_equal(net.predict([np.asfortranarray(x) for x in X]), net.predict(X))
    np.testing.assert_array_equal(net.predict([np.asfortranarray(X[0])]), net.predict(X[:1]))


def test_per_step_results_come_as_the_input_came():
    net = Network([SimpleRNN(3, return_sequences=True)], 2, seed=0)
    X = np.random.default_rng(0).normal(size=(2, 4, 2))
    array = net.predict(X)
    assert array.shape == (2, 4, 3)
    assert array.dtype == np.float32
    listed = net.predict([X[0], X[1, :2]])
    assert [p.shape for p in listed] == [(4, 3), (2, 3)]
    packed = net.predict(Sequences(X.reshape(8, 2), [0, 4, 8]))
    assert isinstance(packed, Sequences)
    np.testing.assert_array_equal(packed[1], array[1])
    np.testing.assert_array_equal(listed[1], array[1, :2])
    (states,) = net.states(X)
    np.testing.assert_array_equal(states, array)
    assert isinstance(net.states(list(X))[0], list)


def test_the_tape_goes_back_in_the_form_of_x():
    net = Network([SimpleRNN(3, return_sequences=True)], 2, seed=0)
    X = [np.ones((4, 2)), np.ones((2, 2))]
    tape = net.record(X)
    gradients = tape.backward([np.ones((4, 3)), np.ones((2, 3))])
    assert [g.shape for g in gradients.inputs] == [(4, 2), (2, 2)]
    assert gradients.parameters.shape == net.parameters.shape
    assert np.shares_memory(gradients.weights["0.bias"], gradients.parameters)
    with pytest.raises(ValueError, match="other lengths than X"):
        tape.backward([np.ones((2, 3)), np.ones((4, 3))])
    with pytest.raises(ValueError, match=r"d_outputs has .*nan.* expected finite"):
        tape.backward([np.full((4, 3), np.nan), np.ones((2, 3))])
