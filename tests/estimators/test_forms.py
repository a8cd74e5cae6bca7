"""The same numbers give the same answers in every form; per-step answers come back as the input came."""

import numpy as np
import pytest

from elman import Sequences
from helpers.estimators import KINDS, make
from helpers.support import assert_same_bits, stack

RNG = np.random.default_rng(0)
N, T, F = 9, 6, 3
CUBE = np.round(RNG.normal(size=(N, T, F)) * 4.0)  # small whole numbers: exact in every type
LENGTHS = [1, 6, 2, 5, 3, 4, 6, 1, 2]
RAGGED = [x[:length] for x, length in zip(CUBE, LENGTHS, strict=True)]
FLAT = CUBE[:, :, 0]
CLASSES = np.array(["low", "mid", "top"])[np.arange(N) % 3]
NUMBERS = RNG.normal(size=N)
STEP_NUMBERS = RNG.normal(size=(N, T))
STEP_LABELS = np.where(CUBE[:, :, 0] > 0.0, 7, 3)

PER_STEP = ["step_regressor", "tagger"]


@pytest.fixture(scope="module")
def pandas():
    return pytest.importorskip("pandas")


def small(kind, **options):
    return make(kind, **{"hidden_layer_sizes": 4, "max_iter": 3, "random_state": 0} | options)


def answers(kind, lengths=None):
    if kind in PER_STEP:
        y = STEP_LABELS if kind == "tagger" else STEP_NUMBERS
        return y if lengths is None else [row[:n] for row, n in zip(y, lengths, strict=True)]
    return CLASSES if kind == "classifier" else NUMBERS


def sequences(rows):
    return Sequences(np.concatenate(rows), np.cumsum([0, *map(len, rows)]))


def objects(rows):
    made = np.empty(len(rows), object)
    made[:] = rows
    return made


def memmapped(array, path):
    np.save(path, array)
    return np.load(path, mmap_mode="r")


EQUAL_LENGTHS = {
    "list": list,
    "tuple": tuple,
    "objects": lambda X: objects(list(X)),
    "lists_of_lists": lambda X: X.tolist(),
    "Sequences": lambda X: sequences(list(X)),
    "Fortran": np.asfortranarray,
    "every_second": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": lambda X: X[::-1].copy()[::-1],
    "ints": lambda X: X.astype(np.int64),
    "int8": lambda X: X.astype(np.int8),
    "float16": lambda X: X.astype(np.float16),
    "longdouble": lambda X: X.astype(np.longdouble),
    "big_endian": lambda X: X.astype(">f8"),
    "list_of_ints": lambda X: list(X.astype(np.int32)),
    "list_of_mixed_types": lambda X: [x.astype(np.int64 if i % 2 else np.float64) for i, x in enumerate(X)],
}


@pytest.mark.parametrize("form", EQUAL_LENGTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_an_array_is_the_same_data(kind, form):
    y = answers(kind)
    plain = small(kind).fit(CUBE, y)
    other = small(kind).fit(EQUAL_LENGTHS[form](CUBE), y)
    assert other.n_features_in_ == F
    assert_same_bits(other.network_.parameters, plain.network_.parameters)
    assert_same_bits(stack(other.predict(EQUAL_LENGTHS[form](CUBE))), stack(plain.predict(CUBE)))
    assert other.loss_curve_ == plain.loss_curve_


@pytest.mark.parametrize("form", [tuple, objects, sequences, lambda X: [x.tolist() for x in X]])
@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_a_list_is_the_same_data(kind, form):
    y = answers(kind, LENGTHS)
    plain, other = small(kind).fit(RAGGED, y), small(kind).fit(form(RAGGED), y)
    assert_same_bits(other.network_.parameters, plain.network_.parameters)
    assert_same_bits(stack(other.predict(form(RAGGED))), stack(plain.predict(RAGGED)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_map_is_read_where_it_lies(kind, tmp_path):
    y = answers(kind)
    plain, mapped = small(kind).fit(CUBE, y), small(kind).fit(memmapped(CUBE, tmp_path / "x.npy"), y)
    assert_same_bits(mapped.network_.parameters, plain.network_.parameters)
    values = memmapped(np.concatenate(RAGGED), tmp_path / "values.npy")
    y = answers(kind, LENGTHS)
    parts = Sequences(values, np.cumsum([0, *LENGTHS]))
    plain, mapped = small(kind).fit(RAGGED, y), small(kind).fit(parts, y)
    assert_same_bits(mapped.network_.parameters, plain.network_.parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_truth_values_are_numbers(kind):
    y = answers(kind)
    assert_same_bits(
        small(kind).fit(CUBE > 0.0, y).network_.parameters,
        small(kind).fit((CUBE > 0.0).astype(float), y).network_.parameters,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_data_frame_is_its_numbers(kind, pandas):
    y = answers(kind)
    frame = pandas.DataFrame(FLAT, columns=[f"t{i}" for i in range(T)])
    plain, other = small(kind).fit(FLAT, y), small(kind).fit(frame, y)
    assert_same_bits(other.network_.parameters, plain.network_.parameters)
    assert_same_bits(stack(other.predict(frame)), stack(plain.predict(FLAT)))
    assert other.feature_names_in_.tolist() == list(frame.columns)
    assert plain.feature_names_in_ is None
    with pytest.raises(ValueError, match="feature names should match"):
        other.predict(frame.iloc[:, ::-1])


@pytest.mark.parametrize("kind", KINDS)
def test_feature_names_do_not_outlive_a_refit(kind, pandas):
    model = small(kind).fit(pandas.DataFrame(FLAT, columns=list("abcdef")), answers(kind))
    model.fit(CUBE, answers(kind))
    assert model.feature_names_in_ is None


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_table_are_univariate_sequences(kind):
    y = answers(kind)
    table, cube = small(kind).fit(FLAT, y), small(kind).fit(FLAT[:, :, None], y)
    steps = small(kind).fit(list(FLAT), y)
    assert table.n_features_in_ == T and cube.n_features_in_ == steps.n_features_in_ == 1
    assert_same_bits(table.network_.parameters, cube.network_.parameters)
    assert_same_bits(table.network_.parameters, steps.network_.parameters)
    assert_same_bits(stack(table.predict(FLAT)), stack(cube.predict(FLAT[:, :, None])))
    assert_same_bits(stack(table.predict(FLAT)), stack(steps.predict(list(FLAT))))


@pytest.mark.parametrize("kind", KINDS)
def test_ragged_univariate_rows_need_no_second_axis(kind):
    rows = [x[:, 0] for x in RAGGED]
    y = answers(kind, LENGTHS)
    plain, columns = small(kind).fit(rows, y), small(kind).fit([row[:, None] for row in rows], y)
    assert_same_bits(plain.network_.parameters, columns.network_.parameters)
    assert_same_bits(stack(plain.predict(objects(rows))), stack(columns.predict([r[:, None] for r in rows])))


@pytest.mark.parametrize("kind", KINDS)
def test_a_dtype_of_none_follows_the_input(kind, pandas):
    for X, expected in [
        (CUBE, "float64"),
        (CUBE.astype("f4"), "float32"),
        (CUBE.astype("f2"), "float64"),
        (CUBE.astype(int), "float64"),
        (list(CUBE.astype("f4")), "float32"),
        ([CUBE[0], *CUBE[1:].astype("f4")], "float64"),
        (sequences(list(CUBE.astype("f4"))), "float32"),
        (FLAT.astype("f4"), "float32"),
        (pandas.DataFrame(FLAT.astype("f4")), "float32"),
    ]:
        assert small(kind).fit(X, answers(kind)).network_.dtype == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_given_dtype_is_kept(kind):
    y = answers(kind)
    for given in ("float32", np.float32, np.dtype("f4")):
        model = small(kind, dtype=given).fit(CUBE, y)
        assert model.network_.dtype == "float32"
    same = small(kind).fit(CUBE.astype("f4"), y)
    assert_same_bits(same.network_.parameters, model.network_.parameters)
    assert small(kind, dtype="float64").fit(CUBE.astype("f4"), y).network_.dtype == "float64"


# -------------------------------------------------------------------------------------------- what comes back


def test_per_sequence_answers_are_always_one_array():
    for form in (list, np.asarray, objects, sequences):
        X = form(list(CUBE))
        model = small("classifier").fit(X, CLASSES)
        assert model.predict(X).shape == (N,) and model.predict_proba(X).shape == (N, 3)
        assert small("regressor").fit(X, NUMBERS).predict(X).shape == (N,)
        assert small("regressor").fit(X, STEP_NUMBERS[:, :2]).predict(X).shape == (N, 2)


@pytest.mark.parametrize("kind", PER_STEP)
def test_per_step_answers_come_back_in_the_inputs_form(kind):
    model = small(kind).fit(RAGGED, answers(kind, LENGTHS))
    methods = [(model.predict, ())] + ([(model.predict_proba, (2,))] if kind == "tagger" else [])
    for predict, tail in methods:
        for X, form in ((RAGGED, list), (tuple(RAGGED), list), (objects(RAGGED), np.ndarray)):
            found = predict(X)
            assert type(found) is form and len(found) == N
            assert [row.shape for row in found] == [(n, *tail) for n in LENGTHS]
        assert predict(objects(list(CUBE))).shape == (N,)
        cube = predict(CUBE)
        assert cube.shape == (N, T, *tail)
        parts = predict(sequences(RAGGED))
        assert isinstance(parts, Sequences)
        assert parts.values.shape == (sum(LENGTHS), *tail)
        assert parts.offsets.tolist() == np.cumsum([0, *LENGTHS]).tolist()
        assert_same_bits(parts.values, stack(predict(RAGGED)))
        assert_same_bits(parts.values, stack(predict(objects(RAGGED))))
        assert_same_bits(stack([row[:n] for row, n in zip(cube, LENGTHS, strict=True)]), parts.values)


@pytest.mark.parametrize("kind", PER_STEP)
def test_per_step_answers_to_a_table_are_a_table(kind, pandas):
    model = small(kind).fit(FLAT, answers(kind))
    assert model.predict(FLAT).shape == (N, T)
    assert model.predict(pandas.DataFrame(FLAT)).shape == (N, T)
    if kind == "tagger":
        assert model.predict_proba(FLAT).shape == (N, T, 2)


def test_several_numbers_a_step_come_back_as_they_were_given():
    generator = np.random.default_rng(1)
    y = generator.normal(size=(N, T, 2))
    model = small("step_regressor").fit(CUBE, y)
    assert model.predict(CUBE).shape == (N, T, 2)
    assert [row.shape for row in model.predict(RAGGED)] == [(n, 2) for n in LENGTHS]


@pytest.mark.parametrize("kind", PER_STEP)
def test_step_answers_are_taken_in_every_form(kind):
    y = answers(kind, LENGTHS)
    plain = small(kind).fit(RAGGED, y)
    for form in (tuple, objects, sequences, lambda y: [row.tolist() for row in y]):
        assert_same_bits(small(kind).fit(RAGGED, form(y)).network_.parameters, plain.network_.parameters)
        assert plain.score(RAGGED, form(y)) == plain.score(RAGGED, y)
    plain = small(kind).fit(CUBE, answers(kind))
    for form in (list, sequences, np.asfortranarray):
        found = small(kind).fit(CUBE, form(answers(kind)))
        assert_same_bits(found.network_.parameters, plain.network_.parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_fresh_and_the_input_is_untouched(kind):
    X, y = CUBE.copy(), np.array(answers(kind))
    before = y.copy()
    model = small(kind).fit(X, y)
    first = stack(model.predict(X)).copy()
    found = model.predict(X)
    found[...] = found[0]
    assert_same_bits(stack(model.predict(X)), first)
    assert_same_bits(X, CUBE)
    assert (y == before).all()


# --------------------------------------------------------------------------------------- one form, kept


@pytest.mark.parametrize("kind", KINDS)
def test_fitted_on_a_table_other_widths_are_refused_in_scikit_learns_words(kind):
    model = small(kind).fit(FLAT, answers(kind))
    said = f"X has 5 features, but {type(model).__name__} is expecting 6 features as input"
    with pytest.raises(ValueError, match=said):
        model.predict(FLAT[:, :5])


@pytest.mark.parametrize("kind", KINDS)
def test_fitted_on_sequences_every_length_is_welcome(kind):
    model = small(kind).fit(CUBE, answers(kind))
    for X in (CUBE[:, :2], np.concatenate([CUBE, CUBE], 1), RAGGED, [CUBE[0]]):
        assert len(model.predict(X)) == len(X)
    with pytest.raises(ValueError, match=r"X has 2 features, expected 3"):
        model.predict(CUBE[:, :, :2])
    with pytest.raises(ValueError, match=r"X\[1\] has 2 features, expected 3"):
        model.predict([CUBE[0], CUBE[1, :, :2]])


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_is_the_same_in_fit_and_predict(kind, pandas):
    table = small(kind).fit(FLAT, answers(kind))
    for X in (FLAT[:, :, None], list(FLAT), sequences([x[:, None] for x in FLAT])):
        with pytest.raises(ValueError, match="2-D"):
            table.predict(X)
    cube = small(kind).fit(FLAT[:, :, None], answers(kind))
    for X in (FLAT, pandas.DataFrame(FLAT)):
        with pytest.raises(ValueError, match="2-D"):
            cube.predict(X)


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_is_enough_to_predict(kind):
    model = small(kind).fit(CUBE, answers(kind))
    for i in (0, 3):
        assert_same_bits(
            stack(model.predict(CUBE[i : i + 1])),
            stack(model.predict(CUBE))[i : i + 1]
            if kind not in PER_STEP
            else stack(model.predict(CUBE)[i : i + 1]),
        )


def test_labels_that_are_no_numbers_come_as_a_list_where_x_is_sequences():
    y = [np.where(x[:, 0] > 0.0, "up", "down") for x in RAGGED]
    model = small("tagger").fit(sequences(RAGGED), y)
    found = model.predict(sequences(RAGGED))
    assert type(found) is list and [row.dtype.kind for row in found] == ["U"] * N
    assert isinstance(model.predict_proba(sequences(RAGGED)), Sequences)


class AnotherLibrarysArray:
    """Whatever can become an array, as the tensors of other libraries."""

    def __init__(self, array):
        self.array, self.shape, self.ndim, self.dtype = array, array.shape, array.ndim, array.dtype

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)

    def __len__(self):
        return len(self.array)


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_other_libraries_are_read(kind, pandas):
    y = answers(kind)
    plain = small(kind).fit(CUBE, y)
    other = small(kind).fit(AnotherLibrarysArray(CUBE), y)
    assert_same_bits(other.network_.parameters, plain.network_.parameters)
    frames = [pandas.DataFrame(x, columns=list("abc")) for x in CUBE]
    for form in (AnotherLibrarysArray(CUBE), [AnotherLibrarysArray(x) for x in CUBE]):
        assert_same_bits(stack(plain.predict(form)), stack(plain.predict(CUBE)))
    with pytest.warns(UserWarning, match="X has feature names, but RNN\\w+ was fitted without"):
        assert_same_bits(stack(plain.predict(frames)), stack(plain.predict(CUBE)))


@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_numbers_fitted_as_sequences_are_sequences(kind):
    """Lists of numbers are a table only where all have one length: a model of ragged ones takes both."""
    rows = [x[:, 0].tolist() for x in RAGGED]
    model = small(kind).fit(rows, answers(kind, LENGTHS))
    assert model.n_features_in_ == 1
    for some in ([rows[1]], [rows[1], rows[6]]):  # of one length
        arrays = [np.array(row) for row in some]
        assert_same_bits(stack(model.predict(some)), stack(model.predict(arrays)))
