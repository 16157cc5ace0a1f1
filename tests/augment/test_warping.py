from __future__ import annotations

import numpy as np
import pytest
import torch

from pictaxa.augment import geometry
from pictaxa.augment.geometry import PaddingMode, mip_levels, plain_view, resample
from pictaxa.augment.warping import planes_of, warp


def resample_bytes(images: torch.Tensor, views: np.ndarray, *, size: int, padding: PaddingMode) -> torch.Tensor:
    return planes_of(warp(images, views, size=size, padding=padding))


def smooth(count: int, side: int, channels: int) -> torch.Tensor:
    """Squares with noise in them, bytes."""
    noise = np.random.default_rng(0).integers(0, 256, (count, side, side, channels))
    return torch.from_numpy(((noise + np.linspace(0, 255, side)[None, :, None, None]) / 2).astype(np.uint8))


def random_views(count: int, *, spread: float) -> np.ndarray:
    """(count, 2, 3): turned, mirrored, moved and scaled at random."""
    draws = np.random.default_rng(1)
    moves = geometry.translate(draws.uniform(-0.4, 0.4, count), draws.uniform(-0.4, 0.4, count))
    sizes = draws.uniform(0.3, spread, (2, count)) * np.sign(draws.uniform(-1, 1, (2, count)))
    return geometry.to_view(moves @ geometry.rotate(draws.uniform(-180, 180, count)) @ geometry.scale(*sizes))


@pytest.mark.parametrize("padding", ["zeros", "reflection"])
@pytest.mark.parametrize(("channels", "side", "size"), [(3, 40, 32), (1, 40, 32), (3, 33, 48)])
def test_it_is_what_resample_computes_rounded(padding: PaddingMode, channels: int, side: int, size: int):
    """No byte is further than a rounding from the exact one, whatever the view, beyond the edges too."""
    squares, views = smooth(20, side, channels), random_views(20, spread=1.2 * size / side)
    assert not mip_levels(views, side=side, size=size).any()
    exact, found = (look(squares, views, size=size, padding=padding) for look in (resample, resample_bytes))
    assert found.shape == exact.shape and found.is_contiguous()
    assert (found - exact).abs().max() * 255 < 0.51
    assert torch.allclose((found * 255).round(), found * 255, atol=1e-3)


def test_small_views_of_large_squares_do_not_alias():
    """Squares are halved first, as often as there, to two roundings."""
    squares, views = smooth(20, 96, 3), random_views(20, spread=3.0)
    levels = mip_levels(views, side=96, size=32)
    assert set(levels.tolist()) == {0, 2, 3}
    exact, found = (look(squares, views, size=32, padding="reflection") for look in (resample, resample_bytes))
    assert (found - exact).abs().max() * 255 < 0.5 * (1 + levels.max()) + 0.01


def test_the_identity_gives_the_bytes_back():
    """Bit for bit value / 255."""
    squares = smooth(5, 28, 3)
    same = resample_bytes(squares, plain_view(np.ones(5), view="squash"), size=28, padding="zeros")
    assert torch.equal(same, squares.permute(0, 3, 1, 2).float() * (1 / 255))
