"""What happens to files: bits flip, blocks are lost, doubled or exchanged, lengths lie, the end is missing."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Draw = np.random.Generator
INTERESTING = (
    b"\0", b"\xff", b"\x7f", b"\x80", b"\0\0", b"\xff\xff", b"\x7f\xff", b"\xff\x7f", b"\0\0\0\0", b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80", b"\0\0\x40\0", b"\0\x40\0\0",
    b"\xff" * 8, b"\0" * 8, b"\xff" * 7 + b"\x7f", b"\x7f" + b"\xff" * 7, b"\0\0\0\x10\0\0\0\0",
)  # fmt: skip
INSERTED = (
    b"\0", b'"', b",", b"\t", b"\n", b"\r\n", b"#", b"{", b"[" * 3000, b"9" * 5000, b"1e999", b"../", b"\xef\xbb\xbf",
    b"\xff\xd9", b"\xff\xda", b"IEND", b"\xed\xa0\x80", b"K\x01" + b"\x85" * 3000, b"&a [*a, *a]", b"\0\2\1\1",
)  # fmt: skip


@dataclass(frozen=True)
class Seed:
    """A picture, weights, or a data set with the files of it that are damaged."""

    root: Path  # the folder that it lies in, with nothing else
    place: str  # the file, or what read_data is given, from there on
    files: tuple[str, ...]


@dataclass
class Case:
    """A damaged file, where it belongs, and what was done to it."""

    seed: Seed
    file: str
    data: bytes
    told: str


def case_of(kind: str, seeds: list[Seed], *, seed: int, number: int) -> Case:
    """The case of a number, the same whenever it is asked for: every seed in turn, and every file of it."""
    chosen, other = seeds[number % len(seeds)], seeds[(number // 7) % len(seeds)]
    file, other_file = (own.files[(number // 5) % len(own.files)] for own in (chosen, other))
    whole, others = (chosen.root / file).read_bytes(), (other.root / other_file).read_bytes()
    data, told = damaged(kind, seed, number, data=whole, other=others)
    return Case(chosen, file, data, told)


def damaged(kind: str, seed: int, number: int, *, data: bytes, other: bytes) -> tuple[bytes, str]:
    """The file of a case, and what was done to it: the same for the same kind, seed and number."""
    draw = np.random.default_rng([seed, zlib.crc32(kind.encode()), number])
    if number % 4 == 0:
        end = int(draw.integers(0, len(data)))
        return data[:end], f"cut at {end}"
    told = []
    for _ in range(int(draw.choice([1, 1, 1, 2, 3]))):
        name = str(draw.choice(list(WAYS)))
        data = splice(data, other, draw) if name == "splice" else WAYS[name](data or b"\0", draw)
        told.append(name)
    return data, ", ".join(told)


def place_in(data: bytes, draw: Draw) -> int:
    """An offset, half of the time near the beginning, where headers are."""
    return int(draw.integers(0, len(data) if draw.random() < 0.5 else min(len(data), 256)))


def stretch_of(data: bytes, draw: Draw) -> tuple[int, int]:
    """Where a block begins and ends."""
    begin = place_in(data, draw)
    return begin, min(len(data), begin + int(2 ** draw.uniform(0, np.log2(len(data) + 1))))


def flip(data: bytes, draw: Draw) -> bytes:
    """One to eight bits."""
    changed = bytearray(data)
    for _ in range(int(draw.integers(1, 9))):
        changed[place_in(data, draw)] ^= 1 << int(draw.integers(0, 8))
    return bytes(changed)


def overwrite(data: bytes, draw: Draw) -> bytes:
    """A run of bytes by random ones."""
    begin, end = stretch_of(data, draw)
    return data[:begin] + draw.bytes(min(end - begin, 64)) + data[begin + min(end - begin, 64) :]


def lie(data: bytes, draw: Draw) -> bytes:
    """Numbers that are very small, very large or negative in place of what is there."""
    for _ in range(int(draw.integers(1, 4))):
        begin, value = place_in(data, draw), INTERESTING[int(draw.integers(0, len(INTERESTING)))]
        data = data[:begin] + value[: len(data) - begin] + data[begin + len(value) :]
    return data


def remove(data: bytes, draw: Draw) -> bytes:
    """A block is lost."""
    begin, end = stretch_of(data, draw)
    return data[:begin] + data[end:]


def double(data: bytes, draw: Draw) -> bytes:
    """A block comes twice."""
    begin, end = stretch_of(data, draw)
    return data[:end] + data[begin:]


def exchange(data: bytes, draw: Draw) -> bytes:
    """Two blocks in each other's places."""
    a, b, c, d = sorted(int(draw.integers(0, len(data) + 1)) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def blank(data: bytes, draw: Draw) -> bytes:
    """Zeros, as a disk gives that lost a block."""
    begin, end = stretch_of(data, draw)
    return data[:begin] + bytes(end - begin) + data[end:]


def insert(data: bytes, draw: Draw) -> bytes:
    """Bytes that mean something to one format or another."""
    begin = place_in(data, draw)
    return data[:begin] + INSERTED[int(draw.integers(0, len(INSERTED)))] + data[begin:]


def splice(data: bytes, other: bytes, draw: Draw) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: place_in(data or b"\0", draw)] + other[place_in(other or b"\0", draw) :]


WAYS: dict[str, Callable[[bytes, Draw], bytes]] = {
    "flip": flip, "overwrite": overwrite, "lie": lie, "remove": remove, "double": double, "exchange": exchange,
    "blank": blank, "insert": insert, "splice": remove,
}  # fmt: skip
