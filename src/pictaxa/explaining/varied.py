"""What augmentation makes of a picture: random views as training has them, and each operation from mild to full."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..augment.augmenter import Augmenter
from ..augment.policy import Policy
from ..augment.preprocess import Geometry
from ..augment.stages import stages_of
from ..images.decode import Square


@dataclass(frozen=True)
class Varied:
    """Pictures in rows, each (H, W, C) float in [0, 1]."""

    views: list[np.ndarray]  # of as many epochs
    operations: list[tuple[str, list[np.ndarray]]]  # each with its titles, which begin with its name


def vary(square: Square, *, policy: Policy, geometry: Geometry, views: int) -> Varied:
    """Vary one picture as a training would.

    Args:
        square: of the picture.
        policy: the training's.
        geometry: the view and its size.
        views: how many random ones.

    Returns:
        The views, and a row for each operation of the policy.
    """
    squares = torch.from_numpy(square.pixels[None])  # (1, S, S, C)
    aspects, heights = np.array([square.aspect], dtype=np.float32), np.array([square.height])
    augment = Augmenter(policy, geometry.view, seed=0, heights=heights)
    row = np.zeros(1, dtype=np.int64)
    random = [
        _pixels(augment(squares, row, repeats=row, aspects=aspects, epoch=epoch, size=geometry.size)[0])
        for epoch in range(views)
    ]
    # What is mixed in stands before it: its own mirror image, as there is no other picture.
    two = torch.cat([squares.flip(2), squares])
    operations = []
    for stages in stages_of(policy):
        shown = [
            stage.show(
                two, aspects=aspects.repeat(2), view=geometry.view, size=geometry.size, heights=heights.repeat(2)
            )
            for stage in stages
        ]
        operations.append((", ".join(stage.title for stage in stages), [_pixels(pair[1]) for pair in shown]))
    return Varied(random, operations)


def _pixels(view: torch.Tensor) -> np.ndarray:
    """(C, H, W) -> (H, W, C)."""
    return view.permute(1, 2, 0).clamp(0, 1).numpy()
