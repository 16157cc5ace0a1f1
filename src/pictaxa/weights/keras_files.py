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

from ..extras import need
from .foreign import check_zip, refusal

ARCHIVED = "model.weights.h5"
DEEPEST = 64  # groups within groups
# Top-level groups that are not layers.
_NO_LAYERS = re.compile(r"optimizer.*|metrics.*|compile_metrics|loss_tracker|top_level_model_weights|seed_generator.*")


@dataclass(frozen=True)
class StoredLayer:
    """A layer of a file that has weights."""

    name: str  # its own; or, where the file does not keep it, its place in the file
    arrays: dict[str, np.ndarray]  # kernel, depthwise_kernel, bias, gamma, beta, moving_mean, moving_variance


def read_layers(path: Path, *, most_values: int) -> list[StoredLayer]:
    """The layers with weights in their order, at most `most_values` numbers in all.

    In Keras 3's files the order is known among layers of one class only. WeightsError for files that are cut short,
    lead out of themselves, hold code, or are much larger than the model.
    """
    h5py = need("h5py", extra="keras")
    try:
        if zipfile.is_zipfile(path):
            source: Any = io.BytesIO(_archived(path, most_bytes=8 * most_values))
        else:
            source = path
        with h5py.File(source, "r") as file:
            reader = _Reader(path, h5py, most_values)
            layers = reader.read(file)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise refusal(path, "a whole Keras file (.h5, .weights.h5, .keras)", found=str(error)[:200]) from None
    if not layers:
        raise refusal(path, "layers with weights", found="none", fix="Save it with model.save_weights(FILE).")
    return layers


def _archived(path: Path, *, most_bytes: int) -> bytes:
    """The weights within a `.keras` archive."""
    check_zip(path, most_bytes=most_bytes)
    with zipfile.ZipFile(path) as archive:
        if ARCHIVED not in archive.namelist():
            raise refusal(path, f"{ARCHIVED} in the archive", found=", ".join(archive.namelist()[:5]))
        if "config.json" in archive.namelist():
            with archive.open("config.json") as config:
                _refuse_lambda(path, config.read(2**26).decode("utf-8", errors="replace"))
        return archive.read(ARCHIVED)


def _refuse_lambda(path: Path, config: str) -> None:
    if re.search(r'"class_name":\s*"Lambda"', config):
        raise refusal(
            path, "layers whose work is known by their name", found="a Lambda layer, which is code; nothing was run",
            fix="Build the model without it and save its weights: model.save_weights(FILE).",
        )  # fmt: skip


class _Reader:
    """Walks one file, and counts what it holds before anything is read."""

    def __init__(self, path: Path, h5py: Any, most_values: int) -> None:
        self.path = path
        self.h5py = h5py
        self.values_left = most_values

    def read(self, file: Any) -> list[StoredLayer]:
        """The layers, whichever form the file has."""
        self._check_links(file, depth=0)
        config = file.attrs.get("model_config")
        if config is not None:
            _refuse_lambda(self.path, config.decode() if isinstance(config, bytes) else str(config))
        root = file.get("model_weights", file)
        if "layer_names" in root.attrs or "layer_names0" in root.attrs:
            return list(self._legacy(root))
        return list(self._nested(file, ""))

    def _check_links(self, group: Any, *, depth: int) -> None:
        """Nothing may lead to another file, nor in circles."""
        if depth > DEEPEST:
            raise refusal(self.path, f"groups at most {DEEPEST} deep", found="more, or a circle")
        for key in group:
            if not isinstance(group.get(key, getlink=True), self.h5py.HardLink):
                raise refusal(self.path, "weights in the file itself", found=f"a link at {group.name}/{key}")
            item = group[key]
            if isinstance(item, self.h5py.Group):
                self._check_links(item, depth=depth + 1)
            elif isinstance(item, self.h5py.Dataset) and (item.external or item.is_virtual):
                raise refusal(self.path, "weights in the file itself", found=f"data elsewhere at {item.name}")

    def _array(self, dataset: Any) -> np.ndarray:
        """The numbers of a dataset, unless there are too many."""
        self.values_left -= dataset.size
        if self.values_left < 0:
            raise refusal(
                self.path, "about as many numbers as the model has", found=f"more, {dataset.shape} at {dataset.name}",
                fix="Check the model's name.",
            )  # fmt: skip
        return np.asarray(dataset[()], dtype=np.float32)

    def _legacy(self, root: Any) -> Iterator[StoredLayer]:
        for layer in _names(root, "layer_names"):
            owners: dict[str, dict[str, np.ndarray]] = {}  # a model within the model has many layers
            for weight in _names(root[layer], "weight_names"):
                parts = weight.split("/")
                owner = parts[-2] if len(parts) > 1 else layer
                owners.setdefault(owner, {})[parts[-1].partition(":")[0]] = self._array(root[layer][weight])
            for owner, arrays in owners.items():
                yield StoredLayer(owner, arrays)

    def _nested(self, group: Any, place: str) -> Iterator[StoredLayer]:
        variables = group.get("vars")
        if variables is not None:
            arrays = [self._array(variables[key]) for key in sorted(variables, key=int) if _is_float(variables[key])]
            if arrays:
                name = variables.attrs.get("name", place)
                yield StoredLayer(name.decode() if isinstance(name, bytes) else str(name), _by_shape(arrays))
        for key in sorted(group, key=_natural):
            if key != "vars" and isinstance(group[key], self.h5py.Group) and not _NO_LAYERS.fullmatch(key):
                yield from self._nested(group[key], f"{place}/{key}".strip("/"))


def _names(group: Any, attribute: str) -> list[str]:
    """An attribute that lists names; long ones are split over `NAME0`, `NAME1`, ..."""
    values = group.attrs.get(attribute)
    if values is None:
        values, number = [], 0
        while f"{attribute}{number}" in group.attrs:
            values.extend(group.attrs[f"{attribute}{number}"])
            number += 1
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _is_float(dataset: Any) -> bool:
    return dataset.dtype.kind == "f"  # a dropout's random state is not


def _natural(key: str) -> tuple[tuple[str, int], ...]:
    """conv2d, conv2d_1, conv2d_2, ..., conv2d_10."""
    word, _, number = key.rpartition("_")
    return ((word, int(number)),) if word and number.isdigit() else ((key, -1),)


def _by_shape(arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Keras 3 numbers a layer's variables: a kernel first, or batch norm's gamma, beta, mean and variance."""
    if arrays[0].ndim > 1:
        return dict(zip(("kernel", "bias"), arrays, strict=False))
    words = ("gamma", "beta", "moving_mean", "moving_variance")
    if len(arrays) > len(words):
        return {str(place): array for place, array in enumerate(arrays)}  # no layer of ours: left for the error to name
    return dict(zip(words[4 - len(arrays) :], arrays, strict=True))  # without scale, gamma is what is absent
