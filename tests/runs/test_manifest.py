from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch

import pictaxa
from pictaxa.cli.main import main
from pictaxa.errors import RunError
from pictaxa.runs.folder import Run
from pictaxa.runs.manifest import check_file, read_manifest, write_manifest
from pictaxa.runs.names import LISTED, MANIFEST, THREADS

Trained = tuple[Path, Path]


def is_right(run: Path) -> bool:
    """Whether the list has every file that is there, by size and SHA-256 as another program finds them."""
    listed = json.loads((run / MANIFEST).read_text())
    there = {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    there = {name: data for name, data in there.items() if name != MANIFEST and not name.startswith("report/")}
    return listed == {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in there.items()
    }


def test_a_finished_run_lists_its_files(trained: Trained, tmp_path: Path):
    """After a training, a report, an evaluation, a resume that has nothing to do, and in a relabelled run."""
    _, run = trained
    assert is_right(run) and set(LISTED) - {THREADS} < set(json.loads((run / MANIFEST).read_text()))
    assert main(["report", str(run)]) == 0 and main(["evaluate", str(run)]) == 0 and is_right(run)
    assert main(["train", "--resume", str(run)]) == 0 and is_right(run)
    assert main(["classes", str(run), "--merge", "red,blue=warm", "--out", str(tmp_path / "other")]) == 0
    assert is_right(tmp_path / "other") and main(["evaluate", str(tmp_path / "other")]) == 0


def test_a_solved_head_has_a_list_too(backbone: Path, tmp_path: Path, data: Path):
    """A training without epochs is finished like any other."""
    words = ["train", str(data), "--weights", str(backbone), "--tune", "head", "--size", "32", "--out"]
    assert main([*words, str(tmp_path / "run")]) == 0
    assert is_right(tmp_path / "run")


def test_an_unfinished_run_has_none(trained: Trained):
    """What is cut off after it went on has no list that would be wrong."""
    _, run = trained
    for path in run.glob("state/*"):
        path.write_bytes(b"")
    (run / MANIFEST).unlink()
    assert main(["train", "--resume", str(run)]) == 2
    assert read_manifest(run) is None


def test_one_changed_byte_is_told_with_the_file(backbone: Path, tmp_path: Path):
    """Of every file, of the same length and, for all that its reader can see, perhaps whole."""
    run = tmp_path / "run"
    shutil.copytree(backbone, run)
    for name in set(LISTED) - {THREADS}:  # which all steps having as many threads has none
        check_file(run, name)
        whole = (run / name).read_bytes()
        data = bytearray(whole)
        data[len(data) // 2] ^= 1
        (run / name).write_bytes(data)
        with pytest.raises(RunError, match=rf"{name}.*SHA-256.*restore it"):
            check_file(run, name)
        with pytest.raises(RunError, match=name):
            Run(run).existing(name)
        (run / name).write_bytes(whole)
        check_file(run, name)


def test_what_is_not_listed_is_told(backbone: Path, tmp_path: Path):
    """A file that came after the end is not the run's; a list that is damaged itself is told with what to do."""
    run = tmp_path / "run"
    shutil.copytree(backbone, run)
    shutil.copy(run / "config.json", run / "state" / "step-000000099.safetensors")
    with pytest.raises(RunError, match="not listed"):
        check_file(run, "state/step-000000099.safetensors")
    for text in ("{", "[]", '{"config.json": 3}', '{"config.json": {"size": "3", "sha256": ""}}', "9" * 5000):
        (run / MANIFEST).write_text(text)
        with pytest.raises(RunError, match=rf"{MANIFEST}.*remove"):
            check_file(run, "config.json")
    write_manifest(run)
    check_file(run, "state/step-000000099.safetensors")


def test_a_changed_state_is_passed_over_and_said(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Resuming takes the state before, says why, and ends with the same weights."""
    _, run = trained
    before = {name: value.clone() for name, value in pictaxa.load(run).model.state_dict().items()}
    newest = sorted((run / "state").iterdir())[-1]
    data = bytearray(newest.read_bytes())
    data[-1] ^= 64
    newest.write_bytes(data)
    capsys.readouterr()
    assert main(["train", "--resume", str(run)]) == 0
    said = capsys.readouterr()
    assert "a newer state can't be used" in said.out + said.err and newest.name in said.out + said.err
    after = pictaxa.load(run).model.state_dict()
    assert is_right(run) and all(torch.equal(value, after[name]) for name, value in before.items())


def test_no_command_writes_over_a_runs_files(trained: Trained, capsys: pytest.CaptureFixture[str]):
    """--json and --out into the run: its own files are refused before the work, others are not the run's."""
    data, run = trained
    for words in (["evaluate", str(run), "--json"], ["predict", str(run), str(data), "--out"]):
        capsys.readouterr()
        assert main([*words, str(run / "log.csv")]) == 2
        assert "a file of a run" in capsys.readouterr().err and is_right(run)
    assert main(["evaluate", str(run), "--json", str(run / "figures.json")]) == 0
    assert main(["report", str(run)]) == 0


def test_a_config_without_settings_is_one_line(trained: Trained, capsys: pytest.CaptureFixture[str]):
    """A damaged config.json is no config file either."""
    _, run = trained
    (run / "config.json").write_text('{"asked": 3}')
    assert main(["train", "--config", str(run / "config.json")]) == 2
    assert "settings in `asked`" in capsys.readouterr().err
