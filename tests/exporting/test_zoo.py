from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pictaxa.config.exporting import Kind
from pictaxa.exporting.formats import FORMATS, Order, write_network
from pictaxa.exporting.network import ExportedNetwork
from pictaxa.inference.runtimes import open_network
from pictaxa.models.folding import fold_norms
from pictaxa.models.heads import apart
from pictaxa.models.zoo import ZOO, create_model

KINDS: tuple[Kind, ...] = ("program", "onnx")


@pytest.fixture(autouse=True)
def no_graphs_are_left() -> Iterator[None]:
    """What an exporter made of the largest networks is gone before the next one."""
    yield
    gc.collect()


def smallest(name: str) -> int:
    """A side that an entry takes, pixels, small enough for a test."""
    entry = ZOO[name]
    if entry.fixed_sizes or entry.size <= 64:
        return entry.size
    least = max(64, entry.min_size)
    return -(-least // entry.multiple) * entry.multiple


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", list(ZOO))
def test_every_entry_is_exported(name: str, kind: Kind, tmp_path: Path):
    """With mirror images, for any number of pictures: opened again, it gives the network's own probabilities."""
    check(name, kind, tmp_path, side=smallest(name))


def check(name: str, kind: Kind, folder: Path, *, side: int) -> None:
    """Export a fresh network, open it, and compare three pictures."""
    entry = ZOO[name]
    options = {"size": side} if entry.size_option else {}
    torch.manual_seed(1)
    model = create_model(name, 4, in_channels=entry.channels, **options).eval()
    folded = fold_norms(model, size=side).requires_grad_(requires_grad=False)
    network = ExportedNetwork(folded, mirrors=True, temperature=1.7, output="probabilities").eval()
    images = torch.rand(3, entry.channels, side, side)
    with torch.inference_mode():
        expected = ((model(images) + model(images.flip(-1))) / 2 / 1.7).softmax(dim=1).numpy()
    path = folder / FORMATS[kind].file
    write_network(kind, Order(network, images[:2], None, "float32", (), path))
    said, vectors = open_network(kind, path, threads=1)(images.numpy())
    assert np.allclose(said, expected, atol=1e-4) and np.isfinite(said).all()
    with torch.inference_mode():
        own = apart(model)[0](images).numpy()
    # Of fresh weights they may be 1e5, sums of what nearly cancels: the largest of them sets the scale.
    assert np.abs(vectors - own).max() <= 1e-4 * np.abs(own).max()
