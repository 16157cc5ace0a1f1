"""Answers of an exported folder: the same squares and views as a run's, through the network's own runtime."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..augment.preprocess import Geometry, model_input
from ..runs.exported import Export
from .runtimes import Network, open_network

BATCH = 32  # pictures at once, where the network takes any number

# (N, S, S, C) uint8 squares, (N,) aspects -> (N, classes) float32 answers, (N, width) float32 vectors
Answers = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def open_answers(export: Export, *, threads: int) -> Answers:
    """Open the network of an exported folder.

    Args:
        export: the folder.
        threads: how many threads compute.

    Returns:
        A function of (N, S, S, C) uint8 squares and (N,) aspects that gives (N, classes) float32 probabilities, or
        logits if the folder has these, and (N, width) float32 vectors.

    Raises:
        RunError: a file of the folder is missing or changed, or the runtime can't open it.
        MissingExtraError: the runtime is not installed.

    Example:
        answers = open_answers(open_export("flowers"), threads=2)
        squares, aspects, expected = open_export("flowers").probe()
        np.abs(answers(squares, aspects)[0] - expected).max()
    """
    document = export.document
    network = open_network(document.kind, export.network(), threads=threads)
    geometry, batch = document.geometry, document.batch

    def answers(squares: np.ndarray, aspects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pictures = inputs_of(squares, aspects, geometry=geometry)
        return in_batches(network, pictures, batch=batch)

    return answers


def inputs_of(squares: np.ndarray, aspects: np.ndarray, *, geometry: Geometry) -> np.ndarray:
    """Look at squares as every prediction does.

    Args:
        squares: (N, S, S, C) uint8.
        aspects: (N,) float, width / height of each picture.
        geometry: the view and its size.

    Returns:
        (N, C, size, size) float32 in [0, 1].
    """
    import torch

    with torch.inference_mode():
        pictures: np.ndarray = model_input(torch.from_numpy(squares), aspects, geometry=geometry).numpy()
    return pictures


def in_batches(network: Network, pictures: np.ndarray, *, batch: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Give pictures to a network, as many at once as it takes.

    Args:
        network: a function of a batch.
        pictures: (N, C, H, W) float32, one or more.
        batch: how many it takes; None for any number. The last batch is filled up with copies, whose answers are
            dropped.

    Returns:
        (N, classes) float32 answers and (N, width) float32 vectors.

    Example:
        answers, vectors = in_batches(network, np.zeros((5, 3, 224, 224), dtype=np.float32), batch=2)
    """
    said: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for begin in range(0, len(pictures), batch or BATCH):
        part = pictures[begin : begin + (batch or BATCH)]
        count = len(part)
        if batch is not None and count < batch:
            part = np.concatenate([part, np.repeat(part[-1:], batch - count, axis=0)])
        for parts, output in zip(said, network(np.ascontiguousarray(part)), strict=True):
            parts.append(np.asarray(output, dtype=np.float32)[:count])
    return np.concatenate(said[0]), np.concatenate(said[1])
