"""`pictaxa plan`: compares the ways to train on these pictures and this machine, measured in a few seconds.

Each candidate does a few real steps and a few real predictions, on as many pictures as a batch has. What accuracy to
expect is told by a probe: a head solved on some hundred pictures, and by its learning curve what it would be with all.
Training all of a network from there keeps the head where nothing better comes, so its expectation is at least that;
what it brings beyond was measured on the sets of docs/measured.md (TUNED_PART).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..config.training import TrainConfig, usual_for
from ..config.usual import resolved
from ..data.cache import build_cache
from ..data.index import Index
from ..data.split import find_units, places_in_class
from ..data.squares import CacheSpec
from ..inference.features import FeaturePass, FeatureSource, extract_features
from ..inference.logits import BATCH, square_logits
from ..metrics import wilson_interval
from ..models.contract import Classifier
from ..models.folding import share_norms
from ..models.fusing import fast_copy
from ..system.device import apply_plan
from ..system.printing import lines_html
from ..system.progress import clock
from .learning_curve import expected_errors, learning_curve
from .logistic import HeadProblem, Scaling, check_finite
from .optimizer import make_optimizer, set_lr
from .schedule import size_at
from .setup import Setup, setup
from .solve import cross_validate
from .start import alternatives
from .transfer import set_training

PROBED = 400  # pictures
STEPS = 3  # measured, after one that does not count
# Errors left after training all of the network, as a part of the solved head's: the best and the worst of the sets in
# docs/measured.md (signs 0.2 and 0.5, flowers 0.7, few flowers and CIFAR-10 in a minute 0.95).
TUNED_PART = (0.2, 1.0)
FIRST_EPOCHS, LAST_EPOCHS = 3, 20  # between which training all of it brings what it brings


@dataclass(frozen=True)
class PlanRow:
    """One way to train."""

    model: str
    weights: str  # as --weights has it
    tune: str
    size: int  # pixels
    train_per_second: float | None  # pictures, at the mean over the sizes of a training; None: nothing is trained
    predict_per_second: float  # pictures, as prediction sees them
    minutes: float  # it takes
    epochs: float | None
    memory_bytes: int
    accuracy: tuple[float, float, float] | None  # expected, with an interval of 95%; None: nothing is known of it

    @property
    def flags(self) -> str:
        """What to write after pictaxa train DATA."""
        model = "" if self.model == "auto" else f"--model {self.model} "
        tune = "" if self.tune == "all" else f" --tune {self.tune}"
        return f"{model}--weights {self.weights}{tune}"


@dataclass(frozen=True, repr=False)
class TrainingPlan:
    """The ways there are, the one that `pictaxa train` takes first."""

    rows: tuple[PlanRow, ...]
    pictures: int  # to train on
    probed: int
    head_seconds: float  # to decode all pictures, look at them and solve a head

    def __repr__(self) -> str:
        first = f": first {self.rows[0].flags}" if self.rows else ""
        return f"<TrainingPlan of {len(self.rows)} ways for {self.pictures} pictures{first}>"

    def _repr_html_(self) -> str:
        return lines_html(plan_lines(self))


def plan_training(config: TrainConfig) -> TrainingPlan:
    """Measure each way to train on these pictures; a few seconds, and nothing is written but to the caches.

    Args:
        config: the pictures, and what is asked for; the way that it describes comes first.

    Returns:
        A TrainingPlan, a row for each way.

    Raises:
        ConfigError, DataError, WeightsError: as `pictaxa train` would.

    Example:
        for line in plan_lines(plan_training(TrainConfig(data=Path("photos"))), target=0.95):
            print(line)
    """
    rows, expected, head_seconds, probed, count = [], None, 0.0, 0, 0
    for candidate in alternatives(config):
        start = setup(candidate)
        if not count:
            index, count = _drawn(start)
        model, transfer = start.model, start.config.transfer
        if transfer.knows and expected is None:
            expected, per_picture, probed = _probe(start, index, train_pictures=count)
            head_seconds = per_picture * len(start.index)
        predict = _prediction_speed(start, model)
        if transfer.on_features:
            train, memory = None, sum(tensor.nbytes for tensor in [*model.parameters(), *model.buffers()])
        else:
            train, memory = _training_speed(start, model)
        minutes = head_seconds / 60 if train is None else resolved(start.config.schedule.minutes)
        for_training = max(0.0, minutes * 60 - (head_seconds if transfer.knows else 0.0))
        accuracy = _tuned(expected, tuned=train is not None) if transfer.knows else None
        rows.append(
            PlanRow(
                start.config.model, str(candidate.transfer.weights), transfer.tune, start.size, train, predict, minutes,
                None if train is None else for_training * train / count, memory, accuracy,
            )
        )  # fmt: skip
    return TrainingPlan(tuple(rows), count, probed, head_seconds)


def plan_lines(plan: TrainingPlan, *, target: float | None = None) -> Iterator[str]:
    """Format a plan as text: a table, and with a `target` accuracy between 0 and 1 how long it takes."""
    yield f"pictures  {plan.pictures} to train; {plan.probed} probed"
    yield (
        f"   {'backbone':19} {'weights':9} {'trains':6} {'pixels':>6} {'training':>10} {'prediction':>10} "
        f"{'minutes':>7} {'epochs':>6} {'memory':>7}  accuracy to expect"
    )
    for number, row in enumerate(plan.rows, start=1):
        train = "-" if row.train_per_second is None else f"{row.train_per_second:.0f}/s"
        epochs = "-" if row.epochs is None else f"{row.epochs:.1f}"
        accuracy = "not known before training"
        if row.accuracy is not None:
            accuracy = f"{row.accuracy[0]:.1%} ({row.accuracy[1]:.1%} to {row.accuracy[2]:.1%})"
        yield (
            f"{number}  {row.model:19} {row.weights:9} {row.tune:6} {row.size:6d} {train:>10} "
            f"{f'{row.predict_per_second:.0f}/s':>10} {row.minutes:7.1f} {epochs:>6} "
            f"{f'{row.memory_bytes / 2**30:.1f} GB':>7}  {accuracy}"
        )
    if target is not None:
        yield f"{target:.1%}     {time_to(plan, target)}"


def time_to(plan: TrainingPlan, target: float) -> str:
    """How long until an accuracy between 0 and 1, as an honest range in words."""
    heads = [row for row in plan.rows if row.accuracy is not None and row.epochs is None]
    tuned = [row for row in plan.rows if row.accuracy is not None and row.epochs is not None]
    if not heads or not tuned or heads[0].accuracy is None:
        return "not known before training: these weights are new"
    middle, low, high = heads[0].accuracy
    train = resolved(tuned[0].train_per_second)
    first, last = (plan.head_seconds + epochs * plan.pictures / train for epochs in (FIRST_EPOCHS, LAST_EPOCHS))
    if target <= low:
        return f"about {clock(plan.head_seconds)}, with the head alone (--tune head)"
    head, whole = clock(plan.head_seconds), clock(last)
    if target <= high:
        return f"{head} with the head alone, if it does well, up to {whole} with the whole network"
    if 1 - target >= (1 - high) * TUNED_PART[0]:
        return f"{clock(first)} to {whole} with the whole network, if at all: the head alone may reach {high:.1%}"
    return (
        f"not to be expected: the head alone may reach {middle:.1%}, and training the whole network left at least "
        f"{TUNED_PART[0]:.0%} of such errors in our experiments. More pictures may help: pictaxa probe"
    )


def _drawn(start: Setup) -> tuple[Index, int]:
    """Some of the pictures, evenly from each class, and how many there are to train on."""
    index, config = start.index, start.config
    usable = np.flatnonzero(index.usable & (index.labels >= 0))
    splits = index.column("split")[usable]
    own = usable[np.isin(splits, ["", "train"])]
    share = 1.0 if (splits == "val").any() else 0.8
    shuffled = np.random.default_rng([config.seed, 9]).permutation(own)
    evenly = np.argsort(places_in_class(index.labels[shuffled]), kind="stable")
    some = np.sort(shuffled[evenly[:PROBED]])
    return index.take(some), round(len(own) * share)


def _probe(start: Setup, index: Index, *, train_pictures: int) -> tuple[tuple[float, float, float], float, int]:
    """The accuracy to expect of a head solved on all pictures, the seconds a picture takes for it, pictures probed."""
    config = start.config
    apply_plan(start.plan)
    spec = CacheSpec(start.geometry.square, start.geometry.channels, start.geometry.decoding)
    geometry = replace(start.geometry, tta="none")
    with tempfile.TemporaryDirectory(prefix="pictaxa-plan-") as folder:  # the data set's own caches hold all of it
        root = Path(folder)
        before = time.monotonic()
        cache, index = build_cache(index, spec, root=root, threads=start.plan.threads)
        rows = np.flatnonzero(index.usable)
        source = FeatureSource(index, cache, geometry, start.plan, root)
        (mapped,) = extract_features(source, start.model, [FeaturePass(rows)])
        per_picture = (time.monotonic() - before) / len(rows)
        vectors = np.array(mapped)
    check_finite([vectors])
    problem = HeadProblem(
        [vectors], index.labels[rows], len(index.classes), find_units(index, rows).of, seed=config.seed,
        device=start.plan.device,
    )  # fmt: skip
    scaling = Scaling.of(problem)
    held_out = cross_validate(problem, scaling)
    judged = held_out.fold_of >= 0
    right = int((held_out.probabilities[judged].argmax(axis=1) == problem.labels[judged]).sum())
    errors = expected_errors(learning_curve(problem, scaling, held_out), [train_pictures], seed=config.seed)
    return _expected(right, int(judged.sum()), errors), per_picture, len(rows)


def _expected(right: int, judged: int, errors: np.ndarray | None) -> tuple[float, float, float]:
    """The accuracy of a solved head and its interval of 95%: the curve's, or where there is none the probe's own."""
    middle, (low, high) = right / max(1, judged), wilson_interval(right, judged)
    if errors is not None:
        middle = 1 - float(errors[0, 0])
        least, most = np.percentile(errors[0, 1:], [2.5, 97.5])
        low, high = 1 - float(most), 1 - float(least)
    return middle, min(low, middle), max(high, middle)


def _tuned(expected: tuple[float, float, float] | None, *, tuned: bool) -> tuple[float, float, float] | None:
    """What to expect where all of the network is trained from the head's start."""
    if expected is None or not tuned:
        return expected
    middle, low, high = expected
    best, worst = TUNED_PART
    return 1 - (1 - middle) * (best + worst) / 2, 1 - (1 - low) * worst, 1 - (1 - high) * best


@torch.inference_mode()
def _prediction_speed(start: Setup, model: Classifier) -> float:
    """Pictures per second as prediction computes them."""
    side, channels = start.geometry.square, start.geometry.channels
    squares = torch.zeros(BATCH, side, side, channels, dtype=torch.uint8, device=start.plan.device)
    fast = fast_copy(model, size=start.geometry.size)
    seconds = []
    for _ in range(2):
        before = time.monotonic()
        square_logits(fast, squares, aspects=np.ones(BATCH, dtype=np.float32), geometry=start.geometry).sum().item()
        seconds.append(time.monotonic() - before)
    return BATCH / min(seconds)


def _training_speed(start: Setup, model: Classifier) -> tuple[float, int]:
    """Pictures per second over a training with its several sizes, and the most memory that a step takes, in bytes."""
    config, usual = start.config, usual_for(start.config)
    batch = resolved(config.schedule.batch_size)
    keeps = config.transfer.keeps_statistics
    computed = share_norms(model, size=start.geometry.size) if keeps else model
    set_training(computed, keep_statistics=keeps)
    optimizer = make_optimizer(model, config.optimization)
    set_lr(optimizer, 0.0)  # the weights stay as they are
    progressive_resizing = resolved(config.schedule.progressive_resizing)
    rates, most = [], 0
    for progress, part in (
        (0.0, progressive_resizing / 2),
        (progressive_resizing * 0.75, progressive_resizing / 2),
        (1.0, 1 - progressive_resizing),
    ):
        size = size_at(
            progress, size=start.size, min_size=model.min_size, progressive_resizing=progressive_resizing,
            small_sizes=usual.small_sizes,
        )  # fmt: skip
        images = torch.rand(batch, start.geometry.channels, size, size, device=start.plan.device)
        images = images.to(memory_format=start.plan.memory_format)  # as a training step has them
        labels = torch.zeros(batch, dtype=torch.int64, device=start.plan.device)
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor, kept: dict[int, int] = kept) -> torch.Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        seconds = []
        for step in range(STEPS):
            before = time.monotonic()
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), start.plan.autocast():
                logits = computed(images)
            torch.nn.functional.cross_entropy(logits.float(), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
            if step:
                seconds.append(time.monotonic() - before)
        rates.append((part, batch / min(seconds)))
        most = max(most, sum(kept.values()))
    weights = sum(parameter.nbytes for parameter in model.parameters())
    # The weights, their average, their gradients and the optimizer's two moments, beside what a step keeps.
    return sum(part * rate for part, rate in rates), most + 5 * weights
