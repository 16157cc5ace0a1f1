"""From squares to logits, and the vectors before them, the same for validation, evaluation, prediction and serving."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..augment.preprocess import Geometry, model_input
from ..models.contract import Classifier

BATCH = 32  # pictures in a pass


class Outputs(NamedTuple):
    """What a network makes of pictures in one pass."""

    logits: torch.Tensor  # (N, classes) float32
    vectors: torch.Tensor  # (N, width) float32, what the head takes of the pictures themselves, not mirrored


@torch.inference_mode()
def square_logits(model: Classifier, squares: torch.Tensor, *, aspects: np.ndarray, geometry: Geometry) -> torch.Tensor:
    """Compute the logits of decoded pictures, through the view that prediction has.

    Args:
        model: in evaluation mode.
        squares: (N, S, S, C) uint8 on the model's device.
        aspects: (N,) float, width / height of each picture.
        geometry: the view, the size that the model sees, and whether mirror images are averaged in.

    Returns:
        (N, classes) float32 logits, on the model's device.

    Example:
        probabilities = square_logits(model, squares, aspects=aspects, geometry=run.geometry).softmax(dim=1)
    """
    images = model_input(squares, aspects, geometry=geometry)
    logits: torch.Tensor = model(images).float()
    if geometry.tta == "flip":
        logits = (logits + model(images.flip(-1)).float()) / 2
    return logits


@torch.inference_mode()
def square_outputs(
    backbone: Classifier, head: nn.Module, squares: torch.Tensor, *, aspects: np.ndarray, geometry: Geometry
) -> Outputs:
    """Compute the logits of decoded pictures as `square_logits` does, and keep the vectors on the way.

    Args:
        backbone: of a model in evaluation mode, as `apart` of models/heads.py gives it.
        head: likewise.
        squares: (N, S, S, C) uint8 on the model's device.
        aspects: (N,) float, width / height of each picture.
        geometry: as `square_logits` takes it.

    Returns:
        The same logits, and the vectors.

    Example:
        outputs = square_outputs(*apart(model), squares, aspects=aspects, geometry=run.geometry)
    """
    images = model_input(squares, aspects, geometry=geometry)
    vectors: torch.Tensor = backbone(images)
    logits: torch.Tensor = head(vectors).float()
    if geometry.tta == "flip":
        logits = (logits + head(backbone(images.flip(-1))).float()) / 2
    return Outputs(logits, vectors.float())
