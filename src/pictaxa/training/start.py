"""Chooses where a training starts by default: from ImageNet weights or from scratch, depending on the pictures."""

from __future__ import annotations

from dataclasses import replace

from ..config.learning import NO_WEIGHTS
from ..config.training import TrainConfig
from ..data.cache_folder import default_cache_root
from ..data.index import Index
from ..data.reading import read_data, resolve_path, survey
from ..errors import MissingExtraError
from ..system.progress import say
from ..weights.published import find_file, find_published
from .transfer import IMAGENET, IMAGENET_MODEL

TINY = 32  # pixels up to which grey pictures are drawn or scanned characters, and no photographs


def chooses_start(config: TrainConfig) -> bool:
    """Whether neither the architecture nor the weights were said."""
    return config.model == "auto" and config.transfer.weights is None


def choose_start(config: TrainConfig, index: Index) -> TrainConfig:
    """With the weights that fit the pictures, and the reason said in a line.

    Measured on flowers, signs, CIFAR-10 and MNIST, each both ways (docs/measured.md): what ImageNet teaches helps with
    all photos, however few there are; tiny grey pictures, such as digits, are learned better and faster from
    scratch, and are not mirrored.
    """
    longer_side, all_grey = survey(index)
    if longer_side <= TINY and all_grey and config.transfer.tune == "all":
        say(
            f"start     from scratch: the pictures are tiny and grey ({longer_side} px; use --weights imagenet to "
            "start from ImageNet weights)"
        )
        augmentation = config.augmentation
        return replace(
            config,
            transfer=replace(config.transfer, weights=NO_WEIGHTS),
            augmentation=replace(augmentation, policy=augmentation.policy or "light"),
        )
    missing = _missing(config)
    if missing is not None:
        say(f"note      {missing}")
        return replace(config, transfer=replace(config.transfer, weights=NO_WEIGHTS))
    say(f"start     from {IMAGENET_MODEL} with ImageNet weights (use --weights none to train from scratch)")
    return replace(config, transfer=replace(config.transfer, weights=IMAGENET))


def _missing(config: TrainConfig) -> MissingExtraError | None:
    """What to install for ImageNet's weights; None where they are there."""
    try:
        find_file(find_published(IMAGENET_MODEL), (config.cache or default_cache_root()) / "weights")
    except MissingExtraError as error:
        return error
    return None


def alternatives(config: TrainConfig) -> list[TrainConfig]:
    """The ways to train that are compared, what is asked for or fits the pictures first: all of a network from known
    weights, its head alone, and a network of our own from scratch. Where ImageNet's weights are not installed only what
    needs none.
    """
    if chooses_start(config):
        index = read_data(resolve_path(config.data), config.reading, cache=config.cache or default_cache_root())
        config = choose_start(config, index)
    transfer = config.transfer
    ways = [config]
    if not transfer.knows and _missing(config) is not None:
        return ways
    if not transfer.knows:
        transfer = replace(transfer, weights=IMAGENET, normalization=None)
        ways.append(replace(config, model="auto", transfer=transfer))
    if transfer.tune != "head":
        known = config if config.transfer.knows else ways[-1]
        ways.append(replace(known, transfer=replace(transfer, tune="head")))
    if config.transfer.knows:
        nothing = replace(transfer, weights=NO_WEIGHTS, tune="all", source="pictaxa", normalization=None)
        ways.append(replace(config, model="auto", model_options=(), transfer=nothing))
    return ways
