"""What every family shares: the model contract, normalisation inside the model, TF-same padding."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import ModelError
from .convolution import Conv2d

# What lies around a picture: symmetric is kernel // 2 zeros on every side (torchvision, timm), same is TensorFlow's
# (out = ceil(in / stride), the odd pixel on the right and at the bottom), valid is nothing.
Padding = Literal["symmetric", "same", "valid"]

# Statistics of ImageNet's training pictures, RGB in [0, 1], as torchvision's checkpoints expect.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# The mean colour that Caffe's networks take from pixels in [0, 255], and nothing else.
CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
CAFFE_STD = (1 / 255, 1 / 255, 1 / 255)

# EfficientNet-Lite's trainings took (x - 127) / 128 of pixels in [0, 255]: near 0.5, but not it.
LITE_MEAN = (127 / 255, 127 / 255, 127 / 255)
LITE_STD = (128 / 255, 128 / 255, 128 / 255)


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
            model.set_normalization(IMAGENET_MEAN, IMAGENET_STD)
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
                f"pictures (N, {self.in_channels}, H, W)",
                found=f"shape {shape}",
                fix=f"Create the model with in_channels={shape[1] if len(shape) == 4 else 3}, or convert the pictures.",
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

        A block may also be a layer or a parameter that stands alone.

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


def activate(images: torch.Tensor, slope: float = 0.0) -> torch.Tensor:
    """Apply ReLU, or LeakyReLU where a slope is given, in place.

    Args:
        images: float of any shape; overwritten.
        slope: slope below zero, 0 for ReLU.

    Returns:
        The same tensor.
    """
    return F.leaky_relu(images, slope, inplace=True) if slope else F.relu(images, inplace=True)


def same_pixels(images: torch.Tensor, *, kernel: int, stride: int) -> tuple[int, int]:
    """Compute the total padding with which out = ceil(in / stride), as TensorFlow's "same" has it.

    Args:
        images: (N, C, H, W); only its shape matters.
        kernel: side of the kernel, pixels.
        stride: pixels between two windows.

    Returns:
        Rows and columns to add in all, both sides together.
    """

    def total(length: int) -> int:
        outputs = -(-length // stride)
        return max(0, (outputs - 1) * stride + kernel - length)

    return total(images.shape[-2]), total(images.shape[-1])


def pad_same(images: torch.Tensor, *, kernel: int, stride: int, value: float = 0.0) -> torch.Tensor:
    """Pad maps as TensorFlow's "same" does, the odd pixel on the right and at the bottom.

    Args:
        images: (N, C, H, W).
        kernel: side of the kernel, pixels.
        stride: pixels between two windows.
        value: what the new pixels hold.

    Returns:
        (N, C, H', W'), on which a layer without padding gives ceil(H / stride) rows and ceil(W / stride) columns.

    Example:
        padded = pad_same(torch.rand(1, 3, 224, 224), kernel=3, stride=2)  # (1, 3, 225, 225)
    """
    vertical, horizontal = same_pixels(images, kernel=kernel, stride=stride)
    left_right_top_bottom = (horizontal // 2, -(-horizontal // 2), vertical // 2, -(-vertical // 2))
    return F.pad(images, left_right_top_bottom, value=value)


class SameConv2d(Conv2d):
    """A convolution with TensorFlow's "same" padding.

    It takes the arguments of torch.nn.Conv2d: a square kernel, one stride for both directions, and no `padding`.

    Example:
        layer = SameConv2d(3, 8, 3, stride=2)
        out = layer(torch.rand(1, 3, 225, 225))  # (1, 8, 113, 113)
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Convolve maps.

        Args:
            input: (N, in_channels, H, W).

        Returns:
            (N, out_channels, ceil(H / stride), ceil(W / stride)).
        """
        return super().forward(pad_same(input, kernel=self.kernel_size[0], stride=self.stride[0]))


def is_plain(part: nn.Module) -> bool:
    """Check whether a part is a convolution and nothing more; a class derived from one may do more.

    Args:
        part: any module.

    Returns:
        True for torch's Conv2d, ours, and SameConv2d; False for classes derived from them.
    """
    return type(part) in (nn.Conv2d, Conv2d, SameConv2d)


def convolve(conv: nn.Conv2d, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Compute a convolution with other weights than its own.

    Args:
        conv: the layer, whose stride, padding, dilation and groups count.
        images: (N, C, H, W).
        weight: (O, C / groups, k, k).
        bias: (O,), or None.

    Returns:
        (N, O, h, w).
    """
    if isinstance(conv, SameConv2d):
        images = pad_same(images, kernel=conv.kernel_size[0], stride=conv.stride[0])
    if isinstance(conv, Conv2d):
        return conv.convolve(images, weight, bias)
    return conv._conv_forward(images, weight, bias)


class SameMaxPool2d(nn.Module):
    """Max pooling with TensorFlow's "same" padding. Padding never wins, even where all values are negative.

    Args:
        kernel: side of the window, pixels.
        stride: pixels between two windows.

    Example:
        out = SameMaxPool2d(3, stride=2)(torch.rand(1, 8, 113, 113))  # (1, 8, 57, 57)
    """

    def __init__(self, kernel: int, *, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pool maps.

        Args:
            images: (N, C, H, W).

        Returns:
            (N, C, ceil(H / stride), ceil(W / stride)).
        """
        vertical, horizontal = same_pixels(images, kernel=self.kernel, stride=self.stride)
        # The two cases of 3x3/2 and of stride 1 need no padded copy: windows may reach over the edge evenly, or by a
        # pixel at the end.
        if vertical % 2 == horizontal % 2 == 0:
            padding = (vertical // 2, horizontal // 2)
            return F.max_pool2d(images, self.kernel, stride=self.stride, padding=padding)
        if vertical == horizontal == 1 and self.stride > 1:
            return F.max_pool2d(images, self.kernel, stride=self.stride, ceil_mode=True)
        padded = pad_same(images, kernel=self.kernel, stride=self.stride, value=float("-inf"))
        return F.max_pool2d(padded, self.kernel, stride=self.stride)


def make_conv(
    in_channels: int,
    channels: int,
    *,
    kernel: int,
    stride: int = 1,
    padding: Padding = "symmetric",
    bias: bool = False,
    groups: int = 1,
) -> Conv2d:
    """Make a convolution that pads as its reference does.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        kernel: side of the kernel, pixels; odd, unless padding is "valid".
        stride: pixels between two windows.
        padding: "symmetric" (kernel // 2 on every side), "same" (TensorFlow's) or "valid" (none).
        bias: whether it has a bias.
        groups: groups of channels; as many as channels for a depthwise convolution.

    Returns:
        The layer, (N, in_channels, H, W) -> (N, channels, h, w); a SameConv2d only where that differs from "symmetric".

    Example:
        stem = make_conv(3, 32, kernel=3, stride=2, padding="same")
    """
    if padding == "same" and stride > 1:  # with stride 1 and an odd kernel the two are equal
        return SameConv2d(in_channels, channels, kernel, stride=stride, bias=bias, groups=groups)
    pixels = 0 if padding == "valid" else kernel // 2
    return Conv2d(in_channels, channels, kernel, stride=stride, padding=pixels, bias=bias, groups=groups)


def make_max_pool(kernel: int, *, stride: int, padding: Padding = "symmetric") -> nn.Module:
    """Make a max pooling that pads as its reference does.

    Args:
        kernel: side of the window, pixels.
        stride: pixels between two windows.
        padding: "symmetric" (kernel // 2 on every side), "same" (TensorFlow's) or "valid" (none).

    Returns:
        The layer, (N, C, H, W) -> (N, C, h, w).
    """
    if padding == "same":
        return SameMaxPool2d(kernel, stride=stride)
    return nn.MaxPool2d(kernel, stride=stride, padding=0 if padding == "valid" else kernel // 2)


class SameAvgPool2d(nn.Module):
    """Average pooling with TensorFlow's "same" padding. Padding does not count in an average.

    Args:
        kernel: side of the window, pixels.
        stride: pixels between two windows.

    Example:
        out = SameAvgPool2d(5, stride=3)(torch.rand(1, 8, 14, 14))  # (1, 8, 5, 5)
    """

    def __init__(self, kernel: int, *, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pool maps.

        Args:
            images: (N, C, H, W).

        Returns:
            (N, C, ceil(H / stride), ceil(W / stride)).
        """
        sums = self._pool(images)
        return sums / self._pool(torch.ones_like(images[:1, :1]))  # the share of each window that is picture

    def _pool(self, images: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(pad_same(images, kernel=self.kernel, stride=self.stride), self.kernel, stride=self.stride)


class ConvUnit(nn.Module):
    """Convolution, batch norm and ReLU; or convolution with a bias and ReLU.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        kernel: side of the kernel, pixels; or (rows, columns), both odd, which has stride 1 and symmetric padding.
        stride: pixels between two windows, of a square kernel.
        padding: "symmetric" (kernel // 2 on every side), "same" (TensorFlow's) or "valid" (none), of a square kernel.
        epsilon: batch norm's; None for a bias instead of batch norm.

    Example:
        out = ConvUnit(3, 32, kernel=3, stride=2)(torch.rand(2, 3, 224, 224))  # (2, 32, 112, 112)
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: Padding = "symmetric",
        epsilon: float | None = 1e-3,
    ) -> None:
        super().__init__()
        if isinstance(kernel, tuple):  # n x 1 and 1 x n, stride 1
            pixels = (kernel[0] // 2, kernel[1] // 2)
            self.conv = Conv2d(in_channels, channels, kernel, padding=pixels, bias=epsilon is None)
        else:
            self.conv = make_conv(
                in_channels, channels, kernel=kernel, stride=stride, padding=padding, bias=epsilon is None
            )
        self.bn = None if epsilon is None else nn.BatchNorm2d(channels, eps=epsilon)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Convolve, normalize and activate maps.

        Args:
            images: (N, in_channels, H, W).

        Returns:
            (N, channels, ceil(H / stride), ceil(W / stride)); less with valid padding.
        """
        out = self.conv(images)
        return F.relu(out if self.bn is None else self.bn(out), inplace=True)


def make_divisible(channels: float, *, divisor: int = 8) -> int:
    """Round a scaled width as MobileNet does: to the nearest multiple of the divisor, never more than a tenth below.

    Args:
        channels: the width, scaled; above 0.
        divisor: what the result is a multiple of, and the least it can be.

    Returns:
        Number of channels.

    Example:
        make_divisible(32 * 0.35)  # 16
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
