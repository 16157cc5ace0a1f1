"""A run's network, ready to be explained, and maps of what it sees in squares."""

from __future__ import annotations

import numpy as np
import torch

from ..augment.preprocess import model_input
from ..inference.kept_model import model_of
from ..inference.predictor import Predictor
from ..models.contract import Classifier
from ..system.device import to_device
from ..weights.files import load_model_weights
from .methods import Method

PASS = 16  # pictures in one


def network_for(predictor: Predictor, method: Method) -> Classifier:
    """Find the network that a method takes.

    Args:
        predictor: of the run.
        method: of METHODS.

    Returns:
        The network that predicts; for a method that needs gradients of the whole network, which the former has not as
        its convolutions are fused, the same one as it was trained.
    """
    if not method.through_backbone:
        return predictor.model
    model = model_of(predictor.run)
    load_model_weights(model, predictor.run.existing(predictor.run.model_path.name))
    return to_device(model, predictor.plan).eval()


def heat_maps(
    predictor: Predictor, model: Classifier, method: Method, *, squares: np.ndarray, aspects: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Compute heat maps of decoded pictures, over the network's input.

    Where the run averages the logits of a picture and its mirror image, so are the maps.

    Args:
        predictor: of the run.
        model: from `network_for`.
        method: of METHODS.
        squares: (N, S, S, C) uint8.
        aspects: (N,) float, width / height of each picture.
        labels: (N, K) int64, the classes to explain.

    Returns:
        (N, K, h, w) float32 in [0, 1], the largest value of each map 1, or 0 where nothing speaks for the class.
    """
    device, geometry = predictor.plan.device, predictor.geometry
    found = []
    for start in range(0, len(squares), PASS):
        some = slice(start, start + PASS)
        images = model_input(torch.from_numpy(squares[some]).to(device), aspects[some], geometry=geometry)
        wanted = torch.from_numpy(labels[some]).to(device)
        maps = method.maps(model, images, wanted)
        if geometry.tta == "flip":
            maps = maps + method.maps(model, images.flip(-1).contiguous(), wanted).flip(-1)
        found.append(maps.float().cpu())
    return scaled(torch.cat(found)).numpy()


def scaled(maps: torch.Tensor) -> torch.Tensor:
    """Each map over its largest value, (..., h, w); a map of zeros stays one."""
    largest = maps.amax(dim=(-2, -1), keepdim=True)
    return maps / torch.where(largest > 0, largest, torch.ones_like(largest))
