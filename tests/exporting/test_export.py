from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pictaxa.config.exporting import Output
from pictaxa.errors import ConfigError, RunError
from pictaxa.exporting.check import Comparison, require_equal
from pictaxa.exporting.export import ExportConfig, export_lines, export_run
from pictaxa.exporting.formats import FORMATS
from pictaxa.exporting.network import ExportedNetwork
from pictaxa.inference.exported import in_batches, open_answers
from pictaxa.inference.loading import load
from pictaxa.metrics import cooled, softmax
from pictaxa.runs.exported import CARD, EXPORT, PROGRAM, Export, open_export
from pictaxa.runs.folder import Run
from pictaxa.runs.judgement import read_judgement

INSTALLED = list(FORMATS)


@pytest.fixture(scope="session")
def exported(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Export]:
    """Exports the run in a format, once for all tests."""
    done: dict[str, Export] = {}

    def export(kind: str) -> Export:
        if kind not in done:
            done[kind] = export_run(shipped, ExportConfig(kind), out=tmp_path_factory.mktemp("out") / kind)
        return done[kind]

    return export


@pytest.mark.parametrize("kind", INSTALLED)
def test_an_export_says_what_its_run_says(kind: str, exported: Callable[[str], Export], shipped: Path):
    """Calibrated probabilities of any number of pictures, by the format's own runtime, to the rounding of float32."""
    export, predictor = exported(kind), load(shipped, device="cpu")
    judgement = read_judgement(predictor.run)
    assert judgement is not None and judgement.temperature != 1
    assert export.document.temperature == judgement.temperature
    answers = open_answers(open_export(export.path), threads=1)
    squares, aspects, expected = export.probe()
    assert np.allclose(answers(squares, aspects)[0], expected, atol=1e-5)
    for count in (1, 3, 5):
        some, sides = np.resize(squares, (count, *squares.shape[1:])), np.resize(aspects, count)
        logits, vectors = predictor.outputs(some, sides)
        said, own = answers(some, sides)
        assert np.allclose(said, cooled(softmax(logits), judgement.temperature), atol=1e-5)
        assert np.allclose(own, vectors, atol=1e-4)


@pytest.mark.parametrize("kind", INSTALLED)
def test_an_export_holds_what_it_needs(kind: str, exported: Callable[[str], Export]):
    """The folder has its card, the judgement and the check's figures; each file is in its list."""
    export = exported(kind)
    names = {path.name for path in export.path.iterdir()}
    assert names - {EXPORT} == set(export.document.files) and {CARD, "judgement.json", "probe.npz"} <= names
    assert (PROGRAM in names) == (kind == "onnx")
    checked = export.document.checked
    assert checked is not None and checked.right_before == checked.right_after and checked.agreement == 1
    assert any("accuracy" in line for line in export_lines(export))
    assert "| red |" in (export.path / CARD).read_text(encoding="utf-8")


def test_a_changed_file_is_told(exported: Callable[[str], Export], tmp_path: Path):
    """Of each file: a changed byte, and a file that is gone; a newer format; JSON that is none."""
    whole = exported("onnx").path
    for name in ("network.onnx", "probe.npz"):
        folder = shutil.copytree(whole, tmp_path / f"changed-{name}")
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)
        with pytest.raises(RunError, match="as it was exported"):
            export = open_export(folder)
            open_answers(export, threads=1)
            export.probe()
        (folder / name).unlink()
        with pytest.raises(RunError, match="none in"):
            export = open_export(folder)
            open_answers(export, threads=1)
            export.probe()
    folder = shutil.copytree(whole, tmp_path / "newer")
    document = json.loads((folder / EXPORT).read_text())
    (folder / EXPORT).write_text(json.dumps({**document, "format": 2}))
    with pytest.raises(RunError, match="Update pictaxa"):
        open_export(folder)
    (folder / EXPORT).write_text(json.dumps({**document, "network": "../network.onnx"}))
    with pytest.raises(RunError, match="a file's name"):
        open_export(folder)
    (folder / EXPORT).write_text("{")
    with pytest.raises(RunError, match="JSON"):
        open_export(folder)
    with pytest.raises(RunError, match="no folder"):
        open_export(tmp_path / "nothing")


def test_logits_and_a_fixed_batch(shipped: Path, tmp_path: Path):
    """--logits leaves out calibration and softmax; of a fixed batch the last one is filled up."""
    export = export_run(shipped, ExportConfig("program", output="logits", batch=4), out=tmp_path / "out")
    predictor = load(shipped, device="cpu")
    squares, aspects, expected = export.probe()
    some, sides = np.resize(squares, (6, *squares.shape[1:])), np.resize(aspects, 6)
    assert np.allclose(open_answers(export, threads=1)(some, sides)[0], predictor.logits(some, sides), atol=1e-5)
    assert np.allclose(expected, predictor.logits(squares, aspects), atol=1e-5)


def test_what_does_not_answer_alike_is_refused(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing is left of it, and an export that was there before stays."""
    out = tmp_path / "out"
    before = export_run(shipped, ExportConfig("program"), out=out)
    from pictaxa.exporting import export as module

    ours = module.network_of

    def other(run: Run, *, temperature: float, output: Output) -> ExportedNetwork:
        network = ours(run, temperature=temperature, output=output)
        next(network.backbone.parameters()).mul_(-1)
        return network

    monkeypatch.setattr(module, "network_of", other)
    with pytest.raises(RunError, match=r"within 0.001 of the run's; found a difference of 0\.\d+"):
        export_run(shipped, ExportConfig("program"), out=out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert open_export(out).document.files == before.document.files


def test_a_loss_beyond_the_limit_is_refused():
    """More than is allowed is refused, as much is not. McNemar's test of 2 lost and none won is that of two coins."""
    labels = np.zeros(100, dtype=np.int64)
    right, wrong = np.array([[0.9, 0.1]]), np.array([[0.4, 0.6]])
    before = np.repeat(right, 100, axis=0)
    after = np.concatenate([np.repeat(wrong, 2, axis=0), np.repeat(right, 98, axis=0)])
    comparison = Comparison(before=before, after=after, labels=labels)
    require_equal(comparison, precision="int8", allow_loss=0.02, where="ONNX")
    with pytest.raises(RunError, match=r"100\.0% before and 98\.0% after, of 100 pictures"):
        require_equal(comparison, precision="int8", allow_loss=0.01, where="ONNX")
    assert comparison.p_value == pytest.approx(0.5)  # 2 of 2: 2 * 0.5^2
    assert comparison.worse_classes(("a", "b")) == {"a": pytest.approx(0.02)}
    with pytest.raises(RunError, match="NaN"):
        require_equal(Comparison(before, before * np.nan, labels), precision="int8", allow_loss=1, where="ONNX")


def test_the_folder_is_not_written_over(shipped: Path, tmp_path: Path):
    """Somebody's folder at --out stays as it is."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(ConfigError, match="a new folder"):
        export_run(shipped, ExportConfig("program"), out=tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "wrong", [{"kind": "onxx"}, {"quantize": "bf16"}, {"batch": 0}, {"allow_loss": -0.1}, {"allow_loss": 2}]
)
def test_settings_check_themselves(wrong: dict):
    """A format, precision, batch or loss that there is not is one line."""
    with pytest.raises(ConfigError):
        ExportConfig(**{"kind": "onnx", **wrong})


def test_batches_are_as_asked():
    """A network of two pictures at once gets two, whatever their number, and its answers are those of each picture."""
    sizes = []

    def network(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sizes.append(len(pictures))
        return pictures.mean(axis=(2, 3)), pictures[:, :, 0, 0]

    pictures = np.arange(5, dtype=np.float32)[:, None, None, None] * np.ones((1, 3, 8, 8), dtype=np.float32)
    answers, vectors = in_batches(network, pictures, batch=2)
    assert answers[:, 0].tolist() == vectors[:, 0].tolist() == [0, 1, 2, 3, 4] and sizes == [2, 2, 2]
