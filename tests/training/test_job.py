from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pictaxa.config.by_name import with_words
from pictaxa.config.training import TrainConfig
from pictaxa.runs.places import create_run
from pictaxa.training.job import Job, cache_root, fresh_model
from pictaxa.training.setup import prepare, setup

Make = Callable[..., Path]


def decided(tmp_path: Path, make_photos: Make, **settings: object) -> Job:
    """A training of 30 pictures, 24 of them to train on."""
    usual = {"model": "lenet5", "size": 28, "batch_size": 8, "epochs": 3, "cache": str(tmp_path / "cache")}
    data = make_photos(tmp_path / "photos", {"a": 15, "b": 15})
    return prepare(setup(with_words(TrainConfig(data=data), usual | settings)), create_run(tmp_path / "run"))[0]


def test_rows_are_found_once(tmp_path: Path, make_photos: Make):
    """At a million rows finding them takes 70 ms, and the loop asks at every step."""
    job = decided(tmp_path, make_photos, validation_pictures=4)
    for name in ("train_rows", "val_rows", "judged_rows"):
        assert getattr(job, name) is getattr(job, name)
    assert len(job.judged_rows) == 4 and set(job.judged_rows) <= set(job.val_rows)
    assert not set(job.train_rows) & set(job.val_rows)


def test_lengths_in_batches(tmp_path: Path, make_photos: Make):
    """24 pictures in batches of 8 are three steps a pass; epochs of five steps are what was asked for."""
    job = decided(tmp_path, make_photos)
    assert len(job.train_rows) == 24
    assert (job.steps_per_pass, job.steps_per_epoch, job.steps) == (3, 3, 9)
    assert np.array_equal(np.sort(np.concatenate(job.epoch_order(0))), job.train_rows)
    assert cache_root(job.config) == tmp_path / "cache"


@pytest.mark.parametrize(
    ("settings", "lengths"),
    [
        ({"steps_per_epoch": 5}, (3, 5, 15)),
        ({"batch_size": 7}, (4, 4, 12)),
        ({"batch_size": 100}, (1, 1, 3)),
        ({"epochs": None, "steps": 11, "steps_per_epoch": 2}, (3, 2, 11)),
        ({"epochs": None, "minutes": 1.0}, (3, 3, None)),
    ],
)
def test_lengths_that_are_asked_for(
    tmp_path: Path, make_photos: Make, settings: dict[str, object], lengths: tuple[int, int, int | None]
):
    """Whatever an epoch's length, each pass has every picture once, and an epoch goes on where the last one ended."""
    job = decided(tmp_path, make_photos, **settings)
    assert (job.steps_per_pass, job.steps_per_epoch, job.steps) == lengths
    batches = [batch for epoch in range(2 * job.steps_per_pass) for batch in job.epoch_order(epoch)]
    assert len(batches) == 2 * lengths[0] * lengths[1]
    for first in range(0, len(batches), job.steps_per_pass):
        seen = np.sort(np.concatenate(batches[first : first + job.steps_per_pass]))
        assert np.array_equal(seen, job.train_rows)


def test_an_epoch_may_have_every_class_equally(tmp_path: Path, make_photos: Make):
    """--sampling balanced: of 24 and 8 pictures 16 each, the rare ones twice."""
    data = make_photos(tmp_path / "photos", {"a": 30, "b": 10})
    asked = {"model": "lenet5", "size": 28, "batch_size": 8, "epochs": 1, "sampling": "balanced"}
    job, _ = prepare(setup(with_words(TrainConfig(data=data), asked)), create_run(tmp_path / "run"))
    drawn = job.index.labels[np.concatenate(job.epoch_order(0))]
    assert np.bincount(job.index.labels[job.train_rows]).tolist() == [24, 8]
    assert np.bincount(drawn).tolist() == [16, 16]


def test_which_pictures_judge_is_the_seeds(tmp_path: Path, make_photos: Make):
    """Four of the six, in the index's order, the same whenever asked; all of them where as many are asked for."""
    job = decided(tmp_path, make_photos, validation_pictures=4)
    others = [replace(job, config=with_words(job.config, {"seed": seed})) for seed in range(8)]
    found = {tuple(other.judged_rows.tolist()) for other in others}
    assert all(list(rows) == sorted(set(rows)) and len(rows) == 4 for rows in found) and len(found) > 3
    assert np.array_equal(replace(job).judged_rows, job.judged_rows)
    every = replace(job, config=with_words(job.config, {"validation_pictures": 6}))
    assert len(job.val_rows) == 6 and np.array_equal(every.judged_rows, job.val_rows)


def test_first_weights_are_the_seeds(tmp_path: Path, make_photos: Make):
    """Made twice they are equal, whatever was drawn meanwhile."""
    job = decided(tmp_path, make_photos)
    one = job.fresh_model().state_dict()
    torch.rand(3)
    other = fresh_model(job.config, job.index, job.geometry, job.size, job.plan).state_dict()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
