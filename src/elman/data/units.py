"""Units of measurement that differ by a known factor: prefixes of the SI before one base unit."""

from __future__ import annotations

import re

_PREFIXES = {
    "f": -15,
    "p": -12,
    "n": -9,
    "u": -6,
    "\u00b5": -6,  # the micro sign
    "\u03bc": -6,  # the Greek letter
    "m": -3,
    "c": -2,
    "d": -1,
    "": 0,
    "h": 2,
    "k": 3,
    "M": 6,
    "G": 9,
}
_WORDS = {"femto": -15, "pico": -12, "nano": -9, "micro": -6, "milli": -3, "": 0, "kilo": 3, "mega": 6}
_NAMES = {"volt": "V", "ampere": "A", "amp": "A", "tesla": "T", "pascal": "Pa", "ohm": "Ohm", "hertz": "Hz"}
_SPELLED = {"\u03a9": "Ohm", "\u2126": "Ohm", "ohm": "Ohm", "Ohms": "Ohm", "ohms": "Ohm", "l": "L", "v": "V"}
_BASES = frozenset(("V", "A", "T", "Pa", "Ohm", "S", "W", "J", "N", "Hz", "s", "m", "g", "L", "bar", "mol"))
_BASES |= {"T/m", "V/m", "K", "F"}
_UNCLEAR = frozenset(("MV", "MA"))  # in headers in capitals these are thousandths
_CELSIUS = frozenset(("\u00b0c", "\u2103", "degc", "deg c", "celsius", "degrees celsius"))
_SYMBOL = re.compile(rf"([{''.join(_PREFIXES)}U]?)([A-Za-z\u03a9\u2126/]+)")
_WORD = re.compile(rf"({'|'.join(_WORDS)})({'|'.join(_NAMES)})s?", re.IGNORECASE)


def factor(given: str, wanted: str) -> float | None:
    """Return by which number values in one unit become values in another; None where it is not known.

    An empty unit is unknown: values stay as they are. Units without a prefix of the SI must be equal.

    >>> factor("mV", "uV"), factor("\u00b5V", "microvolts"), factor("", "uV"), factor("mmHg", "kPa")
    (1000.0, 1.0, 1.0, None)
    """
    given, wanted = given.strip(), wanted.strip()
    if given == wanted or not given or not wanted:
        return 1.0
    one, other = _parsed(given), _parsed(wanted)
    if one is None and other is None and _plain(given) == _plain(wanted):
        prefixes = {given[0], wanted[0]} == {"m", "M"} and not (given.isupper() or wanted.isupper())
        return None if prefixes else 1.0
    if one is None or other is None or one[1] != other[1]:
        return None
    distance = one[0] - other[0]
    return 10.0**distance if distance >= 0 else 1.0 / 10.0**-distance  # exact both ways, as far as it can be


def _plain(unit: str) -> str:
    """Return a unit without a known prefix in one spelling: "MMHG" is mmHg, and a degree Celsius has many.

    >>> _plain("BPM"), _plain("degC") == _plain("\u00b0C")
    ('bpm', True)
    """
    unit = " ".join(unit.casefold().split())
    return "degc" if unit in _CELSIUS else unit


def _parsed(unit: str) -> tuple[int, str] | None:
    """Return the power of ten of a unit's prefix, and its base unit; None for a unit of another kind.

    >>> _parsed("kPa"), _parsed("min"), _parsed("nanovolt")
    ((3, 'Pa'), None, (-9, 'V'))
    """
    if unit in _UNCLEAR:
        return None
    base = _SPELLED.get(unit, unit)
    if base in _BASES:  # "m" and "T" are units before they are prefixes
        return 0, base
    word = _WORD.fullmatch(unit)
    if word is not None:
        return _WORDS[word[1].lower()], _NAMES[word[2].lower()]
    found = _SYMBOL.fullmatch(unit)
    if found is None:
        return None
    prefix = "u" if found[1] == "U" else found[1]  # headers in capitals have "UV"
    base = _SPELLED.get(found[2], found[2])
    return (_PREFIXES[prefix], base) if base in _BASES else None
