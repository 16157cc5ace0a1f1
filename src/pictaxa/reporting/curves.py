"""Curves of one training or of several on one plot, each labelled by what it has that the others have not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from matplotlib.figure import Figure

from ..errors import ConfigError, RunError, as_word
from ..runs.folder import Run, open_run
from ..system.files import require_suffix, writing
from ..system.progress import warn
from .figures import GOOD, save_figure
from .fonts import font_for, writable

Over = Literal["epochs", "minutes", "steps"]

MAX_RUNS = 20  # on one plot
MAX_TOLD = 3  # settings in a label
# Okabe & Ito 2008: told apart by people who are colour-blind too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "-.", ":")  # of validation, where there are more runs than colours
# Settings in the order in which they are told, those that follow last; and those that say nothing of the result.
_FIRST = (
    "model", "model_options", "weights", "tune", "head", "data", "size", "lr", "optimizer", "batch_size",
    "lr_schedule", "policy", "augment", "label_smoothing", "weight_decay", "epochs", "minutes", "steps",
)  # fmt: skip
_LAST = ("fold", "seed")
_SILENT = ("out", "cache", "threads", "checkpoint_seconds", "device", "source", "recipe", "square", "test_size")
_OWN_WORD = ("model", "data", "weights")  # values that need no name before them


@dataclass(frozen=True)
class Curve:
    """A run's rows of log.csv, and what it is called beside the others."""

    label: str
    rows: list[dict[str, str]]


def draw_curves(runs: Sequence[str | Path], out: str | Path, *, over: Over = "epochs") -> Path:
    """Draw loss and accuracy of several trainings on one plot.

    Args:
        runs: run folders, also of trainings that still go on.
        out: the PNG to write; its folder is made where it is not there.
        over: what the curves go over.

    Returns:
        The path of the PNG.

    Raises:
        ConfigError: there are no runs, or too many, or the PNG can't be written.
        RunError: a folder is not a run, or none of them has an epoch.

    Example:
        draw_curves(["runs/plain", "runs/residual"], "degradation.png")
    """
    if not 1 <= len(runs) <= MAX_RUNS:
        raise ConfigError(f"1 to {MAX_RUNS} runs", found=str(len(runs)), fix="Give the folders of some trainings.")
    if over not in get_args(Over):
        raise ConfigError("--over epochs, minutes or steps", found=repr(over), fix="Use --over epochs.")
    out = Path(out)
    require_suffix(out, ".png", flag="--out")
    opened = [open_run(run) for run in runs]
    # Of several folds, each has curves.
    curves = read_curves([open_run(path) for run in opened for path in run.folds or (run.path,)])
    with writing(out, flag="--out"):
        out.parent.mkdir(parents=True, exist_ok=True)
        save_figure(curves_figure(curves, over=over), out)
    return out


def read_curves(runs: Sequence[Run]) -> list[Curve]:
    """Read the logs of runs and find what tells the runs apart; runs without an epoch are left out with a warning.

    Args:
        runs: one or more.

    Returns:
        A Curve for each with an epoch.

    Raises:
        RunError: none has an epoch.
    """
    logs = [(run, run.log_rows() if run.log_path.exists() else []) for run in runs]
    begun = [(run, rows) for run, rows in logs if rows]
    for run, rows in logs:
        if not rows:
            warn(f"note      {as_word(run.path)} has no epoch: its head was solved, or its first epoch is not over")
    if not begun:
        raise RunError("a run with epochs", found="none", fix="Give runs that are trained for one epoch or more.")
    labels = labels_of([run for run, _ in begun])
    return [Curve(label, rows) for label, (_, rows) in zip(labels, begun, strict=True)]


def labels_of(runs: Sequence[Run]) -> list[str]:
    """Name runs by the settings in which they differ, at most three; by their folders where these don't tell.

    Args:
        runs: one or more.

    Returns:
        A label for each; no two are the same.
    """
    settings = [_settings(run) for run in runs]
    names = dict.fromkeys([*_FIRST, *settings[0], *_LAST])
    differ = [name for name in names if name not in _SILENT and len({str(one.get(name)) for one in settings}) > 1]
    differ = [*(name for name in differ if name not in _LAST), *(name for name in differ if name in _LAST)][:MAX_TOLD]
    labels = [", ".join(filter(None, (_told(name, one.get(name)) for name in differ))) for one in settings]
    folders = [run.path.resolve().name for run in runs]
    if len(set(labels)) < len(labels) or not all(labels):
        labels = [f"{folder}: {label}" if label else folder for folder, label in zip(folders, labels, strict=True)]
    if len(set(labels)) < len(labels):
        labels = [str(run.path) for run in runs]
    return labels


def _settings(run: Run) -> dict[str, Any]:
    """What was asked for, by flat names, and what was chosen where it was left open."""
    flat: dict[str, Any] = {}
    for name, value in run.config["asked"].items():
        flat |= value if isinstance(value, Mapping) else {name: value}
    chosen = run.chosen
    options = [option for option in chosen.model_options if not option.startswith("size=")]
    return flat | {"model": chosen.model, "model_options": options, "size": chosen.size, "lr": chosen.peak_lr}


def _told(name: str, value: Any) -> str:
    """A setting in a label, its name and its value; "" for one that is left out."""
    if isinstance(value, (list, tuple)):
        value = " ".join(map(str, value))
    if value in (None, ""):
        return f"no {name}" if name in ("weights", "augment", "head") else ""
    text = f"{value:g}" if isinstance(value, float) else Path(value).name if name in ("weights", "data") else str(value)
    return text if name in _OWN_WORD or name == "model_options" else f"{name} {text}"


def curves_figure(curves: Sequence[Curve], *, over: Over = "epochs") -> Figure:
    """Draw loss and accuracy, training and validation.

    Args:
        curves: one or more; a single one needs no label.
        over: what the curves go over.

    Returns:
        Two drawings side by side, below them what belongs to which run.
    """
    alone = len(curves) == 1
    figure = Figure(figsize=(9, 3.2) if alone else (10, 4.2 + 0.2 * (len(curves) // 3)), layout="constrained")
    colours = [GOOD] if alone else [COLOURS[number % len(COLOURS)] for number in range(len(curves))]
    lines = curves_axes(figure.subplots(1, 2), curves, colours=colours, over=over)
    if not alone:
        labels = [curve.label for curve in curves]
        legend = figure.legend(
            lines, writable(labels), loc="outside lower center", ncols=min(3, len(curves)),
            frameon=False, prop=font_for(labels), title="solid: validation, dashed: training",
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)
    return figure


def curves_axes(
    axes: Sequence[Any], curves: Sequence[Curve], *, colours: Sequence[str], over: Over = "epochs"
) -> list[Any]:
    """Draw loss into the first of two axes and accuracy into the second.

    Args:
        axes: two of matplotlib's.
        curves: one or more; a single one has a legend in each.
        colours: of each curve.
        over: what the curves go over.

    Returns:
        The line of each curve's validation loss, for a legend.
    """
    alone = len(curves) == 1
    lines = []
    for axis, what, factor in zip(axes, ("loss", "accuracy"), (1, 100), strict=True):
        for number, (curve, colour) in enumerate(zip(curves, colours, strict=True)):
            style = STYLES[number // len(COLOURS) % len(STYLES)]
            validated = [row for row in curve.rows if row[f"val_{what}"]]
            axis.plot(
                [_place(row, over) for row in curve.rows],
                [factor * float(row[f"train_{what}"]) for row in curve.rows],
                color="#a0aec0" if alone else colour, alpha=1.0 if alone else 0.5, linewidth=1.0,
                linestyle="-" if alone else "--", label="training",
            )  # fmt: skip
            (line,) = axis.plot(
                [_place(row, over) for row in validated],
                [factor * float(row[f"val_{what}"]) for row in validated],
                color=colour, linestyle=style, label="validation", marker="." if len(validated) < 40 else "",
            )  # fmt: skip
            lines.append(line)
        axis.set_xlabel({"epochs": "epoch", "minutes": "minutes", "steps": "step"}[over])
        axis.set_ylabel(what if factor == 1 else f"{what}, %")
        axis.xaxis.get_major_locator().set_params(integer=over != "minutes")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        if alone:
            axis.legend(frameon=False)
    return lines[: len(curves)]


def _place(row: Mapping[str, str], over: Over) -> float:
    if over == "minutes":
        return float(row["seconds"]) / 60
    return int(row["epoch" if over == "epochs" else "step"])
