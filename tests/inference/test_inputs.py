"""inference/inputs.py: the same picture, whichever way it is handed over."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps

from pictaxa.errors import DataError, PictureError, SettingError
from pictaxa.images.decode import Held, square_of
from pictaxa.inference.inputs import given_pictures


@pytest.fixture
def file(tmp_path: Path, draw: Callable[..., Image.Image]) -> Path:
    """A PNG, so that nothing is lost."""
    path = tmp_path / "a.png"
    draw(0, 1, width=40, height=30).save(path)
    return path


def squares(pictures: object) -> list[np.ndarray]:
    """Of each picture that is meant, in order."""
    return [square(name, give) for name, give in given_pictures(pictures)]


def square(name: str, give: Callable[[], Held]) -> np.ndarray:
    return square_of(give(), name=name, side=16, channels=3).pixels


def loaded(file: Path) -> Image.Image:
    image = Image.open(file)
    image.load()
    return image


WAYS: dict[str, Callable[[Path], object]] = {
    "text": str,
    "path": lambda file: file,
    "Pillow, opened": Image.open,
    "Pillow, loaded": loaded,
    "Pillow, made": lambda file: Image.open(file).copy(),
    "Pillow, with opacity": lambda file: Image.open(file).convert("RGBA"),
    "uint8": lambda file: np.asarray(Image.open(file)),
    "uint8, channels first": lambda file: np.asarray(Image.open(file)).transpose(2, 0, 1),
    "float of 0 to 1": lambda file: np.asarray(Image.open(file), dtype=np.float32) / 255,
    "float of 0 to 255": lambda file: np.asarray(Image.open(file), dtype=np.float32),
    "tensor": lambda file: torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).requires_grad_(False),
    "bytes": Path.read_bytes,
    "bytearray": lambda file: bytearray(file.read_bytes()),
    "memoryview": lambda file: memoryview(file.read_bytes()),
    "buffer": lambda file: io.BytesIO(file.read_bytes()),
    "open file": lambda file: file.open("rb"),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_picture_whichever_way(way: str, file: Path):
    """The same square, to the last bit, alone, in a list and from an iterator."""
    (right,) = squares(file)
    picture = WAYS[way](file)
    for given in (picture, [picture], iter([picture])):
        (found,) = squares(given)
        assert np.array_equal(found, right)
    if hasattr(picture, "close"):
        picture.close()


def test_all_ways_at_once(file: Path):
    """A list may mix them; names tell which is which."""
    pictures = [make(file) for make in WAYS.values()]
    named = list(given_pictures(pictures))
    assert len({square(*pair).tobytes() for pair in named}) == 1
    names = [name for name, _ in named]
    assert names[:4] == [str(file)] * 4 and names[4:8] == ["picture 4", "picture 5", "array 6", "array 7"]
    assert names[-5:] == ["bytes 11", "bytes 12", "bytes 13", "file 14", str(file)]
    pictures[-1].close()


def test_an_array_of_four_axes_is_several_pictures(file: Path):
    """As are a tensor of such, and an array of paths."""
    (right,) = squares(file)
    pixels = np.asarray(Image.open(file))
    for several in (np.stack([pixels, pixels]), torch.from_numpy(np.stack([pixels] * 2)), np.array([str(file)] * 2)):
        assert [np.array_equal(found, right) for found in squares(several)] == [True, True]


def test_pillow_pictures_have_their_turn_and_colours(tmp_path: Path, draw: Callable[..., Image.Image]):
    """EXIF's turn and a wide profile count as in the file, loaded or not; what was turned already is not again."""
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / "turned.png"
    draw(2, 1, width=40, height=20).save(path, exif=exif, icc_profile=profile)
    (right,) = squares(path)
    for image in (Image.open(path), loaded(path), loaded(path).copy(), ImageOps.exif_transpose(Image.open(path))):
        assert np.array_equal(squares(image)[0], right)
    gamma = tmp_path / "gamma.png"
    data = path.read_bytes()
    draw(2, 1).save(gamma)
    data = gamma.read_bytes()
    chunk = b"gAMA" + (100_000).to_bytes(4)  # linear light
    import zlib

    gamma.write_bytes(data[:33] + (4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) + data[33:])
    for image in (Image.open(gamma), loaded(gamma)):
        assert np.array_equal(squares(image)[0], squares(gamma)[0])


def test_a_page_that_was_asked_for_is_kept(tmp_path: Path, draw: Callable[..., Image.Image]):
    """Of a picture of several; and it can still be used afterwards."""
    pages = tmp_path / "pages.gif"
    draw(0, 1).save(pages, save_all=True, append_images=[draw(1, 1)])
    with Image.open(pages) as second:
        second.seek(1)
        assert not np.array_equal(squares(second)[0], squares(pages)[0])
        second.seek(0)
        assert np.array_equal(squares(second)[0], squares(pages)[0])


def test_what_is_given_one_by_one_may_be_filled_anew(file: Path):
    """A camera's buffer, or one picture that is painted on: each is as it was in its turn."""
    pixels = np.asarray(Image.open(file))

    def frames() -> Iterator[np.ndarray]:
        frame = pixels.copy()
        for shift in range(3):
            frame[:] = np.roll(pixels, shift, axis=1)
            yield frame
        frame[:] = 0

    named = list(given_pictures(frames()))
    right = [squares(np.roll(pixels, shift, axis=1))[0] for shift in range(3)]
    assert [np.array_equal(square(*pair), expected) for pair, expected in zip(named, right, strict=True)] == [True] * 3


def test_a_buffer_is_read_from_its_beginning_each_time(file: Path):
    """Though it was just written, and its end reached."""
    buffer = io.BytesIO()
    Image.open(file).save(buffer, "png")
    assert np.array_equal(squares(buffer)[0], squares(file)[0])
    assert np.array_equal(squares(buffer)[0], squares(file)[0])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (3, "int 3 as pictures"), (None, "imread"), ({"a": 1}, "dict"), ([1, 2], r"int 1 as pictures\[0\]"),
        ([None], "imread"), ([["a.jpg"]], "list"), (io.StringIO("text"), "'rb'"), (1.5, "float"),
        ([object()], "a path, a picture"), (np.array(["a", None], dtype=object)[1:], "imread"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_told(given: object, told: str):
    """As a TypeError that says what is taken and what was given."""
    with pytest.raises(TypeError, match=told) as error:
        squares(given)
    assert isinstance(error.value, SettingError) and "\n" not in str(error.value)


def test_files_that_are_not_open_for_bytes(file: Path):
    """Closed ones, and those open for text."""
    with file.open("rb") as closed:
        pass
    with pytest.raises(SettingError, match="closed"):
        squares(closed)
    with file.open(encoding="utf-8") as text, pytest.raises(SettingError, match="'rb'"):
        squares(text)


def test_damage_is_told_in_its_row(file: Path):
    """Bytes that end early, none at all, a picture without pixels, numbers that are not finite: by PictureError."""
    nan = np.full((4, 4), np.nan)
    short = file.read_bytes()[:60]
    bad = [short, b"", b"no picture", Image.open(io.BytesIO(short)), Image.new("RGB", (0, 4)), nan, file]
    found = []
    for name, give in given_pictures(bad):
        try:
            found.append(square(name, give).shape)
        except PictureError as error:
            found.append(error.reason)
    assert "truncated" in found[0] and found[1] == "empty file" and "not a picture" in found[2]
    assert "truncated" in found[3] and "no pixels" in found[4] and "finite" in found[5] and found[6] == (16, 16, 3)


def test_notes_are_few(file: Path, capsys: pytest.CaptureFixture[str]):
    """Three are told, the others counted."""
    assert len(squares([np.zeros((3, 9, 3), np.uint8)] * 10)) == 10
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 4 and told[-1] == "note      the same of 7 more arrays"
    assert len(squares([np.zeros((3, 9, 3), np.uint8)] * 3)) == 3
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_missing_path_is_told(tmp_path: Path):
    """Though pictures in memory stand before it."""
    with pytest.raises(DataError, match="nothing at"):
        squares([np.zeros((4, 4), np.uint8), tmp_path / "none.jpg"])
