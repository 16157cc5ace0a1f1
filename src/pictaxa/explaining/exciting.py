"""What excites a channel most: the validation pictures, and the places in them, where its value is largest.

Zeiler, Fergus 2013, "Visualizing and understanding convolutional networks", figure 2, show a layer in this way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from ..augment.preprocess import Geometry, model_input
from ..inference.own_squares import squares_of
from ..models.contract import Classifier
from ..runs.folder import Run
from ..runs.records import read_predictions
from .seen import field_of, graph_of, stage_outputs

MOST_PICTURES = 96  # of the validation pictures that are looked at
PASS = 16  # pictures in one


@dataclass(frozen=True)
class Excited:
    """A channel, and what excites it most."""

    stage: str
    channel: int
    patches: list[np.ndarray]  # (k, k, C) float in [0, 1]: what its unit sees where it is largest, the strongest first


def validation_images(run: Run, geometry: Geometry, *, most: int = MOST_PICTURES) -> torch.Tensor | None:
    """Read some of a run's validation pictures, as its network takes them.

    Args:
        run: the run.
        geometry: the view and its size.
        most: how many, drawn at random, always the same ones.

    Returns:
        (N, C, S, S) float32 in [0, 1]; None where none can be read any more.

    Raises:
        RunError: the run has not been validated.
    """
    rows = np.random.default_rng(0).permutation(read_predictions(run).rows)
    squares = [square for _, square in islice(squares_of(run, rows), most)]
    if not squares:
        return None
    aspects = np.array([square.aspect for square in squares], dtype=np.float32)
    return model_input(torch.from_numpy(np.stack([square.pixels for square in squares])), aspects, geometry=geometry)


@torch.no_grad()
def most_exciting(model: Classifier, images: torch.Tensor, *, channels: int, patches: int) -> list[Excited]:
    """Find what excites some channels of each stage most.

    Args:
        model: the network, in evaluation mode.
        images: (N, C, S, S) float in [0, 1].
        channels: how many of each stage: those that one picture excites far more than the others do.
        patches: how many of each channel, each of another picture.

    Returns:
        An Excited for each channel, stage by stage.
    """
    size = images.shape[-1]
    peaks: dict[str, list[torch.Tensor]] = {}  # by stage, of each batch (N, C): largest values
    places: dict[str, list[torch.Tensor]] = {}  # and where they are, in the flat map
    shapes: dict[str, torch.Size] = {}
    for some in images.split(PASS):
        for name, maps in stage_outputs(model, some):
            found = maps.flatten(2).max(dim=2)  # (N, C, h, w) -> (N, C)
            peaks.setdefault(name, []).append(found.values)
            places.setdefault(name, []).append(found.indices)
            shapes[name] = maps.shape[2:]
    nodes = graph_of(model, size=size).nodes
    excited = []
    for name, batches in peaks.items():
        values, where = torch.cat(batches), torch.cat(places[name])  # (N, C)
        spread = values.std(dim=0, unbiased=False)
        stands_out = (values.amax(dim=0) - values.mean(dim=0)) / spread.clamp(min=1e-9) * (spread > 1e-9)
        for channel in stands_out.topk(min(channels, values.shape[1])).indices.sort().values.tolist():
            best = values[:, channel].topk(min(patches, len(values))).indices.tolist()
            rows, columns = shapes[name]
            field = field_of(nodes, name)
            cut = [_cut(images[i], divmod(int(where[i, channel]), columns), (rows, columns), field=field) for i in best]
            excited.append(Excited(name, channel, cut))
    return excited


def _cut(image: torch.Tensor, place: tuple[int, int], shape: tuple[int, int], *, field: float) -> np.ndarray:
    """What the unit at a place of a map sees, within the picture: (C, S, S) -> (k, k, C)."""
    size = image.shape[-1]
    side = size if math.isinf(field) else min(size, max(1, round(field)))
    top, left = (
        min(max(0, round((at + 0.5) * size / count - side / 2)), size - side)
        for at, count in zip(place, shape, strict=True)
    )
    patch = image[:, top : top + side, left : left + side]
    return patch.permute(1, 2, 0).clamp(0, 1).numpy()
