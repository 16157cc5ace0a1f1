"""timm's state dicts, of the families whose reference timm is."""

from __future__ import annotations

from .rules import Rule

RULES: dict[str, tuple[Rule, ...]] = {
    # Its `head` is a module; ours is a method of the model contract.
    "vit": (Rule(r"head\.(.+)", r"classifier.\1"),),
}

# MobileNet v1: blocks are numbered by stage and place in timm, by place alone here.
_V1_STAGES = (1, 2, 2, 6, 2)


def _mobilenet_v1() -> tuple[Rule, ...]:
    rules = [
        Rule(r"conv_stem\.(.+)", r"convs.0.0.\1"),
        Rule(r"bn1\.(.+)", r"convs.0.1.\1"),
        Rule(r"classifier\.(.+)", r"fc.\1"),
    ]
    number = 1
    for stage, blocks in enumerate(_V1_STAGES):
        for place in range(blocks):
            theirs, ours = rf"blocks\.{stage}\.{place}\.", f"convs.{number}."
            rules += [
                Rule(theirs + r"conv_dw\.(.+)", ours + r"0.0.\1"),
                Rule(theirs + r"bn1\.(.+)", ours + r"0.1.\1"),
                Rule(theirs + r"conv_pw\.(.+)", ours + r"1.0.\1"),
                Rule(theirs + r"bn2\.(.+)", ours + r"1.1.\1"),
            ]
            number += 1
    return tuple(rules)


RULES["mobilenet"] = _mobilenet_v1()
