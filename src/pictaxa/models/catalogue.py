"""`pictaxa models`: the zoo as a list, one network layer by layer, several side by side."""

from __future__ import annotations

import csv
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ..config.machine import MachineConfig
from ..errors import ModelError
from ..system.device import apply_plan, choose_plan, to_device
from .diagram import draw_diagram, units
from .summary import Row, Summary, summarise_model
from .zoo import ZOO, check_size, create_model, find_entry, parse_options

# What `write_figures` counted; tests count again.
FIGURES = Path(__file__).with_name("figures.csv")

SPEED_BATCH = 8  # pictures
SPEED_ROUNDS = 5


def list_lines() -> Iterator[str]:
    """A line for each entry: name, family, year, parameters, multiply-adds at its usual size, paper."""
    yield f"{'name':21}  {'family':12}  {'year':>4}  {'parameters':>11}  {'multiply-adds':>13}  {'pixels':>6}  paper"
    with FIGURES.open(encoding="utf-8", newline="") as file:
        figures = {row["name"]: row for row in csv.DictReader(file)}
    for name, entry in ZOO.items():
        parameters, cost = int(figures[name]["parameters"]), int(figures[name]["multiply_adds"])
        yield (
            f"{name:21}  {entry.family:12}  {entry.year:4d}  {parameters:11,}  {_billions(cost):>13}  "
            f"{entry.size:6d}  {entry.paper}"
        )
    yield ""
    yield "for 1,000 classes at the given input size, in grey if the original takes grey"
    yield "pictaxa models NAME shows one layer by layer; timm/NAME is any timm model."


def write_figures(path: Path = FIGURES) -> None:
    """Count every entry's parameters and multiply-adds for the list to read; takes half a minute."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", "parameters", "multiply_adds"))
        for name, entry in ZOO.items():
            summary = summarise_model(name, size=entry.size, channels=entry.channels)
            writer.writerow((name, summary.trainable, summary.multiply_adds))


def read_entry(
    name: str, *, size: int | None, channels: int | None, classes: int, options: tuple[str, ...]
) -> tuple[Summary, dict[str, Any]]:
    """Summarise an entry at a size.

    Args:
        name: name of the entry.
        size: side of the pictures, pixels; None for the entry's usual one.
        channels: 3 for RGB, 1 for grey; None for the entry's usual ones.
        classes: number of classes.
        options: the entry's own options, such as ("dropout=0.3",).

    Returns:
        The summary, and the options by name.

    Raises:
        ModelError: the name or an option is unknown, or the entry does not take pictures of this size.
    """
    entry = find_entry(name)
    pixels = size or entry.size
    check_size(name, pixels)
    chosen = parse_options(name, options)
    if entry.size_option:
        chosen.setdefault("size", pixels)
    planes = channels or entry.channels
    return summarise_model(name, size=pixels, num_classes=classes, channels=planes, options=chosen), chosen


def layer_lines(summary: Summary) -> Iterator[str]:
    """Show a network layer by layer.

    Args:
        summary: the network, from `read_entry`.

    Yields:
        A line for each layer in the order in which they are called, then the totals.
    """
    width = max(12, *(len(row.name) for row in summary.rows))
    yield (
        f"{'layer':{width}}  {'type':18}  {'output':>16}  {'parameters':>11}  {'multiply-adds':>14}  {'kernel':>6}  "
        f"{'stride':>6}  {'sees':>5}"
    )
    for row in summary.rows:
        yield (
            f"{row.name:{width}}  {row.kind:18}  {_shape(row.shape):>16}  {row.parameters:11,}  "
            f"{row.multiply_adds:14,}  {_kernel(row):>6}  {row.own_stride:6d}  {_field(row):>5}"
        )
    entry = find_entry(summary.name)
    yield ""
    yield f"{summary.name}: {entry.paper}"
    yield f"input         {summary.channels} x {summary.size} x {summary.size}"
    yield f"trainable     {summary.trainable:,} parameters"
    yield f"not trained   {summary.frozen:,} (moving means and variances of batch norms)"
    yield f"total         {summary.trainable + summary.frozen:,}"
    elsewhere = summary.trainable - sum(row.parameters for row in summary.rows)
    if elsewhere:
        yield f"of them       {elsewhere:,} in none of the layers above: embeddings, or auxiliary heads for training"
    yield f"multiply-adds {summary.multiply_adds:,} per picture"
    yield f"depth         {summary.depth} convolutions and dense layers on the longest path"
    seen = summary.receptive_field
    yield f"sees          {seen:.0f} x {seen:.0f} pixels before the first layer that sees the whole picture"
    yield "sees: receptive field of one position, in input pixels along its longer side"


def draw(summary: Summary, options: dict[str, Any], *, classes: int, path: Path) -> Path:
    """Draw the block diagram of a network.

    Args:
        summary: the network, from `read_entry`.
        options: its options, from there.
        classes: number of classes.
        path: the file to write, .svg or .png.

    Returns:
        The file.

    Raises:
        ConfigError: the file has another suffix, or can't be written.
    """
    with torch.device("meta"):
        model = create_model(summary.name, classes, in_channels=summary.channels, **options)
    return draw_diagram(summary, units(summary, model), path)


def compare_lines(names: Sequence[str], *, size: int | None, channels: int | None, classes: int) -> Iterator[str]:
    """Compare entries: parameters, multiply-adds, depth, receptive field, and speed, measured on this machine now.

    Args:
        names: two names or more.
        size: side of the pictures, pixels, for all that take it; None for the usual one of each.
        channels: 3 for RGB, 1 for grey; None for the usual ones of each.
        classes: number of classes.

    Yields:
        A line for each entry, and what the columns are.

    Raises:
        ModelError: fewer than two names, or one that is unknown.
    """
    if len(names) < 2:
        raise ModelError(
            "two names or more after --compare", found=" ".join(names) or "none", fix="Name at least two models."
        )
    summaries = []
    for name in names:
        entry = find_entry(name)
        pixels = size if size is not None and entry.any_size else entry.size
        summaries.append(read_entry(name, size=pixels, channels=channels, classes=classes, options=())[0])
    speeds = _speeds(summaries, classes=classes)
    yield (
        f"{'name':21}  {'pixels':>6}  {'parameters':>11}  {'multiply-adds':>13}  {'depth':>5}  {'sees':>5}  "
        f"{'pictures/s':>10}  {'times the first':>15}"
    )
    first = statistics.median(speeds[0])
    for summary, rates in zip(summaries, speeds, strict=True):
        ratios = [rate / before for rate, before in zip(rates, speeds[0], strict=True)]
        yield (
            f"{summary.name:21}  {summary.size:6d}  {summary.trainable:11,}  {_billions(summary.multiply_adds):>13}  "
            f"{summary.depth:5d}  {summary.receptive_field:5.0f}  {statistics.median(rates):10.1f}  "
            f"{statistics.median(ratios) if first else math.nan:15.2f}"
        )
    yield ""
    yield (
        f"pictures/s: forward passes of {SPEED_BATCH} pictures in float32, median of {SPEED_ROUNDS} rounds in which "
        "the models alternate; on this machine, now"
    )


def _speeds(summaries: Sequence[Summary], *, classes: int) -> list[list[float]]:
    plan = choose_plan(MachineConfig())
    apply_plan(plan)
    runs = []
    for summary in summaries:
        options: dict[str, Any] = {"size": summary.size} if find_entry(summary.name).size_option else {}
        model = to_device(create_model(summary.name, classes, in_channels=summary.channels, **options), plan).eval()
        runs.append((model, torch.rand(SPEED_BATCH, summary.channels, summary.size, summary.size, device=plan.device)))
    rates: list[list[float]] = [[] for _ in summaries]
    with torch.inference_mode():
        for turn in range(SPEED_ROUNDS + 1):
            for place_in_row, (model, images) in enumerate(runs):
                before = time.perf_counter()
                float(model(images).sum())  # waits for the device
                if turn:  # the first warms up
                    rates[place_in_row].append(SPEED_BATCH / (time.perf_counter() - before))
    return rates


def _billions(count: int) -> str:
    return f"{count / 1e9:.2f} G" if count >= 1e8 else f"{count / 1e6:.1f} M"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _kernel(row: Row) -> str:
    return "" if row.kernel is None else f"{row.kernel[0]}x{row.kernel[1]}"


def _field(row: Row) -> str:
    seen = max(row.trace.field_height, row.trace.field_width)
    return "all" if math.isinf(seen) else f"{seen:.0f}"
