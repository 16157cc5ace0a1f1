"""The Python interface: the commands as functions, their flags as arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .config.by_name import read_config_file, with_words
from .config.data import ReadingConfig
from .config.learning import Normalization, Source
from .config.training import TrainConfig
from .data.reading import PLAIN
from .errors import ConfigError
from .inference.predictor import Predictor, load
from .judge.evaluate import Evaluation, evaluate_run
from .judge.probe import Probe, probe_data
from .models.contract import Classifier
from .reporting.page import write_report
from .runs.folder import weights_file
from .training.loop import resume_run, train_run
from .weights import loading
from .weights.translated import Translated


def train(data: str | Path | None = None, config: TrainConfig | None = None, **settings: Any) -> Predictor:
    """Train a classifier on a folder of pictures, as `pictaxa train` does, and return it ready to predict.

    The run's folder is the result's `.run.path`.

    Args:
        data: the pictures, in any layout of docs/data.md: a folder, a file, or a name such as "cifar10".
        config: the settings to start from, by default the defaults; `data` and `settings` override it.
        **settings: the command's flags with underscores, such as model="resnet18" or epochs=20. `resume=RUN` continues
            an interrupted run with its own settings, and excludes all other arguments.

    Returns:
        A Predictor of the trained run, on the device that it was trained on.

    Raises:
        TypeError: neither `data` nor `config` nor `resume` is given.
        ConfigError: a setting is unknown, out of its range, or given together with `resume`.
        DataError: the pictures can't be trained on as they are.
        PictaxaError: any other error that a user can fix: the model, its weights, the disk (errors.py has the tree).
        Interrupted: Ctrl-C; what was trained is saved, and `resume` continues from there.

    Example:
        classifier = pictaxa.train("photos", model="resnet18", epochs=20)
        print(classifier.run.path, classifier.predict("holiday.jpg")[0].label)
    """
    resume = settings.pop("resume", None)
    if resume is not None:
        beside = [*settings, *(name for name, value in (("data", data), ("config", config)) if value is not None)]
        if beside:
            raise ConfigError(
                "resume=RUN without other arguments",
                found=", ".join(beside),
                fix="A run continues with its own settings, so leave out the others.",
            )
        run = resume_run(Path(resume))
        return load(run.path, device=read_config_file(run.path / "config.json").machine.device)
    if config is None:
        if data is None:
            raise TypeError("train() needs a folder of pictures, a config, or resume=RUN")
        config = TrainConfig(data=Path(data))
    elif data is not None:
        settings["data"] = data
    config = with_words(config, settings)
    return load(train_run(config).path, device=config.machine.device)


def evaluate(
    run: str | Path, data: str | Path | None = None, *, reading: ReadingConfig = PLAIN, device: str = "auto"
) -> Evaluation:
    """Evaluate a run on its own validation pictures or on other labelled ones, as `pictaxa evaluate` does.

    Args:
        run: folder of a trained run.
        data: labelled pictures in any layout of docs/data.md; by default the run's own validation pictures.
        reading: how to read `data` if its files don't show it: the layout, the columns, the classes to take.
        device: "auto" (the fastest available), "cpu", "cuda", "cuda:1" or "mps".

    Returns:
        An Evaluation: predictions, their metrics, and the pictures that could not be read.

    Raises:
        RunError: `run` is not a run folder, or lacks a file.
        DataError: no picture can be read, or one has a class that the run does not know.
        ConfigError: this machine does not have the device.

    Example:
        evaluation = pictaxa.evaluate("runs/photos-resnet18-1", "more-photos")
        print(evaluation.metrics["accuracy"], evaluation.metrics["log_loss"])
    """
    return evaluate_run(run, data, reading=reading, device=device)


def probe(data: str | Path, *, weights: str | Path | None = None, **settings: Any) -> Probe:
    """Estimate how well a backbone suits a folder of pictures before any training, as `pictaxa probe` does.

    Args:
        data: labelled pictures in any layout of docs/data.md.
        weights: "imagenet", the folder of an earlier run, or a checkpoint file. By default the ImageNet weights
            of efficientnet_lite0; with a `model`, random weights, as a baseline.
        **settings: the command's flags with underscores, such as model="resnet50" or seed=1.

    Returns:
        A Probe: cross-validated accuracies, the hardest pictures, and the gain to expect from more pictures.

    Raises:
        ConfigError: a setting is unknown or out of its range.
        DataError: a class has fewer than two different pictures.
        WeightsError: the weights don't fit the model, or give features that are not finite.

    Example:
        probe = pictaxa.probe("photos", weights="runs/birds-resnet50-1")
        print(probe.judgements[-1].accuracy, probe.judgements[-1].interval)
    """
    return probe_data(
        with_words(TrainConfig(data=Path(data)), settings if weights is None else {"weights": weights, **settings})
    )


def load_weights(
    model: Classifier,
    file: str | Path,
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
        normalization: the input normalization of the weights, "0-1", "0-255", "-1-1", "caffe", "imagenet" or "lite"
            (see NORMALIZATIONS in models/contract.py); it becomes the model's. A Keras file needs it; for the others it
            is known.
        prefix: what the names of the intended network begin with, if the file has several that fit (`teacher.`).

    Returns:
        A Translated: what was loaded, dropped, adapted or left new; its `lines()` report it as text.

    Raises:
        WeightsError: the file is missing, damaged, or does not fit the model, which is then unchanged.
        ConfigError: `source` or `normalization` is unknown, or a Keras file comes without a normalization.
        RunError: `file` is a folder without the weights of a run.
        MissingExtraError: a Keras file, without the `keras` extra.

    Example:
        model = pictaxa.create_model("resnet50", 5)
        print(pictaxa.load_weights(model, "resnet50.pth", source="torchvision").lines())
    """
    weights = weights_file(Path(file))
    return loading.load_weights(model, weights, source=source, normalization=normalization, prefix=prefix)


def report(run: str | Path) -> Path:
    """Write the report of a run, one self-contained HTML page, as `pictaxa report` does.

    Args:
        run: folder of a trained run.

    Returns:
        Path of the page, RUN/report/index.html.

    Raises:
        RunError: the folder is not a run, or has not been validated yet.

    Example:
        page = pictaxa.report("runs/photos-resnet18-1")
    """
    return write_report(run)
