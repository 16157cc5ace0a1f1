"""What docs/python.md tells works, and a training that is interrupted by Ctrl-C from Python goes on."""

from __future__ import annotations

import _thread
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pictaxa
from pictaxa.judge.embedding import Embedding, embed_data
from pictaxa.training import loop
from pictaxa.training.interrupts import Interrupted

DOCS = Path(__file__).parent.parent / "docs"
Trained = tuple[Path, Path]


def test_the_page_works_from_top_to_bottom(
    tmp_path: Path, make_photos: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    """Its Python as it stands; every way to hand over a picture gives the same answer."""
    make_photos(tmp_path / "photos", {"daisy": 8, "rose": 8})
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(encoding="utf-8"), flags=re.DOTALL):
        exec(compile(code, "python.md", "exec"), known)
    said = capsys.readouterr().out
    assert (tmp_path / "found.html").exists() and (tmp_path / "preview.png").exists()
    answers = pictaxa.predict(known["classifier"], known["ways"])
    assert all(np.allclose(one.probabilities, answers[0].probabilities, atol=1e-6) for one in answers)
    assert "Did you mean epochs" in said and "<Evaluation of the validation pictures of runs/mine: accuracy" in said
    assert "(16, 512) daisy/0.png daisy" in said.replace("photos/", "")


def test_every_metric_has_its_name(trained: Trained):
    """Those of metrics.json as attributes, which editors complete; a page in a notebook, short in a terminal."""
    evaluation = pictaxa.evaluate(trained[1])
    for name, value in evaluation.metrics.items():
        found = getattr(evaluation, "per_class" if name == "classes" else name)
        assert np.array_equal(found, value) and (name == "classes" or name in dir(evaluation))
    assert repr(evaluation).startswith(f"<Evaluation of the validation pictures of {trained[1]}: accuracy ")
    assert evaluation._repr_html_().startswith("<pre>evaluated ")
    assert pictaxa.evaluate(pictaxa.load(trained[1])).accuracy == evaluation.accuracy
    by_words = pictaxa.evaluate(trained[1], trained[0], layout="folders", only=["red", "green", "blue"])
    assert by_words.pictures == 36


def test_other_results_are_short_too(trained: Trained):
    """An inspection, with its flags, and a preview, which a notebook shows."""
    data, _ = trained
    inspection = pictaxa.inspect(data, size=224, fix=data.parent / "good.csv", html=data.parent / "found.html")
    assert repr(inspection).startswith("<Inspection of 36 pictures in 3 classes: ") and len(repr(inspection)) < 200
    assert "pictures  36 in 3 classes" in inspection._repr_html_()
    assert (data.parent / "good.csv").exists() and (data.parent / "found.html").exists()
    preview = pictaxa.preview(data, data.parent / "a.png", policy="mirror", size=32)
    assert preview.picture.exists() and preview._repr_html_().startswith('<img src="data:image/png;base64,')


def test_embeddings_are_what_the_backbone_makes(trained: Trained, tmp_path: Path):
    """A vector for each picture, in order, with its label; the file holds the same, without pickle."""
    data, run = trained
    embedding = pictaxa.embed(data, weights=run)
    assert isinstance(embedding, Embedding) and callable(embed_data)
    assert embedding.vectors.shape == (36, 84) and np.isfinite(embedding.vectors).all()
    assert [Path(path).parent.name for path in embedding.paths] == [embedding.classes[i] for i in embedding.labels]
    assert repr(embedding).startswith("<Embedding of 36 pictures by lenet5, ")
    embedding.save(tmp_path / "vectors.npz")
    with np.load(tmp_path / "vectors.npz", allow_pickle=False) as kept:
        assert np.array_equal(kept["vectors"], embedding.vectors) and kept["paths"].tolist() == list(embedding.paths)


def test_an_interrupt_keeps_the_state(
    tmp_path: Path, make_photos: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    """A kernel's interrupt is a SIGINT in the midst of a step: it ends as a KeyboardInterrupt and is resumed."""
    data = make_photos(tmp_path / "photos", {"a": 12, "b": 12})
    settings = {
        "model": "lenet5", "size": 28, "batch_size": 8, "precision": "float32", "policy": "light", "epochs": 3
    }  # fmt: skip
    step, done = loop.take_step, []

    def interrupted(*args: object, **kwargs: object) -> object:
        done.append(1)
        if len(done) == 4:
            _thread.interrupt_main()
        return step(*args, **kwargs)

    monkeypatch.setattr(loop, "take_step", interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"nothing is lost.*pictaxa.train\(resume=") as stop:
        pictaxa.train(data, out=tmp_path / "run", **settings)
    assert isinstance(stop.value, Interrupted) and isinstance(stop.value, pictaxa.Interrupted)
    assert not isinstance(stop.value, Exception) and len(done) == 4
    classifier = pictaxa.train(resume=stop.value.run.path)
    whole = pictaxa.train(data, out=tmp_path / "whole", **settings)
    assert len(classifier.run.log_rows()) == 3
    squares, aspects, _ = whole.run.probe()
    assert np.array_equal(classifier.logits(squares, aspects), whole.logits(squares, aspects))
