"""Files that would take all memory or time: each is refused before it can, which a process of its own proves."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py", reason="the keras extra is not installed")

MIB = 2**20
MOST_MIB, MOST_SECONDS = 100, 10.0  # above what the readers' own imports take

# Reads each file with its reader, and says what became of it, the memory beyond the start's, and the seconds.
READ = """
import json, resource, sys, time
from pathlib import Path
import h5py
from pictaxa.errors import PictaxaError
from pictaxa.weights.foreign import read_npz, read_torch
from pictaxa.weights.keras_files import read_layers

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

# So that a reader that takes all of a bomb ends with an error instead of the machine.
resource.setrlimit(resource.RLIMIT_AS, (16 * 2**30, 16 * 2**30))
readers = {".npz": read_npz, ".pth": read_torch}
for place in sys.argv[1:]:
    before, started, said = peak(), time.monotonic(), "nothing"
    try:
        path = Path(place)
        readers.get(path.suffix, read_layers)(path, most_values=1_000_000)
    except PictaxaError as error:
        said = str(error)
    except BaseException as error:
        said = f"{type(error).__name__} instead"
    print(json.dumps([said, (peak() - before) // 1024, time.monotonic() - started]))
"""


def zeros(count: int) -> bytes:
    """So many zero bytes, packed."""
    packer, block = zlib.compressobj(), bytes(16 * MIB)
    return b"".join([*(packer.compress(block) for _ in range(count // len(block))), packer.flush()])


def one_chunk(file: Path) -> None:
    """Four numbers in a chunk of a gigabyte."""
    with h5py.File(file, "w") as h5:
        size = 2**28
        data = h5.create_dataset(
            "layers/conv2d/vars/0", (4,), "f4", maxshape=(None,), chunks=(size,), compression="gzip"
        )
        data.id.write_direct_chunk((0,), zeros(4 * size))


def long_texts(file: Path) -> None:
    """Four texts of a quarter of a gigabyte each, where numbers should be."""
    with h5py.File(file, "w") as h5:
        h5.attrs["layer_names"] = [b"conv"]
        group = h5.create_group("conv")
        group.attrs["weight_names"] = [b"conv/kernel:0"]
        group.create_dataset("conv/kernel:0", (4,), f"S{2**28}", chunks=(1,), compression="gzip")


def unfolding(file: Path) -> None:
    """Each group holds the next one twice: a thousand million ways to the last."""
    with h5py.File(file, "w") as h5:
        group = h5.create_group("layers")
        for _ in range(30):
            inner = group.create_group("a")
            group["b"] = inner
            group = inner


def allocating(file: Path) -> None:
    """A pickle of a kilobyte that makes three gigabytes, in the archive that torch writes."""

    class Memory:
        def __reduce__(self) -> tuple[type, tuple[int]]:
            return bytearray, (3 * 2**30,)

    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({"conv1.weight": Memory()}, protocol=2))
        archive.writestr("a/version", "3\n")
        archive.writestr("a/byteorder", "little")


def lying_header(file: Path) -> None:
    """An array that claims to have four petabytes."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"shape": (10**15,), "fortran_order": False, "descr": "<f4"})
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(64))


def packed_array(file: Path) -> None:
    """A gigabyte of zeros in a megabyte."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"shape": (2**28,), "fortran_order": False, "descr": "<f4"})
        for _ in range(64):
            member.write(bytes(16 * MIB))


def packed_archive(file: Path) -> None:
    """A `.keras` archive whose weights are a gigabyte of zeros in a megabyte."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("model.weights.h5", "w") as member:
        for _ in range(64):
            member.write(bytes(16 * MIB))


BOMBS: dict[str, Callable[[Path], None]] = {
    "chunk.weights.h5": one_chunk,
    "texts.h5": long_texts,
    "unfolding.weights.h5": unfolding,
    "allocating.pth": allocating,
    "header.npz": lying_header,
    "packed.npz": packed_array,
    "packed.keras": packed_archive,
}


@pytest.mark.skipif(sys.platform != "linux", reason="measures a process's memory as Linux counts it")
def test_bombs_take_no_memory_and_no_time(tmp_path: Path):
    """Each is refused in one line, within seconds and a hundred megabytes."""
    for name, make in BOMBS.items():
        make(tmp_path / name)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 8 * MIB
    words = [sys.executable, "-c", READ, *(str(tmp_path / name) for name in BOMBS)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    told = dict(zip(BOMBS, map(json.loads, done.stdout.splitlines()), strict=True))
    for name, (said, mebibytes, seconds) in told.items():
        assert said.startswith("expected ") and name in said, (name, said)
        assert mebibytes < MOST_MIB and seconds < MOST_SECONDS, (name, mebibytes, seconds)
