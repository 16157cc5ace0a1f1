"""Settings of what is learnt from: how the data lies, what is seen of a picture, how it is varied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .checking import require_within


@dataclass(frozen=True, kw_only=True)
class ReadingConfig:
    """how the data lies"""

    layout: Literal["auto", "folders", "manifest", "parquet", "idx", "cifar", "arrays", "shards"] = "auto"
    """Which layout of docs/data.md the data has. auto: told from the names and files, and reported."""
    split_folders: Literal["auto", "yes", "no"] = "auto"
    """Of folders: whether those named like train, val_set or test are splits, or classes. auto: where it is plain."""
    class_folder: Literal["auto", "top", "parent"] = "auto"
    """Of folders within folders: which are the classes, the top ones or those right above the pictures. auto: the top
    ones, where it is plain."""
    label_pattern: str = ""
    """A regular expression that finds the class in a picture's path, such as '([a-z]+)[.]' for train/cat.0.jpg: its
    first group, or all that it finds."""
    path_column: str = ""
    """Of a manifest: the column of file names; of parquet: of pictures. Default: by its name."""
    label_column: str = ""
    """The column of classes. Default: by its name."""
    split_column: str = ""
    """The column with train, val or test. Default: by its name, if there is one."""
    group_column: str = ""
    """The column of groups, which stay on one side of a split. Default: by its name, if there is one."""
    keys: tuple[str, ...] = ()
    """Of arrays (.npz, HDF5): which is what, such as train_images=A train_labels=B test_images=C classes=D."""
    only: tuple[str, ...] = ()
    """Classes to take, by their names; the others are left out. Default: all."""
    class_names: Path | None = None
    """What folders or numbers are called: lines like `n01440764 tench`, or JSON. Default: a file of synsets beside."""


@dataclass(frozen=True, kw_only=True)
class PicturesConfig:
    """pictures"""

    size: int | None = None
    """Side of the model's input in training, pixels. Default: the model's own, less for smaller pictures."""
    test_size: int | None = None
    """Side in validation and prediction, pixels. Default: --size from nothing; from known weights nine sevenths of it,
    where pictures are that large: crops make things look larger in training (Touvron et al. 2019)."""
    square: int | None = None
    """Side of the squares in the cache. Default: a quarter more than --size, less for smaller pictures."""
    decode: Literal["once", "always"] = "once"
    """Pictures are decoded once, into the cache; or always, in every epoch, for sets that no disk would hold."""
    channels: Literal["auto", "1", "3"] = "auto"
    """1 for grey, 3 for colour; auto: grey when all pictures are."""
    view: Literal["centre", "fit", "squash"] | None = None
    """What prediction sees: the largest centred square, the whole picture on black, or the whole picture squashed.
    Default: centre from known weights, whose own pictures were not distorted, squash from nothing."""
    tta: Literal["auto", "none", "flip"] = "auto"
    """Average the logits of a picture and its mirror image; auto: when training mirrors pictures."""

    def __post_init__(self) -> None:
        for name in ("size", "test_size", "square"):
            require_within(name, getattr(self, name), least=1, most=4096, such_as="224")


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """augmentation"""

    policy: str | None = None
    """How training pictures are varied: none, mirror, light (digits, signs, scans), standard, strong (photographs),
    trivial (TrivialAugment), rand (RandAugment). pictaxa preview draws it; docs/data.md has every range. Default:
    standard from known weights, strong from nothing."""
    augment: tuple[str, ...] = ()
    """Changes to the policy, such as rotation=30 horizontal_flip=0, or a YAML file with lines like rotation: 30."""
