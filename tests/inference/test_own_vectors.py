from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pictaxa.cli.main import main
from pictaxa.errors import DataError
from pictaxa.inference import own_vectors
from pictaxa.inference.loading import load
from pictaxa.inference.none_of_these import bank_of
from pictaxa.inference.own_pictures import own_squares
from pictaxa.inference.own_vectors import find_axes, make_vectors, map_places, vectors_of_run
from pictaxa.runs.names import VECTORS
from pictaxa.runs.records import read_index
from pictaxa.runs.vectors import read_vectors, unit_vectors

Trained = tuple[Path, Path]


def test_a_run_has_the_vectors_of_its_pictures(trained: Trained):
    """Each training and validation picture's is the unit vector that its head takes; validation pictures are not in
    the bank that their closeness is measured against.
    """
    _, run = trained
    predictor = load(run, device="cpu")
    index = read_index(predictor.run)
    vectors = read_vectors(predictor.run, index=index)
    assert vectors is not None and np.array_equal(vectors.rows, np.flatnonzero(index.usable))
    for batch in own_squares(predictor.run, index, index.rows("val"), threads=1):
        raw = predictor.outputs(batch.squares, batch.aspects)[1]
        kept = vectors.units[np.searchsorted(vectors.rows, batch.rows)]
        np.testing.assert_allclose(vectors.project(raw), kept, atol=1e-3)
    bank = bank_of(vectors)
    assert np.array_equal(bank.rows, index.rows("train"))
    np.testing.assert_allclose(
        vectors.closeness, bank.closeness(vectors.units[vectors.val].astype(np.float32)), rtol=1e-6
    )


def test_lost_vectors_are_made_again(trained: Trained, capsys: pytest.CaptureFixture[str]):
    """The same as before, and kept."""
    _, run = trained
    predictor = load(run, device="cpu")
    then = vectors_of_run(predictor)
    (run / VECTORS).unlink()
    again = vectors_of_run(predictor)
    assert all(np.array_equal(getattr(again, name), value) for name, value in vars(then).items())
    assert (run / VECTORS).exists() and "vectors   36 pictures" in capsys.readouterr().out


def test_without_pictures_there_are_none(trained: Trained, own_cache: Path):
    """Neither cache nor files: the error says where they were looked for."""
    data, run = trained
    shutil.rmtree(own_cache)
    own_cache.mkdir()
    shutil.rmtree(data)
    (run / VECTORS).unlink()
    with pytest.raises(DataError, match="training pictures of the run"):
        vectors_of_run(load(run, device="cpu"))


def test_very_many_pictures_are_drawn_from(trained: Trained, monkeypatch: pytest.MonkeyPatch):
    """Each class in its proportion, and the same ones each time."""
    _, run = trained
    predictor = load(run, device="cpu")
    index = read_index(predictor.run)
    monkeypatch.setattr(own_vectors, "MAX_TRAINING", 9)
    monkeypatch.setattr(own_vectors, "FITTED", 4)
    some = make_vectors(predictor)
    train = some.rows[~some.val]
    assert np.bincount(index.labels[train]).tolist() == [3, 3, 3]
    assert np.array_equal(some.rows, make_vectors(predictor).rows)


def test_a_solved_head_has_left_its_vectors(backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """What a training of the head alone has computed is not computed again, and is what the network gives."""
    data = backbone.parent / "photos"
    words = ["train", str(data), "--weights", str(backbone), "--tune", "head", "--out", str(tmp_path / "run")]
    assert main([*words, "--precision", "float32"]) == 0
    predictor = load(tmp_path / "run", device="cpu")
    index = read_index(predictor.run)
    known = own_vectors.known_vectors(predictor.run, index)
    assert known is not None
    for batch in own_squares(predictor.run, index, index.rows("train"), threads=1):
        raw = predictor.outputs(batch.squares, batch.aspects)[1]
        np.testing.assert_allclose(known.vectors[known.place_of[batch.rows]], raw, rtol=1e-3, atol=1e-4)
    shutil.rmtree(tmp_path / "run" / "state")
    assert own_vectors.known_vectors(load(backbone, device="cpu").run, index) is None  # trained as a whole


def test_the_axes_keep_what_vectors_say():
    """Vectors in few of many dimensions keep their inner products; those of few numbers are not turned at all."""
    random = np.random.default_rng(0)
    units = unit_vectors(random.normal(size=(300, 20)) @ random.normal(size=(20, 400)))
    axes = find_axes(units)
    assert axes.shape == (400, own_vectors.DEPTH) and axes.dtype == np.float16
    turned = units @ axes.astype(np.float32)
    np.testing.assert_allclose(turned @ turned.T, units @ units.T, atol=5e-3)
    assert np.array_equal(find_axes(units[:, :30]), np.eye(30))
    assert find_axes(units[:12]).shape == (400, 12)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9, 40])
def test_a_map_has_a_place_for_each(count: int):
    """Within the unit square, whatever the number of pictures, and also where all are the same."""
    vectors = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    for some in (vectors, np.ones_like(vectors)):
        places = map_places(some)
        assert places.shape == (count, 2) and places.dtype == np.float32
        assert ((places >= 0) & (places <= 1)).all()


@pytest.mark.parametrize("most", [10_000, 10])
def test_a_map_keeps_classes_apart(most: int, monkeypatch: pytest.MonkeyPatch):
    """Pictures of two kinds lie in two places, by t-SNE and by PCA, the same each time."""
    monkeypatch.setattr(own_vectors, "MAPPED_BY_TSNE", most)
    kinds = np.repeat([0, 1], 20)
    vectors = (np.random.default_rng(0).normal(size=(40, 5)) + 20 * kinds[:, None]).astype(np.float32)
    places = map_places(vectors)
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert np.array_equal(kinds[apart.argmin(axis=1)], kinds)
    assert np.array_equal(places, map_places(vectors))
