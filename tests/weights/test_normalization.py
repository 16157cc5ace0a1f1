from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pictaxa.cli.main import main
from pictaxa.errors import ConfigError
from pictaxa.models import zoo
from pictaxa.models.contract import NORMALIZATIONS
from pictaxa.models.entry import Published
from pictaxa.models.zoo import create_model, find_entry
from pictaxa.weights.files import save_tensors
from pictaxa.weights.loading import load_weights
from pictaxa.weights.normalization import published_normalization
from pictaxa.weights.published import PUBLISHED

Make = Callable[..., Path]
TINY = ("--size", "32", "--batch-size", "8", "--epochs", "1")


def state_file(path: Path, name: str = "resnet18") -> Path:
    """A state dict under torchvision's names, with random weights."""
    state = create_model(name, 3).state_dict()
    torch.save({key: value for key, value in state.items() if key not in ("mean", "std")}, path)
    return path


def test_rgb_minus_a_mean_colour():
    """rgb-mean takes 123.68, 116.78 and 103.94 from red, green and blue of 0 to 255, and divides by nothing."""
    model = create_model("resnet18", 2)
    model.set_normalization(*NORMALIZATIONS["rgb-mean"])
    picture = torch.tensor([200.0, 100.0, 50.0]).view(1, 3, 1, 1) / 255
    assert torch.allclose(model.normalise(picture).flatten(), torch.tensor([76.32, -16.78, -53.94]), atol=1e-3)


def test_what_weights_say_of_themselves_is_not_contradicted(tmp_path: Path):
    """A run's weights refuse another normalization by name, take their own, and are not turned from BGR again."""
    model = create_model("resnet18", 3)
    model.set_normalization(*NORMALIZATIONS["caffe"])
    file, other = tmp_path / "model.safetensors", create_model("resnet18", 3)
    save_tensors(model.state_dict(), file)
    load_weights(other, file, source="pictaxa", normalization="caffe")
    assert all(value.equal(other.state_dict()[name]) for name, value in model.state_dict().items())
    with pytest.raises(ConfigError, match=r"caffe, with which the weights in .*found 0-1.*leave it out"):
        load_weights(other, file, source="pictaxa", normalization="0-1")
    model.set_normalization((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    save_tensors(model.state_dict(), file)
    with pytest.raises(ConfigError, match="of their own"):
        load_weights(other, file, source="pictaxa", normalization="imagenet")


def test_a_published_file_is_known_by_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The caffe order on torchvision's own file is refused; the same names in a file of one's own are believed, with a
    note.
    """
    file = state_file(tmp_path / "resnet18.pth")
    model = create_model("resnet18", 3)
    told = load_weights(model, file, source="torchvision", normalization="caffe")
    assert any("torchvision's own resnet18 takes --normalization imagenet" in line for line in told.lines())
    assert not load_weights(model, file, source="torchvision", normalization="imagenet").notes
    digest = "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    row = Published("https://example.org/a", digest, "torchvision", None, 70.0, 224, 256, licence="")
    monkeypatch.setitem(zoo.ZOO, "resnet18", replace(find_entry("resnet18"), published=row))
    with pytest.raises(ConfigError, match="--normalization imagenet, with which the published weights of resnet18"):
        load_weights(model, file, source="torchvision", normalization="caffe")
    load_weights(model, file, source="torchvision", normalization="imagenet")
    load_weights(model, file, source="torchvision")


def test_googles_arrays_are_always_fed_alike(tmp_path: Path):
    """Its code scales pictures to [-1, 1], whatever a file of it was trained on."""
    np.savez(tmp_path / "a.npz", cls=np.zeros((1, 1, 768), np.float32))
    with torch.device("meta"):
        model = create_model("vit_b_16", 3)
    with pytest.raises(ConfigError, match="--normalization -1-1"):
        load_weights(model, tmp_path / "a.npz", source="jax", normalization="imagenet")


def test_every_published_file_has_a_known_normalization():
    """By its row or by its library."""
    assert all(published_normalization(row) in NORMALIZATIONS for row in PUBLISHED.values())


@pytest.mark.parametrize("command", ["train", "probe", "embed"])
def test_every_command_refuses_it_in_a_line(
    command: str, tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]
):
    """Published weights in a package, and those at an address before anything is fetched: status 2, no run."""
    data = make_photos(tmp_path / "photos", {"a": 4, "b": 4})
    for name, known in (("efficientnet_lite0", "lite"), ("resnet50", "imagenet"), ("resnet50_v1", "caffe")):
        words = [command, str(data), "--model", name, "--weights", "imagenet", "--normalization", "0-1"]
        assert main([*words, *(("--out", str(tmp_path / "run")) if command == "train" else ())]) == 2
        said = capsys.readouterr().err
        assert f"--normalization {known}, with which the published weights of {name} were trained" in said
        assert "found 0-1" in said and said.count("\n") == 1 and not (tmp_path / "run").exists()


def test_a_run_and_training_from_nothing(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """From scratch any normalization is the network's; from such a run another is refused."""
    data = make_photos(tmp_path / "photos", {"a": 8, "b": 8})
    words = ["train", str(data), *TINY, "--out", str(tmp_path / "run")]
    assert main([*words, "--weights", "none", "--model", "resnet_lite", "--normalization", "rgb-mean"]) == 0
    again = ["train", str(data), *TINY, "--weights", str(tmp_path / "run"), "--out", str(tmp_path / "other")]
    capsys.readouterr()
    assert main([*again, "--normalization", "imagenet"]) == 2
    assert "--normalization rgb-mean, with which" in capsys.readouterr().err
    assert main([*again, "--normalization", "rgb-mean"]) == 0
