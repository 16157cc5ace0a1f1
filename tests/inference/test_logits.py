"""logits.py: from squares to logits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn

from pictaxa.augment.preprocess import Geometry
from pictaxa.inference.logits import square_logits, square_outputs
from pictaxa.models.fusing import fast_copy
from pictaxa.models.heads import apart
from pictaxa.models.zoo import create_model


class Halves(nn.Module):
    """Three logits that can be told by hand: the mean of the left half, twice that of the right one, and the side."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, 3)."""
        half = images.shape[3] // 2
        left, right = images[..., :half].mean(dim=(1, 2, 3)), images[..., half:].mean(dim=(1, 2, 3))
        return torch.stack([left, 2 * right, torch.full_like(left, images.shape[2])], dim=1).half()


def squares_of(left: int, right: int) -> torch.Tensor:
    """(1, 8, 8, 3) uint8."""
    squares = torch.full((1, 8, 8, 3), left, dtype=torch.uint8)
    squares[:, :, 4:] = right
    return squares


@pytest.mark.parametrize(("tta", "wanted"), [("none", [0.0, 2.0, 8.0]), ("flip", [0.5, 1.0, 8.0])])
def test_mirror_images_are_averaged_where_asked(tta: Literal["none", "flip"], wanted: list[float]):
    """Black on the left, white on the right: by itself, and on average with its mirror image; float32 in any case."""
    geometry = Geometry(square=8, channels=3, view="squash", size=8, tta=tta)
    model: Any = Halves()
    logits = square_logits(model, squares_of(0, 255), aspects=np.ones(1, np.float32), geometry=geometry)
    assert logits.dtype == torch.float32 and not logits.requires_grad
    assert logits[0].tolist() == pytest.approx(wanted, abs=1e-3)


def test_the_view_is_predictions():
    """Twice as wide as high, fitted in: half of what the model sees is black; at the size that it takes."""
    geometry = Geometry(square=8, channels=3, view="fit", size=16, tta="none")
    model: Any = Halves()
    squares = torch.full((1, 8, 8, 3), 255, dtype=torch.uint8)
    logits = square_logits(model, squares, aspects=np.full(1, 2.0, np.float32), geometry=geometry)
    assert logits[0].tolist() == pytest.approx([0.5, 1.0, 16.0], abs=0.05)


@pytest.mark.parametrize("tta", ["none", "flip"])
def test_one_pass_gives_vectors_too(tta: Literal["none", "flip"]):
    """The logits are those without vectors to the last bit; the vectors are of the picture that is not mirrored."""
    geometry = Geometry(square=32, channels=3, view="centre", size=32, tta=tta)
    model = fast_copy(create_model("resnet_lite", 3).eval(), size=32)
    squares = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    aspects = np.ones(2, np.float32)
    backbone, head = apart(model)
    outputs = square_outputs(backbone, head, squares, aspects=aspects, geometry=geometry)
    assert torch.equal(outputs.logits, square_logits(model, squares, aspects=aspects, geometry=geometry))
    assert outputs.vectors.shape == (2, 384) and outputs.vectors.dtype == torch.float32
    plain = square_outputs(*apart(model), squares, aspects=aspects, geometry=replace(geometry, tta="none"))
    assert torch.equal(outputs.vectors, plain.vectors)
    with torch.inference_mode():
        assert torch.equal(head(plain.vectors), plain.logits)
