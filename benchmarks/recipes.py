"""What runs attained, as rows of docs/recipes.md, and their curves side by side.

    pictaxa train photos --recipe flowers-alexnet --out runs/alexnet
    python benchmarks/recipes.py runs/alexnet runs/default --draw curves.png

For each run: its recipe, how many pictures, how long it took, the accuracy of what it kept with Wilson's interval, the
validation accuracy of a few epochs on the way, and what the recipe's source reports.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pictaxa.config.recipes import find_recipe
from pictaxa.runs.folder import Run, open_run
from pictaxa.system.progress import clock

POINTS = 8  # of a curve in words


def name_of(run: Run) -> str:
    """The recipe's name."""
    return str(run.config["asked"]["recipe"] or "default")


def curve(run: Run) -> tuple[list[float], list[float]]:
    """Minutes and validation accuracies, percent, of the epochs that were judged."""
    judged = [row for row in run.log_rows() if row["val_accuracy"]]
    minutes = [float(row["seconds"]) / 60 for row in judged]
    return minutes, [100 * float(row["val_accuracy"]) for row in judged]


def line(run: Run) -> str:
    """A row of the table."""
    chosen, metrics, log = run.config["chosen"], run.metrics, run.log_rows()
    minutes, accuracies = curve(run)
    places = np.unique(np.linspace(0, len(accuracies) - 1, POINTS).round().astype(int))
    way = " ".join(f"{accuracies[place]:.0f}" for place in places)
    low, high = metrics["accuracy_95_low"], metrics["accuracy_95_high"]
    return (
        f"| `{name_of(run)}` | {chosen['train_pictures']:,} + {chosen['val_pictures']:,} | {log[-1]['epoch']} "
        f"| {clock(60 * minutes[-1])} | {metrics['accuracy']:.1%} ({100 * low:.1f}-{100 * high:.1f}) | {way} "
        f"| {find_recipe(name_of(run)).reported} |"
    )


def draw(runs: list[Run], path: Path) -> None:
    """Every run's validation accuracy over the minutes."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axis = figure.subplots()
    for run in runs:
        minutes, accuracies = curve(run)
        length = run.config["asked"]["schedule"]["minutes"]
        told = f"{name_of(run)}, {length:g} min" if length else name_of(run)
        axis.plot(minutes, accuracies, marker="." if len(minutes) < 40 else "", label=told)
    axis.set_xlabel("minutes")
    axis.set_ylabel("validation accuracy, %")
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, fontsize=8, loc="outside right upper")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the rows, and draw where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--draw", type=Path, help="a PNG to write")
    arguments = parser.parse_args()
    runs = [open_run(path) for path in arguments.runs]
    print("| recipe | pictures, training + validation | epochs | time | accuracy (95%) | on the way, % | reported |")
    print("|---|---|---|---|---|---|---|")
    for run in runs:
        print(line(run))
    if arguments.draw:
        draw(runs, arguments.draw)


if __name__ == "__main__":
    main()
