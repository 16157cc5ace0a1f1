from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from pictaxa.augment import colour

PIXELS = np.random.default_rng(0).integers(60, 196, (8, 8, 3), dtype=np.uint8)


def recolour(matrix: np.ndarray) -> np.ndarray:
    images = torch.from_numpy(PIXELS).permute(2, 0, 1)[None].float() / 255
    return (colour.recolour(images, matrix)[0].permute(1, 2, 0) * 255).numpy()


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.2])
def test_brightness_and_saturation_are_pillows(factor: float):
    """Where nothing is clipped, brightness and saturation are what Pillow's enhancers give, but for rounding."""
    image = Image.fromarray(PIXELS)
    brighter = np.asarray(ImageEnhance.Brightness(image).enhance(factor))
    assert np.abs(recolour(colour.brightness(np.array([factor]))) - brighter).max() <= 1
    richer = np.asarray(ImageEnhance.Color(image).enhance(factor))
    assert np.abs(recolour(colour.saturation(np.array([factor]))) - richer).max() <= 1.5


def test_contrast_keeps_middle_grey():
    """Contrast moves values away from 0.5 by its factor."""
    shown = recolour(colour.contrast(np.array([1.5])))
    assert np.allclose(shown, (PIXELS / 255 - 0.5) * 1.5 * 255 + 127.5, atol=0.01)


def test_hue_turns_in_a_circle_and_keeps_brightness():
    """A whole turn changes nothing; part of one changes colours and keeps the luma."""
    assert np.allclose(recolour(colour.hue(np.array([1.0]))), PIXELS, atol=0.1)
    turned = recolour(colour.hue(np.array([0.08])))
    assert np.abs(turned - PIXELS).max() > 5
    assert np.allclose(turned @ colour.LUMA, PIXELS @ colour.LUMA, atol=1.0)


def test_noise_moves_channels():
    """Channel noise adds its offset to each channel."""
    shown = recolour(colour.channel_noise(np.array([[0.1, 0.0, -0.1]])))
    assert np.allclose(shown, PIXELS + np.array([25.5, 0, -25.5]), atol=0.01)


def test_values_stay_between_0_and_1():
    """Whatever the matrix, the result is clipped to [0, 1]."""
    shown = recolour(colour.brightness(np.array([9.0])) @ colour.channel_noise(np.array([[-0.4, 0.4, 0.0]])))
    assert shown.min() >= 0 and shown.max() <= 255


def test_grey_pictures_take_brightness_and_not_saturation():
    """On one channel, brightness works and saturation and hue change nothing."""
    images = torch.rand(2, 1, 5, 5) * 0.5
    both = np.array([1.5, 1.5])
    assert torch.allclose(colour.recolour(images, colour.brightness(both)), images * 1.5, atol=1e-5)
    assert torch.allclose(colour.recolour(images, colour.saturation(both)), images, atol=1e-5)
    assert torch.allclose(colour.recolour(images, colour.hue(both * 0.1)), images, atol=1e-5)
