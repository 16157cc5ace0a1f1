"""The Python interface: the commands as functions, their flags as arguments."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from .config.by_name import read_config_file, with_words
from .config.calls import given, given_path, says_what_it_takes
from .config.data import ReadingConfig
from .config.keywords import InspectKeywords, PreviewKeywords, ReadingKeywords, TrainKeywords
from .config.learning import Normalization, Source
from .config.training import TrainConfig
from .data.cache_folder import default_cache_root
from .data.reading import PLAIN
from .errors import ConfigError
from .explain.look import Look, look_at
from .explain.subject import EntryWeights, find_subject
from .inference import predictor
from .inference.inputs import Given, given_pictures
from .inference.prediction import PredictionList
from .inference.predictor import Predictor, checked_weights
from .inspection.inspect import Inspection, check_manifest_place, inspect_data, write_manifest
from .judge.embedding import Embedding, embed_data
from .judge.evaluate import evaluate_run
from .judge.evaluation import Evaluation
from .judge.label_errors import doubts
from .judge.probe import Probe, probe_data
from .models.contract import Classifier
from .reporting.answers import Gallery
from .reporting.batch import Batch, make_batch
from .reporting.curves import Over, draw_curves
from .reporting.page import write_report
from .reporting.preview import Preview, draw_preview
from .reporting.samples import Wanted, draw_samples, read_grid
from .system.device import usable_cores
from .training.loop import resume_run, train_run
from .training.planner import TrainingPlan, plan_training
from .weights import loading
from .weights.translated import Translated

Place = str | os.PathLike[str]


@says_what_it_takes
def train(
    data: Place | None = None,
    config: TrainConfig | None = None,
    *,
    resume: Place | None = None,
    **settings: Unpack[TrainKeywords],
) -> Predictor:
    """Train a classifier on a folder of pictures, as `pictaxa train` does, and return it ready to predict.

    The run's folder is the result's `.run.path`.

    Args:
        data: the pictures, in any layout of docs/data.md: a folder, a file, or a name such as "cifar10".
        config: the settings to start from, by default the defaults; `data` and `settings` override it.
        resume: an interrupted run, which is continued with its own settings; it excludes all other arguments.
        **settings: the command's flags with underscores, such as model="resnet18" or epochs=20.

    Returns:
        A Predictor of the trained run, on the device that it was trained on.

    Raises:
        SettingError: a setting is unknown or of another type, or nothing says what to train on; it is a TypeError too.
        ConfigError: a setting is out of its range, or given together with `resume`.
        DataError: the pictures can't be trained on as they are.
        PictaxaError: any other error that a user can fix: the model, its weights, the disk (errors.py has the tree).
        Interrupted: Ctrl-C, or a notebook's interrupt; what was trained is saved, and `resume` continues from there. It
            is a KeyboardInterrupt, and its `.run.path` is the run's folder.

    Example:
        classifier = pictaxa.train("photos", model="resnet18", epochs=20)
        print(classifier.run.path, classifier.predict("holiday.jpg")[0].label)
    """
    if resume is not None:
        beside = [*settings, *(name for name, value in (("data", data), ("config", config)) if value is not None)]
        if beside:
            raise ConfigError(
                "resume=RUN without other arguments",
                found=", ".join(beside),
                fix="A run continues with its own settings, so leave out the others.",
            )
        run = resume_run(_run_of(resume, "resume"))
        return predictor.load(run.path, device=read_config_file(run.path / "config.json").machine.device)
    if config is None:
        if data is None:
            given(data, str, "data", what="a folder of pictures, or else config or resume=RUN to be given")
        config = TrainConfig(data=_data_of(data))
    else:
        given(config, TrainConfig, "config", what="a TrainConfig (other settings are given by name: model='resnet18')")
    words: dict[str, Any] = {**settings} if data is None else {**settings, "data": _data_of(data)}
    config = with_words(config, words)
    return predictor.load(train_run(config).path, device=config.machine.device)


@says_what_it_takes
def evaluate(
    run: Place | Predictor,
    data: Place | None = None,
    *,
    reading: ReadingConfig = PLAIN,
    device: str = "auto",
    grid: Place | None = None,
    pictures: int | None = None,
    seed: int = 0,
    **settings: Unpack[ReadingKeywords],
) -> Evaluation:
    """Evaluate a run on its own validation pictures or on other labelled ones, as `pictaxa evaluate` does.

    Args:
        run: folder of a trained run, or what `train` and `load` return.
        data: labelled pictures in any layout of docs/data.md; by default the run's own validation pictures.
        reading: how to read `data` if its files don't show it: the layout, the columns, the classes to take.
        device: "auto" (the fastest available), "cpu", "cuda", "cuda:1" or "mps".
        grid: a PNG to write: a random 24 of the pictures with their answers, right in green and wrong in red.
        pictures: judge only so many, drawn at random, each class in its proportion; None for all.
        seed: decides which.
        **settings: the same by the command's flags, such as label_column="kind"; they override `reading`.

    Returns:
        An Evaluation: `.accuracy` and the other metrics, the predictions, and the pictures that could not be read.

    Raises:
        SettingError: an argument is unknown or of another type; it is a TypeError too.
        RunError: `run` is not a run folder, or lacks a file.
        DataError: no picture can be read, or one has a class that the run does not know.
        ConfigError: this machine does not have the device.

    Example:
        evaluation = pictaxa.evaluate("runs/photos-resnet18-1", "more-photos")
        print(evaluation.accuracy, evaluation.log_loss)
    """
    given(reading, ReadingConfig, "reading", what="a ReadingConfig (or give layout=..., label_column=... and so on)")
    reading = with_words(TrainConfig(Path(), reading=reading), {**settings}).reading
    place = None if data is None else _data_of(data)
    gallery = _gallery(grid)
    evaluation = evaluate_run(
        _run_of(run), place, reading=reading, device=_device(device), gallery=gallery, pictures=pictures, seed=seed
    )
    if gallery is None:
        return evaluation
    gallery.draw()
    return replace(evaluation, grid=gallery.out)


@says_what_it_takes
def load(run: Place, *, device: str = "auto") -> Predictor:
    """Load a trained run, ready to predict.

    Args:
        run: folder of a trained run.
        device: "auto" (the fastest there is), "cpu", "cuda", "cuda:1" or "mps".

    Returns:
        A Predictor.

    Raises:
        SettingError: an argument is unknown or of another type; it is a TypeError too.
        RunError: the folder is not a run, is from a newer version, or lacks a file.
        ConfigError: this machine does not have the device.

    Example:
        classifier = pictaxa.load("runs/photos-resnet18-1")
        predictions = classifier.predict("more-photos")
    """
    return predictor.load(_run_of(run), device=_device(device))


@says_what_it_takes
def predict(
    run: Place | Predictor, pictures: Given | Iterable[Given], *, device: str = "auto", grid: Place | None = None
) -> PredictionList:
    """Classify pictures with a trained run, as `pictaxa predict` does; for several calls, `load` the run once.

    Args:
        run: folder of a trained run, or what `train` and `load` return.
        pictures: paths of files and folders, Pillow's pictures, arrays, bytes or open files: one, or several in any
            iterable (docs/python.md says how each is taken).
        device: as `load` takes it.
        grid: a PNG to write: the pictures with their answers, a random 24 of more; a notebook shows it with the list.

    Returns:
        A Prediction for each picture, in order; one that can't be read has its `problem` instead of probabilities.

    Raises:
        SettingError: an argument is unknown or of another type, or no picture; it is a TypeError too.
        RunError, ConfigError: as `load`; also where the PNG can't be written.
        DataError: there is nothing at a path, or nobody can know what is white in an array of floats.

    Example:
        predictions = pictaxa.predict("runs/photos-resnet18-1", ["holiday.jpg", "more-photos"])
    """
    classifier = run if isinstance(run, Predictor) else predictor.load(_run_of(run), device=_device(device))
    gallery = _gallery(grid)
    if gallery is None:
        return classifier.predict(pictures)
    predictions = PredictionList()
    named = given_pictures(pictures, decoding=classifier.geometry.decoding)
    for prediction in classifier.judge(named, look=gallery.look):
        gallery.write(prediction)
        predictions.append(prediction)
    gallery.draw()
    predictions.grid = gallery.out
    return predictions


@says_what_it_takes
def inspect(
    data: Place,
    *,
    html: Place | None = None,
    fix: Place | None = None,
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
    place = _data_of(data)
    manifest = None if fix is None else given_path(fix, "fix", what="a .csv file")
    page = None if html is None else given_path(html, "html", what="a page to write")
    check_manifest_place(manifest, place)
    if folds is not None and given(folds, int, "folds", what="a whole number") < 2:
        raise ConfigError("folds of 2 or more", found=str(folds), fix="For example, use folds=5.")
    length: dict[str, Any] = {"minutes": fold_minutes} if fold_epochs is None else {"epochs": fold_epochs}
    words: dict[str, Any] = {**settings, **length, "size": size, "cache": cache, "threads": threads}
    config = with_words(TrainConfig(place), words)
    inspection = inspect_data(
        place, config.reading, root=config.cache or default_cache_root(),
        threads=config.machine.threads or usable_cores(), size=size, asked=config.decoding,
    )  # fmt: skip
    trained = None if run is None else _run_of(run)
    inspection.findings.extend(doubts(inspection, config, run=trained, folds=folds))
    if page is not None:
        from .reporting.inspection_page import write_inspection  # with matplotlib, only where a page is asked for

        write_inspection(inspection, page)
    if manifest is not None:
        write_manifest(inspection, manifest)
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
    config = with_words(TrainConfig(_data_of(data)), words)
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
    config = with_words(TrainConfig(_data_of(data)), words)
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
    return probe_data(_config(data, settings))


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
    return plan_training(_config(data, settings))


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
    return embed_data(_config(data, settings))


@says_what_it_takes
def look(
    model: Place | Predictor,
    picture: Place | None = None,
    out: Place = "look.png",
    *,
    show: Sequence[str] = (),
    weights: Place | None = None,
    source: Source = "pictaxa",
    normalization: Normalization | None = None,
    model_options: Sequence[str] = (),
    size: int | None = None,
    cache: Place | None = None,
) -> Look:
    """Draw what a network looks with and what it sees, as `pictaxa look` does.

    Args:
        model: folder of a trained run, what `train` and `load` return, or the name of an entry of the zoo.
        picture: a picture; by default a validation picture of the run. Of an entry without one only what needs none is
            drawn.
        out: the PNG to write.
        show: what to draw, of "kernels" (of the first layer), "features" (maps after each stage), "attention" (of each
            head), "positions" (similarity of their embeddings) and "field" (what the middle unit of each stage sees);
            by default all that the network has.
        weights: of an entry, "imagenet", a checkpoint or "none"; by default published ones if they are installed.
        source: library of a checkpoint, as `load_weights` takes it.
        normalization: of a checkpoint, as `load_weights` takes it.
        model_options: the entry's own options, such as ["padding=same"].
        size: side of the network's input, pixels; by default that of the run or the entry.
        cache: folder for published weights.

    Returns:
        A Look, with the path of the PNG and what is in it.

    Raises:
        SettingError: an argument is unknown or of another type; it is a TypeError too.
        ModelError: there is neither such a run nor such an entry.
        ConfigError: what is to be drawn is unknown, needs a picture, or is not in this network.
        RunError, WeightsError, FetchError, PictureError: the weights or the picture can't be read.

    Example:
        pictaxa.look("efficientnet_lite0", "photo.jpg", show=["kernels", "features"])
    """
    name = (
        str(_run_of(model, "model")) if isinstance(model, Predictor) else str(given_path(model, "model", what="a run"))
    )
    chosen = EntryWeights(
        file=None if weights is None else given_path(weights, "weights", what="weights"), source=source,
        normalization=normalization, options=tuple(model_options),
        cache=None if cache is None else given_path(cache, "cache", what="a folder"),
    )  # fmt: skip
    shown = None if picture is None else given_path(picture, "picture", what="a picture")
    subject = find_subject(name, shown, weights=chosen, size=size)
    return look_at(subject, given_path(out, "out", what="a PNG to write"), show=tuple(show))


@says_what_it_takes
def load_weights(
    model: Classifier,
    file: Place,
    *,
    source: Source,
    normalization: Normalization | None = None,
    prefix: str = "",
) -> Translated:
    """Fill a model of the zoo with the weights of a checkpoint, completely or not at all.

    A head for other classes is dropped, and the model keeps its own new head.

    Args:
        model: an entry of the zoo, from `create_model`; filled in place.
        file: the checkpoint, or the folder of an earlier run.
        source: the library that the file comes from: "pictaxa", "torchvision", "timm", "keras", "jax" or
            "efficientnet_pytorch". It is never guessed.
        normalization: the input normalization of the weights, "0-1", "0-255", "-1-1", "caffe", "rgb-mean", "imagenet"
            or "lite" (see NORMALIZATIONS in models/contract.py); it becomes the model's. A Keras file needs it; for the
            others it is known.
        prefix: what the names of the intended network begin with, if the file has several that fit (`teacher.`).

    Returns:
        A Translated: what was loaded, dropped, adapted or left new; its `lines()` report it as text.

    Raises:
        WeightsError: the file is missing, damaged, or does not fit the model, which is then unchanged.
        ConfigError: `source` or `normalization` is unknown, the weights are known to be fed otherwise, or a Keras file
            comes without a normalization.
        RunError: `file` is a folder without the weights of a run.
        MissingExtraError: a Keras file, without the `keras` extra.

    Example:
        model = pictaxa.create_model("resnet50", 5)
        print(pictaxa.load_weights(model, "resnet50.pth", source="torchvision").lines())
    """
    weights = checked_weights(given_path(file, "file", what="a checkpoint or a run folder"))
    return loading.load_weights(model, weights, source=source, normalization=normalization, prefix=prefix)


@says_what_it_takes
def report(run: Place | Predictor) -> Path:
    """Write the report of a run, one self-contained HTML page, as `pictaxa report` does.

    Args:
        run: folder of a trained run, or what `train` and `load` return.

    Returns:
        Path of the page, RUN/report/index.html.

    Raises:
        RunError: the folder is not a run, or has not been validated yet.

    Example:
        page = pictaxa.report("runs/photos-resnet18-1")
    """
    return write_report(_run_of(run))


@says_what_it_takes
def curves(
    runs: Place | Predictor | Iterable[Place | Predictor], out: Place = "curves.png", *, over: Over = "epochs"
) -> Preview:
    """Draw loss and accuracy of one training or several on one plot, as `pictaxa curves` does.

    Args:
        runs: folders of runs, or what `train` and `load` return: one, or several in any iterable.
        out: the PNG to write.
        over: what the curves go over, "epochs", "minutes" or "steps".

    Returns:
        A Preview with the path; a notebook shows it.

    Raises:
        ConfigError: the PNG can't be written, or `over` is something else.
        RunError: a folder is not a run, or none of them has an epoch.

    Example:
        pictaxa.curves(["runs/plain", "runs/residual"], "degradation.png")
    """
    several = [runs] if isinstance(runs, (str, os.PathLike, Predictor)) else [*runs]
    return Preview(draw_curves([_run_of(run) for run in several], given_path(out, "out", what="a PNG"), over=over))


def _run_of(run: object, name: str = "run") -> Path:
    return run.run.path if isinstance(run, Predictor) else given_path(run, name, what="a run folder")


def _gallery(grid: object) -> Gallery | None:
    return None if grid is None else Gallery(given_path(grid, "grid", what="a PNG to write"))


def _data_of(data: object) -> Path:
    return given_path(data, "data", what="a data set, or its name")


def _device(device: object) -> str:
    return given(device, str, "device", what="auto, cpu, cuda, cuda:1 or mps")


def _config(data: object, settings: Any) -> TrainConfig:
    """A training's settings; weights that are not given may be those of a recipe."""
    words = {name: value for name, value in settings.items() if (name, value) != ("weights", None)}
    return with_words(TrainConfig(data=_data_of(data)), words)
