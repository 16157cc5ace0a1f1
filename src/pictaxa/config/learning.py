"""Settings of how it is learnt: from which weights, for how long, at which rate, by which optimizer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .checking import flag, require

NO_WEIGHTS = Path("none")  # as --weights: from nothing
DEFAULT_HEAD_EPOCHS = 20  # of a head on a frozen body's cached vectors: they cost next to nothing
LENGTHS = ("epochs", "minutes", "steps")  # one of them says when a training ends
_NUMBER = r"[0-9]*\.?[0-9]+(?:e-?[0-9]+)?"
LR_SCHEDULES = rf"cosine|constant|every:[1-9][0-9]*={_NUMBER}|steps:[0-9]+={_NUMBER}(?:,[0-9]+={_NUMBER})*"


@dataclass(frozen=True)
class TransferConfig:
    """weights to start from"""

    weights: Path | None = None
    """Start from imagenet (the model's published weights), an earlier run's folder, a checkpoint file, or none: from
    nothing. Default: what fits the pictures, which is said; none with a --model."""
    source: Literal["pictaxa", "torchvision", "timm", "keras", "jax", "efficientnet_pytorch"] = "pictaxa"
    """Whose names and axes the checkpoint has; it is never guessed."""
    normalization: Literal["0-1", "0-255", "-1-1", "caffe", "imagenet", "lite"] | None = None
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
        require(known, "--tune all, head, last:N or head,all", found=self.tune, fix="Choose one, such as last:2.")
        kept = self.tune == "all" or self.weights != NO_WEIGHTS
        require(kept, f"--weights with --tune {self.tune}", found="none", fix="Frozen fresh weights know nothing.")
        require(self.feature_views >= 0, "--feature-views from 0 on", found=self.feature_views, fix="Raise it.")
        share = self.backbone_lr_scale is None or 0 < self.backbone_lr_scale <= 1
        require(share, "--backbone-lr-scale above 0, up to 1", found=self.backbone_lr_scale, fix="Change it.")

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


@dataclass(frozen=True)
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
        require(len(given) <= 1, "--epochs, --minutes or --steps", found=" and ".join(given), fix="Leave one out.")
        for name in ("epochs", "steps", "steps_per_epoch", "validation_pictures", "patience"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"--{flag(name)} from 1 on", found=value, fix="Raise it.")
        enough = self.minutes is None or 0 < self.minutes < float("inf")
        require(enough, "--minutes above 0", found=self.minutes, fix="Raise it.")
        require(
            self.batch_size is None or self.batch_size >= 2,
            "--batch-size from 2 on",
            found=self.batch_size,
            fix="Raise it.",
        )
        require(self.lr is None or self.lr > 0, "--lr above 0", found=self.lr, fix="Raise it.")
        warmup = self.warmup is None or 0 <= self.warmup < 1
        require(warmup, "--warmup from 0 to below 1", found=self.warmup, fix="Change it.")
        judged = self.patience is None or self.best_by != "last"
        require(judged, "--best-by accuracy or loss with --patience", found="--best-by last", fix="Leave one out.")
        known = re.fullmatch(LR_SCHEDULES, self.lr_schedule) is not None
        require(
            known,
            "--lr-schedule cosine, constant, every:4=0.92 or steps:0=1,32000=0.1",
            found=self.lr_schedule,
            fix="Change it.",
        )
        part = self.progressive_resizing is None or 0 <= self.progressive_resizing <= 1
        require(part, "--progressive-resizing from 0 to 1", found=self.progressive_resizing, fix="Change it.")


@dataclass(frozen=True)
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
        require(0 <= self.momentum < 1, "--momentum from 0 to below 1", found=self.momentum, fix="Change it.")
        require(self.eps > 0, "--eps above 0", found=self.eps, fix="Raise it.")
        require(
            self.weight_decay is None or self.weight_decay >= 0,
            "--weight-decay from 0 on",
            found=self.weight_decay,
            fix="Raise it.",
        )
        clip = self.clip_grad_norm is None or self.clip_grad_norm > 0
        require(clip, "--clip-grad-norm above 0", found=self.clip_grad_norm, fix="Raise it.")
        smooth = self.label_smoothing is None or 0 <= self.label_smoothing < 1
        require(smooth, "--label-smoothing from 0 to below 1", found=self.label_smoothing, fix="Change it.")
        require(0 <= self.ema_decay < 1, "--ema-decay from 0 to below 1", found=self.ema_decay, fix="Change it.")
