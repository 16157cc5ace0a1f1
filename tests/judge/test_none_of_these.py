"""What `predict` and `evaluate` make of pictures of none of the classes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import pictaxa
from pictaxa.cli.main import main
from pictaxa.errors import ConfigError
from pictaxa.judge.asked import answering_of
from pictaxa.judge.evaluate import evaluate_run
from pictaxa.judge.evaluation import as_json, evaluation_lines
from pictaxa.runs.folder import open_run
from pictaxa.runs.names import VECTORS
from pictaxa.runs.vectors import read_vectors

Trained = tuple[Path, Path]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make_photos: object) -> Path:
    """A run of two colours with 40 validation pictures; no test changes it."""
    folder = tmp_path_factory.mktemp("none")
    assert callable(make_photos)
    data = make_photos(folder / "photos" / "train", {"red": 20, "green": 20}).parent
    make_photos(data / "val", {"red": 20, "green": 20}, first=100)
    words = ["--model", "resnet_lite", "--size", "32", "--epochs", "2", "--policy", "light", "--precision", "float32"]
    assert main(["train", str(data), *words, "--cache", str(folder / "cache"), "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A folder with a picture of no such class, and a known one."""
    stripes = np.zeros((36, 48, 3), np.uint8)
    stripes[::2, :, 2] = stripes[:, ::3, 0] = 255
    from PIL import Image

    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    return tmp_path


def test_a_picture_of_no_class_is_told(run: Path, strange: Path):
    """Its answer is none of these, while label and probabilities are those of the network; most known ones keep theirs,
    and closeness is the similarity of the nearest training picture.
    """
    (odd,) = pictaxa.predict(run, strange / "stripes.png")
    assert odd.known is False and odd.answer == "none of these" and odd.label in ("red", "green")
    assert "none of these, perhaps" in repr(odd) and odd.probabilities is not None
    known = pictaxa.predict(run, run.parent / "photos" / "val")
    share = np.mean([one.known for one in known])
    assert 0.94 <= share < 1 and all(one.answer == one.label for one in known if one.known)
    (near,) = pictaxa.nearest(run, strange / "stripes.png", count=1)
    assert near.neighbours[0].similarity == pytest.approx(odd.closeness, abs=1e-5)
    assert near.lines()[0].count("none of these") == 1


def test_every_writer_has_it(run: Path, strange: Path, capsys: pytest.CaptureFixture[str]):
    """The table, CSV, JSON lines, the drawing and pandas."""
    pandas = pytest.importorskip("pandas")
    picture, out = str(strange / "stripes.png"), strange / "answers"
    capsys.readouterr()
    assert main(["predict", str(run), picture, "--grid", str(strange / "grid.png")]) == 0
    assert "none of these" in capsys.readouterr().out
    assert main(["predict", str(run), picture, "--out", f"{out}.csv", "--csv", "plain"]) == 0
    with Path(f"{out}.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["answer"] == "none of these" and row["label"] in ("red", "green") and -1 <= float(row["closeness"]) < 1
    assert main(["predict", str(run), picture, "--out", f"{out}.jsonl"]) == 0
    document = json.loads(Path(f"{out}.jsonl").read_text())
    assert document["answer"] == "none of these" and document["known"] is False
    table = pictaxa.predict(run, [picture, b"no picture"]).to_pandas()
    assert table.answer[0] == "none of these" and pandas.isna(table.closeness[1])


def test_it_can_be_left_out(run: Path, strange: Path, capsys: pytest.CaptureFixture[str]):
    """With --none-of-these no every picture is of a class, as it is with the network's own answer; --raw keeps it."""
    picture = str(strange / "stripes.png")
    capsys.readouterr()
    assert main(["predict", str(run), picture, "--none-of-these", "no"]) == 0
    assert "none of these" not in capsys.readouterr().out
    assert pictaxa.load(run, none_of_these="no").predict(picture)[0].known is None
    assert pictaxa.predict(pictaxa.load(run), picture, none_of_these="no")[0].known is None
    assert answering_of(run, raw=True).likeness is not None


def test_evaluate_says_how_many(run: Path, tmp_path: Path, make_photos: object):
    """Of the run's own pictures those below the threshold, and of strange ones nearly all."""
    vectors = read_vectors(open_run(run))
    assert vectors is not None
    evaluation = evaluate_run(run)
    likeness = answering_of(run).likeness
    assert likeness is not None and evaluation.none_of_these == (vectors.closeness < likeness.least).sum()
    assert any(line.startswith("unknown   ") for line in evaluation_lines(evaluation))
    assert as_json(evaluation)["none_of_these"] == evaluation.none_of_these


def test_a_run_without_vectors_says_nothing(run: Path, strange: Path, tmp_path: Path):
    """Nothing is computed unless it is asked for, and then it is kept; a torn file is made again."""
    older = tmp_path / "older"
    shutil.copytree(run, older)
    (older / VECTORS).unlink()
    picture = strange / "stripes.png"
    assert pictaxa.predict(older, picture)[0].known is None and not (older / VECTORS).exists()
    assert evaluate_run(older).none_of_these is None
    assert pictaxa.predict(older, picture, none_of_these="yes")[0].known is False
    whole = (older / VECTORS).read_bytes()
    (older / VECTORS).write_bytes(whole[:100])
    assert pictaxa.predict(older, picture)[0].known is False and (older / VECTORS).read_bytes() == whole


def test_lost_pictures_are_a_note(
    run: Path, strange: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Where a torn file can't be made again predictions are given without, and that is said."""
    older = tmp_path / "older"
    shutil.copytree(run, older)
    (older / VECTORS).write_bytes(b"torn")
    config = json.loads((older / "config.json").read_text())
    config["asked"]["cache"] = str(tmp_path / "empty")
    config["chosen"]["root"] = str(tmp_path / "gone")
    (older / "manifest.json").unlink()
    (older / "config.json").write_text(json.dumps(config))
    assert pictaxa.predict(older, strange / "stripes.png")[0].known is None
    assert "none of the classes are not told" in capsys.readouterr().err


def test_few_validation_pictures_say_nothing(trained: Trained):
    """With 18 or fewer there is no threshold: no picture is called strange, and asking for it is one line."""
    _, run = trained
    assert pictaxa.predict(run, np.zeros((20, 20, 3), np.uint8))[0].known is None
    with pytest.raises(ConfigError, match="19 or more"):
        pictaxa.load(run, none_of_these="yes")


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_picture_of_one_colour_has_an_answer(run: Path, colour: int):
    """Black, grey and white have finite probabilities and a closeness within its range."""
    (one,) = pictaxa.predict(run, np.full((30, 40, 3), colour, np.uint8))
    assert one.closeness is not None and abs(one.closeness) <= 1.01 and one.answer
    assert one.probabilities is not None and np.isfinite(one.probabilities).all()
