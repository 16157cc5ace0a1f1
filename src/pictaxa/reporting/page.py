"""One self-contained HTML page about a run: everything in it comes from the run folder and the pictures."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from ..data.fetching import Fetcher
from ..data.index import Index
from ..errors import PictureError, RunError, printable
from ..images.decode import decode
from ..images.decoding import Decoding
from ..metrics import Predictions
from ..runs.folder import open_run
from ..runs.names import CONFIG
from ..runs.records import read_index, read_predictions
from ..runs.typed import typed
from ..system.language import language, shown
from ..system.progress import clock
from . import figures
from .curves import Curve, curves_figure
from .fonts import has_wide

SAMPLES = 12  # pictures of each kind
THUMBNAIL = 220  # pixels


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
    classes, metrics, log, chosen = run.classes, run.metrics, run.log_rows(), run.chosen
    index = read_index(run)
    predictions = read_predictions(run)
    if folder.exists() and not folder.is_dir():
        raise RunError("a folder for the report", found=f"a file at {str(folder)!r}", fix="Move it elsewhere.")
    folder.mkdir(exist_ok=True)
    curves = curves_figure([Curve(run.path.name, log)]) if log else None  # no epoch: a solved head is all there is
    if curves is not None:
        figures.save_figure(curves, folder / "curves.png")
    matrix = np.array(metrics["confusion"])
    figures.save_figure(figures.confusion(matrix, classes), folder / "confusion.png")

    wrong, right = _ordered(predictions)
    with Fetcher(index) as fetcher:
        decoding = run.geometry.decoding
        worst = [_sample(fetcher, predictions, place, decoding=decoding) for place in wrong[:SAMPLES]]
        some = [_sample(fetcher, predictions, place, decoding=decoding) for place in _spread(right, SAMPLES)]
    page = template("page.html").render(
        run=run,
        name=run.path.resolve().name,
        metrics=metrics,
        classes=classes,
        curves="" if curves is None else figures.svg(curves),
        matrix=matrix.tolist(),
        shares=(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)).tolist(),
        wrong=worst,
        wrong_count=len(wrong),
        right=some,
        set_aside=index.set_aside(),
        splits=split_counts(index),
        config=run.config,
        chosen=chosen,
        versions=typed(run.config.get("versions", {}), dict[str, str], path=run.path / CONFIG),
        duration=clock(float(log[-1]["seconds"])) if log else "",
    )
    written = folder / "index.html"
    written.write_text(page, encoding="utf-8")
    return written


def template(name: str) -> jinja2.Template:
    """One of this folder's pages."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pictaxa.reporting", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, finalize=_escaped,
    )  # fmt: skip
    # In the language of messages: a text, and one with fields to fill.
    environment.filters["shown"] = shown
    environment.filters["filled"] = lambda text, *values: shown(text.format(*values))
    environment.globals["language"] = language
    environment.filters["percent"] = lambda value: f"{100 * value:.1f}%"
    environment.tests["wide"] = has_wide
    return environment.get_template(name)


def _escaped(value: object) -> object:
    """What a page has of a value: names in a form that can be shown; what is markup already stays as it is."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _ordered(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Places of the wrong answers, surest first, and of the right ones, surest first."""
    order = np.argsort(-predictions.probabilities.max(axis=1), kind="stable")
    right = (predictions.predicted == predictions.labels)[order]
    return order[~right], order[right]


def _spread(places: np.ndarray, count: int) -> np.ndarray:
    """An even choice from the surest to the least sure."""
    if len(places) <= count:
        return places
    return places[np.linspace(0, len(places) - 1, count).round().astype(int)]


def _sample(fetcher: Fetcher, predictions: Predictions, i: int, *, decoding: Decoding) -> dict[str, Any]:
    """A judged picture, as the page shows it; without an image when the file is gone."""
    row, label, guess = predictions.rows[i], predictions.labels[i], predictions.predicted[i]
    index = fetcher.index
    return {
        "path": index.name(row),
        "truth": index.classes[label],
        "guess": index.classes[guess],
        "probability": float(predictions.probabilities[i, guess]),
        "truth_probability": float(predictions.probabilities[i, label]),
        "image": thumbnail(fetcher, row, decoding),
    }


def thumbnail(fetcher: Fetcher, row: int, decoding: Decoding) -> str | None:
    """A row's picture as JPEG in base64; None when it can't be read, which the page says."""
    try:
        picture = decode(fetcher.fetch(row), name=fetcher.name(row), decoding=decoding, least_side=THUMBNAIL)
    except PictureError:
        return None
    return base64.b64encode(figures.jpeg_bytes(picture, side=THUMBNAIL)).decode()


def split_counts(index: Index) -> list[dict[str, Any]]:
    """Usable pictures of each class in each split; "pictures" are those that are not split."""
    splits = [split for split in ("train", "val", "test", "") if len(index.rows(split))]
    counts = {split: np.bincount(index.labels[index.rows(split)], minlength=len(index.classes)) for split in splits}
    return [
        {"name": name, **{split or "pictures": int(counts[split][label]) for split in splits}}
        for label, name in enumerate(index.classes)
    ]
