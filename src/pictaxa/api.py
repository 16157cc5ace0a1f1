"""The Python face of the commands: the same words, as arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .config.by_name import with_words
from .config.data import ReadingConfig
from .config.training import TrainConfig
from .data.reading import PLAIN
from .inference.predictor import Predictor, load
from .judge.evaluate import Evaluation, evaluate_run
from .judge.probe import Probe, probe_data
from .models.layers import Classifier
from .reporting.page import write_report
from .runs.folder import weights_file
from .training.loop import resume_run, train_run
from .weights import loading
from .weights.loading import Normalization, Source
from .weights.translated import Translated


def train(data: str | Path | None = None, config: TrainConfig | None = None, **settings: Any) -> Predictor:
    """Train a classifier on a folder of pictures, as `pictaxa train` does, and give it ready to predict.

    `settings` are the command's flags with underscores: `train("photos", model="resnet18", epochs=20)`. `resume=RUN`
    goes on with a run that was cut off. The run's folder is the result's `.run.path`.
    """
    resume = settings.pop("resume", None)
    if resume is not None:
        return load(resume_run(Path(resume)).path)
    if config is None:
        if data is None:
            raise TypeError("train() needs the folder of pictures, a config, or resume=RUN")
        config = TrainConfig(data=Path(data))
    elif data is not None:
        settings["data"] = data
    return load(train_run(with_words(config, settings)).path)


def evaluate(
    run: str | Path, data: str | Path | None = None, *, reading: ReadingConfig = PLAIN, device: str = "auto"
) -> Evaluation:
    """Judge a run by its validation pictures or by others with labels, as `pictaxa evaluate` does."""
    return evaluate_run(run, data, reading=reading, device=device)


def probe(data: str | Path, *, weights: str | Path | None = None, **settings: Any) -> Probe:
    """Judge a backbone on a folder of pictures before any training, as `pictaxa probe` does.

    `settings` are the command's flags with underscores: `probe("photos", weights="runs/birds-resnet50-1")`.
    """
    return probe_data(with_words(TrainConfig(data=Path(data)), {"weights": weights, **settings}))


def load_weights(
    model: Classifier, file: str | Path, *, source: Source, normalization: Normalization | None = None
) -> Translated:
    """Fill an entry of the zoo from a checkpoint; WeightsError, and nothing loaded, when it does not fit.

    `source` says whose names and axes the file has. `normalization` says how its pictures were fed, and becomes the
    model's normalisation; a Keras file needs it, the others' is known. A head for other classes is left out: the model
    keeps its own, new one. A file of an earlier run may be its folder.
    """
    return loading.load_weights(model, weights_file(Path(file)), source=source, normalization=normalization)


def report(run: str | Path) -> Path:
    """Write a run's report, as `pictaxa report` does; the path of the page."""
    return write_report(run)
