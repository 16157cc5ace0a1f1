"""Hostile files: each is refused in one line. A process of its own proves it of those that would take all memory or
time.
"""

from __future__ import annotations

import io
import json
import pickle
import runpy
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pictaxa.errors import PictaxaError
from pictaxa.weights.keras_files import read_file

h5py = pytest.importorskip("h5py", reason="the keras extra is not installed")

KERAS = runpy.run_path(str(Path(__file__).with_name("test_keras_files.py")))
write_legacy, write_keras3, write_archive = (KERAS[f"write_{form}"] for form in ("legacy", "keras3", "archive"))
MIB = 2**20
MAX_MIB, MAX_SECONDS = 100, 10.0  # above what the readers' own imports take

# Reads each file with its reader, and says what became of it, the memory beyond the start's, and the seconds.
READ = """
import json, resource, sys, time
from pathlib import Path
import h5py
from pictaxa.errors import PictaxaError
from pictaxa.weights.foreign import read_npz, read_torch
from pictaxa.weights.keras_files import read_file

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

# So that a reader that takes all of a bomb ends with an error instead of the machine.
resource.setrlimit(resource.RLIMIT_AS, (16 * 2**30, 16 * 2**30))
readers = {".npz": read_npz, ".pth": read_torch}
for place in sys.argv[1:]:
    before, started, said = peak(), time.monotonic(), "nothing"
    try:
        path = Path(place)
        readers.get(path.suffix, read_file)(path, max_values=1_000_000)
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
    """Four numbers in a chunk of a quarter of a gigabyte."""
    with h5py.File(file, "w") as h5:
        size = 2**26
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


def hashing(file: Path) -> None:
    """A key of tuples in tuples, gone through 2^60 times when it is hashed."""
    nested = b"K\x01K\x01\x86q\x00" + b"".join(b"h%c\x86q%c" % (n, n + 1) for n in range(60))
    write_pickle(file, b"\x80\x02}" + nested + b"K\x01s.")


def deep_key(file: Path) -> None:
    """A key of a million tuples within each other, which Python hashes by recursion."""
    write_pickle(file, b"\x80\x02}K\x01" + b"\x85" * 10**6 + b"K\x01s.")


def write_pickle(file: Path, data: bytes) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", data)
        archive.writestr("a/version", "3\n")
        archive.writestr("a/byteorder", "little")


def lying_header(file: Path) -> None:
    """An array that claims to have four petabytes."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"shape": (10**15,), "fortran_order": False, "descr": "<f4"})
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(64))


def packed_array(file: Path) -> None:
    """A quarter of a gigabyte of zeros in a few hundred kilobytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"shape": (2**26,), "fortran_order": False, "descr": "<f4"})
        for _ in range(16):
            member.write(bytes(16 * MIB))


def packed_archive(file: Path) -> None:
    """A `.keras` archive whose weights are a quarter of a gigabyte of zeros."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("model.weights.h5", "w") as member:
        for _ in range(16):
            member.write(bytes(16 * MIB))


def link_out(file: Path) -> None:
    with h5py.File(file, "w") as h5:
        h5["layers/conv2d/vars/0"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_circle(file: Path) -> None:
    with h5py.File(file, "w") as h5:
        h5.create_group("layers")["layers"] = h5py.SoftLink("/")


def hard_circle(file: Path) -> None:
    with h5py.File(file, "w") as h5:
        group = h5.create_group("layers")
        group["again"] = h5["/"]


def data_elsewhere(file: Path) -> None:
    with h5py.File(file, "w") as h5:
        h5.create_dataset("layers/conv2d/vars/0", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def virtual(file: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    with h5py.File(file, "w") as h5:
        h5.create_virtual_dataset("layers/conv2d/vars/0", layout)


def vast(file: Path) -> None:
    with h5py.File(file, "w") as h5:  # a few hundred bytes that claim 4 TB of zeros
        h5.create_dataset("layers/conv2d/vars/0", (10**6, 10**6), "f4", chunks=(1000, 1000), compression="gzip")


def lambda_h5(file: Path) -> None:
    write_legacy(file, {"conv": [("kernel", np.zeros((1, 1, 1, 1), np.float32))]}, whole=True)
    with h5py.File(file, "a") as h5:
        h5.attrs["model_config"] = json.dumps({"layers": [{"class_name": "Lambda", "config": {"function": "4wEA"}}]})


def lambda_archive(file: Path) -> None:
    write_archive(file, {}, config=json.dumps({"layers": [{"class_name": "Lambda"}]}))


def lambda_spaced(file: Path) -> None:
    write_archive(file, {}, config='{"class_name" \n : "L\\u0061mbda"}')


def lambda_escaped(file: Path) -> None:
    write_legacy(file, {"conv": [("kernel", np.zeros((1, 1, 1, 1), np.float32))]}, whole=True)
    with h5py.File(file, "a") as h5:
        h5.attrs["model_config"] = "x" * 50_000 + '{"cl\\u0061ss_name" : "\\u004cambda"}'


def linked_twice(file: Path) -> None:
    with h5py.File(file, "w") as h5:
        h5.create_dataset("layers/dense/vars/0", data=np.zeros((2, 2), np.float32))
        h5["layers/dense_1"] = h5["layers/dense"]


def text_for_numbers(file: Path) -> None:
    with h5py.File(file, "w") as h5:
        h5.create_dataset("layers/dense/vars/0", data=np.array([b"a"], "S1000"))


def no_names(file: Path) -> None:
    with h5py.File(file, "w") as h5:
        h5.attrs["layer_names"] = np.zeros(3)


def three_variables(file: Path) -> None:
    arrays = [("kernel", np.zeros((2, 2), np.float32)), ("bias", np.zeros(2)), ("other", np.zeros(2))]
    write_keras3(file, {"dense": arrays}, named=True)


def other_variables(file: Path) -> None:
    write_legacy(file, {"lstm": [("recurrent_kernel", np.zeros((2, 2), np.float32))]}, whole=False)


def damaged_deflate(file: Path) -> None:
    weights = io.BytesIO()
    write_keras3(weights, KERAS["keras_arrays"](KERAS["randomised"]("lenet5")), named=True)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", weights.getvalue())
    whole = bytearray(file.read_bytes())
    whole[2000:2100] = b"\xff" * 100
    file.write_bytes(whole)


def heap_without_end(file: Path) -> None:
    """An object of no size in the heap of the names, in which HDF5 would go on for ever."""
    write_legacy(file, {"conv": [("kernel", np.zeros((1, 1, 1, 1), np.float32))]}, whole=False)
    whole = bytearray(file.read_bytes())
    heap = whole.index(b"GCOL")
    whole[heap + 16 : heap + 48] = bytes(32)
    file.write_bytes(whole)


def long_name(file: Path) -> None:
    """A layer's name of 256 MiB, for which HDF5 would make room before it looks."""
    write_keras3(file, {"conv": [("kernel", np.zeros((1, 1, 1, 1), np.float32))]}, named=True)
    whole = file.read_bytes()
    heap = whole.index(b"GCOL").to_bytes(8, "little")
    place = whole.index((4).to_bytes(4, "little") + heap)
    file.write_bytes(whole[: place + 3] + b"\x10" + whole[place + 4 :])


def cut_short(file: Path) -> None:
    write_keras3(file, KERAS["keras_arrays"](KERAS["randomised"]("lenet5")), named=True)
    file.write_bytes(file.read_bytes()[:-5000])


def no_keras(file: Path) -> None:
    file.write_text("weights")


BOMBS: dict[str, Callable[[Path], None]] = {
    "chunk.weights.h5": one_chunk,
    "texts.h5": long_texts,
    "unfolding.weights.h5": unfolding,
    "allocating.pth": allocating,
    "hashing.pth": hashing,
    "deep.pth": deep_key,
    "header.npz": lying_header,
    "packed.npz": packed_array,
    "packed.keras": packed_archive,
    "name.weights.h5": long_name,
    "heap.h5": heap_without_end,
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
        assert mebibytes < MAX_MIB and seconds < MAX_SECONDS, (name, mebibytes, seconds)


@pytest.mark.parametrize(
    ("make", "suffix", "words"),
    [
        (link_out, ".h5", "a link at"),
        (soft_circle, ".h5", "a link at"),
        (hard_circle, ".h5", "cycle"),
        (data_elsewhere, ".h5", "external data"),
        (virtual, ".h5", "external data"),
        (vast, ".h5", "about as many values"),
        (lambda_h5, ".h5", "Lambda layer, which is code; nothing was run"),
        (lambda_archive, ".keras", "Lambda layer, which is code; nothing was run"),
        (lambda_spaced, ".keras", "Lambda layer, which is code; nothing was run"),
        (lambda_escaped, ".h5", "Lambda layer, which is code; nothing was run"),
        (linked_twice, ".h5", "a second copy, at"),
        (text_for_numbers, ".h5", "an array of numbers"),
        (no_names, ".h5", "no text as layer_names"),
        (three_variables, ".h5", "3 variables at layers/dense"),
        (other_variables, ".h5", "recurrent_kernel"),
        (damaged_deflate, ".keras", "a whole Keras file"),
        (heap_without_end, ".h5", "a heap with an object of no size"),
        (long_name, ".h5", "longer than any"),
        (Path.mkdir, ".h5", "a folder"),
        (Path.touch, ".keras", "an empty file"),
        (packed_archive, ".keras", "when unpacked"),
        (cut_short, ".weights.h5", "a whole Keras file"),
        (no_keras, ".h5", "a whole Keras file"),
    ],
)
def test_hostile_files_are_refused(make: Callable[[Path], None], suffix: str, words: str, tmp_path: Path):
    """Links, circles, code, bombs and torn files each give one line, and nothing outside is read."""
    file = tmp_path / f"file{suffix}"
    make(file)
    with pytest.raises(PictaxaError, match=words) as told:
        read_file(file, max_values=1_000_000)
    assert "\n" not in str(told.value)
