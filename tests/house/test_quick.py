"""`make quick` has something of every area: tests/quick.txt, one file or test in a line."""

import ast
from functools import cache

from helpers.support import HERE

LINES = (HERE / "quick.txt").read_text(encoding="utf-8").split("\n")[:-1]
ELSEWHERE = {"oracles"}  # needs libraries that `make test` does without


def test_every_folder_of_tests_is_represented():
    folders = {path.parent.relative_to(HERE).as_posix() for path in HERE.rglob("test_*.py")}
    assert {line.split("/")[1] for line in LINES} == folders - ELSEWHERE


@cache
def functions(path):
    tree = ast.parse((HERE.parent / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_line_names_a_file_or_a_test_in_it():
    for line in LINES:
        path, _, test = line.partition("::")
        names = functions(path)
        assert not test or test.partition("[")[0] in names, line


def test_no_test_lies_outside_the_folders():
    assert list(HERE.glob("test_*.py")) == []
