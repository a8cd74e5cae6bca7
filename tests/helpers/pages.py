"""Pages of the documentation that are run: what a block prints must be what the page says.

In a Python block every statement that prints says so on the page, in a comment behind it or in the text block
that follows. Of other statements the comment is compared too where it is a claim: a literal ('Z001', 3), or
begins with a shape, (3, 2) or (k, 1), whose letters stand for any number.

A figure has the digits that the page gives it: 0.967 stands for what prints as 0.96667, and 0.98 does not.
``...`` stands for anything.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import tokenize
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]
_NUMBER = r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?"
_TOKENS = re.compile(rf"(?<![\w.])({_NUMBER})(?![\w])|(\.\.\.)")
_SHAPE = re.compile(r"\((\w+(?:, \w+)*,?)\)(?=$|[ ,:;.])")


class Block(NamedTuple):
    """A block of a page: its language, its text, and the number of its first line."""

    language: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page such as "docs/eeg.md", in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(m[1], m[2], text.count("\n", 0, m.start(2)) + 1) for m in found]


def agrees(said: str, printed: str) -> bool:
    """Whether a page's words are what was printed, its figures rounded as the page rounds them.

    >>> agrees("accuracy 0.967, 1,024 steps", "accuracy 0.96667, 1024 steps"), agrees("0.98", "0.9667")
    (True, False)
    >>> agrees("Event(..., 'ictal 0.8...')", "Event(time=3, 'ictal 0.8123')"), agrees("-0.0 9", "-0.04 8")
    (True, False)
    """
    pattern, figures, end = "", [], 0
    said = " ".join(said.split())
    for match in _TOKENS.finditer(said):
        pattern += re.escape(said[end : match.start()])
        if match[1] is None:
            pattern += ".*?"
        elif said[match.end() :].startswith("..."):  # the first digits of a figure
            pattern += re.escape(match[1])
        else:
            pattern += f"({_NUMBER})"
            figures.append(match[1])
        end = match.end()
    found = re.fullmatch(pattern + re.escape(said[end:]), " ".join(printed.split()), re.DOTALL)
    return found is not None and all(map(_rounds_to, found.groups(), figures))


def _rounds_to(printed: str, said: str) -> bool:
    value, figure = float(printed.replace(",", "")), said.replace(",", "")
    mantissa, _, exponent = figure.partition("e")
    digits = len(mantissa.partition(".")[2])
    half = 0.5 * 10.0 ** (int(exponent or 0) - digits)
    return abs(value - float(figure)) <= half * (1 + 1e-9)


def assert_printed(shown: str, printed: str) -> None:
    """Fail unless a program printed these lines, in this order; ``...`` on its own stands for any lines."""
    came = iter(printed.splitlines())
    for line in shown.splitlines():
        if line.strip() != "...":
            assert any(agrees(line, each) for each in came), f"not printed, or out of order: {line!r}"


def run(page: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run the Python of a page in the current folder, block after block, and return its names.

    Fails where a statement prints what the page does not say, or where a comment claims what is not so.
    """
    names = {} if names is None else names
    found = blocks(page)
    assert any(block.language == "python" for block in found), f"{page} has no Python"
    for at, block in enumerate(found):
        if block.language == "python":
            printed = _run(page, block, names)
            follows = found[at + 1] if at + 1 < len(found) else Block("", "", 0)
            if printed and follows.language == "text":
                assert agrees(follows.text, printed), f"{page}:{follows.line} says otherwise:\n{printed}"
            else:
                assert not printed, f"{page}:{block.line} prints, and the page does not say it:\n{printed}"
    return names


def _run(page: str, block: Block, names: dict[str, Any]) -> str:
    """Run one block, hold its comments, and return what was printed without a comment behind it.

    A fit that ``max_iter`` ends early is an error here: a reader who follows a page sees no warning.
    """
    comments = _comments(block.text)
    rest = ""
    for node in ast.parse(block.text).body:
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        behind = [comments[line] for line in lines if line in comments]
        where = f"{page}:{block.line + node.lineno - 1}"
        out = io.StringIO()
        with contextlib.redirect_stdout(out), warnings.catch_warnings():
            warnings.filterwarnings("error", "(max_iter|epochs)=[0-9]+ ended", UserWarning)
            value = _execute(node, where, names)
        printed = out.getvalue()
        if printed.strip() and behind:
            assert any(agrees(comment, printed) for comment in behind), (
                f"{where} says {behind[-1]!r}, and the code prints:\n{printed}"
            )
        else:
            rest += printed
            for comment in behind:
                _hold(where, comment, value)
    return rest


def _execute(node: ast.stmt, where: str, names: dict[str, Any]) -> Any:
    """Run a statement and return its value: of an expression, or what is assigned."""
    if isinstance(node, ast.Expr):
        return eval(compile(ast.Expression(node.value), where, "eval"), names)
    exec(compile(ast.Module([node], []), where, "exec"), names)
    if isinstance(node, ast.Assign) and isinstance(node.targets[-1], ast.Name):
        return names[node.targets[-1].id]
    return None


def _hold(where: str, comment: str, value: Any) -> None:
    """Compare a comment that is a claim with the value of its statement."""
    if value is None:
        return
    shape = _SHAPE.match(comment)
    if shape and hasattr(value, "shape") | isinstance(value, (list, np.ndarray)):
        said, came = [part.strip() for part in shape[1].split(",") if part.strip()], np.shape(value)
        right = len(said) == len(came) and all(
            not part.isdigit() or int(part) == size for part, size in zip(said, came, strict=True)
        )
        assert right, f"{where} says {shape[0]}, and the shape is {came}"
        return
    with contextlib.suppress(ValueError, SyntaxError):
        ast.literal_eval(comment)
        assert agrees(comment, repr(value)), f"{where} says {comment}, and the value is {value!r}"


def _comments(text: str) -> dict[int, str]:
    """Return the comments that stand behind code, by their lines."""
    lines = text.splitlines()
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        token.start[0]: token.string.lstrip("# ").rstrip()
        for token in tokens
        if token.type == tokenize.COMMENT and lines[token.start[0] - 1][: token.start[1]].strip()
    }
