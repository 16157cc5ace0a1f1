from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pictaxa.cli.main import main
from pictaxa.errors import ConfigError, RunError
from pictaxa.exporting.export import ExportConfig, export_run
from pictaxa.inference import exported_predictor
from pictaxa.inference.exported_predictor import ExportedPredictor, is_installed, load_with, machine_name
from pictaxa.inference.loading import load
from pictaxa.judge.asked import answering_of
from pictaxa.runs.exported import EXPORT, exports_of
from pictaxa.runs.folder import open_run

Trained = tuple[Path, Path]


@pytest.fixture
def both(trained: Trained) -> tuple[Path, Path, Path]:
    """(pictures, run, its export as a program, in the run's folder)."""
    data, run = trained
    return data, run, export_run(run, ExportConfig("program")).path


def test_an_exported_folder_predicts_as_its_run(both: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]):
    """Probabilities, raw ones, sets and answers are the run's; from the command line too."""
    data, run, folder = both
    pictures = sorted(data.rglob("*.png"))[:7]
    for asked in ({}, {"raw": True}, {"sets": 0.9}):
        one = load(run, device="cpu", answering=answering_of(run, **asked)).predict(pictures)
        other = load_with(folder, runtime="auto", answering=answering_of(folder, **asked)).predict(pictures)
        assert [p.label for p in one] == [p.label for p in other] and [p.answer for p in one] == [
            p.answer for p in other
        ]
        assert np.allclose([p.probabilities for p in one], [p.probabilities for p in other], atol=1e-5)
        assert [p.possible for p in one] == [p.possible for p in other]
    assert "program" in repr(load_with(folder, runtime="auto"))
    capsys.readouterr()
    assert main(["predict", str(run), *map(str, pictures), "--runtime", "torch"]) == 0
    ours = capsys.readouterr().out
    for words in ([str(folder)], [str(run), "--runtime", "program"]):
        assert main(["predict", words[0], *map(str, pictures), *words[1:]]) == 0
        assert capsys.readouterr().out == ours


def test_a_share_without_a_rule_is_told(both: tuple[Path, Path, Path]):
    """An exported folder has the rules that its run was judged for, and no validation predictions for others."""
    _, _, folder = both
    with pytest.raises(ConfigError, match="--sets with a share"):
        answering_of(folder, sets=0.87)
    with pytest.raises(ConfigError, match="either --abstain or --raw"):
        answering_of(folder, raw=True, abstain=0.9)


def test_auto_takes_what_is_faster_here(both: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch):
    """By the check's figures on this machine, of the weights as they are now, in float32; else torch."""
    _, run, folder = both

    def checked(**changes: object) -> None:
        document = json.loads((folder / EXPORT).read_text())
        document["checked"] |= {
            "machine": machine_name(), "pictures_per_second": 300.0, "pictures_per_second_before": 100.0, **changes,
        }  # fmt: skip
        (folder / EXPORT).write_text(json.dumps(document))

    checked()
    assert isinstance(load_with(run, runtime="auto"), ExportedPredictor)
    assert not isinstance(load_with(run, runtime="torch"), ExportedPredictor)
    for slower in ({"pictures_per_second": 105.0}, {"machine": "another"}):
        checked(**slower)
        assert not isinstance(load_with(run, runtime="auto"), ExportedPredictor)
    checked()
    monkeypatch.setattr(exported_predictor, "is_installed", lambda kind: False)
    assert not isinstance(load_with(run, runtime="auto"), ExportedPredictor)
    assert is_installed("program")


def test_an_export_of_other_weights_is_not_taken(both: tuple[Path, Path, Path]):
    """Once the run has other weights, its exports are those of another run."""
    _, run, folder = both
    assert [export.path for export in exports_of(open_run(run))] == [folder]
    document = json.loads((folder / EXPORT).read_text())
    document["made_from"]["model.safetensors"] = "0" * 64
    (folder / EXPORT).write_text(json.dumps(document))
    assert exports_of(open_run(run)) == []
    with pytest.raises(RunError, match="pictaxa export"):
        load_with(run, runtime="program")


def test_a_network_that_says_something_else_is_refused(both: tuple[Path, Path, Path], tmp_path: Path):
    """Answers that are not those of the probe; a runtime that the folder is not for; one that nobody knows."""
    _, _, folder = both
    copied = shutil.copytree(folder, tmp_path / "copy")
    with np.load(copied / "probe.npz") as arrays:
        changed = {name: arrays[name] for name in arrays.files}
    changed["answers"] = changed["answers"][:, ::-1].copy()
    np.savez(copied / "probe.npz", **changed)
    document = json.loads((copied / EXPORT).read_text())
    from pictaxa.runs.manifest import listed_as

    listed = listed_as(copied / "probe.npz")
    document["files"]["probe.npz"] = {"size": listed.size, "sha256": listed.sha256}
    (copied / EXPORT).write_text(json.dumps(document))
    with pytest.raises(RunError, match="says what it said when it was exported"):
        load_with(copied, runtime="auto")
    with pytest.raises(ConfigError, match="which the folder is for"):
        load_with(folder, runtime="onnx")
    with pytest.raises(ConfigError, match="Use --runtime auto"):
        load_with(folder, runtime="tensorflow")
