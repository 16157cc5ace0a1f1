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
from .graph import BYTES, Node, fold
from .summary import Summary, summarise_model
from .zoo import ZOO, check_size, create_model, find_entry, parse_options

# What `write_figures` counted; tests count again.
FIGURES = Path(__file__).with_name("figures.csv")

SPEED_BATCH = 8  # pictures
SPEED_ROUNDS = 5


def list_lines() -> Iterator[str]:
    """A line for each entry: name, family, year, parameters, multiply-adds at its usual size, paper."""
    yield f"{'name':21}  {'family':12}  {'year':>4}  {'parameters':>11}  {'multiply-adds':>13}  {'pixels':>6}  paper"
    known = figures()
    for name, entry in ZOO.items():
        parameters, cost = known[name]
        yield (
            f"{name:21}  {entry.family:12}  {entry.year:4d}  {parameters:11,}  {billions(cost):>13}  "
            f"{entry.size:6d}  {entry.paper}"
        )
    yield ""
    yield "for 1,000 classes at the given input size, in grey if the original takes grey"
    yield "pictaxa models NAME shows one layer by layer; timm/NAME is any timm model."


def figures() -> dict[str, tuple[int, int]]:
    """Parameters and multiply-adds of each entry, at its own size."""
    with FIGURES.open(encoding="utf-8", newline="") as file:
        return {row["name"]: (int(row["parameters"]), int(row["multiply_adds"])) for row in csv.DictReader(file)}


def write_figures(path: Path = FIGURES) -> None:
    """Count every entry's parameters and multiply-adds for the list to read; takes half a minute."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", "parameters", "multiply_adds"))
        for name, entry in ZOO.items():
            summary = summarise_model(name, size=entry.size, channels=entry.channels)
            writer.writerow((name, summary.trainable, summary.multiply_adds))


def read_entry(name: str, *, size: int | None, channels: int | None, classes: int, options: tuple[str, ...]) -> Summary:
    """Summarise an entry at a size.

    Args:
        name: name of the entry.
        size: side of the pictures, pixels; None for the entry's usual one.
        channels: 3 for RGB, 1 for grey; None for the entry's usual ones.
        classes: number of classes.
        options: the entry's own options, such as ("dropout=0.3",).

    Returns:
        The summary.

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
    return summarise_model(name, size=pixels, num_classes=classes, channels=planes, options=chosen)


def layer_lines(summary: Summary, *, depth: int | None = None) -> Iterator[str]:
    """Show a network step by step.

    Args:
        summary: the network, from `read_entry`.
        depth: 1 for the network's own parts, 2 for theirs, and so on; None for every step.

    Yields:
        A line for each step in the order of the calls, then the totals.

    Raises:
        ModelError: the depth is below 1.
    """
    if depth is not None and depth < 1:
        raise ModelError("--depth of 1 or more", found=str(depth), fix="Use 1 for a network's own parts.")
    graph = summary.graph if depth is None else fold(summary.graph, depth)
    names = max(12, *(len(node.name) for node in graph.nodes))
    words = max(len(node.words) for node in graph.nodes)
    yield (
        f"{'layer':{names}}  {'type':{words}}  {'output':>16}  {'parameters':>11}  {'multiply-adds':>14}  {'sees':>5}  "
        f"{'MB':>7}  connected to"
    )
    for node in graph.nodes:
        memory = f"{node.megabytes:.2f}" if node.values else "-"
        yield (
            f"{node.name:{names}}  {node.words:{words}}  {_shape(node.shape):>16}  {node.parameters:11,}  "
            f"{node.multiply_adds:14,}  {_field(node):>5}  {memory:>7}  "
            f"{', '.join(graph.nodes[place].name for place in node.inputs)}"
        )
    yield ""
    yield from _total_lines(summary)


def _total_lines(summary: Summary) -> Iterator[str]:
    yield f"{summary.name}: {find_entry(summary.name).paper}"
    yield f"input         {summary.channels} x {summary.size} x {summary.size}"
    yield f"trainable     {summary.trainable:,} parameters"
    yield f"not trained   {summary.frozen:,} (moving means and variances of batch norms)"
    yield f"total         {summary.trainable + summary.frozen:,}"
    auxiliary = sum(node.parameters for node in summary.graph.nodes if node.auxiliary)
    if auxiliary:
        yield f"of them       {auxiliary:,} in auxiliary heads, which only training uses; what follows is without them"
    elsewhere = summary.trainable - sum(node.parameters for node in summary.graph.nodes)
    if elsewhere:
        yield f"of them       {elsewhere:,} that the forward pass does not use"
    yield f"multiply-adds {summary.multiply_adds:,} per picture"
    yield f"depth         {summary.depth} convolutions and dense layers on the longest path"
    seen = summary.receptive_field
    yield f"sees          {seen:.0f} x {seen:.0f} pixels before the first layer that sees the whole picture"
    yield (
        f"memory        {summary.megabytes:.2f} MB per picture, if all outputs are kept; {_weights(summary):.2f} MB of "
        "weights"
    )
    yield "sees: receptive field of one position, in input pixels along its longer side; gates are left out of it"
    yield "MB: float32; - for what is a view of its input, or takes its input's place"


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
        summaries.append(read_entry(name, size=pixels, channels=channels, classes=classes, options=()))
    speeds = _speeds(summaries, classes=classes)
    yield (
        f"{'name':21}  {'pixels':>6}  {'parameters':>11}  {'multiply-adds':>13}  {'depth':>5}  {'sees':>5}  "
        f"{'pictures/s':>10}  {'times the first':>15}"
    )
    first = statistics.median(speeds[0])
    for summary, rates in zip(summaries, speeds, strict=True):
        ratios = [rate / before for rate, before in zip(rates, speeds[0], strict=True)]
        yield (
            f"{summary.name:21}  {summary.size:6d}  {summary.trainable:11,}  {billions(summary.multiply_adds):>13}  "
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


def billions(count: int) -> str:
    """A large number as people say it: 4.09 G, 56.5 M."""
    return f"{count / 1e9:.2f} G" if count >= 1e8 else f"{count / 1e6:.1f} M"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _weights(summary: Summary) -> float:
    return (summary.trainable + summary.frozen) * BYTES / 1e6


def _field(node: Node) -> str:
    seen = max(node.field.height, node.field.width)
    return "all" if math.isinf(seen) else f"{seen:.0f}"
