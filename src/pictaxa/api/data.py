"""Functions for a data set before training: inspect, preview, preview_batch, probe, plan, embed."""

from __future__ import annotations

from typing import Any, Unpack

from ..config.by_name import with_words
from ..config.calls import given, given_path, says_what_it_takes
from ..config.keywords import InspectKeywords, PreviewKeywords, TrainKeywords
from ..config.training import TrainConfig
from ..data.cache_folder import default_cache_root
from ..errors import ConfigError
from ..inspection.inspect import Inspection, inspect_data
from ..inspection.manifest import check_manifest_place, write_manifest
from ..inspection.review import read_review
from ..judge.embedding import Embedding, embed_data
from ..judge.label_errors import doubts
from ..judge.probe import Probe, probe_data
from ..reporting.batch import Batch, make_batch
from ..reporting.preview import Preview, draw_preview
from ..reporting.samples import Wanted, draw_samples, read_grid
from ..system.device import usable_cores
from ..training.planner import TrainingPlan, plan_training
from .given import Place, config_of, data_of, run_of


@says_what_it_takes
def inspect(
    data: Place,
    *,
    html: Place | None = None,
    fix: Place | None = None,
    review: Place | None = None,
    reviewed: Place | None = None,
    run: Place | None = None,
    folds: int | None = None,
    fold_minutes: float = 2.0,
    fold_epochs: int | None = None,
    size: int | None = None,
    cache: Place | None = None,
    threads: int | None = None,
    **settings: Unpack[InspectKeywords],
) -> Inspection:
    """Find problems in a data set, which is not changed, as `pictaxa inspect` does.

    Args:
        data: labelled pictures in any layout of docs/data.md.
        html: a page with the pictures to write.
        fix: a manifest (.csv) without the bad rows to write, to train on.
        review: with `run` or `folds`, a page (.html) to write on which the doubtful labels are decided one by one.
        reviewed: with `fix`, a file that such a page has saved, whose labels the manifest gets.
        run: a run trained on these classes, to also find likely wrong labels, outliers and pictures of no class.
        folds: number of cross-validation trainings, to also find likely wrong labels without a run.
        fold_minutes: how long each of them takes.
        fold_epochs: the same in epochs.
        size: input size that you will train at, pixels; much smaller pictures are reported.
        cache: folder for decoded pictures.
        threads: how many decode; by default one for each core.
        **settings: the flags by which pictures are found and decoded, such as layout="folders".

    Returns:
        An Inspection, whose `findings` have a kind, a text and rows of its `index`.

    Raises:
        SettingError: an argument is unknown or of another type; it is a TypeError too.
        DataError: the pictures can't be read as a data set.
        ConfigError: a setting is out of its range, or a file can't be written.

    Example:
        inspection = pictaxa.inspect("photos", html="found.html")
        print([finding.text for finding in inspection.findings])
    """
    place = data_of(data)
    manifest = None if fix is None else given_path(fix, "fix", what="a .csv file")
    page = None if html is None else given_path(html, "html", what="a page to write")
    check_manifest_place(manifest, place)
    doubtful = None if review is None else given_path(review, "review", what="a page to write")
    if doubtful is not None and run is None and folds is None:
        raise ConfigError("review beside run or folds", found="neither", fix="Add run=RUN, or folds=5.")
    if reviewed is not None and fix is None:
        raise ConfigError("reviewed beside fix", found="no fix", fix="Add fix='good.csv', for example.")
    decided = None if reviewed is None else read_review(given_path(reviewed, "reviewed", what="a saved review"))
    if folds is not None and given(folds, int, "folds", what="a whole number") < 2:
        raise ConfigError("folds of 2 or more", found=str(folds), fix="For example, use folds=5.")
    length: dict[str, Any] = {"minutes": fold_minutes} if fold_epochs is None else {"epochs": fold_epochs}
    words: dict[str, Any] = {**settings, **length, "size": size, "cache": cache, "threads": threads}
    config = with_words(TrainConfig(place), words)
    inspection = inspect_data(
        place, config.reading, root=config.cache or default_cache_root(),
        threads=config.machine.threads or usable_cores(), size=size, asked=config.decoding,
    )  # fmt: skip
    trained = None if run is None else run_of(run)
    inspection.findings.extend(doubts(inspection, config, run=trained, folds=folds))
    if page is not None:
        from ..reporting.inspection_page import write_inspection  # with matplotlib, only where a page is asked for

        write_inspection(inspection, page)
    if doubtful is not None:
        from ..reporting.review_page import write_review

        write_review(inspection, doubtful, data=place)
    if manifest is not None:
        write_manifest(inspection, manifest, review=decided)
    return inspection


@says_what_it_takes
def preview(
    data: Place,
    out: Place = "preview.png",
    *,
    grid: str = "",
    class_: str = "",
    split: str = "",
    seed: int = 0,
    **settings: Unpack[PreviewKeywords],
) -> Preview:
    """Draw pictures as training will see them, or plain samples with their labels, as `pictaxa preview` does.

    Args:
        data: pictures in any layout of docs/data.md.
        out: the PNG to write; a second one, OUT-operations.png, has a row for each operation of the policy.
        grid: rows x columns, such as "3x4": so many different pictures as they are, instead of augmented ones.
        class_: the only class of the grid; by default all of them in turns.
        split: the only split of the grid, "train", "val" or "test"; by default all pictures.
        seed: decides which pictures and which random draws.
        **settings: the flags of augmentation and pictures, such as policy="light" or augment=["rotation=30"].

    Returns:
        A Preview, the paths of both; a notebook shows them.

    Raises:
        SettingError: an argument is unknown or of another type; it is a TypeError too.
        ConfigError: the policy or the grid is none, or the PNG can't be written.
        DataError: no picture can be decoded, or there is no such class or split.

    Example:
        pictaxa.preview("photos", policy="strong")
        pictaxa.preview("photos", "samples.png", grid="3x4")
    """
    words: dict[str, Any] = {**settings, "seed": seed}
    config = with_words(TrainConfig(data_of(data)), words)
    place = given_path(out, "out", what="a PNG to write")
    if grid:
        rows, columns = read_grid(given(grid, str, "grid", what="rows x columns, such as '3x4'"))
        wanted = Wanted(rows=rows, columns=columns, class_name=class_, split=split, seed=seed)
        path, _ = draw_samples(config.data, place, wanted=wanted, reading=config.reading, asked=config.decoding)
        return Preview(path)
    return draw_preview(
        config.data, place, augmentation=config.augmentation, pictures=config.pictures, reading=config.reading,
        asked=config.decoding, seed=seed,
    )  # fmt: skip


@says_what_it_takes
def preview_batch(data: Place, *, batch_size: int = 32, seed: int = 0, **settings: Unpack[PreviewKeywords]) -> Batch:
    """Make the first batch of a training, augmented, as the model gets it: `pictaxa preview --batch` prints it.

    Args:
        data: pictures in any layout of docs/data.md.
        batch_size: how many pictures.
        seed: decides which pictures and which random draws.
        **settings: the flags of augmentation and pictures, such as size=224 or policy="none".

    Returns:
        A Batch: images (N, C, H, W) float32 in [0, 1], labels (N,) int64, paths and classes; it prints as numbers.

    Raises:
        SettingError: an argument is unknown or of another type; it is a TypeError too.
        ConfigError: the policy is unknown, or `batch_size` is less than 1.
        DataError: no picture can be decoded.

    Example:
        print(pictaxa.preview_batch("photos", batch_size=8, size=224))
    """
    words: dict[str, Any] = {**settings, "seed": seed}
    config = with_words(TrainConfig(data_of(data)), words)
    return make_batch(
        config.data, augmentation=config.augmentation, pictures=config.pictures,
        batch_size=given(batch_size, int, "batch_size", what="a whole number"), reading=config.reading,
        asked=config.decoding, seed=seed,
    )  # fmt: skip


@says_what_it_takes
def probe(data: Place, **settings: Unpack[TrainKeywords]) -> Probe:
    """Estimate how well a backbone suits a folder of pictures before any training, as `pictaxa probe` does.

    Args:
        data: labelled pictures in any layout of docs/data.md.
        **settings: the command's flags with underscores, such as model="resnet50" or seed=1. `weights` is "imagenet",
            the folder of an earlier run, or a checkpoint file; by default the ImageNet weights of efficientnet_lite0,
            with a `model` random weights, as a baseline.

    Returns:
        A Probe: cross-validated accuracies, the hardest pictures, and the gain to expect from more pictures.

    Raises:
        SettingError: a setting is unknown or of another type; it is a TypeError too.
        ConfigError: a setting is out of its range.
        DataError: a class has fewer than two different pictures.
        WeightsError: the weights don't fit the model, or give features that are not finite.

    Example:
        probe = pictaxa.probe("photos", weights="runs/birds-resnet50-1")
        print(probe.judgements[-1].accuracy, probe.judgements[-1].interval)
    """
    return probe_data(config_of(data, settings))


@says_what_it_takes
def plan(data: Place, **settings: Unpack[TrainKeywords]) -> TrainingPlan:
    """Compare ways to train on these pictures and this machine, measured in seconds, as `pictaxa plan` does.

    Args:
        data: labelled pictures in any layout of docs/data.md.
        **settings: the command's flags with underscores, such as minutes=10.

    Returns:
        A TrainingPlan, a row for each way, the one that `train` takes first.

    Raises:
        SettingError: a setting is unknown or of another type; it is a TypeError too.
        ConfigError, DataError, WeightsError: as `train`.

    Example:
        for row in pictaxa.plan("photos", minutes=10).rows:
            print(row.flags, row.minutes, row.accuracy)
    """
    return plan_training(config_of(data, settings))


@says_what_it_takes
def embed(data: Place, **settings: Unpack[TrainKeywords]) -> Embedding:
    """Compute a backbone's feature vector of each picture of a data set, as `pictaxa embed` does.

    Args:
        data: pictures in any layout of docs/data.md.
        **settings: the command's flags with underscores, such as model="resnet50" or weights="runs/birds-resnet50-1";
            by default the ImageNet weights of efficientnet_lite0, with a `model` random weights.

    Returns:
        An Embedding: vectors, paths and labels, for search, clustering and plots.

    Raises:
        SettingError: a setting is unknown or of another type; it is a TypeError too.
        ConfigError, DataError, WeightsError: as `probe`.

    Example:
        embedding = pictaxa.embed("photos")
        print(embedding.vectors.shape)  # (1500, 1280)
    """
    return embed_data(config_of(data, settings))
