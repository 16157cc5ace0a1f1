"""The Keras models that entries of the zoo are compared with: its applications, and networks that are taught in Keras.

The taught ones are built here from their descriptions (paper, exercise or textbook), not from our code; their layers
are named as ours are. This file imports no torch: keras_timing.py runs it without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers
from keras_own import lenet5_in_three, lenet5_with_a_base, vgg16_base, vit_b_16


def conv(x: Any, name: str, channels: int, kernel: int, *, stride: int = 1, padding: str = "same") -> Any:
    """A convolution with a bias."""
    return layers.Conv2D(channels, kernel, strides=stride, padding=padding, kernel_initializer="he_uniform", name=name)(
        x
    )


def simple_cnn(classes: int, channels: int, size: int) -> Any:
    """TensorFlow's quick-start for experts."""
    picture = keras.Input((size, size, channels))
    x = layers.Conv2D(32, 3, activation="relu", name="conv1")(picture)
    x = layers.Dense(128, activation="relu", name="d1")(layers.Flatten()(x))
    return keras.Model(picture, layers.Dense(classes, name="d2")(x))


def lenet5(classes: int, channels: int, size: int) -> Any:
    """LeNet-5 in its usual form: tanh and average pools."""
    picture = keras.Input((size, size, channels))
    x = layers.AveragePooling2D(2)(layers.Conv2D(6, 5, activation="tanh", name="conv1")(picture))
    x = layers.AveragePooling2D(2)(layers.Conv2D(16, 5, activation="tanh", name="conv2")(x))
    x = layers.Dense(120, activation="tanh", name="fc1")(layers.Flatten()(x))
    x = layers.Dense(84, activation="tanh", name="fc2")(x)
    return keras.Model(picture, layers.Dense(classes, name="fc3")(x))


def alexnet(classes: int, channels: int, size: int, *, widths: Sequence[int], head: Sequence[int], pad: Any) -> Any:
    """One tower: 11x11/4, pools 3/2 without padding."""
    picture = keras.Input((size, size, channels))
    x = layers.ZeroPadding2D(pad)(picture)
    x = layers.ReLU()(conv(x, "conv1", widths[0], 11, stride=4, padding="valid"))
    x = layers.MaxPooling2D(3, 2)(x)
    x = layers.MaxPooling2D(3, 2)(layers.ReLU()(conv(x, "conv2", widths[1], 5)))
    for number in (3, 4, 5):
        x = layers.ReLU()(conv(x, f"conv{number}", widths[number - 1], 3))
    x = layers.Flatten()(layers.MaxPooling2D(3, 2)(x))
    x = layers.Dense(head[0], activation="relu", name="fc1")(x)
    x = layers.Dense(head[1], activation="relu", name="fc2")(x)
    return keras.Model(picture, layers.Dense(classes, name="fc3")(x))


# GoogLeNet, table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64), "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}  # fmt: skip


def googlenet(classes: int, channels: int, size: int, *, aux: bool = True, aux_padding: str = "valid") -> Any:
    """The paper's network: with its auxiliary heads three outputs, the main one first."""

    def unit(x: Any, name: str, width: int, kernel: int, *, stride: int = 1) -> Any:
        return layers.ReLU()(conv(x, f"{name}.conv", width, kernel, stride=stride))

    def auxiliary(x: Any, name: str) -> Any:
        x = layers.AveragePooling2D(5, 3, padding=aux_padding)(x)
        x = layers.Flatten()(unit(x, f"{name}.conv", 128, 1))
        x = layers.Dense(1024, activation="relu", name=f"{name}.fc1")(x)
        return layers.Dense(classes, name=f"{name}.fc2")(x)

    picture = keras.Input((size, size, channels))
    x = layers.MaxPooling2D(3, 2, padding="same")(unit(picture, "conv1", 64, 7, stride=2))
    x = unit(unit(x, "conv2", 64, 1), "conv3", 192, 3)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    heads: list[Any] = []
    for name, (one, three_reduce, three, five_reduce, five, pool) in MODULES.items():
        path = f"inception{name}"
        pooled = layers.MaxPooling2D(3, 1, padding="same")(x)
        x = layers.Concatenate()(
            [
                unit(x, f"{path}.branch1", one, 1),
                unit(unit(x, f"{path}.branch2.0", three_reduce, 1), f"{path}.branch2.1", three, 3),
                unit(unit(x, f"{path}.branch3.0", five_reduce, 1), f"{path}.branch3.1", five, 5),
                unit(pooled, f"{path}.branch4.1", pool, 1),
            ]
        )
        if name in ("3b", "4e"):
            x = layers.MaxPooling2D(3, 2, padding="same")(x)
        if aux and name in ("4a", "4d"):
            heads.append(auxiliary(x, f"aux{len(heads) + 1}"))
    main = layers.Dense(classes, name="fc")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(picture, [main, *heads] if aux else main)


def course_resnet50(classes: int, channels: int, size: int, *, slope: float = 0.0, pool: str = "valid") -> Any:
    """The widely taught exercise: identity and convolutional blocks, stage 5's identity blocks [256, 256, 2048]."""

    def activate(x: Any) -> Any:
        # LeakyReLU by its definition: TensorFlow's own rounds the slope to float32 in a float64 model.
        return keras.ops.maximum(x, x * slope) if slope else layers.ReLU()(x)

    def norm(x: Any, name: str) -> Any:
        return layers.BatchNormalization(name=name)(x)

    def block(x: Any, path: str, filters: Sequence[int], *, stride: int, project: bool) -> Any:
        shortcut = x
        if project:
            shortcut = conv(x, f"{path}.downsample.0", filters[2], 1, stride=stride, padding="valid")
            shortcut = norm(shortcut, f"{path}.downsample.1")
        x = conv(x, f"{path}.conv1", filters[0], 1, stride=stride, padding="valid")
        x = activate(norm(x, f"{path}.bn1"))
        x = activate(norm(conv(x, f"{path}.conv2", filters[1], 3), f"{path}.bn2"))
        x = norm(conv(x, f"{path}.conv3", filters[2], 1, padding="valid"), f"{path}.bn3")
        return activate(layers.Add()([x, shortcut]))

    picture = keras.Input((size, size, channels))
    x = conv(layers.ZeroPadding2D(3)(picture), "conv1", 64, 7, stride=2, padding="valid")
    x = layers.MaxPooling2D(3, 2)(activate(norm(x, "bn1")))
    stages = (
        ((64, 64, 256), 3, 1), ((128, 128, 512), 4, 2), ((256, 256, 1024), 6, 2), ((512, 512, 2048), 3, 2),
    )  # fmt: skip
    for number, (filters, blocks, stride) in enumerate(stages, start=1):
        x = block(x, f"layer{number}.0", filters, stride=stride, project=True)
        rest = (256, 256, 2048) if number == 4 else filters
        for place in range(1, blocks):
            x = block(x, f"layer{number}.{place}", rest, stride=1, project=False)
    x = layers.Flatten()(layers.AveragePooling2D(2, padding=pool)(x))
    return keras.Model(picture, layers.Dense(classes, name="fc")(x))


def same_resnet(
    classes: int, channels: int, size: int, *, blocks: Sequence[int], bottleneck: bool, bias: bool = False,
    shortcut_norm: bool = True, epsilon: float = 1e-5,
) -> Any:  # fmt: skip
    """Ports of ResNet v1.5 to Keras with `padding="same"` throughout; the textbook's has biases."""

    def unit(x: Any, path: str, number: int, width: int, kernel: int, *, stride: int = 1) -> Any:
        x = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=bias, name=f"{path}conv{number}")(x)
        return layers.BatchNormalization(epsilon=epsilon, name=f"{path}bn{number}")(x)

    picture = keras.Input((size, size, channels))
    x = layers.ReLU()(unit(picture, "", 1, 64, 7, stride=2))
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    before = 64
    for stage, depth in enumerate(blocks, start=1):
        width = 64 * 2 ** (stage - 1)
        after = width * (4 if bottleneck else 1)
        for place in range(depth):
            path, stride = f"layer{stage}.{place}.", 2 if stage > 1 and place == 0 else 1
            shortcut = x
            if stride > 1 or before != after:
                shortcut = layers.Conv2D(
                    after, 1, strides=stride, padding="same", use_bias=bias, name=f"{path}downsample.0"
                )(x)
                if shortcut_norm:
                    shortcut = layers.BatchNormalization(epsilon=epsilon, name=f"{path}downsample.1")(shortcut)
            if bottleneck:
                x = layers.ReLU()(unit(x, path, 1, width, 1))
                x = layers.ReLU()(unit(x, path, 2, width, 3, stride=stride))
                x = unit(x, path, 3, after, 1)
            else:
                x = layers.ReLU()(unit(x, path, 1, width, 3, stride=stride))
                x = unit(x, path, 2, width, 3)
            x = layers.ReLU()(layers.Add()([x, shortcut]))
            before = after
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(picture, layers.Dense(classes, name="fc")(x))


Network = Callable[[int, int, int], Any]  # (classes, channels, size) -> a model that gives logits

_HALF_WIDTHS = (48, 128, 192, 192, 128)
_PAD = ((1, 2), (1, 2))
_DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def _application(name: str) -> Network:
    # MobileNet v3's own scaling rounds to float32 in a float64 model; its [-1, 1] comes from us instead.
    settings = {"include_preprocessing": False} if name.startswith("MobileNetV3") else {}

    def make(classes: int, channels: int, size: int) -> Any:
        return getattr(keras.applications, name)(weights=None, classifier_activation=None, **settings)

    return make


def _same_resnet(depth: int) -> Network:
    def make(classes: int, channels: int, size: int) -> Any:
        return same_resnet(classes, channels, size, blocks=_DEPTHS[depth], bottleneck=depth >= 50)

    return make


def _half_alexnet(head: Sequence[int]) -> Network:
    return lambda k, c, s: alexnet(k, c, s, widths=_HALF_WIDTHS, head=head, pad=_PAD)


APPLICATIONS = (
    "VGG16", "VGG19", "InceptionV3", "ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2",
    "MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large",
)  # fmt: skip

# By what the table calls them.
NETWORKS: dict[str, Network] = {f"keras {name}": _application(name) for name in APPLICATIONS} | {
    "TensorFlow quick-start": simple_cnn,
    "LeNet-5 in Keras": lenet5,
    "one tower in Keras": lambda k, c, s: alexnet(
        k, c, s, widths=(96, 256, 384, 384, 256), head=(4096, 4096), pad=0
    ),
    "half width in Keras": _half_alexnet((2048, 2048)),
    "half width, slim head in Keras": _half_alexnet((1024, 128)),
    "the paper's in Keras": googlenet,
    "without auxiliary heads in Keras": lambda k, c, s: googlenet(k, c, s, aux=False),
    "its aux_pool=same variant in Keras": lambda k, c, s: googlenet(k, c, s, aux_padding="same"),
    **{f"a TF-same port of ResNet-{depth}": _same_resnet(depth) for depth in (34, 50, 101)},
    "LeNet-5 with a base within it": lenet5_with_a_base,
    "LeNet-5 of three models": lenet5_in_three,
    "VGG16 base, Flatten, Dense": vgg16_base,
    "a subclassed ViT in Keras": vit_b_16,
    "the exercise in Keras": course_resnet50,
    "its LeakyReLU variant in Keras": lambda k, c, s: course_resnet50(k, c, s, slope=0.3, pool="same"),
    "the textbook's in Keras": lambda k, c, s: same_resnet(
        k, c, s, blocks=_DEPTHS[18], bottleneck=False, bias=True, shortcut_norm=False, epsilon=1e-3
    ),
}  # fmt: skip
