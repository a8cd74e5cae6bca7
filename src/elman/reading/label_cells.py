"""Labels from the cells of a column: which of them stand for a missing label, and which are faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import numpy as np

from elman.reading.parsing import (
    Codes,
    Labels,
    as_strings,
    decimal_comma,
    is_number,
    is_whole,
    labels_from_text,
    not_a_number,
    shown,
)

# Signs of a missing label, in lower case.
_ALWAYS = frozenset(["", "na", "n/a", "#n/a", "#na", "<na>", "nan", "null", "?"])
# These are names of classes elsewhere ("+" and "-"; "None", "mild", "severe"): among numbers only.
_AMONG_NUMBERS = _ALWAYS | {"none", "-", "."}
# So many different numbers with a decimal point are targets, not names of classes ("0.5", "1.0", "placebo").
_TARGETS = 10

Fail = Callable[[int, str], NoReturn]


def labels_from_cells(
    words: Sequence[str], codes: Codes, where: str, fail: Fail, typed: bool = False
) -> Labels:
    """Return the labels of a column whose row i has the text ``words[codes[i]]``, or none if codes[i] is -1.

    ``words`` differ from each other. A text such as "NA" is a missing label. ``typed``: the file says that
    the labels are strings, and so they stay. ``fail(i, problem)`` is called for the first row with a text
    that is no number in a column of numeric targets.

    >>> labels_from_cells(["0.5", "NA"], np.array([0, 1, 0]), "'a.csv'", print).take(slice(None))
    array([0.5, nan, 0.5])
    """
    signs = [word.casefold() in _AMONG_NUMBERS for word in words]
    if not typed and not any(signs) and all(map(is_number, words)):
        return labels_from_text(words, codes, True, where)
    others = [word for word, sign in zip(words, signs, strict=True) if not sign]
    numbers = bool(others) and all(is_number(word) or decimal_comma(word) for word in others)
    _check_targets(words, others, numbers, codes, typed, fail)
    if numbers and not typed:
        # "nan" is a number: it would make floats of whole numbers, and a regression of a classification
        whole = all(map(is_whole, others))
        gone = [sign and (whole or not is_number(word)) for word, sign in zip(words, signs, strict=True)]
    else:
        gone = [word.casefold() in (_AMONG_NUMBERS if numbers else _ALWAYS) for word in words]
    if any(gone):
        kept = np.cumsum(~np.array(gone)) - 1
        codes = np.append(np.where(gone, -1, kept), -1)[codes]
        words = [word for word, none in zip(words, gone, strict=True) if not none]
    if typed:
        return Labels(as_strings(words, len(codes), where), codes)
    return labels_from_text(words, codes, True, where)


def _check_targets(
    words: Sequence[str], others: Sequence[str], numbers: bool, codes: Codes, typed: bool, fail: Fail
) -> None:
    """Call ``fail`` for a text among numeric targets, which would make a class of every number."""
    wrong = [word for word in others if not is_number(word)]
    decimals = sum((is_number(word) or decimal_comma(word)) and not is_whole(word) for word in others)
    targets = decimals >= _TARGETS and decimals > sum(not decimal_comma(word) for word in wrong)
    if wrong and (numbers or targets):
        fail(_first(words, codes, wrong), not_a_number(wrong[0]))
    if typed and numbers and targets:
        fail(_first(words, codes, others), f"{shown(others[0])} is a string, expected a number as target")


def _first(words: Sequence[str], codes: Codes, wanted: Sequence[str]) -> int:
    """Return the row of the first of the wanted texts, which stand in the order of ``words``."""
    return int(np.argmax(codes == words.index(wanted[0])))


def missing_label(cell: str) -> str:
    """Return what is wrong with the label of a sequence that is missing.

    >>> missing_label("NA")
    "the label is missing ('NA')"
    """
    return "the label is missing" + ("" if cell.casefold() in ("", "nan") else f" ({shown(cell)})")
