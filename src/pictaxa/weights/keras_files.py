"""Keras' weight files as layers with arrays, without Keras: legacy `.h5`, `.weights.h5` and `.keras`.

    legacy    a group for each layer, under the root or `model_weights`; the attribute `layer_names` gives their order
    Keras 3   groups nested as the model is, `layers/conv2d_17/vars/0`; `vars` keeps the layer's own name
              in newer versions
    .keras    an archive with the second kind in it, as model.weights.h5

Only arrays and names are read. A Lambda layer is refused, as its code is part of the model and can't come along.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WeightsError
from ..system.extras import need
from .foreign import check_zip, reading, refusal
from .keras_bytes import check_heaps, check_texts, refuse_lambda

ARCHIVED = "model.weights.h5"
ATTRIBUTES = ("layer_names", "weight_names", "name")  # all that are read
DEEPEST = 64  # groups within groups
_LARGEST = 32  # bytes of a file for each number that may be read: with an optimizer's, and others of twice the length
# What a convolution or a dense layer has, and a batch norm; Keras 3 numbers them in this order.
_PRODUCT = ("kernel", "bias")
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_TOKENS = ("cls", "pos_embed")  # a transformer's class token and position embeddings, (1, tokens, width)
_WORDS = {*_PRODUCT, *_NORM, *_TOKENS, "depthwise_kernel"}
# Groups that are not layers, unless they stand among the layers, and whose they are.
_NO_LAYERS = (
    (re.compile("optimizer.*"), "of the optimizer"),
    (re.compile("(compile_)?metrics.*|loss_tracker"), "of the metrics"),
    (re.compile("seed_generator.*"), "a random state"),
    (re.compile("top_level_model_weights"), "of no layer"),
)


@dataclass(frozen=True)
class StoredLayer:
    """A layer of a file that has weights; another may have the same name, in another part of the model."""

    name: str  # its own; or, where the file does not keep it, its place in the file
    arrays: dict[str, np.ndarray]  # kernel, depthwise_kernel, bias, gamma, beta, moving_mean, moving_variance, _TOKENS
    place: str = ""  # the groups in which it lies: attributes of the models around it in Keras 3, their names in .h5
    in_order: bool = False  # whether the file has its layers in the order of the graph, as legacy ones do


@dataclass(frozen=True)
class Stored:
    """All that a file has."""

    layers: list[StoredLayer]
    dropped: dict[str, str]  # what no layer has, the like together -> the reason, "of the optimizer"


def read_file(path: Path, *, max_values: int) -> Stored:
    """The layers with weights in their order, at most `max_values` numbers in all, and what else is in the file.

    In Keras 3's files the order is known among layers of one class only. WeightsError for files that are cut short,
    lead out of themselves, hold code, or are much larger than the model.
    """
    h5py = need("h5py", extra="keras")
    with reading(path, "a whole Keras file (.h5, .weights.h5, .keras)", most_bytes=_LARGEST * max_values):
        packed = zipfile.is_zipfile(path)
        with io.BytesIO(_archived(path, most_bytes=8 * max_values)) if packed else path.open("rb") as source:
            refuse_lambda(path, source)
            check_heaps(source)
            check_texts(source, ATTRIBUTES)
            with h5py.File(source if packed else path, "r") as file:
                reader = _Reader(path, h5py, max_values)
                stored = Stored(reader.read(file), reader.dropped())
    if not stored.layers:
        raise refusal(path, "layers with weights", found="none", fix="Save it with model.save_weights(FILE).")
    return stored


def _archived(path: Path, *, most_bytes: int) -> bytes:
    """The weights within a `.keras` archive."""
    check_zip(path, most_bytes=most_bytes)
    with zipfile.ZipFile(path) as archive:
        if ARCHIVED not in archive.namelist():
            raise refusal(path, f"{ARCHIVED} in the archive", found=", ".join(archive.namelist()[:5]) or "nothing")
        if "config.json" in archive.namelist():
            with archive.open("config.json") as config:
                refuse_lambda(path, config)
        return archive.read(ARCHIVED)


class _Reader:
    """Walks one file, and counts what it holds before anything is read."""

    def __init__(self, path: Path, h5py: Any, max_values: int) -> None:
        self.path = path
        self.h5py = h5py
        self.values_left = max_values
        self.unread: dict[str, str] = {}  # a dataset's name -> its kind of numbers
        self.seen: set[int] = set()  # addresses of groups and datasets

    def read(self, file: Any) -> list[StoredLayer]:
        """The layers, whichever form the file has."""
        plan = file.id.get_create_plist()
        if plan.get_sizes() != (8, 8) or plan.get_userblock():  # texts were looked for with these
            raise ValueError("addresses of another length, or from another beginning, than Keras writes")
        self._walk(file, depth=0)
        root = file.get("model_weights", file)
        if "layer_names" in root.attrs or "layer_names0" in root.attrs:
            return list(self._legacy(root))
        return list(self._nested(file, ""))

    def dropped(self) -> dict[str, str]:
        """What was not read, by the first of each reason, and the reasons."""
        names: dict[str, list[str]] = {}
        for name, kind in self.unread.items():
            owners = (reason for part in name.split("/") for words, reason in _NO_LAYERS if words.fullmatch(part))
            reason = "whole numbers: a counter or a random state" if kind in "iub" else "of no layer"
            names.setdefault(next(owners, reason), []).append(name.strip("/"))
        return {
            own[0] if len(own) == 1 else f"{own[0]} and {len(own) - 1} more": reason for reason, own in names.items()
        }

    def _walk(self, group: Any, *, depth: int) -> None:
        """Nothing may lead to another file, nor twice to one place: in circles, or to twice as much at every step."""
        if depth > DEEPEST:
            raise refusal(self.path, f"groups at most {DEEPEST} deep", found="more")
        for key in group:
            link = group.id.links.get_info(key.encode("utf-8", errors="surrogateescape"))
            if link.type != self.h5py.h5l.TYPE_HARD:
                raise refusal(self.path, "weights in the file itself", found=f"a link at {group.name}/{key}")
            if link.u in self.seen:  # the address of what it leads to; Keras writes each once
                raise refusal(
                    self.path,
                    "each group and array in one place",
                    found=f"a cycle, or a second copy, at {group.name}/{key}",
                )
            self.seen.add(link.u)
            item = group[key]
            if isinstance(item, self.h5py.Group):
                self._walk(item, depth=depth + 1)
            elif isinstance(item, self.h5py.Dataset):
                if item.external or item.is_virtual:
                    raise refusal(self.path, "weights in the file itself", found=f"external data at {item.name}")
                self.unread[item.name] = item.dtype.kind

    def _array(self, dataset: Any) -> np.ndarray:
        """The numbers of a dataset, unless there are too many."""
        if self.unread.pop(dataset.name, "") != "f" or dataset.dtype.itemsize > 8:
            raise refusal(self.path, "an array of numbers, once", found=f"{dataset.dtype} at {dataset.name}")
        self.values_left -= dataset.size
        if self.values_left < 0:
            raise refusal(
                self.path, "about as many values as the model has", found=f"more, {dataset.shape} at {dataset.name}",
                fix="Check the model's name.",
            )  # fmt: skip
        if dataset.chunks is not None:  # what a few bytes unpack to, no size tells; Keras writes none
            raise refusal(
                self.path, "arrays as Keras writes them", found=f"a compressed or chunked one at {dataset.name}",
                fix="Save the weights again with Keras.",
            )  # fmt: skip
        with np.errstate(over="ignore"):  # what is not finite then, filling refuses
            return np.asarray(dataset[()], dtype=np.float32)

    def _is_counter(self, dataset: Any) -> bool:
        """Whether it holds whole numbers, as a dropout's random state does; it stays unread."""
        return self.unread.get(dataset.name, "") in ("i", "u", "b")

    def _legacy(self, root: Any) -> Iterator[StoredLayer]:
        for layer in self._names(root, "layer_names"):
            owners: dict[str, dict[str, np.ndarray]] = {}  # a model within the model has many layers
            for weight in self._names(root[layer], "weight_names"):
                owner, _, variable = (weight if "/" in weight else f"{layer}/{weight}").rpartition("/")
                word = variable.partition(":")[0]
                dataset, arrays = root[layer][weight], owners.setdefault(owner, {})
                if self._is_counter(dataset):
                    continue
                if word not in _WORDS or word in arrays:
                    raise self._no_layer(f"{variable} at {dataset.name}")
                arrays[word] = self._array(dataset)
            for owner, arrays in owners.items():
                if arrays:
                    yield StoredLayer(owner.rpartition("/")[2], arrays, owner, in_order=True)

    def _nested(self, group: Any, place: str) -> Iterator[StoredLayer]:
        variables = group.get("vars")
        if isinstance(variables, self.h5py.Group):
            datasets = [variables[key] for key in sorted(variables, key=int)]
            arrays = [self._array(dataset) for dataset in datasets if not self._is_counter(dataset)]
            if arrays:
                name = self._texts(variables, "name")[0] if "name" in variables.attrs else place
                yield StoredLayer(name, self._by_shape(arrays, place), place)
        among_layers = place.rpartition("/")[2] == "layers"
        for key in sorted(group, key=_natural):
            is_layer = among_layers or not any(words.fullmatch(key) for words, _ in _NO_LAYERS)
            if key != "vars" and is_layer and isinstance(group[key], self.h5py.Group):
                yield from self._nested(group[key], f"{place}/{key}".strip("/"))

    def _by_shape(self, arrays: list[np.ndarray], place: str) -> dict[str, np.ndarray]:
        """Keras 3 numbers a layer's variables: a kernel first, or batch norm's gamma, beta, mean and variance."""
        words = _PRODUCT if arrays[0].ndim > 1 else _NORM[-len(arrays) :]  # without scale, gamma is what is absent
        if all(array.ndim == 3 for array in arrays):
            words = _TOKENS
        if len(arrays) > len(words):
            raise self._no_layer(f"{len(arrays)} variables at {place or 'the root'}")
        return dict(zip(words, arrays, strict=False))

    def _no_layer(self, found: str) -> WeightsError:
        return refusal(
            self.path, "convolutions, dense layers and batch norms", found=found,
            fix="A network of the zoo has no other layers with weights; take them out and save the model again.",
        )  # fmt: skip

    def _names(self, group: Any, attribute: str) -> list[str]:
        """An attribute that lists names; long ones are split over `NAME0`, `NAME1`, ..."""
        if attribute in group.attrs:
            return self._texts(group, attribute)
        values: list[str] = []
        number = 0
        while f"{attribute}{number}" in group.attrs:
            values += self._texts(group, f"{attribute}{number}")
            number += 1
        return values

    def _texts(self, group: Any, attribute: str) -> list[str]:
        """An attribute's text or texts; HDF5 can end the process where something else is read as such."""
        stored = group.attrs.get_id(attribute)
        if 0 in stored.shape:
            return []  # of no type that means anything
        if not isinstance(stored.get_type(), self.h5py.h5t.TypeStringID):
            raise refusal(self.path, "layer names", found=f"no text as {attribute} at {group.name}")
        values = np.atleast_1d(np.asarray(group.attrs[attribute], dtype=object))
        return [value.decode() if isinstance(value, bytes) else str(value) for value in values.ravel()]


def _natural(key: str) -> tuple[tuple[str, int], ...]:
    """conv2d, conv2d_1, conv2d_2, ..., conv2d_10."""
    word, _, number = key.rpartition("_")
    return ((word, int(number)),) if word and number.isdigit() else ((key, -1),)
