from __future__ import annotations

from pathlib import Path

import numpy as np

from pictaxa.exporting.card import card_of
from pictaxa.exporting.export import ExportConfig, export_run, weights_in_words
from pictaxa.exporting.sample import sample_of
from pictaxa.inference.loading import load
from pictaxa.runs.folder import open_run
from pictaxa.runs.records import read_index, read_predictions


def test_a_sample_is_what_the_run_saw(shipped: Path):
    """Validation pictures as squares: the run says of them what it said when it was validated."""
    run = open_run(shipped)
    sample, kept = sample_of(run, split="val", count=1000), read_predictions(run)
    assert sample.gone == 0 and sample.labels.tolist() == kept.labels.tolist()
    logits = load(shipped, device="cpu").logits(sample.squares, sample.aspects)
    assert logits.argmax(axis=1).tolist() == kept.predicted.tolist()


def test_a_sample_has_each_class(shipped: Path):
    """A drawn part of the training pictures has all classes, and the same seed draws the same."""
    run = open_run(shipped)
    one, again = (sample_of(run, split="train", count=6, seed=3) for _ in range(2))
    assert set(one.labels) == {0, 1, 2} and len(one) == 6
    assert np.array_equal(one.squares, again.squares)
    assert len(sample_of(run, split="train", count=10_000)) == len(read_index(run).rows("train"))


def test_the_card_has_the_runs_figures(shipped: Path, tmp_path: Path):
    """Accuracy, interval and pictures stand in it as in metrics.json; a name can't break its table."""
    export = export_run(shipped, ExportConfig("program"), out=tmp_path / "out")
    run, checked = open_run(shipped), export.document.checked
    assert checked is not None
    card = card_of(run, export.document, checked, None)
    assert f"{run.metrics['accuracy']:.1%}" in card and "not calibrated" in card
    assert card.count("\n| ") == 1 + len(run.classes)
    assert weights_in_words(run) == "Trained from random weights on the owner's pictures."
