"""References from Keras: its applications, and the taught networks of keras_networks.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import keras_networks
import numpy as np
import tensorflow as tf
from cases import OWN_STATISTICS, Case, Reference, pictures_for

from pictaxa.models.layers import Classifier
from pictaxa.models.zoo import find_entry
from pictaxa.weights import keras as keras_weights


class KerasReference:
    """A Keras model on TensorFlow, fed with RGB in [0, 1].

    For the proof it computes in float64, with weights that float32 holds exactly; for timing in float32.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        case: Case,
        *,
        feeding: keras_weights.Feeding,
        own_names: bool,
    ) -> None:
        self.make, self.case, self.feeding, self.own_names = make, case, feeding, own_names
        keras.config.set_floatx("float64")
        keras.backend.clear_session()  # counters in layer names start anew
        keras.utils.set_random_seed(0)
        self.model = make()
        keras.config.set_floatx("float32")
        self._randomise()
        self.parameters = int(sum(np.prod(variable.shape) for variable in self.model.trainable_variables))

    def _randomise(self) -> None:
        """Random scales, shifts, biases and statistics; see Case.own_statistics."""
        random = np.random.default_rng(1)
        norms = [layer for layer in self.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        for layer in self.model.layers:
            for variable in layer.weights:
                if variable.name in ("gamma", "moving_variance"):
                    variable.assign(random.uniform(0.5, 1.5, variable.shape))
                elif variable.name in ("beta", "bias", "moving_mean"):
                    variable.assign(random.uniform(-0.1, 0.1, variable.shape))
        if norms and self.case.own_statistics:
            momenta = [norm.momentum for norm in norms]
            for norm in norms:
                norm.momentum = 0.0
            pictures = pictures_for(self.case, count=4, seed=3)[0].astype(np.float64)
            self.model(self._prepare(pictures), training=True)
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum
                mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
                norm.moving_mean.assign(mean + random.uniform(-0.05, 0.05, mean.shape) * np.sqrt(variance))
                norm.moving_variance.assign(variance * random.uniform(0.9, 1.1, mean.shape))
        for variable in self.model.variables:  # to what float32 holds exactly
            if "float" in str(variable.dtype):
                variable.assign(variable.numpy().astype(np.float32).astype(np.float64))

    def give_weights(self, model: Classifier) -> None:
        arrays = {
            f"{layer.name}/{variable.name}": variable.numpy()
            for layer in self.model.layers
            for variable in layer.weights
        }
        keras_weights.load(model, arrays, name=self.case.entry, feeding=self.feeding, own_names=self.own_names)

    def _prepare(self, images: Any) -> Any:
        """(N, C, H, W) in [0, 1] -> (N, H, W, C) as the model takes it, of the same precision."""
        pictures = tf.transpose(images, (0, 2, 3, 1))
        if self.feeding == "-1-1":
            return pictures * 2 - 1
        if self.feeding == "caffe":
            return pictures[..., ::-1] * 255 - tf.constant([103.939, 116.779, 123.68], pictures.dtype)
        return pictures

    def heads(self, images: np.ndarray) -> list[np.ndarray]:
        out = self.model(self._prepare(images.astype(np.float64)), training=False)
        return [head.numpy().astype(np.float32) for head in (out if isinstance(out, list) else [out])]

    def gradient(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        pictures = tf.constant(images.astype(np.float64))
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            out = self.model(self._prepare(pictures), training=False)
            logits = out[0] if isinstance(out, list) else out
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        return tape.gradient(loss, pictures).numpy()

    def forward(self, images: np.ndarray) -> Callable[[], None]:
        model = self.make()
        call = tf.function(lambda pictures: model(pictures, training=False))
        pictures = self._prepare(images)

        def run() -> None:
            out = call(pictures)
            (out[0] if isinstance(out, list) else out).numpy()

        return run

    def train_step(self, images: np.ndarray, labels: np.ndarray) -> Callable[[], None]:
        model = self.make()
        outputs = len(model.outputs)
        model.compile(
            optimizer=keras.optimizers.SGD(1e-5, momentum=0.9),
            loss=[keras.losses.SparseCategoricalCrossentropy(from_logits=True) for _ in range(outputs)],
        )
        pictures = self._prepare(images).numpy()
        targets = [labels] * outputs if outputs > 1 else labels

        def run() -> None:
            model.train_on_batch(pictures, targets)

        return run


def _application(
    entry: str, name: str, feeding: keras_weights.Feeding, *, settings: dict[str, Any] | None = None, **more: Any
) -> Case:
    def make() -> Any:
        return getattr(keras.applications, name)(weights=None, classifier_activation=None, **(settings or {}))

    def build(case: Case) -> Reference:
        return KerasReference(make, case, feeding=feeding, own_names=False)

    own = find_entry(entry).family in OWN_STATISTICS
    return Case(entry, f"keras {name}", build, own_statistics=own, **more)


def _taught(entry: str, label: str, network: Callable[[int, int, int], Any], **more: Any) -> Case:
    def build(case: Case) -> Reference:
        def make() -> Any:
            return network(case.classes, case.channels, case.size)

        return KerasReference(make, case, feeding="0-1", own_names=True)

    return Case(entry, label, build, **more)


# Its own scaling rounds to float32 in a float64 model; [-1, 1] comes from us instead.
_OWN_SCALING = {"include_preprocessing": False}
_HALF_WIDTHS = (48, 128, 192, 192, 128)
_PAD = ((1, 2), (1, 2))

CASES: tuple[Case, ...] = (
    _taught("simple_cnn", "TensorFlow quick-start", keras_networks.simple_cnn, classes=10, channels=1, size=28),
    _taught("lenet5", "LeNet-5 in Keras", keras_networks.lenet5, classes=10, channels=1, size=32),
    _taught(
        "alexnet", "one tower in Keras",
        lambda k, c, s: keras_networks.alexnet(
            k, c, s, widths=(96, 256, 384, 384, 256), head=(4096, 4096), pad=0
        ),
        classes=10, channels=1, size=227,
    ),
    _taught(
        "alexnet_half", "half width in Keras",
        lambda k, c, s: keras_networks.alexnet(k, c, s, widths=_HALF_WIDTHS, head=(2048, 2048), pad=_PAD), classes=5,
    ),
    _taught(
        "alexnet_half_slim", "half width in Keras",
        lambda k, c, s: keras_networks.alexnet(k, c, s, widths=_HALF_WIDTHS, head=(1024, 128), pad=_PAD), classes=5,
    ),
    _application("vgg16", "VGG16", "caffe"),
    _application("vgg19", "VGG19", "caffe"),
    _taught("googlenet", "the paper's in Keras", keras_networks.googlenet, classes=5),
    _taught(
        "googlenet", "its aux_pool=same variant in Keras",
        lambda k, c, s: keras_networks.googlenet(k, c, s, aux_padding="same"),
        classes=10, options={"aux_pool": "same"},
    ),
    _application(
        "inception_v3", "InceptionV3", "-1-1", size=299, options={"aux": False, "pool_counts_padding": False}
    ),
    *(
        _taught(
            f"resnet{depth}", "a port with TF-same padding",
            lambda k, c, s, blocks=blocks, bottleneck=bottleneck: keras_networks.same_resnet(
                k, c, s, blocks=blocks, bottleneck=bottleneck
            ),
            classes=5, options={"padding": "same"},
        )
        for depth, blocks, bottleneck in (
            (34, (3, 4, 6, 3), False), (50, (3, 4, 6, 3), True), (101, (3, 4, 23, 3), True),
        )
    ),
    *(_application(f"resnet{depth}_v1", f"ResNet{depth}", "caffe") for depth in (50, 101, 152)),
    _taught("resnet50_course", "the exercise in Keras", keras_networks.course_resnet50, classes=6, size=64),
    _taught(
        "resnet50_course_leaky", "its LeakyReLU variant in Keras",
        lambda k, c, s: keras_networks.course_resnet50(k, c, s, slope=0.3, pool="same"), classes=5, size=128,
    ),
    _taught(
        "resnet18_textbook", "the textbook's in Keras",
        lambda k, c, s: keras_networks.same_resnet(
            k, c, s, blocks=(2, 2, 2, 2), bottleneck=False, bias=True, shortcut_norm=False, epsilon=1e-3
        ),
        classes=10, channels=1,
    ),
    *(_application(f"resnet{depth}v2", f"ResNet{depth}V2", "-1-1") for depth in (50, 101, 152)),
    _application("mobilenet_v1", "MobileNet", "-1-1"),
    _application("mobilenet_v2", "MobileNetV2", "-1-1", options={"padding": "same", "epsilon": 1e-3}),
    _application("mobilenet_v3_small", "MobileNetV3Small", "-1-1", settings=_OWN_SCALING, options={"padding": "same"}),
    _application("mobilenet_v3_large", "MobileNetV3Large", "-1-1", settings=_OWN_SCALING, options={"padding": "same"}),
)  # fmt: skip
