from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pictaxa.config.by_name import with_words
from pictaxa.config.training import TrainConfig
from pictaxa.data.batches import epoch_order
from pictaxa.errors import MachineError
from pictaxa.runs.places import create_run
from pictaxa.training.interrupts import Interrupted
from pictaxa.training.job import Job, cache_root, fresh_model, machine_errors_told
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


def test_pictures_that_are_decoded_each_time_come_file_by_file(tmp_path: Path, make_photos: Make):
    """The order of an epoch knows of files that several pictures are in only where nothing decoded is kept."""
    job = decided(tmp_path, make_photos)
    inside = [str(row) for row in range(len(job.index))]
    index = job.index.with_columns({"path": [f"{number}.tar#{number}" for number in inside], "inside": inside})
    orders = {}
    for decode, files in (("always", index.files()), ("once", None)):
        some = replace(job, index=index, config=with_words(job.config, {"decode": decode}))
        orders[decode] = np.concatenate(some.epoch_order(1))
        wanted = epoch_order(job.train_rows, 1, seed=job.config.seed, batch_size=8, balance=None, files=files)
        assert np.array_equal(orders[decode], np.concatenate(wanted))
    assert not np.array_equal(orders["always"], orders["once"])


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


def test_what_the_machine_refuses_says_how_to_go_on(tmp_path: Path):
    """A full disk and too little memory with what to do about this training; any other mistake stays what it is."""
    schedule = SimpleNamespace(batch_size=9)
    job = SimpleNamespace(
        run=SimpleNamespace(path=tmp_path / "my run"), size=28, config=SimpleNamespace(schedule=schedule)
    )
    with pytest.raises(MachineError, match=r"continue with: pictaxa train --resume .*my run"), machine_errors_told(job):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(MachineError, match="--batch-size 4 or a --size below 28"), machine_errors_told(job):
        raise RuntimeError("CUDA out of memory")
    mistake = ValueError("of another kind")
    with pytest.raises(ValueError, match="of another kind") as told, machine_errors_told(job):
        raise mistake
    assert told.value is mistake


def test_ctrl_c_anywhere_says_how_to_go_on(tmp_path: Path):
    """A second one, in the middle of saving, too: the run is named, and what was half written is gone."""
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "step-1.safetensors").write_bytes(b"whole")
    job = SimpleNamespace(run=SimpleNamespace(path=tmp_path))
    with pytest.raises(Interrupted) as told, machine_errors_told(job):
        (tmp_path / "states" / "partial-step-2.safetensors").write_bytes(b"half")
        (tmp_path / "partial-log.csv").write_bytes(b"half")
        raise KeyboardInterrupt
    assert told.value.run is job.run and isinstance(told.value.__cause__, KeyboardInterrupt)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["step-1.safetensors"]
    with pytest.raises(Interrupted) as first, machine_errors_told(job):
        raise Interrupted(job.run)
    assert first.value.__cause__ is None
