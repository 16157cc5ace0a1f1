"""`pictaxa explain --check`: whether a method shows what a run's network goes by, on validation pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

from ..augment.preprocess import model_input
from ..errors import ConfigError
from ..images.decode import Square
from ..inference.own_squares import squares_of
from ..inference.predictor import Predictor
from ..runs.records import read_predictions
from ..system.progress import CountProgress
from .areas import Areas, Ratio, areas_of, centre_first, hottest_first, random_areas, ratio_of
from .methods import METHODS, MethodName
from .network import PASS, heat_maps, network_for

MIN_PICTURES = 2
SOME = 4  # pictures between two signs of progress


@dataclass(frozen=True)
class Order:
    """Cells in an order: mean areas above the empty picture, and how much better they are than in random order."""

    name: str
    deletion: float
    insertion: float
    deletion_ratio: Ratio  # random / this; above 1: the probability falls faster than in random order
    insertion_ratio: Ratio  # this / random; above 1: it rises faster
    plain_ratio: Ratio  # of deletion areas from 0 on, as the paper has them, with what an empty picture gets


@dataclass(frozen=True)
class Checked:
    """What a check found; probabilities are of the class that the run answers."""

    method: MethodName
    pictures: int
    empty: float  # mean probability on an empty picture, from which areas count
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
    return check_methods(predictor, (method,), pictures=pictures, seed=seed)[0]


def check_methods(
    predictor: Predictor, methods: Sequence[MethodName], *, pictures: int = 32, seed: int = 0
) -> list[Checked]:
    """The same for several methods on the same pictures, with the same random orders.

    Args:
        predictor: of the run.
        methods: of METHOD_NAMES.
        pictures: as `check_method` takes it.
        seed: likewise.

    Returns:
        What was found of each.
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
    parts = [slice(start, start + PASS) for start in range(0, len(pixels), PASS)]
    labels = np.concatenate([predictor.logits(pixels[part], aspects[part]).argmax(axis=1) for part in parts])
    models = [network_for(predictor, METHODS[name]) for name in methods]
    found: list[list[Areas]] = []  # of some pictures each: by each method, from the middle, at random
    with CountProgress("check", total=len(squares)) as progress:
        for start in range(0, len(squares), SOME):
            some = slice(start, start + SOME)
            maps = [
                heat_maps(
                    predictor, model, METHODS[name], squares=pixels[some], aspects=aspects[some],
                    labels=labels[some, None],
                )[:, 0]
                for name, model in zip(methods, models, strict=True)
            ]  # fmt: skip
            found.append(_of_some(predictor, pixels[some], aspects[some], labels[some], maps, seed=seed + start))
            progress.count(len(maps[0]))
    *by_maps, by_centre, by_chance = (_joined([part[place] for part in found]) for place in range(len(methods) + 2))
    return [
        Checked(
            name, len(squares), float(by_chance.empty.mean()),
            (float(by_chance.deleted.mean()), float(by_chance.inserted.mean())),
            (_order(name, by_map, by_chance), _order("from the middle", by_centre, by_chance)),
            ratio_of(by_centre.deleted, by_map.deleted),
        )
        for name, by_map in zip(methods, by_maps, strict=True)
    ]  # fmt: skip


def check_lines(checked: Checked) -> list[str]:
    """What a check found, for people."""
    lines = [
        f"check     {checked.method} on {checked.pictures} validation pictures: mean probability of the answer, above "
        f"that of an empty picture ({checked.empty:.3f}), while cells of the picture go (small is good) and come "
        "(large is good)",
        f"          {'order':18s} {'deletion':>8s}  {'times random':21s} {'insertion':>9s}  {'times random':21s}",
    ]
    lines += [
        f"          {order.name:18s} {order.deletion:8.3f}  {_told(order.deletion_ratio):21s} {order.insertion:9.3f}  "
        f"{_told(order.insertion_ratio)}"
        for order in checked.orders
    ]
    lines.append(f"          {'random':18s} {checked.random[0]:8.3f}  {'':21s} {checked.random[1]:9.3f}")
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
    found = islice(squares_of(predictor.run, rows), pictures)
    return [square for _, square in found]


def _of_some(
    predictor: Predictor, squares: np.ndarray, aspects: np.ndarray, labels: np.ndarray, maps: Sequence[np.ndarray],
    *, seed: int,
) -> list[Areas]:  # fmt: skip
    """The areas of some pictures by the maps of each method, from the middle, and at random."""
    device, temperature = predictor.plan.device, predictor.answering.temperature
    images = model_input(torch.from_numpy(squares).to(device), aspects, geometry=predictor.geometry)
    wanted = torch.from_numpy(labels).to(device)
    orders = [*(hottest_first(torch.from_numpy(some)) for some in maps), centre_first(len(images))]
    found = [areas_of(predictor.model, images, wanted, order, temperature=temperature) for order in orders]
    return [*found, random_areas(predictor.model, images, wanted, temperature=temperature, seed=seed)]


def _joined(parts: Sequence[Areas]) -> Areas:
    deletion, insertion, empty = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("deletion", "insertion", "empty")
    )
    return Areas(deletion, insertion, empty)


def _order(name: str, areas: Areas, by_chance: Areas) -> Order:
    return Order(
        name, float(areas.deleted.mean()), float(areas.inserted.mean()), ratio_of(by_chance.deleted, areas.deleted),
        ratio_of(areas.inserted, by_chance.inserted), ratio_of(by_chance.deletion, areas.deletion),
    )  # fmt: skip
