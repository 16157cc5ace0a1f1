"""Whether heat maps point at what a network goes by: deletion and insertion areas (Petsiuk et al. 2018, "RISE").

Deletion takes a picture's cells away, the hottest first, and watches the probability of its class; insertion puts them
into an empty picture. The mean over all steps is the area under the curve: a good map has a small one of deletion and
a large one of insertion. What a map has to beat are a random order of the same cells, and the order of their distance
from the middle, where photographers put what they mean.

Two things are otherwise than in the paper. Cells fade into each other: with hard edges, and with single pixels, a
random order is a pattern of its own, which confuses a network before it has lost what it goes by. And areas count from
the probability that an empty picture gets, which no picture has earned: a fifth, say, of five classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..models.contract import Classifier

CELLS = 14  # along a side
STEPS = 10  # from the whole picture to none of it
ORDERS = 2  # random ones, whose areas are averaged
PASSES = 20  # pictures in a pass: all of an order's
RESAMPLES = 5000  # of the bootstrap


@dataclass(frozen=True)
class Areas:
    """Mean probabilities of each picture, by the order in which its cells go and come."""

    deletion: np.ndarray  # (N,) float; small is good
    insertion: np.ndarray  # (N,) float; large is good
    empty: np.ndarray  # (N,) float: the probability of the same class on an empty picture

    @property
    def deleted(self) -> np.ndarray:
        """(N,) deletion areas above the empty picture."""
        return self.deletion - self.empty

    @property
    def inserted(self) -> np.ndarray:
        """(N,) insertion areas above the empty picture."""
        return self.insertion - self.empty


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


def areas_of(
    model: Classifier, images: torch.Tensor, labels: torch.Tensor, orders: torch.Tensor, *, temperature: float = 1.0
) -> Areas:
    """Take cells away and put them in, in an order, and average the probability of a class over the steps.

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1]; S is CELLS or more.
        labels: (N,) int64, the class of each.
        orders: (N, CELLS^2) int64, cells in their order.
        temperature: probabilities are softmax(logits / temperature).

    Returns:
        The areas of each picture.

    Example:
        areas = areas_of(model, images, labels, hottest_first(maps))
    """
    found = [
        _areas(model, *one, temperature=temperature)
        for one in zip(images, labels, orders.to(labels.device), strict=True)
    ]
    return Areas(*(np.array(values) for values in zip(*found, strict=True)))


def random_areas(
    model: Classifier, images: torch.Tensor, labels: torch.Tensor, *, temperature: float = 1.0, seed: int = 0
) -> Areas:
    """The same for random orders, ORDERS of each picture: what a map that says nothing comes to.

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1].
        labels: (N,) int64.
        temperature: as `areas_of` takes it.
        seed: decides the orders.

    Returns:
        The mean areas of each picture.
    """
    found = [
        areas_of(model, images, labels, random_order(len(images), seed=ORDERS * seed + number), temperature=temperature)
        for number in range(ORDERS)
    ]
    deletion, insertion, empty = (
        np.mean([getattr(areas, name) for areas in found], axis=0) for name in ("deletion", "insertion", "empty")
    )
    return Areas(deletion, insertion, empty)


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
    value = float(_quotient(above, below))
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
def _areas(
    model: Classifier, image: torch.Tensor, label: torch.Tensor, order: torch.Tensor, *, temperature: float
) -> tuple[float, float, float]:
    """Deletion, insertion and the empty picture of one: (C, S, S), (), (CELLS^2,)."""
    size = image.shape[-1]
    nothing = model.mean[:, None, None].expand_as(image)  # which normalization turns into zeros
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    steps = torch.linspace(0, CELLS**2, STEPS + 1, device=image.device)[1:-1]  # all and nothing are done once
    gone = (rank[None] < steps[:, None]).float().view(-1, 1, CELLS, CELLS)
    gone = F.interpolate(gone, size=(size, size), mode="bilinear", align_corners=False)  # (STEPS - 1, 1, S, S)
    pictures = torch.cat([image[None], nothing + (image - nothing) * (1 - gone), nothing + (image - nothing) * gone])
    pictures = torch.cat([pictures, nothing[None]])
    logits = torch.cat([model(some).float() for some in pictures.split(PASSES)]) / temperature
    chance = logits.softmax(dim=1)[:, label].tolist()
    whole, empty, middle = chance[0], chance[-1], len(steps)
    deleted, inserted = chance[1 : 1 + middle], chance[1 + middle : -1]
    ends = (whole + empty) / 2  # trapezoids
    return (ends + sum(deleted)) / STEPS, (ends + sum(inserted)) / STEPS, empty
