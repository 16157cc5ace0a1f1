"""Any model of timm behind our contract: `timm/NAME`, with the `timm` extra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..errors import MissingExtraError, ModelError, close_matches
from .layers import Classifier


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise MissingExtraError(
            "the timm library", found="none", fix="Install it: pip install 'pictaxa[timm]'."
        ) from None
    return timm


def described(name: str) -> dict[str, Any]:
    """What the zoo's Entry says of a model, from timm's own record of it; ModelError with close matches."""
    timm = _timm()
    known = timm.list_models()
    if name.split(".")[0] not in known:
        raise ModelError("the name of a model of timm", found=repr(name), fix=close_matches(name, known))
    record = timm.models.get_pretrained_cfg(name)
    size = record.input_size[-1] if record else 224
    return {
        "family": "timm",
        "year": 0,
        "paper": "see timm's documentation",
        "size": size,
        "fixed_sizes": (size,) if record and record.fixed_input_size else (),
    }


class TimmClassifier(Classifier):
    """A model of timm, `network`, with its normalisation inside."""

    def __init__(self, num_classes: int, in_channels: int, *, name: str) -> None:
        super().__init__(num_classes, in_channels)
        self.network = _timm().create_model(name, pretrained=False, num_classes=num_classes, in_chans=in_channels)
        record = self.network.pretrained_cfg
        self.set_normalisation(tuple(record["mean"]), tuple(record["std"]))

    def body(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> what timm calls its features."""
        features: torch.Tensor = self.network.forward_features(images)
        return features

    def grid(self, features: torch.Tensor) -> torch.Tensor:
        """Features -> (N, C', h, w), whether they are a map, a map with channels last, or tokens."""
        if features.ndim == 4:
            last = getattr(self.network, "output_fmt", "NCHW") == "NHWC"
            return features.permute(0, 3, 1, 2) if last else features
        tokens = features[:, getattr(self.network, "num_prefix_tokens", 0) :]  # (N, T, D)
        side = round(tokens.shape[1] ** 0.5)
        return tokens.transpose(1, 2).unflatten(2, (side, side))

    def head_layers(self) -> tuple[str, ...]:
        """Paths of what timm calls the model's classifier, one or several."""
        last = self.network.get_classifier()
        parts = last if isinstance(last, (tuple, list)) else (last,)
        return tuple(
            path for path, part in self.named_modules() if isinstance(part, nn.Linear) and any(part is p for p in parts)
        )

    def main_head(self) -> str:
        """What timm calls the model's classifier; ModelError where that is not one dense layer."""
        paths = self.head_layers()
        if len(paths) != 1:
            raise ModelError("a model with one dense layer for its classes", found=self.entry, fix="Use --tune all.")
        return paths[0]

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Features -> (N, num_classes)."""
        logits: torch.Tensor = self.network.forward_head(features)
        return logits


def builder(name: str) -> Callable[..., TimmClassifier]:
    """The constructor of timm's `name`."""

    def build(num_classes: int, in_channels: int) -> TimmClassifier:
        return TimmClassifier(num_classes, in_channels, name=name)

    return build
