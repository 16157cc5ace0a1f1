"""Checks the bytes of a Keras file before HDF5 reads it, because damaged files can mislead HDF5.

HDF5 keeps texts in heaps. An attribute has for each text its length, its heap's address and its number there. With a
damaged heap HDF5 can look for ever, and it makes room for whatever length is told before it looks.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from .foreign import refusal

# A configuration is searched and never interpreted. JSON may have any letter as its number.
_LAMBDA = re.compile(rb'"class_name"\s*:\s*"Lambda"')
_ESCAPED = re.compile(rb"\\u00([4-7][0-9a-fA-F])")
_HEAP = re.compile(rb"GCOL\x01\0\0\0")
_HEADER = 16  # bytes before a heap's first object, and before what each object holds
_LONGEST, _MOST = 2**16, 2**12  # bytes of a name, and names in one attribute
_TEXTS = 9  # HDF5's number for a type of texts of any length
_BLOCK, _OVERLAP = 2**22, 2**17  # an attribute's beginning, or all of a small one, is within what blocks share


def refuse_lambda(path: Path, stream: IO[bytes]) -> None:
    """WeightsError for a configuration with a Lambda layer, anywhere in a file.

    HDF5's own way to it, an attribute, can end the process where its datatype is damaged.
    """
    for _, block in _blocks(stream):
        if _LAMBDA.search(_ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), block)):
            raise refusal(
                path, "layers whose function is known by name",
                found="a Lambda layer, which is code; nothing was run",
                fix="Build the model without it and save the weights: model.save_weights(FILE).",
            )  # fmt: skip


def check_heaps(stream: IO[bytes]) -> None:
    """ValueError for a heap with an object that ends outside of it or where it begins."""
    size, last, end = stream.seek(0, io.SEEK_END), -1, 0
    for begin in (start + match.start() for start, block in _blocks(stream) for match in _HEAP.finditer(block)):
        if begin <= last:
            continue  # seen at the end of the last block
        stream.seek(begin + 8)
        length = _number(stream.read(8)) - _HEADER
        if begin < end or not 0 <= length <= size - begin - _HEADER:
            raise ValueError("a heap within another, or without an end")
        last, end = begin, begin + _HEADER + length
        heap, at = stream.read(length), 0
        while at + _HEADER <= length:
            number, _, _, inside = struct.unpack_from("<HHIQ", heap, at)
            if number == 0 and inside < _HEADER:  # the rest, free, with its header
                raise ValueError("a heap with an object of no size")
            at += _HEADER + -(-inside // 8) * 8 if number else inside
        if at > length:
            raise ValueError("a heap with an object that is longer")


def check_texts(stream: IO[bytes], names: Sequence[str]) -> None:
    """ValueError for an attribute of one of these names, or `NAME0`, `NAME1`, ..., with a text longer than a name."""
    for name in names:
        words = re.compile(name.encode() + rb"\d*\0")
        for _, block in _blocks(stream):
            for match in words.finditer(block):
                for version, fixed in ((1, 8), (2, 8), (3, 9)):  # bytes before its name
                    if match.start() >= fixed and block[match.start() - fixed] == version:
                        _check_attribute(
                            block[match.start() - fixed : match.start() + _OVERLAP], version, fixed, len(match[0])
                        )


def _check_attribute(block: bytes, version: int, fixed: int, length: int) -> None:
    """ValueError when an attribute at a block's beginning has texts that are too long.

    Version, flags, lengths of name, type and shape; those three, each padded to 8 bytes in version 1; the texts.
    """
    _, flags, *sizes = struct.unpack_from("<BBHHH", block)
    if sizes[0] != length:
        return  # only looks like one
    padded = [-(-size // 8) * 8 if version == 1 else size for size in sizes]
    kind, texts = fixed + padded[0], fixed + sum(padded)
    if version > 1 and flags:
        raise ValueError("an attribute whose type is elsewhere")
    shape = block[fixed + padded[0] + padded[1] : texts]
    if len(shape) < 4 or block[kind] % 16 != _TEXTS:
        return
    dimensions = shape[8 if shape[0] == 1 else 4 :][: 8 * shape[1]]
    count = math.prod(_number(dimensions[at : at + 8]) for at in range(0, len(dimensions), 8))
    if count > _MOST or any(_number(block[texts + 16 * n : texts + 16 * n + 4]) > _LONGEST for n in range(count)):
        raise ValueError("a name of a layer that is longer than any")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _blocks(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """A stream's bytes, each block with the end of the last, and where it begins; the stream may be moved between."""
    place, kept = 0, b""
    while True:
        stream.seek(place)
        block = stream.read(_BLOCK)
        if not block:
            return
        yield place - len(kept), kept + block
        place, kept = place + len(block), (kept + block)[-_OVERLAP:]
