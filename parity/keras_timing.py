"""A Keras model on TensorFlow in a process of its own, for timing: in the one that runs ours it took up to six times as
long as alone.

    python keras_timing.py NETWORK CLASSES CHANNELS SIZE COUNT

Reads a line `forward` or `step`, does it, and answers with a line.
"""

from __future__ import annotations

import sys

import keras
import numpy as np
import tensorflow as tf
from keras_networks import NETWORKS


def main(label: str, classes: int, channels: int, size: int, count: int) -> None:
    """Build the model and serve lines until there are no more."""
    model = NETWORKS[label](classes, channels, size)
    outputs = len(model.outputs)
    model.compile(
        optimizer=keras.optimizers.SGD(1e-5, momentum=0.9),
        loss=[keras.losses.SparseCategoricalCrossentropy(from_logits=True) for _ in range(outputs)],
    )
    random = np.random.default_rng(0)
    pictures = random.random((count, size, size, channels), np.float32)
    labels = random.integers(0, classes, count)
    targets = [labels] * outputs if outputs > 1 else labels
    call = tf.function(lambda images: model(images, training=False))
    fed = tf.constant(pictures)
    for line in sys.stdin:
        if line.strip() == "forward":
            out = call(fed)
            (out[0] if isinstance(out, list) else out).numpy()
        else:
            model.train_on_batch(pictures, targets)
        print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
