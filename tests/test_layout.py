"""The structure that docs/structure.md describes, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "pictaxa"

# From the bottom up: a module may import from its own layer and from layers above it in this list.
LAYERS = (
    ("errors",),
    ("extras", "metrics", "recipes"),
    ("config", "settings", "pictures", "eight_bits", "jpegs", "wholeness", "progress"),
    ("run", "device", "download"),
    ("data", "augment", "models"),
    ("weights", "inspection"),
    ("predict",),
    ("evaluation", "training", "answers"),
    ("reporting",),
    ("preview", "catalogue", "probing", "relabelling", "doubting"),
    ("api", "arguments", "demo", "parsing"),
    ("commands",),
    ("cli",),
    ("__init__", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports_of(path: Path) -> set[str]:
    """Full dotted names that a module imports, wherever in the file."""
    package = ["pictaxa", *path.relative_to(SOURCE).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            found |= {".".join([*module, alias.name]) for alias in node.names}
    return found


MODULES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_downwards(path: Path):
    """A module imports only from its own layer or below."""
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] == "pictaxa" and parts[1] in LEVEL:
            assert parts[1] != "cli" or own in ("__main__",), f"{path} imports the command line"
            assert LEVEL[parts[1]] <= LEVEL[own], f"{own} imports {parts[1]}, which is above it"


def test_augment_never_imports_data():
    """Augmentation knows nothing of where pictures come from."""
    for path in (SOURCE / "augment").glob("*.py"):
        assert not any(name.startswith("pictaxa.data") for name in imports_of(path))


@pytest.mark.parametrize("module", ["run", "reporting.page", "metrics", "pictures"])
def test_no_torch_below_the_models(module: str):
    """What only reads and draws loads no torch."""
    code = f"import sys, pictaxa.{module}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_run_knows_its_file_names():
    """No other module spells out the names of the run folder's files."""
    names = ("classes.json", "pictures.json", "index.parquet", "log.csv", "model.safetensors", "metrics.json")
    for path in MODULES:
        if path.name != "run.py":
            code = ast.parse(path.read_text(encoding="utf-8"))
            texts = {node.value for node in ast.walk(code) if isinstance(node, ast.Constant)}
            assert not texts & set(names), path


def test_every_module_has_a_test():
    """Tests mirror src/: each module is imported by a test, or by the zoo, whose battery runs on every entry."""
    here = Path(__file__).parent
    tested = " ".join(path.read_text(encoding="utf-8") for path in here.rglob("test_*.py"))
    zoo = (SOURCE / "models" / "zoo.py").read_text(encoding="utf-8")
    for path in MODULES:
        name = path.stem
        if not name.startswith("__"):
            assert name in tested or (path.parent.name == "models" and name in zoo), path
