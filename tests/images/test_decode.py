from __future__ import annotations

import io
import os
import socket
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictaxa.errors import PictureError
from pictaxa.images import decode as pictures
from pictaxa.images import upright
from pictaxa.images.decode import GREY, RGB, decode, load_square, measure, read_file, square_of
from pictaxa.images.decoding import Decoding
from pictaxa.limits import MAX_PICTURE_BYTES

WIDE = Image.fromarray(np.arange(24 * 16 * 3, dtype=np.uint16).reshape(16, 24, 3).__mod__(251).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_give_the_pixels_back(kind: str):
    """A format that loses nothing must give exactly the pixels that were written."""
    assert np.array_equal(np.asarray(decode(encoded(WIDE, kind), name="x")), np.asarray(WIDE))


def test_webp_lossless_and_gif_decode():
    """WebP and GIF are read; lossless WebP exactly."""
    assert np.array_equal(np.asarray(decode(encoded(WIDE, "WEBP", lossless=True), name="x")), np.asarray(WIDE))
    assert decode(encoded(WIDE, "GIF"), name="x").size == (24, 16)


# The repeats of the EXIF standard: what a viewer does to the stored pixels, as numpy would.
TURNS = {
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: np.swapaxes(p, 0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(np.swapaxes(p, 0, 1), 2),
    8: np.rot90,
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation_is_applied(orientation: int, kind: str):
    """Each of the eight EXIF orientations comes out upright, with width and height of the upright picture."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(WIDE, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    assert np.array_equal(np.asarray(decode(data, name="x")), TURNS[orientation](np.asarray(WIDE)))
    square = square_of(data, name="x", side=8, channels=RGB)
    assert (square.width, square.height) == ((24, 16) if orientation < 5 else (16, 24))


def test_cmyk_and_adobes_inverted_cmyk():
    """A CMYK JPEG, which Adobe stores inverted, and a CMYK TIFF, which is not, both show the colour they were."""
    red = Image.new("RGB", (16, 16), (250, 10, 10)).convert("CMYK")
    for kind in ("JPEG", "TIFF"):
        shown = np.asarray(decode(encoded(red, kind), name="x"))[8, 8]
        assert np.abs(shown.astype(int) - [250, 10, 10]).max() <= 4, kind


def test_first_frame_of_an_animation():
    """Of an animated GIF or WebP the first frame is taken."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    for kind in ("GIF", "WEBP"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        red, _, blue = np.asarray(decode(data, name="x").convert("RGB"))[4, 4]
        assert red > 200 > blue


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_cut_files_are_refused_wherever_they_are_cut(kind: str):
    """A file that ends too early is one PictureError that names it, at whatever byte, and never half a picture."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    data = encoded(image, kind)
    whole = np.asarray(decode(data, name="x").convert("RGB"))
    for end in np.linspace(0, len(data) - 1, 40).astype(int):
        try:
            shown = np.asarray(decode(data[:end], name="flower.pic").convert("RGB"))
        except PictureError as error:
            assert error.name == "flower.pic" and error.reason and "\n" not in str(error)
        else:
            # Only bytes after the last pixel may be missing.
            assert np.array_equal(shown, whole), (kind, end, len(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty file"), (b"hello, I am no picture", "not a picture"), (b"\xff\xd8\xff", "")],
)
def test_what_is_no_picture(data: bytes, reason: str):
    """Empty files and other files are told apart from pictures, with the reason."""
    with pytest.raises(PictureError) as caught:
        decode(data, name="a.jpg")
    assert reason in caught.value.reason and "a.jpg" in str(caught.value)


def test_decompression_bombs_are_refused_before_they_are_decoded():
    """A picture of more pixels than are allowed is refused by its header; one of just as many is read."""
    for kind in ("PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000"):
        data = encoded(WIDE, kind)
        with pytest.raises(PictureError, match="bomb: 24 x 16 pixels, more than 383"):
            decode(data, name="x", decoding=Decoding(max_pixels=24 * 16 - 1))
        assert decode(data, name="x", decoding=Decoding(max_pixels=24 * 16)).size == (24, 16)
    header = encoded(Image.new("1", (1, 1)), "PNG").replace(
        (1).to_bytes(4) + (1).to_bytes(4), (60000).to_bytes(4) + (60000).to_bytes(4)
    )
    with pytest.raises(PictureError):
        decode(header, name="x")


def test_jpegs_count_by_the_pixels_that_are_decoded():
    """An eighth of the side for a large one; a progressive one, which libjpeg keeps whole, counts in full."""
    large = Image.new("RGB", (1600, 1200), (90, 120, 60))
    few = Decoding(max_pixels=200 * 150)
    square = square_of(encoded(large, "JPEG"), name="x", side=100, channels=RGB, decoding=few)
    assert (square.width, square.height) == (1600, 1200)
    with pytest.raises(PictureError, match="bomb"):
        decode(encoded(large, "JPEG"), name="x", decoding=few)
    assert decode(encoded(large, "JPEG"), name="x", decoding=few, least_side=100).size == (200, 150)
    with pytest.raises(PictureError, match="bomb"):
        square_of(encoded(large, "JPEG", progressive=True), name="x", side=100, channels=RGB, decoding=few)


def test_pillows_own_limit_is_not_ours(monkeypatch: pytest.MonkeyPatch):
    """A JPEG that is reduced while it is decoded, and whatever --max-pixels allows, may have more."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    monkeypatch.setattr(upright, "LARGE_PIXELS", 200)
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "PPM", "JPEG2000", "AVIF"):
        data = encoded(WIDE, kind)
        assert square_of(data, name="x", side=2, channels=RGB).width == 24
        assert decode(data, name="x").size == (24, 16) and measure(data, name="x")[:2] == (24, 16)
        assert Image.MAX_IMAGE_PIXELS == 100, "it is the program's again"


def test_a_flat_picture_of_many_pixels_is_read():
    """However few bytes a chart has: 12 megapixels from 12 kB, with transparency."""
    chart = Image.new("RGBA", (4000, 3000), (255, 255, 255, 0))
    chart.paste((200, 30, 30, 255), (0, 0, 2000, 3000))
    data = encoded(chart, "PNG")
    assert len(data) < 60_000
    pixels = square_of(data, name="x", side=8, channels=RGB).pixels
    assert pixels[4, 1].tolist() == [200, 30, 30] and pixels[4, 6].tolist() == [255, 255, 255]


def test_a_progressive_jpeg_of_thousands_of_scans_is_refused():
    """Each goes through the whole picture: 125 kB would take a minute."""
    data = encoded(Image.new("L", (400, 400), 128), "JPEG", progressive=True)
    scan, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    assert "decompression bomb: 506 scans of 160,000 pixels" in refused(data[:end] + data[scan:end] * 500 + b"\xff\xd9")


def test_unreadable_files_name_the_reason(tmp_path: Path):
    """A file that is not there, or a folder, is a PictureError with the system's reason."""
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(PictureError, match="unreadable"):
            load_square(path, side=8, channels=RGB)


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_001])
def test_a_file_is_read_whole(size: int, tmp_path: Path):
    """Of any length."""
    content = np.random.default_rng(size).bytes(size)
    (tmp_path / "file").write_bytes(content)
    assert read_file(tmp_path / "file") == content


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="only Linux has such files")
def test_a_file_whose_length_nobody_knows_is_read_whole():
    """The system says that it has 0 bytes."""
    assert read_file("/proc/version") == Path("/proc/version").read_bytes() != b""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_is_never_opened(tmp_path: Path):
    """A pipe would be waited for and a device never ends: each is told at once, as is a link to it."""
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.jpg"))
    (tmp_path / "link.jpg").symlink_to(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    kinds = {"pipe": "a named pipe", "link": "a named pipe", "socket": "a socket", "zero": "a device"}
    for name, told in kinds.items():
        with pytest.raises(PictureError, match=f"unreadable: {told}, not a file"):
            read_file(tmp_path / f"{name}.jpg")


def test_a_file_that_is_too_large_for_a_picture(tmp_path: Path):
    """It is not read: a disk's image under a picture's name would fill the memory."""
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(MAX_PICTURE_BYTES + 1)
    with pytest.raises(PictureError, match="decompression bomb: 1,073,741,825 bytes"):
        read_file(tmp_path / "a.jpg")


def test_a_square_of_its_own_size_is_bit_for_bit_the_picture():
    """A picture that already is S x S keeps its pixels, in colour and in grey."""
    pixels = np.random.default_rng(1).integers(0, 256, (28, 28), dtype=np.uint8)
    square = square_of(encoded(Image.fromarray(pixels), "PNG"), name="x", side=28, channels=GREY)
    assert np.array_equal(square.pixels[:, :, 0], pixels)


def test_a_drafted_jpeg_is_close_to_the_full_one():
    """Decoding a large JPEG at a fraction of its size changes a square only a little."""
    y, x = np.mgrid[0:600, 0:900]
    smooth = np.stack([x / 900 * 255, y / 600 * 255, (x + y) / 1500 * 255], axis=2).astype(np.uint8)
    data = encoded(Image.fromarray(smooth), "JPEG", quality=95)
    drafted = square_of(data, name="x", side=64, channels=RGB)
    full = decode(data, name="x").resize((64, 64), Image.Resampling.BICUBIC, reducing_gap=3.0)
    assert np.abs(drafted.pixels.astype(int) - np.asarray(full).astype(int)).max() <= 4
    assert drafted.aspect == 1.5


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(("width", "height"), [(320, 240), (60, 90), (1500, 1100), (40, 2000)])
def test_the_filter_is_pillows(mode: str, width: int, height: int):
    """Squares are what Pillow's bicubic filter makes of the picture: within rounding, or closely from far away."""
    noise = np.random.default_rng(3).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode)
    ours = square_of(encoded(image, "PNG"), name="x", side=80, channels=len(mode)).pixels.squeeze().astype(float)
    off = np.abs(ours - np.asarray(image.resize((80, 80), Image.Resampling.BICUBIC)))
    far = max(width, height) > pictures.NEAR * 80
    assert far or off.max() <= 2
    assert (off**2).mean() < (6 if far else 0.3)  # 40 and 53 dB


SUMS = """
import sys, zlib
import numpy as np
from pictaxa.images.decode import square_of
pixels = np.random.default_rng(4).integers(0, 256, (150, 200, 3), dtype=np.uint8)
for side in (20, 64, 224):
    squares = [square_of(picture, name="x", side=side, channels=3) for picture in (pixels, pixels[..., 0])]
    print(*(zlib.crc32(square.pixels) for square in squares))
"""


def test_a_filtered_square_is_not_copied_once_more(monkeypatch: pytest.MonkeyPatch):
    """Torch is shown that channels come last, and gives them so: turning planes back takes as long as the filter."""
    given = []
    ready = np.ascontiguousarray

    def noted(array: np.ndarray) -> np.ndarray:
        given.append(array.flags.c_contiguous)
        return ready(array)

    monkeypatch.setattr(np, "ascontiguousarray", noted)
    square_of(encoded(WIDE, "JPEG"), name="x", side=10, channels=RGB)
    assert given == [True]


def test_squares_are_the_same_on_every_processor():
    """With what a processor can at best, and without: or a cache made here would not fit a run from there."""
    words = [sys.executable, "-c", SUMS]
    said = {
        subprocess.run(words, env=os.environ | level, check=True, capture_output=True, text=True).stdout
        for level in ({}, {"ATEN_CPU_CAPABILITY": "default"})
    }
    assert len(said) == 1 and said.pop().count("\n") == 3


NOISE = Image.fromarray(np.random.default_rng(2).integers(0, 256, (48, 64, 3), dtype=np.uint8))


def refused(data: bytes) -> str:
    """The reason, which must be the same for a square and for the whole picture."""
    with pytest.raises(PictureError) as whole:
        decode(data, name="x")
    with pytest.raises(PictureError) as square:
        square_of(data, name="x", side=8, channels=RGB)
    assert whole.value.reason == square.value.reason
    return whole.value.reason


def test_a_png_whose_checksum_is_wrong_is_refused():
    """Any changed byte of its pixels is noticed, where the data still unpacks too; what stands behind is no matter."""
    data = encoded(NOISE, "PNG", compress_level=0)
    begin, end = data.index(b"IDAT") + 4, data.index(b"IEND") - 8
    for place in range(begin, end, 97):
        assert "checksum" in refused(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    shown = decode(data[: data.index(b"IEND")] + b"of another kind", name="x")
    assert np.array_equal(np.asarray(shown), np.asarray(NOISE))


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1"])
def test_a_png_whose_rows_end_early_is_refused(mode: str):
    """All checksums right, and a third of the rows or all but the last: never half black; a black picture is read."""
    for image in (NOISE.convert(mode), Image.new(mode, (64, 48))):
        data = encoded(image, "PNG")
        assert decode(data, name="x").size == (64, 48)
        begin, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
        rows = zlib.decompress(data[begin + 8 : begin + 8 + int.from_bytes(data[begin : begin + 4])])
        for kept in (len(rows) // 3, len(rows) // 48 * 47):
            content = zlib.compress(rows[:kept])
            short = struct.pack(">I", len(content)) + b"IDAT" + content + zlib.crc32(b"IDAT" + content).to_bytes(4)
            assert "truncated" in refused(data[:begin] + short + data[end:])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"subsampling": 0}])
@pytest.mark.parametrize("marker", [b"\xff\xd9", b"\xff\xd7\xff\xd9", b"\xff\xdd\x00\x04\x00\x00\xff\xd9"])
def test_a_jpeg_that_ends_early_but_in_good_order_is_refused(options: dict[str, object], marker: bytes):
    """A download that was cut and closed, or a marker amid the pixels: never a picture that is grey from there on.

    A progressive one of which only the last scan is cut is a whole picture.
    """
    data = encoded(NOISE, "JPEG", **options)
    begin = data.index(b"\xff\xda") + 14
    last = data.rindex(b"\xff\xda") if options.get("progressive") else begin + (len(data) - begin) // 2
    for end in np.linspace(begin, last, 8).astype(int):
        end -= data[end - 1] == 0xFF
        assert "truncated" in refused(data[:end] + marker)


def test_a_jpeg_that_is_grey_at_its_end_is_whole():
    """Pictures that are padded with the very grey that stands for missing data are read, of every kind of JPEG."""
    image = NOISE.copy()
    image.paste((128, 128, 128), (0, 16, 64, 48))
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 3}, {"subsampling": 0, "optimize": True}):
        for shown in (image, image.convert("L"), image.convert("CMYK")):
            data = encoded(shown, "JPEG", **options)
            assert decode(data, name="x").getpixel((63, 47)) in ((128, 128, 128), (127, 127, 127), 128)
            assert square_of(data, name="x", side=8, channels=RGB).height == 48


def test_a_tiff_whose_parts_do_not_cover_it_is_refused():
    """Twice the height with the strips of once: the lower half would be black."""
    data = encoded(NOISE, "TIFF")
    height = struct.pack("<HHII", 257, 4, 1, 48)
    if height not in data:
        height = struct.pack("<HHIHH", 257, 3, 1, 48, 0)
    assert data.count(height) == 1
    twice = data.replace(height, struct.pack("<HHII", 257, 4, 1, 96))
    rows = struct.pack("<HHII", 278, 4, 1, 48), struct.pack("<HHIHH", 278, 3, 1, 48, 0)
    assert any(word in twice for word in rows)
    assert "parts" in refused(twice)


def test_a_header_that_lies_takes_no_memory():
    """More megapixels than are allowed, of a file of some kilobytes: refused, and not tried."""
    data = encoded(NOISE, "PNG")
    head = b"IHDR" + struct.pack(">II", 20000, 20000) + data[24:29]
    data = data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:]
    assert "bomb" in refused(data)
    assert "bomb" in refused(
        encoded(NOISE, "BMP").replace(struct.pack("<ii", 64, 48), struct.pack("<ii", 20000, 20000))
    )


def test_metadata_that_is_damaged_spoils_no_picture():
    """Pixels that are whole are read, upright as far as is known, and nobody is warned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    good = encoded(NOISE, "JPEG", exif=exif)
    bad = good.replace(b"Exif\0\0MM\0*", b"Exif\0\0MMMM").replace(b"Exif\0\0II*\0", b"Exif\0\0IIII")
    assert bad != good and decode(good, name="x").size == (48, 64)
    with warnings.catch_warnings(record=True) as said:
        assert decode(bad, name="x").size == (64, 48)
    assert not said


def test_an_error_keeps_no_pixels():
    """An error may live long, in a list of what was set aside: it must not keep the picture that it is about."""
    with pytest.raises(PictureError) as caught:
        decode(encoded(NOISE, "BMP")[:-100], name="x")
    trace, held = caught.value.__traceback__, []
    while trace is not None:
        held += [value for value in trace.tb_frame.f_locals.values() if isinstance(value, Image.Image)]
        trace = trace.tb_next
    assert caught.value.__context__ is None and not held


# Forms of a picture that is all one colour, and the most bytes of memory that decoding takes for each of its pixels.
FORMS = {
    "one bit": ("1", "PNG", {}, 3), "grey": ("L", "PNG", {}, 3), "palette": ("P", "PNG", {}, 6),
    "colour": ("RGB", "PNG", {}, 8), "colour and one clear": ("RGB", "PNG", {"transparency": (0, 0, 0)}, 9),
    "clear": ("RGBA", "PNG", {}, 9), "deep": ("I;16", "PNG", {}, 6), "lossy": ("RGB", "WEBP", {"method": 0}, 20),
    "lossless": ("RGBA", "WEBP", {"method": 0, "lossless": True}, 20), "animation": ("P", "GIF", {}, 6),
    "strips": ("RGB", "TIFF", {"compression": "tiff_lzw"}, 9), "fax": ("1", "TIFF", {"compression": "group4"}, 4),
    "fractions": ("F", "TIFF", {"compression": "packbits"}, 10), "photo": ("RGB", "JPEG", {}, 12),
    "progressive": ("RGB", "JPEG", {"progressive": True}, 18), "netpbm": ("RGB", "PPM", {}, 9),
}  # fmt: skip
SIDE, BESIDE_MB = 4000, 48  # pixels; whatever else a process takes meanwhile
MEASURED = """
import sys
from pathlib import Path
from pictaxa.images.decode import decode, square_of
def peak(word):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(word)) / 1024
data = Path(sys.argv[1]).read_bytes()
square_of(Path(sys.argv[2]).read_bytes(), name="x", side=8, channels=3)
before = peak("VmRSS")
for channels in (1, 3):
    square_of(data, name="x", side=64, channels=channels)
decode(data, name="x")
print(peak("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from the system's own count")
@pytest.mark.parametrize("form", FORMS)
def test_memory_follows_from_the_pixels(form: str, tmp_path: Path):
    """However few bytes a file has: what --max-pixels costs is what docs/data.md says."""
    mode, kind, options, by_pixel = FORMS[form]
    Image.new(mode, (SIDE, SIDE)).save(tmp_path / "large", kind, **options)
    Image.new(mode, (9, 9)).save(tmp_path / "small", kind, **options)
    words = [sys.executable, "-c", MEASURED, str(tmp_path / "large"), str(tmp_path / "small")]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    assert float(told.stdout) < by_pixel * SIDE**2 / 2**20 + BESIDE_MB
