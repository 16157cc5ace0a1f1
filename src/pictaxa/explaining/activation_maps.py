"""Heat maps of activations: Grad-CAM, Grad-CAM++, Score-CAM and Eigen-CAM, of any network, through the model contract.

Each takes the last activations from all places of which the logits are made (`spatial_features`, `spatial_head`), and
`grid` says where a place is; no layer is named. What the papers call a feature map A of a class c is a channel of them.

Shapes: N pictures, K classes of each, C channels, h x w places.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..models.contract import Classifier

MOST_MASKS = 128  # channels whose masks Score-CAM tries; each costs a pass of the network
MASKED_BATCH = 32  # pictures in such a pass


def grad_cam(model: Classifier, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Selvaraju et al. 2016, "Grad-CAM": channels, each weighted by the mean gradient of the class's logit in it.

    Where the head is an average over places and one dense layer, these are exactly the parts that places have in the
    logit (Zhou et al. 2015, "Learning deep features for discriminative localization").

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1].
        labels: (N, K) int64, the classes to explain.

    Returns:
        (N, K, h, w) float32 of 0 and more: what speaks for each class.

    Example:
        maps = grad_cam(model, images, model(images).argmax(dim=1, keepdim=True))
    """
    activations, gradients = _gradients(model, images, labels)
    weights = gradients.mean(dim=(3, 4))  # (N, K, C, h, w) -> (N, K, C)
    return _weighted(activations, weights)


def grad_cam_plus_plus(model: Classifier, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Chattopadhyay et al. 2017, "Grad-CAM++": only gradients above 0 count, each place by equation 19.

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1].
        labels: (N, K) int64, the classes to explain.

    Returns:
        (N, K, h, w) float32 of 0 and more.

    Example:
        maps = grad_cam_plus_plus(model, images, model(images).argmax(dim=1, keepdim=True))
    """
    activations, gradients = _gradients(model, images, labels)
    # Equation 19 for a score exp(logit), whose higher derivatives are powers of the logit's gradient.
    squared = gradients**2
    sums = activations.sum(dim=(2, 3))[:, None, :, None, None]  # (N, C, h, w) -> (N, 1, C, 1, 1)
    below = 2 * squared + sums * gradients**3
    shares = torch.where(below.abs() > 1e-12, squared / below, torch.zeros_like(below))
    weights = (shares * gradients.clamp(min=0)).sum(dim=(3, 4))  # (N, K, C, h, w) -> (N, K, C)
    return _weighted(activations, weights)


@torch.no_grad()
def score_cam(model: Classifier, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Wang et al. 2019, "Score-CAM": channels, each weighted by the logit of the picture seen through it as a mask.

    Of more than MOST_MASKS channels those are taken that vary most over the picture; the paper takes all.

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1].
        labels: (N, K) int64, the classes to explain.

    Returns:
        (N, K, h, w) float32 of 0 and more.

    Example:
        maps = score_cam(model, images, model(images).argmax(dim=1, keepdim=True))
    """
    activations = model.grid(model.spatial_features(images)).float()
    found = [
        _scored(model, image, activation, wanted)
        for image, activation, wanted in zip(images, activations, labels, strict=True)
    ]
    return torch.stack(found)


@torch.no_grad()
def eigen_cam(model: Classifier, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Muhammad, Yeasin 2020, "Eigen-CAM": the activations' first principal component, the same for every class.

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1].
        labels: (N, K) int64; only their number counts.

    Returns:
        (N, K, h, w) float32 of 0 and more.

    Example:
        maps = eigen_cam(model, images, torch.zeros(len(images), 1, dtype=torch.int64))
    """
    activations = model.grid(model.spatial_features(images)).float()
    flat = activations.flatten(2).transpose(1, 2)  # (N, C, h, w) -> (N, h * w, C)
    first = torch.linalg.svd(flat, full_matrices=False).Vh[:, :1]  # (N, 1, C)
    along = (flat @ first.transpose(1, 2)).squeeze(2)  # -> (N, h * w)
    # A component has no sign of its own: as the activations have, more than not.
    along = along * torch.where(along.sum(dim=1, keepdim=True) < 0, -1.0, 1.0)
    maps = along.clamp(min=0).unflatten(1, activations.shape[2:])  # -> (N, h, w)
    return maps[:, None].expand(-1, labels.shape[1], -1, -1)


def _gradients(model: Classifier, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Activations as a map, (N, C, h, w), and what a change of them does to each logit, (N, K, C, h, w)."""
    with torch.no_grad():
        activations = model.spatial_features(images)
    leaf = activations.detach().float().requires_grad_()
    gradients = []
    with torch.enable_grad():
        logits = model.spatial_head(leaf.clone())  # a copy, as a head may begin with an activation in place
        for number in range(labels.shape[1]):
            wanted = logits.gather(1, labels[:, number : number + 1]).sum()  # a picture's logit is of itself alone
            (gradient,) = torch.autograd.grad(wanted, leaf, retain_graph=number + 1 < labels.shape[1])
            gradients.append(model.grid(gradient))
    return model.grid(leaf.detach()), torch.stack(gradients, dim=1)


def _weighted(activations: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sums of channels, of which only what is above 0 speaks for a class: (N, C, h, w), (N, K, C) -> (N, K, h, w)."""
    return torch.einsum("nkc,nchw->nkhw", weights, activations).clamp(min=0)


def _scored(model: Classifier, image: torch.Tensor, activation: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Score-CAM of one picture: (C, S, S), (C', h, w), (K,) -> (K, h, w)."""
    spread = activation.flatten(1).std(dim=1, unbiased=False)
    channels = activation[spread.topk(min(MOST_MASKS, len(activation))).indices]
    low, high = channels.amin(dim=(1, 2), keepdim=True), channels.amax(dim=(1, 2), keepdim=True)
    masks = (channels - low) / (high - low).clamp(min=1e-12)
    masks = F.interpolate(masks[:, None], size=image.shape[1:], mode="bilinear", align_corners=False)
    nothing = model.mean[:, None, None]  # which normalization turns into zeros
    logits = [model(nothing + (image - nothing) * some)[:, labels].float() for some in masks.split(MASKED_BATCH)]
    gained = torch.cat(logits) - model(nothing.expand_as(image)[None].contiguous())[:, labels].float()  # (M, K)
    return _weighted(channels[None], gained.softmax(dim=0).T[None])[0]
