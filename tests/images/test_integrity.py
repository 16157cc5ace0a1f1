"""images/integrity.py by itself; test_decode.py and the fuzzing go through it with whole pictures."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pictaxa.errors import PictureError
from pictaxa.images.decode import decode, square_of
from pictaxa.images.integrity import check_end, check_scans, check_sums, has_all_scans, segments
from pictaxa.limits import MAX_SCANS, MAX_SEGMENTS, USUAL_SCANS


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


@pytest.mark.parametrize("lost", [1, 2, 3, 5, 8, 13, 40])
def test_a_truncated_jpeg_is_so_at_every_size(lost: int):
    """However little is lost before its end, and whatever colour the last pixel has: small squares tell it too."""
    data = encoded("JPEG")
    cut = data[: -2 - lost] + b"\xff\xd9"
    answers = set()
    for side in (8, 16, 24, 48, 64):
        try:
            square_of(cut, name="x", side=side, channels=3)
            answers.add("whole")
        except PictureError:
            answers.add("truncated")
    assert answers == {"truncated"}


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
        with pytest.raises(OSError, match="some of its scans are missing"):
            check_end(coarse, cut, draft_side=None)


def test_a_progressive_jpeg_without_its_first_scan():
    """libjpeg refines what was never there, and says nothing; so it does of any first scan."""
    data = encoded("JPEG", progressive=True)
    parts = list(segments(data))
    scans = [number for number, (kind, _, _) in enumerate(parts) if kind == 0xDA]
    assert has_all_scans(data)
    for number in scans[:-1]:  # with the pixel data behind it, up to the next segment
        without = data[: parts[number][1] - 4] + data[parts[number + 1][1] - 4 :]
        assert not has_all_scans(without)
        with pytest.raises(PictureError, match="some of its scans are missing"):
            decode(without, name="x")


def scan_of(*components: int) -> bytes:
    """The head of a sequential JPEG's scan."""
    body = bytes([len(components), *(value for own in components for value in (own, 0)), 0, 63, 0])
    return b"\xff\xda" + struct.pack(">H", 2 + len(body)) + body + b"pixels"


def frame_of(*components: int) -> bytes:
    """The head of a sequential JPEG with these components."""
    body = struct.pack(">BHHB", 8, 16, 16, len(components)) + b"".join(bytes([own, 0x11, 0]) for own in components)
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", 2 + len(body)) + body


def test_a_colour_without_a_scan():
    """A JPEG may have each component in a scan of its own; grey is what libjpeg makes of one that has none."""
    end = b"\xff\xd9"
    assert has_all_scans(frame_of(1, 2, 3) + scan_of(1, 2, 3) + end)
    assert has_all_scans(frame_of(1, 2, 3) + scan_of(1) + scan_of(2, 3) + end)
    assert not has_all_scans(frame_of(1, 2, 3) + scan_of(1) + scan_of(3) + end)


def test_scans_cost_by_the_pixels_that_they_go_through():
    """Some more than usual are fine where the picture is small; of sequential JPEGs they count too."""
    many = frame_of(1) + scan_of(1) * (USUAL_SCANS + 1) + b"\xff\xd9"
    check_scans(many, pixels=10**6)
    with pytest.raises(Image.DecompressionBombError, match="21 scans of 178,000,000 pixels"):
        check_scans(many, pixels=178_000_000)
    check_scans(frame_of(1) + scan_of(1) * USUAL_SCANS + b"\xff\xd9", pixels=178_000_000)
    with pytest.raises(Image.DecompressionBombError, match="101 scans"):
        check_scans(frame_of(1) + scan_of(1) * (MAX_SCANS + 1) + b"\xff\xd9", pixels=1)


def test_segments_have_an_end():
    """Millions of empty ones are told; bytes that only look like markers cost next to nothing."""
    with pytest.raises(OSError, match="more than 100,000 segments"):
        list(segments(b"\xff\xd8" + b"\xff\xe1\0\2" * (MAX_SEGMENTS + 1) + b"\xff\xd9"))
    assert list(segments(b"\xff\xd8" + b"\xff\0" * 10**6 + b"\xff" * 10**6 + b"\xd9" + bytes(9))) == []


# ---- pictures of numbered colours

INDICES = np.random.default_rng(1).integers(0, 200, (12, 16), dtype=np.uint8)
COLOURS = np.random.default_rng(2).integers(0, 256, (256, 3), dtype=np.uint8).tobytes()


def numbered_png(*, colours: bytes | None) -> bytes:
    rows = b"".join(b"\0" + row.tobytes() for row in INDICES)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 16, 12, 8, 3, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    if colours is not None:
        parts.insert(1, (b"PLTE", colours))
    written = [struct.pack(">I", len(d)) + k + d + zlib.crc32(k + d).to_bytes(4) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def told(data: bytes) -> str:
    with pytest.raises(PictureError) as error:
        decode(data, name="x")
    return error.value.reason


def test_a_png_without_its_palette():
    """Pillow shows it in greys; of a palette that is too short the rest in black."""
    whole = np.asarray(decode(numbered_png(colours=COLOURS), name="x"))
    assert np.array_equal(whole, np.frombuffer(COLOURS, np.uint8).reshape(256, 3)[INDICES])
    assert told(numbered_png(colours=None)) == "damaged: its palette is missing"
    assert told(numbered_png(colours=COLOURS[:30])) == "damaged: its palette has 10 colours, and its pixels have others"


@pytest.mark.parametrize("kind", ["BMP", "TIFF"])
def test_a_palette_that_is_too_short(kind: str):
    """Of any format: what is beyond it would be black."""
    stream = io.BytesIO()
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8) % 40)
    picture.putpalette(COLOURS[: 3 * 40])
    picture.save(stream, kind)
    assert np.array_equal(np.asarray(decode(stream.getvalue(), name="x")), np.asarray(picture.convert("RGB")))
    picture = Image.fromarray(np.full((6, 8), 7, np.uint8))
    picture.putpalette(COLOURS[: 3 * 8])
    stream = io.BytesIO()
    picture.save(stream, kind)
    data = bytearray(stream.getvalue())
    if kind == "BMP":  # its number of colours
        data[46:50] = struct.pack("<I", 4)
    else:  # the number of values behind the tag
        tag = bytes(data).index(struct.pack("<HH", 320, 3))
        data[tag + 4 : tag + 8] = struct.pack("<I", 3 * 4)
    assert told(bytes(data)) == "damaged: its palette has 4 colours, and its pixels have others"


def test_gifs_whose_codes_or_colours_can_not_be():
    """A size of 0 bits, which Pillow takes for noise, and a picture with neither palette; its own is enough."""
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)).quantize(64).save(stream, "GIF")
    data = stream.getvalue()
    place = data.index(b",\0\0\0\0") + 10  # behind the picture's place, size and flags
    table = data[13 : 13 + 3 * 64]
    assert data[10] & 0x87 == 0x85 and data[place - 1] & 0x80 == 0 and data[place] == 8
    whole = np.asarray(decode(data, name="x"))
    assert told(data[:place] + b"\0" + data[place + 1 :]) == "damaged: its pixel data has codes of 0 bits"
    bare = data[:10] + b"\0" + data[11:13] + data[13 + 3 * 64 :]
    assert told(bare) == "damaged: its palette is missing"
    place -= 3 * 64
    own = bare[: place - 1] + b"\x85" + table + bare[place:]
    assert np.array_equal(np.asarray(decode(own, name="x")), whole)


def bmp_of(runs: bytes) -> bytes:
    """A BMP of runs, 16 x 12, in 256 greys."""
    palette = b"".join(bytes((n, n, n, 0)) for n in range(256))
    about = struct.pack("<IiiHHIIiiII", 40, 16, 12, 1, 8, 1, len(runs), 0, 0, 256, 0)
    begin = 14 + len(about) + len(palette)
    return struct.pack("<2sIHHI", b"BM", begin + len(runs), 0, 0, begin) + about + palette + runs


def test_a_bmp_that_leaves_out_pixels():
    """By a delta, by an end of the row or of the picture that comes too early; absolute runs are as good as others."""
    rows = [b"".join(bytes((1, value)) for value in row) + b"\0\0" for row in INDICES[::-1].tolist()]
    plain = [b"\0\x10" + row.tobytes() + b"\0\0" for row in INDICES[::-1]]
    for whole in (b"".join(rows) + b"\0\1", b"".join(plain) + b"\0\1", b"".join(rows)[:-2] + b"\0\1"):
        assert np.array_equal(np.asarray(decode(bmp_of(whole), name="x").convert("L")), INDICES)
    missing = "damaged: its pixel data leaves out pixels"
    assert told(bmp_of(rows[0] + b"\0\2\0\5" + b"".join(rows[6:]) + b"\0\1")) == missing  # five rows up
    assert told(bmp_of(b"".join(rows[:-1]) + rows[-1][:20] + b"\0\0\0\1")) == missing
    assert told(bmp_of(b"".join(row[:20] + b"\0\0" for row in rows) + b"\0\1")) == missing


def test_a_short_png_with_right_checksums():
    """Rows that end early are told, whatever share of them is there."""
    width, height = 40, 30
    raw = b"".join(
        b"\0" + row.tobytes() for row in np.random.default_rng(3).integers(60, 250, (height, width * 3), np.uint8)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    for share in (0.0, 0.3, 0.99, 1.0):
        parts = [(b"IHDR", head), (b"IDAT", zlib.compress(raw[: int(len(raw) * share)])), (b"IEND", b"")]
        data = b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(d)) + k + d + zlib.crc32(k + d).to_bytes(4) for k, d in parts
        )
        if share < 1:
            assert "truncated" in told(data)
        else:
            assert decode(data, name="x").size == (width, height)
