"""From squares to logits, the same for validation, evaluation, prediction and serving."""

from __future__ import annotations

import numpy as np
import torch

from ..augment.preprocess import Geometry, model_input
from ..models.contract import Classifier

BATCH = 32  # pictures in a pass


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
