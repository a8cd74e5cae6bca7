"""What the caller may write, replace or shrink while the engine runs is not what the engine reads by."""

import copy
import pickle

import numpy as np
import pytest

from elman import Dense, Embedding, Network, Sequences, SimpleRNN, _engine

Y = [np.zeros(20, int), np.ones(30, int)]


def pair(width=1):
    return Sequences(np.zeros((50, width)), [0, 20, 50])


def tagger():
    return Network([SimpleRNN(4, return_sequences=True), Dense(2, "softmax")], input_size=1, seed=0)


@pytest.mark.parametrize("name", ["offsets", "values"])
def test_sequences_cannot_be_given_other_arrays(name):
    with pytest.raises(AttributeError):
        setattr(pair(), name, np.array([0, 20, 50]))
    with pytest.raises(AttributeError):
        delattr(pair(), name)


@pytest.mark.parametrize(
    "made", [pair, lambda: copy.deepcopy(pair()), lambda: pickle.loads(pickle.dumps(pair()))]
)
def test_offsets_can_never_be_written(made):
    sequences = made()
    with pytest.raises(ValueError, match="read-only"):
        sequences.offsets[1] = 10**12
    for array in (sequences.offsets, sequences.offsets[:], sequences.offsets.view()):
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
        with pytest.raises(ValueError, match=r"read-only|resize|own its data|cannot"):
            array.resize(2, refcheck=False)
    assert not isinstance(sequences.offsets.base, np.ndarray)
    assert sequences.offsets.tolist() == [0, 20, 50]


def test_the_array_that_was_given_as_offsets_is_not_kept():
    given = np.array([0, 20, 50])
    sequences = Sequences(np.zeros((50, 1)), given)
    given[1] = -1
    assert sequences.offsets.tolist() == [0, 20, 50]
    assert [len(x) for x in sequences] == [20, 30]


@pytest.mark.parametrize("value", [60, 10**8, -(10**8), 10**12])
def test_offsets_that_are_written_between_epochs_change_nothing(value):
    """Past every check of `Sequences`: the engine itself keeps the offsets that it has checked."""
    expected = tagger()
    expected.fit(pair(), Y, epochs=3, verbose=False)
    net, offsets = tagger(), np.array([0, 20, 50])
    sequences = pair()
    sequences._offsets = offsets

    def write(*_):
        offsets[1] = value

    net.fit(sequences, Y, epochs=3, shuffle=True, callbacks=[write], verbose=False)
    np.testing.assert_array_equal(net.parameters, expected.parameters)


@pytest.mark.parametrize("call", ["evaluate", "predict", "record", "gradient"])
def test_the_engine_copies_offsets(call):
    """Each call on data whose offsets were written after they were checked."""
    net = Network([SimpleRNN(4), Dense(2, "softmax")], input_size=1, seed=0)
    values, offsets = np.ones((50, 1)), np.array([0, 20, 50])
    data, kept = _engine._core.Data(values, offsets), _engine._core.Data(values, offsets.copy())
    offsets[:] = 10**12
    targets = _engine._core.Targets(indices=np.array([0, 1]))
    native, found = net.model.native, []
    for each in (data, kept):
        if call == "evaluate":
            found.append(native.evaluate(each, targets, 0, None, None, 1))
        elif call == "gradient":
            out = np.empty_like(net.parameters)
            native.gradient(each, targets, 0, None, True, 0.0, out, 1, 1 << 30)
            found.append(out)
        else:
            out = np.empty((2, 2), np.float32)
            if call == "predict":
                native.predict(each, out, 1)
            else:
                native.record(each, 1).outputs(out)
            found.append(out)
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("kind", ["X", "symbols", "out"])
def test_arrays_in_use_cannot_be_shrunk(kind):
    """NumPy refuses it as long as the engine holds the array."""
    if kind == "symbols":
        X = np.ones((4, 5, 1), np.int64)
        net = Network([Embedding(3), SimpleRNN(2), Dense(2, "softmax")], seed=0)
    else:
        X = np.ones((4, 5, 2))
        net = Network([SimpleRNN(2), Dense(2, "softmax")], input_size=2, seed=0)
    if kind == "out":
        stream, out = net.stream(), np.zeros(2, np.float32)
        assert stream.step([1.0, 2.0], out=out) is out
        with pytest.raises(ValueError, match=r"own its data|resize"):
            net.parameters.resize(1)
        return
    refused = []

    def shrink(*_):
        with pytest.raises(ValueError, match="resize"):
            X.resize(1)
        refused.append(True)

    net.fit(X, [0, 1, 0, 1], epochs=2, callbacks=[shrink], verbose=False)
    assert len(refused) == 2


def test_integers_that_are_written_between_epochs_stay_within_the_table():
    net = Network([Embedding(3), SimpleRNN(2), Dense(2, "softmax")], seed=0)
    X = np.ones((4, 5), np.int64)

    def write(*_):
        X[:] = 10**12

    net.fit(X, [0, 1, 0, 1], epochs=3, callbacks=[write], verbose=False)
    assert np.isfinite(net.parameters).all()
