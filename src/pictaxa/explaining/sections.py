"""What a drawing consists of: sections, with rows of panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Panel:
    """A small picture: (H, W, C) in [0, 1], or (H, W) values between `low` and `high`."""

    values: np.ndarray
    title: str = ""
    low: float | None = None  # None: the least value
    high: float | None = None
    heat: np.ndarray | None = None  # (H, W) in [0, 1], laid over it
    box: tuple[float, float, float] | None = None  # row and column of a square's middle, and its side, pixels


@dataclass(frozen=True)
class Row:
    """Panels side by side, with a label at their left."""

    label: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Section:
    """Rows below a title."""

    title: str
    rows: Sequence[Row]
    across: int  # panels that a row has room for
