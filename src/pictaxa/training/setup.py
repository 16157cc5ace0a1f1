"""From settings to a Job: decides pictures, splits, sizes, machine, model and run folder."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..augment.policy import Policy, find_policy, read_policies
from ..augment.preprocess import Geometry
from ..config.by_name import from_json, to_json
from ..config.training import TrainConfig, usual_for
from ..config.usual import resolved
from ..data.cache import build_cache
from ..data.drawing import draw_pictures
from ..data.index import Index
from ..data.levels import choose_decoding
from ..data.reading import read_data, resolve_path, survey
from ..data.split import split_index
from ..data.squares import CacheSpec, Squares
from ..errors import ConfigError, DataError, as_word
from ..inspection.alike import Pair
from ..inspection.checks import Facts, check
from ..inspection.findings import KINDS, Finding
from ..inspection.inspect import fast_lines, look
from ..inspection.quality import Quality
from ..models.contract import Classifier
from ..models.zoo import check_size, find_entry
from ..runs.chosen import Chosen
from ..runs.classes import check_same_classes
from ..runs.folder import Run, open_run
from ..runs.names import CLASSES
from ..runs.records import read_index, write_index
from ..system.device import Plan, apply_plan, choose_plan, differences
from ..system.progress import DecodeProgress, say
from .job import Job, cache_root, fresh_model
from .schedule import peak_lr
from .start import choose_start, chooses_start
from .transfer import Start, resolve_model, start_from_weights

# Small pictures are enlarged for a network with known weights: so many times, and at least to this part of its size.
ENLARGED, MIN_KNOWN = 2, 5 / 7
MARGIN = 5 / 4  # of the cached squares over what is seen of them: a view shows a part, a crop less
MAX_LOOKED = 10_000  # pictures that are searched for near duplicates before a training


@dataclass(frozen=True)
class Setup:
    """What is decided before any picture is decoded, so that mistakes in arguments and files are reported at once."""

    config: TrainConfig
    index: Index
    geometry: Geometry
    policy: Policy
    plan: Plan
    size: int  # side of the pictures in training, pixels
    model: Classifier
    start: Start  # what became of `--weights`


def setup(config: TrainConfig) -> Setup:
    """Read the folder, choose what was left open, make the model and fill it with `--weights`.

    Args:
        config: what was asked for.

    Returns:
        A Setup, whose config has no setting left open.

    Raises:
        ConfigError: settings that don't go together, or names that are unknown.
        DataError: the folder can't be read as a data set.
        WeightsError: the weights are missing, damaged or of another model.

    Example:
        start = setup(TrainConfig(data=Path("photos")))
        print(start.size, start.model.entry, start.plan.device)
    """
    augmentation = read_policies(config.augmentation)
    config = replace(config, data=resolve_path(config.data), augmentation=augmentation)
    if chooses_start(config):
        index = read_data(config.data, config.reading, cache=cache_root(config))
        config = resolve_model(choose_start(config, index)).resolved()
    else:
        config = resolve_model(config).resolved()
        find_entry(config.model)
        index = read_data(config.data, config.reading, cache=cache_root(config))
    index = draw_pictures(index, config.pictures.pictures, seed=config.seed)
    policy = find_policy(resolved(config.augmentation.policy), config.augmentation.augment)
    plan = choose_plan(config.machine)
    size, geometry = _choose_sizes(config, index, policy=policy)
    decoding, notes = choose_decoding(index, config.decoding)
    geometry, index = replace(geometry, decoding=decoding), index.with_notes(*notes)
    model = fresh_model(config, index, geometry, size, plan)
    start = start_from_weights(model, config.transfer, index.classes)
    return Setup(config, index, geometry, policy, plan, size, model, start)


def prepare(start: Setup, run: Run) -> tuple[Job, Classifier]:
    """Decide the rest of a training and write it into its run folder; what is found in the pictures is said.

    Args:
        start: what was decided before.
        run: the run folder, without any file.

    Returns:
        The Job, and the model to train, on its device.

    Raises:
        DataError: some class can't be split, or no picture can be decoded.
        CacheError: the disk is full, or the cache can't be written.

    Example:
        job, model = prepare(setup(TrainConfig(data=Path("photos"))), create_run(Path("runs/one")))
    """
    config = start.config
    before = time.monotonic()
    cache, index = decode(config, start.index, start.geometry, plan=start.plan)
    pairs, quality = look_for_copies(index, cache, config)
    decode_seconds = time.monotonic() - before
    alike = rows_of_pairs(pairs)
    index = split_index(index, config.seed, fold=config.fold_of, alike=alike)
    facts = Facts(index, pairs, quality, looked=np.flatnonzero(index.usable), side=cache.side, size=start.size)
    job = Job(
        config, run, index, cache, start.geometry, start.policy, start.plan, start.size,
        peak_lr(config.schedule, resolved(config.optimization.optimizer), usual=usual_for(config)), decode_seconds,
        new_head=start.start.new_head, alike=alike,
    )  # fmt: skip
    findings = check(facts)
    _write(job, findings)
    _tell(job)
    for line in fast_lines(findings):
        say(line)
    for line in start.start.lines:
        say(line)
    return job, start.model


def prepare_again(path: Path) -> Job:
    """The Job of a run that was cut off; DataError when its pictures have changed since."""
    run = open_run(path)
    run.check_files()
    chosen = run.chosen
    config = from_json(run.config["asked"]).resolved()
    policy = find_policy(resolved(config.augmentation.policy), config.augmentation.augment)
    plan = choose_plan(config.machine)
    if others := differences(chosen.machine, plan):
        say(f"note      {', '.join(others)}: from here on, the weights are not bitwise those of an unbroken run")
    geometry = run.geometry
    before = time.monotonic()
    cache, index = decode_again(run, config, plan=plan)
    pairs, _ = look_for_copies(index, cache, config)  # a head that is solved anew takes the same folds
    decode_seconds = time.monotonic() - before
    job = Job(
        config, run, index, cache, geometry, policy, plan, chosen.size, chosen.peak_lr, decode_seconds,
        new_head=chosen.new_head, alike=rows_of_pairs(pairs),
    )  # fmt: skip
    _tell(job)
    return job


def decode_again(run: Run, config: TrainConfig, *, plan: Plan) -> tuple[Squares, Index]:
    """The pictures of a run, with its splits; DataError when they have changed since it began.

    Args:
        run: the run.
        config: what it was asked for.
        plan: how many threads decode.
    """
    listed = read_data(config.data, config.reading, cache=cache_root(config))
    listed = draw_pictures(listed, config.pictures.pictures, seed=config.seed)
    cache, index = decode(config, listed, run.geometry, plan=plan)
    saved = read_index(run)
    told = ["path", "label", "hash", "problem_kind"]
    if index.classes != saved.classes or not index.table.select(told).equals(saved.table.select(told)):
        raise DataError(
            "the pictures that the run was started with",
            found=f"added, changed or removed files under {str(config.data)!r}",
            fix=f"Restore them, or start a new training: pictaxa train --config {as_word(run.path / 'config.json')}",
        )
    check_same_classes(run.classes, index.classes, path=run.path / CLASSES, other=str(config.data))
    return cache, index.with_columns({"split": saved.column("split")})


def look_for_copies(
    index: Index, cache: Squares, config: TrainConfig
) -> tuple[tuple[Pair, ...] | None, Quality | None]:
    """Pictures that are nearly equal, and numbers about each; nothing where there are too many to wait for it."""
    pictures = int(index.usable.sum())
    if pictures > MAX_LOOKED:
        say(f"note      {pictures} pictures: run `pictaxa inspect {config.data}` to search for near duplicates")
        return None, None
    return look(index, cache, root=cache_root(config))


def rows_of_pairs(pairs: tuple[Pair, ...] | None) -> np.ndarray:
    """(m, 2) rows of pictures that are nearly equal."""
    return np.array([(pair.first, pair.second) for pair in pairs or ()], dtype=np.int64).reshape(-1, 2)


def _choose_sizes(config: TrainConfig, index: Index, *, policy: Policy) -> tuple[int, Geometry]:
    """The training size and the Geometry, from what was asked, what the model takes and how large pictures are."""
    asked = config.pictures
    entry = find_entry(config.model)
    longer_side, all_grey = survey(index)
    size = asked.size or entry.size
    if asked.size is None and entry.any_size:
        # Enlarging small pictures adds no information, only time; but a network that has learnt to see things of some
        # size in pixels knows them at no other (docs/measured.md).
        least, times = (MIN_KNOWN * entry.size, ENLARGED) if config.transfer.knows else (entry.min_size, 1)
        size = min(size, max(entry.min_size, round(least / 32) * 32, round(longer_side * times / 32) * 32))
    check_size(config.model, size)
    test_size = asked.test_size or size
    if asked.size is None and asked.test_size is None and entry.any_size:
        larger = round(size * usual_for(config).test_part / 32) * 32
        test_size = max(size, min(larger, round(longer_side / 32) * 32))
    if test_size != size and not entry.any_size:
        raise ConfigError(
            f"one size for {config.model}",
            found=f"--size {size} and --test-size {test_size}",
            fix="Give only one of the two.",
        )
    check_size(config.model, test_size)
    margin = MARGIN if asked.test_size is None else 1.0
    square = asked.square or min(longer_side, round(max(size * MARGIN, test_size * margin) / 8) * 8)
    channels = {"1": 1, "3": 3, "auto": 1 if all_grey else 3}[asked.channels]
    tta = asked.tta
    if tta == "auto":
        tta = "flip" if policy.horizontal_flip > 0 else "none"
    return size, Geometry(square=square, channels=channels, view=resolved(asked.view), size=test_size, tta=tta)


def decode(config: TrainConfig, index: Index, geometry: Geometry, *, plan: Plan) -> tuple[Squares, Index]:
    """Decode every picture that can be read into the cache, but for those that are there already.

    Args:
        config: where the cache is, and whether it keeps pixels.
        index: the pictures.
        geometry: the side and the channels of the squares.
        plan: how many threads decode.

    Returns:
        The squares, (S, S, C) uint8 for each row, and the index with each picture's size, hash and problem.

    Raises:
        CacheError: the disk is full, or the cache can't be written.

    Example:
        start = setup(TrainConfig(data=Path("photos")))
        cache, index = decode(start.config, start.index, start.geometry, plan=start.plan)
        squares = cache.read(index.rows("train")[:8])  # (8, S, S, C) uint8
    """
    apply_plan(plan)
    spec = CacheSpec(geometry.square, geometry.channels, geometry.decoding)
    with DecodeProgress() as progress:
        return build_cache(
            index, spec, root=cache_root(config), threads=plan.threads, progress=progress,
            keep_pixels=config.pictures.decode == "once",
        )  # fmt: skip


def _write(job: Job, findings: list[Finding]) -> None:
    size_option = [f"size={job.size}"] if find_entry(job.config.model).size_option else []
    chosen = Chosen(
        model=job.config.model,
        model_options=(*job.config.model_options, *size_option),
        root=str(job.index.root),
        size=job.size,
        peak_lr=job.peak_lr,
        new_head=job.new_head,
        steps=job.steps,
        steps_per_epoch=job.steps_per_epoch,
        train_pictures=len(job.train_rows),
        val_pictures=len(job.val_rows),
        notes=job.index.notes,
        findings=tuple(f"{KINDS[finding.kind].title}: {finding.text}" for finding in findings),
        machine=job.plan.described,
    )
    job.run.write_classes(job.index.classes)
    job.run.write_geometry(job.geometry)
    write_index(job.run, job.index)
    job.run.write_config(to_json(job.config), chosen)  # the last: with it the folder is a run that can be resumed


def _tell(job: Job) -> None:
    for note in job.index.notes:
        say(f"note      {note}")
    aside = job.index.set_aside()
    for path, problem in aside[:5]:
        say(f"set aside {path!r}: {problem}")
    if len(aside) > 5:
        say(f"set aside {len(aside) - 5} more; all are in {job.run.index_path}")
    classes = ", ".join(job.index.classes[:8]) + (", ..." if len(job.index.classes) > 8 else "")
    say(f"pictures  {len(job.train_rows)} to train, {len(job.val_rows)} to validate")
    say(f"classes   {len(job.index.classes)}: {classes}")
    say(f"machine   {job.plan.reason}")
    schedule = job.config.schedule
    lengths = {"epochs": schedule.epochs, "minutes": schedule.minutes, "steps": schedule.steps}
    length = ", ".join(f"{value:g} {name}" for name, value in lengths.items() if value is not None)
    model = f"{job.config.model} at {job.size} px"
    if job.config.transfer.on_features:
        say(f"model     {model}, frozen except its head")
    else:
        policy = job.config.augmentation.policy
        say(f"model     {model}, batch {schedule.batch_size}, {length}, policy {policy}")
    say(f"run       {job.run.path}")
