from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from pictaxa.images.decode import square_of
from pictaxa.inspection import alike
from pictaxa.inspection.alike import Pair, find_alike
from pictaxa.inspection.sketches import thumbnails

COUNT = 120


def scene(number: int, *, width: int = 240, height: int = 180) -> Image.Image:
    """Blobs of many sizes in random places, as photographs have them; no two are alike."""
    draws = np.random.default_rng(number)
    layers = np.zeros((height, width, 3))
    for cells in (3, 6, 12, 24):
        noise = draws.normal(0, 40 / cells**0.5, (cells, cells, 3))
        layer = [Image.fromarray(noise[..., c].astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
                 for c in range(3)]  # fmt: skip
        layers += np.stack([np.asarray(channel) for channel in layer], axis=-1)
    return Image.fromarray((128 + layers).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, quality: int = 90) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def thumbs_of(pictures: list[bytes]) -> np.ndarray:
    squares = [square_of(picture, name="x", side=96, channels=3).pixels for picture in pictures]
    return thumbnails(torch.from_numpy(np.stack(squares))).numpy()


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "half as large": lambda image: encoded(image.resize((120, 90), Image.Resampling.BICUBIC)),
    "JPEG of quality 40": lambda image: encoded(image, 40),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.2)),
    "mirrored": lambda image: encoded(ImageOps.mirror(image)),
    "cropped by 5%": lambda image: encoded(image.crop((6, 4, 234, 176))),
    "cropped by 5% on each side": lambda image: encoded(image.crop((12, 9, 228, 171))),
    "cropped on one side": lambda image: encoded(image.crop((12, 0, 240, 180))),
    "grey": lambda image: encoded(image.convert("L")),
    "a little soft": lambda image: encoded(image.filter(ImageFilter.GaussianBlur(1))),
}


@pytest.fixture(scope="module")
def scenes() -> list[Image.Image]:
    return [scene(number) for number in range(COUNT)]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found(change: str, scenes: list[Image.Image]):
    """Nearly all of them, with what they are copies of and whether mirrored, and nothing beside."""
    copies = [CHANGES[change](image) for image in scenes]
    pairs = find_alike(thumbs_of([encoded(image) for image in scenes] + copies))
    right = {pair.first for pair in pairs if pair.second - pair.first == COUNT}
    assert len(right) >= 0.95 * COUNT
    assert len(pairs) == len(right)
    assert sum(pair.mirrored for pair in pairs) >= 0.9 * len(pairs) * (change == "mirrored")


def test_others_are_not(scenes: list[Image.Image]):
    """Pictures that differ are no pairs, though they have the same frame; nor are empty ones, or one alone."""
    framed = []
    for image in scenes:
        picture = Image.new("RGB", (260, 200), (250, 250, 250))
        picture.paste(ImageOps.expand(image, 6, (0, 0, 0)).resize((220, 160)), (20, 20))
        framed.append(encoded(picture))
    assert find_alike(thumbs_of(framed)) == []
    assert find_alike(thumbs_of(framed[:1])) == [] == find_alike(np.zeros((0, 64, 64), dtype=np.uint8))
    assert find_alike(np.full((5, 64, 64), 200, dtype=np.uint8)) == []


def test_a_crowd_of_like_pictures_is_no_copies(scenes: list[Image.Image]):
    """Where all resemble each other only a real copy stands out."""
    base = np.asarray(scenes[0]).astype(np.float64)
    crowd = [encoded(Image.fromarray((base * 0.9 + 0.1 * np.asarray(s)).astype(np.uint8))) for s in scenes[:60]]
    pairs = find_alike(thumbs_of([*crowd, encoded(Image.open(io.BytesIO(crowd[7])), 60)]))
    assert [(pair.first, pair.second) for pair in pairs] == [(7, 60)]


def test_the_same_pairs_each_time(scenes: list[Image.Image]):
    """No hidden randomness, and each pair once, surest first."""
    thumbs = thumbs_of([encoded(image) for image in scenes[:40]] * 2)
    first, again = find_alike(thumbs), find_alike(thumbs)
    assert first == again and len(first) == 40
    assert first[0] == Pair(first[0].first, first[0].first + 40, pytest.approx(1.0, abs=1e-5), False)
    assert [pair.likeness for pair in first] == sorted((pair.likeness for pair in first), reverse=True)


def test_work_does_not_grow_with_the_square(monkeypatch: pytest.MonkeyPatch):
    """Four times as many pictures: less than eight times as many entries compared (sixteen would be the square)."""
    counted: list[int] = []
    cosines = alike._cosines

    def counting(asked: torch.Tensor, flat: torch.Tensor, rows: np.ndarray, entries: np.ndarray) -> np.ndarray:
        counted.append(len(rows))
        return cosines(asked, flat, rows, entries)

    monkeypatch.setattr(alike, "_cosines", counting)
    draws = np.random.default_rng(0)
    layers = [
        np.kron(draws.normal(0, 60 / cells**0.5, (4000, cells, cells)), np.ones((1, 64 // cells, 64 // cells)))
        for cells in (2, 4, 8, 16)
    ]
    thumbs = (128 + sum(layers)).clip(0, 255).astype(np.uint8)
    work = []
    for count in (1000, 4000):
        counted.clear()
        find_alike(thumbs[:count])
        work.append(sum(counted))
    assert work[1] < 8 * work[0]


def test_many_that_are_one_picture():
    """Thousands of equal or empty pictures take no longer than others, and empty ones are no pairs."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    empty = np.full((3000, 64, 64), 9, dtype=np.uint8)
    assert find_alike(empty) == []
    pairs = find_alike(np.concatenate([empty, noise[None], noise[None]]))
    assert [(pair.first, pair.second) for pair in pairs] == [(3000, 3001)]
