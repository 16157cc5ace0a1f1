"""Views: one 2x3 matrix per picture, and the one resampling that applies it.

Coordinates are those of `torch.nn.functional.grid_sample(align_corners=False)`: -1 and 1 are the outer edges. The
picture's own frame has y in [-1, 1] and x in [-a, a] with a = width / height, so that turning and shearing act on
the true shape; dividing x by a leads to the squashed square that the cache holds.

Matrices are built as (N, 3, 3) float64 on the host from the right to the left,

    view (N, 2, 3) = squash . place . turn . shear . zoom . box . flip

and map a point of the model's input to the point of the square that it shows.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

ViewName = Literal["centre", "fit", "squash"]
PaddingMode = Literal["zeros", "reflection"]
VIEWS: tuple[ViewName, ...] = ("centre", "fit", "squash")


def identity(count: int) -> np.ndarray:
    """(count, 3, 3) float64 identities."""
    return np.tile(np.eye(3), (count, 1, 1))


def scale(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N,) and (N,) factors -> (N, 3, 3)."""
    matrix = identity(len(x))
    matrix[:, 0, 0], matrix[:, 1, 1] = x, y
    return matrix


def translate(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N,) and (N,) distances -> (N, 3, 3)."""
    matrix = identity(len(x))
    matrix[:, 0, 2], matrix[:, 1, 2] = x, y
    return matrix


def rotate(degrees: np.ndarray) -> np.ndarray:
    """(N,) angles by which the picture is turned counter-clockwise -> (N, 3, 3)."""
    radians = np.deg2rad(degrees)
    matrix = identity(len(degrees))
    matrix[:, 0, 0] = matrix[:, 1, 1] = np.cos(radians)
    matrix[:, 0, 1], matrix[:, 1, 0] = -np.sin(radians), np.sin(radians)
    return matrix


def shear(degrees: np.ndarray) -> np.ndarray:
    """(N,) angles by which upright lines lean -> (N, 3, 3)."""
    matrix = identity(len(degrees))
    matrix[:, 0, 1] = np.tan(np.deg2rad(degrees))
    return matrix


def squash(aspects: np.ndarray) -> np.ndarray:
    """From the picture's own frame to the cached square: (N,) width/height -> (N, 3, 3)."""
    return scale(1.0 / aspects, np.ones_like(aspects))


def view_box(aspects: np.ndarray, *, view: ViewName) -> tuple[np.ndarray, np.ndarray]:
    """Half the width and half the height of what a view shows, in the picture's own frame: (N,), (N,).

    centre: the largest square in the middle; fit: the smallest square around the picture, its rest black;
    squash: the picture, pressed into a square.
    """
    if view == "squash":
        return aspects, np.ones_like(aspects)
    side = np.minimum(aspects, 1.0) if view == "centre" else np.maximum(aspects, 1.0)
    return side, side


def plain_view(aspects: np.ndarray, *, view: ViewName) -> np.ndarray:
    """The view of validation and prediction: (N,) float64 width/height -> (N, 2, 3) float32."""
    aspects = aspects.astype(np.float64)
    half_width, half_height = view_box(aspects, view=view)
    return to_view(squash(aspects) @ scale(half_width, half_height))


def to_view(matrices: np.ndarray) -> np.ndarray:
    """(N, 3, 3) float64 -> (N, 2, 3) float32, what `resample` takes."""
    return matrices[:, :2].astype(np.float32)


def padding_of(view: ViewName) -> PaddingMode:
    """How to pad beyond a picture's edge: black if the view fits it in, otherwise its mirror image."""
    return "zeros" if view == "fit" else "reflection"


def resample(images: torch.Tensor, matrices: np.ndarray, *, size: int, padding: PaddingMode) -> torch.Tensor:
    """Look at squares through their views: (N, S, S, C) uint8, (N, 2, 3) -> (N, C, size, size) float32 in [0, 1].

    Bilinear. A view that shrinks by more than 2 samples from a half-size copy first, and so on (mip levels), so that
    nothing aliases. When every view is the identity at the square's own size, pixels come back bit for bit.
    """
    count, side = images.shape[0], images.shape[1]
    # (N, S, S, C) -> (N, C, S, S), in planes, of which grid_sample reads one at a time
    pixels = images.permute(0, 3, 1, 2).contiguous().to(torch.float32)
    if size == side and (matrices == np.eye(2, 3, dtype=np.float32)).all():
        return pixels.mul_(1 / 255)
    levels = mip_levels(matrices, side=side, size=size)
    views = torch.from_numpy(matrices).to(images.device)
    if not levels.any():
        return _look(pixels, views, size=size, padding=padding).mul_(1 / 255)
    out = pixels.new_empty(count, pixels.shape[1], size, size)
    for level in range(int(levels.max()) + 1):
        if level:
            pixels = _sums_of_four(pixels)
        at_level = torch.from_numpy(np.flatnonzero(levels == level)).to(images.device)
        if len(at_level):
            shown = _look(pixels[at_level], views[at_level], size=size, padding=padding)
            out[at_level] = shown.mul_(1 / (255 * 4**level))
    return out


def mip_levels(matrices: np.ndarray, *, side: int, size: int) -> np.ndarray:
    """How often to halve a square first, (N, 2, 3) -> (N,) int64: 0 up to a shrinking of 2, 1 up to 4, ..."""
    steps = np.linalg.norm(matrices[:, :, :2], axis=1)  # (N, 2): lengths of one step right and one step down
    shrink = steps.max(axis=1) * (side / size)
    levels: np.ndarray = np.ceil(np.log2(np.maximum(shrink, 1.0)) - 1e-6).astype(np.int64) - 1
    return np.maximum(levels, 0)


def _sums_of_four(pixels: torch.Tensor) -> torch.Tensor:
    """(N, C, S, S) -> (N, C, ceil(S / 2), ceil(S / 2)): a quarter of it is the half-size picture.

    Slices and sums, since torch's pooling of few channels takes four times as long on a CPU.
    """
    if pixels.shape[-1] % 2:
        pixels = F.pad(pixels, (0, 1, 0, 1), mode="replicate")
    rows = pixels[:, :, 0::2] + pixels[:, :, 1::2]
    return rows[..., 0::2] + rows[..., 1::2]


def _look(pixels: torch.Tensor, views: torch.Tensor, *, size: int, padding: PaddingMode) -> torch.Tensor:
    # As affine_grid, but with sums over rows and columns instead of a matrix product for every point, and with x and y
    # in planes of their own, which are filled without gaps.
    centres = (torch.arange(size, device=pixels.device, dtype=torch.float32) * 2 + 1) / size - 1
    grid = views.new_empty(2, len(views), size, size)
    for axis in range(2):
        across = views[:, axis, 0, None] * centres + views[:, axis, 2, None]  # (N, size)
        down = views[:, axis, 1, None] * centres  # (N, size)
        torch.add(down[:, :, None], across[:, None, :], out=grid[axis])
    grid = grid.permute(1, 2, 3, 0)  # (2, N, size, size) -> (N, size, size, 2)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode=padding, align_corners=False)
