"""The contract of every model: its outputs, its built-in normalization, and its head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ..config.learning import Normalization
from ..errors import ModelError

# What a network takes of an RGB picture in [0, 1]: the picture itself; pixels in [0, 255]; in [-1, 1]; in [0, 255]
# minus a mean colour, as BGR (Caffe's networks) or as RGB (TensorFlow slim's `vgg_preprocessing`, which has the means
# of VGG's trainings to two digits); minus the mean of ImageNet's training pictures and over their deviation; or
# (x - 127) / 128 of [0, 255], near [-1, 1], but not it, as EfficientNet-Lite's trainings took.
NORMALIZATIONS: dict[Normalization, tuple[tuple[float, ...], tuple[float, ...]]] = {  # mean and standard deviation
    "0-1": ((0.0,) * 3, (1.0,) * 3),
    "0-255": ((0.0,) * 3, (1 / 255,) * 3),
    "-1-1": ((0.5,) * 3, (0.5,) * 3),
    "caffe": ((123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255,) * 3),
    "rgb-mean": ((123.68 / 255, 116.78 / 255, 103.94 / 255), (1 / 255,) * 3),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "lite": ((127 / 255,) * 3, (128 / 255,) * 3),
}


class Classifier(nn.Module):
    """The contract of every entry: float pictures in [0, 1] in, logits out, normalization inside.

    A family sets `mean` and `std` through `set_normalization` and defines `backbone` and `head`:

        backbone(images)         normalized (N, C, H, W) -> features (N, C', h, w), or (N, tokens, width)
        head(features)           -> (N, num_classes) logits

    Args:
        num_classes: number of classes; 0 for a model without its last layer.
        in_channels: 3 for RGB, 1 for grey.

    Example:
        model = create_model("resnet18", 5).eval()
        features = model.features(torch.rand(2, 3, 224, 224))  # (2, 512, 7, 7)
        logits = model.head(features)  # (2, 5), as model(images) gives them
    """

    mean: torch.Tensor
    std: torch.Tensor
    entry = ""  # its name in the zoo; `create_model` sets it
    options: Mapping[str, Any] = MappingProxyType({})  # of the entry, as `create_model` was given them
    min_size = 1  # of the pictures' sides, pixels; `create_model` sets the entry's
    auxiliary: tuple[str, ...] = ()  # names of the auxiliary heads, each None where it is left out
    flattened: Mapping[str, int] = MappingProxyType({})  # dense layers that take a flattened map: its channels

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.register_buffer("mean", torch.zeros(in_channels))
        self.register_buffer("std", torch.ones(in_channels))

    def set_normalization(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Set the mean and the standard deviation with which the model normalizes its pictures.

        Args:
            mean: a value per channel, of pictures in [0, 1]; three values are averaged for grey input.
            std: likewise, above 0.

        Example:
            model.set_normalization(*NORMALIZATIONS["imagenet"])
        """
        if len(mean) != self.in_channels:
            mean = (sum(mean) / len(mean),) * self.in_channels
            std = (sum(std) / len(std),) * self.in_channels
        self.mean.copy_(torch.tensor(mean))
        self.std.copy_(torch.tensor(std))

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Subtract the mean from pictures and divide them by the standard deviation.

        Args:
            images: (N, C, H, W) float in [0, 1].

        Returns:
            Float of the same shape.
        """
        scale = 1 / self.std[:, None, None]
        return torch.addcmul(-self.mean[:, None, None] * scale, images, scale)  # one pass over the pixels

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Normalize pictures and pass them through the backbone.

        Args:
            images: (N, C, H, W) float in [0, 1].

        Returns:
            The last feature map, (N, C', h, w), or a transformer's tokens, (N, tokens, width).

        Raises:
            ModelError: the pictures have another shape or number of channels, or are too small.
        """
        self.check(images)
        return self.backbone(self.normalise(images))

    def check(self, images: torch.Tensor) -> None:
        """Check the shape of pictures.

        Args:
            images: should be (N, C, H, W), with the model's channels and sides of `min_size` or more.

        Raises:
            ModelError: the pictures have another shape or number of channels, or are too small.
        """
        shape = tuple(images.shape)
        if len(shape) != 4 or shape[1] != self.in_channels:
            raise ModelError(
                f"pictures (N, {self.in_channels}, H, W)", found=f"shape {shape}", fix=_shape_advice(shape)
            )
        if min(shape[2:]) < self.min_size:
            raise ModelError(
                f"pictures of at least {self.min_size} pixels",
                found=f"{shape[3]} x {shape[2]}",
                fix="Enlarge them, or choose a model with fewer strides.",
            )

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """Compute features from normalized pictures; each family writes its own.

        Args:
            images: (N, C, H, W) float, normalized.

        Returns:
            (N, C', h, w), or (N, tokens, width) for transformers.
        """
        raise NotImplementedError(f"{type(self).__name__} has no backbone")  # an abstract method

    def grid(self, features: torch.Tensor) -> torch.Tensor:
        """Arrange features as a map, for explanations.

        Args:
            features: what `features` returns.

        Returns:
            (N, C', h, w).
        """
        return features

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Compute logits from features; each family writes its own.

        Args:
            features: what `features` returns.

        Returns:
            (N, num_classes) logits.
        """
        raise NotImplementedError(f"{type(self).__name__} has no head")  # an abstract method

    def spatial_features(self, images: torch.Tensor) -> torch.Tensor:
        """Compute the last activations from all places of which the logits are made, for explanations.

        These are the features, unless the head reads only some of them, as a class token.

        Args:
            images: (N, C, H, W) float in [0, 1].

        Returns:
            Activations that `grid` arranges as a map, and of which `spatial_head` makes the logits.
        """
        return self.features(images)

    def spatial_head(self, activations: torch.Tensor) -> torch.Tensor:
        """Compute logits from what `spatial_features` returns.

        Args:
            activations: what `spatial_features` returns.

        Returns:
            (N, num_classes) logits, the same as those of the model.
        """
        return self.head(activations)

    def head_layers(self) -> tuple[str, ...]:
        """List the dense layers whose outputs are the classes.

        Returns:
            Their paths, those in auxiliary heads included.

        Example:
            create_model("resnet18", 5).head_layers()  # ("fc",)
        """
        return tuple(path for path, part in self.named_modules() if isinstance(part, ClassifierLayer))

    def main_head(self) -> str:
        """Find the part that gives the logits: the last dense layer, or the hidden layers that end in it.

        Returns:
            Its path, as `get_submodule` takes it.

        Example:
            create_model("resnet18", 5).main_head()  # "fc"
        """
        return self.blocks_in_order()[-1][0]

    def blocks_in_order(self) -> list[list[str]]:
        """List the blocks of the model from the input to the head, without auxiliary heads.

        A block may also be a single layer or parameter.

        Returns:
            For each block, its path and those of the norms that follow it; the last one is the head.
        """
        parts: list[list[str]] = []
        for name, child in self.named_children():
            if name in self.auxiliary:
                continue
            for path, part in _expanded(name, child):
                weights = [parameter.ndim for parameter in part.parameters()]
                if weights and max(weights) > 1:
                    parts.append([path])
                elif weights and parts:
                    parts[-1].append(path)
        return parts

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Classify pictures.

        Args:
            images: (N, C, H, W) float in [0, 1].

        Returns:
            (N, num_classes) logits.

        Raises:
            ModelError: the pictures have another shape or number of channels, or are too small.
        """
        return self.head(self.features(images))

    def training_logits(self, images: torch.Tensor) -> tuple[tuple[torch.Tensor, float], ...]:
        """Compute the logits that a training takes its loss from.

        Args:
            images: (N, C, H, W) float in [0, 1].

        Returns:
            (logits, weight in the loss) pairs: those of the main head, then those of any auxiliary heads.
        """
        return ((self.forward(images), 1.0),)


def _shape_advice(shape: tuple[int, ...]) -> str:
    """What to do about pictures of another shape than (N, C, H, W)."""
    if len(shape) == 3 and shape[0] in (1, 3):
        return "Add the axis of the batch: images[None]."
    if shape[-1] in (1, 3) and not (len(shape) == 4 and shape[1] in (1, 3)):
        order = "N, H, W, C" if len(shape) == 4 else "H, W, C"
        axes = "permute(0, 3, 1, 2)" if len(shape) == 4 else "permute(2, 0, 1)[None]"
        return f"These are {order} (NHWC, as in TensorFlow): use images.{axes}."
    if len(shape) == 4 and shape[1] in (1, 3):
        return f"Create the model with in_channels={shape[1]}, or convert the pictures."
    return "Give grey or RGB pictures: a batch, then channels, rows and columns."


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """A context in which a model is in evaluation mode; afterwards each of its parts is in the mode that it was in.

    Args:
        model: any model, all of it in training mode or some of it.

    Example:
        with evaluating(model), torch.no_grad():
            logits = model(images)
    """
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


class StackedHead(nn.Sequential):
    """A head that keeps the weights' own last layer and continues from its outputs. Each part is a block."""


def _expanded(path: str, part: nn.Module) -> list[tuple[str, nn.Module]]:
    """A sequence of blocks as its blocks; a block that is itself a sequence of layers stays one."""
    if type(part) not in (nn.Sequential, nn.ModuleList, StackedHead):
        return [(path, part)]
    inner = [(f"{path}.{name}", child) for name, child in part.named_children()]
    if type(part) is not StackedHead and "." in path and all(not list(child.children()) for _, child in inner):
        return [(path, part)]
    return [item for inner_path, child in inner for item in _expanded(inner_path, child)]


class ClassifierLayer(nn.Linear):
    """The dense layer whose outputs are the classes. Weights for other classes leave it as it is.

    Args:
        width: length of a feature vector.
        num_classes: number of classes.
    """


def classifier_layer(width: int, num_classes: int) -> nn.Module:
    """Make the last dense layer.

    Args:
        width: length of a feature vector.
        num_classes: number of classes, or 0 for none.

    Returns:
        A ClassifierLayer, (N, width) -> (N, num_classes); for 0 classes an Identity, which passes vectors on.
    """
    return ClassifierLayer(width, num_classes) if num_classes else nn.Identity()
