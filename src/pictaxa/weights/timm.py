"""timm's state dicts, for networks whose names differ from ours."""

from __future__ import annotations

from collections.abc import Sequence

from ..models import efficientnet_lite
from ..models.mobilenet import V3_SIZES
from .rules import Rule

# In timm blocks are numbered by stage and place, here by place alone: how many blocks each stage has.
_V1_STAGES = (1, 2, 2, 6, 2)
_V2_STAGES = (1, 2, 3, 4, 3, 3, 1)
_V3_STAGES = {"mobilenet_v3_small": (1, 2, 3, 2, 3), "mobilenet_v3_large": (1, 2, 3, 4, 2, 3)}

# The options with which an entry computes what timm's network of those weights does.
TIMM_OPTIONS: dict[str, dict[str, object]] = {
    "mobilenet_v1": {"padding": "symmetric", "epsilon": 1e-5},
    "mobilenet_v3_small": {"epsilon": 1e-5},
    "mobilenet_v3_large": {"epsilon": 1e-5},
}


def _unit(convolution: str, norm: str, ours: str) -> list[Rule]:
    """A convolution and its batch norm, each by its path there, as a unit of ours."""
    return [Rule(rf"{convolution}\.(.+)", rf"{ours}.0.\1"), Rule(rf"{norm}\.(.+)", rf"{ours}.1.\1")]


def _mobilenet(blocks: Sequence[Sequence[Rule]], stages: Sequence[int]) -> tuple[Rule, ...]:
    """The stem, and the blocks of all stages in their order."""
    assert sum(stages) == len(blocks), (stages, len(blocks))
    return (*_unit("conv_stem", "bn1", "convs.0"), *(rule for rules in blocks for rule in rules))


def _places(stages: Sequence[int]) -> list[tuple[str, str]]:
    """(the path of each block there, ours)."""
    theirs = [rf"blocks\.{stage}\.{i}\." for stage, blocks in enumerate(stages) for i in range(blocks)]
    return [(path, f"convs.{number}.") for number, path in enumerate(theirs, start=1)]


def _mobilenet_v1() -> tuple[Rule, ...]:
    blocks = [
        _unit(f"{theirs}conv_dw", f"{theirs}bn1", f"{ours}0") + _unit(f"{theirs}conv_pw", f"{theirs}bn2", f"{ours}1")
        for theirs, ours in _places(_V1_STAGES)
    ]
    return (*_mobilenet(blocks, _V1_STAGES), Rule(r"classifier\.(.+)", r"fc.\1"))


def _mobilenet_v2() -> tuple[Rule, ...]:
    blocks = []
    for number, (theirs, ours) in enumerate(_places(_V2_STAGES)):
        parts = ["conv_dw", "conv_pw"] if number == 0 else ["conv_pw", "conv_dw", "conv_pwl"]
        *units, last = parts
        rules = [rule for at, word in enumerate(units) for rule in _unit(
            f"{theirs}{word}", f"{theirs}bn{at + 1}", f"{ours}conv.{at}")]  # fmt: skip
        rules.append(Rule(rf"{theirs}{last}\.(.+)", rf"{ours}conv.{len(units)}.\1"))
        rules.append(Rule(rf"{theirs}bn{len(parts)}\.(.+)", rf"{ours}conv.{len(parts)}.\1"))
        blocks.append(rules)
    last_unit = _unit("conv_head", "bn2", f"convs.{len(blocks) + 1}")
    return (*_mobilenet(blocks, _V2_STAGES), *last_unit, Rule(r"classifier\.(.+)", r"classifier.1.\1"))


def _mobilenet_v3(name: str) -> tuple[Rule, ...]:
    stages, blocks, channels = _V3_STAGES[name], [], 16
    for (theirs, ours), row in zip(_places(stages), V3_SIZES[name].rows, strict=True):
        words = ["conv_dw", "conv_pw"] if row.wide == channels else ["conv_pw", "conv_dw", "conv_pwl"]
        places = [*range(len(words) - 1), len(words) - 1 + row.squeeze]  # what squeezes stands before the last
        rules = [rule for at, (word, i) in enumerate(zip(words, places, strict=True), start=1) for rule in _unit(
            f"{theirs}{word}", f"{theirs}bn{at}", f"{ours}block.{i}")]  # fmt: skip
        for word, layer in (("conv_reduce", "fc1"), ("conv_expand", "fc2")):
            rules.append(Rule(rf"{theirs}se\.{word}\.(.+)", rf"{ours}block.{places[-1] - 1}.{layer}.\1"))
        blocks.append(rules)
        channels = row.channels
    end = rf"blocks\.{len(stages)}\.0\."
    return (
        *_mobilenet(blocks, stages),
        *_unit(f"{end}conv", f"{end}bn1", f"convs.{len(blocks) + 1}"),
        Rule(r"conv_head\.(.+)", r"classifier.0.\1"),
        Rule(r"classifier\.(.+)", r"classifier.3.\1"),
    )


def _efficientnet_lite(name: str) -> tuple[Rule, ...]:
    stages = efficientnet_lite.stages_of(efficientnet_lite.SIZES[name])
    counts, rows = [len(stage) for stage in stages], [block for stage in stages for block in stage]
    blocks = []
    for (theirs, ours), (channels, row) in zip(_places(counts), rows, strict=True):
        words = ["conv_dw", "conv_pw"] if row.wide == channels else ["conv_pw", "conv_dw", "conv_pwl"]
        blocks.append([rule for at, word in enumerate(words) for rule in _unit(
            f"{theirs}{word}", f"{theirs}bn{at + 1}", f"{ours}block.{at}")])  # fmt: skip
    return (*_mobilenet(blocks, counts), *_unit("conv_head", "bn2", f"convs.{len(blocks) + 1}"))


# By family, or by entry where its networks differ.
RULES: dict[str, tuple[Rule, ...]] = {
    # Its `head` is a module; ours is a method of the model contract.
    "vit": (Rule(r"head\.(.+)", r"classifier.\1"),),
    "mobilenet_v1": _mobilenet_v1(),
    "mobilenet_v2": _mobilenet_v2(),
    **{name: _mobilenet_v3(name) for name in _V3_STAGES},
    **{name: _efficientnet_lite(name) for name in efficientnet_lite.SIZES},
}
