"""The arguments of the commands that have no config of their own, with their help."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Literal

from ..config.data import AugmentConfig, PicturesConfig, ReadingConfig
from ..config.learning import Normalization, Source
from ..config.machine import MachineConfig
from ..config.training import TrainConfig


@dataclass(frozen=True)
class TrainArguments:
    """Train a classifier on a set of pictures. Without any setting it begins from what fits the pictures, and takes
    five minutes on a laptop.
    """

    training: TrainConfig
    _: KW_ONLY
    config: Path | None = None
    """Start from a run's config.json or a YAML file; what is given beside it wins."""
    resume: Path | None = None
    """Go on with a run that was cut off, with its own settings."""


@dataclass(frozen=True)
class EvaluateArguments:
    """Judge a trained run: by its own validation pictures, or by a labelled folder."""

    run: Path
    """Run folder."""
    data: Path | None = None
    """Pictures with labels in any layout. Default: the run's own validation pictures."""
    _: KW_ONLY
    device: str = "auto"
    """cpu, cuda, mps, auto."""
    json: Path | None = None
    """Write all figures to this file too."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)


@dataclass(frozen=True)
class PredictArguments:
    """Say what is in pictures. Files that can't be read get a row with the reason; the rest goes on."""

    run: Path
    """Run folder."""
    files: tuple[Path, ...]
    """Pictures, and folders of pictures; @list.txt for a file with a path a line, - for such lines from standard input.
    After -- also names that begin with a hyphen."""
    _: KW_ONLY
    out: Path | None = None
    """Write to this .csv or .jsonl file instead of the screen; .jsonl is for programs."""
    csv: Literal["spreadsheet", "plain"] = "spreadsheet"
    """How a .csv is written. spreadsheet: with a byte order mark, by which Excel knows Chinese, and an apostrophe
    before a name that begins like a formula (= + - @), as a file's name could do harm there; plain: for programs."""
    top: int | None = None
    """Show only so many classes of each picture. Default: all."""
    device: str = "auto"
    """cpu, cuda, mps, auto."""


@dataclass(frozen=True)
class ReportArguments:
    """Write one self-contained HTML page about a run: curves, confusion matrix, right and wrong pictures."""

    run: Path
    """Run folder."""


@dataclass(frozen=True)
class _Looked:
    """What is looked at before a training, and how it is read."""

    data: Path
    """Pictures with labels in any layout."""
    _: KW_ONLY
    model: str = "auto"
    """Architecture, a name of the zoo. auto: what the --weights are of, or what fits the pictures."""
    weights: Path | None = None
    """imagenet (published ones), an earlier run's folder, a checkpoint file, or none: from nothing. Default: what
    pictaxa train takes for these pictures; pictaxa probe takes imagenet's of efficientnet_lite0, or with --model fresh
    ones, for a baseline."""
    cache: Path | None = None
    """Folder for decoded pictures. Default: PICTAXA_CACHE, or pictaxa in the user's cache folder."""
    seed: int = 0
    """Decides the folds, and which of many pictures are looked at."""
    json: Path | None = None
    """Write all figures to this file too."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
    machine: MachineConfig = field(default_factory=MachineConfig)


@dataclass(frozen=True)
class ProbeArguments(_Looked):
    """What to expect of my pictures, in half a minute and before any training: the accuracy of a head solved on what
    ImageNet's network (or another) makes of them, cross-validated with an interval, beside nearest neighbours'; the
    pictures that are hard; and whether more pictures would help.
    """

    model_options: tuple[str, ...] = ()
    """The architecture's own options, such as padding=same."""
    source: Source = "pictaxa"
    """Whose names and axes the checkpoint has; it is never guessed."""
    normalization: Normalization | None = None
    """How the checkpoint's pictures were fed (see pictaxa weights convert --help); a Keras file needs it."""


@dataclass(frozen=True)
class PlanArguments(_Looked):
    """What a training could be on these pictures and this machine: a few seconds' look at both, and a table of the ways
    to train with their speed, epochs, memory and the accuracy to expect. pictaxa train takes the first row.
    """

    minutes: float | None = None
    """How long the training may take. Default: as pictaxa train has it."""
    time_to: float | None = None
    """An accuracy, such as 0.95: how long until then, as a range."""


@dataclass(frozen=True)
class InspectArguments:
    """Find what is wrong with a data set: what can't be read, copies and near copies (under several labels, in several
    splits), odd sizes, dark, blurred and empty pictures, grey ones among colour, imbalance. Nothing of it is changed.
    """

    data: Path
    """Pictures with labels in any layout."""
    _: KW_ONLY
    html: Path | None = None
    """Write a page with the pictures to this file."""
    json: Path | None = None
    """Write all findings to this file."""
    fix: Path | None = None
    """Write a manifest (.csv) without the bad rows, to train on instead."""
    strict: tuple[str, ...] | None = None
    """Kinds of findings that are errors (exit status 1), such as leak contradiction unreadable; all: any. They stand
    in brackets behind each finding."""
    run: Path | None = None
    """A run trained on these classes: also find labels that are likely wrong, outliers and pictures of no class."""
    folds: int | None = None
    """Train so many times on the other parts: also find labels that are likely wrong, without any run."""
    fold_minutes: float = 2.0
    """How long each of --folds trains."""
    fold_epochs: int | None = None
    """How often each of --folds goes through its pictures, instead of for so long: the same on any machine."""
    size: int | None = None
    """The size to train at, pixels: pictures far below it are found."""
    cache: Path | None = None
    """Folder for decoded pictures. Default: PICTAXA_CACHE, or pictaxa in the user's cache folder."""
    threads: int | None = None
    """CPU threads. Default: all cores that this process may use."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)


@dataclass(frozen=True)
class ConvertDataArguments:
    """Write a data set in another layout into a new folder; the source stays as it is."""

    data: Path
    """Pictures with labels in any layout."""
    out: Path
    """The new folder, outside the pictures'; files are numbered: 0000000.jpg, ..."""
    _: KW_ONLY
    to: Literal["folders", "parquet", "shards"]
    """A folder for each class; parquet files as on the Hugging Face hub; tar shards as WebDataset has them."""
    per_file: int = 10_000
    """The most pictures of a parquet file or shard."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)


@dataclass(frozen=True, kw_only=True)
class CacheArguments:
    """What lies in the folder of caches, and how much room it takes; --clean removes it."""

    cache: Path | None = None
    """The folder. Default: PICTAXA_CACHE, or pictaxa in the user's cache folder."""
    clean: Literal["", "gone", "all"] = ""
    """gone: pixels of data sets that are there no more, all features, what inspections remember; all: everything."""


@dataclass(frozen=True)
class ClassesArguments:
    """Rename and merge the classes of a run, keeping what was learnt: a new run is written, the old one stays.

    Without --rename and --merge its classes are listed. New classes come with their pictures: pictaxa train DATA
    --weights RUN gives each new folder a row of its own and keeps those of the others.
    """

    run: Path
    """Run folder."""
    _: KW_ONLY
    rename: tuple[str, ...] = ()
    """Old and new names, such as tulips=tulip."""
    merge: tuple[str, ...] = ()
    """Classes that become one, and its name, such as daisy,dandelion=composite."""
    out: Path | None = None
    """Folder of the new run. Default: RUN-classes-1, and so on."""


@dataclass(frozen=True)
class ModelsArguments:
    """List the architectures; show one layer by layer, draw it, or put several side by side."""

    name: str | None = None
    """Architecture to show; timm/NAME is any model of timm. Default: list all."""
    _: KW_ONLY
    size: int | None = None
    """Side of the input, pixels. Default: the model's own."""
    channels: int | None = None
    """1 for grey, 3 for colour. Default: the model's own."""
    classes: int = 1000
    """Number of classes."""
    model_options: tuple[str, ...] = ()
    """The architecture's own options, such as padding=same."""
    diagram: Path | None = None
    """Draw a block diagram to this .svg or .png file."""
    compare: tuple[str, ...] = ()
    """Architectures to put side by side: parameters, multiply-adds, depth, receptive field, measured speed."""


@dataclass(frozen=True)
class ConvertArguments:
    """Bring a checkpoint of torchvision, timm, Keras or Google's ViT into our names, axes and colours."""

    file: Path
    """The checkpoint: .pth, .safetensors, .h5, .weights.h5, .keras or .npz."""
    _: KW_ONLY
    source: Source
    """Whose names and axes the file has; it is never guessed."""
    model: str
    """The entry of the zoo that it is for."""
    out: Path
    """The .safetensors file to write."""
    normalization: Normalization | None = None
    """How its pictures were fed: divided by 255; left alone; from -1 to 1; BGR minus a mean colour; minus
    ImageNet's mean and over its deviation; lite: (x - 127) / 128 of 0 to 255. A Keras file needs it."""
    classes: Path | None = None
    """JSON with the index of each class name, as Keras' class_indices, or a list of names."""
    model_options: tuple[str, ...] = ()
    """The architecture's own options, such as padding=same."""
    channels: Literal[1, 3] = 3
    """1 for grey pictures, 3 for colour."""


@dataclass(frozen=True)
class ListWeightsArguments:
    """Published weights for --weights imagenet: whose they are, how good, under which licence, where they come from."""


@dataclass(frozen=True)
class RecipesArguments:
    """Well-known set-ups, each in one command: pictaxa train DATA --recipe NAME."""

    name: str | None = None
    """Show this one with all its settings."""


@dataclass(frozen=True)
class DemoArguments:
    """Train on handwritten digits, evaluate, predict and report: the whole path in under a minute."""

    folder: Path = Path("runs/demo")
    """Where the digits and the run go."""


@dataclass(frozen=True)
class PreviewArguments:
    """Draw a few pictures, the view that prediction has of each, and augmented views of it; then each operation of the
    policy by itself, from mild to full, in OUT-operations.png.
    """

    data: Path
    """Pictures in any layout."""
    _: KW_ONLY
    out: Path = Path("preview.png")
    """The PNG to write."""
    seed: int = 0
    """Decides which pictures and which random draws."""
    augmentation: AugmentConfig = field(default_factory=AugmentConfig)
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
