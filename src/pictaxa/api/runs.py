"""Functions for runs: train, evaluate, load, predict, report, curves, compare."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from ..config.by_name import read_config_file, with_words
from ..config.calls import given, given_path, says_what_it_takes
from ..config.data import ReadingConfig
from ..config.keywords import ReadingKeywords, TrainKeywords
from ..config.training import TrainConfig
from ..data.reading import PLAIN
from ..errors import ConfigError
from ..inference import loading
from ..inference.inputs import Given, given_pictures
from ..inference.prediction import PredictionList
from ..inference.predictor import Predictor
from ..judge.asked import Novelty, answering_of
from ..judge.compare import compare_runs, draw_comparison, draw_differences
from ..judge.comparison import Comparison
from ..judge.complete import REPORT_STEPS, complete_run
from ..judge.evaluate import Selection, Split, evaluate_run
from ..judge.evaluation import Evaluation
from ..reporting.boards import tell_end
from ..reporting.curves import Over, draw_curves
from ..reporting.page import lacks_records, write_report
from ..reporting.preview import Preview
from ..training.folds import continue_training, start_training
from .given import Place, data_of, device_of, gallery_of, run_of, split_of


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
        run = continue_training(run_of(resume, "resume"))
        complete_run(run.path)
        tell_end(run)
        device = read_config_file(run.path / "config.json").machine.device
        return loading.load(run.path, device=device, answering=answering_of(run.path))
    if config is None:
        if data is None:
            given(data, str, "data", what="a folder of pictures, or else config or resume=RUN to be given")
        config = TrainConfig(data=data_of(data))
    else:
        given(config, TrainConfig, "config", what="a TrainConfig (other settings are given by name: model='resnet18')")
    words: dict[str, Any] = {**settings} if data is None else {**settings, "data": data_of(data)}
    config = with_words(config, words)
    run = start_training(config)
    complete_run(run.path)
    tell_end(run)
    return loading.load(run.path, device=config.machine.device, answering=answering_of(run.path))


@says_what_it_takes
def evaluate(
    run: Place | Predictor,
    data: Place | None = None,
    *,
    reading: ReadingConfig = PLAIN,
    split: Split = "",
    slices: bool = False,
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
        split: "train", "val" or "test": which pictures of the data set; test pictures are judged only where it says so,
            and each time is counted in the run's folder.
        slices: also judge parts of the pictures: dark ones, those of one camera, and so on; `.slices` has them.
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
    place = None if data is None else data_of(data)
    gallery = gallery_of(grid)
    evaluation = evaluate_run(
        run_of(run), place, reading=reading, device=device_of(device), gallery=gallery,
        select=Selection(split=split_of(split), pictures=pictures, seed=seed), slices=slices,
    )  # fmt: skip
    if gallery is None:
        return evaluation
    gallery.draw()
    return replace(evaluation, grid=gallery.out)


@says_what_it_takes
def load(
    run: Place,
    *,
    device: str = "auto",
    calibrated: bool = True,
    abstain: float | None = None,
    sets: float | None = None,
    per_class: bool = False,
    none_of_these: Novelty = "auto",
) -> Predictor:
    """Load a trained run, ready to predict.

    Args:
        run: folder of a trained run.
        device: "auto" (the fastest there is), "cpu", "cuda", "cuda:1" or "mps".
        calibrated: give probabilities that are right as often as they say (docs/trust.md), rather than the model's own.
        abstain: share of the answers that are to be right, above 0 and below 1, such as 0.95: where the run is not sure
            enough for that, a prediction's `answer` is "unsure". None: there is always one.
        sets: share of sets that are to have the true class, likewise: a prediction's `possible` are the classes that
            may be meant. None: there are no sets.
        per_class: keep to that share in each class, rather than in all pictures together.
        none_of_these: "yes" or "no", whether a prediction's `answer` is "none of these" where the picture is unlike
            those of training; "auto" does so where the run keeps the vectors that this needs.

    Returns:
        A Predictor.

    Raises:
        SettingError: an argument is unknown or of another type; it is a TypeError too.
        RunError: the folder is not a run, is from a newer version, or lacks a file.
        ConfigError: this machine does not have the device, or the validation pictures don't vouch for that `abstain`.

    Example:
        classifier = pictaxa.load("runs/photos-resnet18-1", abstain=0.9)
        predictions = classifier.predict("more-photos")
    """
    path = run_of(run)
    classifier = loading.load(path, device=device_of(device))
    answering = answering_of(
        path, raw=not calibrated, abstain=abstain, sets=sets, per_class=per_class, none_of_these=none_of_these
    )
    return classifier.answers_by(answering)


@says_what_it_takes
def predict(
    run: Place | Predictor,
    pictures: Given | Iterable[Given],
    *,
    device: str = "auto",
    grid: Place | None = None,
    calibrated: bool = True,
    abstain: float | None = None,
    sets: float | None = None,
    per_class: bool = False,
    none_of_these: Novelty = "auto",
) -> PredictionList:
    """Classify pictures with a trained run, as `pictaxa predict` does; for several calls, `load` the run once.

    Args:
        run: folder of a trained run, or what `train` and `load` return.
        pictures: paths of files and folders, Pillow's pictures, arrays, bytes or open files: one, or several in any
            iterable (docs/python.md says how each is taken).
        device: as `load` takes it.
        grid: a PNG to write: the pictures with their answers, a random 24 of more; a notebook shows it with the list.
        calibrated: as `load` takes it, like those below; what `load` returned keeps to what it was asked for there.
        abstain: the share of answers that are to be right.
        sets: the share of sets that are to have the true class.
        per_class: keep to that in each class.
        none_of_these: whether pictures of none of the classes are told.

    Returns:
        A Prediction for each picture, in order; one that can't be read has its `problem` instead of probabilities.

    Raises:
        SettingError: an argument is unknown or of another type, or no picture; it is a TypeError too.
        RunError, ConfigError: as `load`; also where the PNG can't be written.
        DataError: there is nothing at a path, or nobody can know what is white in an array of floats.

    Example:
        predictions = pictaxa.predict("runs/photos-resnet18-1", ["holiday.jpg", "more-photos"])
    """
    classifier = run if isinstance(run, Predictor) else loading.load(run_of(run), device=device_of(device))
    usual = calibrated and abstain is sets is None and none_of_these == "auto"
    if not (isinstance(run, Predictor) and usual):
        classifier = classifier.answers_by(
            answering_of(
                classifier.run.path, raw=not calibrated, abstain=abstain, sets=sets, per_class=per_class,
                none_of_these=none_of_these,
            )
        )  # fmt: skip
    gallery = gallery_of(grid)
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
    folder = run_of(run)
    if lacks_records(folder):
        complete_run(folder, steps=REPORT_STEPS)
    return write_report(folder)


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
    return Preview(draw_curves([run_of(run) for run in several], given_path(out, "out", what="a PNG"), over=over))


@says_what_it_takes
def compare(
    runs: Iterable[Place | Predictor],
    on: Place | None = None,
    *,
    reading: ReadingConfig = PLAIN,
    split: Split = "",
    device: str = "auto",
    plot: Place | None = None,
    grid: Place | None = None,
    **settings: Unpack[ReadingKeywords],
) -> Comparison:
    """Compare runs on the same labelled pictures, as `pictaxa compare` does.

    Args:
        runs: folders of runs with the same classes, or what `train` and `load` return: two or more.
        on: labelled pictures that all judge now; by default the predictions are taken that they keep of their
            validation pictures, which must be the same ones.
        reading: how to read `on` if its files don't show it.
        split: which pictures of `on`; "test" is counted in the folder of each run.
        device: "auto" (the fastest available), "cpu", "cuda", "cuda:1" or "mps".
        plot: a .png or .svg to write: accuracy against cost, and the runs' curves.
        grid: a PNG to write: pictures on which the runs differ, with their answers.
        **settings: the same as `reading` by the command's flags; they override it.

    Returns:
        A Comparison: the accuracies, each pair with its test and the interval of the difference, costs, and which
        pictures are taken for different classes.

    Raises:
        SettingError: an argument is unknown or of another type; it is a TypeError too.
        RunError: a folder is not a run, or the runs have other classes or pictures.
        ConfigError: fewer than two runs, or a drawing can't be written.
        DataError: as `evaluate`.

    Example:
        comparison = pictaxa.compare(["runs/head", "runs/tuned"])
        print(comparison.pairs[0].p_value)
    """
    given(reading, ReadingConfig, "reading", what="a ReadingConfig (or give layout=..., label_column=... and so on)")
    reading = with_words(TrainConfig(Path(), reading=reading), {**settings}).reading
    several = [runs] if isinstance(runs, (str, os.PathLike, Predictor)) else [*runs]
    comparison = compare_runs(
        [run_of(run) for run in several], None if on is None else data_of(on), reading=reading, split=split_of(split),
        device=device_of(device),
    )  # fmt: skip
    if plot is not None:
        draw_comparison(comparison, given_path(plot, "plot", what="a .png or .svg"))
    if grid is not None:
        draw_differences(comparison, given_path(grid, "grid", what="a PNG to write"))
    return comparison
