"""images/tiff.py: every type, depth, order of channels and photometric that tifffile writes."""

from __future__ import annotations

import importlib
import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pictaxa.errors import PictureError
from pictaxa.images.decode import decode, examine, measure, square_of
from pictaxa.images.decoding import ANY, Decoding, Level
from pictaxa.images.numbers import MORE_CHANNELS
from pictaxa.images.tiff import read_layout
from pictaxa.images.upright import PAGES

tifffile = pytest.importorskip("tifffile", reason="the extra `scientific` is not installed")

TOPS = {
    "uint8": 255, "uint16": 65535, "uint32": 2**32 - 1, "int8": 100, "int16": 1000, "int32": 10**6, "float16": 1.0,
    "float32": 1.0, "float64": 1.0,
}  # fmt: skip


def written(values: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


@settings(derandomize=True, deadline=None, database=None, max_examples=150)
@given(
    kind=st.sampled_from(sorted(TOPS)),
    channels=st.sampled_from([1, 3]),
    planar=st.booleans(),
    white_is_zero=st.booleans(),
    order=st.sampled_from("<>"),
    packed=st.sampled_from([None, "zlib", "lzw", "packbits", "zstd"]),
    tiled=st.booleans(),
    big=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_kind_is_read_as_it_is_meant(
    kind: str, channels: int, planar: bool, white_is_zero: bool, order: str, packed: str | None, tiled: bool, big: bool,
    seed: int,
):  # fmt: skip
    """What the numbers say, for types x channels x planes x photometric x byte orders x compressions x tiles."""
    part = np.random.default_rng(seed).uniform(0, 1, (20, 24, 3))[..., :channels].squeeze()
    values = (part * TOPS[kind]).astype(kind)
    stored = values.transpose(2, 0, 1) if planar and channels == 3 else values
    options = (
        {"photometric": "rgb"} if channels == 3 else {"photometric": "miniswhite" if white_is_zero else "minisblack"}
    )
    if channels == 3:
        options["planarconfig"] = "separate" if planar else "contig"
    data = written(
        stored, byteorder=order, compression=packed, tile=(16, 16) if tiled else None, bigtiff=big, **options
    )  # fmt: skip
    expected = 255 * values.astype(np.float64) / TOPS[kind]
    if white_is_zero and channels == 1:
        expected = 255 - expected
    found = np.asarray(decode(data, name="x", decoding=Decoding(levels=(Level(ANY, 0, TOPS[kind]),))))
    assert found.shape == values.shape and np.abs(found - expected).max() <= 0.5 + 1e-6
    assert measure(data, name="x") == (24, 20, channels == 1)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_16_bit_white_is_zero_is_a_negative(kind: str):
    """The number 0 is white, and the type's highest is black."""
    top = TOPS[kind]
    data = written(np.array([[0, top / 5, top]]).astype(kind), photometric="miniswhite")
    assert np.asarray(decode(data, name="x")).tolist() == [[255, 204, 0]]


def test_12_bits_in_a_row():
    """Three bytes hold two numbers, whose highest, 4095, is white: 0xABC is 2748, or 171 of 255."""
    packed = bytes((0xAB, 0xC0, 0x00, 0xFF, 0xF8, 0x00))  # 2748, 0, 4095, 2048
    tags = [(256, 4), (257, 1), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 6)]
    head = struct.pack("<2sHI", b"II", 42, 14) + packed + struct.pack("<H", len(tags))
    data = head + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags) + bytes(4)
    assert np.asarray(decode(data, name="x")).tolist() == [[171, 0, 255, 128]]


def test_channels_beside_the_colours():
    """Infrared behind RGB is left out and told, transparency becomes white, five bands are refused by what they are."""
    four = np.full((8, 8, 4), 40_000, dtype=np.uint16)
    four[..., 3] = 0
    clear = decode(written(four, photometric="rgb", extrasamples=["unassalpha"]), name="x")
    assert np.asarray(clear).min() == 255
    infrared = square_of(written(four, photometric="rgb", extrasamples=["unspecified"]), name="x", side=8, channels=3)
    assert (infrared.pixels == round(40_000 * 255 / 65535)).all()
    assert infrared.notes == (MORE_CHANNELS,)
    for bands in (2, 5):
        many = written(np.zeros((8, 8, bands), np.uint8), photometric="minisblack", planarconfig="contig")
        with pytest.raises(PictureError, match=f"a TIFF with {bands} 8-bit channels: only grey and RGB can be read"):
            decode(many, name="x")


def test_pages_of_a_stack_are_told():
    """The first is read; a small copy beside it and a picture alone are no stack; ImageJ hides its pages in a text."""
    pages = np.stack([np.full((8, 8), value, np.uint8) for value in (10, 200, 30)])
    stack = written(pages, photometric="minisblack")
    square = square_of(stack, name="x", side=8, channels=1)
    assert (square.pixels == 10).all() and square.notes == (PAGES,) and examine(stack).pages == 3
    deep = square_of(written(pages.astype(np.uint16), photometric="minisblack"), name="x", side=8, channels=1)
    assert deep.notes == (PAGES,)
    imagej = written(pages.astype(np.uint16), imagej=True, metadata={"axes": "ZYX"})
    assert examine(imagej).pages == 3
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(pages[0], photometric="minisblack", metadata=None)
        file.write(pages[0, ::2, ::2], photometric="minisblack", subfiletype=1, metadata=None)
    assert examine(buffer.getvalue()).pages == 1 and examine(written(pages[0])).pages == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["uint16", "uint32"])
def test_turned_by_its_tag(kind: str, orientation: int):
    """Whoever reads it, Pillow or tifffile: upright as an 8-bit one is."""
    values = np.arange(24).reshape(4, 6)
    small = Image.fromarray((values * 10).astype(np.uint8))
    buffer = io.BytesIO()
    small.save(buffer, "TIFF", tiffinfo={274: orientation})
    data = written(
        (values * 10).astype(kind), extratags=[(274, 3, 1, orientation, True)], photometric="minisblack"
    )  # fmt: skip
    decoding = Decoding(levels=(Level(ANY, 0, 255),))
    assert np.array_equal(
        np.asarray(decode(data, name="x", decoding=decoding)), np.asarray(decode(buffer.getvalue(), name="x"))
    )


def test_cut_files_are_refused():
    """Wherever they are cut before their last number, whatever packs them."""
    values = np.random.default_rng(0).integers(0, 65536, (40, 30, 3), dtype=np.uint16)
    for packed in (None, "zlib", "lzw"):
        data = written(values, photometric="rgb", compression=packed)
        whole = np.asarray(decode(data, name="x"))
        for end in np.linspace(0, len(data) - 1, 25).astype(int):
            try:
                found = np.asarray(decode(data[:end], name="x"))
            except PictureError:
                continue
            assert np.array_equal(found, whole), (packed, end)


def test_without_the_extra_it_is_said(monkeypatch: pytest.MonkeyPatch):
    """Grey of 16 bits and float is read all the same; the others name what reads them."""
    wanted = importlib.import_module

    def without(name: str) -> object:
        if name == "tifffile":
            raise ImportError
        return wanted(name)

    monkeypatch.setattr(importlib, "import_module", without)
    for kind in ("uint16", "float32"):
        values = (np.array([[0, 0.2, 1.0]]) * TOPS[kind]).astype(kind)
        assert np.asarray(decode(written(values), name="x")).tolist() == [[0, 51, 255]]
    with pytest.raises(PictureError, match=r"unreadable: a TIFF with 16-bit RGB, .*'pictaxa\[scientific\]'"):
        decode(written(np.zeros((8, 8, 3), np.uint16), photometric="rgb"), name="x")


def test_tags_of_bytes_that_are_none():
    """Nothing is read of them, and nothing is raised."""
    for data in (b"", b"II*\0", b"II*\0\xff\xff\xff\x7f", b"MM\0*\0\0\0\x08\xff\xff" + bytes(30)):
        assert read_layout(data) is None


def test_of_two_tags_the_first_counts():
    """As for Pillow and libtiff: what a header says is what is decoded."""
    file = io.BytesIO()
    Image.fromarray(np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)).save(file, "TIFF")
    data = bytearray(file.getvalue())
    (place,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, place)
    entries = {struct.unpack_from("<H", data, at)[0]: at for at in range(place + 2, place + 2 + 12 * count, 12)}
    struct.pack_into("<HHII", data, entries[259], 256, 3, 1, 1)  # a second width for the kind of packing: there is none
    assert measure(bytes(data), name="x")[:2] == (64, 48) == decode(bytes(data), name="x").size
