"""Plain convolutional networks: simple_cnn and LeNet-5."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from .contract import Classifier, classifier_layer
from .entry import Entry
from .initialisation import xavier_initialise
from .layers import activate


class SimpleCNN(Classifier):
    """One convolution, one hidden layer: the network of TensorFlow's quick-start for experts.

    Conv 32 3x3 valid, ReLU, flatten, dense 128, ReLU, dense. Takes pictures of exactly `size` pixels; 28x28x1 and 10
    classes have 2,770,634 parameters. The reference flattens height, width, channel; here it is channel, height,
    width.
    """

    flattened = MappingProxyType({"d1": 32})

    def __init__(self, num_classes: int, in_channels: int, *, size: int = 28) -> None:
        super().__init__(num_classes, in_channels)
        self.conv1 = nn.Conv2d(in_channels, 32, kernel_size=3)
        self.d1 = nn.Linear(32 * (size - 2) ** 2, 128)
        self.d2 = classifier_layer(128, num_classes)
        xavier_initialise(self)  # Keras' start

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, size, size) -> (N, 32, size - 2, size - 2)."""
        return activate(self.conv1(images))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 32, size - 2, size - 2) -> (N, num_classes)."""
        return self.d2(activate(self.d1(features.flatten(1))))


class LeNet5(Classifier):
    """LeCun et al. 1998, "Gradient-based learning applied to document recognition", figure 2, in its usual form.

    6@5x5, pool, 16@5x5, pool, dense 120, 84, classes; tanh; every map of C3 sees all maps of S2. Input is 32x32;
    28x28 pictures are padded by 2, as the paper does with MNIST. 32x32x1 and 10 classes have 61,706 parameters.

    First weights are torch's, uniform within 1 / sqrt(inputs). Appendix A's 2.4 / inputs belongs to the paper's scaled
    tanh and learned next to nothing in the few epochs of the tests.
    """

    flattened = MappingProxyType({"fc1": 16})

    def __init__(self, num_classes: int, in_channels: int, *, pool: Literal["average", "max"] = "average") -> None:
        super().__init__(num_classes, in_channels)
        self.conv1 = nn.Conv2d(in_channels, 6, kernel_size=5)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = classifier_layer(84, num_classes)
        self.pool = nn.AvgPool2d(2) if pool == "average" else nn.MaxPool2d(2)

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, 32 or 28, ...) -> (N, 16, 5, 5)."""
        if images.shape[-1] == 28:
            images = F.pad(images, (2, 2, 2, 2))
        images = self.pool(torch.tanh(self.conv1(images)))  # (N, C, 32, 32) -> (N, 6, 14, 14)
        return self.pool(torch.tanh(self.conv2(images)))  # -> (N, 16, 5, 5)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 16, 5, 5) -> (N, num_classes)."""
        hidden = torch.tanh(self.fc1(features.flatten(1)))  # (N, 400) -> (N, 120)
        return self.fc3(torch.tanh(self.fc2(hidden)))


ENTRIES = {
    "simple_cnn": Entry(
        SimpleCNN, "plain", 2019, "TensorFlow's quick-start for experts", size=28, channels=1, min_size=3,
        size_option=True,
    ),
    "lenet5": Entry(
        LeNet5, "plain", 1998, "LeCun et al. 1998, Gradient-based learning applied to document recognition",
        size=32, channels=1, min_size=28, fixed_sizes=(28, 32),
    ),
}  # fmt: skip
