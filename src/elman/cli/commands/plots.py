"""Pictures: their default paths, and the notes where none can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from elman.cli.commands import Say
from elman.errors import ArgumentValueError
from elman.model import atomic_write
from elman.plotting import style

_ENDINGS = (".png", ".svg", ".pdf")


def beside(model: str, what: str) -> Path:
    """Return the path of a picture next to the model.

    >>> beside("runs/m.elman", "curves").name, beside("model.v2", "curves").name
    ('m.curves.png', 'model.v2.curves.png')
    """
    path = Path(model)
    stem = path.stem if path.suffix == ".elman" else path.name
    return path.with_name(f"{stem}.{what}.png")


def check(option: str, path: str) -> None:
    """Raise ValueError or OSError if a picture cannot be written to ``path``."""
    if Path(path).suffix.lower() not in _ENDINGS:
        raise ArgumentValueError(option, f"is {path!r}", f"a name that ends with {', '.join(_ENDINGS)}")
    atomic_write.probe(path)


def draw(make: Callable[[Path], object], path: Path, asked: bool, warn: Say) -> str | None:
    """Let ``make`` draw to ``path`` and return it, or warn that nothing was drawn and return None.

    Only a picture that was ``asked`` for raises OSError: a default one must not let a finished command fail.
    """
    if not style.available():
        warn('nothing was drawn: matplotlib is not installed (pip install "elman[plot]")')
        return None
    try:
        make(path)
    except OSError as error:
        if asked:
            raise
        warn(f"nothing was drawn: {path}: {error.strerror}")
        return None
    return str(path)
