"""What a finished run is completed by: a list of steps, each of which keeps one file in the run folder.

They run after a training. A run without one of the files, an older one or one whose training was stopped here, is as
good: whoever needs the file makes it then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..config.by_name import read_config_file
from ..config.machine import MachineConfig
from ..errors import PictaxaError, machine_error
from ..explaining.kept import keep_heat
from ..inference.loading import load
from ..inference.own_vectors import vectors_of_run
from ..reporting.judged import SUREST, calibrated_predictions, order_of
from ..runs.folder import Run, open_run
from ..runs.names import CONFIG, HEATMAPS, JUDGEMENT, SLICES, VECTORS
from ..system.progress import say, warn
from ..training.interrupts import Interrupted


@dataclass(frozen=True)
class Step:
    """How one file is made."""

    file: str  # of runs/names.py, DERIVED
    make: Callable[
        [Run, MachineConfig], str
    ]  # of a run, and what may compute; makes it where it is not there, and tells it in one line
    of_folds: bool = True  # whether a run of several folds, which has no model of its own, has it too


def _judge(run: Run, machine: MachineConfig) -> str:
    from .judging import judgement_of  # with scikit-learn, which takes a second to load

    judgement = judgement_of(run.path)
    before, after = judgement.before.error, judgement.after.error
    return (
        f"judged    {judgement.pictures} validation pictures: calibration error {after.value:.1%} instead of "
        f"{before.value:.1%}, with temperature {judgement.temperature:.2f}"
    )


def _find_vectors(run: Run, machine: MachineConfig) -> str:
    count = len(vectors_of_run(load(run.path, device=machine.device, threads=machine.threads)).rows)
    return f"vectors   of {count} training and validation pictures are kept: pictaxa nearest finds the most alike"


def _explain(run: Run, machine: MachineConfig) -> str:
    predictions = calibrated_predictions(run)
    rows = predictions.rows[order_of(predictions).wrong[:SUREST]]
    if not len(rows):
        return "explained no mistake, as there is none"
    keep_heat(run.path, rows=rows, device=machine.device)
    return f"explained {len(rows)} mistakes: what speaks for the answer, and what for the label"


def _slice(run: Run, machine: MachineConfig) -> str:
    from .slices import slices_of, worst_line  # with scikit-learn, which takes a second to load

    return f"slices    {worst_line(slices_of(run.path))}"


STEPS = (Step(JUDGEMENT, _judge), Step(VECTORS, _find_vectors, of_folds=False), Step(SLICES, _slice))
# What the report's page shows beside: heat maps, which a large network takes minutes for.
REPORT_STEPS = (*STEPS, Step(HEATMAPS, _explain, of_folds=False))


def complete_run(path: str | Path, *, device: str | None = None, steps: Sequence[Step] = STEPS) -> None:
    """Make what a finished run lacks, and say in a line each what was found. A step that fails takes nothing away.

    Args:
        path: the run's folder.
        device: for the steps that run the model: "auto", "cpu", "cuda", "cuda:1" or "mps"; by default what the training
            was asked for.
        steps: what is made.

    Raises:
        RunError: the folder is not a run.
        Interrupted: by Ctrl-C; the training is finished, and what is missing beside it is made when it is needed.

    Example:
        run = train_run(TrainConfig(data=Path("photos")))
        complete_run(run.path)
    """
    run = open_run(path)
    machine = read_config_file(run.existing(CONFIG)).machine
    machine = machine if device is None else replace(machine, device=device)
    for step in steps:
        if run.folds and not step.of_folds:
            continue
        try:
            say(step.make(run, machine))
        except KeyboardInterrupt:
            raise Interrupted(run) from None
        except Exception as error:
            mistake = error if isinstance(error, PictaxaError) else machine_error(error)
            if mistake is None:
                raise
            warn(f"note      {step.file} is not made: {mistake}")
