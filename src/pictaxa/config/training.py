"""Every setting of a training, defined once: flags, config files, Python arguments and help come from here.

The groups are frozen dataclasses that check themselves. On the command line and in Python their fields stand side by
side (`--epochs 20`, `train(data, epochs=20)`); in config.json they stand in their groups.
"""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any

from .checking import require, require_within
from .data import AugmentConfig, DecodingConfig, PicturesConfig, ReadingConfig
from .learning import DEFAULT_HEAD_EPOCHS, LENGTHS, OptimizerConfig, ScheduleConfig, TransferConfig
from .machine import MachineConfig
from .usual import FROM_KNOWN, FROM_NOTHING, Usual


@dataclass(frozen=True)
class TrainConfig:
    """All settings of a training."""

    data: Path
    """Data set: a folder with one sub-folder per class (optionally inside train/ and val/), a manifest (.csv, .jsonl),
    parquet, IDX, .npz, HDF5 or tar files; or a name: mnist, fashion_mnist, cifar10, cifar100, flowers, hf:NAME. See
    docs/data.md."""
    _: KW_ONLY
    recipe: str = ""
    """A well-known training set-up (pictaxa recipes lists them); flags override its settings."""
    model: str = "auto"
    """Architecture (pictaxa models lists them). auto: that of the --weights, or what fits the pictures
    (efficientnet_lite0 for photos, resnet_lite from scratch)."""
    model_options: tuple[str, ...] = ()
    """The architecture's own options, such as dropout=0.3."""
    out: Path | None = None
    """Run folder. Default: a new one in runs/, named after the data and the model."""
    cache: Path | None = None
    """Folder for decoded pictures. Default: PICTAXA_CACHE, or pictaxa in the user's cache folder."""
    seed: int = 0
    """Random seed of the split, the initial weights and all augmentation."""
    fold: str = ""
    """I/K: validate on the I-th of K parts and train on the others, such as 2/5. Default: a fifth, or the data set's
    own split."""
    folds: int | None = None
    """Number of trainings, each of which is judged by the part of the pictures that it has not seen: RUN/fold-1 and so
    on, and RUN has the judgement of all pictures. --minutes is the time of all together; by default each takes as long
    as a training without folds. Each keeps its last epoch, so that no picture chooses the weights that judge it; with
    --patience its best."""
    transfer: TransferConfig = field(default_factory=TransferConfig)
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    augmentation: AugmentConfig = field(default_factory=AugmentConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    optimization: OptimizerConfig = field(default_factory=OptimizerConfig)
    machine: MachineConfig = field(default_factory=MachineConfig)

    def __post_init__(self) -> None:
        require_within("seed", self.seed, least=0, below=2**31, such_as="0")
        part = self.fold_of
        fits = not self.fold or (part is not None and 1 <= part[0] <= part[1] and part[1] >= 2)
        require(fits, "--fold I/K with I from 1 to K", found=self.fold, fix="For example, use 2/5.")
        require_within("folds", self.folds, least=2, most=1000, such_as="5")
        alone = not self.fold or self.folds is None
        require(alone, "--folds or --fold", found="both", fix="Leave --fold out: all parts take their turn.")

    @property
    def fold_of(self) -> tuple[int, int] | None:
        """(I, K) of --fold."""
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", self.fold)
        return (int(match[1]), int(match[2])) if match else None

    def resolved(self) -> TrainConfig:
        """With what was left open as it usually is, and without what a head alone has no use for."""
        usual = usual_for(self)
        schedule, augmentation = self.schedule, self.augmentation
        if self.transfer.on_features:
            usual = replace(usual, label_smoothing=0.0)
            schedule = replace(schedule, progressive_resizing=0.0)
            if self.transfer.feature_views == 1:
                found = " ".join(augmentation.augment)
                require(
                    not found,
                    "--feature-views of 2 or more with --augment",
                    found=found,
                    fix="Give a number of views, such as --feature-views 4.",
                )
                still = augmentation.policy in ("none", "light")  # those that mirror nothing
                augmentation = AugmentConfig(policy="none" if still else "mirror")
        if all(getattr(schedule, name) is None for name in LENGTHS):
            if self.transfer.on_features:
                schedule = replace(schedule, epochs=DEFAULT_HEAD_EPOCHS)
            else:
                schedule = replace(schedule, minutes=usual.minutes)
        changed = replace(self, schedule=schedule, augmentation=augmentation)
        groups = {name: group for name, group in vars(changed).items() if is_dataclass(group)}
        return replace(changed, **{name: _filled(group, usual) for name, group in groups.items()})


def usual_for(config: TrainConfig) -> Usual:
    """What is usual for a training that starts as this one does."""
    return FROM_KNOWN if config.transfer.knows else FROM_NOTHING


def _filled(group: Any, usual: Usual) -> Any:
    """A group of settings with what is None as it usually is, except for lengths, of which one stands for all."""
    missing = {name: value for name, value in vars(usual).items() if getattr(group, name, value) is None}
    return replace(group, **{name: value for name, value in missing.items() if name not in LENGTHS})
