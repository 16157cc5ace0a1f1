from __future__ import annotations

import csv
import json
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

import pictaxa
from pictaxa.augment.geometry import plain_view, resample
from pictaxa.cli.main import main
from pictaxa.data.cache import build_cache
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec
from pictaxa.errors import DataError, RunError
from pictaxa.images.decode import load_square
from pictaxa.inference.inputs import walk
from pictaxa.inference.loading import checked_weights, load
from pictaxa.inference.logits import BATCH
from pictaxa.inference.predictor import SHOWN_CLASSES, Prediction, Predictor
from pictaxa.metrics import softmax
from pictaxa.runs.manifest import remove_manifest

Trained = tuple[Path, Path]


def test_one_file_has_the_same_logits_everywhere(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Validation in training, `evaluate`, `predict` and the Python call say the same of the same file.

    Squares and views are equal bit for bit; logits to 1e-5, as sums of floats differ with the size of a batch.
    """
    data, run = trained
    table = pq.read_table(run / "predictions-val.parquet")
    paths = [data / path for path in table["path"].to_pylist()]
    validated = np.stack([table[f"p:{name}"].to_numpy() for name in ("blue", "green", "red")], axis=1)

    alone = np.concatenate([[pictaxa.load(run).predict(path)[0].logits] for path in paths])
    together = np.stack([prediction.logits for prediction in pictaxa.load(run).predict(paths)])
    assert np.allclose(alone, together, atol=1e-5)
    assert np.allclose(softmax(together), validated, atol=1e-5)

    evaluation = pictaxa.evaluate(run)
    assert evaluation.paths == paths
    assert np.allclose(evaluation.predictions.probabilities, validated, atol=1e-5)

    out = tmp_path / "said.csv"
    assert main(["predict", str(run), *map(str, paths), "--raw", "--out", str(out)]) == 0
    with out.open(newline="") as file:
        said = [[float(row[f"p:{name}"]) for name in ("blue", "green", "red")] for row in csv.DictReader(file)]
    assert np.allclose(said, validated, atol=1e-5)

    squares, aspects, logits = pictaxa.load(run).run.probe()
    assert np.allclose(pictaxa.load(run).logits(squares, aspects), logits, atol=1e-5)


def test_the_cache_and_prediction_make_the_same_picture(trained: Trained, tmp_path: Path):
    """The cached square and the one that prediction makes of the file are the same bytes, and so are their views."""
    data, run = trained
    geometry = load(run).geometry
    spec = CacheSpec(side=geometry.square, channels=geometry.channels)
    cache, index = build_cache(read_data(data), spec, root=tmp_path, threads=2)
    rows = np.arange(len(index))
    squares = [load_square(index.location(row)[0], side=geometry.square, channels=geometry.channels) for row in rows]
    assert np.array_equal(cache.read(rows), np.stack([square.pixels for square in squares]))
    aspects = np.array([square.aspect for square in squares], dtype=np.float32)
    assert np.array_equal(cache.aspects[rows], aspects)
    views = plain_view(aspects, view=geometry.view)
    batch = resample(torch.from_numpy(cache.read(rows)), views, size=geometry.size, padding="reflection")
    one = resample(torch.from_numpy(squares[3].pixels[None]), views[[3]], size=geometry.size, padding="reflection")
    assert torch.equal(batch[3], one[0])


def test_bad_files_get_their_own_rows(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A file that can't be read has its reason in its row, in order, and the rest goes on."""
    data, run = trained
    good = data / "red" / "0.png"
    odd = tmp_path / 'a "quoted",\n新 name.png'
    odd.write_bytes(good.read_bytes())
    bad = tmp_path / "bad.png"
    bad.write_bytes(good.read_bytes()[:50])
    files = [str(good), str(bad), str(odd)]
    for suffix in ("csv", "jsonl"):
        out = tmp_path / f"out.{suffix}"
        assert main(["predict", str(run), *files, "--out", str(out)]) == 0
        if suffix == "csv":
            with out.open(newline="", encoding="utf-8-sig") as file:
                rows = list(csv.DictReader(file))
        else:
            rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        assert [row["path"] for row in rows] == files
        assert [row.get("label") or "" for row in rows] == ["red", "", "red"]
        assert rows[1]["problem"].startswith("truncated")
    capsys.readouterr()
    assert main(["predict", str(run), *files, "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and "not read: truncated" in lines[2] and "red" in lines[3]
    assert main(["predict", str(run), str(bad)]) == 2


def test_folders_are_walked_and_what_is_not_there_is_told(trained: Trained):
    """A folder stands for the pictures below it in a fixed order; a missing path is an error."""
    data, _ = trained
    assert len(list(walk([data / "red", data / "blue" / "1.png"]))) == 13
    assert list(walk([data])) == list(walk([data]))
    with pytest.raises(DataError, match="nothing at"):
        list(walk([data / "none.jpg"]))


def test_pictures_within_an_archive_are_predicted_as_files(trained: Trained, tmp_path: Path):
    """A zip or tar file gives the same logits as its pictures lying in a folder."""
    data, run = trained
    file = next(data.rglob("*.png"))
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(file, "deep/x.png")
    with tarfile.open(tmp_path / "p.tgz", "w:gz") as packed:
        packed.add(file, "x.png")
    plain, zipped, tarred = load(run).predict([file, tmp_path / "p.zip", tmp_path / "p.tgz"])
    assert (zipped.path, tarred.path) == (f"{tmp_path}/p.zip#deep/x.png", f"{tmp_path}/p.tgz#x.png")
    assert np.allclose(plain.logits, zipped.logits, atol=1e-5) and np.allclose(plain.logits, tarred.logits, atol=1e-5)


def test_a_million_files_would_take_constant_memory(trained: Trained):
    """The stream takes files as it needs them: it never runs more than a few batches ahead of what was read."""
    data, run = trained
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield data / "red" / "0.png"

    stream = load(run).stream(endless())
    for _ in range(3 * BATCH):
        next(stream)
    assert taken <= 6 * BATCH


def test_top_and_label(trained: Trained):
    """top gives classes by falling probability, and all of them sum to one."""
    data, run = trained
    (prediction,) = load(run).predict(data / "green" / "3.png")
    top = prediction.top(3)
    assert top[0] == (prediction.label, prediction.probability) and prediction.label == "green"
    assert [p for _, p in top] == sorted((p for _, p in top), reverse=True)
    assert sum(p for _, p in top) == pytest.approx(1, abs=1e-5)


BROKEN: dict[str, tuple[str, Callable[[Path], object]]] = {
    "not a run": ("run folder", lambda run: (run / "config.json").unlink()),
    "newer": ("Update pictaxa", lambda run: (run / "config.json").write_text('{"format": 99}')),
    "not JSON": ("JSON in", lambda run: (run / "config.json").write_text("{")),
    "no weights": ("--resume", lambda run: (run / "model.safetensors").unlink()),
    "no classes": ("classes.json", lambda run: (run / "classes.json").unlink()),
    "no geometry": ("pictures.json", lambda run: (run / "pictures.json").unlink()),
    "cut weights": ("whole safetensors", lambda run: os.truncate(run / "model.safetensors", 5000)),
    "empty weights": ("whole safetensors", lambda run: (run / "model.safetensors").write_bytes(b"")),
    "other classes": ("2 classes instead of 3", lambda run: (run / "classes.json").write_text('{"0": "a", "1": "b"}')),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_run_folders_are_one_line(trained: Trained, case: str, capsys: pytest.CaptureFixture[str]):
    """A folder that is not a run, is newer, lacks a file or is cut short: one line, status 2, nothing half-loaded."""
    data, run = trained
    words, harm = BROKEN[case]
    remove_manifest(run)
    harm(run)
    with pytest.raises(RunError, match=words):
        load(run)
    capsys.readouterr()
    assert main(["predict", str(run), str(data / "red" / "0.png")]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("pictaxa: expected") and "\n" not in said


def test_weights_that_give_no_numbers_are_told(trained: Trained, capsys: pytest.CaptureFixture[str]):
    """Finite weights that are far too large: one line and status 2, no file of NaN."""
    data, run = trained
    remove_manifest(run)
    weights = load_file(run / "model.safetensors")
    last = [name for name, value in weights.items() if value.ndim == 2][-1]
    save_file(weights | {last: weights[last].sign() * 3e38}, run / "model.safetensors")
    with pytest.raises(RunError, match=r"NaN or infinity for 2 of 2 pictures.*--lr"):
        load(run).predict(data / "red" / "0.png")
    capsys.readouterr()
    assert main(["predict", str(run), str(data / "red" / "0.png")]) == 2
    said = capsys.readouterr().err
    assert "finite numbers" in said and said.count("\n") == 1


def test_hidden_files_are_passed_over(tmp_path: Path, draw: Callable[..., object]):
    """Below a folder: not hidden files and folders, nor what is no picture; a file that is named is taken as it is."""
    for name in ("b.png", "a.png", ".hidden.png", ".thumbs/c.png", "sub/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        draw(0, 0).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("none")
    found = [path.relative_to(tmp_path).as_posix() for path in walk([tmp_path])]
    assert found == ["a.png", "b.png", "sub/d.png"]
    assert list(walk([tmp_path / ".hidden.png", tmp_path / "notes.txt"])) == [
        tmp_path / ".hidden.png", tmp_path / "notes.txt",
    ]  # fmt: skip


def test_what_is_said_of_a_file_that_was_not_read():
    """No label, no probability and no best classes, whatever is asked for."""
    nothing = Prediction("a.jpg", ("a", "b"), probabilities=None, logits=None, problem="empty file")
    assert (nothing.label, nothing.probability, nothing.top(2)) == ("", 0.0, [])


def test_a_predictor_shows_the_first_of_its_classes():
    """All of them where they are few enough, else that there are more."""
    for count, end in ((SHOWN_CLASSES, "c5)"), (SHOWN_CLASSES + 1, "c5, ...)")):
        classes = tuple(f"c{number}" for number in range(count))
        shown: Any = SimpleNamespace(
            classes=classes, run=SimpleNamespace(path="run"), plan=SimpleNamespace(device="cpu")
        )
        assert Predictor.__repr__(shown) == f"<Predictor run: {count} classes (c0, c1, c2, c3, c4, {end}, cpu>"


def test_weights_that_a_path_means(trained: tuple[Path, Path], tmp_path: Path):
    """A run's own are loaded first, so that damage is told; a file is left to who reads it, whatever is in it."""
    _, run = trained
    assert checked_weights(run) == run / "model.safetensors"
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"nothing")
    assert checked_weights(other) == other
    tensors = load_file(run / "model.safetensors")
    save_file({name: value + 1 for name, value in tensors.items()}, run / "model.safetensors")
    with pytest.raises(RunError):
        checked_weights(run)
