"""The settings as keyword arguments of Python calls, for editors and type checkers.

A test compares them with the settings themselves, in whose dataclasses the meaning of each stands (config/training.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict


class ReadingKeywords(TypedDict, total=False):
    """How a data set is read."""

    layout: Literal["auto", "folders", "imagefolder", "manifest", "parquet", "idx", "cifar", "arrays", "shards"]
    split_folders: Literal["auto", "yes", "no"]
    class_folder: Literal["auto", "top", "parent"]
    label_pattern: str
    path_column: str
    label_column: str
    split_column: str
    group_column: str
    root: str | Path | None
    path_template: str
    encoding: str
    keys: Sequence[str]
    only: Sequence[str]
    class_names: str | Path | None


class PicturesKeywords(TypedDict, total=False):
    """What becomes of its pictures."""

    pictures: int | None
    size: int | None
    test_size: int | None
    square: int | None
    decode: Literal["once", "always"]
    channels: Literal["auto", "1", "3"]
    view: Literal["centre", "fit", "squash"] | None
    tta: Literal["auto", "none", "flip"]


class DecodingKeywords(TypedDict, total=False):
    """How they are decoded."""

    white_level: float | None
    black_level: float | None
    max_pixels: int


class AugmentKeywords(TypedDict, total=False):
    """How training augments them."""

    policy: str | None
    augment: Sequence[str]


class MachineKeywords(TypedDict, total=False):
    """What is asked of the machine."""

    device: str
    precision: Literal["auto", "float32", "bfloat16"]
    memory_format: Literal["auto", "channels_last", "contiguous"]
    threads: int | None
    checkpoint_seconds: float
    tensorboard: str | Path | None
    mlflow: str


class TransferKeywords(TypedDict, total=False):
    """What a training starts from."""

    weights: str | Path | None
    source: Literal["pictaxa", "torchvision", "timm", "keras", "jax", "efficientnet_pytorch"]
    weights_prefix: str
    normalization: Literal["0-1", "0-255", "-1-1", "caffe", "rgb-mean", "imagenet", "lite"] | None
    tune: str
    head: str
    solve_head: Literal["auto", "yes", "no"]
    norm_statistics: Literal["auto", "keep", "update"]
    backbone_lr_scale: float | None
    standardise: Literal["yes", "no"]
    feature_views: int


class ScheduleKeywords(TypedDict, total=False):
    """How long it takes, and its learning rate."""

    epochs: int | None
    minutes: float | None
    steps: int | None
    steps_per_epoch: int | None
    validation_pictures: int | None
    batch_size: int | None
    sampling: Literal["each", "balanced"]
    lr: float | None
    warmup: float | None
    lr_schedule: str
    best_by: Literal["accuracy", "loss", "last"]
    patience: int | None
    progressive_resizing: float | None


class OptimizerKeywords(TypedDict, total=False):
    """How it learns."""

    optimizer: Literal["sgd", "adam", "adamw"] | None
    momentum: float
    nesterov: Literal["yes", "no"]
    eps: float
    weight_decay: float | None
    weight_decay_on: Literal["kernels", "all"]
    clip_grad_norm: float | None
    label_smoothing: float | None
    class_weights: Literal["none", "balanced"]
    ema_decay: float


class TrainKeywords(
    TransferKeywords,
    ReadingKeywords,
    PicturesKeywords,
    DecodingKeywords,
    AugmentKeywords,
    ScheduleKeywords,
    OptimizerKeywords,
    MachineKeywords,
    total=False,
):
    """All settings of a training but its data."""

    recipe: str
    model: str
    model_options: Sequence[str]
    out: str | Path | None
    cache: str | Path | None
    seed: int
    fold: str
    folds: int | None


class InspectKeywords(ReadingKeywords, DecodingKeywords, total=False):
    """Settings of an inspection besides its own arguments."""


class PreviewKeywords(AugmentKeywords, ReadingKeywords, PicturesKeywords, DecodingKeywords, total=False):
    """Settings of a preview besides its own arguments."""
