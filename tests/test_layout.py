"""The structure that docs/structure.md describes, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src" / "pictaxa"

# From the bottom up: a module imports from its own package and from those above it in this list.
ROOMS = (
    "errors", "limits", "metrics", "images", "config", "system", "augment", "data", "models", "weights", "runs",
    "inspection", "inference", "reporting", "training", "exporting", "explaining", "judge", "api", "cli",
)  # fmt: skip
FACES = ("__init__", "__main__")  # of the package as a whole: they may import anything

MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}


def imports_of(path: Path) -> set[str]:
    """Modules of pictaxa that a file imports, by their names below it, wherever in the file."""
    package = list(path.relative_to(SOURCE).parent.parts) if path.is_relative_to(SOURCE) else []
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {_module_of(alias.name) for alias in node.names if alias.name.startswith("pictaxa.")}
        elif isinstance(node, ast.ImportFrom):
            if not node.level and (node.module or "").partition(".")[0] != "pictaxa":
                continue
            base = ["pictaxa", *package[: len(package) - node.level + 1]] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            found |= {_module_of(".".join([*module, alias.name])) for alias in node.names}
    return found - {""}


def _module_of(name: str) -> str:
    """`pictaxa.data.index.Index` -> `data.index`."""
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in MODULES:
        parts.pop()
    return ".".join(parts)


def _room(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("module", [name for name in MODULES if name not in FACES])
def test_imports_go_downwards(module: str):
    """A module imports only from its own room and from those below it, functions' own imports included."""
    rooms = {_room(name) for name in imports_of(MODULES[module])}
    above = [room for room in rooms if ROOMS.index(room) > ROOMS.index(_room(module))]
    assert not above, f"{module} imports from {above}, above it"


def test_every_room_has_a_place():
    """The list names what there is, and nothing else."""
    assert {_room(module) for module in MODULES} == {*ROOMS, *FACES}


def test_no_circles():
    """No module needs one that needs it, whether at the start or in a function."""
    try:
        TopologicalSorter({name: imports_of(path) - {name} for name, path in MODULES.items()}).prepare()
    except CycleError as circle:
        pytest.fail(f"a circle of imports: {' <- '.join(circle.args[1])}")


def test_augment_never_imports_data():
    """Augmentation knows nothing of where pictures come from."""
    for module in MODULES:
        if _room(module) == "augment":
            assert not any(_room(name) == "data" for name in imports_of(MODULES[module]))


@pytest.mark.parametrize(
    "module", ["runs.folder", "runs.records", "augment.preprocess", "reporting.page", "metrics", "images.decode"]
)
def test_no_torch_where_nothing_is_computed(module: str):
    """What only reads and draws loads no torch."""
    code = f"import sys, pictaxa.{module}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_runs_knows_its_file_names():
    """No other room spells out the names of the run folder's files and columns."""
    names = {"classes.json", "pictures.json", "index.parquet", "log.csv", "model.safetensors", "metrics.json", "p:"}
    for module, path in MODULES.items():
        if _room(module) != "runs":
            code = ast.parse(path.read_text(encoding="utf-8"))
            texts = {node.value for node in ast.walk(code) if isinstance(node, ast.Constant)}
            assert not texts & names, path


def test_every_module_is_imported_by_a_test():
    """Tests mirror src/: each module is imported by a test, or by the zoo, whose battery runs on every entry."""
    tested = imports_of(SOURCE / "models" / "zoo.py")
    for path in TESTS.rglob("*.py"):
        tested |= imports_of(path)
    untested = [name for name, path in MODULES.items() if path.name != "__init__.py" and name not in tested]
    assert not [name for name in untested if name not in FACES], untested
