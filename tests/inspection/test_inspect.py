from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pictaxa.cli.main import main
from pictaxa.data.reading import read_data
from pictaxa.errors import ConfigError
from pictaxa.inspection.inspect import strict_failures
from pictaxa.inspection.manifest import check_manifest_place
from pictaxa.reporting.inspection_page import SHOWN
from pictaxa.runs.folder import open_run

Make = Callable[..., Path]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def bad_photos(tmp_path: Path) -> Path:
    """Photographs of three classes, with one of nearly everything that can be wrong."""
    root = tmp_path / "photos"
    for kind, name in enumerate(("kaki", "鸭梨", "plum")):
        for split, count in (("train", 14), ("val", 4)):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                scene(kind, number + 100 * (split == "val")).save(root / split / name / f"{number}.jpg", quality=92)
    shutil.copy(root / "train" / "kaki" / "1.jpg", root / "train" / "kaki" / "copy.jpg")
    shutil.copy(root / "train" / "kaki" / "2.jpg", root / "train" / "plum" / "wrong.jpg")
    shutil.copy(root / "train" / "kaki" / "3.jpg", root / "val" / "kaki" / "leak.jpg")
    Image.open(root / "train" / "plum" / "4.jpg").resize((90, 70)).save(root / "val" / "plum" / "small.jpg")
    data = (root / "train" / "plum" / "5.jpg").read_bytes()
    (root / "train" / "plum" / "cut.jpg").write_bytes(data[: len(data) // 2])
    (root / "train" / "plum" / "text.jpg").write_text("no picture")
    scene(0, 50).save(root / "train" / "kaki" / "other.jpg", "PNG")
    Image.new("RGB", (200, 150), (3, 3, 3)).save(root / "train" / "kaki" / "black.png")
    scene(0, 51).filter(ImageFilter.GaussianBlur(9)).save(root / "train" / "kaki" / "soft.png")
    scene(0, 52).convert("L").save(root / "train" / "kaki" / "grey.png")
    scene(0, 53).resize((900, 60)).save(root / "train" / "kaki" / "wide.png")
    turned = scene(0, 54)
    turned.getexif()[0x0112] = 6
    turned.save(root / "train" / "kaki" / "turned.jpg", exif=turned.getexif())
    return root


def scene(kind: int, number: int) -> Image.Image:
    """Blobs of all sizes."""
    draws = np.random.default_rng([kind, number])
    layers = np.zeros((150, 200, 3)) + np.eye(3)[kind] * 30
    for cells in (3, 6, 12, 24, 100):
        noise = draws.normal(0, 40 / cells**0.4, (cells, cells, 3)).astype(np.float32)
        layer = [
            np.asarray(Image.fromarray(noise[..., c]).resize((200, 150), Image.Resampling.BICUBIC)) for c in (0, 1, 2)
        ]
        layers += np.stack(layer, axis=-1)
    return Image.fromarray((120 + layers).clip(0, 255).astype(np.uint8))


def test_all_of_it_is_found(bad_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Each under its kind, with the right pictures; a page, a JSON and a manifest; nothing in the folder is touched."""
    before = files_of(bad_photos)
    words = ["inspect", str(bad_photos), "--html", str(tmp_path / "a.html"), "--json", str(tmp_path / "a.json")]
    assert main([*words, "--fix", str(tmp_path / "good.csv")]) == 0
    assert files_of(bad_photos) == before
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    found = {f["kind"]: {picture["path"] for picture in f["pictures"]} for f in document["findings"]}
    assert found["truncated"] == {"train/plum/cut.jpg"} and found["unreadable"] == {"train/plum/text.jpg"}
    assert found["contradiction"] == {"train/kaki/2.jpg", "train/plum/wrong.jpg"}
    assert found["leak"] == {"train/kaki/3.jpg", "val/kaki/leak.jpg"}
    assert found["duplicate"] == {"train/kaki/1.jpg", "train/kaki/copy.jpg"}
    assert found["near-leak"] == {"train/plum/4.jpg", "val/plum/small.jpg"}
    assert found["suffix"] == {"train/kaki/other.jpg"} and found["uniform"] == {"train/kaki/black.png"}
    assert found["blurred"] == {"train/kaki/soft.png"} and "train/kaki/grey.png" in found["grey"]
    assert found["aspect"] == {"train/kaki/wide.png"} and found["rotated"] == {"train/kaki/turned.jpg"}
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("data:image/webp") >= 14 and "鸭梨" not in page.split("<body>")[0]
    assert "can&#39;t be shown" in page or "can't be shown" in page
    assert "the same picture with several labels" in capsys.readouterr().out
    left = {Path(path).name for path in read_data(tmp_path / "good.csv").column("path")}
    gone = {"copy.jpg", "wrong.jpg", "cut.jpg", "text.jpg", "black.png"}
    assert not left & gone and "leak.jpg" in left
    assert len(read_data(tmp_path / "good.csv")) == len(read_data(bad_photos)) - 8


def test_strict(bad_photos: Path, capsys: pytest.CaptureFixture[str]):
    """Kinds that are found and named are exit status 1; others are not; unknown words are a mistake."""
    assert main(["inspect", str(bad_photos), "--strict", "leak", "dark"]) == 1
    assert "does not allow: leak" in capsys.readouterr().err
    assert main(["inspect", str(bad_photos), "--strict", "bomb"]) == 0
    assert main(["inspect", str(bad_photos), "--strict", "all"]) == 1
    assert main(["inspect", str(bad_photos), "--strict", "leeks"]) == 2
    assert main(["inspect", str(bad_photos), "--strict"]) == 2
    assert "kinds of findings" in capsys.readouterr().err


def test_places_are_told_before_the_work(bad_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Where nothing can be written, or something else would be lost, that is said first, and all stays as it is."""
    (tmp_path / "table.csv").write_text("path,label,camera\na.jpg,kaki,3\n")
    (tmp_path / "mine.csv").write_text("path,label,split,group\n")
    for flag, place, told in [
        ("--html", tmp_path / "none" / "a.html", "no folder"),
        ("--json", tmp_path, "a folder"),
        ("--fix", tmp_path / "good.txt", ".csv"),
        ("--fix", tmp_path / "table.csv", "not a manifest of this command"),
    ]:
        assert main(["inspect", str(bad_photos), flag, str(place)]) == 2
        said = capsys.readouterr()
        assert flag in said.err and told in said.err and not said.out
    assert main(["inspect", str(tmp_path / "mine.csv"), "--fix", str(tmp_path / "mine.csv")]) == 2
    assert "which is the data" in capsys.readouterr().err
    assert main(["inspect", str(bad_photos), "--fix", str(tmp_path / "mine.csv")]) == 0  # our own may be written again
    assert main(["inspect", str(bad_photos), "--folds", "1"]) == 2


def test_notes_and_names_of_kinds_are_said(bad_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """What the reader noticed stands in the lines and in the JSON, and each finding's kind in brackets."""
    for picture in (bad_photos / "val" / "plum").iterdir():
        picture.unlink()
    assert main(["inspect", str(bad_photos), "--json", str(tmp_path / "a.json")]) == 0
    assert "note      val has no picture of plum" in (said := capsys.readouterr().out)
    assert "nearly one colour (uniform)" in said
    assert "val has no picture of plum, which train has" in json.loads((tmp_path / "a.json").read_text())["notes"]


def test_near_copies_of_tiny_pictures_are_not_looked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Digits are alike without being copies: below 32 pixels that is said instead."""
    for kind, name in enumerate("ab"):
        (tmp_path / "digits" / name).mkdir(parents=True)
        for number in range(12):
            scene(kind, number).resize((28, 28)).save(tmp_path / "digits" / name / f"{number}.png")
    assert main(["inspect", str(tmp_path / "digits")]) == 0
    assert "near duplicates were not searched for: too many pictures look alike at 28 px" in capsys.readouterr().out


def test_a_part_of_a_data_set_by_itself(bad_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Test pictures alone can be inspected and converted; to train on them is a mistake that is told."""
    (tmp_path / "set").mkdir()
    (bad_photos / "val").rename(tmp_path / "set" / "test")
    rows = [f"set/{path.relative_to(tmp_path / 'set')},{path.parent.name},test"
            for path in sorted((tmp_path / "set").rglob("*.jpg"))]  # fmt: skip
    (tmp_path / "test.csv").write_text("\n".join(["path,label,split", *rows]), encoding="utf-8")
    assert main(["inspect", str(tmp_path / "test.csv")]) == 0
    assert main(["data", "convert", str(tmp_path / "test.csv"), str(tmp_path / "out"), "--to", "shards"]) == 0
    capsys.readouterr()
    assert main(["train", str(tmp_path / "test.csv"), "--model", "lenet5", "--size", "28", "--minutes", "1"]) == 2
    assert "pictures to train on" in capsys.readouterr().err


def test_a_training_says_it_too(bad_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The fast form, in lines before the first epoch; it is remembered."""
    words = ["train", str(bad_photos), "--model", "lenet5", "--size", "28", "--epochs", "1", "--policy", "light"]
    assert main([*words, "--square", "64", "--out", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "found     the same picture with several labels: 2 pictures in 1 set:" in out
    assert "found     nearly the same picture in several splits" in out
    assert len(list((tmp_path.parent / "cache0").glob("inspected/*.npz"))) <= 1


def test_near_copies_stay_on_one_side(tmp_path: Path):
    """Our own split never puts a resized copy across from its original."""
    root = tmp_path / "photos"
    for kind, name in enumerate("ab"):
        (root / name).mkdir(parents=True)
        for number in range(12):
            image = scene(kind, number)
            image.save(root / name / f"{number}.png")
            image.resize((120, 90)).save(root / name / f"{number}-small.png")
    words = ["train", str(root), "--model", "lenet5", "--size", "28", "--square", "64", "--epochs", "1"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    import pyarrow.parquet as pq

    table = pq.read_table(open_run(tmp_path / "run").index_path)
    sides: dict[str, set[str]] = {}
    for path, split in zip(table["path"].to_pylist(), table["split"].to_pylist(), strict=True):
        sides.setdefault(path.replace("-small", ""), set()).add(split)
    assert len(sides) == 24 and all(len(side) == 1 for side in sides.values())
    assert set().union(*sides.values()) == {"train", "val"}


def test_a_picture_inside_a_file_in_a_manifest(tmp_path: Path):
    """What --fix writes of arrays can be read again."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    pixels[3] = pixels[1]
    np.savez(tmp_path / "a.npz", x=pixels, y=np.arange(20) % 2)
    assert main(["inspect", str(tmp_path / "a.npz"), "--fix", str(tmp_path / "good.csv")]) == 0
    index = read_data(tmp_path / "good.csv")
    assert len(index) == 19 and index.usable.all() and index.location(0)[1] == "x/0"


def test_a_page_with_many_pictures(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """Of a long finding the worst are shown and the rest are counted; a page that can't be written is a mistake."""
    for number in range(SHOWN + 5):
        folder = tmp_path / "photos" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 60), (0, number, 0)).save(folder / f"{number}.png")
    assert main(["inspect", str(tmp_path / "photos"), "--html", str(tmp_path / "a.html")]) == 0
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    part = page[page.index("nearly one colour") :]
    assert part[: part.index("and 5 more")].count("<figure>") == SHOWN
    assert main(["inspect", str(tmp_path / "photos"), "--html", str(tmp_path / "none" / "a.html")]) == 2
    assert "--html" in capsys.readouterr().err


def test_a_manifest_never_replaces_what_is_no_manifest(tmp_path: Path):
    """Another suffix, the data themselves, and a table of somebody's are refused; one of ours is written anew."""
    data = tmp_path / "data.csv"
    data.write_text("path,label,split,group\na.jpg,a,,\n")
    other = tmp_path / "other.csv"
    other.write_text("name,value\n")
    for place in (tmp_path / "fixed.txt", data, other):
        with pytest.raises(ConfigError, match="--fix"):
            check_manifest_place(place, data)
    with pytest.raises(ConfigError, match="which is the data"):  # one of several tables
        check_manifest_place(data, tmp_path / "{data,other}.csv")
    ours = tmp_path / "ours.csv"
    ours.write_text(data.read_text())
    for place in (None, ours, tmp_path / "new.csv"):
        check_manifest_place(place, data)


def test_strict_knows_its_words():
    """A kind that there is none of is told with the nearest, before anything is looked at."""
    assert strict_failures([], ("leak", "all")) == []
    with pytest.raises(ConfigError, match="leak"):
        strict_failures([], ("leek",))
