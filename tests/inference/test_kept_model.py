from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import pictaxa
from pictaxa.errors import RunError
from pictaxa.inference.kept_model import check_logits, model_of
from pictaxa.inference.loading import checked_weights, load
from pictaxa.runs.folder import open_run
from pictaxa.runs.manifest import remove_manifest


@pytest.fixture
def run(backbone: Path, tmp_path: Path) -> Path:
    """A run of resnet_lite on two classes as an earlier version left it, without a list of its files."""
    shutil.copytree(backbone, tmp_path / "run")
    remove_manifest(tmp_path / "run")
    return tmp_path / "run"


def edited(name: str, **changes: object) -> Callable[[Path], object]:
    """Changes some of a JSON file; what is in config.json is what was chosen."""

    def edit(run: Path) -> None:
        document = json.loads((run / name).read_text())
        (document["chosen"] if name == "config.json" else document).update(changes)
        (run / name).write_text(json.dumps(document))

    return edit


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
    """Changes tensors."""

    def edit(run: Path) -> None:
        tensors = load_file(run / "model.safetensors")
        change(tensors)
        save_file(tensors, run / "model.safetensors")

    return edit


LAST = "fc.weight"
CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a smaller view": (edited("pictures.json", size=64), "logits that are off"),
    "without mirror images": (edited("pictures.json", tta="flip"), "logits that are off"),
    "another square": (edited("pictures.json", square=32), "probe.npz"),
    "grey": (edited("pictures.json", channels=1), "with misshapen"),
    "an unknown view": (edited("pictures.json", view="left"), "view = 'left'"),
    "no size": (edited("pictures.json", size=0), "sides of"),
    "a misspelt name": (edited("pictures.json", decodin=None), "decodin"),
    "another model": (edited("config.json", model="lenet5"), "a model that can be built|without"),
    "no model": (edited("config.json", model="resnet"), "a model that can be built"),
    "no option": (edited("config.json", model_options=["wings=2"]), "a model that can be built"),
    "an option of another kind": (edited("config.json", model_options=[3]), r"model_options\[0\] = 3"),
    "swapped classes": (lambda run: (run / "classes.json").write_text('{"0": "b", "1": "a"}'), "'b' in place of 'a'"),
    "rows exchanged": (weights(lambda tensors: tensors.update({LAST: tensors[LAST].flip(0).contiguous()})), "are off"),
    "half precision": (weights(lambda tensors: tensors.update({LAST: tensors[LAST].half()})), "another type"),
    "NaN": (weights(lambda tensors: tensors[LAST].view(-1)[:1].fill_(torch.nan)), "NaN or infinity in fc.weight"),
    "cut": (weights(lambda tensors: tensors.update({LAST: tensors[LAST][:1].contiguous()})), "misshapen"),
    "more": (weights(lambda tensors: tensors.update({"more": torch.ones(1)})), "unknown"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_what_is_not_the_trained_model_is_told(run: Path, case: str):
    """Without a list of files: other weights, another way to the input, other classes, whoever reads them."""
    change, told = CHANGES[case]
    change(run)
    for reads in (load, checked_weights):
        with pytest.raises(RunError, match=told):
            reads(run)


def test_an_untouched_run_is_loaded(run: Path, backbone: Path):
    """With and without a list, and a run without a probe of a version that may have kept none."""
    assert checked_weights(run) == run / "model.safetensors" and checked_weights(
        backbone
    ) == backbone / run.name.replace("run", "model.safetensors")
    (run / "probe.npz").unlink()
    assert load(run).classes == ("a", "b")
    model = model_of(open_run(run))
    assert model.num_classes == 2 and model.entry == "resnet_lite"
    assert pictaxa.load_weights(model, run, source="pictaxa").dropped == {}


def test_machines_may_differ_a_little(run: Path):
    """By a thousandth of the largest logit between processors, and by TF32's share between a GPU and a processor."""
    kept = np.array([[4.0, -10.0]], dtype=np.float32)
    opened = open_run(run)
    assert opened.chosen.machine["device"] == "cpu"
    check_logits(kept + 0.009, kept, run=opened, device="cpu")
    check_logits(kept + 0.4, kept, run=opened, device="cuda")
    with pytest.raises(RunError, match="off by"):
        check_logits(kept + 0.011, kept, run=opened, device="cpu")
    with pytest.raises(RunError, match="off by"):
        check_logits(kept + 0.6, kept, run=opened, device="cuda")
