"""What every family shares: the model contract, normalisation inside the model, TF-same padding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .convolution import Conv2d

# Statistics of ImageNet's training pictures, RGB in [0, 1], as torchvision's checkpoints expect.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Classifier(nn.Module):
    """The contract of every entry: float pictures in [0, 1] in, logits out, normalisation inside.

    A family sets `mean`/`std` through `set_normalisation` and defines `features` and `head`:

        features(images)         normalised (N, C, H, W) -> (N, C', h, w), or (N, tokens, width)
        head(features)           -> (N, num_classes) logits
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.register_buffer("mean", torch.zeros(in_channels))
        self.register_buffer("std", torch.ones(in_channels))

    def set_normalisation(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Fill the buffers; three values are averaged for grey input."""
        if len(mean) != self.in_channels:
            mean = (sum(mean) / len(mean),) * self.in_channels
            std = (sum(std) / len(std),) * self.in_channels
        self.mean.copy_(torch.tensor(mean))
        self.std.copy_(torch.tensor(std))

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) float in [0, 1] -> the same shape, minus mean, over std."""
        scale = 1 / self.std[:, None, None]
        return torch.addcmul(-self.mean[:, None, None] * scale, images, scale)  # one pass over the pixels

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Pictures in [0, 1], (N, C, H, W) -> the last feature map, (N, C', h, w)."""
        return self.body(self.normalise(images))

    def body(self, images: torch.Tensor) -> torch.Tensor:
        """Normalised pictures -> features; each family writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no body")  # an abstract method

    def grid(self, features: torch.Tensor) -> torch.Tensor:
        """Features -> (N, C', h, w), for explanations."""
        return features

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Features -> (N, num_classes) logits; each family writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no head")  # an abstract method

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pictures in [0, 1], (N, C, H, W) float -> (N, num_classes) logits."""
        return self.head(self.features(images))

    def training_logits(self, images: torch.Tensor) -> tuple[tuple[torch.Tensor, float], ...]:
        """Logits and their weight in the loss: the main head, then any auxiliary heads."""
        return ((self.forward(images), 1.0),)


def classifier_layer(width: int, num_classes: int) -> nn.Module:
    """The last dense layer, or nothing for `num_classes=0`, which gives pooled features."""
    return nn.Linear(width, num_classes) if num_classes else nn.Identity()


def pad_same(images: torch.Tensor, *, kernel: int, stride: int, value: float = 0.0) -> torch.Tensor:
    """TF-same padding of (N, C, H, W): out = ceil(in / stride), the odd pixel on the right and at the bottom."""

    def total(length: int) -> int:
        outputs = -(-length // stride)
        return max(0, (outputs - 1) * stride + kernel - length)

    vertical, horizontal = total(images.shape[-2]), total(images.shape[-1])
    left_right_top_bottom = (horizontal // 2, -(-horizontal // 2), vertical // 2, -(-vertical // 2))
    return F.pad(images, left_right_top_bottom, value=value)


class SameConv2d(Conv2d):
    """A convolution with TF-same padding; square kernel and stride."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C', ceil(H / stride), ceil(W / stride))."""
        return super().forward(pad_same(input, kernel=self.kernel_size[0], stride=self.stride[0]))


class SameMaxPool2d(nn.Module):
    """Max pooling with TF-same padding; what lies beyond the edge never wins, whatever the sign of the values."""

    def __init__(self, kernel: int, *, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, ceil(H / stride), ceil(W / stride))."""
        padded = pad_same(images, kernel=self.kernel, stride=self.stride, value=float("-inf"))
        return F.max_pool2d(padded, self.kernel, stride=self.stride)


def he_initialise(module: nn.Module) -> None:
    """He et al. 2015, fan out, for convolutions; ones and zeros for batch norm; small normal dense layers."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=0.01)
            nn.init.zeros_(part.bias)
