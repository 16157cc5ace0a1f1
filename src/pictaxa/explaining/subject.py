"""What is looked at: a network with its weights, from a run or an entry of the zoo, and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..augment.policy import Policy, find_policy
from ..augment.preprocess import Geometry, model_input
from ..config.by_name import read_config_file
from ..config.learning import NO_WEIGHTS, Normalization, Source
from ..config.usual import FROM_KNOWN
from ..data.cache_folder import default_cache_root
from ..errors import ConfigError, MissingExtraError, ModelError
from ..images.decode import Square, read_file, square_of
from ..inference.kept_model import model_of
from ..inference.loading import checked_weights
from ..models.contract import Classifier
from ..models.zoo import check_size, create_model, find_entry, parse_options
from ..runs.folder import Run, open_run
from ..runs.names import CONFIG
from ..weights.files import load_model_weights
from ..weights.loading import load_weights
from ..weights.published import find_file, find_published

IMAGENET = Path("imagenet")  # as weights: the entry's published ones


@dataclass(frozen=True)
class EntryWeights:
    """The weights that an entry of the zoo is looked at with, and its options."""

    file: Path | None = None  # imagenet, none, or a checkpoint; None: published ones that are installed, else none
    source: Source = "pictaxa"
    normalization: Normalization | None = None
    options: tuple[str, ...] = ()
    cache: Path | None = None  # where published weights are kept


@dataclass(frozen=True)
class Subject:
    """A network in evaluation mode, on the CPU, and a picture as it takes it."""

    name: str
    told: str  # its weights, in words
    model: Classifier
    size: int  # of its input, pixels
    image: torch.Tensor | None  # (1, C, size, size) float32 in [0, 1]
    geometry: Geometry  # how a picture becomes the input
    policy: Policy  # of its training, or of a usual one
    square: Square | None = None  # the picture before its view
    run: Run | None = None  # where it is one


def find_subject(
    model: str, picture: str | Path | None = None, *, weights: EntryWeights | None = None, size: int | None = None
) -> Subject:
    """Find what is to be looked at.

    Args:
        model: a run folder, or the name of an entry of the zoo.
        picture: a picture; None for the first validation picture that a run keeps, or for none.
        weights: of an entry; by default the published ones if they are installed, else fresh ones.
        size: side of the network's input, pixels; None for the run's or the entry's.

    Returns:
        The network and the picture.

    Raises:
        ModelError: there is neither such a folder nor such an entry, or the entry doesn't take this size.
        ConfigError: weights are given for a run, which has its own.
        RunError, WeightsError, FetchError: the weights can't be read.
        PictureError: the picture can't be decoded.

    Example:
        subject = find_subject("efficientnet_lite0", "photo.jpg")
    """
    weights = weights or EntryWeights()
    if Path(model).is_dir():
        return _of_run(Path(model), picture, weights=weights, size=size)
    try:
        entry = find_entry(model)
    except ModelError as error:
        raise ModelError(f"a run folder or {error.expected}", found=error.found, fix=error.fix) from None
    pixels = size or entry.size
    check_size(model, pixels)
    options = parse_options(model, weights.options)
    if entry.size_option:
        options.setdefault("size", pixels)
    network = create_model(model, in_channels=entry.channels, **options).eval()
    told = _load(network, weights)
    side = round(pixels * 8 / 7)  # of which the centre crop takes 7/8 of the shorter side, as ImageNet is judged
    geometry = Geometry(square=side, channels=entry.channels, view=FROM_KNOWN.view, size=pixels, tta="none")
    policy = find_policy(FROM_KNOWN.policy, ())
    square = None if picture is None else _square_of(picture, geometry)
    image = None if square is None else _input_of(square, geometry)
    return Subject(model, told, network, pixels, image, geometry, policy, square)


def _of_run(folder: Path, picture: str | Path | None, *, weights: EntryWeights, size: int | None) -> Subject:
    if weights.file is not None or weights.options:
        raise ConfigError(
            "a run without weights and options, as it has its own", found=str(folder),
            fix="Leave them out, or name an architecture instead of the run.",
        )  # fmt: skip
    run = open_run(folder)
    network = model_of(run)
    load_model_weights(network, run.existing(run.model_path.name))
    geometry = run.geometry
    if size is not None:
        check_size(run.chosen.model, size)
        geometry = Geometry(geometry.square, geometry.channels, geometry.view, size, "none", geometry.decoding)
    square = None
    if picture is not None:
        square = _square_of(picture, geometry)
    elif run.has_probe:
        squares, aspects, _ = run.probe()
        square = Square(squares[0], width=max(1, round(geometry.square * float(aspects[0]))), height=geometry.square)
    image = None if square is None else _input_of(square, geometry)
    told = f"the weights of its run ({run.chosen.model})"
    return Subject(
        folder.name, told, network.eval(), geometry.size, image, geometry, _policy_of(run), square, run
    )  # fmt: skip


def _policy_of(run: Run) -> Policy:
    """The augmentation of a run's training."""
    config = read_config_file(run.existing(CONFIG)).resolved()
    return find_policy(config.augmentation.policy or FROM_KNOWN.policy, config.augmentation.augment)


def _load(model: Classifier, weights: EntryWeights) -> str:
    """Fill an entry with the weights that were asked for; what they are, in words."""
    if weights.file == NO_WEIGHTS:
        return "fresh weights"
    folder = (weights.cache or default_cache_root()) / "weights"
    if weights.file is None:
        published = find_entry(model.entry).published
        if published is None or not published.package:
            return "fresh weights (--weights imagenet, or a file, gives it trained ones)"
        try:
            file = find_file(published, folder)
        except MissingExtraError:
            return "fresh weights, as its ImageNet weights are not installed"
    elif weights.file == IMAGENET:
        published = find_published(model.entry)
        file = find_file(published, folder)
    else:
        load_weights(model, checked_weights(weights.file), source=weights.source, normalization=weights.normalization)
        return f"the weights of {weights.file}"
    load_weights(model, file, source=published.source, normalization=published.normalization)
    return "ImageNet weights"


def _square_of(picture: str | Path, geometry: Geometry) -> Square:
    return square_of(
        read_file(picture), name=str(picture), side=geometry.square, channels=geometry.channels,
        decoding=geometry.decoding,
    )  # fmt: skip


def _input_of(square: Square, geometry: Geometry) -> torch.Tensor:
    """A picture as prediction sees it, (1, C, size, size)."""
    aspects = np.array([square.aspect], dtype=np.float32)
    return model_input(torch.from_numpy(square.pixels[None]), aspects, geometry=geometry)
