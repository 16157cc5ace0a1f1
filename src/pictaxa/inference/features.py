"""Features of a frozen backbone, computed once and cached: the input of the last layers.

A FeaturePass goes over some pictures once: each as prediction sees it, or mirrored, or augmented as some epoch would
have it. Its vectors are a file in the cache, (pictures, width) float32, whose name is a digest of all that they depend
on: the backbone's weights, the pictures' bytes, geometry, augmentation, precision. So it can't be stale, and what has
another digest is another file. A pass that is cut off goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..augment.augmenter import Augmenter
from ..augment.preprocess import Geometry, model_input
from ..data.batches import Batch, in_order, read_batches
from ..data.cache import VERSION as PIXELS_VERSION
from ..data.cache_folder import CacheLock, disk_error
from ..data.index import Index
from ..data.squares import Squares
from ..models.contract import Classifier
from ..models.folding import fold_norms
from ..models.fusing import fast_copy
from ..system.device import Plan
from ..system.files import replacing, write_atomically
from ..system.progress import CountProgress
from .logits import BATCH

VERSION = 3  # of the vectors: raise it when the same backbone gives others for the same picture
BYTES = 4  # of a number
COPIED = 4096  # vectors copied at a time
KEEP_SECONDS = 5.0  # between two times that a pass is made safe


@dataclass(frozen=True)
class FeaturePass:
    """One pass over some pictures, in training's precision.

    Example:
        plain = FeaturePass(rows)
        mirrored = FeaturePass(rows, mirrored=True)
    """

    rows: np.ndarray  # (n,) int64 rows of the index
    mirrored: bool = False
    augment: Augmenter | None = None  # None: the view that prediction has
    epoch: int = 0  # whose draws the augmentation has
    size: int = 0  # of augmented pictures, pixels; others have the geometry's


@dataclass(frozen=True)
class FeatureSource:
    """The pictures whose features are computed, and how."""

    index: Index
    cache: Squares
    geometry: Geometry
    plan: Plan
    root: Path  # folder of the caches

    @property
    def shared_rows(self) -> np.ndarray:
        """(n,) int64: the pictures of training and validation; whose pass is there, no fold looks again."""
        rows: np.ndarray = np.sort(np.concatenate([self.index.rows("train"), self.index.rows("val")]))
        return rows


def extract_features(source: FeatureSource, model: Classifier, passes: list[FeaturePass]) -> list[np.ndarray]:
    """Compute the features of pictures with a frozen backbone, or take them from the cache.

    What is not in the cache is computed, with a progress bar. A pass that was cut off continues where it stopped.

    Args:
        source: the pictures; its plan's device is the model's.
        model: the model, which stays as it is; its head takes no part.
        passes: what to compute.

    Returns:
        For each pass a memory map, (n, width) float32, with a feature vector for each of its rows.

    Raises:
        CacheError: the disk is full, or the cache can't be written.

    Example:
        (vectors,) = extract_features(source, model, [FeaturePass(index.rows("train"))])
    """
    folder = source.root / "features"
    backbone = without_head(model, size=source.geometry.size)
    digest, hashes, precision = _digest_of(backbone), source.index.column("hash"), str(source.plan.precision)
    name = partial(_name, backbone=digest, hashes=hashes, geometry=source.geometry, precision=precision)
    paths = [folder / name(wanted) for wanted in passes]
    with torch.inference_mode():
        empty = torch.zeros(1, model.in_channels, *[source.geometry.size] * 2, device=source.plan.device)
        width = backbone(empty).shape[1]
    missing = [pair for pair in zip(passes, paths, strict=True) if not _is_whole(*pair, width=width)]
    total = sum(len(wanted.rows) for wanted, _ in missing)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if missing:
            with CacheLock(folder), CountProgress("features", total=total) as progress:
                fast = fast_copy(backbone, size=source.geometry.size, precision=source.plan.precision)
                for wanted, path in missing:
                    if _is_whole(wanted, path, width=width):  # another process may have been quicker
                        continue
                    shared = replace(wanted, rows=source.shared_rows)
                    if _take_shared(wanted, path, shared=shared, place=folder / name(shared), width=width):
                        progress.count(len(wanted.rows))
                    else:
                        _compute(source, fast, wanted, path=path, width=width, count=progress.count)
                progress.finished()
    except OSError as error:
        raise disk_error(error, what="features", folder=folder, wanted_bytes=total * width * BYTES) from None
    return [np.memmap(path, dtype=np.float32, mode="r").reshape(-1, width) for path in paths]


def cached_features(
    model: Classifier, rows: np.ndarray, *, index: Index, geometry: Geometry, precision: str, root: Path
) -> np.ndarray | None:
    """Find the features that a training of the head alone has left in the cache; nothing is computed.

    Args:
        model: the model, which stays as it is.
        rows: (n,) int64 rows of the index.
        index: the pictures.
        geometry: how they become the model's input.
        precision: what the features were computed in, such as "torch.float32".
        root: folder of the caches.

    Returns:
        A memory map, (n, width) float32; None where they are not there.

    Example:
        known = cached_features(model, index.rows("train"), index=index, geometry=run.geometry,
                                precision="torch.float32", root=default_cache_root())
    """
    folder = root / "features"
    backbone = without_head(model, size=geometry.size)
    with torch.inference_mode():
        width = backbone(torch.zeros(1, model.in_channels, *[geometry.size] * 2, device=model.mean.device)).shape[1]
    name = _name(
        FeaturePass(rows), backbone=_digest_of(backbone), hashes=index.column("hash"), geometry=geometry,
        precision=precision,
    )  # fmt: skip
    if not _is_whole(FeaturePass(rows), folder / name, width=width):
        return None
    return np.memmap(folder / name, dtype=np.float32, mode="r").reshape(-1, width)


def without_head(model: Classifier, *, size: int) -> Classifier:
    """Copy a model for its features: without its head, in evaluation mode, with batch norms folded.

    Args:
        model: a model with a head, or without classes; it stays as it is.
        size: a side that the model takes, pixels.

    Returns:
        A model that gives the vectors, (N, width), that the head would take.

    Example:
        backbone = without_head(create_model("resnet18", 5), size=224)
        vectors = backbone(torch.rand(2, 3, 224, 224))  # (2, 512)
    """
    folded = fold_norms(model, size=size)
    if folded.num_classes:  # one without classes gives these vectors already
        folded.set_submodule(folded.main_head(), nn.Identity())
    return folded


def _is_whole(wanted: FeaturePass, path: Path, *, width: int) -> bool:
    return path.exists() and path.stat().st_size == len(wanted.rows) * width * BYTES


def _take_shared(wanted: FeaturePass, path: Path, *, shared: FeaturePass, place: Path, width: int) -> bool:
    """Take a pass from the one over all pictures, where that is in the cache, at a place; several folds share it."""
    inside = np.isin(wanted.rows, shared.rows).all()
    if wanted.augment is not None or place == path or not inside or not _is_whole(shared, place, width=width):
        return False
    vectors = np.memmap(place, dtype=np.float32, mode="r").reshape(-1, width)
    with replacing(path) as partial_path, partial_path.open("wb") as file:
        for first in range(0, len(wanted.rows), COPIED):
            places = np.searchsorted(shared.rows, wanted.rows[first : first + COPIED])
            file.write(vectors[places].tobytes())
    return True


def _done(partial: Path, note: Path, *, width: int) -> int:
    """How many vectors a pass that was cut off has left: no more than it noted, and than are there."""
    try:
        noted = int(json.loads(note.read_text(encoding="utf-8"))["done"])
        return min(noted, partial.stat().st_size // (width * BYTES))
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _compute(
    source: FeatureSource,
    backbone: Classifier,
    wanted: FeaturePass,
    *,
    path: Path,
    width: int,
    count: Callable[[int], None],
) -> None:
    """Append the vectors of what is still to do; Ctrl-C loses nothing."""
    partial, note = path.with_suffix(".partial"), path.with_suffix(".json")
    done = _done(partial, note, width=width)
    count(done)
    batches = read_batches(
        source.cache, in_order(wanted.rows[done:], BATCH), labels=source.index.labels, device=source.plan.device
    )
    with partial.open("r+b" if done else "wb") as file:
        file.seek(done * width * BYTES)

        def keep() -> None:
            file.flush()
            os.fsync(file.fileno())
            write_atomically(note, json.dumps({"done": done}))

        kept = time.monotonic()
        try:
            for batch in batches:
                source.plan.watch.look()
                file.write(_vectors(source, backbone, wanted, batch).cpu().numpy().tobytes())
                done += len(batch.rows)
                count(len(batch.rows))
                if time.monotonic() - kept > KEEP_SECONDS:
                    keep()
                    kept = time.monotonic()
        finally:
            keep()
        file.truncate(done * width * BYTES)
    os.replace(partial, path)
    note.unlink(missing_ok=True)


@torch.inference_mode()
def _vectors(source: FeatureSource, backbone: Classifier, wanted: FeaturePass, batch: Batch) -> torch.Tensor:
    geometry = source.geometry
    if wanted.augment is None:
        images = model_input(batch.images, batch.aspects, geometry=geometry)
    else:
        images = wanted.augment(
            batch.images, batch.rows, repeats=batch.repeats, aspects=batch.aspects, epoch=wanted.epoch, size=wanted.size
        )
    count = len(images)
    if count < BATCH:  # the kernels that are chosen for fewer round otherwise
        images = torch.cat([images, images[-1:].expand(BATCH - count, -1, -1, -1)])
        images = images.contiguous(memory_format=source.plan.memory_format)
    with source.plan.autocast():
        vectors: torch.Tensor = backbone(images.flip(-1) if wanted.mirrored else images).float()
    return vectors[:count]


def _digest_of(backbone: Classifier) -> str:
    """Of the weights, and of what the same weights can compute otherwise by: the entry and its options."""
    digest = hashlib.blake2b(repr((backbone.entry, sorted(backbone.options.items()))).encode(), digest_size=16)
    for name, value in backbone.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def _name(wanted: FeaturePass, *, backbone: str, hashes: np.ndarray, geometry: Geometry, precision: str) -> str:
    """The pass's file, by all that its vectors depend on."""
    depends = {
        "version": [VERSION, PIXELS_VERSION],
        "backbone": backbone,
        "pictures": [str(value) for value in hashes[wanted.rows]],
        "geometry": asdict(geometry),
        "mirrored": wanted.mirrored,
        "precision": precision,
    }
    if wanted.augment is not None:
        depends |= {
            "augment": [asdict(wanted.augment.policy), wanted.augment.view, wanted.augment.seed],
            "draws": {"rows": wanted.rows.tolist(), "epoch": wanted.epoch, "size": wanted.size},
        }
    digest = hashlib.blake2b(json.dumps(depends, sort_keys=True).encode(), digest_size=12).hexdigest()
    return f"{digest}.f32"
