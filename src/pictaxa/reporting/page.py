"""One self-contained HTML page about a run: everything in it comes from the run folder and the pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..config.by_name import changed_settings, from_json
from ..config.training import TrainConfig
from ..data.fetching import Fetcher
from ..data.index import Index
from ..errors import RunError, as_word, printable
from ..metrics import Predictions, cooled
from ..runs.folder import Run, open_run
from ..runs.judgement import Judgement, read_judgement
from ..runs.names import CONFIG
from ..runs.records import read_index, read_predictions
from ..runs.typed import typed
from ..system.files import write_atomically
from ..system.language import shown
from ..system.progress import clock
from . import figures
from .curves import Curve, curves_figure
from .judged import SUREST, SUREST_SIDE, THUMBNAIL_BYTES, Order, order_of, rows_of, side_of
from .pages import as_data, render
from .reliability import abstaining_rows, bin_rows, calibration_rows, reliability_chart, set_rows
from .sections import class_rows, confusion_of, curves_of, epochs_of, key_figures
from .summary import summarise_run
from .thumbnails import thumbnails

# Each has a template of this name in templates/report/.
PARTS = {
    "summary": "Summary",
    "data": "Trained on what",
    "curves": "Training",
    "classes": "Classes",
    "reliability": "How far its probabilities are to be believed",
    "confusion": "Confusion matrix",
    "errors": "Wrong, most confident first",
    "pictures": "Validation pictures",
    "repeat": "How to repeat this training",
}


class Part(NamedTuple):
    """A part of the page."""

    id: str
    title: str


def write_report(path: str | Path) -> Path:
    """Write RUN/report/index.html, one self-contained page, and its curves and confusion matrix as PNG.

    Args:
        path: the run's folder.

    Returns:
        The page's path.

    Raises:
        RunError: the folder is not a run, or has not been validated yet.
    """
    run = open_run(path)
    folder = run.report_path
    index, predictions, log = read_index(run), read_predictions(run), run.log_rows()
    judgement = read_judgement(run)
    if judgement is not None:
        calibrated = cooled(predictions.probabilities, judgement.temperature).astype(np.float32)
        predictions = replace(predictions, probabilities=calibrated)
    if folder.exists() and not folder.is_dir():
        raise RunError("a folder for the report", found=f"a file at {str(folder)!r}", fix="Move it elsewhere.")
    folder.mkdir(exist_ok=True)
    if log:  # no epoch: a solved head is all there is
        figures.save_figure(curves_figure([Curve(run.path.name, log)]), folder / "curves.png")
    figures.save_figure(figures.confusion(np.array(run.metrics["confusion"]), run.classes), folder / "confusion.png")
    page = render(
        "report.html",
        {**_about(run, index), **_figures(run, judgement), **_judged(run, index, predictions), **_log(log)},
        styles=("report.css",),
        scripts=("report.js",),
    )
    written = folder / "index.html"
    write_atomically(written, page)
    return written


def split_counts(index: Index) -> list[dict[str, Any]]:
    """Usable pictures of each class in each split; "pictures" are those that are not split."""
    splits = [split for split in ("train", "val", "test", "") if len(index.rows(split))]
    counts = {split: np.bincount(index.labels[index.rows(split)], minlength=len(index.classes)) for split in splits}
    return [
        {"name": name, **{split or "pictures": int(counts[split][label]) for split in splits}}
        for label, name in enumerate(index.classes)
    ]


def _about(run: Run, index: Index) -> dict[str, Any]:
    """What was trained on what, and how to do it again."""
    chosen, config = run.chosen, from_json(run.config["asked"])
    return {
        "run": run,
        "name": run.path.resolve().name,
        "chosen": chosen,
        "classes": run.classes,
        "splits": split_counts(index),
        "set_aside": index.set_aside(),
        "run_word": as_word(run.path),
        "data_word": as_word(chosen.root),
        "config_word": as_word(run.path / CONFIG),
        "command": _command(config),
        "started": Path(config.transfer.weights).name if config.transfer.knows else "",
        "seed": config.seed,
        "git": run.config.get("git") or "",
        "versions": typed(run.config.get("versions", {}), dict[str, str], path=run.path / CONFIG),
    }


def _figures(run: Run, judgement: Judgement | None) -> dict[str, Any]:
    """What the answers are worth; without a judgement the little that metrics.json has."""
    metrics = run.metrics
    rows = class_rows(metrics, judgement)
    parts, missing, judged = dict(PARTS), [], {}
    if judgement is None:
        del parts["reliability"]
        missing.append((PARTS["reliability"], f"pictaxa evaluate {as_word(run.path)}"))
    else:
        judged = {
            "reliability": reliability_chart(judgement),
            "calibration": calibration_rows(judgement),
            "bins": bin_rows(judgement),
            "abstaining": abstaining_rows(judgement),
            "sets": set_rows(judgement),
        }
    return {
        "parts": [Part(*part) for part in parts.items()],
        "missing": missing,
        "metrics": metrics,
        "judgement": judgement,
        "summary": summarise_run(metrics, judgement),
        "figures": key_figures(metrics, judgement),
        "class_rows": rows,
        "more_classes": max(0, len(metrics["classes"]) - len(rows)),
        **confusion_of(metrics),
        **judged,
    }


def _log(log: list[dict[str, str]]) -> dict[str, Any]:
    """The epochs, and what follows from there being some."""
    cautions = []
    if log:
        cautions.append(
            "These weights were chosen because they do best on these validation pictures, so expect a slightly lower "
            "accuracy on new ones."
        )
    return {
        "curves": curves_of(log),
        "epochs": epochs_of(log),
        "duration": clock(float(log[-1]["seconds"])) if log else "",
        "cautions": cautions,
    }


def _judged(run: Run, index: Index, predictions: Predictions) -> dict[str, Any]:
    """The validation pictures with what was said of them."""
    order = order_of(predictions)
    listed = rows_of(predictions, index, order.all)
    rows = predictions.rows[order.all[: len(listed)]].tolist()
    decoding, side = run.geometry.decoding, side_of(len(rows))
    with Fetcher(index) as fetcher:
        large = thumbnails(fetcher, rows[: min(SUREST, len(order.wrong))], decoding=decoding, side=SUREST_SIDE)
        small = thumbnails(fetcher, rows, decoding=decoding, side=side, budget=THUMBNAIL_BYTES)
    words = {
        "lost": shown("file not found"), "unshown": shown("no room for its picture on this page"),
        "labelled": shown("labelled {0} ({1})"), "count": shown("{0} pictures, {1} shown"),
    }  # fmt: skip
    pictures = [[*answers, small.get(row)] for answers, row in zip(listed, rows, strict=True)]
    return {
        "surest": _surest(predictions, index, order, large),
        "wrong_count": len(order.wrong),
        "unlisted": len(predictions.rows) - len(listed),
        "data": as_data({"classes": [printable(name) for name in run.classes], "words": words, "pictures": pictures}),
    }


def _surest(predictions: Predictions, index: Index, order: Order, images: dict[int, str]) -> list[dict[str, Any]]:
    """The surest errors, which are shown by themselves."""
    found = []
    for place in order.wrong[:SUREST].tolist():
        row, label, answer = predictions.rows[place], predictions.labels[place], predictions.predicted[place]
        found.append(
            {
                "path": index.name(row),
                "truth": index.classes[label],
                "answer": index.classes[answer],
                "share": float(predictions.probabilities[place, answer]),
                "truth_share": float(predictions.probabilities[place, label]),
                "image": images.get(int(row), ""),
            }
        )
    return found


def _command(config: TrainConfig) -> str:
    """The training as one line to copy."""
    settings = changed_settings(replace(config, out=None))
    words = [as_word(settings.pop("data"))]
    for name, value in settings.items():
        values = value if isinstance(value, tuple) else ("none" if value is None else value,)
        words += [f"--{name.replace('_', '-')}", *map(as_word, values)]
    return " ".join(["pictaxa train", *words])
