"""One operation of a policy at a time, from mild to full strength, for the preview."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from .augmenter import Augmenter, Draws
from .geometry import ViewName
from .mixing import Blend, Cut
from .operations import OPERATIONS
from .policy import Policy

ALONE = Policy()  # nothing
PARTS = (0.25, 0.5, 0.75, 1.0)  # of a range
HALF = 0.5  # the most that a neighbour takes here: with more of it, one would say that the two have changed places


@dataclass(frozen=True)
class Stage:
    """An operation at a part of its range: the policy that has it alone, and the draws that lead to that part."""

    title: str
    policy: Policy
    draws: dict[str, float] = field(default_factory=dict)
    mix: Cut | Blend | None = None

    def show(
        self, images: torch.Tensor, *, aspects: np.ndarray, view: ViewName, size: int, heights: np.ndarray | None = None
    ) -> torch.Tensor:
        """(N, S, S, C) uint8, (N,) width/height -> (N, C, size, size) float32 in [0, 1]; `heights` for crop_pixels."""
        augment = Augmenter(self.policy, view, seed=0)
        draws = Draws.chosen(len(images), self.draws)
        shown = augment.show(images, draws, aspects=aspects, size=size, heights=heights)
        return self.mix.pictures(shown)[0] if self.mix else shown


def stages_of(policy: Policy) -> Iterator[list[Stage]]:
    """List what a policy does, one operation at a time.

    Args:
        policy: the policy.

    Returns:
        An iterator over rows, one for each operation that the policy has: a few parts of its range, from mild to full,
        and the other way where there is one.

    Example:
        for row in stages_of(find_policy("standard")):
            pictures = [stage.show(squares, aspects=aspects, view="centre", size=224) for stage in row]
    """
    if policy.crop_pixels:
        alone = replace(ALONE, crop_pixels=policy.crop_pixels)
        places = {"middle": (0.5, 0.5), "left": (0, 0.5), "right": (1, 0.5), "corner": (1, 1)}
        yield [Stage(f"crop_pixels {place}", alone, {"across": x, "down": y}) for place, (x, y) in places.items()]
    elif policy.crop_area < 1:
        areas = [1 - (1 - policy.crop_area) * part for part in PARTS]
        yield [
            Stage(f"crop_area {area:.2f}", replace(ALONE, crop_area=area), {"area": 0, "across": 0.8, "down": 0.3})
            for area in areas
        ]
    for name in ("horizontal_flip", "vertical_flip"):
        if getattr(policy, name):
            yield [Stage(name, replace(ALONE, **{name: 1.0}), {name: 0.0})]
    for name in ("rotation", "shear", "zoom", "brightness", "brightness_offset", "contrast", "saturation", "hue"):
        most = getattr(policy, name)
        if isinstance(most, tuple):
            yield _from_end_to_end(name, most)
        else:
            yield from _both_ways(name, most=most)
    yield from _both_ways("shift_x", most=max(policy.shift, policy.shift_x))
    yield from _both_ways("shift_y", most=max(policy.shift, policy.shift_y))
    if policy.pad:
        distances = sorted({int(np.ceil(policy.pad * part)) for part in PARTS})
        yield _row("pad", distances, {"shift_x": 1.0, "shift_y": 1.0})
    if most := policy.channel_noise:
        yield _row("channel_noise", [most * part for part in PARTS], {"red": 1.0, "green": 0.25, "blue": 0.0})
    if most := policy.noise:
        yield _row("noise", [most * part for part in PARTS], {"noise": 1.0})
    if policy.erasing:
        areas = [max(0.02, policy.erasing_area * part) for part in PARTS]
        full = {"erasing": 0.0, "erasing_area": 1.0}
        yield [Stage(f"erasing {area:.2f}", replace(ALONE, erasing=1.0, erasing_area=area), full) for area in areas]
    if policy.trivial_augment or policy.rand_augment:
        yield from _operations(1.0 if policy.trivial_augment else policy.rand_augment_strength)
    if policy.cutmix:
        sides = [np.sqrt(HALF * part) / 2 for part in PARTS]
        cuts = [Cut(0.5 - side, 0.5 + side, 0.5 - side, 0.5 + side) for side in sides]
        yield [Stage(f"cutmix {HALF * part:.2f}", ALONE, mix=cut) for part, cut in zip(PARTS, cuts, strict=True)]
    if policy.mixup:
        yield [Stage(f"mixup {HALF * part:.2f}", ALONE, mix=Blend(1 - HALF * part)) for part in PARTS]


def _both_ways(name: str, *, most: float) -> Iterator[list[Stage]]:
    """Up to `most`, and that the other way; nothing where it is 0."""
    if most:
        other_way = Stage(f"{name} {-most:.3g}", replace(ALONE, **{name: most}), {name: 0.0})
        yield [*_row(name, [most * part for part in PARTS], {name: 1.0}), other_way]


def _from_end_to_end(name: str, ends: tuple[float, float]) -> list[Stage]:
    """From the one end of a factor to the other."""
    steps = np.linspace(*ends, len(PARTS) + 1)
    draws = np.linspace(0, 1, len(PARTS) + 1)
    change: dict[str, Any] = {name: ends}
    policy = replace(ALONE, **change)
    return [Stage(f"{name} x{step:.3g}", policy, {name: float(draw)}) for step, draw in zip(steps, draws, strict=True)]


def _row(name: str, amounts: Sequence[float], draws: dict[str, float]) -> list[Stage]:
    return [Stage(f"{name} {amount:.3g}", replace(ALONE, **{name: amount}), draws) for amount in amounts]


def _operations(strength: float) -> Iterator[list[Stage]]:
    for number, operation in enumerate(OPERATIONS):
        drawn = {"operation_0": (number + 0.5) / len(OPERATIONS), "way_0": 1.0}
        parts = PARTS if operation.widest else (1.0,)
        row = [
            Stage(
                f"{operation.name} {operation.widest * strength * part:.2f}" if operation.widest else operation.name,
                replace(ALONE, rand_augment=1, rand_augment_strength=strength * part), drawn,
            )
            for part in parts
        ]  # fmt: skip
        if operation.widest and operation.both_ways:
            title = f"{operation.name} {-operation.widest * strength:.2f}"
            row.append(Stage(title, row[-1].policy, drawn | {"way_0": 0.0}))
        yield row
