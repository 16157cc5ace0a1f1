"""Data sets by name: where they are published, their digests and licences; downloaded once into the cache.

Addresses, sizes and digests are their publishers' own (MNIST's by way of the mirror that torchvision uses: the original
address answers no more).
"""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ..errors import DataError, FetchError
from ..system.download import fetch
from ..system.extras import need
from ..system.progress import say

HUGGING_FACE = "hf:"  # names that begin so are of the Hugging Face hub


@dataclass(frozen=True)
class NamedData:
    """A published data set; an archive is unpacked, single files are read as they are."""

    address: str  # what each file's name follows
    files: dict[str, str]  # name -> md5:HEX or sha256:HEX
    megabytes: int  # to fetch
    licence: str
    folder: str = ""  # in the archive
    classes: tuple[str, ...] = ()  # where the files only number them


_FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

NAMED: dict[str, NamedData] = {
    "mnist": NamedData(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
        },
        megabytes=12, licence="CC BY-SA 3.0",
    ),
    "fashion_mnist": NamedData(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
        },
        megabytes=31, licence="MIT", classes=_FASHION,
    ),
    "cifar10": NamedData(
        "https://www.cs.toronto.edu/~kriz/",
        {"cifar-10-python.tar.gz": "md5:c58f30108f718f92721af3b95e74349a"},
        megabytes=171, licence="none stated; cite Krizhevsky 2009", folder="cifar-10-batches-py",
    ),
    "cifar100": NamedData(
        "https://www.cs.toronto.edu/~kriz/",
        {"cifar-100-python.tar.gz": "md5:eb9058c3a382ffc7106e4002c42a8d85"},
        megabytes=169, licence="none stated; cite Krizhevsky 2009", folder="cifar-100-python",
    ),
    "flowers": NamedData(
        "https://storage.googleapis.com/download.tensorflow.org/example_images/",
        {"flower_photos.tgz": "sha256:4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c"},
        megabytes=229, licence="CC BY 2.0, photographers in LICENSE.txt", folder="flower_photos",
    ),
}  # fmt: skip


def is_named(place: str) -> bool:
    """Whether a place is a data set's name, and not a path."""
    return place in NAMED or place.startswith(HUGGING_FACE)


def fetch_named(name: str, cache: Path) -> Path:
    """The folder of a data set by its name, fetched, checked and unpacked unless it is there; FetchError otherwise."""
    if name.startswith(HUGGING_FACE):
        return fetch_hugging_face(name.removeprefix(HUGGING_FACE), cache)
    data, folder = NAMED[name], cache / "data" / name
    path = folder / data.folder
    if data.folder and path.is_dir():
        return path
    if not all((folder / file).exists() for file in data.files):
        say(f"download  {name}: {data.megabytes} MB from {data.address} ({data.licence})")
    paths = [fetch(data.address + file, folder, digest=digest) for file, digest in data.files.items()]
    if data.folder:
        _unpack(paths[0], path)
    elif data.classes:
        (folder / "names.txt").write_text("\n".join(data.classes) + "\n", encoding="utf-8")
    return path


def _unpack(archive: Path, path: Path) -> None:
    """An archive's one folder; never half of it, and nothing outside."""
    with FileLock(archive.with_name(f"{archive.name}.lock")):
        if path.is_dir():
            return
        partial = path.with_name(f"{path.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(partial, filter="data")
            (partial / path.name).rename(path)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise FetchError(
                f"an archive that contains {path.name!r}", found=f"{str(archive)!r}: {error}",
                fix="Free some space, or remove it so that it is downloaded again.",
            ) from None  # fmt: skip
        shutil.rmtree(partial, ignore_errors=True)
        archive.unlink()


def fetch_hugging_face(name: str, cache: Path) -> Path:
    """A data set of the hub as parquet files, one for each of its splits; needs the `datasets` extra."""
    folder = cache / "data" / "hf" / name.replace("/", "--")
    if folder.is_dir():
        return folder
    datasets = need("datasets", extra="datasets")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        splits = datasets.load_dataset(name)
        for split in splits:
            splits[split].to_parquet(str(partial / f"{split}.parquet"))
    except Exception as error:  # that library raises many types
        raise DataError(
            "a data set of pictures on the Hugging Face hub", found=f"{name!r}: {str(error)[:200]}",
            fix=f"Check the name, or put its parquet files into {str(folder)!r}.",
        ) from None  # fmt: skip
    partial.rename(folder)
    return folder
