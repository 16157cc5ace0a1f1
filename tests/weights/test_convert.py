from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pictaxa.cli.main import main
from pictaxa.errors import PictaxaError, WeightsError
from pictaxa.models.zoo import create_model
from pictaxa.weights.convert import convert as convert_file
from pictaxa.weights.convert import read_class_names
from pictaxa.weights.files import read_notes
from pictaxa.weights.loading import load_weights

h5py = pytest.importorskip("h5py", reason="the keras extra is not installed")

# LeNet-5's convolutions, and a head that is none of its own.
KERNELS = {"conv1": (5, 5, 3, 6), "conv2": (5, 5, 6, 16), "dense": (16, 4)}


def write_backbone_with_another_head(file: Path) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    kernels = {name: random.normal(size=shape).astype("f4") for name, shape in KERNELS.items()}
    with h5py.File(file, "w") as h5:
        h5.attrs["layer_names"] = [name.encode() for name in kernels]
        for name, kernel in kernels.items():
            group = h5.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            group[f"{name}/kernel:0"] = kernel
            group[f"{name}/bias:0"] = np.zeros(kernel.shape[-1], "f4")
    return kernels


def convert(folder: Path, *words: str) -> int:
    named = [
        "weights",
        "convert",
        str(folder / "a.h5"),
        "--source",
        "keras",
        "--normalization=0-1",
        "--model",
        "lenet5",
    ]
    return main([*named, "--out", str(folder / "out.safetensors"), *words])


def test_a_backbone_with_another_head_is_written_without_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The file that is written has the backbone and no classes; lines say which layers are new and what was dropped."""
    kernels = write_backbone_with_another_head(tmp_path / "a.h5")
    assert convert(tmp_path) == 0
    said = capsys.readouterr().out
    assert "new       fc1, fc2, fc3: the file has a different head" in said and "lenet5, 0 classes" in said
    assert "dropped   dense: 16 to 4, which are not the dense layers of lenet5" in said
    assert "classes" not in read_notes(tmp_path / "out.safetensors")
    model = create_model("lenet5", 5)
    told = load_weights(model, tmp_path / "out.safetensors", source="pictaxa")
    assert list(told.fresh) == ["fc3"]
    assert torch.equal(model.conv2.weight, torch.from_numpy(kernels["conv2"]).permute(3, 2, 0, 1))


def test_class_names_of_another_head_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Names for outputs that were not taken are one line with what they were, and nothing is written."""
    write_backbone_with_another_head(tmp_path / "a.h5")
    (tmp_path / "classes.json").write_text(json.dumps(["a", "b", "c", "d"]))
    assert convert(tmp_path, "--classes", str(tmp_path / "classes.json")) == 2
    said = capsys.readouterr().err
    assert "found 16 to 4, which are not the dense layers of lenet5" in said and said.count("\n") == 1
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("document", ['["b", "a"]', '{"a": 1, "b": 0}'])
def test_class_names_come_in_the_order_of_the_outputs(document: str, tmp_path: Path):
    """A list is in their order already, a table says it."""
    (tmp_path / "a.json").write_text(document)
    assert read_class_names(tmp_path / "a.json", 2) == ["b", "a"]


@pytest.mark.parametrize(
    "document",
    ['[["a"], ["b"]]', '[{"a": 0}, {"b": 1}]', '["a", "a"]', '{"a": 0, "b": [1]}', '{"a": 0, "b": null}', "3", "", "["],
)
def test_what_names_no_classes_is_told(document: str, tmp_path: Path):
    """JSON of another shape, values that can be no names, and no JSON at all are one line each."""
    (tmp_path / "a.json").write_text(document)
    with pytest.raises(PictaxaError, match="expected a") as told:
        read_class_names(tmp_path / "a.json", 2)
    assert "\n" not in str(told.value)


def test_rows_of_a_head_are_merged(tmp_path: Path):
    """A file with a head of three rows becomes a model of two classes, whose second has the last two rows."""
    torch.manual_seed(0)
    model = create_model("lenet5", 3).eval()
    torch.save({name: value for name, value in model.state_dict().items() if "." in name}, tmp_path / "a.pth")
    out = tmp_path / "out.safetensors"
    lines = convert_file(
        tmp_path / "a.pth", out, model="lenet5", source="torchvision", normalization=None, channels=3,
        model_options=("merged=0,1,1",), classes=None,
    )  # fmt: skip
    assert any("lenet5, 2 classes" in line for line in lines)
    merged = create_model("lenet5", 2, merged="0,1,1").eval()
    load_weights(merged, out, source="pictaxa")
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        rows = model(images).softmax(dim=1)
        wanted = torch.stack([rows[:, 0], rows[:, 1] + rows[:, 2]], dim=1)
        assert torch.allclose(merged(images).softmax(dim=1), wanted, atol=1e-6)
    with pytest.raises(WeightsError, match=r"4 rows of merged=0,1,1,1.*found 3 rows"):
        convert_file(
            tmp_path / "a.pth", out, model="lenet5", source="torchvision", normalization=None, channels=3,
            model_options=("merged=0,1,1,1",), classes=None,
        )  # fmt: skip
