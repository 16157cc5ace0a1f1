"""A Job: everything that was decided about a training; the loop reads it and never changes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ..augment.augmenter import Augmenter
from ..augment.policy import Policy
from ..augment.preprocess import Geometry
from ..config.training import TrainConfig, usual_for
from ..config.usual import resolved
from ..data.batches import epoch_order, nth_part
from ..data.cache_folder import default_cache_root
from ..data.index import Index
from ..data.squares import Squares
from ..errors import TrainingError, as_word, machine_error
from ..inference.features import FeatureSource
from ..models.contract import Classifier
from ..models.zoo import create_model, find_entry, parse_options
from ..runs.folder import Run
from ..system.device import Plan, to_device
from ..system.files import drop_partial
from .checkpoint import has_state
from .interrupts import Interrupted
from .schedule import peak_lr, size_at
from .transfer import freeze

_JUDGED = 6  # keeps these draws apart from others of the same seed


@dataclass(frozen=True)
class Job:
    """A training, decided; the loop reads it and changes nothing in it."""

    config: TrainConfig
    run: Run
    index: Index
    cache: Squares
    geometry: Geometry
    policy: Policy
    plan: Plan
    size: int  # side of the pictures in training, pixels
    peak_lr: float
    decode_seconds: float  # spent on filling the cache
    new_head: bool  # whether the weights that it starts from lack its head
    alike: np.ndarray | None = None  # (m, 2) rows of pictures that are nearly equal; None: not looked for

    @cached_property
    def train_rows(self) -> np.ndarray:
        """(n,) int64 rows of the training pictures."""
        return self.index.rows("train")

    @cached_property
    def val_rows(self) -> np.ndarray:
        """(n,) int64 rows of the validation pictures."""
        return self.index.rows("val")

    @cached_property
    def judged_rows(self) -> np.ndarray:
        """(n,) int64 rows of the validation pictures that an epoch is judged by."""
        rows, most = self.val_rows, self.config.schedule.validation_pictures
        if most is None or most >= len(rows):
            return rows
        drawn: np.ndarray = np.random.default_rng([self.config.seed, _JUDGED]).choice(rows, size=most, replace=False)
        return np.sort(drawn)

    @property
    def steps_per_pass(self) -> int:
        """Batches that hold each picture once."""
        return max(1, -(-len(self.train_rows) // resolved(self.config.schedule.batch_size)))

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self.config.schedule.steps_per_epoch or self.steps_per_pass

    @property
    def steps(self) -> int | None:
        """Batches in all; None where time decides."""
        schedule = self.config.schedule
        return schedule.steps if schedule.epochs is None else schedule.epochs * self.steps_per_epoch

    def epoch_order(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch as rows."""
        return nth_part(self._pass_order, epoch, of=self.steps_per_epoch, steps_per_pass=self.steps_per_pass)

    def _pass_order(self, number: int) -> list[np.ndarray]:
        schedule, rows = self.config.schedule, self.train_rows
        balance = self.index.labels[rows] if schedule.sampling == "balanced" else None
        files = self.index.files() if self.config.pictures.decode == "always" else None
        return epoch_order(
            rows, number, seed=self.config.seed, batch_size=resolved(schedule.batch_size), balance=balance, files=files
        )

    def size_at(self, progress: float) -> int:
        """The side of the pictures, pixels, at a `progress` of the training from 0 to 1: small ones come first."""
        entry = find_entry(self.config.model)
        if not entry.any_size:
            return self.size
        return size_at(
            progress, size=self.size, min_size=entry.min_size, small_sizes=usual_for(self.config).small_sizes,
            progressive_resizing=resolved(self.config.schedule.progressive_resizing),
        )  # fmt: skip

    @cached_property
    def augmenter(self) -> Augmenter:
        """What varies the training pictures."""
        heights = self.index.column("height")
        return Augmenter(self.policy, self.geometry.view, seed=self.config.seed, heights=heights)

    @property
    def feature_source(self) -> FeatureSource:
        """The pictures as a frozen backbone looks at them."""
        return FeatureSource(self.index, self.cache, self.geometry, self.plan, cache_root(self.config))

    def fresh_model(self) -> Classifier:
        """A model as training starts without `--weights`: the same each time."""
        return fresh_model(self.config, self.index, self.geometry, self.size, self.plan)


def fresh_model(config: TrainConfig, index: Index, geometry: Geometry, size: int, plan: Plan) -> Classifier:
    """First weights that only the seed decides, on the device, in its memory format; what is not trained is frozen."""
    torch.manual_seed(config.seed)
    options = parse_options(config.model, config.model_options)
    if find_entry(config.model).size_option:
        options["size"] = size
    model = create_model(config.model, len(index.classes), in_channels=geometry.channels, **options)
    freeze(model, config.transfer.tune)
    return to_device(model, plan)


def cache_root(config: TrainConfig) -> Path:
    """Find the folder of the caches: `--cache`, $PICTAXA_CACHE or the user's own."""
    return config.cache or default_cache_root()


def diverged(job: Job, *, found: str) -> TrainingError:
    """The error for a training whose numbers are no longer finite, with what to try and what is kept."""
    kept = f"; the last good state is kept in {job.run.state_path}" if has_state(job.run.state_path) else ""
    if job.run.model_path.exists():
        kept += f"; the best weights until then are in {job.run.model_path}"
    config = job.config
    usual = peak_lr(
        replace(config.schedule, lr=None), resolved(config.optimization.optimizer), usual=usual_for(config)
    )  # fmt: skip
    return TrainingError(
        "finite numbers in training",
        found=f"{found}, at up to --lr {job.peak_lr:.3g}",
        fix=f"Try --lr {min(job.peak_lr / 3, usual):.2g}, --clip-grad-norm 1 or --precision float32{kept}.",
    )


@contextmanager
def machine_errors_told(job: Job) -> Iterator[None]:
    """A full disk, too little memory and Ctrl-C, each with how training goes on: what was saved before is whole."""
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt as stop:
        # A second one, while the first is seen to, or one between the steps' turns: nothing else knows of the run.
        drop_partial(job.run.path)
        raise Interrupted(job.run) from stop
    except Exception as error:
        less = f"--batch-size {max(2, resolved(job.config.schedule.batch_size) // 2)} or a --size below {job.size}"
        mistake = machine_error(
            error,
            room_fix=f"Free some space and continue with: pictaxa train --resume {as_word(job.run.path)}",
            memory_fix=f"Train again with {less}.",
        )
        if mistake is None:
            raise
        raise mistake from None
