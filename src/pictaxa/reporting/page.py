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
from ..metrics import Predictions
from ..runs.folder import Run, open_run
from ..runs.heatmaps import HeatMaps, read_heatmaps
from ..runs.judgement import Judgement, read_judgement
from ..runs.names import CONFIG
from ..runs.records import read_index
from ..runs.slices import Slices, read_slices
from ..runs.test_looks import read_test_looks
from ..runs.typed import typed
from ..runs.vectors import Vectors, read_vectors
from ..system.language import shown
from ..system.progress import clock
from . import figures
from .curves import Curve, curves_figure
from .judged import THUMBNAIL_BYTES, calibrated_predictions, order_of, rows_of, side_of
from .pages import as_data, render
from .reliability import abstaining_rows, bin_rows, calibration_rows, refused, reliability_chart, set_rows
from .sections import class_rows, confusion_of, curves_of, epochs_of, key_figures, slice_rows
from .summary import summarise_run
from .surest import surest_errors
from .thumbnails import thumbnails
from .vector_map import closeness_of, map_of

# Each has a template of this name in templates/report/.
PARTS = {
    "summary": "Summary",
    "data": "Trained on what",
    "curves": "Training",
    "classes": "Classes",
    "reliability": "How far its probabilities are to be believed",
    "confusion": "Confusion matrix",
    "slices": "Where it does worse",
    "errors": "Wrong, most confident first",
    "pictures": "Validation pictures",
    "map": "What the network sees as alike",
    "repeat": "How to repeat this training",
}


# What stands at the end of the page where a record is absent.
MISSING = {
    "slices": "Where it does worse",
    "reliability": "How far its probabilities are to be believed",
    "map": "What the network sees as alike",
    "heat": "Where the network looked",
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
    records = _read(run)
    log = run.log_rows()
    if folder.exists() and not folder.is_dir():
        raise RunError("a folder for the report", found=f"a file at {str(folder)!r}", fix="Move it elsewhere.")
    folder.mkdir(exist_ok=True)
    if log:  # no epoch: a solved head is all there is
        figures.save_figure(curves_figure([Curve(run.path.name, log)]), folder / "curves.png")
    figures.save_figure(figures.confusion(np.array(run.metrics["confusion"]), run.classes), folder / "confusion.png")
    values = {**_about(run, records), **_figures(run, records), **_judged(run, records), **_log(run, log)}
    written = folder / "index.html"
    written.write_text(render("report.html", values, styles=("report.css",), scripts=("report.js",)), encoding="utf-8")
    return written


class Records(NamedTuple):
    """What the run folder has; None for what was not made yet."""

    pictures: Index
    predictions: Predictions  # calibrated, where there is a judgement
    judgement: Judgement | None
    vectors: Vectors | None
    heatmaps: HeatMaps | None
    slices: Slices | None


def lacks_records(path: str | Path) -> bool:
    """Whether a run lacks something that its page would show, and that judge/complete.py can make.

    Args:
        path: the run's folder.

    Returns:
        True where something is not there, or is not of this run as it is now.

    Raises:
        RunError: the folder is not a run, or has not been validated yet.
    """
    run = open_run(path)
    return bool(_missing(run, _read(run)))


def _missing(run: Run, records: Records) -> dict[str, str]:
    """The parts whose records are absent, with the command that says more; a run of folds has no model to look at."""
    asked: dict[str, tuple[object, str]] = {
        "reliability": (records.judgement, "evaluate RUN"),
        "slices": (records.slices, "evaluate RUN --slices"),
    }
    if not run.folds:
        asked["map"] = (records.vectors, "nearest RUN PICTURE")
        asked["heat"] = (records.heatmaps, "explain RUN PICTURE")
    return {name: words for name, (record, words) in asked.items() if record is None}


def _read(run: Run) -> Records:
    index, judgement = read_index(run), read_judgement(run)
    predictions = calibrated_predictions(run, judgement)
    return Records(index, predictions, judgement, read_vectors(run, index=index), read_heatmaps(run), read_slices(run))


def split_counts(index: Index) -> list[dict[str, Any]]:
    """Usable pictures of each class in each split; "pictures" are those that are not split."""
    splits = [split for split in ("train", "val", "test", "") if len(index.rows(split))]
    counts = {split: np.bincount(index.labels[index.rows(split)], minlength=len(index.classes)) for split in splits}
    return [
        {"name": name, **{split or "pictures": int(counts[split][label]) for split in splits}}
        for label, name in enumerate(index.classes)
    ]


def _about(run: Run, records: Records) -> dict[str, Any]:
    """What was trained on what, and how to do it again."""
    index = records.pictures
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
        "started": Path(config.transfer.weights or "").name if config.transfer.knows else "",
        "seed": config.seed,
        "git": run.config.get("git") or "",
        "versions": typed(run.config.get("versions", {}), dict[str, str], path=run.path / CONFIG),
    }


def _figures(run: Run, records: Records) -> dict[str, Any]:
    """What the answers are worth; without a judgement the little that metrics.json has."""
    metrics, judgement = run.metrics, records.judgement
    rows = class_rows(metrics, judgement)
    judged = {} if judgement is None else {
        "reliability": reliability_chart(judgement), "calibration": calibration_rows(judgement),
        "bins": bin_rows(judgement), "abstaining": abstaining_rows(judgement), "sets": set_rows(judgement),
    }  # fmt: skip
    missing = _missing(run, records)
    absent = {*missing, *(("map", "curves") if run.folds else ())}
    return {
        "parts": [Part(*part) for part in PARTS.items() if part[0] not in absent],
        "missing": [
            (MISSING[name], f"pictaxa {words.replace('RUN', as_word(run.path))}") for name, words in missing.items()
        ],
        "metrics": metrics,
        "judgement": judgement,
        "summary": summarise_run(metrics, judgement, records.slices),
        "slices": slice_rows(records.slices),
        "slice_notes": records.slices.notes if records.slices else (),
        "looks": read_test_looks(run),
        "has_test": len(records.pictures.rows("test")) > 0,
        "figures": key_figures(metrics, judgement),
        "class_rows": rows,
        "more_classes": max(0, len(metrics["classes"]) - len(rows)),
        **confusion_of(metrics),
        **judged,
    }


def _log(run: Run, log: list[dict[str, str]]) -> dict[str, Any]:
    """The epochs, and what follows from there being some."""
    cautions = []
    if log:
        cautions.append(
            "These weights were chosen because they do best on these validation pictures, so expect a slightly lower "
            "accuracy on new ones."
        )
    if run.folds:
        cautions.append(f"Each picture was judged by that one of {len(run.folds)} trainings which had not seen it.")
    return {
        "solved": not log and not run.folds,
        "curves": curves_of(log),
        "epochs": epochs_of(log),
        "duration": clock(float(log[-1]["seconds"])) if log else "",
        "cautions": cautions,
    }


def _judged(run: Run, records: Records) -> dict[str, Any]:
    """The validation pictures with what was said of them."""
    index, predictions, decoding = records.pictures, records.predictions, run.geometry.decoding
    order = order_of(predictions)
    listed = rows_of(predictions, index, order.all)
    rows = predictions.rows[order.all[: len(listed)]].tolist()
    with Fetcher(index) as fetcher:
        small = thumbnails(fetcher, rows, decoding=decoding, side=side_of(len(rows)), budget=THUMBNAIL_BYTES)
    surest = surest_errors(
        predictions, index, order.wrong, decoding=decoding, heatmaps=records.heatmaps, vectors=records.vectors
    )
    words = {
        "lost": shown("file not found"), "unshown": shown("no room for its picture on this page"),
        "labelled": shown("labelled {0} ({1})"), "count": shown("{0} pictures, {1} shown"),
    }  # fmt: skip
    close = {} if records.vectors is None else closeness_of(records.vectors)
    pictures = [[*answers, small.get(row), close.get(row)] for answers, row in zip(listed, rows, strict=True)]
    mapped = None if records.vectors is None else map_of(records.vectors, index, predictions, decoding=decoding)
    return {
        "surest": surest,
        "refused": refused(records.vectors),
        "has_heat": any(layer for one in surest for layer in one["heat"].values()),
        "wrong_count": len(order.wrong),
        "unlisted": len(predictions.rows) - len(listed),
        "map": mapped,
        "data": as_data({"classes": [printable(name) for name in run.classes], "words": words, "pictures": pictures}),
    }


def _command(config: TrainConfig) -> str:
    """The training as one line to copy."""
    settings = changed_settings(replace(config, out=None))
    words = [as_word(settings.pop("data"))]
    for name, value in settings.items():
        values = value if isinstance(value, tuple) else ("none" if value is None else value,)
        words += [f"--{name.replace('_', '-')}", *map(as_word, values)]
    return " ".join(["pictaxa train", *words])
