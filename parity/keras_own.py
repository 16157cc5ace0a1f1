"""Keras models of one's own, in forms that people write: a base within a model, a head within it too, a ViT as a class.

Their layers have Keras' own names (conv2d, dense_1), so that nothing but order, place and shape says which is which.
This file imports no torch: keras_timing.py runs it without.
"""

# mypy: disable-error-code="misc"
# (its classes are of Keras, which has no types)

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def lenet5_with_a_base(classes: int, channels: int, size: int) -> Any:
    """A functional model that calls a Sequential of the convolutions, then flattens."""
    base = keras.Sequential(
        [
            layers.Conv2D(6, 5, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Conv2D(16, 5, activation="tanh"),
            layers.AveragePooling2D(2),
        ]
    )
    picture = keras.Input((size, size, channels))
    x = layers.Dense(120, activation="tanh")(layers.Flatten()(base(picture)))
    return keras.Model(picture, layers.Dense(classes)(layers.Dense(84, activation="tanh")(x)))


def lenet5_in_three(classes: int, channels: int, size: int) -> Any:
    """A Sequential of a base, a head without its last layer, and that: dense layers in two places of the file."""
    picture = keras.Input((size, size, channels))
    x = layers.AveragePooling2D(2)(layers.Conv2D(6, 5, activation="tanh")(picture))
    base = keras.Model(picture, layers.AveragePooling2D(2)(layers.Conv2D(16, 5, activation="tanh")(x)))
    head = keras.Sequential(
        [layers.Flatten(), layers.Dense(120, activation="tanh"), layers.Dense(84, activation="tanh")]
    )
    return keras.Sequential([keras.Input((size, size, channels)), base, head, layers.Dense(classes)])


def vgg16_base(classes: int, channels: int, size: int) -> Any:
    """Sequential(VGG16 without its top, Flatten, Dense ...), the usual transfer."""
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(size, size, channels))
    dense = [layers.Dense(4096, activation="relu"), layers.Dense(4096, activation="relu"), layers.Dense(classes)]
    return keras.Sequential([keras.Input((size, size, channels)), base, layers.Flatten(), *dense])


class Patches(layers.Layer):
    """Pictures to tokens, by a convolution as wide as a patch."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__(name="patch_embed")
        self.proj = layers.Conv2D(width, patch, strides=patch, padding="same")

    def call(self, pictures: Any) -> Any:
        """(N, H, W, C) -> (N, tokens, width)."""
        grid = self.proj(pictures)
        return keras.ops.reshape(grid, (-1, grid.shape[1] * grid.shape[2], grid.shape[3]))


class Tokens(layers.Layer):
    """The class token before the others, and a position embedding for each."""

    def __init__(self) -> None:
        super().__init__(name="cls_pos")

    def build(self, shape: tuple[int, ...]) -> None:
        """Both weights."""
        _, count, width = shape
        self.cls_token = self.add_weight(name="cls", shape=(1, 1, width), initializer="random_normal")
        self.pos_embed = self.add_weight(name="pos_embed", shape=(1, count + 1, width), initializer="random_normal")

    def call(self, tokens: Any) -> Any:
        """(N, tokens, width) -> (N, 1 + tokens, width)."""
        first = keras.ops.repeat(self.cls_token, keras.ops.shape(tokens)[0], axis=0)
        return keras.ops.concatenate([first, tokens], axis=1) + self.pos_embed


class Attention(layers.Layer):
    """Queries, keys and values from one dense layer, then another."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(name="MultiHeadAttention_1")
        self.heads, self.width = heads, width // heads
        self.qkv = layers.Dense(3 * width, name="qkv")
        self.proj = layers.Dense(width, name="out")

    def call(self, tokens: Any) -> Any:
        """(N, tokens, width) -> the same."""
        count = tokens.shape[1]
        parts = keras.ops.reshape(self.qkv(tokens), (-1, count, 3, self.heads, self.width))
        queries, keys, values = keras.ops.unstack(keras.ops.transpose(parts, (2, 0, 3, 1, 4)), 3)
        scores = keras.ops.matmul(queries, keras.ops.swapaxes(keys, 2, 3)) / self.width**0.5
        mixed = keras.ops.swapaxes(keras.ops.matmul(keras.ops.softmax(scores), values), 1, 2)
        return self.proj(keras.ops.reshape(mixed, (-1, count, self.heads * self.width)))


class Perceptron(layers.Layer):
    """Two dense layers with GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__(name="MlpBlock_3")
        self.fc1 = layers.Dense(4 * width, name="Dense_0", activation=lambda x: keras.ops.gelu(x, approximate=False))
        self.fc2 = layers.Dense(width, name="Dense_1")

    def call(self, tokens: Any) -> Any:
        """(N, tokens, width) -> the same."""
        return self.fc2(self.fc1(tokens))


class Block(layers.Layer):
    """Norm, attention, sum; norm, MLP, sum."""

    def __init__(self, width: int, heads: int, name: str) -> None:
        super().__init__(name=name)
        self.norm1 = layers.LayerNormalization(epsilon=1e-6, name="LayerNorm_0")
        self.attn = Attention(width, heads)
        self.norm2 = layers.LayerNormalization(epsilon=1e-6, name="LayerNorm_2")
        self.mlp = Perceptron(width)

    def call(self, tokens: Any) -> Any:
        """(N, tokens, width) -> the same."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class VisionTransformer(keras.Model):
    """ViT-B/16 as a subclassed model, with Google's names for its layers."""

    def __init__(self, classes: int, *, width: int = 768, depth: int = 12, heads: int = 12, patch: int = 16) -> None:
        super().__init__(name="ViT-B_16")
        self.classes = classes
        self.patch_embed = Patches(width, patch)
        self.cls_token_pos_embed = Tokens()
        self.blocks = [Block(width, heads, f"encoderblock_{number}") for number in range(depth)]
        self.norm = layers.LayerNormalization(epsilon=1e-6, name="encoder_norm")
        self.head = layers.Dense(classes, name="head")

    def call(self, pictures: Any) -> Any:
        """(N, H, W, C) -> (N, classes)."""
        tokens = self.cls_token_pos_embed(self.patch_embed(pictures))
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens)[:, 0])

    def get_config(self) -> dict[str, Any]:
        """What an archive has beside the weights."""
        return {"classes": self.classes}


def vit_b_16(classes: int, channels: int, size: int) -> Any:
    """The class, built."""
    model = VisionTransformer(classes)
    model(keras.ops.zeros((1, size, size, channels)))
    return model
