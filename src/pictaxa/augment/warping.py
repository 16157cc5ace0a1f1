"""Resampling on a CPU in uint8: the same as `geometry.resample`, rounded, in a third of the time.

OpenCV's warp reads a pixel's three channels together, where torch's grid_sample gathers each by itself. Training's
pictures, which are varied by chance, come this way; what prediction sees is computed by `resample` everywhere.
"""

from __future__ import annotations

import numpy as np
import torch

from .geometry import PaddingMode, mip_levels


def warp(images: torch.Tensor, matrices: np.ndarray, *, size: int, padding: PaddingMode) -> np.ndarray:
    """Look at squares through their views: (N, S, S, C) uint8, (N, 2, 3) -> (N, size, size, C) uint8.

    As `geometry.resample`, but for rounding to whole bytes. A batch at once: torch's threads spin for a while after
    their work, and OpenCV's want their cores.
    """
    import cv2  # it takes 0.1 s to load, and prediction needs none of it

    squares = images.numpy()
    count, side, _, channels = squares.shape
    levels = mip_levels(matrices, side=side, size=size)
    views = _in_pixels(matrices, sides=-(-side // 2**levels), size=size)
    border = cv2.BORDER_REFLECT if padding == "reflection" else cv2.BORDER_CONSTANT
    seen = np.empty((count, size, size, channels), dtype=np.uint8)
    grey = (..., 0) if channels == 1 else ...  # OpenCV has no axis for one channel
    for square, view, level, out in zip(squares, views, levels.tolist(), seen, strict=True):
        cv2.warpAffine(
            _halved(square, times=level)[grey], view, (size, size), dst=out[grey],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border,
        )  # fmt: skip
    return seen


def planes_of(seen: np.ndarray) -> torch.Tensor:
    """(N, H, W, C) uint8 -> (N, C, H, W) float32 in [0, 1]."""
    planes = torch.from_numpy(seen).permute(0, 3, 1, 2).contiguous()
    return planes.to(torch.float32).mul_(1 / 255)


def _in_pixels(matrices: np.ndarray, *, sides: np.ndarray, size: int) -> np.ndarray:
    """(N, 2, 3) in grid_sample's coordinates, whose -1 and 1 are the edges -> (N, 2, 3), whole at pixels' centres.

    `sides` are the squares', (N,).
    """
    half = sides[:, None] / 2
    views = np.empty(matrices.shape)
    views[..., :2] = matrices[..., :2] * (2 * half / size)[..., None]
    views[..., 2] = (matrices[..., :2].sum(axis=2) * (1 / size - 1) + matrices[..., 2] + 1) * half - 0.5
    return views


def _halved(square: np.ndarray, *, times: int) -> np.ndarray:
    """(S, S, C) uint8 -> (ceil(S / 2^times), ..., C), by the mean of what each pixel covers."""
    import cv2

    for _ in range(times):
        half = -(-square.shape[0] // 2)
        square = cv2.resize(square, (half, half), interpolation=cv2.INTER_AREA).reshape(half, half, -1)
    return square
