"""References from Keras: its applications, and the taught networks of keras_networks.py."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf
import torch
from cases import OWN_STATISTICS, Case, Reference, pictures_for
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from keras.src.models.functional import Functional
from keras_networks import NETWORKS

from pictaxa.config.learning import Normalization
from pictaxa.models.contract import Classifier
from pictaxa.models.zoo import find_entry
from pictaxa.weights.loading import load_weights

NOTHING: Mapping[str, object] = MappingProxyType({})


class KerasReference:
    """A Keras model on TensorFlow, fed with RGB in [0, 1].

    For the proof it computes in float64, with weights that float32 holds exactly; for timing in float32, and in a
    process of its own.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        case: Case,
        *,
        normalization: Normalization,
    ) -> None:
        self.make, self.case, self.normalization = make, case, normalization
        self.process: subprocess.Popen[str] | None = None
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
        """Through each of Keras' four kinds of file, and the newest as an older Keras 3 wrote it; all give the same."""
        first: dict[str, torch.Tensor] = {}
        with TemporaryDirectory() as folder:
            for file in self._save(Path(folder)):
                load_weights(model, file, source="keras", normalization=self.normalization)
                first = first or {name: value.clone() for name, value in model.state_dict().items()}
                same = all(torch.equal(value, first[name]) for name, value in model.state_dict().items())
                assert same, f"{file.name} gives other weights"

    def _save(self, folder: Path) -> Iterator[Path]:
        """The model as legacy weights, a legacy whole model, an archive, Keras 3's weights, and those without layers'
        names; one file at a time, as VGG's take a gigabyte each.

        Of heads side by side nothing but their names tells which is which: such a model has no file without.
        """
        legacy, whole, archive, new = (
            folder / name for name in ("legacy.h5", "whole.h5", "model.keras", "new.weights.h5")
        )
        with h5py.File(legacy, "w") as file:
            save_weights_to_hdf5_group(file, self.model)
        yield legacy
        legacy.unlink()
        subclassed = not isinstance(self.model, (keras.Sequential, Functional))
        for path in (archive,) if subclassed else (whole, archive):  # Keras saves no class as a legacy whole model
            self.model.save(path)
            yield path
            path.unlink()
        self.model.save_weights(new)
        yield new
        if subclassed or len(self.model.outputs) == 1:
            nameless = new.rename(folder / "nameless.weights.h5")
            with h5py.File(nameless, "r+") as file:
                groups: list[Any] = []
                file.visititems(lambda _, item: groups.append(item))
                for group in groups:
                    group.attrs.pop("name", None)
            yield nameless

    def _prepare(self, images: Any) -> Any:
        """(N, C, H, W) in [0, 1] -> (N, H, W, C) as the model takes it, of the same precision."""
        pictures = tf.transpose(images, (0, 2, 3, 1))
        if self.normalization == "-1-1":
            return pictures * 2 - 1
        if self.normalization == "caffe":
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
        return lambda: self._ask("forward", len(images))

    def train_step(self, images: np.ndarray, labels: np.ndarray) -> Callable[[], None]:
        return lambda: self._ask("step", len(images))

    def _ask(self, what: str, count: int) -> None:
        """Let the model's own process do it."""
        if self.process is None:
            case = self.case
            numbers = (case.classes, case.channels, case.size, count)
            command = [sys.executable, str(Path(__file__).with_name("keras_timing.py")), case.reference]
            self.process = subprocess.Popen(
                [*command, *map(str, numbers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        print(what, file=self.process.stdin, flush=True)
        if self.process.stdout.readline() != "done\n":
            raise RuntimeError("the model's process ended")

    def close(self) -> None:
        if self.process is not None:
            self.process.communicate()  # no more lines: it ends
            self.process = None


def _case(
    entry: str, label: str, normalization: Normalization, *, options: Mapping[str, object] = NOTHING, **more: Any
) -> Case:
    def build(case: Case) -> Reference:
        def make() -> Any:
            return NETWORKS[label](case.classes, case.channels, case.size)

        return KerasReference(make, case, normalization=normalization)

    return Case(entry, label, build, options={**find_entry(entry).known_to("keras").options, **options}, **more)


def _application(entry: str, name: str, normalization: Normalization, **more: Any) -> Case:
    own = find_entry(entry).family in OWN_STATISTICS
    return _case(entry, f"keras {name}", normalization, own_statistics=own, **more)


def _taught(entry: str, label: str, **more: Any) -> Case:
    return _case(entry, label, "0-1", **more)


CASES: tuple[Case, ...] = (
    _taught("simple_cnn", "TensorFlow quick-start", classes=10, channels=1, size=28),
    _taught("lenet5", "LeNet-5 in Keras", classes=10, channels=1, size=32),
    _taught("lenet5", "LeNet-5 with a base within it", classes=10, channels=1, size=32),
    _taught("lenet5", "LeNet-5 of three models", classes=10, channels=1, size=32),
    _taught("alexnet", "one tower in Keras", classes=10, channels=1, size=227),
    _taught("alexnet_half", "half width in Keras", classes=5),
    _taught("alexnet_half_slim", "half width, slim head in Keras", classes=5),
    _application("vgg16", "VGG16", "caffe"),
    _application("vgg19", "VGG19", "caffe"),
    _case("vgg16", "VGG16 base, Flatten, Dense", "caffe", classes=5),
    _case("vit_b_16", "a subclassed ViT in Keras", "-1-1", classes=5, gradient=False),
    _taught("googlenet", "the paper's in Keras", classes=5),
    _taught("googlenet", "without auxiliary heads in Keras", classes=5, options={"aux": False}),
    _taught("googlenet", "its aux_pool=same variant in Keras", classes=10, options={"aux_pool": "same"}),
    _application("inception_v3", "InceptionV3", "-1-1", size=299, options={"aux": False}),
    *(_taught(f"resnet{depth}", f"a TF-same port of ResNet-{depth}", classes=5) for depth in (34, 50, 101)),
    *(_application(f"resnet{depth}_v1", f"ResNet{depth}", "caffe") for depth in (50, 101, 152)),
    _taught("resnet50_course", "the exercise in Keras", classes=6, size=64),
    _taught("resnet50_course_leaky", "its LeakyReLU variant in Keras", classes=5, size=128),
    _taught("resnet18_textbook", "the textbook's in Keras", classes=10, channels=1),
    *(_application(f"resnet{depth}v2", f"ResNet{depth}V2", "-1-1") for depth in (50, 101, 152)),
    _application("mobilenet_v1", "MobileNet", "-1-1"),
    _application("mobilenet_v2", "MobileNetV2", "-1-1"),
    _application("mobilenet_v3_small", "MobileNetV3Small", "-1-1"),
    _application("mobilenet_v3_large", "MobileNetV3Large", "-1-1"),
)
