"""How weights were fed: what is known of it, and how it comes into a model with them.

A network knows pictures only as its training showed them. Where that is known (a run's own weights, a converted file, a
published file, Google's), another --normalization is a mistake and refused; of any other file the owner is believed.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import torch

from ..config.learning import Normalization, Source
from ..errors import ConfigError
from ..models.contract import NORMALIZATIONS, Classifier
from ..models.entry import Published
from ..models.zoo import find_entry
from .adapt import first_convolution
from .translated import Translated

USUAL: dict[Source, Normalization] = {"torchvision": "imagenet"}  # of a library's own weights, whatever the network
ALWAYS: tuple[Source, ...] = ("jax",)  # whose code feeds its networks in one way only
SAME = 1e-4  # between two means or deviations, of pictures in [0, 1]; lite and -1-1 are 2e-3 apart


def published_normalization(row: Published) -> Normalization | None:
    """How published weights were fed; None where their publisher does not say."""
    return row.normalization or USUAL.get(row.source)


def check_normalization(asked: Normalization | None, known: Normalization | None, *, whose: str) -> None:
    """Refuse a normalization other than the weights were trained with.

    Args:
        asked: what --normalization says; None where it says nothing.
        known: how the weights were fed; None where nobody knows.
        whose: the weights, in words.

    Raises:
        ConfigError: the two differ.
    """
    if asked is not None and known is not None and asked != known:
        raise _contradiction(asked, known, whose=whose)


def _contradiction(asked: Normalization, known: str, *, whose: str) -> ConfigError:
    return ConfigError(
        f"--normalization {known}, with which {whose} were trained", found=asked,
        fix=f"Use --normalization {known}, or leave it out." if known in NORMALIZATIONS else "Leave it out.",
    )  # fmt: skip


def settle_normalization(
    model: Classifier, file: Path, weights: Translated, *, source: Source, asked: Normalization | None
) -> None:
    """Check a normalization against what is known of a file, and add what counts to its weights.

    Args:
        model: the entry that the weights are for; it may be on the meta device, and stays as it is.
        file: where they are from.
        weights: the weights by our names; changed in place.
        source: whose file it is.
        asked: how they are said to have been fed; None where nothing is said.

    Raises:
        ConfigError: it is known that they were fed otherwise.

    Example:
        settle_normalization(model, Path("resnet50.pth"), weights, source="torchvision", asked=None)
    """
    if source == "pictaxa" and {"mean", "std"} <= weights.tensors.keys():  # they say it themselves
        _check_own(weights, asked, file=file)
        return
    entry = find_entry(model.entry)
    row = entry.published if entry.published is not None and entry.published.source == source else None
    usual = entry.known_to(source).normalization or (published_normalization(row) if row is not None else None)
    if asked is not None and usual is not None and asked != usual:
        if source in ALWAYS:
            check_normalization(asked, usual, whose="these weights")
        if row is not None and _is_published(file, row):
            check_normalization(asked, published_normalization(row), whose=f"the published weights of {model.entry}")
        else:
            library = {"keras": "Keras", "jax": "Google"}.get(source, source)
            weights.notes.append(
                f"{library}'s own {model.entry} takes --normalization {usual}; these weights are taken as trained with "
                f"{asked}"
            )
    settled = asked or entry.known_to(source).normalization
    if settled is not None:
        add_normalization(model, weights, settled)


def _check_own(weights: Translated, asked: Normalization | None, *, file: Path) -> None:
    """ConfigError where weights say of themselves that they were fed otherwise."""
    mean, std = weights.tensors["mean"].float(), weights.tensors["std"].float()
    distances = {name: _distance(name, mean, std) for name in NORMALIZATIONS}
    nearest = min(distances, key=lambda name: distances[name])
    if asked is not None and distances[asked] > SAME:
        own = nearest if distances[nearest] <= SAME else "of their own"
        raise _contradiction(asked, own, whose=f"the weights in {str(file)!r}")


def _distance(name: Normalization, mean: torch.Tensor, std: torch.Tensor) -> float:
    """How far (C,) means and deviations are from those of a normalization, averaged over the colours for grey."""
    distance = 0.0
    for value, numbers in zip((mean, std), NORMALIZATIONS[name], strict=True):
        wanted = torch.tensor(numbers)
        wanted = wanted.mean().view(1) if value.shape == (1,) else wanted
        distance = max(distance, float((value - wanted).abs().max()) if value.shape == wanted.shape else math.inf)
    return distance


def _is_published(file: Path, row: Published) -> bool:
    """Whether a file is the one that a row tells of, by its digest."""
    algorithm, _, digest = row.digest.partition(":")
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest().startswith(digest)


def add_normalization(model: Classifier, weights: Translated, normalization: Normalization) -> None:
    """Add the normalization that weights expect to the weights. Kernels for BGR become kernels for RGB.

    Args:
        model: the entry that the weights are for; it stays as it is.
        weights: the weights by our names; changed in place: `mean` and `std` are set, and with "caffe" the channels of
            the first convolution are reversed.
        normalization: what the weights expect, of NORMALIZATIONS.

    Example:
        add_normalization(model, weights, "-1-1")
    """
    tensors = weights.tensors
    mean, std = (torch.tensor(values) for values in NORMALIZATIONS[normalization])
    first = first_convolution(model)
    channels = tensors[first].shape[1] if first in tensors and tensors[first].ndim == 4 else 3
    if channels == 1:
        mean, std = mean.mean().view(1), std.mean().view(1)
    elif normalization == "caffe" and first in tensors and tensors[first].ndim == 4:
        tensors[first] = tensors[first].flip(1)
    tensors["mean"], tensors["std"] = mean, std
