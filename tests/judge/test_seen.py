from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

import pictaxa
from pictaxa.cli.main import main
from pictaxa.judge.seen import Familiarity, SeenPicture, Thumbnails, familiarity_lines, find_seen
from pictaxa.runs.folder import open_run
from pictaxa.runs.records import read_index

Make = Callable[..., Path]


def drawn(number: int) -> Image.Image:
    """A picture of soft blotches: unlike others, and still itself when it is saved as a JPEG."""
    noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((96, 72), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Pictures of two classes and a run on them; no test changes them."""
    folder = tmp_path_factory.mktemp("seen")
    for kind, name in enumerate("ab"):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(15):
            drawn(100 * kind + number).save(folder / "photos" / name / f"{number}.png")
    words = ["train", str(folder / "photos"), "--out", str(folder / "run"), "--cache", str(folder / "cache")]
    assert main([*words, "--model", "resnet_lite", "--size", "64", "--epochs", "1", "--weights", "none"]) == 0
    return folder / "photos", folder / "run"


def test_training_pictures_are_told_first(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Equal bytes under another name and near copies; then the accuracy on the others; all of it in the JSON too."""
    data, run = trained
    index = read_index(open_run(run))
    names = {split: [index.name(row) for row in index.rows(split)] for split in ("train", "val")}
    for place in ("new/a", "new/b"):
        (tmp_path / place).mkdir(parents=True)
    shutil.copy(data / names["train"][0], tmp_path / "new" / "a" / "copy.png")
    shutil.copy(data / names["val"][0], tmp_path / "new" / "a" / "validated.png")
    near = Image.open(data / names["train"][1]).resize((80, 60))
    near.save(tmp_path / "new" / "b" / "smaller.jpg", quality=80)
    for number in range(3):
        drawn(900 + number).save(tmp_path / "new" / "b" / f"new{number}.png")
    capsys.readouterr()
    assert main(["evaluate", str(run), str(tmp_path / "new"), "--json", str(tmp_path / "a.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seen      1 of 6 pictures are training pictures of this run (the same bytes)"
    assert lines[1] == "seen      1 of 6 pictures are validation pictures of this run (the same bytes)"
    assert lines[2].startswith("seen      1 of 6 pictures are near copies of training pictures of this run (such as ")
    assert lines[3].startswith("          what follows says little") and "on the 3 others" in lines[3]
    assert lines[4].startswith("evaluated")
    document = json.loads((tmp_path / "a.json").read_text())
    assert {(Path(one["path"]).name, one["split"], one["known_as"], one["near"]) for one in document["seen"]} == {
        ("copy.png", "train", names["train"][0], False), ("validated.png", "val", names["val"][0], False),
        ("smaller.jpg", "train", names["train"][1], True),
    }  # fmt: skip
    assert document["unseen"]["pictures"] == 3 and document["pictures"] == 6 and document["changed"] == []


def test_new_pictures_are_passed_in_silence(trained: tuple[Path, Path], tmp_path: Path):
    """Nothing is said of pictures that the run does not know, and all of its own are known."""
    data, run = trained
    for name in "ab":
        (tmp_path / "new" / name).mkdir(parents=True)
        drawn(500 + ord(name)).save(tmp_path / "new" / name / "1.png")
    assert pictaxa.evaluate(run, tmp_path / "new").familiarity == Familiarity()
    own = pictaxa.evaluate(run, data)
    assert len(own.familiarity.seen) == 30 and not own.unseen.any()
    assert familiarity_lines(own.familiarity, pictures=30, named=str, unseen=(0, 0))[-1].endswith("there are no others")


def test_changed_and_missing_validation_pictures_are_told(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Pictures that were replaced under their names, and one that is gone, before the figures and in the JSON."""
    data, run = trained
    index = read_index(open_run(run))
    first, second, third, *_ = [index.name(row) for row in index.rows("val")]
    assert main(["evaluate", str(run)]) == 0
    assert capsys.readouterr().out.startswith("evaluated")
    kept = {name: (data / name).read_bytes() for name in (first, second, third)}
    try:
        for name in (first, second):
            drawn(700).save(data / name)
        (data / third).unlink()
        assert main(["evaluate", str(run), "--json", str(tmp_path / "a.json")]) == 0
    finally:
        for name, content in kept.items():
            (data / name).write_bytes(content)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("set aside") and lines[1].startswith("changed   2 of 5 pictures are no longer those")
    assert repr(first) in lines[1] and lines[2].startswith("gone      1 of 6") and lines[3].startswith("evaluated")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["changed"] == [first, second] and document["gone"] == 1


def test_why_near_copies_were_not_looked_for(trained: tuple[Path, Path], tmp_path: Path):
    """The run's pictures are gone: equal bytes are still known, and it is said that no more was looked for."""
    data, run = trained
    shutil.copytree(data, tmp_path / "photos")
    hidden = data.with_name("elsewhere")
    data.rename(hidden)
    try:
        drawn(901).save(tmp_path / "photos" / "a" / "new.png")
        familiarity = pictaxa.evaluate(run, tmp_path / "photos").familiarity
    finally:
        hidden.rename(data)
    assert len(familiarity.seen) == 30 and "can't be read" in familiarity.note
    assert familiarity_lines(Familiarity((), "x"), pictures=1, named=str, unseen=(0, 1)) == [
        "note      near copies of the run's own pictures were not all looked for: x"
    ]


def test_an_equal_picture_is_trainings_first(trained: tuple[Path, Path]):
    """By its digest alone, whatever its thumbnail is."""
    run = open_run(trained[1])
    index = read_index(run)
    row = index.rows("train")[3]
    found = find_seen(run, [index.column("hash")[row]], Thumbnails().all(), threads=1)
    assert found == Familiarity((SeenPicture(0, "train", index.name(row), near=False),))


def test_validation_pictures_that_were_trained_on_are_told(
    tmp_path: Path, make_photos: Make, tiny: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    """In the owner's own split the same file may stand on both sides; the accuracy of the others is given."""
    data, run = tmp_path / "photos", tmp_path / "run"
    make_photos(data / "train", {"red": 8, "green": 8})
    make_photos(data / "val", {"red": 3, "green": 3}, first=50)
    shutil.copy(data / "train" / "red" / "0.png", data / "val" / "red" / "again.png")
    assert main(["train", str(data), *tiny, "--epochs", "1", "--out", str(run)]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("seen      1 of 7 pictures are training pictures of this run (the same bytes)")
    assert "on the 6 others" in lines[1]
