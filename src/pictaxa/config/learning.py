"""Settings of learning: starting weights, length, learning rate and optimizer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .checking import require, require_within

Source = Literal["pictaxa", "torchvision", "timm", "keras", "jax", "efficientnet_pytorch"]  # whose names a file has
# What a network takes of an RGB picture in [0, 1]; models/contract.py has their numbers.
Normalization = Literal["0-1", "0-255", "-1-1", "caffe", "rgb-mean", "imagenet", "lite"]
NO_WEIGHTS = Path("none")  # as --weights: from nothing
DEFAULT_HEAD_EPOCHS = 20  # of a head on a frozen backbone's cached vectors: they cost next to nothing
LENGTHS = ("epochs", "minutes", "steps")  # one of them says when a training ends
_NUMBER = r"[0-9]*\.?[0-9]+(?:e-?[0-9]+)?"
LR_SCHEDULES = rf"cosine|constant|every:[1-9][0-9]*={_NUMBER}|steps:[0-9]+={_NUMBER}(?:,[0-9]+={_NUMBER})*"


@dataclass(frozen=True, kw_only=True)
class TransferConfig:
    """starting weights"""

    weights: Path | None = None
    """imagenet (the model's published weights), the folder of an earlier run, a checkpoint file, or none (train from
    scratch). Default: what fits the pictures, which is reported; none with a --model."""
    source: Source = "pictaxa"
    """Library that the checkpoint comes from; it is never guessed."""
    weights_prefix: str = ""
    """What the names of the intended network begin with, if the checkpoint has several that fit, such as teacher."""
    normalization: Normalization | None = None
    """Input normalization: 0-1, 0-255 and -1-1 are ranges; caffe: BGR minus a mean colour; rgb-mean: RGB minus the same
    colour; imagenet: minus ImageNet's mean, divided by its std; lite: (x - 127) / 128 of 0 to 255. With --weights, the
    one they were trained with; another than is known of them is refused, and a Keras file does not record it. Default:
    the model's own."""
    tune: str = "all"
    """What to train: all, head (the last layer, which is solved, not trained) or last:N (the last N blocks and the
    head). With --weights, each starts with a solved head."""
    head: str = ""
    """Hidden layers before the classes: widths and dropout in order, such as 1024,dropout:0.5. outputs:1000 in front
    keeps the layer for the 1,000 classes of the weights and trains the head on their probabilities. none: remove the
    hidden layers of the weights' own head."""
    solve_head: Literal["auto", "yes", "no"] = "auto"
    """Start with a solved head, the best one for the features of the frozen backbone; auto: if the --weights lack a
    fitting head; no: train the head by gradient descent with everything else."""
    norm_statistics: Literal["auto", "keep", "update"] = "auto"
    """Batch norm statistics in training: keep those of the weights, or update them from the batches; auto: keep with
    --weights."""
    backbone_lr_scale: float | None = None
    """With --weights and --tune all or last:N, the lr of everything but the head, as a fraction of --lr. Default: 1."""
    standardise: Literal["yes", "no"] = "yes"
    """With --tune head and hidden layers, scale the backbone's features to mean zero and equal length first."""
    feature_views: int = 1
    """Views of each picture that the frozen backbone sees for a head. 1: as in prediction; more: augmented views; 0,
    with --tune head and --solve-head no: a new augmented view in every epoch."""

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
            fix="Give --weights as well: frozen layers with random weights learn nothing.",
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
    """Number of passes over the training pictures; repeatable and resumable exactly."""
    minutes: float | None = None
    """Minutes to train; the lr anneals over them. Default without --epochs: 5 from pretrained weights, 10 from
    scratch."""
    steps: int | None = None
    """Number of batches to train for."""
    steps_per_epoch: int | None = None
    """Batches between two validations; pictures are repeated as needed. Default: one pass over the pictures."""
    validation_pictures: int | None = None
    """Validate each epoch on this many validation pictures, drawn once, and on all at the end. Default: all."""
    batch_size: int | None = None
    """Pictures per step. Default: 32 from pretrained weights, 64 from scratch."""
    sampling: Literal["each", "balanced"] = "each"
    """each: every picture once per epoch; balanced: every class equally often, repeating pictures of rare classes."""
    lr: float | None = None
    """Peak learning rate. Default: from pretrained weights 0.01 for sgd and 0.0003 for adam and adamw at batch 32, from
    scratch 0.15 and 0.002 at batch 64; proportional for other batch sizes."""
    warmup: float | None = None
    """Fraction of the training in which the lr rises to its peak. Default: 0.05 pretrained, 0.1 from scratch."""
    lr_schedule: str = "cosine"
    """The lr after warmup: cosine (to zero), constant, every:4=0.92 (times 0.92 after every 4 epochs), or
    steps:400=1,32000=0.1 (fractions of the peak from these steps on; the first also before)."""
    best_by: Literal["accuracy", "loss", "last"] = "accuracy"
    """Which epoch's weights to keep: with the best validation accuracy (of equal ones the lower loss), the lowest
    validation loss, or the last."""
    patience: int | None = None
    """Stop early after this many validations without improvement. Use it with --lr-schedule constant, because with
    cosine the best epochs come at the end. Default: never."""
    progressive_resizing: float | None = None
    """Fraction of the training, from its start, at smaller input sizes; 0: none. From scratch half, then three quarters
    of the size; from pretrained weights five sevenths, then six. Default: 0.65."""

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
        require_within("minutes", self.minutes, above=0, such_as="5")
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
    """sgd is stochastic gradient descent with momentum. Default: adamw from pretrained weights, sgd from scratch."""
    momentum: float = 0.9
    """Momentum of sgd; the first beta of adam and adamw."""
    nesterov: Literal["yes", "no"] = "yes"
    """Nesterov momentum for sgd."""
    eps: float = 1e-8
    """Epsilon of adam and adamw; Keras uses 1e-7."""
    weight_decay: float | None = None
    """Weight decay. Default: 0.02 from pretrained weights, 0.0005 from scratch."""
    weight_decay_on: Literal["kernels", "all"] = "kernels"
    """What weight decay draws to zero. kernels: only what multiplies (He et al. 2018); all: also biases, batch norm's
    scales and shifts, and whatever else has one dimension, as a plain torch.optim and the CIFAR papers."""
    clip_grad_norm: float | None = 5.0
    """Largest norm of the gradient, which is clipped to it; none: no clipping."""
    label_smoothing: float | None = None
    """Part of the target that is spread over all classes (Szegedy et al. 2015). Default: 0.1; 0 for a head alone, whose
    probabilities it would only make less confident."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: weight pictures in the loss by the inverse frequency of their class."""
    ema_decay: float = 0.99
    """Decay per step of the moving average of weights that is validated and kept; 0: no averaging."""

    def __post_init__(self) -> None:
        require_within("momentum", self.momentum, least=0, below=1, such_as="0.9")
        require_within("eps", self.eps, above=0, such_as="1e-8")
        require_within("weight_decay", self.weight_decay, least=0, such_as="0.02")
        require_within("clip_grad_norm", self.clip_grad_norm, above=0, such_as="5")
        require_within("label_smoothing", self.label_smoothing, least=0, below=1, such_as="0.1")
        require_within("ema_decay", self.ema_decay, least=0, below=1, such_as="0.99")
