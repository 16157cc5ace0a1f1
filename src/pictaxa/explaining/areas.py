"""Whether heat maps point at what a network goes by: deletion and insertion areas (Petsiuk et al. 2018, "RISE").

Deletion takes a picture's cells away, the hottest first, and watches the probability of its class; insertion puts them
into an empty picture. The mean of the probability over all steps is the area under its curve: a good map has a small
one of deletion and a large one of insertion. Cells are compared with cells: a random order of the same cells, and the
order of their distance from the middle, where photographers put what they mean, are what a map has to beat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..models.contract import Classifier

CELLS = 14  # along a side
STEPS = 14  # from the whole picture to none of it
ORDERS = 4  # random ones, whose areas are averaged
PASSES = 32  # pictures in a pass
RESAMPLES = 5000  # of the bootstrap

Logits = Callable[[torch.Tensor], torch.Tensor]  # (N, C, S, S) -> (N, classes)


@dataclass(frozen=True)
class Areas:
    """Areas of each picture, by the order in which its cells go and come."""

    deletion: np.ndarray  # (N,) float, the mean probability; small is good
    insertion: np.ndarray  # (N,) float; large is good


@dataclass(frozen=True)
class Ratio:
    """A quotient of two mean areas, with its 95% interval (bootstrap over pictures, percentiles)."""

    value: float
    low: float
    high: float


def hottest_first(maps: torch.Tensor) -> torch.Tensor:
    """The order of cells by the heat of maps, hottest first: (N, h, w) -> (N, CELLS^2) int64.

    Cells of equal heat (places that say nothing) follow each other in a random order that is the same every time.
    """
    heat = F.interpolate(maps[:, None].float(), size=(CELLS, CELLS), mode="bilinear", align_corners=False).flatten(1)
    generator = torch.Generator().manual_seed(0)
    shuffled = torch.rand(heat.shape, generator=generator).argsort(dim=1).to(heat.device)
    order = heat.gather(1, shuffled).argsort(dim=1, descending=True, stable=True)
    return shuffled.gather(1, order)


def random_order(count: int, *, seed: int) -> torch.Tensor:
    """Random orders of cells for so many pictures: (count, CELLS^2) int64."""
    return torch.rand((count, CELLS**2), generator=torch.Generator().manual_seed(seed)).argsort(dim=1)


def centre_first(count: int) -> torch.Tensor:
    """Cells by their distance from the middle: (count, CELLS^2) int64."""
    places = (torch.arange(CELLS) + 0.5) / CELLS * 2 - 1
    distance = places[:, None] ** 2 + places[None, :] ** 2
    return distance.flatten().argsort(stable=True)[None].expand(count, -1)


def areas_of(model: Classifier, images: torch.Tensor, labels: torch.Tensor, orders: torch.Tensor) -> Areas:
    """Take cells away and put them in, in an order, and average the probability of a class over the steps.

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1]; S is CELLS or more.
        labels: (N,) int64, the class of each.
        orders: (N, CELLS^2) int64, cells in their order.

    Returns:
        The areas of each picture.

    Example:
        areas = areas_of(model, images, labels, hottest_first(maps))
    """
    found = [_areas(model, *one) for one in zip(images, labels, orders, strict=True)]
    deletion, insertion = zip(*found, strict=True)
    return Areas(np.array(deletion), np.array(insertion))


def random_areas(model: Classifier, images: torch.Tensor, labels: torch.Tensor, *, seed: int = 0) -> Areas:
    """The same for random orders, ORDERS of each picture: what a map that says nothing comes to.

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1].
        labels: (N,) int64.
        seed: decides the orders.

    Returns:
        The mean areas of each picture.
    """
    found = [
        areas_of(model, images, labels, random_order(len(images), seed=ORDERS * seed + number))
        for number in range(ORDERS)
    ]
    return Areas(
        np.mean([areas.deletion for areas in found], axis=0), np.mean([areas.insertion for areas in found], axis=0)
    )


def ratio_of(above: np.ndarray, below: np.ndarray) -> Ratio:
    """Divide one mean area by another of the same pictures.

    Args:
        above: (N,) float, such as the deletion areas of random order.
        below: (N,) float, such as those of a method.

    Returns:
        The quotient of the means with its 95% interval; of fewer than two pictures the interval is the value itself.

    Example:
        ratio_of(random.deletion, areas.deletion)  # above 1: better than random
    """
    value = _quotient(above, below)
    if len(above) < 2:
        return Ratio(value, value, value)
    from scipy.stats import bootstrap  # half a second to load

    found = bootstrap(
        (above, below), _quotient, paired=True, vectorized=True, method="percentile", n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return Ratio(value, float(found.low), float(found.high))


def _quotient(above: np.ndarray, below: np.ndarray, axis: int = -1) -> np.ndarray | float:
    return np.mean(above, axis=axis) / np.maximum(np.mean(below, axis=axis), 1e-9)


@torch.no_grad()
def _areas(model: Classifier, image: torch.Tensor, label: torch.Tensor, order: torch.Tensor) -> tuple[float, float]:
    """Of one picture: (C, S, S), (), (CELLS^2,)."""
    size = image.shape[-1]
    nothing = model.mean[:, None, None].expand_as(image)  # which normalization turns into zeros
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    pixels = F.interpolate(rank.view(1, 1, CELLS, CELLS).float(), size=(size, size), mode="nearest")[0]  # (1, S, S)
    gone = torch.linspace(0, CELLS**2, STEPS + 1, device=image.device)  # cells after each step
    first = pixels[None] < gone[:, None, None, None]  # (STEPS + 1, 1, S, S): cells of the steps so far
    deleted, inserted = torch.where(first, nothing, image), torch.where(first, image, nothing)
    curves = []
    for steps in (deleted, inserted):
        logits = torch.cat([model(some).float() for some in steps.split(PASSES)])
        curves.append(logits.softmax(dim=1)[:, label])
    deletion, insertion = (float(torch.trapezoid(curve) / STEPS) for curve in curves)
    return deletion, insertion
