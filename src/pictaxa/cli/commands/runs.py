"""Commands that create and use a run: train, evaluate, predict, report, classes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ConfigError, as_word
from ...system.printing import print_line, print_lines
from ..arguments import (
    ClassesArguments,
    CurvesArguments,
    EvaluateArguments,
    PredictArguments,
    ReportArguments,
    TrainArguments,
)
from ..exit_codes import EXIT_INTERRUPTED, EXIT_MISTAKE, check_place, write_json

if TYPE_CHECKING:  # loaded when it is needed
    from ...reporting.answers import Gallery


def train(arguments: TrainArguments, started: float) -> int:
    """Train, or continue an interrupted run."""
    from ...judge.complete import complete_run
    from ...reporting.boards import tell_end
    from ...training.folds import continue_training, start_training
    from ...training.interrupts import Interrupted

    try:
        if arguments.resume is not None:
            run = continue_training(arguments.resume)
        else:
            run = start_training(arguments.training, started=started)
        complete_run(run.path)
        tell_end(run)
    except Interrupted as stop:
        # With a cause it stopped without saving first.
        lost = "what was trained since the last saved state is trained again" if stop.__cause__ else "nothing is lost"
        print_lines(("", f"stopped; {lost}. Continue with:  pictaxa train --resume {as_word(stop.run.path)}"))
        return EXIT_INTERRUPTED
    path = as_word(run.path)
    print_lines((f"next      pictaxa report {path}", f"          pictaxa predict {path} FILES-OR-FOLDERS"))
    return 0


def evaluate(arguments: EvaluateArguments, started: float) -> int:
    """Judge a run by its own validation pictures or by others."""
    from ...judge.evaluate import Selection, evaluate_run
    from ...judge.evaluation import as_json, evaluation_lines

    check_place(arguments.json, "--json")
    gallery = _gallery(arguments.grid)
    evaluation = evaluate_run(
        arguments.run, arguments.data, reading=arguments.reading, device=arguments.device, gallery=gallery,
        select=Selection(split=arguments.split, pictures=arguments.pictures, seed=arguments.seed),
        slices=arguments.slices,
    )  # fmt: skip
    print_lines(f"set aside {path!r}: {problem}" for path, problem in evaluation.set_aside)
    print_lines(evaluation_lines(evaluation))
    if gallery is not None:
        print_line(f"grid      {gallery.draw()}")
    write_json(arguments.json, as_json(evaluation))
    return 0


def predict(arguments: PredictArguments, started: float) -> int:
    """Say what a run sees in files and folders."""
    if arguments.top is not None and arguments.top < 1:
        raise ConfigError("--top 1 or more", found=str(arguments.top), fix="Use --top 3, for example.")
    from ...inference.exported_predictor import load_with
    from ...inference.predictor import tell_nobody
    from ...inference.writers import TableWriter, open_writer, write_all
    from ...judge.asked import answering_of
    from ..inputs import pictures_of

    check_place(arguments.out, "--out")
    gallery = _gallery(arguments.grid)
    drawn = [] if gallery is None else [gallery]
    pictures = pictures_of(arguments.files)
    # First: what is damaged is told alone.
    predictor = load_with(arguments.run, runtime=arguments.runtime, device=arguments.device)
    answering = answering_of(
        arguments.run, raw=arguments.raw, abstain=arguments.abstain, sets=arguments.sets,
        per_class=arguments.per_class, none_of_these=arguments.none_of_these,
    )  # fmt: skip
    for line in answering.told:  # beside the answers, which a program may read
        print_line(line, file=sys.stderr)
    predictor = predictor.answers_by(answering)
    stream = predictor.judge(pictures, look=tell_nobody if gallery is None else gallery.look)
    if arguments.out is None:
        table = TableWriter(sys.stdout, predictor.classes, top=arguments.top, answering=answering)
        read, bad = write_all(stream, [table, *drawn])
    else:
        spreadsheet = arguments.csv == "spreadsheet"
        with open_writer(
            arguments.out, predictor.classes, top=arguments.top, spreadsheet=spreadsheet, answering=answering
        ) as writer:
            read, bad = write_all(stream, [writer, *drawn])
        print_line(f"{read + bad} rows in {arguments.out}")
    if gallery is not None and read:
        print_line(f"grid      {gallery.draw()}")
    if bad:
        print_line(f"{bad} of {read + bad} files could not be read; the reason is in their rows", file=sys.stderr)
    if read + bad == 0:
        raise ConfigError("pictures to predict", found="none in what was given", fix="Give other files or folders.")
    return 0 if read else EXIT_MISTAKE


def _gallery(out: Path | None) -> Gallery | None:
    """What draws pictures with their answers, where --grid asks for it; a wrong place is told before the work."""
    if out is None:
        return None
    from ...reporting.answers import Gallery

    check_place(out, "--grid", makes_folder=True)
    return Gallery(out)


def report(arguments: ReportArguments, started: float) -> int:
    """Write a run's page."""
    from ...reporting.page import lacks_records, write_report

    if lacks_records(arguments.run):  # what it lacks needs its model, and torch
        from ...judge.complete import REPORT_STEPS, complete_run

        complete_run(arguments.run, steps=REPORT_STEPS)
    print_line(f"report    {write_report(arguments.run)}")
    return 0


def curves(arguments: CurvesArguments, started: float) -> int:
    """Draw several runs on one plot."""
    from ...reporting.curves import draw_curves

    check_place(arguments.out, "--out", makes_folder=True)
    path = draw_curves(arguments.runs, arguments.out, over=arguments.over)
    print_line(f"curves    {path}: loss and accuracy over {arguments.over}, of training and of validation")
    return 0


def classes(arguments: ClassesArguments, started: float) -> int:
    """List a run's classes, or give them other names."""
    if not arguments.rename and not arguments.merge:
        from ...runs.folder import open_run

        print_lines(f"{label:5}  {name}" for label, name in enumerate(open_run(arguments.run).classes))
        return 0
    from ...inference.loading import checked_weights
    from ...runs.relabel import relabel_run, relabelling_lines

    checked_weights(arguments.run)  # which the new run takes over
    run, plan = relabel_run(arguments.run, arguments.out, rename=arguments.rename, merge=arguments.merge)
    print_lines(relabelling_lines(run, plan))
    return 0
