from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

from pictaxa.errors import WeightsError
from pictaxa.weights.keras_bytes import check_heaps, check_texts, refuse_lambda

BLOCK = 2**22  # as much is read at a time


def attribute(length: int) -> bytes:
    """A layer's name as HDF5 keeps it: lengths of what follows, name, type of texts, no shape, and the text's place."""
    parts = struct.pack("<BBHHH", 1, 0, 5, 8, 8), b"name\0\0\0\0", bytes([0x19]) + bytes(7), b"\1" + bytes(7)
    return b"".join(parts) + struct.pack("<IQI", length, 4096, 1)


def heap(inside: int) -> bytes:
    """A heap with an object of eight bytes, and the free rest, which says that it has `inside`."""
    objects = struct.pack("<HHIQ8s", 1, 0, 0, 8, b"conv2d_1") + struct.pack("<HHIQ", 0, 0, 0, inside)
    return b"GCOL\1\0\0\0" + struct.pack("<Q", 4096) + objects.ljust(4080, b"\0")


@pytest.mark.parametrize("place", [0, BLOCK - 40, BLOCK - 3, BLOCK + 5])
def test_nothing_is_missed_between_blocks(place: int):
    """A Lambda, a name that is too long and a heap without an end are found wherever they lie, and whole ones pass."""
    before = b"\x7f" * place
    check_texts(io.BytesIO(before + attribute(8)), ("name",))
    check_heaps(io.BytesIO(before + heap(4080 - 24)))
    refuse_lambda(Path("a.h5"), io.BytesIO(before + b'"class_name": "Lambdas"'))
    with pytest.raises(ValueError, match="longer than any"):
        check_texts(io.BytesIO(before + attribute(2**28)), ("name",))
    for inside, words in ((0, "no size"), (5000, "longer")):
        with pytest.raises(ValueError, match=words):
            check_heaps(io.BytesIO(before + heap(inside)))
    with pytest.raises(WeightsError, match="Lambda"):
        refuse_lambda(Path("a.h5"), io.BytesIO(before + b'"class_name" :\n"\\u004cambda"' + bytes(2**18)))
