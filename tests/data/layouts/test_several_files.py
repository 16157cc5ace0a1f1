"""Several files of a layout are one data set: all are read, each with its split, wherever they lie."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pictaxa.cli.main import main
from pictaxa.config.data import ReadingConfig
from pictaxa.data.fetching import Fetcher
from pictaxa.data.reading import read_data
from pictaxa.errors import DataError

COUNTS = {"train": 12, "test": 6}
NAMES = ("cat", "dog")


def stack(split: str) -> np.ndarray:
    """(n, 16, 16, 3) uint8; of the classes in turn, one dark and one bright."""
    noise = np.random.default_rng(len(split)).integers(0, 60, (COUNTS[split], 16, 16, 3))
    return (noise + 120 * (np.arange(COUNTS[split]) % 2)[:, None, None, None]).astype(np.uint8)


def labels(split: str) -> np.ndarray:
    return np.arange(COUNTS[split]) % 2


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_signs(root: Path) -> Path:
    """The two files of the sign-language exercise."""
    for split in COUNTS:
        with h5py.File(root / f"{split}_signs.h5", "w") as file:
            file[f"{split}_set_x"], file[f"{split}_set_y"] = stack(split), labels(split)[None]
            file["list_classes"] = np.array([name.encode() for name in NAMES])
    return root / "{train,test}_signs.h5"


def write_npz(root: Path) -> Path:
    """Files whose arrays are called alike: the split is in the file's name."""
    for split in COUNTS:
        np.savez(root / f"{split}.npz", x=stack(split), y=labels(split))
    return root / "*.npz"


def write_parquet(root: Path) -> Path:
    """As the hub converts them: files of one name in a folder for each split."""
    for split in COUNTS:
        (root / split).mkdir()
        rows = [
            {"image": {"bytes": png(pixels), "path": ""}, "label": "cd"[n % 2]} for n, pixels in enumerate(stack(split))
        ]
        pq.write_table(pa.Table.from_pylist(rows), root / split / "0000.parquet")
    return root


def write_shards(root: Path) -> Path:
    for split in COUNTS:
        (root / split).mkdir()
        with tarfile.open(root / split / "00.tar", "w") as archive:
            for n, pixels in enumerate(stack(split)):
                for name, data in (
                    (f"{n}.png", png(pixels)),
                    (f"{n}.json", json.dumps({"label": "cd"[n % 2]}).encode()),
                ):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    return root / "*" / "00.tar"


def write_folder_of_arrays(root: Path) -> Path:
    write_npz(root)
    return root


WRITERS = (write_folder_of_arrays, write_signs, write_npz, write_parquet, write_shards)


@pytest.mark.parametrize("write", WRITERS)
def test_all_files_are_read(write: Callable[[Path], Path], tmp_path: Path):
    """Every picture of every file, with the pixels of its own file and its split; none is passed over."""
    index = read_data(write(tmp_path))
    assert len(index) == 18 and [len(index.rows(split)) for split in COUNTS] == [12, 6]
    with Fetcher(index) as fetcher:
        for split in COUNTS:
            for n, row in enumerate(index.rows(split)):
                picture = fetcher.fetch(row)
                pixels = picture if isinstance(picture, np.ndarray) else np.asarray(Image.open(io.BytesIO(picture)))
                assert np.array_equal(pixels, stack(split)[n]) and index.labels[row] == n % 2


def test_evaluate_judges_the_test_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Given the pattern that was trained on, what is judged are the six test pictures, not those of the training."""
    place, run = write_signs(tmp_path), tmp_path / "run"
    tiny = ["--model", "lenet5", "--size", "28", "--batch-size", "4", "--policy", "none", "--epochs", "1"]
    assert main(["train", str(place), "--out", str(run), *tiny]) == 0
    assert main(["evaluate", str(run), str(place), "--split", "test"]) == 0
    assert "the test pictures of" in (told := capsys.readouterr().out) and ": 6 pictures" in told


def test_arrays_of_several_files_agree(tmp_path: Path):
    """Classes that one file names hold for all; files that name others are refused, and so is a key of none."""
    write_npz(tmp_path)
    np.savez(tmp_path / "train.npz", x=stack("train"), y=labels("train"), classes=np.array(NAMES))
    index = read_data(tmp_path / "{train,test}.npz")
    assert index.classes == NAMES and set(index.labels) == {0, 1}
    keys = ReadingConfig(keys=("images=x", "labels=y", "classes=classes"))
    assert len(read_data(tmp_path / "*.npz", keys)) == 18
    with pytest.raises(DataError, match="'labels=z'; the arrays are"):
        read_data(tmp_path / "*.npz", ReadingConfig(keys=("images=x", "labels=z")))
    np.savez(tmp_path / "test.npz", x=stack("test"), y=labels("test"), classes=np.array(["dog", "cat"]))
    with pytest.raises(DataError, match=r"cat, dog as in 'train\.npz'; found dog, cat in 'test\.npz'|dog, cat as in"):
        read_data(tmp_path / "*.npz")
    np.savez(tmp_path / "test.npz", other=stack("test"))
    with pytest.raises(DataError, match=r"labels in 'test\.npz'"):
        read_data(tmp_path / "*.npz")
