"""The operations that TrivialAugment and RandAugment choose among, for whole batches.

Their names and widest ranges are those of TrivialAugment's wide space (Müller & Hutter 2021, table 7); a strength from
0 to 1 is a part of the range. Moves become part of the one resampling and colours of the one matrix; what is neither is
done to the pixels of those pictures that have drawn it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch

from . import colour, geometry, pixels

Matrices: TypeAlias = Callable[[np.ndarray], np.ndarray]
Pixels: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Operation:
    """One of them; of `move`, `colour` and `pixels` one is given, or none: it leaves pictures as they are."""

    name: str
    widest: float = 0.0  # amount at strength 1
    both_ways: bool = True  # whether amounts are also below 0
    move: Matrices | None = None  # (N,) amounts -> (N, 3, 3), in the frame of the view: -1 and 1 are its edges
    colour: Matrices | None = None  # (N,) amounts -> (N, 4, 4)
    pixels: Pixels | None = None  # (N, C, H, W) in [0, 1], (N,) amounts -> the same


def _none(amounts: np.ndarray) -> np.ndarray:
    return np.zeros_like(amounts)


OPERATIONS = (
    Operation("identity"),
    Operation("auto_contrast", pixels=pixels.auto_contrast),
    Operation("equalize", pixels=pixels.equalize),
    Operation("rotate", 135.0, move=geometry.rotate),
    Operation("shear_x", 0.99, move=lambda amounts: geometry.shear(np.rad2deg(np.arctan(amounts)))),
    Operation("shear_y", 0.99, move=lambda amounts: geometry.shear(np.rad2deg(np.arctan(amounts))).swapaxes(1, 2)),
    Operation("translate_x", 2 * 32 / 224, move=lambda amounts: geometry.translate(amounts, _none(amounts))),
    Operation("translate_y", 2 * 32 / 224, move=lambda amounts: geometry.translate(_none(amounts), amounts)),
    Operation("brightness", 0.99, colour=lambda amounts: colour.brightness(1 + amounts)),
    Operation("contrast", 0.99, colour=lambda amounts: colour.contrast(1 + amounts)),
    Operation("colour", 0.99, colour=lambda amounts: colour.saturation(1 + amounts)),
    Operation("sharpness", 0.99, pixels=pixels.sharpen),
    Operation("posterize", 6.0, both_ways=False, pixels=pixels.posterize),
    Operation("solarize", 1.0, both_ways=False, pixels=pixels.solarize),
)


@dataclass(frozen=True)
class Choice:
    """One operation for each picture of a batch."""

    numbers: np.ndarray  # (N,) places in OPERATIONS
    amounts: np.ndarray  # (N,)

    @property
    def recolours(self) -> bool:
        """Whether any picture has drawn a colour."""
        return any(OPERATIONS[number].colour for number in set(self.numbers.tolist()))

    def moves(self) -> np.ndarray:
        """(N, 3, 3), identities where a picture isn't moved."""
        return self._matrices(geometry.identity(len(self.numbers)), lambda operation: operation.move)

    def colours(self) -> np.ndarray:
        """(N, 4, 4), identities where a picture isn't recoloured."""
        return self._matrices(colour.identity(len(self.numbers)), lambda operation: operation.colour)

    def _matrices(self, matrices: np.ndarray, of: Callable[[Operation], Matrices | None]) -> np.ndarray:
        for operation, rows in self._drawn():
            if make := of(operation):
                matrices[rows] = make(self.amounts[rows])
        return matrices

    def change_pixels(self, images: torch.Tensor) -> None:
        """The rest, in place: (N, C, H, W) float32 in [0, 1]."""
        for operation, rows in self._drawn():
            if operation.pixels:
                places = torch.from_numpy(rows).to(images.device)
                amounts = torch.from_numpy(self.amounts[rows]).to(images.device, torch.float32)
                images[places] = operation.pixels(images[places], amounts)

    def _drawn(self) -> list[tuple[Operation, np.ndarray]]:
        drawn = np.unique(self.numbers).tolist()
        return [(OPERATIONS[number], np.flatnonzero(self.numbers == number)) for number in drawn]


def choose_operations(which: np.ndarray, strengths: np.ndarray, ways: np.ndarray) -> Choice:
    """From (N,) draws in [0, 1): which operation, how strong, and whether its amount is below or above 0."""
    numbers = (which * len(OPERATIONS)).astype(int)
    numbers[strengths == 0] = 0
    widest = np.array([operation.widest for operation in OPERATIONS])[numbers]
    both_ways = np.array([operation.both_ways for operation in OPERATIONS])[numbers]
    return Choice(numbers, strengths * widest * np.where(both_ways & (ways < 0.5), -1.0, 1.0))
