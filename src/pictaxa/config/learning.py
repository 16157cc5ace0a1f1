"""Settings of how it is learnt: from which weights, for how long, at which rate, by which optimizer."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .checking import require, require_within

Source = Literal["pictaxa", "torchvision", "timm", "keras", "jax", "efficientnet_pytorch"]
# How pictures were fed: in [0, 1], in [0, 255], in [-1, 1], BGR in [0, 255] minus a mean colour, minus ImageNet's mean
# and over its deviation, or (x - 127) / 128 of [0, 255], as EfficientNet-Lite has it.
Normalization = Literal["0-1", "0-255", "-1-1", "caffe", "imagenet", "lite"]
NO_WEIGHTS = Path("none")  # as --weights: from nothing
DEFAULT_HEAD_EPOCHS = 20  # of a head on a frozen backbone's cached vectors: they cost next to nothing
LENGTHS = ("epochs", "minutes", "steps")  # one of them says when a training ends
_NUMBER = r"[0-9]*\.?[0-9]+(?:e-?[0-9]+)?"
LR_SCHEDULES = rf"cosine|constant|every:[1-9][0-9]*={_NUMBER}|steps:[0-9]+={_NUMBER}(?:,[0-9]+={_NUMBER})*"


@dataclass(frozen=True, kw_only=True)
class TransferConfig:
    """weights to start from"""

    weights: Path | None = None
    """Start from imagenet (the model's published weights), an earlier run's folder, a checkpoint file, or none: from
    nothing. Default: what fits the pictures, which is said; none with a --model."""
    source: Source = "pictaxa"
    """Whose names and axes the checkpoint has; it is never guessed."""
    normalization: Normalization | None = None
    """How pictures are fed to the network: from 0 to 1, to 255, from -1; minus Caffe's mean colour; minus ImageNet's
    mean, over its deviation; lite: (x - 127) / 128 of 0 to 255. With --weights how they were, which a Keras file does
    not say. Default: the model's."""
    tune: str = "all"
    """What is trained: all, head (the last layer, which is solved and not trained) or last:N (N blocks and the head).
    With --weights each begins with a solved head."""
    head: str = ""
    """Hidden layers before the classes, such as 1024,dropout:0.5 (widths and dropout in their order). outputs:1000
    before them keeps the layer for the 1,000 classes of the weights, and the head learns from their probabilities.
    none: without those that the weights' own head has."""
    solve_head: Literal["auto", "yes", "no"] = "auto"
    """Begin with a solved head: the best one for what the frozen backbone makes of the training pictures; auto: where
    the --weights lack it. no: train it with all else, by gradient."""
    norm_statistics: Literal["auto", "keep", "update"] = "auto"
    """Of batch norms, in training: keep those that came with the weights, or update them from batch to batch; auto:
    keep with --weights."""
    backbone_lr_scale: float | None = None
    """With --tune all or last:N and --weights, the part of the learning rate that all but the head gets. Default: 1."""
    standardise: Literal["yes", "no"] = "yes"
    """With --tune head and hidden layers, bring the backbone's numbers to mean zero and one length before."""
    feature_views: int = 1
    """Views of each picture that the frozen backbone sees, once, for a head. 1: prediction's; more: as training varies
    them; 0, with --tune head and
    --solve-head no: another one in every epoch."""

    def __post_init__(self) -> None:
        known = re.fullmatch(r"all|head|head,all|last:[1-9][0-9]*", self.tune) is not None
        require(
            known, "--tune all, head, last:N or head,all", found=self.tune, fix="Choose one of these, such as last:2."
        )
        kept = self.tune == "all" or self.weights != NO_WEIGHTS
        require(
            kept,
            f"--weights with --tune {self.tune}",
            found="none",
            fix="Give --weights as well: layers that stay at random learn nothing.",
        )
        require_within("feature_views", self.feature_views, least=0, such_as="1")
        require_within("backbone_lr_scale", self.backbone_lr_scale, above=0, most=1, such_as="0.1")

    @property
    def knows(self) -> bool:
        """Whether the training starts from weights."""
        return self.weights not in (None, NO_WEIGHTS)

    @property
    def keeps_statistics(self) -> bool:
        """Whether batch norms keep the statistics that they came with."""
        return self.norm_statistics == "keep" or (self.norm_statistics == "auto" and self.knows)

    @property
    def freezes(self) -> bool:
        """Whether a part of the model stays as it is."""
        return self.tune not in ("all", "head,all")

    @property
    def on_features(self) -> bool:
        """Whether the head alone learns, from cached vectors of the frozen backbone."""
        return self.tune == "head" and self.feature_views > 0


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """length and learning rate"""

    epochs: int | None = None
    """Train for so many passes over the pictures; exactly repeatable, and exact when resumed."""
    minutes: float | None = None
    """Train for so many minutes; the rate anneals over them. Default without --epochs: 5 from known weights, 10 from
    nothing."""
    steps: int | None = None
    """Train for so many batches."""
    steps_per_epoch: int | None = None
    """Batches between two validations; pictures come again and again. Default: as many as hold each picture once."""
    validation_pictures: int | None = None
    """Judge an epoch by so many of the validation pictures, drawn once; the end judges all. Default: all of them."""
    batch_size: int | None = None
    """Pictures in a step. Default: 32 from known weights, 64 from nothing."""
    sampling: Literal["each", "balanced"] = "each"
    """Of an epoch: each picture once, or balanced: every class equally often, pictures of rare ones several times."""
    lr: float | None = None
    """Peak learning rate. Default: from known weights 0.01 for sgd and 0.0003 for adam and adamw at batch 32, from
    nothing 0.15 and 0.002 at batch 64; in proportion to other batches."""
    warmup: float | None = None
    """Part of the training in which the rate rises to its peak. Default: 0.05 from known weights, 0.1 from nothing."""
    lr_schedule: str = "cosine"
    """What the rate does then: cosine (to zero), constant, every:4=0.92 (times 0.92 after each 4 epochs), or
    steps:400=1,32000=0.1 (that part of the peak from a step on, the first one before it too)."""
    best_by: Literal["accuracy", "loss", "last"] = "accuracy"
    """Which epoch's weights the run keeps: of the best validation accuracy, the least validation loss, or the last."""
    patience: int | None = None
    """End before the length is up, when so many validations in a row brought nothing better to keep; best with
    --lr-schedule constant, as cosine is at its best at its end. Default: never."""
    progressive_resizing: float | None = None
    """Part of the training, from its start, with smaller pictures, 0: none. Half the size, then three quarters, from
    nothing; five sevenths, then six, from known weights. Default: 0.65."""

    def __post_init__(self) -> None:
        given = [f"--{name}" for name in LENGTHS if getattr(self, name) is not None]
        require(
            len(given) <= 1,
            "--epochs, --minutes or --steps",
            found=" and ".join(given),
            fix="Leave all but one of them out.",
        )
        for name in ("epochs", "steps", "steps_per_epoch", "validation_pictures", "patience"):
            require_within(name, getattr(self, name), least=1, such_as="10")
        require_within("minutes", self.minutes, above=0, below=math.inf, such_as="5")
        require_within("batch_size", self.batch_size, least=2, such_as="32")
        require_within("lr", self.lr, above=0, such_as="0.001")
        require_within("warmup", self.warmup, least=0, below=1, such_as="0.05")
        require_within("progressive_resizing", self.progressive_resizing, least=0, most=1, such_as="0.65")
        kept = self.patience is None or self.best_by != "last"
        require(
            kept, "--best-by accuracy or loss with --patience", found="--best-by last", fix="Leave one of them out."
        )
        known = re.fullmatch(LR_SCHEDULES, self.lr_schedule) is not None
        require(
            known, "--lr-schedule cosine, constant, every:4=0.92 or steps:0=1,32000=0.1", found=self.lr_schedule,
            fix="Choose one of these forms.",
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """optimizer"""

    optimizer: Literal["sgd", "adam", "adamw"] | None = None
    """sgd is stochastic gradient descent with momentum. Default: adamw from known weights, sgd from nothing."""
    momentum: float = 0.9
    """Of sgd; of adam and adamw it is the first beta."""
    nesterov: Literal["yes", "no"] = "yes"
    """Nesterov's form of sgd's momentum, which looks a step ahead."""
    eps: float = 1e-8
    """What adam and adamw add before they divide; Keras has 1e-7."""
    weight_decay: float | None = None
    """On weights, not on biases and batch norm. Default: 0.02 from known weights, 0.0005 from nothing."""
    clip_grad_norm: float | None = 5.0
    """Gradients longer than this are shortened to it; none: never."""
    label_smoothing: float | None = None
    """Part of the target that is spread over all classes (Szegedy et al. 2015). Default: 0.1; none of it for a head
    alone, whose probabilities it would only make less sure."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: a picture of a rare class counts as much more as the class is rarer."""
    ema_decay: float = 0.99
    """Decay per step of the running average of weights that is validated and kept; 0: the weights themselves."""

    def __post_init__(self) -> None:
        require_within("momentum", self.momentum, least=0, below=1, such_as="0.9")
        require_within("eps", self.eps, above=0, such_as="1e-8")
        require_within("weight_decay", self.weight_decay, least=0, such_as="0.02")
        require_within("clip_grad_norm", self.clip_grad_norm, above=0, such_as="5")
        require_within("label_smoothing", self.label_smoothing, least=0, below=1, such_as="0.1")
        require_within("ema_decay", self.ema_decay, least=0, below=1, such_as="0.99")
