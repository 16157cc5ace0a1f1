"""Keras on TensorFlow: transfer from the same ImageNet weights as its guide does it, or --from-nothing.

keras.applications' weights come from an address, and none is reached. So the network is EfficientNet-Lite0 built in
Keras' layers and filled from the file that the other sides take (to equal features, but for rounding). Then the guide
"Transfer learning & fine-tuning": flips and rotations, the frozen network's head by Adam for a third of the minutes,
then all of it by Adam at 1e-5, batch norms always in inference mode.
--from-nothing: the guide "Image classification from scratch", with keras.applications.MobileNetV2 (the same kind of
network and about as large) and Adam at 3e-4.
float32, batches of 32; pictures are decoded once and kept in memory; the last weights are kept, as the guides do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from shared import SIDE, Clock, answer, arguments, count_pictures, imagenet_file

BATCH = 32
NOTHING_SIDE = 180  # of the guide
HEAD_SHARE = 1 / 3  # of the minutes
# Repeats, kernel, stride, expansion, channels: EfficientNet-B0's, and Lite0's.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def normed(x: Any, layer: layers.Layer, *, active: bool = True) -> Any:
    """Convolution, batch norm, ReLU6."""
    x = layers.BatchNormalization(epsilon=1e-3)(layer(x))
    return layers.ReLU(6.0)(x) if active else x


def conv(channels: int, kernel: int = 1, stride: int = 1) -> layers.Layer:
    """Padded as TensorFlow does."""
    return layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False)


def lite0() -> keras.Model:
    """EfficientNet-Lite0 up to its 1,280 maps."""
    inputs = x = keras.Input((SIDE, SIDE, 3))
    x = normed(x, conv(32, 3, 2))
    for repeats, kernel, stride, expansion, channels in STAGES:
        for number in range(repeats):
            before, step = x, 1 if number else stride
            if expansion > 1:
                x = normed(x, conv(expansion * x.shape[-1]))
            x = normed(x, layers.DepthwiseConv2D(kernel, step, padding="same", use_bias=False))
            x = normed(x, conv(channels), active=False)
            if number:
                x = layers.Add()([x, before])
    return keras.Model(inputs, normed(x, conv(1280)))


def fill(model: keras.Model) -> keras.Model:
    """From the file, whose tensors stand in the layers' order."""
    import torch

    file = torch.load(imagenet_file(), weights_only=True).items()
    tensors = (value.numpy() for name, value in file if not name.endswith("num_batches_tracked"))
    for layer in model.layers:
        if not layer.weights:
            continue
        values = [next(tensors) for _ in layer.weights]
        if isinstance(layer, layers.DepthwiseConv2D):
            values = [values[0].transpose(2, 3, 0, 1)]  # (channels, 1, h, w) to (h, w, channels, 1)
        elif isinstance(layer, layers.Conv2D):
            values = [values[0].transpose(2, 3, 1, 0)]  # (out, in, h, w) to (h, w, in, out)
        layer.set_weights(values)
    assert len(list(tensors)) == 2, "the classifier alone is left over"
    return model


class Until(keras.callbacks.Callback):
    """Ends a training at a time, and counts its pictures."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self.clock, self.end, self.batches = clock, seconds, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The last batches of an epoch are smaller, by less than counts."""
        self.batches += 1
        if self.clock.seconds >= self.end:
            self.model.stop_training = True


def pictures_of(folder: Path, *, side: int, seed: int) -> tuple[tf.data.Dataset, tf.data.Dataset, int]:
    """Training batches, validation batches, classes."""
    ways = {"image_size": (side, side), "batch_size": BATCH, "verbose": False}
    train = keras.utils.image_dataset_from_directory(folder / "train", seed=seed, shuffle=False, **ways)
    val = keras.utils.image_dataset_from_directory(folder / "val", shuffle=False, **ways)
    classes = len(train.class_names)
    assert train.class_names == val.class_names, "train/ and val/ have different classes"
    varied = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])
    kept = train.unbatch().cache().shuffle(count_pictures(folder / "train"), seed=seed).batch(BATCH)
    train = kept.map(lambda images, labels: (varied(images, training=True), labels), tf.data.AUTOTUNE)
    return train.prefetch(tf.data.AUTOTUNE), val.cache().prefetch(tf.data.AUTOTUNE), classes


def main() -> None:
    """Train, judge, answer."""
    parser = arguments(__doc__)
    parser.add_argument("--from-nothing", action="store_true")
    asked = parser.parse_args()
    keras.utils.set_random_seed(asked.seed)
    side = NOTHING_SIDE if asked.from_nothing else SIDE
    train, val, classes = pictures_of(asked.folder, side=side, seed=asked.seed)
    inputs = keras.Input((side, side, 3))
    if asked.from_nothing:
        backbone = keras.applications.MobileNetV2((side, side, 3), include_top=False, weights=None)
        maps = backbone(layers.Rescaling(1 / 127.5, -1)(inputs))
        phases = [(True, 3e-4, 1.0)]  # whether the network is trained too, rate, until which part of the minutes
    else:
        backbone = fill(lite0())
        maps = backbone(layers.Rescaling(1 / 128, -127 / 128)(inputs), training=False)
        phases = [(False, 1e-3, HEAD_SHARE), (True, 1e-5, 1.0)]
    outputs = layers.Dense(classes, "softmax")(layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(maps)))
    model = keras.Model(inputs, outputs)
    clock, batches = Clock(), 0
    for trainable, rate, share in phases:
        backbone.trainable = trainable
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        until = Until(clock, share * asked.minutes * 60)
        model.fit(train, validation_data=val, epochs=10_000, callbacks=[until], verbose=0)
        batches += until.batches
    seconds, (_, accuracy) = clock.seconds, model.evaluate(val, verbose=0)
    pictures = count_pictures(asked.folder / "train")
    seen = batches * pictures / int(np.ceil(pictures / BATCH))
    answer(
        accuracy=accuracy,
        pictures=count_pictures(asked.folder / "val"),
        epochs=seen / pictures,
        rate=seen / seconds,
        packages=("tensorflow-cpu", "keras"),
        note="float32",
    )


if __name__ == "__main__":
    main()
