from __future__ import annotations

import numpy as np
import pytest

from pictaxa.errors import DataError, SettingError
from pictaxa.images.arrays import ArrayReader
from pictaxa.images.decode import square_of
from pictaxa.images.decoding import PLAIN, Decoding, Level

RNG = np.random.default_rng(1)
BYTES = RNG.integers(0, 256, (12, 10, 3), dtype=np.uint8)
BYTES[0, 0], BYTES[0, 1] = 0, 255


def square(array: np.ndarray, decoding: Decoding = PLAIN, *, channels: int = 3) -> np.ndarray:
    """The square that an array becomes."""
    held = ArrayReader(decoding).read(array, name="array 0")
    return square_of(held, name="array 0", side=8, channels=channels, decoding=decoding).pixels


GREY = BYTES[..., 0]
CLEAR = np.dstack([BYTES, np.full((12, 10), 255, np.uint8)])
SAME = {
    "bytes, channels first": BYTES.transpose(2, 0, 1),
    "bytes, not contiguous": np.ascontiguousarray(BYTES[::-1])[::-1],
    "0 to 1": BYTES / 255,
    "0 to 1, float32, channels first": (BYTES / 255).astype(np.float32).transpose(2, 0, 1),
    "0 to 255": BYTES.astype(np.float64),
    "0 to 255, float16": BYTES.astype(np.float16),
    "big-endian": (BYTES / 255).astype(">f4"),
    "16 bits": BYTES.astype(np.uint16) * 257,
    "opaque": CLEAR,
    "opaque, 0 to 1": CLEAR / 255,
    "opaque, 0 to 255": CLEAR.astype(np.float32),
}


@pytest.mark.parametrize("how", SAME)
def test_the_same_picture_in_any_form_is_the_same_square(how: str):
    """Bytes, floats of both ranges, 16 bits, either layout, with or without opacity."""
    assert np.array_equal(square(SAME[how]), square(BYTES))


@pytest.mark.parametrize("array", [GREY, GREY[..., None], GREY[None], GREY / 255, GREY[None].astype(np.float32)])
def test_grey_of_two_or_three_axes(array: np.ndarray):
    """All are the one grey picture, for a model of one channel and of three."""
    assert np.array_equal(square(array, channels=1), square(GREY, channels=1))
    assert np.array_equal(square(array), np.repeat(square(GREY, channels=1), 3, axis=2))


def test_true_is_white():
    """A mask of bool is black and white."""
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:5] = True
    assert np.array_equal(square(mask, channels=1)[..., 0], mask * np.uint8(255))


def test_what_is_clear_is_white():
    """Half a white background shows through half opacity, of floats as of bytes."""
    half = np.zeros((8, 8, 4), dtype=np.float64)
    half[..., 3] = 0.5
    half[0, 0] = 1
    assert square(half)[4, 4].tolist() == [128, 128, 128]


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (BYTES / 255 - 0.5, "from -0.5 to 0.5.*normalization"),
        (BYTES / 255 * 1.1, "from 0 to 1.1, which may be either.*np.clip"),
        (BYTES * 2.0, "from 0 to 510"),
    ],
)
def test_a_range_that_nobody_knows_is_refused(array: np.ndarray, told: str):
    """Normalised pictures, and what resampling left beyond 1: with what to do."""
    with pytest.raises(DataError, match=told):
        ArrayReader(PLAIN).read(array, name="array 0")


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (BYTES.astype(np.int64), "int64.*uint8"),
        (BYTES.astype(complex), "complex128"),
        (BYTES[..., :2], r"\(12, 10, 2\)"),
        (np.zeros((10, 28, 28)), r"list\(array\)"),
        (np.zeros(7), r"\(7,\)"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        (np.zeros((2, 2, 8, 8, 3)), "by itself"),
    ],
)
def test_what_is_no_picture_is_a_wrong_call(array: np.ndarray, told: str):
    """Its shape and type are told; it is a TypeError."""
    with pytest.raises(TypeError, match=told) as error:
        ArrayReader(PLAIN).read(array, name="array 0")
    assert isinstance(error.value, SettingError)


def test_what_may_be_wrong_is_said():
    """Nothing but 0 and 1, both kinds of floats in one call, and channels that may be at either end."""
    reader = ArrayReader(PLAIN)
    reader.read(BYTES / 255, name="a")
    assert not reader.notes
    reader.read(BYTES.astype(float), name="b")
    assert reader.notes == ["b with values from 0 to 255 was taken as 0 to 255, unlike those before it"]
    reader.read(np.zeros((3, 5, 3), np.uint8), name="c")
    assert reader.notes[1:] == ["c of shape (3, 5, 3) was taken as (H, W, C), not as (C, H, W)"]
    alone = ArrayReader(PLAIN)
    assert alone.read((GREY > 99).astype(float), name="mask").white == 1
    assert alone.notes == ["mask of floats holds only 0 and 1; it was taken as 0 to 1"]
    film = ArrayReader(PLAIN)
    film.read(BYTES.astype(float), name="bright")
    assert film.read((GREY > 99).astype(float), name="dark").white == 255 and len(film.notes) == 1


def test_a_run_that_knows_a_range_has_it():
    """Of a run that was trained on floats to 4000, and on 12 bits in 16, these are white."""
    known = Decoding(levels=(Level("float", 0.0, 4000.0), Level("uint16", 0.0, 4095.0), Level("int32", -100.0, 100.0)))
    assert square(np.full((8, 8), 1000.0), known, channels=1).max() == 64
    assert square(np.full((8, 8), 4095, np.uint16), known, channels=1).min() == 255
    assert square(np.full((8, 8), 50, np.int32), known, channels=1).max() == 191


def test_the_array_may_be_filled_anew():
    """What was read is a copy."""
    frame = BYTES.copy()
    held = ArrayReader(PLAIN).read(frame, name="a")
    frame[:] = 0
    assert np.array_equal(held, BYTES)
