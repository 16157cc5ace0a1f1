from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from pictaxa.config.by_name import with_words
from pictaxa.config.training import TrainConfig
from pictaxa.training.job import Job, cache_root, fresh_model
from pictaxa.training.setup import prepare

Make = Callable[..., Path]


def decided(tmp_path: Path, make_photos: Make, **settings: object) -> Job:
    """A training of 24 pictures, 20 of them to train on."""
    usual = {"model": "lenet5", "size": 28, "batch_size": 8, "epochs": 3, "cache": str(tmp_path / "cache")}
    data = make_photos(tmp_path / "photos", {"a": 15, "b": 15})
    return prepare(with_words(TrainConfig(data=data, out=tmp_path / "run"), usual | settings))[0]


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
    passes = -(-len(job.train_rows) // 8)
    assert (job.steps_per_pass, job.steps_per_epoch, job.steps) == (passes, passes, 3 * passes)
    assert np.array_equal(np.sort(np.concatenate(job.epoch_order(0))), job.train_rows)
    assert cache_root(job.config) == tmp_path / "cache"


def test_first_weights_are_the_seeds(tmp_path: Path, make_photos: Make):
    """Made twice they are equal, whatever was drawn meanwhile."""
    job = decided(tmp_path, make_photos)
    one = job.fresh_model().state_dict()
    torch.rand(3)
    other = fresh_model(job.config, job.index, job.geometry, job.size, job.plan).state_dict()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
