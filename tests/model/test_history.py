"""History in a notebook: the right numbers, escaped, the curves where they can be drawn, no traceback."""

from __future__ import annotations

import base64
import copy
import re
import sys
import time
from collections.abc import Mapping

import numpy as np
import pytest

import elman
from elman.model.history import History, history_html


def cells(page):
    """The table as rows of texts."""
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def filled(**columns):
    history = History(tuple(columns))
    for key, values in columns.items():
        history.history[key] = list(values)
    return history


def test_a_history_is_a_read_only_mapping():
    net = elman.Network([elman.SimpleRNN(2)], input_size=1, seed=0)
    assert len(net.history) == 0
    X, y = np.zeros((3, 4, 1)), np.zeros((3, 2))
    history = net.fit(X, y, epochs=3, validation_data=(X, y), verbose=False)
    keys = ["loss", "mean_squared_error", "mean_absolute_error"]
    assert list(history) == list(history.keys()) == keys + [f"val_{key}" for key in keys]
    assert len(history) == 6 and history.epoch == 3
    assert history["loss"] is history.history["loss"] and len(history["loss"]) == 3
    assert "val_loss" in history and "accuracy" not in history and history.get("accuracy") is None
    assert dict(history) == history.history == dict(history.items())
    assert history == history.history and history == copy.deepcopy(history)
    with pytest.raises(KeyError, match="no 'accuracy' in the history; there are loss, mean"):
        history["accuracy"]
    with pytest.raises(KeyError, match="no 'loss' in the history; there are none before a fit"):
        History()["loss"]
    with pytest.raises(TypeError):
        history["loss"] = []
    assert isinstance(history, Mapping)


def test_last_and_best_of_each_key():
    history = filled(loss=[3.0, 1.0, 2.0], accuracy=[0.25, 0.75, 0.5], val_loss=[4.0, 5.0, 3.5])
    assert cells(history._repr_html_()) == [
        ["", "last", "best", "in epoch"],
        ["loss", "2", "1", "2"],
        ["accuracy", "0.5", "0.75", "2"],
        ["val_loss", "3.5", "3.5", "3"],
    ]


def test_the_first_of_equals_is_the_best():
    assert cells(history_html({"val_accuracy": [0.5, 1.0, 1.0]}))[1] == ["val_accuracy", "1", "1", "2"]


@pytest.mark.parametrize(
    ("values", "row"),
    [
        ([], ["-", "-", "-"]),
        ([np.nan], ["nan", "-", "-"]),
        ([np.nan, 2.0, np.inf], ["inf", "2", "2"]),
        ([1.0, np.nan], ["nan", "1", "1"]),
        ([-np.inf, 1.0], ["1", "1", "2"]),
    ],
)
def test_nothing_and_nan(values, row):
    for key in ("loss", "accuracy"):
        assert cells(filled(**{key: values})._repr_html_())[1] == [key, *row]


def test_an_empty_history_has_no_picture():
    page = History()._repr_html_()
    assert cells(page) == [["", "last", "best", "in epoch"]]
    assert "<img" not in page


def test_names_are_escaped():
    page = history_html({"<script>alert(1)</script> & co": [1.0]})
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co" in page


def test_the_curves_are_inside():
    pytest.importorskip("matplotlib")
    page = filled(loss=[1.0, 0.5])._repr_html_()
    data = re.search(r'src="data:image/png;base64,([^"]+)"', page).group(1)
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert re.search(r'<img alt="[^"]+"', page)


def test_without_matplotlib_the_table_stands_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    page = filled(loss=[1.0, 0.5])._repr_html_()
    assert "<img" not in page
    assert cells(page)[1] == ["loss", "0.5", "0.5", "2"]


def test_a_long_history_is_cheap():
    pytest.importorskip("matplotlib")
    values = 1.0 + np.random.default_rng(0).random(100_000)
    history = filled(loss=values, accuracy=values, val_loss=values, val_accuracy=values)
    history._repr_html_()  # matplotlib loads
    before = time.process_time()
    page = history._repr_html_()
    assert time.process_time() - before < 3.0
    assert len(page) < 200_000


def test_repr_stays_short():
    net = elman.Network([elman.SimpleRNN(2)], input_size=1, seed=0)
    history = net.fit(np.zeros((3, 2, 1)), np.zeros((3, 2)), epochs=2, verbose=False)
    assert repr(history) == "History(2 epochs: loss, mean_squared_error, mean_absolute_error)"
