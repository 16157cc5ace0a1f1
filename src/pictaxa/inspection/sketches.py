"""Grey thumbnails, their crops and their sketches, by which near duplicates are found.

A picture's *sketch* is its low frequencies: the first cosine coefficients of a 32 px grey view, higher ones weighing
more (natural pictures have less of them), scaled to length one. Brightness and contrast fall out, size and JPEG hardly
change it, mirroring changes the signs of odd columns.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F

THUMB = 64  # side of the grey thumbnails, pixels
VIEW = 32  # side of a view of one
FLAT = 16.0  # length of a sketch below which a picture has nothing in it: half a grey level

# Part of the sides that a crop keeps, and its place: the whole, and 95% and 90% in the middle and in the corners.
CORNERS = ((0, 0), (-1, -1), (1, -1), (-1, 1), (1, 1))
CROPS = torch.tensor(
    [(1.0, 0.0, 0.0), *((part, x * (1 - part), y * (1 - part)) for part in (0.95, 0.9) for x, y in CORNERS)]
)


def thumbnails(squares: torch.Tensor) -> torch.Tensor:
    """(N, S, S, C) uint8 -> (N, 64, 64) uint8 grey."""
    planes = squares.permute(0, 3, 1, 2).contiguous().float()
    small = F.interpolate(planes, (THUMB, THUMB), mode="bilinear", antialias=True, align_corners=False)
    if small.shape[1] == 3:
        small = (small * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=1, keepdim=True)  # BT.601
    return small[:, 0].round().clamp(0, 255).to(torch.uint8)


def sketch(views: torch.Tensor, *, count: int, power: float) -> torch.Tensor:
    """(N, 32, 32) float -> (N, count * count - 1) of length one."""
    basis, weights = _basis(views.shape[-1], count, power)
    coefficients = (basis @ views @ basis.T * weights).flatten(1)[:, 1:]  # without the mean
    return F.normalize(coefficients, dim=1, eps=FLAT)


@cache
def _basis(side: int, count: int, power: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The cosine transform (count, side), and a weight for each pair of frequencies (count, count)."""
    places, frequencies = torch.arange(side) + 0.5, torch.arange(count)
    basis = torch.cos(torch.pi / side * frequencies[:, None] * places) * (2 / side) ** 0.5
    return basis, (frequencies[:, None] ** 2 + frequencies**2).float().sqrt() ** power


@cache
def mirror_signs(count: int) -> torch.Tensor:
    """Signs that turn a sketch into that of the mirror image."""
    columns = torch.arange(count).repeat(count)[1:]
    return 1.0 - 2.0 * (columns % 2)


def crop_views(thumbs: torch.Tensor, crops: torch.Tensor) -> torch.Tensor:
    """(N, 64, 64) float, (N, 3) or (1, 3) part kept and place -> (N, 32, 32).

    A crop along the axes is two products of matrices: many times cheaper than a grid of points for each picture.
    """
    part, x, y = crops.unbind(dim=1)
    return _sampling(part, y) @ thumbs @ _sampling(part, x).transpose(1, 2)


def _sampling(part: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """(N,) part kept of an axis and its place in [-1, 1] -> (N, 32, 64): each pixel of a view, by those of a thumbnail.

    64 points are sampled between pixels, beyond the border its own, and each two of them are averaged.
    """
    pixels = torch.arange(THUMB)
    centres = (2 * pixels + 1) / THUMB - 1
    points = ((part[:, None] * centres + place[:, None] + 1) * THUMB / 2 - 0.5).clamp(0, THUMB - 1)  # in pixels
    weights = (1 - (points[:, :, None] - pixels).abs()).clamp_(min=0)  # (N, 64 points, 64 pixels)
    return weights.unflatten(1, (VIEW, THUMB // VIEW)).mean(dim=2)
