from __future__ import annotations

import pytest
import torch
from torch import nn

from pictaxa.models.inverted_residual import (
    TIMM_WORDS,
    Norm,
    Row,
    SqueezeExcite,
    block_layers,
    residual_units,
    timm_blocks,
)  # fmt: skip

NORM = Norm(epsilon=1e-3, momentum=0.01, padding="symmetric")


@pytest.mark.parametrize(("wide", "squeeze", "units"), [(8, False, 2), (24, False, 3), (24, True, 4)])
def test_a_block_has_the_units_of_its_row(wide: int, squeeze: bool, units: int):
    """It widens only where the row is wider than its input, squeezes where the row says so, and ends without ReLU."""
    row = Row(3, wide, 16, squeeze=squeeze, activation="relu6", stride=2)
    parts = nn.Sequential(*residual_units(8, row, norm=NORM))
    assert len(parts) == units and parts(torch.rand(2, 8, 9, 9)).shape == (2, 16, 5, 5)
    assert sum(isinstance(part, nn.ReLU6) for part in parts.modules()) == 1 + (wide > 8)
    assert not any(isinstance(part, nn.ReLU6) for part in parts[-1].modules())


def test_a_gate_scales_each_channel_by_one_number():
    """Squeeze-and-excitation multiplies a whole channel of a picture by a number from 0 to 1."""
    torch.manual_seed(0)
    images = torch.rand(2, 16, 5, 5) + 0.1
    with torch.no_grad():
        gate = SqueezeExcite(16)(images) / images
    assert torch.allclose(gate, gate[:, :, :1, :1].expand_as(gate)) and gate.min() >= 0 and gate.max() <= 1


def test_a_blocks_layers_are_named_in_the_order_of_its_units():
    """timm numbers blocks by width and place; one that does not widen begins with bn1 and ends in conv_pw."""
    assert timm_blocks([16, 24, 24, 40]) == ["blocks.0.0.", "blocks.1.0.", "blocks.1.1.", "blocks.2.0."]
    wide = dict(block_layers(TIMM_WORDS, "b.", "ours", widens=True, gates=True))
    assert wide["b.bn1"] == "ours.0.1" and wide["b.conv_dw"] == "ours.1.0" and wide["b.conv_pwl"] == "ours.3.0"
    assert wide["b.se.conv_reduce"] == "ours.2.fc1"
    plain = dict(block_layers(TIMM_WORDS, "b.", "ours", widens=False, apart=True))
    assert plain == {"b.conv_dw": "ours.0.0", "b.bn1": "ours.0.1", "b.conv_pw": "ours.1", "b.bn2": "ours.2"}
