"""Measures single pictures: brightness, contrast, sharpness, colour; and reads their headers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

TILES = 8  # a picture is looked at in 8 x 8 tiles: a sharp flower before a soft background is a sharp picture
SHARPEST = 0.9  # quantile of the tiles that counts
MIN_SIDE = 32  # pixels: smaller pictures (digits) are alike without being copies, and their tiles show no blur


@dataclass(frozen=True)
class Quality:
    """Of each picture, (N,) float32."""

    brightness: np.ndarray  # mean grey, 0 to 1
    contrast: np.ndarray  # from the 2nd to the 98th percentile of grey, 0 to 1
    sharpness: np.ndarray  # how large the finest details are beside those twice as large, in the sharpest tiles
    colour: np.ndarray  # mean distance of a pixel's channels from its grey, 0 to 1


def measure_quality(squares: torch.Tensor) -> Quality:
    """(N, S, S, C) uint8 -> its Quality."""
    planes = squares.permute(0, 3, 1, 2).contiguous().float().div_(255)  # channels that lie apart: twice as fast
    grey = planes.mean(dim=1, keepdim=True)  # (N, 1, S, S)
    flat = grey.flatten(1)[:, :: max(1, grey[0].numel() // 4096)]
    low, high = torch.quantile(flat, torch.tensor([0.02, 0.98]), dim=1)
    return Quality(
        brightness=grey.mean(dim=(1, 2, 3)).numpy(),
        contrast=(high - low).numpy(),
        sharpness=_sharpness(grey).numpy(),
        colour=planes.sub_(grey).abs_().mean(dim=(1, 2, 3)).numpy(),
    )


def _sharpness(grey: torch.Tensor) -> torch.Tensor:
    """(N, 1, S, S) -> (N,): the two finest bands of a Laplacian pyramid (Burt, Adelson 1983), one over the other."""
    soft = _soften(grey)
    half = F.avg_pool2d(soft, 2)
    fine, coarse = (grey - soft).abs(), (half - _soften(half)).abs()
    tiles = F.adaptive_avg_pool2d(coarse, TILES).flatten(1)
    ratios = F.adaptive_avg_pool2d(fine, TILES).flatten(1) / (tiles + 1e-3)
    # Tiles without any detail say nothing of sharpness.
    detailed = tiles >= tiles.quantile(0.5, dim=1, keepdim=True)
    return torch.where(detailed, ratios, -1.0).quantile(SHARPEST, dim=1)


def _soften(grey: torch.Tensor) -> torch.Tensor:
    """With (1, 4, 6, 4, 1) / 16 down and across; sums of slices are several times as fast as a convolution here."""
    padded = F.pad(grey, (2, 2, 2, 2), mode="reflect")
    for axis in (2, 3):
        length = padded.shape[axis] - 4
        one, two, three, four, five = (padded.narrow(axis, start, length) for start in range(5))
        padded = ((one + five) + 4 * (two + four) + 6 * three) / 16
    return padded
