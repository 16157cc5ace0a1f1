from __future__ import annotations

import json
from pathlib import Path

import pytest

from pictaxa.api.shipping import export
from pictaxa.cli.commands import COMMANDS, ship
from pictaxa.cli.main import main
from pictaxa.cli.shipping import ExportArguments
from pictaxa.errors import ConfigError
from pictaxa.runs.exported import open_export

Trained = tuple[Path, Path]


def test_export_from_the_command_line(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """By default into the run's folder; --json has the figures of the comparison; the Python function does the same."""
    _, run = trained
    assert COMMANDS["export"].run is ship.export
    assert main(["export", str(run), "--format", "program", "--json", str(tmp_path / "a.json")]) == 0
    out = capsys.readouterr().out
    assert "checked" in out and "accuracy" in out
    document = json.loads((tmp_path / "a.json").read_text())
    assert document == json.loads((run / "export" / "program" / "export.json").read_text())
    assert open_export(run / "export" / "program").document.checked is not None
    folder = export(run, tmp_path / "own", format="program", batch=2, output="logits")
    assert folder.document.batch == 2 and folder.document.output == "logits"


def test_mistakes_are_one_line(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A precision that the format does not have, a batch that is no number, a folder that is no run."""
    _, run = trained
    for words in (
        ["--format", "program", "--quantize", "int8"], ["--batch", "many"], ["--batch", "0"], ["--allow-loss", "-1"],
    ):  # fmt: skip
        assert main(["export", str(run), *words]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert main(["export", str(tmp_path)]) == 2
    assert not (run / "export").exists()


def test_the_batch_is_a_number_or_dynamic():
    """Any number is None to the exporter."""
    assert ExportArguments(Path("run")).pictures_at_once is None
    assert ExportArguments(Path("run"), batch="8").pictures_at_once == 8
    for wrong in ("8.5", "-1", "5000", "٣"):
        with pytest.raises(ConfigError):
            _ = ExportArguments(Path("run"), batch=wrong).pictures_at_once
