"""`pictaxa explain --check`: whether a method shows what a run's network goes by, on validation pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ..augment.preprocess import model_input
from ..data.fetching import Fetcher
from ..errors import ConfigError, PictureError
from ..images.decode import Square, square_of
from ..inference.predictor import Predictor
from ..runs.records import read_index, read_predictions
from ..system.progress import CountProgress
from .areas import Areas, Ratio, areas_of, centre_first, hottest_first, random_areas, ratio_of
from .methods import METHODS, MethodName
from .network import heat_maps, network_for

MIN_PICTURES = 2
SOME = 4  # pictures between two lines of progress


@dataclass(frozen=True)
class Order:
    """Cells in an order: mean areas, and how much better they are than those of random order."""

    name: str
    deletion: float
    insertion: float
    deletion_ratio: Ratio  # random / this; above 1: the probability falls faster than in random order
    insertion_ratio: Ratio  # this / random; above 1: it rises faster


@dataclass(frozen=True)
class Checked:
    """What a check found; probabilities are of the class that the run answers."""

    method: MethodName
    pictures: int
    random: tuple[float, float]  # mean areas of deletion and insertion in random order
    orders: tuple[Order, Order]  # of the method, and from the middle outwards
    over_centre: Ratio  # deletion area from the middle outwards / that of the method

    def as_json(self) -> dict[str, Any]:
        """As --json has it."""
        return asdict(self)


def check_method(predictor: Predictor, method: MethodName, *, pictures: int = 32, seed: int = 0) -> Checked:
    """Check a method on validation pictures of a run.

    Args:
        predictor: of the run.
        method: of METHOD_NAMES.
        pictures: how many, drawn at random; all where there are fewer.
        seed: decides which, and the random orders.

    Returns:
        What was found.

    Raises:
        ConfigError: fewer than two pictures are asked for, or can be read.
        RunError: the run has not been validated.

    Example:
        checked = check_method(predictor, "grad-cam")
        print(checked.orders[0].deletion_ratio)
    """
    if pictures < MIN_PICTURES:
        raise ConfigError(f"--pictures {MIN_PICTURES} or more", found=str(pictures), fix="Use --pictures 32.")
    squares = _squares(predictor, pictures=pictures, seed=seed)
    if len(squares) < MIN_PICTURES:
        raise ConfigError(
            "two or more validation pictures to check with", found=str(len(squares)),
            fix="Put the pictures back where they were when the run was trained.",
        )  # fmt: skip
    pixels = np.stack([square.pixels for square in squares])
    aspects = np.array([square.aspect for square in squares], dtype=np.float32)
    labels = predictor.logits(pixels, aspects).argmax(axis=1)
    how = METHODS[method]
    model = network_for(predictor, how)
    found: list[tuple[Areas, Areas, Areas]] = []
    with CountProgress("check", total=len(squares)) as progress:
        for start in range(0, len(squares), SOME):
            some = slice(start, start + SOME)
            maps = heat_maps(
                predictor, model, how, squares=pixels[some], aspects=aspects[some], labels=labels[some, None]
            )
            found.append(_of_some(predictor, pixels[some], aspects[some], labels[some], maps[:, 0], seed=seed + start))
            progress.count(len(maps))
    by_map, by_centre, by_chance = (_joined([part[place] for part in found]) for place in range(3))
    return Checked(
        method, len(squares), (float(by_chance.deletion.mean()), float(by_chance.insertion.mean())),
        (_order(method, by_map, by_chance), _order("from the middle", by_centre, by_chance)),
        ratio_of(by_centre.deletion, by_map.deletion),
    )  # fmt: skip


def check_lines(checked: Checked) -> list[str]:
    """What a check found, for people."""
    lines = [
        f"check     {checked.method} on {checked.pictures} validation pictures: mean probability of the answer while "
        "cells of the picture go (small is good) and come (large is good)",
        f"          {'order':22s} deletion  against random       insertion  against random",
    ]
    lines += [
        f"          {order.name:22s} {order.deletion:8.3f}  {_told(order.deletion_ratio):20s} {order.insertion:9.3f}  "
        f"{_told(order.insertion_ratio)}"
        for order in checked.orders
    ]
    lines.append(f"          {'random':22s} {checked.random[0]:8.3f}  {'':20s} {checked.random[1]:9.3f}")
    better = checked.orders[0].deletion_ratio
    verdict = (
        "better than random order" if better.low > 1 else "worse than random order" if better.high < 1
        else "not surely better than random order"
    )  # fmt: skip
    centre = (
        "better than the middle outwards" if checked.over_centre.low > 1
        else "not surely better than the middle outwards"
    )  # fmt: skip
    return [*lines, f"verdict   {checked.method} is {verdict}, and {centre} ({_told(checked.over_centre)})"]


def _told(ratio: Ratio) -> str:
    return f"x {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _squares(predictor: Predictor, *, pictures: int, seed: int) -> Sequence[Square]:
    """The squares of random validation pictures that can be read."""
    rows = np.random.default_rng(seed).permutation(read_predictions(predictor.run).rows)
    geometry, found = predictor.geometry, []
    with Fetcher(read_index(predictor.run)) as fetcher:
        for row in rows:
            if len(found) == pictures:
                break
            try:
                found.append(
                    square_of(
                        fetcher.fetch(row), name=fetcher.name(row), side=geometry.square, channels=geometry.channels,
                        decoding=geometry.decoding,
                    )
                )  # fmt: skip
            except PictureError:
                continue
    return found


def _of_some(
    predictor: Predictor, squares: np.ndarray, aspects: np.ndarray, labels: np.ndarray, maps: np.ndarray, *, seed: int
) -> tuple[Areas, Areas, Areas]:
    """The areas of some pictures by their maps, from the middle, and at random."""
    device = predictor.plan.device
    images = model_input(torch.from_numpy(squares).to(device), aspects, geometry=predictor.geometry)
    wanted = torch.from_numpy(labels).to(device)
    orders = hottest_first(torch.from_numpy(maps)).to(device), centre_first(len(images)).to(device)
    by_map, by_centre = (areas_of(predictor.model, images, wanted, order) for order in orders)
    return by_map, by_centre, random_areas(predictor.model, images, wanted, seed=seed)


def _joined(parts: Sequence[Areas]) -> Areas:
    return Areas(np.concatenate([part.deletion for part in parts]), np.concatenate([part.insertion for part in parts]))


def _order(name: str, areas: Areas, by_chance: Areas) -> Order:
    return Order(
        name, float(areas.deletion.mean()), float(areas.insertion.mean()),
        ratio_of(by_chance.deletion, areas.deletion), ratio_of(areas.insertion, by_chance.insertion),
    )  # fmt: skip
