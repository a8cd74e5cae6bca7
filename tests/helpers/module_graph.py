"""The package's modules, and what each imports."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "elman"


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "elman"


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room(name):
    """The folder or loose module that a module is."""
    return name.partition(".")[0]


def imported(node):
    """The package's modules that one import statement names."""
    if isinstance(node, ast.Import):
        names = [a.name for a in node.names if room(a.name) == "elman"]
        return {name.removeprefix("elman.") for name in names}
    assert node.level == 0, f"line {node.lineno} has a relative import"
    if room(node.module or "") != "elman":
        return set()
    base = node.module.removeprefix("elman").removeprefix(".")
    found = set()
    for alias in node.names:
        full = f"{base}.{alias.name}".removeprefix(".")
        found.add(full if full in MODULES or full == "_core" else base or "elman")
    return found


@cache
def imports(name, executed=False):
    """The package's modules that a module imports: all of them, or those that load with it."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    if not executed:
        nodes = [n for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))]
    else:
        nodes = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    return set().union(*map(imported, nodes)) - {name}
