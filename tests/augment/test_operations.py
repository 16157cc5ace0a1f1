from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from pictaxa.augment import colour, geometry, pixels
from pictaxa.augment.augmenter import Augmenter
from pictaxa.augment.operations import OPERATIONS, choose_operations
from pictaxa.augment.policy import Policy

COUNT = len(OPERATIONS)
NUMBERS = {operation.name: number for number, operation in enumerate(OPERATIONS)}


def photograph(channels: int = 3) -> np.ndarray:
    """(48, 48, channels) uint8, soft and colourful."""
    noise = np.random.default_rng(0).integers(30, 220, (6, 6, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((48, 48), Image.Resampling.BICUBIC)
    return np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(48, 48, channels)


def as_images(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_operation_changes_its_pictures_and_no_other(name: str, channels: int):
    """Nothing at strength 0; more at full strength than at a little; in [0, 1]; beside others as by itself."""
    images = torch.from_numpy(np.stack([photograph(channels)] * COUNT))

    def show(which: np.ndarray, strength: float) -> torch.Tensor:
        draws = np.array([NUMBERS[name] + 0.5 if at < 0 else at + 0.5 for at in which]) / COUNT
        choice = choose_operations(draws, np.full(len(which), strength), np.full(len(which), 0.9))
        views = geometry.identity(len(which)) @ choice.moves()
        out = geometry.resample(images[: len(which)], geometry.to_view(views), size=48, padding="reflection")
        if choice.recolours:
            out = colour.recolour(out, choice.colours())
        choice.change_pixels(out)
        return out

    plain = images[:1].permute(0, 3, 1, 2).float() / 255
    assert torch.allclose(show(np.array([-1]), 0.0), plain, atol=1e-6)
    full, mild = show(np.array([-1]), 1.0), show(np.array([-1]), 0.2)
    assert full.min() >= 0 and full.max() <= 1
    changes = [(out - plain).abs().mean() for out in (mild, full)]
    if name == "identity" or (name == "colour" and channels == 1):
        assert max(changes) < 1e-6
    else:
        assert changes[1] > 0.001 and changes[0] <= changes[1] + 1e-6
    together = show(np.arange(COUNT), 1.0)
    assert torch.allclose(together[NUMBERS[name]], full[0], atol=1e-6)


def test_pixels_are_as_pillow_has_them():
    """Auto-contrast, sharpness, posterize and solarize agree with Pillow's to a level or two; equalize evens out."""
    picture = photograph()
    image, images = Image.fromarray(picture), as_images(picture)

    def difference(ours: torch.Tensor, theirs: Image.Image) -> float:
        return float((ours - as_images(np.asarray(theirs))).abs().max() * 255)

    assert difference(pixels.auto_contrast(images, torch.ones(1)), ImageOps.autocontrast(image)) <= 2
    for amount in (-0.7, 0.9):
        ours = pixels.sharpen(images, torch.tensor([amount]))[:, :, 1:-1, 1:-1]  # Pillow leaves the edge alone
        theirs = ImageEnhance.Sharpness(image).enhance(1 + amount).crop((1, 1, 47, 47))
        assert difference(ours, theirs) <= 2
    for fewer in (1, 4, 6):
        ours = pixels.posterize(images, torch.tensor([float(fewer)]))
        assert difference(ours, ImageOps.posterize(image, 8 - fewer)) < 1
    assert difference(pixels.solarize(images, torch.tensor([0.5])), ImageOps.solarize(image, 128)) < 1
    even = pixels.equalize(images, torch.ones(1))
    shares = torch.histc(even[0, 0], bins=8, min=0, max=1) / even[0, 0].numel()
    assert shares.min() > 0.08 and shares.max() < 0.17
    assert difference(even, ImageOps.equalize(image)) <= 6


def test_flat_pictures_stay_as_they_are():
    """A picture of one colour has no contrast to stretch and no brightness to even out."""
    flat = torch.full((1, 3, 8, 8), 0.3)
    assert torch.equal(pixels.auto_contrast(flat, torch.ones(1)), flat)
    assert torch.allclose(pixels.equalize(flat, torch.ones(1)), flat)


def test_trivial_augment_draws_every_operation():
    """Over many pictures each operation comes about as often, with strengths from one end of its range to the other."""
    rows = np.arange(7000)
    draws = np.random.default_rng(0).uniform(size=(3, len(rows)))
    choice = choose_operations(*draws)
    counts = np.bincount(choice.numbers, minlength=COUNT)
    assert counts.min() > 400 and counts.max() < 600
    turned = choice.amounts[choice.numbers == NUMBERS["rotate"]]
    assert turned.min() < -125 and turned.max() > 125
    fewer = choice.amounts[choice.numbers == NUMBERS["posterize"]]
    assert fewer.min() > 0 and fewer.max() > 5.5


def test_several_operations_one_after_the_other():
    """RandAugment of two operations varies pictures more than of one; TrivialAugment those that it draws."""
    images = torch.from_numpy(np.stack([photograph()] * 30))
    rows, repeats = np.arange(30), np.zeros(30, dtype=np.int64)

    def show(policy: Policy) -> torch.Tensor:
        return Augmenter(policy, "squash", seed=0)(images, rows, repeats=repeats, aspects=np.ones(30), epoch=0, size=48)

    plain = show(Policy())
    one, two = show(Policy(rand_augment=1)), show(Policy(rand_augment=2))
    assert 0.01 < (one - plain).abs().mean() < (two - plain).abs().mean()
    varied = (show(Policy(trivial_augment=0.5)) - plain).abs().amax(dim=(1, 2, 3)) > 1e-4
    assert 0.2 < varied.float().mean() < 0.75
