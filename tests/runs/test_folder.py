from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pictaxa.errors import RunError
from pictaxa.runs.folder import FORMAT, open_run, run_of, weights_file
from pictaxa.runs.manifest import remove_manifest
from pictaxa.runs.versions import git_revision, versions

Trained = tuple[Path, Path]


def test_what_is_no_run_is_told(tmp_path: Path):
    """Nothing there, a folder of other things, no format, and a later format: each in one line."""
    with pytest.raises(RunError, match="no folder at"):
        open_run(tmp_path / "absent")
    with pytest.raises(RunError, match="none of its files"):
        open_run(tmp_path)
    for text, found in (
        ("[]", "a format number"),
        ('{"format": "1"}', "a format number"),
        ("{", "JSON in config.json"),
    ):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(RunError, match=found):
            open_run(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(RunError, match="Update pictaxa"):
        open_run(tmp_path)


def test_a_config_is_read_once(trained: Trained):
    """What a run was told stays in memory; what is written anew is what is read then."""
    run = open_run(trained[1])
    config = run.path / "config.json"
    text = config.read_text(encoding="utf-8")
    config.unlink()
    assert run.config == json.loads(text) and run.chosen.model == "lenet5"
    remove_manifest(run.path)
    run.write_config(run.config["asked"], replace(run.chosen, model="alexnet"))
    assert run.chosen.model == "alexnet" == json.loads(config.read_text(encoding="utf-8"))["chosen"]["model"]


def test_the_weights_of_a_run(trained: Trained, tmp_path: Path):
    """A run's folder means its best weights, and that file its run; any other file means itself."""
    run = open_run(trained[1])
    assert weights_file(run.path) == run.model_path and run_of(run.model_path) == run.path
    other = tmp_path / "model.safetensors"
    assert weights_file(other) == other and run_of(other) == other
    run.model_path.unlink()
    with pytest.raises(RunError, match=r"Restore it.*--resume"):  # the training has ended
        weights_file(run.path)
    remove_manifest(run.path)
    with pytest.raises(RunError, match=r"not finished.*--resume"):
        weights_file(run.path)


def test_what_a_run_was_made_with(trained: Trained):
    """The versions that its config has are those that are installed now."""
    kept = open_run(trained[1]).config
    assert kept["versions"] == versions() and {"pictaxa", "torch", "python"} < set(versions())
    assert kept["git"] == git_revision()
