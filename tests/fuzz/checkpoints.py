"""Weight files of each form to begin from, and what must hold of damaged ones: loaded whole, or refused."""

from __future__ import annotations

import io
import runpy
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from damage import Seed

from pictaxa.errors import PictaxaError

Row = tuple[str, str, str, bytes]  # a tensor's name, its shape, nothing, its numbers

# Kind -> whose names and axes its files have.
WEIGHTS = {
    "weights pth": "torchvision", "weights old pth": "torchvision", "weights tensors": "pictaxa", "weights npz": "jax",
    "weights h5": "keras", "weights whole h5": "keras", "weights keras3": "keras", "weights keras": "keras",
}  # fmt: skip
SUFFIXES = {"pictaxa": "safetensors", "torchvision": "pth", "jax": "npz"}


@cache
def tests_of(name: str) -> dict[str, Any]:
    """What the tests of weights write files with; torch is imported for no other kinds."""
    return runpy.run_path(str(Path(__file__).parents[1] / "weights" / f"{name}.py"))


@cache
def model_of(source: str) -> Any:
    """A network of a few thousand numbers, so that damage hits structure: a ViT for jax, else a thin LeNet."""
    import torch

    from pictaxa.models.contract import ClassifierLayer
    from pictaxa.models.vit import VisionTransformer
    from pictaxa.models.zoo import create_model

    torch.manual_seed(0)
    if source == "jax":
        vit = tests_of("test_loading")
        form = vit["replace"](vit["SIZES"]["vit_b_16"], width=12, depth=1, heads=2, mlp=12, patch=8)
        options = vit["Options"](
            size=32, representation_size=0, dropout=0.0, attention_dropout=0.0, drop_path=0.0
        )  # fmt: skip
        model = VisionTransformer(3, 3, form=form, options=options)
        model.entry = "vit_b_16"
    else:
        model = create_model("lenet5", 3)
        model.fc1, model.fc2 = torch.nn.Linear(400, 8), torch.nn.Linear(8, 6)
        model.fc3 = ClassifierLayer(6, 3)
    return model.eval()


def write_weights(folder: Path) -> dict[str, list[Seed]]:
    """A seed or two of each kind."""
    import torch

    from pictaxa.weights.files import save_tensors

    model, vit = model_of("keras"), model_of("jax")
    state = {name: value for name, value in model.state_dict().items() if "." in name}
    keras = tests_of("test_keras_files")
    layers = keras["keras_arrays"](model)
    writers: list[tuple[str, Callable[[Path], object]]] = [
        ("weights pth", lambda file: torch.save({"model": state, "epoch": 1}, file)),
        ("weights old pth", lambda file: torch.save(state, file, _use_new_zipfile_serialization=False)),
        ("weights tensors", lambda file: save_tensors(model.state_dict(), file)),
        ("weights npz", lambda file: tests_of("test_loading")["np"].savez(file, **jax_arrays(vit))),
        ("weights npz", lambda file: tests_of("test_loading")["np"].savez_compressed(file, **jax_arrays(vit))),
        ("weights h5", lambda file: keras["write_legacy"](file, layers, whole=False)),
        ("weights whole h5", lambda file: keras["write_legacy"](file, layers, whole=True)),
        ("weights keras3", lambda file: keras["write_keras3"](file, layers, named=True)),
        ("weights keras", lambda file: keras["write_archive"](file, layers)),
        ("weights keras", lambda file: write_deflated(file, layers)),
    ]
    made: dict[str, list[Seed]] = {}
    for number, (kind, write) in enumerate(writers):
        suffix = SUFFIXES.get(WEIGHTS[kind], "keras" if kind == "weights keras" else "h5")
        root, name = folder / f"{kind.replace(' ', '-')}-{number}", f"a.{suffix}"
        root.mkdir(parents=True)
        write(root / name)
        made.setdefault(kind, []).append(Seed(root, name, (name,)))
    return made


def jax_arrays(model: Any) -> Any:
    """A ViT's weights as its published files have them."""
    return tests_of("test_loading")["jax_arrays"](model)


def write_deflated(file: Path, layers: Any) -> None:
    """A `.keras` archive that is packed, as nothing but a person's own tool makes it."""
    weights = io.BytesIO()
    tests_of("test_keras_files")["write_keras3"](weights, layers, named=True)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", weights.getvalue())


def load(kind: str, place: Path) -> set[Row] | PictaxaError:
    """The weights of a file within its network, or why it has none; ValueError when neither is whole."""
    import torch

    from pictaxa.weights.loading import load_weights

    source = WEIGHTS[kind]
    model = model_of(source)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        told = load_weights(model, place, source=source, normalization="0-1" if source == "keras" else None)
    except PictaxaError as error:
        if not all(torch.equal(value, before[name]) for name, value in model.state_dict().items()):
            raise ValueError(f"refused and half loaded: {error}") from None
        return error
    state = model.state_dict()
    if not all(value.shape == before[name].shape and value.isfinite().all() for name, value in state.items()):
        raise ValueError("loaded with other shapes, or numbers that are not finite")
    return {
        (name, str(tuple(value.shape)), "", value.numpy().tobytes())
        for name, value in state.items()
        if name.rpartition(".")[0] not in told.fresh
    }
