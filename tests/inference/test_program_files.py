from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pictaxa.config.exporting import Kind
from pictaxa.errors import RunError
from pictaxa.inference.program_files import first_line, refuse_code
from pictaxa.inference.runtimes import RUNTIMES, open_network


class Small(nn.Module):
    """Two outputs, as exported networks have."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
        self.head = nn.Linear(4 * 36, 2)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        vectors = self.backbone(images)
        return self.head(vectors), vectors


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network as torch.export writes it, of any number of pictures."""
    path = tmp_path_factory.mktemp("program") / "network.pt2"
    network = Small().eval()
    dimensions = ({0: torch.export.Dim("batch", min=1, max=64)},)
    torch.export.save(torch.export.export(network, (torch.rand(2, 3, 8, 8),), dynamic_shapes=dimensions), path)
    return path


def changed(program: Path, out: Path, change: Any) -> Path:
    """The same archive, with `change(name, data)` in place of each member's data."""
    with zipfile.ZipFile(program) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.infolist():
            new.writestr(member.filename, change(member.filename.partition("/")[2], old.read(member)))
    return out


def test_a_whole_program_passes(program: Path):
    """Of a file as torch writes it, symbols of sizes included, nothing is refused, and it answers."""
    refuse_code(program)
    answers, vectors = open_network("program", program, threads=1)(torch.rand(5, 3, 8, 8).numpy())
    assert answers.shape == (5, 2) and vectors.shape == (5, 144)


class Trap:
    """Whose unpickling calls a function; here one that would raise."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemError('the pickle was run')",))


def test_what_would_run_code_is_refused(program: Path, tmp_path: Path):
    """A pickled weight, a constant that is an object, a pickle for an example, a size that is Python: none is run."""

    def pickled_weight(name: str, data: bytes) -> bytes:
        if not name.endswith("weights_config.json"):
            return data
        document = json.loads(data)
        next(iter(document["config"].values()))["use_pickle"] = True
        return json.dumps(document).encode()

    def object_constant(name: str, data: bytes) -> bytes:
        if not name.endswith("constants_config.json"):
            return data
        return json.dumps({"config": {"it": {"path_name": "opaque_obj_0", "use_pickle": False}}}).encode()

    def example(name: str, data: bytes) -> bytes:
        return pickle.dumps(Trap()) if name.startswith("data/sample_inputs") else data

    def size(name: str, data: bytes) -> bytes:
        if name != "models/model.json":
            return data
        text = data.decode()
        assert "Symbol(" in text
        return text.replace("Symbol(", "__import__(", 1).encode()

    for number, change in enumerate((pickled_weight, object_constant, example, size)):
        path = changed(program, tmp_path / f"{number}.pt2", change)
        with pytest.raises(RunError, match="numbers and a graph alone"):
            open_network("program", path, threads=1)


def test_another_file_is_told(tmp_path: Path):
    """A file that is no archive, or an archive of something else, is one line for each runtime."""
    (tmp_path / "text").write_text("no network")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("archive/letter.txt", "no network")
    for kind in RUNTIMES:
        for name in ("text", "zip"):
            with pytest.raises(RunError) as told:
                open_network(kind, tmp_path / name, threads=1)
            assert "\n" not in str(told.value) and len(str(told.value)) < 700


@pytest.mark.parametrize("kind", list(RUNTIMES))
def test_runtimes_are_optional(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without its package a runtime is named, and the extra that brings it."""
    import sys

    from pictaxa.errors import MissingExtraError

    runtime = RUNTIMES[kind]
    if not runtime.extra:
        return
    monkeypatch.setitem(sys.modules, runtime.package, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'pictaxa\[{runtime.extra}\]'"):
        open_network(kind, tmp_path / "nothing", threads=1)


def test_the_first_line_of_an_error():
    """Pages that a runtime writes become their first line; an error without words its name."""
    assert first_line(RuntimeError("\n  it broke\n  here\n")) == "it broke"
    assert first_line(RuntimeError()) == "RuntimeError"
    assert len(first_line(RuntimeError("x" * 1000))) == 300
