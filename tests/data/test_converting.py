from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pictaxa.cli.main import main
from pictaxa.data.converting import convert_data
from pictaxa.data.fetching import Fetcher
from pictaxa.data.reading import PLAIN, read_data
from pictaxa.errors import DataError
from pictaxa.images.decode import decode

Make = Callable[..., Path]


def contents(place: Path) -> set[tuple[str, str, bytes]]:
    """(split, class, pixels) of each picture."""
    index = read_data(place)
    splits, labels = index.column("split"), index.labels
    with Fetcher(index) as fetcher:
        return {
            (splits[row], index.classes[labels[row]], np.asarray(decode(fetcher.fetch(row), name="x")).tobytes())
            for row in range(len(index))
        }


@pytest.fixture
def sources(tmp_path: Path, make_photos: Make) -> dict[str, Path]:
    """The same kind of pictures: split folders, unsplit folders, arrays."""
    made = {"split": tmp_path / "split", "plain": make_photos(tmp_path / "plain", {"红": 5, "b c": 4})}
    make_photos(made["split"] / "train", {"a": 5, "b": 4})
    make_photos(made["split"] / "test", {"a": 2, "b": 1}, first=10)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 10), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x_train=pixels, y_train=np.arange(9) % 3)
    return made | {"arrays": tmp_path / "a.npz"}


@pytest.mark.parametrize("to", ["folders", "parquet", "shards"])
@pytest.mark.parametrize("source", ["split", "plain", "arrays"])
def test_every_target_keeps_everything(source: str, to: str, sources: dict[str, Path], tmp_path: Path):
    """Splits, classes and pixels are the same, in files of a few pictures each, and back again."""
    before = contents(sources[source])
    out = tmp_path / "out"
    words = ["data", "convert", str(sources[source]), str(out), "--to", to, "--per-file", "2"]
    assert main(words) == 0
    assert contents(out) == before
    assert to == "folders" or len(list(out.iterdir())) >= len(before) / 2
    assert main(["data", "convert", str(out), str(tmp_path / "back"), "--to", "folders"]) == 0
    assert contents(tmp_path / "back") == before


def test_bytes_stay_as_they_are(make_photos: Make, tmp_path: Path):
    """A JPEG is not encoded again."""
    data = make_photos(tmp_path / "photos", {"a": 3, "b": 3}, suffix=".jpg")
    convert_data(data, tmp_path / "out", to="folders", reading=PLAIN, per_file=10)
    assert sorted(p.read_bytes() for p in data.rglob("*.jpg")) == sorted(
        p.read_bytes() for p in (tmp_path / "out").rglob("*.jpg")
    )


def test_what_can_not_be_written(make_photos: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A folder that is there is left alone; a class that is no folder's name is told; unreadable files are left out."""
    data = make_photos(tmp_path / "photos", {"a": 3, "b": 3})
    assert main(["data", "convert", str(data), str(data), "--to", "parquet"]) == 2
    assert main(["data", "convert", str(data), str(data / "new" / "x"), "--to", "folders"]) == 2
    assert "which is inside" in capsys.readouterr().err
    assert len(list(data.rglob("*.png"))) == 6
    (tmp_path / "m.csv").write_text("path,label\nphotos/a/0.png,a/b\nphotos/b/0.png,c\nphotos/b/9.png,c\n")
    with pytest.raises(DataError, match="'a/b'"):
        convert_data(tmp_path / "m.csv", tmp_path / "out", to="folders", reading=PLAIN, per_file=10)
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.partial").exists()
    assert main(["data", "convert", str(tmp_path / "m.csv"), str(tmp_path / "out"), "--to", "shards"]) == 0
    told = capsys.readouterr().out
    assert "left out  'photos/b/9.png'" in told and "written   2 pictures" in told
