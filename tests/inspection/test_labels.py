from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pictaxa.data.index import index_from_columns
from pictaxa.inspection.labels import doubt_labels, doubt_pictures, suspect_order


def blobs(count: int = 400, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """(n, 8) vectors around a centre for each class, and (n,) labels."""
    draws = np.random.default_rng(0)
    labels = np.arange(count) % classes
    return np.eye(8)[labels] * 6 + draws.normal(0, 1, (count, 8)), labels


def soft(vectors: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities by distance to the centres."""
    distances = ((vectors[:, None] - np.eye(8)[None, :classes] * 6) ** 2).sum(axis=2)
    raised = np.exp(-(distances - distances.min(axis=1, keepdims=True)) / 8)
    return raised / raised.sum(axis=1, keepdims=True)


def test_flipped_labels_come_first():
    """Of 5% that are flipped, nearly all are among the most suspicious tenth, and few others are suspected."""
    vectors, labels = blobs()
    flipped = np.random.default_rng(1).choice(len(labels), 20, replace=False)
    wrong = labels.copy()
    wrong[flipped] = (wrong[flipped] + 1) % 4
    order, suspected = suspect_order(soft(vectors, 4), wrong)
    assert np.isin(flipped, order[:40]).mean() >= 0.95
    assert suspected[flipped].mean() >= 0.95 and suspected.sum() <= 24


def test_right_labels_are_not_doubted():
    """Where the model agrees with every label there is nothing to say."""
    _, labels = blobs()
    probabilities = np.eye(4)[labels] * 0.9 + 0.025
    assert not suspect_order(probabilities, labels)[1].any()


def test_a_poor_judge_says_so(capsys: pytest.CaptureFixture[str]):
    """A model that agrees with few labels doubts none: most of its doubts would be its own mistakes."""
    vectors, labels = blobs()
    columns: dict[str, object] = {
        "path": [f"{n}.jpg" for n in range(400)], "label": labels, "bytes": labels, "mtime_ns": labels
    }  # fmt: skip
    index = index_from_columns(columns, root=Path(), classes=("a", "b", "c", "d"))
    guesses = np.random.default_rng(0).permutation(soft(vectors, 4))
    assert not list(doubt_labels(index, np.arange(400), guesses))
    assert "no label is suspected" in capsys.readouterr().out


def test_findings_name_rows_and_reasons():
    """By rows of the index, with what it would be and how sure that is."""
    vectors, labels = blobs()
    vectors[7] = 40  # unlike anything
    wrong = labels.copy()
    wrong[12] = 1
    columns: dict[str, object] = {
        "path": [f"{n}.jpg" for n in range(500)], "label": np.r_[np.zeros(100), wrong].astype(int),
        "bytes": np.zeros(500, int), "mtime_ns": np.zeros(500, int),
    }  # fmt: skip
    index = index_from_columns(columns, root=Path(), classes=("a", "b", "c", "d"))
    rows = np.arange(100, 500)
    (finding,) = doubt_labels(index, rows, soft(vectors, 4))
    assert finding.rows[0] == 112 and finding.notes[112].startswith("a 100%, its label 0%")
    kinds = {found.kind: found for found in doubt_pictures(index, rows, vectors)}
    assert kinds["outlier"].rows[0] == 112 or 112 in kinds["outlier"].rows
