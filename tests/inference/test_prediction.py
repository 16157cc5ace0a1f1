from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import pictaxa
from pictaxa.errors import MissingExtraError
from pictaxa.inference.prediction import SHOWN_ROWS, Prediction, PredictionList

CLASSES = ("<b>cat</b>", "dog", "owl")


def said(path: str, *values: float) -> Prediction:
    probabilities = np.array(values, dtype=np.float32) if values else None
    return Prediction(
        path, CLASSES, probabilities=probabilities, logits=probabilities, problem="" if values else "empty <file>"
    )


LIST = PredictionList([said("a.jpg", 0.7, 0.2, 0.1), said("<img src=x>.jpg", 0.1, 0.3, 0.6), said("bad\n.jpg")])


def test_label_and_probability_are_fields():
    """Of the most probable class; empty and 0 where nothing was read. Equal answers are equal, and can be counted."""
    assert [(one.label, round(one.probability, 3)) for one in LIST] == [("<b>cat</b>", 0.7), ("owl", 0.6), ("", 0.0)]
    assert said("a", 0.7, 0.2, 0.1) == said("a", 0.7, 0.2, 0.1) != said("b", 0.7, 0.2, 0.1)
    assert len({said("a", 0.7, 0.2, 0.1), said("a", 0.7, 0.2, 0.1)}) == 1


def test_short_in_a_terminal():
    """One line each, however many there are."""
    assert repr(LIST[1]) == "<Prediction <img src=x>.jpg: owl 60.0%>"
    assert repr(LIST[2]) == r"<Prediction bad\n.jpg: not read: empty <file>>"
    assert repr(LIST) == "<3 predictions: <b>cat</b> 1, owl 1, not read 1>"
    assert repr(PredictionList()) == "<0 predictions: none>" and len(repr(PredictionList([*LIST] * 1000))) < 100


def test_a_table_in_a_notebook():
    """Names are text in it, and of very many some rows are shown."""
    html = LIST._repr_html_()
    assert "&lt;b&gt;cat&lt;/b&gt;" in html and "&lt;img src=x&gt;.jpg" in html and "empty &lt;file&gt;" in html
    assert "<b>" not in html and "<img" not in html and "70.0%" in html
    assert "70.0%" in LIST[0]._repr_html_()
    many = PredictionList([*LIST] * 50)._repr_html_()
    assert many.count("<tr>") == SHOWN_ROWS + 1 and "and 130 more" in many
    assert "<table>" in PredictionList()._repr_html_()


def test_tables_for_pandas():
    """to_pandas has a column for each class; a DataFrame made of the list keeps label and probability."""
    pandas = pytest.importorskip("pandas", reason="the pandas extra is not installed")
    table = LIST.to_pandas()
    assert list(table.columns) == ["path", "label", "probability", "problem", *(f"p:{name}" for name in CLASSES)]
    assert table["label"].tolist() == ["<b>cat</b>", "owl", ""] and np.allclose(table["p:dog"][:2], [0.2, 0.3])
    assert table["probability"].isna().tolist() == [False, False, True] and table["problem"][2] == "empty <file>"
    assert len(PredictionList().to_pandas()) == 0 and list(PredictionList(LIST[:1]).to_pandas()) == list(table)
    plain = pandas.DataFrame(LIST)
    assert plain["label"].tolist() == table["label"].tolist() and plain["probability"].round(3).tolist() == [
        0.7,
        0.6,
        0,
    ]


def test_without_pandas_it_is_one_line(monkeypatch: pytest.MonkeyPatch):
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pictaxa\[pandas\]'"):
        LIST.to_pandas()


def test_a_run_says_the_same_of_a_file_and_of_what_is_in_memory(trained: tuple[Path, Path]):
    """Through the whole way to probabilities, alone and by `pictaxa.predict`."""
    from PIL import Image

    data, run = trained
    file = data / "red" / "0.png"
    pixels = np.asarray(Image.open(file))
    classifier = pictaxa.load(run)
    answers = classifier.predict([file, Image.open(file), pixels, pixels / 255, file.read_bytes()])
    assert isinstance(answers, PredictionList) and repr(classifier).startswith(f"<Predictor {run}: 3 classes (")
    for one in (
        *answers,
        *classifier.predict(pixels),
        *pictaxa.predict(classifier, pixels),
        *pictaxa.predict(run, file),
    ):
        assert np.allclose(one.probabilities, answers[0].probabilities, atol=1e-6)
    assert next(classifier.stream(str(file))).label == answers[0].label
