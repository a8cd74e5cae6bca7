"""The map in docs/architecture.md names what is there."""

import re

from helpers.module_graph import PACKAGE, ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_answers_to_where_is_lead_to_files():
    rows = re.findall(r"^\| [^|]+ \| `([^`|]+)` \|(?: [^|]+ \| `([^`|]+)` \|)?", PAGE, re.MULTILINE)
    paths = [path for row in rows for path in row if path.endswith(".py")]
    assert len(paths) >= 25
    assert [path for path in paths if not (PACKAGE / path).is_file()] == []


def test_the_tree_has_every_folder_and_loose_module():
    (tree,) = re.findall(r"```\n(src/elman/.*?)```", PAGE, re.DOTALL)
    python, engine = tree.split("engine/ ", 1)
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(re.findall(r"^  (\w+)/", python, re.MULTILINE)) == folders
    loose = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert loose <= set(re.findall(r"\w+\.py", python))
    of_engine = {path.name for path in (ROOT / "engine").iterdir() if path.is_dir()}
    assert of_engine <= set(re.findall(r"(\w+)/", engine))


def test_every_module_that_the_tree_names_is_there():
    (tree,) = re.findall(r"```\nsrc/elman/\n(.*?)\nengine/ ", PAGE, re.DOTALL)
    for folder in ("data", "nn", "model", "training", "network", "estimators"):
        (listed,) = re.findall(rf"^  {folder}/(.*?)^  \w", tree, re.DOTALL | re.MULTILINE)
        listed = re.sub(r"\([^)]*\)", "", listed)
        named = set(re.findall(r"\w+", listed))
        present = {path.stem for path in (PACKAGE / folder).glob("*.py")} - {"__init__"}
        assert named <= present, f"{folder}: {named - present} are not there"
