from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from pictaxa.augment import geometry
from pictaxa.augment.geometry import VIEWS, mip_levels, plain_view, resample, to_view


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


ONE = np.ones(1)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_identity_view_gives_the_bytes_back(channels: int):
    """An identity view at the square's own size is bit for bit value / 255."""
    images = noise(4, 28, 28, channels)
    out = resample(images, plain_view(np.ones(4), view="squash"), size=28, padding="zeros")
    assert torch.equal(out, images.permute(0, 3, 1, 2).float() * (1 / 255))


def test_resampling_agrees_with_torchs_own_affine_grid():
    """Our sums over rows and columns are the same map as affine_grid followed by grid_sample."""
    images = noise(6, 20, 20, 3)
    matrices = np.random.default_rng(1).normal(0, 0.4, (6, 2, 3)).astype(np.float32)
    for padding in ("zeros", "reflection"):
        out = resample(images, matrices, size=24, padding=padding)
        grid = F.affine_grid(torch.from_numpy(matrices), [6, 3, 24, 24], align_corners=False)
        pixels = images.permute(0, 3, 1, 2).float() / 255
        expected = F.grid_sample(pixels, grid, padding_mode=padding, align_corners=False)
        assert torch.allclose(out, expected, atol=2e-4)


def look(images: torch.Tensor, matrix: np.ndarray) -> np.ndarray:
    """One square picture through a (1, 3, 3) matrix, as (H, W) values."""
    out = resample(images, to_view(matrix), size=images.shape[1], padding="reflection")
    return (out[0, 0] * 255).numpy()


def test_flips_and_quarter_turns_are_those_of_numpy():
    """A mirror is a mirror, and a positive angle repeats the picture counter-clockwise."""
    images = noise(1, 16, 16, 1)
    pixels = images[0, :, :, 0].numpy()
    assert np.allclose(look(images, geometry.scale(-ONE, ONE)), np.fliplr(pixels), atol=0.01)
    assert np.allclose(look(images, geometry.scale(ONE, -ONE)), np.flipud(pixels), atol=0.01)
    assert np.allclose(look(images, geometry.rotate(90 * ONE)), np.rot90(pixels), atol=0.01)


def test_shifts_move_the_view():
    """A view moved right by a quarter of the picture shows what was there."""
    images = noise(1, 16, 16, 1)
    shown = look(images, geometry.translate(0.5 * ONE, 0 * ONE))
    assert np.allclose(shown[:, :12], images[0, :, 4:, 0].numpy(), atol=0.01)


def test_the_centre_view_undoes_the_squash():
    """Of a wide picture squashed into a square, the centre view shows its middle in true proportion."""
    wide = np.tile(np.linspace(0, 255, 128)[None], (64, 1)).astype(np.uint8)
    wide[16:48, 48:80] = 0  # a black square in the middle, a quarter of the height and of the centre's width each way
    square = np.asarray(Image.fromarray(wide).resize((64, 64), Image.Resampling.BICUBIC))
    images = torch.from_numpy(square.copy())[None, :, :, None]
    shown = resample(images, plain_view(np.array([2.0]), view="centre"), size=64, padding="zeros")[0, 0] * 255
    dark = shown.numpy() < 30
    assert abs(int(dark.any(axis=0).sum()) - 32) <= 2 and abs(int(dark.any(axis=1).sum()) - 32) <= 2
    assert np.allclose(shown[4, 8:56], wide[4, 40:88], atol=4)


def test_the_fit_view_shows_all_on_black():
    """The whole picture is seen, in true proportion, and the rest is black."""
    images = torch.full((1, 32, 32, 1), 255, dtype=torch.uint8)
    shown = resample(images, plain_view(np.array([2.0]), view="fit"), size=32, padding="zeros")[0, 0]
    assert (shown[9:23] > 0.99).all() and (shown[:7] == 0).all() and (shown[25:] == 0).all()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("aspect", [0.3, 1.0, 3.0])
def test_views_are_inside_the_square_or_around_it(view: str, aspect: float):
    """centre stays inside the picture, fit covers it, squash is the picture."""
    reach = np.abs(plain_view(np.array([aspect]), view=view)[0, :, :2]).sum(axis=1)
    if view == "centre":
        assert (reach <= 1 + 1e-6).all()
    elif view == "fit":
        assert (reach >= 1 - 1e-6).all()
    assert np.isclose(reach, 1).any()


def test_mip_levels_follow_the_shrinking():
    """A view that shrinks by up to 2 samples the square, by up to 4 its half-size copy, and so on."""
    scales = np.array([0.5, 1.0, 1.01, 2.0, 2.01])  # at side 64, size 32: shrinks by twice this
    matrices = to_view(geometry.scale(scales, scales))
    assert mip_levels(matrices, side=64, size=32).tolist() == [0, 0, 1, 1, 2]


def test_shrinking_does_not_alias():
    """A fine checkerboard seen four times smaller is grey, not a pattern."""
    board = ((np.indices((128, 128)).sum(axis=0) % 2) * 255).astype(np.uint8)
    images = torch.from_numpy(board)[None, :, :, None]
    shown = resample(images, plain_view(ONE, view="squash"), size=32, padding="reflection")
    assert (shown - 0.5).abs().max() < 0.01


def test_a_picture_is_seen_alike_in_any_batch():
    """What a view shows of one picture does not depend on the others, mip levels included."""
    images = noise(5, 64, 64, 3)
    scales = np.array([0.3, 1.0, 0.7, 0.9, 0.2])
    matrices = to_view(geometry.rotate(np.linspace(0, 40, 5)) @ geometry.scale(scales, scales))
    together = resample(images, matrices, size=24, padding="reflection")
    for place in range(5):
        alone = resample(images[[place]], matrices[[place]], size=24, padding="reflection")
        assert torch.equal(alone[0], together[place])
