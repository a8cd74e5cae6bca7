"""Class labels of every plain type; steps without a label count as nothing."""

import fractions

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from elman import RNNClassifier, RNNTagger, Sequences
from helpers.support import assert_same_bits

RNG = np.random.default_rng(21)
LENGTHS = [5, 1, 7, 3, 4, 2, 6, 5]
X = [RNG.normal(size=(n, 2)) for n in LENGTHS]
TRUTH = [(x[:, 0] > 0.0).astype(int) for x in X]
NAN = float("nan")


def tagger(**options):
    return RNNTagger(**{"hidden_layer_sizes": 4, "max_iter": 3, "batch_size": 3, "random_state": 0} | options)


def named(names):
    """The truth in other labels, one object a step."""
    return [[names[v] for v in row] for row in TRUTH]


LABELS = {
    "str": ["down", "up"],
    "int": [3, 7],
    "negative": [-5, -2],
    "float": [0.25, 1.5],
    "bool": [False, True],
    "unicode": ["bas", "häut\N{SNOWMAN}"],
    "huge": [-(2**62), 2**62],
}


@pytest.mark.parametrize("names", LABELS.values(), ids=LABELS)
def test_labels_come_back_as_they_were(names):
    plain = tagger().fit(X, TRUTH)
    lists = named(names)
    for y in (lists, [np.array(row) for row in lists], [np.array(row, object) for row in lists]):
        each = tagger().fit(X, y)
        assert each.classes_.tolist() == names
        assert [type(label) for label in each.classes_.tolist()] == [type(name) for name in names]
        assert_same_bits(each.network_.parameters, plain.network_.parameters)
        expected = [[names[v] for v in row] for row in plain.predict(X)]
        assert [row.tolist() for row in each.predict(X)] == expected
        assert each.score(X, y) == plain.score(X, TRUTH)


@pytest.mark.parametrize("names", [n for key, n in LABELS.items() if key != "float"])
def test_a_classifier_takes_the_same_labels(names):
    y = [names[i % 2] for i in range(len(X))]
    plain = RNNClassifier(4, max_iter=3, random_state=0).fit(X, [i % 2 for i in range(len(X))])
    forms = [y, np.array(y), tuple(y)]
    if isinstance(names[0], str):  # scikit-learn takes objects for labels only where they are texts
        forms.append(np.array(y, object))
    for form in forms:
        each = RNNClassifier(4, max_iter=3, random_state=0).fit(X, form)
        assert each.classes_.tolist() == names
        assert_same_bits(each.network_.parameters, plain.network_.parameters)
        assert each.predict(X).tolist() == [names[v] for v in plain.predict(X)]
        assert each.score(X, form) == plain.score(X, [i % 2 for i in range(len(X))])


def test_labels_of_a_data_frames_column():
    pandas = pytest.importorskip("pandas")
    y = [["b", "a"][i % 2] for i in range(len(X))]
    for column in (pandas.Series(y), pandas.Series(y, dtype="category"), pandas.Series(y, dtype=object)):
        each = RNNClassifier(4, max_iter=1).fit(X, column)
        assert each.classes_.tolist() == ["a", "b"]
        assert each.predict(X).tolist()[0] in ("a", "b")
    rows = [pandas.Series(row) for row in named(["a", "b"])]
    assert tagger().fit(X, rows).classes_.tolist() == ["a", "b"]


def test_missing_labels_of_a_data_frames_column():
    pandas = pytest.importorskip("pandas")
    words = ["a", "b"] * (len(X) // 2)
    for dtype in ("string", "category", object):
        with pytest.raises(ValueError, match="contains NaN"):
            RNNClassifier(4, max_iter=1).fit(X, pandas.Series([pandas.NA, *words[1:]], dtype=dtype))
    with pytest.raises(ValueError, match=r"^y\[2\] is nan, expected a label"):
        RNNClassifier(4, max_iter=1).fit(X, [*words[:2], pandas.NA, *words[3:]])
    with pytest.raises(ValueError, match=r"^y\[1\] is nan, expected a label"):
        RNNClassifier(4, max_iter=1).fit(X, words).score(X, [words[0], NAN, *words[2:]])
    rows = [pandas.Series([pandas.NA, *row[1:]], dtype="string") for row in named(["a", "b"])]
    for y in (rows, [row.tolist() for row in rows]):
        with pytest.raises(
            ValueError, match=r"^y\[0\] has the label nan at step 0, expected missing_label=nan"
        ):
            tagger().fit(X, y)
        assert tagger(missing_label=np.nan).fit(X, y).classes_.tolist() == ["a", "b"]


def test_tables_of_labels():
    generator = np.random.default_rng(1)
    pandas = pytest.importorskip("pandas")
    table = generator.normal(size=(6, 4))
    y = pandas.DataFrame(np.where(table > 0.0, "up", "down"))
    each = tagger().fit(pandas.DataFrame(table), y)
    assert each.classes_.tolist() == ["down", "up"]
    assert each.score(pandas.DataFrame(table), y) == each.score(pandas.DataFrame(table), y.to_numpy())


def test_one_column_of_labels_is_taken_with_scikit_learns_warning():
    from sklearn.exceptions import DataConversionWarning

    with pytest.warns(DataConversionWarning):
        each = RNNClassifier(4, max_iter=1).fit(X, np.array([[i % 2] for i in range(len(X))]))
    assert each.predict(X).shape == (len(X),)


# ---------------------------------------------------------------------------------------- no label

MISSING = [
    (["down", "up"], -1),
    (["down", "up"], ""),
    (["down", "up"], None),
    (["down", "up"], NAN),
    ([3, 7], -1),
    ([3, 7], None),
    ([3, 7], NAN),
    ([3, 7], 99),
    ([3, 7], ""),
    ([0.25, 1.5], -1),
    ([0.25, 1.5], NAN),
    ([0.25, 1.5], -1.0),
    ([False, True], -1),
    ([False, True], None),
    ([False, True], NAN),
    ([False, True], 0),
    ([0, 1], False),
]


def with_gaps(names, missing):
    y = named(names)
    y[2][0] = y[2][4] = y[4][2] = missing
    y[7] = [missing] * 5  # a whole row
    return y


def gaps():
    """The same with indices: what the network's own fit would be given."""
    return [np.array(row) for row in with_gaps([0, 1], -1)]


@pytest.mark.parametrize(("names", "missing"), MISSING, ids=str)
def test_whatever_stands_for_no_label(names, missing):
    plain = tagger(missing_label=-1).fit(X, gaps())
    y = with_gaps(names, missing)
    for form in (y, [np.array(row, object) for row in y]):
        each = tagger(missing_label=missing).fit(X, form)
        assert each.classes_.tolist() == names
        assert [type(label) for label in each.classes_.tolist()] == [type(name) for name in names]
        assert_same_bits(each.network_.parameters, plain.network_.parameters)
        assert each.score(X, form) == plain.score(X, gaps())


def test_missing_labels_of_arrays_and_sequences():
    plain = tagger(missing_label=-1).fit(X, gaps())
    values = np.concatenate(gaps())
    parts = Sequences(np.where(values == -1, NAN, values), np.cumsum([0, *LENGTHS]))
    each = tagger(missing_label=NAN).fit(X, parts)
    assert_same_bits(each.network_.parameters, plain.network_.parameters)
    cube, y = np.stack([x[:1] for x in X]), np.array([[0], [1], [-1], [0], [1], [-1], [1], [0]])
    other = tagger(missing_label=-1).fit(cube, y)
    kept = tagger(missing_label=-1).fit(list(cube), list(y))
    assert_same_bits(other.network_.parameters, kept.network_.parameters)


def test_steps_without_a_label_add_nothing():
    """Loss, score and class balance are those of the labeled steps, counted by hand."""
    each = tagger(
        max_iter=1, batch_size=100, learning_rate_init=1e-12, class_weight="balanced", missing_label=-1
    )
    each.fit(X, gaps())
    p, labels = np.concatenate(each.predict_proba(X)), np.concatenate(gaps())
    p, labels = p[labels >= 0], labels[labels >= 0]
    weights = len(labels) / (2.0 * np.bincount(labels))[labels]
    losses = -np.log(p[np.arange(len(p)), labels])
    assert each.loss_ == pytest.approx((weights * losses).sum() / weights.sum(), rel=1e-9)
    assert each.score(X, gaps()) == pytest.approx((p.argmax(1) == labels).mean())


def test_a_row_without_labels_is_read_but_not_learnt_from():
    """Only the scale of the input knows of it."""
    rows = list(range(7))
    each = tagger(standardize=False, batch_size=100, missing_label=-1)
    whole = clone(each).fit(X, gaps())
    less = each.fit([X[i] for i in rows], [gaps()[i] for i in rows])
    np.testing.assert_allclose(whole.loss_curve_, less.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(whole.network_.parameters, less.network_.parameters, rtol=1e-9, atol=1e-12)


def test_the_score_counts_labeled_steps_alone_and_weighs_sequences():
    each = tagger(max_iter=30, learning_rate_init=0.05, missing_label=-1).fit(X, TRUTH)
    found = each.predict(X)
    y = [row.copy() for row in found]
    assert each.score(X, y) == 1.0
    y[0] = 1 - y[0]
    y[2][:] = -1
    assert each.score(X, y) == pytest.approx(1.0 - 5 / (sum(LENGTHS) - 7))
    weights = np.ones(8)
    weights[0] = 3.0
    assert each.score(X, y, weights) == pytest.approx(1.0 - 15 / (sum(LENGTHS) - 7 + 10))
    with pytest.raises(ValueError, match="y has no label, expected some that are not -1"):
        each.score(X, [np.full(n, -1) for n in LENGTHS])


def test_labels_that_were_never_seen_are_wrong_not_an_error():
    each = tagger().fit(X, TRUTH)
    y = [np.array(row) for row in each.predict(X)]
    y[0] = np.full(5, 8)
    assert each.score(X, y) == pytest.approx(1.0 - 5 / sum(LENGTHS))


def test_cross_validation_of_a_tagger():
    generator = np.random.default_rng(1)
    rows = [generator.normal(size=(6, 2)) for _ in range(20)]
    y = [np.where(x[:, 0] > 0.0, "up", "") for x in rows]
    for i, x in enumerate(rows):
        y[i] = np.where(x[:, 1] > 1.0, "down", y[i])
    each = tagger(missing_label="", max_iter=80, learning_rate_init=0.02)
    assert cross_val_score(each, rows, y, cv=3).min() > 0.8


BAD = [
    ([np.zeros(n, int) for n in LENGTHS], ValueError, "y has one class, 0, expected at least two classes"),
    ([np.full(n, -1) for n in LENGTHS], ValueError, "y has no label, expected some that are not -1"),
    (TRUTH[:3], ValueError, "y has 3 sequences, expected 8 (as X)"),
    ([TRUTH[1], *TRUTH[1:]], ValueError, "y[0] has 1 steps, expected 5 (as X[0])"),
    ([np.zeros((n, 2), int) for n in LENGTHS], ValueError, "y has 2 values a step, expected one label"),
    (None, TypeError, "y is None"),
    ([np.array(row, complex) for row in TRUTH], TypeError, "y[0] has dtype complex128, expected labels"),
    (with_gaps([0.5, 1.5], NAN), ValueError, "y has the label nan, expected labels, or -1 (missing_label)"),
    (with_gaps(["a", "b"], None), ValueError, "y has the label None, expected labels, or -1 (missing_label)"),
    (with_gaps(["a", 1], -1), TypeError, "y has labels of several types, expected all str or all numbers"),
]


@pytest.mark.parametrize(("y", "error", "said"), BAD, ids=[case[2] for case in BAD])
def test_bad_labels_of_steps_have_their_sentence(y, error, said):
    each = tagger(missing_label=-1)
    with pytest.raises(error) as raised:
        each.fit(X, y)
    assert said in str(raised.value)
    assert not hasattr(each, "classes_")


BAD_CLASSES = [
    ([0] * 8, ValueError, "y has one class, 0, expected at least two classes"),
    (
        np.array(["a", 1] * 4, object),
        TypeError,
        "y has labels of several types, expected all str or all numbers",
    ),
    (["a", None] * 4, ValueError, "y[1] is None, expected a label: each sequence has one"),
    ([NAN, *"ababab", "a"], ValueError, "y[0] is nan, expected a label: each sequence has one"),
    ([0, 1, 0, 1, 0, 1, 0, NAN], ValueError, "y[7] is nan, expected a label: each sequence has one"),
    ([0.5, 1.2] * 4, ValueError, "Unknown label type"),
    ([0.0, NAN] * 4, ValueError, "Input y contains NaN"),
    (TRUTH, ValueError, "y has answers of several lengths, expected one answer a sequence; one a step is"),
    ([0, 1, 0], ValueError, "y has 3 answers, expected 8 (one for each sequence of X)"),
    (np.zeros((8, 2)), ValueError, "y should be a 1d array"),
    (None, ValueError, "y is None, expected one answer a sequence"),
    (3, TypeError, "y is 3 (a int), expected one answer a sequence"),
    ("abcabcab", TypeError, "y is 'abcabcab' (a str), expected one answer a sequence"),
    (iter([0, 1]), TypeError, "expected one answer a sequence"),
    (Sequences(np.zeros(8), range(9)), TypeError, "y is Sequences(8 sequences"),
]


@pytest.mark.parametrize(("y", "error", "said"), BAD_CLASSES, ids=[case[2] for case in BAD_CLASSES])
def test_bad_classes_have_their_sentence(y, error, said):
    each = RNNClassifier(3)
    with pytest.raises(error) as raised:
        each.fit(X, y)
    assert said in str(raised.value)
    assert not hasattr(each, "classes_")


def test_labels_need_only_be_sortable_to_be_learnt():
    """Only `save` asks for plain types."""
    names = [fractions.Fraction(1, 3), fractions.Fraction(1, 2)]
    each = tagger().fit(X, [np.array(row, object) for row in named(names)])
    assert each.classes_.tolist() == names and each.predict(X)[0][0] in names
