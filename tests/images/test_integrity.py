"""images/integrity.py by itself; test_decode.py and the fuzzing go through it with whole pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pictaxa.images.integrity import check_end, check_sums, segments


def encoded(kind: str, **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 56, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def test_a_png_whose_chunk_was_changed():
    """A whole one passes; a flipped byte in its pixels, and a missing end of them, are told apart."""
    data = encoded("PNG")
    check_sums(data)
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    with pytest.raises(OSError, match="checksum is wrong"):
        check_sums(bytes(changed))
    with pytest.raises(OSError, match="truncated"):
        check_sums(data[: len(data) // 2])


def test_the_segments_of_a_jpeg():
    """Tables first, then the frame, then the scan, each within the file."""
    data = encoded("JPEG")
    kinds = [kind for kind, _, _ in segments(data)]
    assert 0xC0 in kinds and kinds[-1] == 0xDA and kinds.index(0xC0) < kinds.index(0xDA)
    assert all(begin <= end <= len(data) for _, begin, end in segments(data))


def test_a_progressive_jpeg_without_its_last_scans():
    """Its picture is there, coarse; its missing detail is told."""
    data = encoded("JPEG", progressive=True)
    scans = [begin for kind, begin, _ in segments(data) if kind == 0xDA]
    cut = data[: scans[-1] - 4] + b"\xff\xd9"
    with Image.open(io.BytesIO(data)) as whole:
        whole.load()
        check_end(whole, data, draft_side=None)
    with Image.open(io.BytesIO(cut)) as coarse:
        coarse.load()
        with pytest.raises(OSError, match="last scans are missing"):
            check_end(coarse, cut, draft_side=None)
