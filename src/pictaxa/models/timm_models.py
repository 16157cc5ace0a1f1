"""Any model of timm behind our contract: `timm/NAME`, with the `timm` extra."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..errors import ModelError, close_matches
from ..system.extras import need
from .contract import Classifier, ClassifierLayer
from .entry import Elsewhere, Entry, Rule
from .heads import HiddenHead


def _timm() -> Any:
    return need("timm", extra="timm")


def find_entry(name: str) -> Entry:
    """The entry of a model, from timm's own record of it; ModelError with close matches."""
    timm = _timm()
    known = timm.list_models()
    if name.split(".")[0] not in known:
        raise ModelError("the name of a timm model", found=repr(name), fix=close_matches(name, known))
    record = timm.models.get_pretrained_cfg(name)
    size = record.input_size[-1] if record else 224
    return Entry(
        TimmClassifier, "timm", 0, "see timm's documentation", size=size, row={"name": name},
        fixed_sizes=(size,) if record and record.fixed_input_size else (),
        elsewhere={"timm": Elsewhere((Rule("(.+)", r"network.\1"),))},
    )  # fmt: skip


class TimmClassifier(Classifier):
    """A model of timm, `network`, with its normalisation inside."""

    def __init__(self, num_classes: int, in_channels: int, *, name: str) -> None:
        super().__init__(num_classes, in_channels)
        self.network = _timm().create_model(name, pretrained=False, num_classes=num_classes, in_chans=in_channels)
        record = self.network.pretrained_cfg
        self.set_normalization(tuple(record["mean"]), tuple(record["std"]))
        last = self.network.get_classifier()
        layers = last if isinstance(last, (tuple, list)) else (last,)
        self.classifiers = [path for path, part in self.named_modules() if any(part is layer for layer in layers)]
        for path in self.classifiers:
            layer = self.get_submodule(path)
            if isinstance(layer, nn.Linear):  # the same numbers, in what we know a head by
                ours = ClassifierLayer(layer.in_features, layer.out_features)
                ours.weight, ours.bias = layer.weight, layer.bias
                self.set_submodule(path, ours)

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> what timm calls its features."""
        return self.network.forward_features(images)

    def grid(self, features: torch.Tensor) -> torch.Tensor:
        """Features -> (N, C', h, w), whether they are a map, a map with channels last, or tokens."""
        if features.ndim == 4:
            last = getattr(self.network, "output_fmt", "NCHW") == "NHWC"
            return features.permute(0, 3, 1, 2) if last else features
        tokens = features[:, getattr(self.network, "num_prefix_tokens", 0) :]  # (N, T, D)
        side = round(tokens.shape[1] ** 0.5)
        return tokens.transpose(1, 2).unflatten(2, (side, side))

    def spatial_features(self, images: torch.Tensor) -> torch.Tensor:
        """The features; ModelError where timm's head reads the class token alone."""
        if getattr(self.network, "global_pool", "") == "token":
            raise ModelError(
                "a network whose head reads the places of a picture", found=f"{self.entry}, which reads a class token",
                fix="Use --method occlusion or integrated-gradients, which need nothing of the network.",
            )  # fmt: skip
        return super().spatial_features(images)

    def main_head(self) -> str:
        """What timm calls the model's classifier; ModelError where that is not one dense layer."""
        (head, *others) = self.blocks_in_order()[-1]
        if others or not isinstance(self.get_submodule(head), (ClassifierLayer, HiddenHead)):
            raise ModelError(
                "a model with a single dense layer for its classes", found=self.entry, fix="Use --tune all."
            )
        return head

    def blocks_in_order(self) -> list[list[str]]:
        """Paths of parameters in the order that timm itself uses for rates that fall from layer to layer."""
        grouped = _timm().models.group_parameters(self.network, self.network.group_matcher(coarse=False))
        parts: list[list[str]] = []
        for names in grouped.values():
            paths = [f"network.{name}" for name in names]
            paths = [path for path in paths if not path.startswith(tuple(f"{head}." for head in self.classifiers))]
            if any(self.get_parameter(path).ndim > 1 for path in paths):
                parts.append(paths)
            elif paths and parts:  # a norm
                parts[-1] += paths
        return [*parts, self.classifiers]

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Features -> (N, num_classes)."""
        return self.network.forward_head(features)
