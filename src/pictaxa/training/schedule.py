"""The progress of a training, and what depends on it: the learning rate and the input size."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..config.learning import ScheduleConfig
from ..config.usual import Usual, resolved


@dataclass(frozen=True)
class Length:
    """The end of a training: a number of steps, or of seconds."""

    steps: int | None
    seconds: float | None

    def progress(self, step: int, *, seconds: float, reserve: float) -> float:
        """How much is done, from 0 to 1; `reserve` seconds at the end belong to the last validation."""
        if self.steps is not None:
            return min(step / self.steps, 1.0)
        assert self.seconds is not None
        return min(seconds / max(self.seconds - reserve, 1e-9), 1.0)

    def seconds_left(self, step: int, *, seconds: float) -> float:
        """Until the end, as far as it can be told."""
        if self.steps is not None:
            return seconds * (self.steps - step) / max(step, 1)
        assert self.seconds is not None
        return self.seconds - seconds


def lr_at(progress: float, *, step: int, epoch: int, peak: float, schedule: ScheduleConfig) -> float:
    """Linear from a hundredth of the peak during warm-up, then by the curve; `step` and `epoch` count from 0."""
    warmup = resolved(schedule.warmup)
    if progress < warmup:
        return peak * max(progress / warmup, 0.01)
    kind, _, words = schedule.lr_schedule.partition(":")
    parts = [(int(where), float(factor)) for where, factor in (word.split("=") for word in words.split(",") if word)]
    if kind == "steps":
        begun = [factor for begin, factor in sorted(parts) if begin <= step]
        return peak * (begun[-1] if begun else min(parts)[1])
    if kind == "every":
        ((epochs, factor),) = parts
        return peak * float(factor ** (epoch // epochs))
    return peak if kind == "constant" else peak * cosine((progress - warmup) / (1 - warmup))


def cosine(part: float) -> float:
    """From 1 to 0 (Loshchilov & Hutter 2016)."""
    return 0.5 * (1 + math.cos(math.pi * part))


def size_at(
    progress: float, *, size: int, min_size: int, progressive_resizing: float, small_sizes: tuple[float, float]
) -> int:
    """The side of the pictures in pixels: two smaller ones, each for half of `progressive_resizing`, then the full one.

    Small pictures first cost less and teach the coarse shapes (Tan & Le 2021, EfficientNetV2, section 4). Sizes are
    multiples of 32, where a network that halves five times has no half-filled edge.
    """
    if progress >= progressive_resizing:
        return size
    part = small_sizes[0] if progress < progressive_resizing / 2 else small_sizes[1]
    small = round(size * part / 32) * 32
    return min(size, max(small, min_size))


def peak_lr(config: ScheduleConfig, optimizer: str, *, usual: Usual) -> float:
    """The peak learning rate: as given, or proportional to the batch size (Goyal et al. 2017)."""
    if config.lr is not None:
        return config.lr
    return dict(usual.lrs)[optimizer] * min(resolved(config.batch_size), 512) / usual.batch_size
