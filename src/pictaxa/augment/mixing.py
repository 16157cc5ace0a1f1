"""Mixup and CutMix: pictures of a batch mixed with others of the batch, and their labels too.

CutMix: a rectangle comes from the neighbour (Yun et al. 2019, "CutMix: regularization strategy to train strong
classifiers with localizable features"). Mixup: the neighbour is laid over the whole picture (Zhang et al. 2018, "mixup:
beyond empirical risk minimization").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .draws import uniforms
from .policy import Policy

_PURPOSE = 0x6D6978  # "mix": keeps these draws apart from those of the rows


@dataclass(frozen=True)
class Cut:
    """Which rectangle of every picture of a batch is its neighbour's, in parts of the side."""

    top: float
    bottom: float
    left: float
    right: float

    def pictures(self, images: torch.Tensor) -> tuple[torch.Tensor, float]:
        """(N, C, H, W) -> the mixed pictures and the share of each that is still its own, from 0 to 1."""
        height, width = images.shape[2:]
        rows = slice(round(self.top * height), round(self.bottom * height))
        columns = slice(round(self.left * width), round(self.right * width))
        mixed = images.clone()
        mixed[:, :, rows, columns] = images.roll(1, dims=0)[:, :, rows, columns]
        taken = (rows.stop - rows.start) * (columns.stop - columns.start)
        return mixed, 1 - taken / (height * width)


@dataclass(frozen=True)
class Blend:
    """How much of every picture of a batch is still its own, from 0 to 1."""

    own: float

    def pictures(self, images: torch.Tensor) -> tuple[torch.Tensor, float]:
        """(N, C, H, W) -> the mixed pictures and the share of each that is still its own."""
        return images.roll(1, dims=0).lerp_(images, self.own), self.own


def neighbours(labels: torch.Tensor) -> torch.Tensor:
    """(N,) labels of the pictures that others are mixed with."""
    return labels.roll(1, dims=0)


def draw_mix(policy: Policy, step: int, *, seed: int) -> Cut | Blend | None:
    """The mix of a step, or None; a function of (seed, step). A cut's share is uniform, its place too."""
    chance, share, across, down = uniforms(np.array([step]), 4, seed=seed, epoch=_PURPOSE)[0]
    if chance < policy.cutmix:
        half = float(np.sqrt(share)) / 2
        return Cut(
            top=max(0.0, down - half), bottom=min(1.0, down + half),
            left=max(0.0, across - half), right=min(1.0, across + half),
        )  # fmt: skip
    if chance < policy.cutmix + policy.mixup:
        alpha = policy.mixup_alpha
        return Blend(float(np.random.default_rng([seed, step, _PURPOSE]).beta(alpha, alpha)))
    return None
