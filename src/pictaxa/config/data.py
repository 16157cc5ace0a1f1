"""Settings of the data: its layout, the pictures, and their augmentation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..limits import MAX_PIXELS
from .checking import flag, require, require_within


@dataclass(frozen=True, kw_only=True)
class ReadingConfig:
    """data layout"""

    layout: Literal["auto", "folders", "imagefolder", "manifest", "parquet", "idx", "cifar", "arrays", "shards"] = (
        "auto"
    )
    """Layout of the data (see docs/data.md). auto: recognised from names and files, and reported."""
    split_folders: Literal["auto", "yes", "no"] = "auto"
    """Whether folders with names like train, val_set or test are splits (yes) or classes (no). auto: if it is clear."""
    class_folder: Literal["auto", "top", "parent"] = "auto"
    """Which of nested folders are the classes: the top ones, or those directly above the pictures. auto: the top ones,
    if it is clear."""
    label_pattern: str = ""
    """Regular expression that finds the class in a picture's path, such as '([a-z]+)[.]' for train/cat.0.jpg: its
    first group, or the whole match."""
    path_column: str = ""
    """Column with the file names (manifest) or the pictures (parquet). Default: recognised by its name."""
    label_column: str = ""
    """Column with the classes. Default: recognised by its name."""
    split_column: str = ""
    """Column with train, val or test. Default: recognised by its name, if there is one."""
    group_column: str = ""
    """Column with groups, which are never divided by a split. Default: recognised by its name, if there is one."""
    root: Path | None = None
    """Folder that the paths in a manifest are relative to. Default: the manifest's own."""
    path_template: str = ""
    """How to make paths from the cells of a manifest, such as 'train/{}.jpg' for ids without a suffix; {COLUMN} is the
    value of another column. Default: the cells are paths."""
    encoding: str = ""
    """Encoding of a text table, such as gb18030 or cp1252. Default: detected, and reported."""
    keys: tuple[str, ...] = ()
    """Names of the arrays in .npz or HDF5 files, such as train_images=A train_labels=B test_images=C classes=D."""
    only: tuple[str, ...] = ()
    """Names of the classes to use. Default: all."""
    class_names: Path | None = None
    """File with the names of class folders or numbers: lines like `n01440764 tench`, or JSON. Default: a synset file
    next to the data."""

    def __post_init__(self) -> None:
        require(
            not self.path_template or "{" in self.path_template, "--path-template with {} in the place of the path",
            found=repr(self.path_template), fix="Write 'train/{}.jpg', for example.",
        )  # fmt: skip
        require(
            not self.encoding or _is_text_encoding(self.encoding), "the name of an encoding for --encoding",
            found=repr(self.encoding), fix="Write --encoding cp1252, gb18030, big5, shift_jis or utf-16, for example.",
        )  # fmt: skip


def _is_text_encoding(name: str) -> bool:
    try:
        "".encode(name)
        return True
    except (LookupError, ValueError):  # one that Python doesn't know, or that is of bytes; a name with a zero in it
        return False


@dataclass(frozen=True, kw_only=True)
class PicturesConfig:
    """pictures"""

    pictures: int | None = None
    """Use only this many pictures to train and validate on, drawn by the seed, each class in its proportion; pictures
    for testing are left alone. Default: all."""
    size: int | None = None
    """Input size in training, pixels per side. Default: the model's own, smaller for small pictures."""
    test_size: int | None = None
    """Input size in validation and prediction, pixels per side. Default: --size from scratch; nine sevenths of it from
    pretrained weights if the pictures are large enough, because random crops make objects look larger in training
    (Touvron et al. 2019)."""
    square: int | None = None
    """Side of the squares in the cache, pixels. Default: a quarter more than --size, less for small pictures."""
    decode: Literal["once", "always"] = "once"
    """once: decode pictures into the cache; always: decode them in every epoch, for data too large for a cache."""
    channels: Literal["auto", "1", "3"] = "auto"
    """1 for grey, 3 for colour; auto: grey if all pictures are grey."""
    view: Literal["centre", "fit", "squash"] | None = None
    """What prediction sees: centre: the largest centred square; fit: the whole picture on black; squash: the whole
    picture, distorted. Default: centre from pretrained weights, squash from scratch."""
    tta: Literal["auto", "none", "flip"] = "auto"
    """flip: average the logits of a picture and its mirror image; auto: if training mirrors pictures."""

    def __post_init__(self) -> None:
        require_within("pictures", self.pictures, least=2, such_as="256")
        for name in ("size", "test_size", "square"):
            require_within(name, getattr(self, name), least=1, most=4096, such_as="224")


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """decoding"""

    white_level: float | None = None
    """For pictures that are not 8-bit (16 bits, float, DICOM): the value shown as white in the whole data set, such as
    4095. Default: what the file declares, or else found from the pictures and printed. It is stored in the run."""
    black_level: float | None = None
    """The value shown as black, such as -1000. Default: 0, or the lowest value if some are negative."""
    max_pixels: int = MAX_PIXELS
    """Pictures with more pixels are set aside as decompression bombs. JPEGs count at the size they are decoded to, an
    eighth of each side for a large one."""

    def __post_init__(self) -> None:
        require_within("max_pixels", self.max_pixels, least=1, such_as="400000000")
        for name in ("white_level", "black_level"):
            value = getattr(self, name)
            fits = value is None or math.isfinite(value)
            require(fits, f"a number for --{flag(name)}", found=value, fix=f"Use --{flag(name)} 4095, for example.")
        black, white = self.black_level, self.white_level
        require(
            white is None or white > (black or 0), "--white-level above --black-level (0)",
            found=f"white {white}, black {black or 0}", fix="Give a higher --white-level.",
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """augmentation"""

    policy: str | None = None
    """Augmentation policy: none, mirror, light (digits, signs, scans), standard, strong (photos), trivial
    (TrivialAugment), rand (RandAugment). pictaxa preview shows it; see docs/augmentation.md. Default: standard from
    pretrained weights, strong from scratch."""
    augment: tuple[str, ...] = ()
    """Changes to the policy, such as rotation=30 horizontal_flip=0, or a YAML file with lines like rotation: 30."""
