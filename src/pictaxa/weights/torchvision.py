"""torchvision's state dicts: our module names are its own but for the few below."""

from __future__ import annotations

from .rules import Rule

# Its `features` is a module; ours is a method of the model contract.
_FEATURES = Rule(r"features\.(.+)", r"convs.\1")

RULES: dict[str, tuple[Rule, ...]] = {
    "vgg": (_FEATURES,),
    "mobilenet": (_FEATURES,),
    "alexnet": (
        Rule(r"features\.0\.(.+)", r"conv1.\1"),
        Rule(r"features\.3\.(.+)", r"conv2.\1"),
        Rule(r"features\.6\.(.+)", r"conv3.\1"),
        Rule(r"features\.8\.(.+)", r"conv4.\1"),
        Rule(r"features\.10\.(.+)", r"conv5.\1"),
        Rule(r"classifier\.1\.(.+)", r"fc1.\1"),
        Rule(r"classifier\.4\.(.+)", r"fc2.\1"),
        Rule(r"classifier\.6\.(.+)", r"fc3.\1"),
    ),
}
