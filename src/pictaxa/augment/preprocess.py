"""The one way from a square to the model's input, in validation, evaluation, prediction and for a frozen backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..images.decoding import PLAIN, Decoding

if TYPE_CHECKING:  # a server of an exported model has no torch
    import numpy as np
    import torch


@dataclass(frozen=True)
class Geometry:
    """How a file becomes the model's input; everything that prediction must do as training did."""

    square: int  # side of the cached square, pixels
    channels: int  # 1 or 3
    view: Literal["centre", "fit", "squash"]
    size: int  # side of the model's input in validation and prediction, pixels
    tta: Literal["none", "flip"]  # flip: the logits of a picture and its mirror image are averaged
    decoding: Decoding = PLAIN  # how the file becomes pixels

    @property
    def passes(self) -> int:
        """How often the model sees a picture."""
        return 2 if self.tta == "flip" else 1


def model_input(squares: torch.Tensor, aspects: np.ndarray, *, geometry: Geometry) -> torch.Tensor:
    """Look at squares as prediction does.

    Args:
        squares: (N, S, S, C) uint8, on any device.
        aspects: (N,) float, width / height of each picture.
        geometry: the view and its size.

    Returns:
        (N, C, size, size) float32 in [0, 1], on the same device.

    Example:
        images = model_input(torch.from_numpy(cache.read(rows)), cache.aspects[rows], geometry=run.geometry)
    """
    from .geometry import padding_of, plain_view, resample

    views = plain_view(aspects, view=geometry.view)
    return resample(squares, views, size=geometry.size, padding=padding_of(geometry.view))
