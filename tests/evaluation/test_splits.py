"""Splits: what belongs together stays on one side, and a leak is an error that names what leaks."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from elman.data.sequences import Sequences
from elman.evaluation import check_no_leak, chunk, folds


def test_segments_are_split_as_scikit_learn_splits_them():
    y = np.repeat(list("ADE"), 30)
    expected = StratifiedKFold(10, shuffle=True, random_state=0).split(y, y)
    for (train, test), (a, b) in zip(folds(y), expected, strict=True):
        np.testing.assert_array_equal(train, a)
        np.testing.assert_array_equal(test, b)


def test_chunks_fall_where_their_segments_do():
    """The same segments in the same folds, whether they are whole or in pieces, shuffled or not."""
    y = np.repeat(list("ADE"), 10)
    names = np.array([f"{99 - i} {letter}" for i, letter in enumerate(y)])  # not in order
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(30), 7))
    order = np.concatenate([np.arange(30), order])  # the first of each in the order of the segments
    pieces = folds(y[order], names[order], n_splits=5, seed=3)
    whole = folds(y, n_splits=5, seed=3)
    for (train, test), (a, b) in zip(pieces, whole, strict=True):
        assert set(names[order[train]]) == set(names[a]) and set(names[order[test]]) == set(names[b])
        assert len(train) + len(test) == len(order)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 7)), min_size=12, max_size=60), st.integers(0, 9))
def test_no_fold_leaks_and_every_row_is_tested_once(rows, seed):
    y, groups = np.array(rows).T
    if min(len(set(groups[y == label])) for label in set(y)) < 3:
        with pytest.raises(ValueError, match=r"n_splits is 3, expected at most [12], the number of groups"):
            folds(y, groups, n_splits=3, seed=seed)
        return
    made = folds(y, groups, n_splits=3, seed=seed)
    tested = np.concatenate([test for _, test in made])
    assert sorted(tested.tolist()) == list(range(len(y)))
    for train, test in made:
        assert len(test) and not set(groups[train]) & set(groups[test])
        assert sorted([*train, *test]) == list(range(len(y)))


def test_another_seed_gives_other_folds():
    y = np.repeat([0, 1], 50)
    tests = [folds(y, seed=seed)[0][1].tolist() for seed in (0, 0, 1)]
    assert tests[0] == tests[1] != tests[2]


def test_folds_are_what_scikit_learn_takes():
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.tile([0, 1], 20)
    scores = cross_val_score(LogisticRegression(), X, y, cv=folds(y, np.arange(40) // 4 * 2 + y, n_splits=4))
    assert scores.shape == (4,)


def test_a_leak_is_named():
    groups = ["Z001", "Z001", "Z002", "Z003", "Z002"]
    check_no_leak([0, 1, 3], [2, 4], groups)
    sentence = "group 'Z002' is on both sides of the split: row 2 in train, row 4 in test"
    with pytest.raises(ValueError, match=re.escape(sentence)):
        check_no_leak([3, 2], [4], groups)
    with pytest.raises(ValueError, match=r"group 'Z001' is on both sides of the split \(2 groups are\)"):
        check_no_leak(np.array([1, 0, 1, 1, 0], bool), np.array([0, 1, 0, 0, 1], bool), groups)


def test_chunks_split_as_if_they_were_segments_are_a_leak():
    chunks = chunk(np.random.default_rng(0).normal(size=(20, 60, 1)), np.tile([0, 1], 10), 20)
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(chunks.y, chunks.y):
        with pytest.raises(ValueError, match="is on both sides of the split"):
            check_no_leak(train, test, chunks.groups)
    for train, test in folds(chunks.y, chunks.groups, n_splits=5):
        check_no_leak(train, test, chunks.groups)


def packed(X):
    return Sequences(np.concatenate(X), np.cumsum([0, *map(len, X)]))


@pytest.mark.parametrize("form", [list, packed])
@pytest.mark.parametrize(("length", "hop"), [(4, None), (4, 1), (3, 5), (6, 2)])
def test_chunks_are_the_steps_they_say(form, length, hop):
    generator = np.random.default_rng(0)
    X = [generator.normal(size=(T, 2)) for T in (6, 13, 9)]
    labels = [generator.integers(0, 3, size=len(x)) for x in X]
    cut, y, groups = chunk(form(X), ["a", "b", "c"], length, hop, groups=["p", "q", "p"])
    steps = chunk(form(X), labels, length, hop)
    expected = [(i, at) for i, x in enumerate(X) for at in range(0, len(x) - length + 1, hop or length)]
    assert len(cut) == len(expected)
    for k, (i, at) in enumerate(expected):
        np.testing.assert_array_equal(cut[k], X[i][at : at + length])
        assert y[k] == "abc"[i] and groups[k] == "pqp"[i] and steps.groups[k] == i
        np.testing.assert_array_equal(steps.y[k], labels[i][at : at + length])
    assert chunk(form(X), None, length, hop).y is None


def test_chunks_of_arrays_and_of_single_precision():
    X = np.arange(24, dtype=np.float32).reshape(2, 6, 2)
    assert chunk(X, [0, 1], 3).X.values.dtype == np.float32
    np.testing.assert_array_equal(chunk(X, [0, 1], 3).X.values, X.reshape(12, 2))
    assert chunk([np.arange(4), np.arange(5)], [0, 1], 2).X.values.shape == (8, 1)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: folds([0, 1] * 9), ValueError, "n_splits is 10, expected at most 9, the number of rows wi"),
        (lambda: folds(["a"] * 9), ValueError, "n_splits is 10, expected at most 9, the number of rows"),
        (lambda: folds([0, 1] * 9, [0, 1, 2] * 6, n_splits=4), ValueError, "at most 3, the number of groups"),
        (lambda: folds([0, 0, 1, 1], ["a", "a", "b", "b"], n_splits=2), ValueError, "groups with label 0"),
        (lambda: folds([0, 1], [0]), ValueError, "groups has 1 rows, expected 2"),
        (lambda: folds([[0, 1]]), ValueError, "y has shape (1, 2), expected (n,)"),
        (lambda: folds([0, None]), TypeError, "y has dtype object, expected numbers or strings"),
        (lambda: folds([0, np.nan]), ValueError, "y[1] is NaN, expected a label"),
        (lambda: folds([[0], [0, 1]]), ValueError, "y is no list of labels"),
        (lambda: folds([0, 1] * 10, n_splits=1), ValueError, "n_splits is 1, expected an integer of at"),
        (lambda: folds([0, 1] * 10, seed=-1), ValueError, "seed is -1, expected an integer of at le"),
        (lambda: check_no_leak([0], [5], [0, 1]), ValueError, "test[0] is 5, expected a row from 0 to 1"),
        (lambda: check_no_leak([-1], [0], [0, 1]), ValueError, "train[0] is -1, expected a row from 0 to 1"),
        (lambda: check_no_leak([0.0], [1], [0, 1]), ValueError, "train has shape (1,) and dtype float64"),
        (lambda: check_no_leak([True], [1], [0, 1]), ValueError, "train has 1 truth values, expected 2"),
        (lambda: check_no_leak([], [1], [0, 1]), ValueError, "train has shape (0,)"),
        (lambda: chunk([np.zeros(9), np.zeros(3)], [0, 1], 4), ValueError, "X[1] has 3 steps, expected at l"),
        (lambda: chunk([np.zeros(9)], [0, 1], 4), ValueError, "y has 2 rows, expected 1"),
        (lambda: chunk([np.zeros(9)], [np.zeros(8)], 4), ValueError, "y[0] has 8 rows, expected 9"),
        (lambda: chunk([np.zeros(9)], [0], 0), ValueError, "length is 0, expected an integer of at"),
        (lambda: chunk([np.zeros(9)], [0], 3, 0), ValueError, "hop is 0, expected an integer of at least 1"),
        (lambda: chunk([np.zeros(9)], [0], 3, groups=[1, 2]), ValueError, "groups has 2 rows, expected 1"),
        (lambda: chunk(3, [0], 3), TypeError, "X is 3 (a int), expected an array (n, T, F)"),
    ],
)
def test_wrong_arguments(call, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        call()
