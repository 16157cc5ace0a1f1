"""State dicts of efficientnet_pytorch and of efficientnet_lite_pytorch, which has its names.

Blocks are numbered through, as here; a block without expansion has no `_expand_conv`, and its norms count from 1.
"""

from __future__ import annotations

from ..models import efficientnet_lite
from .rules import Rule


def _unit(convolution: str, norm: str, ours: str) -> list[Rule]:
    return [Rule(rf"{convolution}\.(.+)", rf"{ours}.0.\1"), Rule(rf"{norm}\.(.+)", rf"{ours}.1.\1")]


def _rules(name: str) -> tuple[Rule, ...]:
    rules = _unit("_conv_stem", "_bn0", r"convs.0")
    blocks = [block for stage in efficientnet_lite.stages_of(efficientnet_lite.SIZES[name]) for block in stage]
    for number, (channels, row) in enumerate(blocks):
        units = [("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        for i, (convolution, norm) in enumerate(units[row.wide == channels :]):
            theirs = rf"_blocks\.{number}\."
            rules += _unit(theirs + convolution, theirs + norm, f"convs.{number + 1}.block.{i}")
    rules += _unit("_conv_head", "_bn1", f"convs.{len(blocks) + 1}")
    return (*rules, Rule(r"_fc\.(.+)", r"classifier.\1"))


RULES: dict[str, tuple[Rule, ...]] = {name: _rules(name) for name in efficientnet_lite.SIZES}
