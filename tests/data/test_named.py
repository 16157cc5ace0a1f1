from __future__ import annotations

import functools
import hashlib
import io
import sys
import tarfile
import threading
import types
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pictaxa.cli.main import main
from pictaxa.data import named
from pictaxa.data.named import NAMED, NamedData
from pictaxa.data.naming import called, read_names
from pictaxa.data.reading import read_data
from pictaxa.errors import DataError, FetchError
from pictaxa.system import download

Make = Callable[..., Path]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder and the address that serves it."""
    folder = tmp_path / "published"
    folder.mkdir()
    http = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    monkeypatch.setattr(download, "WAIT_SECONDS", 0.01)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield folder, f"http://127.0.0.1:{http.server_port}/"
    http.shutdown()
    thread.join()
    http.server_close()


def digest_of(path: Path) -> str:
    return "md5:" + hashlib.md5(path.read_bytes()).hexdigest()


def test_an_archive_is_fetched_and_unpacked_once(
    published: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_photos: Make, tiny: tuple[str]
):
    """pictaxa train NAME: fetched, checked, unpacked, trained on; the second time nobody is asked."""
    folder, address = published
    make_photos(tmp_path / "flower_photos", {"daisy": 12, "rose": 12})
    (tmp_path / "flower_photos" / "LICENSE.txt").write_text("CC BY")
    with tarfile.open(folder / "flower_photos.tgz", "w:gz") as archive:
        archive.add(tmp_path / "flower_photos", "flower_photos")
    data = NamedData(
        address, {"flower_photos.tgz": digest_of(folder / "flower_photos.tgz")}, 1, "CC BY", folder="flower_photos"
    )
    monkeypatch.setitem(NAMED, "flowers", data)
    words = ["train", "flowers", "--cache", str(tmp_path / "cache"), *tiny, "--epochs", "1"]
    assert main([*words, "--out", str(tmp_path / "a")]) == 0
    (folder / "flower_photos.tgz").unlink()
    assert main([*words, "--out", str(tmp_path / "b")]) == 0
    assert main(["evaluate", str(tmp_path / "b")]) == 0


def test_numbers_get_the_published_names(published: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Single files lie side by side, and classes that they only number have names."""
    folder, address = published
    files = {}
    for split in ("train", "t10k"):
        for kind, axes, array in (
            ("images-idx3", (6, 4, 4), np.arange(96, dtype=np.uint8)),
            ("labels-idx1", (6,), np.arange(6, dtype=np.uint8) % 2),
        ):
            file = folder / f"{split}-{kind}-ubyte"
            file.write_bytes(bytes([0, 0, 8, len(axes)]) + np.array(axes, dtype=">i4").tobytes() + array.tobytes())
            files[file.name] = digest_of(file)
    monkeypatch.setitem(NAMED, "fashion_mnist", NamedData(address, files, 1, "MIT", classes=("shirt", "bag")))
    index = read_data("fashion_mnist", cache=tmp_path / "cache")
    assert index.classes == ("shirt", "bag") and len(index.rows("test")) == 6


def test_an_archive_that_reaches_outside(published: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is refused whole, and nothing of it is left."""
    folder, address = published
    with tarfile.open(folder / "a.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("../../outside.txt")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    data = NamedData(address, {"a.tgz": digest_of(folder / "a.tgz")}, 1, "none", folder="a")
    monkeypatch.setitem(NAMED, "flowers", data)
    with pytest.raises(FetchError, match="outside"):
        read_data("flowers", cache=tmp_path / "cache")
    assert not list(tmp_path.rglob("outside.txt"))


def test_offline_it_says_which_file_goes_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No connection: the address, and the place to put the file at."""
    monkeypatch.setattr(download, "WAIT_SECONDS", 0.01)
    monkeypatch.setitem(NAMED, "cifar10", NamedData("http://127.0.0.1:9/", {"c.tar.gz": "md5:0"}, 1, "none", "c"))
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:9/c\.tar\.gz.*put it at .*data/cifar10/c\.tar\.gz"):
        read_data("cifar10", cache=tmp_path)
    with pytest.raises(DataError, match="Did you mean the data set cifar10"):
        read_data("cifar_10", cache=tmp_path)


def test_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """hf:NAME: each split becomes a parquet file of ours, written once; what that library raises is one line."""

    class Split:
        def to_parquet(self, path: str) -> None:
            pq.write_table(pa.table({"image": [{"bytes": b"x", "path": None}] * 4, "label": ["a", "b"] * 2}), path)

    calls = []

    def load_dataset(name: str) -> dict[str, Split]:
        calls.append(name)
        if name == "none":
            raise RuntimeError("no such data set\nanywhere")
        return {"train": Split(), "test": Split()}

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
    for _ in range(2):
        index = read_data("hf:someone/cats", cache=tmp_path)
        assert index.classes == ("a", "b") and len(index.rows("test")) == 4
    assert calls == ["someone/cats"]
    with pytest.raises(DataError, match="no such data set anywhere"):
        read_data("hf:none", cache=tmp_path)


def test_the_table_can_be_checked():
    """Every file has a digest of its algorithm's length, every set a licence, and an address that ends in a slash."""
    for name, data in NAMED.items():
        assert data.licence and data.megabytes > 0 and data.address.endswith("/"), name
        for digest in data.files.values():
            algorithm, _, text = digest.partition(":")
            assert len(text) == {"md5": 32, "sha256": 64}[algorithm] and int(text, 16) >= 0
    assert named.is_named("hf:x") and not named.is_named("photos")


def test_names_of_codes(tmp_path: Path):
    """Each usual form of such a file; what is none is an error."""
    forms = {
        "a.txt": "n01 tench, Tinca tinca\nn02\tgreat white shark\n",
        "b.json": '{"0": ["n01", "tench"], "1": ["n02", "great_white_shark"]}',
        "c.json": '{"n01": "tench", "n02": "great white shark"}',
    }
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        assert read_names(tmp_path / name) == {"n01": "tench", "n02": "great white shark"}
    (tmp_path / "d.json").write_text('{"tench": 0, "shark": 1}')
    (tmp_path / "e.txt").write_text("tench\nshark\n")
    for name in ("d.json", "e.txt"):
        assert read_names(tmp_path / name) == {"0": "tench", "1": "shark"}
    (tmp_path / "g.txt").write_bytes("郁金香\n玫瑰\n".encode("gb18030"))
    assert read_names(tmp_path / "g.txt") == {"0": "郁金香", "1": "玫瑰"}
    for text in ("{", "3", "{}"):
        (tmp_path / "f.json").write_text(text)
        with pytest.raises(DataError, match="--class-names"):
            read_names(tmp_path / "f.json")
    assert called(["a", "b", "c"], {"a": "x", "b": "x"}) == {"a": "x (a)", "b": "x (b)", "c": "c"}
