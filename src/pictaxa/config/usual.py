"""The defaults of a training: from scratch, and from pretrained weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Usual:
    """What a training has where nothing is asked for."""

    minutes: float
    view: Literal["centre", "fit", "squash"]
    policy: str
    optimizer: Literal["sgd", "adam", "adamw"]
    weight_decay: float
    batch_size: int
    warmup: float
    progressive_resizing: float
    small_sizes: tuple[float, float]  # parts of the full size, in their order
    lrs: tuple[tuple[str, float], ...]  # by optimizer, at `batch_size`
    backbone_lr_scale: float
    label_smoothing: float
    test_part: float  # of --size that --test-size is, for pictures that are large enough


# Found by trying (docs/measured.md): a network that knows nothing needs large steps, strong variation and time; one
# that has seen ImageNet is spoilt by them.
FROM_NOTHING = Usual(
    minutes=10.0, view="squash", policy="strong", optimizer="sgd", weight_decay=5e-4, batch_size=64, warmup=0.1,
    progressive_resizing=0.65, small_sizes=(1 / 2, 3 / 4), backbone_lr_scale=1.0, label_smoothing=0.1, test_part=1.0,
    lrs=(("sgd", 0.15), ("adam", 0.002), ("adamw", 0.002)),
)  # fmt: skip
FROM_KNOWN = Usual(
    minutes=5.0, view="centre", policy="standard", optimizer="adamw", weight_decay=0.02, batch_size=32, warmup=0.05,
    progressive_resizing=0.65, small_sizes=(5 / 7, 6 / 7), backbone_lr_scale=1.0, label_smoothing=0.1, test_part=9 / 7,
    lrs=(("sgd", 0.01), ("adam", 3e-4), ("adamw", 3e-4)),
)  # fmt: skip


def resolved(value: Value | None) -> Value:
    """A setting that `TrainConfig.resolved` has filled in."""
    assert value is not None, "the config is not resolved"
    return value
