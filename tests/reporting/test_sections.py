from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pictaxa.judge.judging import judge_run
from pictaxa.metrics import Predictions, summarise
from pictaxa.reporting.sections import MATRIX_CLASSES, class_rows, confusion_of, curves_of, epochs_of, key_figures
from pictaxa.runs.folder import open_run


def metrics_of(labels: list[int], answers: list[int], classes: int):
    """Of predictions that are all equally sure."""
    shares = np.eye(classes, dtype=np.float32)[answers]
    names = tuple(f"class {label}" for label in range(classes))
    return summarise(Predictions(np.arange(len(labels)), np.array(labels), shares), names)


def test_the_matrix_by_hand():
    """Counts, their share of the row, and the pairs that are taken for each other."""
    found = confusion_of(metrics_of([0, 0, 0, 1, 1], [0, 0, 1, 1, 0], 3))
    assert [[cell["count"] for cell in row] for row in found["matrix"]] == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert found["matrix"][0][1]["share"] == 1 / 3 and found["matrix"][2][2]["share"] == 0
    assert [(pair["true"], pair["answer"], pair["share"]) for pair in found["pairs"]] == [
        ("class 0", "class 1", 1 / 3), ("class 1", "class 0", 1 / 2),
    ]  # fmt: skip
    assert found["more_pairs"] == 0


def test_many_classes_have_no_matrix():
    """A list of pairs takes its place."""
    count = MATRIX_CLASSES + 1
    found = confusion_of(metrics_of(list(range(count)), [*range(1, count), 0], count))
    assert found["matrix"] is None and len(found["pairs"]) == count


def test_the_table_of_classes():
    """A class that is never answered is told; with a judgement figures have its intervals."""
    rows = class_rows(metrics_of([0, 0, 1], [0, 0, 0], 2), None)
    assert [row["answers"] for row in rows] == [3, 0] and rows[0]["told"]["recall"].startswith(
        "100.0% (34.2% – 100.0%)"
    )


def test_figures_with_and_without_a_judgement(tmp_path: Path, judged_run: Callable[..., Path]):
    """Each with its interval where it is known."""
    run = open_run(judged_run(tmp_path, ["a", "b", "c"], pictures=20))
    plain = key_figures(run.metrics, None)
    assert [one["name"] for one in plain] == ["accuracy", "mean F1", "log loss", "validation pictures"]
    judged = {one["name"]: one for one in key_figures(run.metrics, judge_run(run))}
    assert {"balanced accuracy", "Cohen's kappa", "area under the ROC curve"} <= set(judged)
    assert judged["accuracy"]["value"] == plain[0]["value"] and "–" in judged["mean F1"]["beside"]
    rows = class_rows(run.metrics, judge_run(run))
    assert all(row["told"]["auc"] for row in rows)


def test_curves_and_their_table(tmp_path: Path, judged_run: Callable[..., Path]):
    """Loss and accuracy of each epoch that has them; a single epoch stands in the middle; none of a solved head."""
    log = open_run(judged_run(tmp_path, ["a", "b"], epochs=4)).log_rows()
    loss, accuracy = curves_of(log)
    assert [len(line.dots) for line in loss.lines] == [4, 4] and accuracy.axes.high[1] == 100
    assert epochs_of(log)[1] == ["2", "0:04", "0.500", "0.550", "75.0%", "70.0%"]
    log[2] |= {"val_loss": "", "val_accuracy": ""}
    assert [len(line.dots) for line in curves_of(log)[0].lines] == [4, 3] and epochs_of(log)[2][3] == ""
    assert [text for _, text in curves_of(log[:1])[0].across_ticks] == ["0", "1", "2"]
    assert curves_of([]) == []
