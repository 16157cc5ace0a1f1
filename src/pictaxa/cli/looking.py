"""The arguments of the commands that look at pictures before a training: probe, embed and plan."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from ..config.data import DecodingConfig, PicturesConfig, ReadingConfig
from ..config.learning import Normalization, Source
from ..config.machine import MachineConfig


@dataclass(frozen=True)
class _Looked:
    """What is looked at before a training, and how it is read."""

    data: Path
    """Labelled data set in any layout."""
    _: KW_ONLY
    model: str = "auto"
    """Architecture (pictaxa models lists them). auto: that of the --weights, or what fits the pictures."""
    weights: Path | None = None
    """imagenet (published weights), the folder of an earlier run, a checkpoint file, or none (from scratch). Default:
    what fits the pictures; for pictaxa probe imagenet for efficientnet_lite0, or random weights with --model, as a
    baseline."""
    cache: Path | None = None
    """Folder for decoded pictures. Default: PICTAXA_CACHE, or pictaxa in the user's cache folder."""
    seed: int = 0
    """Random seed of the folds, and of which pictures are probed."""
    json: Path | None = None
    """Also write all figures to this file."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    machine: MachineConfig = field(default_factory=MachineConfig)


@dataclass(frozen=True)
class _LookedByWeights(_Looked):
    """The same, and the weights that look."""

    model_options: tuple[str, ...] = ()
    """The architecture's own options, such as padding=same."""
    source: Source = "pictaxa"
    """Library that the checkpoint comes from; it is never guessed."""
    normalization: Normalization | None = None
    """Input normalization of the checkpoint (see pictaxa weights convert --help); required for a Keras file."""
    weights_prefix: str = ""
    """What the names of the intended network begin with, if the checkpoint has several that fit, such as teacher."""


@dataclass(frozen=True)
class ProbeArguments(_LookedByWeights):
    """Estimate what accuracy to expect, in half a minute and before any training: the cross-validated accuracy of a
    head solved on the features of an ImageNet network (or another), with an interval and compared with nearest
    neighbours; the hard pictures; and whether more pictures would help.
    """


@dataclass(frozen=True)
class EmbedArguments(_LookedByWeights):
    """Write the feature vector that a network's backbone makes of each picture, with its path and label, for search,
    clustering and plots. By default the network is efficientnet_lite0 with ImageNet weights.
    """

    out: Path = Path("vectors.npz")
    """The .npz file to write: vectors, paths, labels and classes."""


@dataclass(frozen=True)
class PlanArguments(_Looked):
    """Compare the ways to train on these pictures and this machine, measured in a few seconds: speed, epochs, memory
    and the accuracy to expect. pictaxa train uses the first row.
    """

    minutes: float | None = None
    """How long the training may take. Default: that of pictaxa train."""
    time_to: float | None = None
    """An accuracy such as 0.95: estimate how long it takes to reach it."""
