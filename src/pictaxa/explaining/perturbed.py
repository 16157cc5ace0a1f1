"""Heat maps of what pixels do to a logit: integrated gradients and occlusion, both by captum.

Both ask what a pixel's being there adds, against a pixel that the network's normalization turns into zero.
"""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F

from ..models.contract import Classifier
from ..system.extras import need

STEPS = 32  # of the integral
PASSES = 32  # pictures in a pass
PATCHES = 7  # that lie side by side over the picture; each step is half of one
CELLS = 28  # of a map, along a side: single pixels of integrated gradients say little


def integrated_gradients(model: Classifier, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Sundararajan et al. 2017, "Axiomatic attribution for deep networks", summed over channels and small cells.

    Args:
        model: the network, in evaluation mode, with gradients (not the one that prediction fuses).
        images: (N, C, S, S) float in [0, 1].
        labels: (N, K) int64, the classes to explain.

    Returns:
        (N, K, h, w) float32 of 0 and more: what speaks for each class.

    Raises:
        MissingExtraError: captum is not installed.

    Example:
        maps = integrated_gradients(model, images, model(images).argmax(dim=1, keepdim=True))
    """
    method = need("captum.attr", extra="explain").IntegratedGradients(model, multiply_by_inputs=True)
    nothing = model.mean[None, :, None, None].expand_as(images)
    maps = []
    with torch.enable_grad():
        for number in range(labels.shape[1]):
            found = method.attribute(
                images, baselines=nothing, target=labels[:, number], n_steps=STEPS, internal_batch_size=PASSES
            )
            maps.append(_in_cells(found.detach(), CELLS))
    return torch.stack(maps, dim=1)


@torch.no_grad()
def occlusion(model: Classifier, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Zeiler, Fergus 2013, "Visualizing and understanding convolutional networks": what covering a patch takes away.

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1].
        labels: (N, K) int64, the classes to explain.

    Returns:
        (N, K, h, w) float32 of 0 and more: how much a class's logit loses, on average over the patches on a place.

    Raises:
        MissingExtraError: captum is not installed.

    Example:
        maps = occlusion(model, images, model(images).argmax(dim=1, keepdim=True))
    """
    method = need("captum.attr", extra="explain").Occlusion(model)
    channels, size = images.shape[1], images.shape[-1]
    patch = max(1, size // PATCHES)
    step = max(1, patch // 2)
    maps = []
    for number in range(labels.shape[1]):
        with warnings.catch_warnings():  # captum warns where the last patch reaches over the edge, which is meant
            warnings.simplefilter("ignore")
            found = method.attribute(
                images, sliding_window_shapes=(channels, patch, patch), strides=(channels, step, step),
                baselines=model.mean[None, :, None, None].expand_as(images), target=labels[:, number],
                perturbations_per_eval=max(1, PASSES // len(images)),
            )  # fmt: skip
        maps.append(_in_cells(found, 2 * PATCHES))
    return torch.stack(maps, dim=1)


def _in_cells(pixels: torch.Tensor, cells: int) -> torch.Tensor:
    """Sums over channels, averages over cells, of which what is above 0 is kept: (N, C, S, S) -> (N, h, w)."""
    side = min(cells, pixels.shape[-1])
    return F.adaptive_avg_pool2d(pixels.sum(dim=1, keepdim=True).float(), side).squeeze(1).clamp(min=0)
