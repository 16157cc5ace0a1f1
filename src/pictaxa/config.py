"""Every setting of a training, once: flags, config files, Python arguments and help all come from here.

The groups are frozen dataclasses that check themselves. On the command line and in Python their fields stand side by
side (`--epochs 20`, `train(data, epochs=20)`); in config.json they stand in their groups.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from tyro.conf import Positional

from .errors import ConfigError

Value = TypeVar("Value")
Group = TypeVar("Group", "TransferConfig", "PicturesConfig", "ScheduleConfig", "AugmentConfig", "OptimizerConfig")

NO_WEIGHTS = Path("none")  # as --weights: from nothing
DEFAULT_HEAD_EPOCHS = 20  # of a head on a frozen body's cached vectors: they cost next to nothing
LENGTHS = ("epochs", "minutes", "steps")  # one of them says when a training ends
_NUMBER = r"[0-9]*\.?[0-9]+(?:e-?[0-9]+)?"
CURVES = rf"cosine|constant|every:[1-9][0-9]*={_NUMBER}|steps:[0-9]+={_NUMBER}(?:,[0-9]+={_NUMBER})*"


@dataclass(frozen=True)
class Usual:
    """What a training has where nothing is asked for."""

    minutes: float
    view: Literal["centre", "fit", "squash"]
    policy: str
    optimizer: Literal["sgd", "adam", "adamw"]
    weight_decay: float
    batch_size: int
    warm_up: float
    small_first: float
    small_sizes: tuple[float, float]  # parts of the full size, in their order
    rates: tuple[tuple[str, float], ...]  # by optimizer, at `batch_size`
    body_share: float
    label_smoothing: float
    test_part: float  # of --size that --test-size is, for pictures that are large enough


# Found by trying (docs/measured.md): a network that knows nothing needs large steps, strong variation and time; one
# that has seen ImageNet is spoilt by them.
FROM_NOTHING = Usual(
    minutes=10.0, view="squash", policy="strong", optimizer="sgd", weight_decay=5e-4, batch_size=64, warm_up=0.1,
    small_first=0.65, small_sizes=(1 / 2, 3 / 4), body_share=1.0, label_smoothing=0.1, test_part=1.0,
    rates=(("sgd", 0.15), ("adam", 0.002), ("adamw", 0.002)),
)  # fmt: skip
FROM_KNOWN = Usual(
    minutes=5.0, view="centre", policy="standard", optimizer="adamw", weight_decay=0.02, batch_size=32, warm_up=0.05,
    small_first=0.65, small_sizes=(5 / 7, 6 / 7), body_share=1.0, label_smoothing=0.1, test_part=9 / 7,
    rates=(("sgd", 0.01), ("adam", 3e-4), ("adamw", 3e-4)),
)  # fmt: skip


def settled(value: Value | None) -> Value:
    """A setting that `TrainConfig.resolved` has filled in."""
    assert value is not None, "the config is not resolved"
    return value


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _require(holds: bool, expected: str, *, found: object, fix: str) -> None:
    if not holds:
        raise ConfigError(expected, found=str(found), fix=fix)


@dataclass(frozen=True)
class ReadingConfig:
    """how the data lies"""

    layout: Literal["auto", "folders", "manifest", "parquet", "idx", "cifar", "arrays", "shards"] = "auto"
    """Which layout of docs/data.md the data has. auto: what its names and files tell; it is said."""
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


@dataclass(frozen=True)
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
    flip_average: Literal["auto", "yes", "no"] = "auto"
    """Average the logits of a picture and its mirror image; auto: when training mirrors pictures."""

    def __post_init__(self) -> None:
        for name in ("size", "test_size", "square"):
            value = getattr(self, name)
            _require(value is None or 1 <= value <= 4096, f"--{name} from 1 to 4096", found=value, fix="Change it.")


@dataclass(frozen=True)
class TransferConfig:
    """weights to start from"""

    weights: Path | None = None
    """Start from imagenet (the model's published weights), an earlier run's folder, a checkpoint file, or none: from
    nothing. Default: what fits the pictures, which is said; none with a --model."""
    source: Literal["pictaxa", "torchvision", "timm", "keras", "jax", "efficientnet_pytorch"] = "pictaxa"
    """Whose names and axes the checkpoint has; it is never guessed."""
    input: Literal["0-1", "0-255", "-1-1", "caffe", "imagenet", "lite"] | None = None
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
    body_share: float | None = None
    """With --tune all or last:N and --weights, the part of the learning rate that all but the head gets. Default: 1."""
    standardise: Literal["yes", "no"] = "yes"
    """With --tune head and hidden layers, bring the backbone's numbers to mean zero and one length before."""
    feature_views: int = 1
    """Views of each picture that the frozen backbone sees, once, for a head. 1: prediction's; more: as training varies
    them; 0, with --tune head and
    --solve-head no: another one in every epoch."""

    def __post_init__(self) -> None:
        known = re.fullmatch(r"all|head|head,all|last:[1-9][0-9]*", self.tune) is not None
        _require(known, "--tune all, head, last:N or head,all", found=self.tune, fix="Choose one, such as last:2.")
        kept = self.tune == "all" or self.weights != NO_WEIGHTS
        _require(kept, f"--weights with --tune {self.tune}", found="none", fix="Frozen fresh weights know nothing.")
        _require(self.feature_views >= 0, "--feature-views from 0 on", found=self.feature_views, fix="Raise it.")
        share = self.body_share is None or 0 < self.body_share <= 1
        _require(share, "--body-share above 0, up to 1", found=self.body_share, fix="Change it.")

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
class AugmentConfig:
    """augmentation"""

    policy: str | None = None
    """How training pictures are varied: none, mirror, light (digits, signs, scans), standard, strong (photographs),
    trivial (TrivialAugment), rand (RandAugment). pictaxa preview draws it; docs/data.md has every range. Default:
    standard from known weights, strong from nothing."""
    augment: tuple[str, ...] = ()
    """Changes to the policy, such as rotation=30 horizontal_flip=0, or a YAML file with lines like rotation: 30."""


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
    rate: float | None = None
    """Peak learning rate. Default: from known weights 0.01 for sgd and 0.0003 for adam and adamw at batch 32, from
    nothing 0.15 and 0.002 at batch 64; in proportion to other batches."""
    warm_up: float | None = None
    """Part of the training in which the rate rises to its peak. Default: 0.05 from known weights, 0.1 from nothing."""
    curve: str = "cosine"
    """What the rate does then: cosine (to zero), constant, every:4=0.92 (times 0.92 after each 4 epochs), or
    steps:400=1,32000=0.1 (that part of the peak from a step on, the first one before it too)."""
    keep: Literal["accuracy", "loss", "last"] = "accuracy"
    """Which epoch's weights the run keeps: of the best validation accuracy, the least validation loss, or the last."""
    patience: int | None = None
    """End before the length is up, when so many validations in a row brought nothing better to keep; best with
    --curve constant, as cosine is at its best at its end. Default: never."""
    small_first: float | None = None
    """Part of the training, from its start, with smaller pictures, 0: none. Half the size, then three quarters, from
    nothing; five sevenths, then six, from known weights. Default: 0.65."""

    def __post_init__(self) -> None:
        given = [f"--{name}" for name in LENGTHS if getattr(self, name) is not None]
        _require(len(given) <= 1, "--epochs, --minutes or --steps", found=" and ".join(given), fix="Leave one out.")
        for name in ("epochs", "steps", "steps_per_epoch", "validation_pictures", "patience"):
            value = getattr(self, name)
            _require(value is None or value >= 1, f"--{_flag(name)} from 1 on", found=value, fix="Raise it.")
        enough = self.minutes is None or 0 < self.minutes < float("inf")
        _require(enough, "--minutes above 0", found=self.minutes, fix="Raise it.")
        _require(
            self.batch_size is None or self.batch_size >= 2,
            "--batch-size from 2 on",
            found=self.batch_size,
            fix="Raise it.",
        )
        _require(self.rate is None or self.rate > 0, "--rate above 0", found=self.rate, fix="Raise it.")
        warm_up = self.warm_up is None or 0 <= self.warm_up < 1
        _require(warm_up, "--warm-up from 0 to below 1", found=self.warm_up, fix="Change it.")
        judged = self.patience is None or self.keep != "last"
        _require(judged, "--keep accuracy or loss with --patience", found="--keep last", fix="Leave one out.")
        known = re.fullmatch(CURVES, self.curve) is not None
        _require(
            known, "--curve cosine, constant, every:4=0.92 or steps:0=1,32000=0.1", found=self.curve, fix="Change it."
        )
        part = self.small_first is None or 0 <= self.small_first <= 1
        _require(part, "--small-first from 0 to 1", found=self.small_first, fix="Change it.")


@dataclass(frozen=True)
class OptimizerConfig:
    """optimizer"""

    optimizer: Literal["sgd", "adam", "adamw"] | None = None
    """sgd is stochastic gradient descent with momentum. Default: adamw from known weights, sgd from nothing."""
    momentum: float = 0.9
    """Of sgd; of adam and adamw it is the first beta."""
    nesterov: Literal["yes", "no"] = "yes"
    """Nesterov's form of sgd's momentum, which looks a step ahead."""
    epsilon: float = 1e-8
    """What adam and adamw add before they divide; Keras has 1e-7."""
    weight_decay: float | None = None
    """On weights, not on biases and batch norm. Default: 0.02 from known weights, 0.0005 from nothing."""
    clip_norm: float | None = 5.0
    """Gradients longer than this are shortened to it; none: never."""
    label_smoothing: float | None = None
    """Part of the target that is spread over all classes (Szegedy et al. 2015). Default: 0.1; none of it for a head
    alone, whose probabilities it would only make less sure."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: a picture of a rare class counts as much more as the class is rarer."""
    average: float = 0.99
    """Decay per step of the running average of weights that is validated and kept; 0: the weights themselves."""

    def __post_init__(self) -> None:
        _require(0 <= self.momentum < 1, "--momentum from 0 to below 1", found=self.momentum, fix="Change it.")
        _require(self.epsilon > 0, "--epsilon above 0", found=self.epsilon, fix="Raise it.")
        _require(
            self.weight_decay is None or self.weight_decay >= 0,
            "--weight-decay from 0 on",
            found=self.weight_decay,
            fix="Raise it.",
        )
        clip = self.clip_norm is None or self.clip_norm > 0
        _require(clip, "--clip-norm above 0", found=self.clip_norm, fix="Raise it.")
        smooth = self.label_smoothing is None or 0 <= self.label_smoothing < 1
        _require(smooth, "--label-smoothing from 0 to below 1", found=self.label_smoothing, fix="Change it.")
        _require(0 <= self.average < 1, "--average from 0 to below 1", found=self.average, fix="Change it.")


@dataclass(frozen=True)
class MachineConfig:
    """machine"""

    device: str = "auto"
    """cpu, cuda, cuda:1, mps; auto: the fastest there is."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the arithmetic in training; auto: bfloat16 where the device computes it natively."""
    memory_format: Literal["auto", "channels_last", "contiguous"] = "auto"
    """How pictures lie in memory."""
    threads: int | None = None
    """CPU threads. Default: all cores that this process may use."""
    save_seconds: float = 30.0
    """Seconds between two saved states, from which a killed run goes on."""

    def __post_init__(self) -> None:
        _require(self.threads is None or self.threads >= 1, "--threads from 1 on", found=self.threads, fix="Raise it.")
        _require(self.save_seconds >= 0, "--save-seconds from 0 on", found=self.save_seconds, fix="Raise it.")


@dataclass(frozen=True)
class TrainConfig:
    """All that a training is told."""

    data: Positional[Path]
    """Pictures: a folder with a sub-folder for each class (in train/ and val/, or split by us), a manifest (.csv,
    .jsonl), parquet, IDX, .npz, HDF5 or tar files; or a name: mnist, fashion_mnist, cifar10, cifar100, flowers,
    hf:NAME. See docs/data.md."""
    recipe: str = ""
    """A well-known set-up by its name (pictaxa recipes lists them); any flag beside it wins."""
    model: str = "auto"
    """Architecture, a name of the zoo. auto: what the --weights are of, or what fits the pictures (efficientnet_lite0
    for photographs, resnet_lite from nothing)."""
    model_options: tuple[str, ...] = ()
    """The architecture's own options, such as dropout=0.3."""
    out: Path | None = None
    """Run folder. Default: a new one with a readable name in runs/."""
    cache: Path | None = None
    """Folder for decoded pictures. Default: PICTAXA_CACHE, or pictaxa in the user's cache folder."""
    seed: int = 0
    """Decides the split, the first weights and every random draw."""
    fold: str = ""
    """I/K: validate on the I-th of K parts and train on the others, such as 2/5. Default: a fifth, or the owner's."""
    transfer: TransferConfig = field(default_factory=TransferConfig)
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
    augmentation: AugmentConfig = field(default_factory=AugmentConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    optimization: OptimizerConfig = field(default_factory=OptimizerConfig)
    machine: MachineConfig = field(default_factory=MachineConfig)

    def __post_init__(self) -> None:
        _require(0 <= self.seed < 2**31, "--seed from 0 to 2147483647", found=self.seed, fix="Change it.")
        part = self.fold_of
        fits = not self.fold or (part is not None and 1 <= part[0] <= part[1] and part[1] >= 2)
        _require(fits, "--fold I/K with I from 1 to K", found=self.fold, fix="Write 2/5, say.")

    @property
    def fold_of(self) -> tuple[int, int] | None:
        """(I, K) of --fold."""
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", self.fold)
        return (int(match[1]), int(match[2])) if match else None

    def resolved(self) -> TrainConfig:
        """With what was left open as it usually is, and without what a head alone has no use for."""
        usual = usual_for(self)
        schedule, augmentation, optimization = self.schedule, self.augmentation, self.optimization
        if self.transfer.on_features:
            schedule = replace(schedule, small_first=0.0)
            if self.transfer.feature_views == 1:
                found = " ".join(augmentation.augment)
                _require(not found, "--feature-views from 2 on with --augment", found=found, fix="Say how many views.")
                still = augmentation.policy in ("none", "light")  # those that mirror nothing
                augmentation = AugmentConfig(policy="none" if still else "mirror")
        if all(getattr(schedule, name) is None for name in LENGTHS):
            if self.transfer.on_features:
                schedule = replace(schedule, epochs=DEFAULT_HEAD_EPOCHS)
            else:
                schedule = replace(schedule, minutes=usual.minutes)
        return replace(
            self,
            transfer=_filled(self.transfer, body_share=usual.body_share),
            pictures=_filled(self.pictures, view=usual.view),
            schedule=_filled(
                schedule, batch_size=usual.batch_size, warm_up=usual.warm_up, small_first=usual.small_first
            ),
            augmentation=_filled(augmentation, policy=usual.policy),
            optimization=_filled(
                optimization,
                optimizer=usual.optimizer,
                weight_decay=usual.weight_decay,
                label_smoothing=0.0 if self.transfer.on_features else usual.label_smoothing,
            ),
        )


def usual_for(config: TrainConfig) -> Usual:
    """What is usual for a training that starts as this one does."""
    return FROM_KNOWN if config.transfer.knows else FROM_NOTHING


def _filled(group: Group, **usual: Any) -> Group:
    """A group of settings with what is None as it usually is."""
    return replace(group, **{name: value for name, value in usual.items() if getattr(group, name) is None})
