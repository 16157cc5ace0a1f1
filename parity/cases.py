"""What a row of the parity table needs: a reference, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pictaxa.models.contract import Classifier


class Reference(Protocol):
    """A model of another library with random weights and statistics."""

    parameters: int

    def give_weights(self, model: Classifier) -> None:
        """Copy its weights into ours, through the rules of pictaxa.weights."""

    def heads(self, images: np.ndarray) -> list[np.ndarray]:
        """(N, C, H, W) float32 in [0, 1] -> logits (N, classes): the main head's, then any auxiliary ones'."""

    def gradient(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Of the cross-entropy of the main head with respect to the pictures, (N, C, H, W), in float64."""

    def forward(self, images: np.ndarray) -> Callable[[], None]:
        """A closure that computes logits, for timing."""

    def train_step(self, images: np.ndarray, labels: np.ndarray) -> Callable[[], None]:
        """A closure that does a step of SGD with momentum, for timing."""

    def close(self) -> None:
        """Let go of what the closures hold."""


OWN_STATISTICS = ("googlenet", "inception", "mobilenet", "efficientnet_lite")  # families; see Case.own_statistics


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    entry: str
    reference: str
    build: Callable[[Case], Reference]
    classes: int = 1000
    channels: int = 3
    size: int = 224
    options: dict[str, Any] = field(default_factory=dict)
    gradient: bool = True
    tolerance: float = 1e-4  # of the largest logit
    # Batch norm's statistics: random, or the network's own on other pictures, shaken. Random ones let the activations
    # of some networks die, so that logits hardly depend on the picture; their own make random residual networks so
    # sensitive that float32's rounding grows to 2e-4 in 152 layers, in both libraries.
    own_statistics: bool = False


def pictures_for(case: Case, *, count: int, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Random pictures in [0, 1], smooth as photographs are but nowhere flat, and labels."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, case.channels, 12, 12, generator=generator)
    images = F.interpolate(coarse, size=(case.size, case.size), mode="bilinear") * 0.9
    images += 0.1 * torch.rand(images.shape, generator=generator)
    labels = torch.randint(0, max(1, case.classes), (count,), generator=generator)
    return images.numpy(), labels.numpy()


def torch_forward(module: nn.Module, images: np.ndarray) -> Callable[[], None]:
    """Logits in eval mode."""
    pictures = torch.from_numpy(images)

    def run() -> None:
        module.eval()
        with torch.no_grad():
            module(pictures)

    return run


def torch_step(
    module: nn.Module,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    images: np.ndarray,
    labels: np.ndarray,
) -> Callable[[], None]:
    """Forward, backward, update in train mode."""
    pictures, targets = torch.from_numpy(images), torch.from_numpy(labels)
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-5, momentum=0.9)

    def run() -> None:
        module.train()
        optimizer.zero_grad(set_to_none=True)
        loss(pictures, targets).backward()
        optimizer.step()

    return run
