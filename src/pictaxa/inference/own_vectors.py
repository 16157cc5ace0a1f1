"""Vectors of a run's own pictures by its own network: for nearest neighbours, for "none of these", and for a map.

Each is made one long, so that inner products are cosine similarities, and turned onto the axes along which some
thousands of training pictures say most (a singular value decomposition, not centred, as that would change angles).
DEPTH axes keep the neighbours (docs/measured/trust.md), a fifth of the room and of the time to search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..config.by_name import from_json
from ..data.cache_folder import default_cache_root
from ..data.drawing import draw_rows
from ..data.index import Index
from ..errors import DataError
from ..runs.folder import Run
from ..runs.records import read_index
from ..runs.vectors import Vectors, keep_vectors, read_vectors, unit_vectors
from ..system.progress import CountProgress
from ..weights.files import load_model_weights
from .features import cached_features
from .kept_model import model_of
from .none_of_these import bank_of
from .own_pictures import own_squares
from .predictor import Predictor

MAX_TRAINING, MAX_VALIDATION = 20_000, 10_000  # pictures, drawn from each class in its proportion
DEPTH = 256  # axes
FITTED = 4_000  # training pictures that the axes are found by
MAPPED_BY_TSNE = 3_000  # validation pictures up to which the map is t-SNE's: of 3,000 it takes 15 s on one core
SEED = 0
BLOCK = 256  # vectors at a time


@dataclass(frozen=True)
class Known:
    """Vectors that are computed already."""

    vectors: np.ndarray  # (m, width) float32
    place_of: np.ndarray  # (rows of the index,) int64: where among them a row's is; -1 for none


def vectors_of_run(predictor: Predictor) -> Vectors:
    """The vectors of a run's own pictures: what is kept, or computed now and kept where that is possible.

    Args:
        predictor: the run, loaded.

    Returns:
        The Vectors.

    Raises:
        RunError: the run has no index, or a damaged one.
        DataError: it keeps no vectors, and its training pictures are gone.

    Example:
        vectors = vectors_of_run(load("runs/photos-resnet18-1"))
    """
    vectors = read_vectors(predictor.run, index=read_index(predictor.run))
    return make_vectors(predictor) if vectors is None else vectors


def make_vectors(predictor: Predictor) -> Vectors:
    """Compute the vectors of a run's own pictures, with a progress bar and little memory, and keep them if possible.

    Args:
        predictor: the run, loaded.

    Returns:
        The Vectors of at most 20,000 training and 10,000 validation pictures.

    Raises:
        RunError: the run has no index, or a damaged one.
        DataError: its training pictures are gone.
    """
    if predictor.run.folds:
        predictor.run.existing(predictor.run.model_path.name)  # RunError: each fold has a network of its own
    index = read_index(predictor.run)
    train = _drawn(index, index.rows("train"), MAX_TRAINING)
    val = _drawn(index, index.rows("val"), MAX_VALIDATION)
    with CountProgress("vectors", total=len(train) + len(val)) as progress, predictor.plan.watch:
        rows, units, axes = _turned(predictor, index, train=train, val=val, count=progress.count)
        progress.finished()
    order = np.argsort(rows)
    rows, units = rows[order], units[order]
    nothing = np.zeros(0, dtype=np.float32)
    vectors = Vectors(rows, np.isin(rows, val), units, axes, closeness=nothing, places=nothing)
    judged, bank = units[vectors.val].astype(np.float32), bank_of(vectors)
    blocks = [bank.closeness(judged[start : start + BLOCK]) for start in range(0, len(judged), BLOCK)]
    vectors = replace(vectors, closeness=np.concatenate([nothing, *blocks]), places=map_places(judged))
    keep_vectors(predictor.run, vectors)
    return vectors


def _turned(
    predictor: Predictor, index: Index, *, train: np.ndarray, val: np.ndarray, count: Callable[[int], None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (n,) of pictures that are still there, in any order, their vectors (n, d) float16, and the axes (width, d).

    Only those by which the axes are found are ever in memory at their whole width.
    """
    known = known_vectors(predictor.run, index)
    order = np.random.default_rng(SEED).permutation(train)
    first, rest = np.sort(order[:FITTED]), np.sort(np.concatenate([order[FITTED:], val]))
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for rows, raw in _raw_vectors(predictor, index, first, known):
        found.append((rows, unit_vectors(raw)))
        count(len(rows))
    if not found:
        raise DataError(
            "the training pictures of the run", found=f"none of them under {str(index.root)!r}",
            fix="Put them back where they were when the run was trained.",
        )  # fmt: skip
    axes = find_axes(np.concatenate([units for _, units in found]))
    turn = axes.astype(np.float32)
    parts = [(rows, (units @ turn).astype(np.float16)) for rows, units in found]
    found.clear()
    for rows, raw in _raw_vectors(predictor, index, rest, known):
        parts.append((rows, (unit_vectors(raw) @ turn).astype(np.float16)))
        count(len(rows))
    rows, units = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows, units, axes


def find_axes(units: np.ndarray) -> np.ndarray:
    """Find the axes along which vectors say most.

    Args:
        units: (n, width) float32, each one long.

    Returns:
        (width, d) float16 with d at most 256, square to each other.
    """
    from sklearn.utils.extmath import randomized_svd  # half a second to load

    count, width = units.shape
    if width <= DEPTH:
        return np.eye(width, dtype=np.float16)
    depth = min(DEPTH, count)
    _, _, axes = randomized_svd(units, depth, n_iter=4, random_state=SEED)
    turned: np.ndarray = axes.T.astype(np.float16)
    return turned


def map_places(vectors: np.ndarray) -> np.ndarray:
    """Lay vectors out on a map of two dimensions, those that are alike near each other.

    Args:
        vectors: (n, d) float32.

    Returns:
        (n, 2) float32 in [0, 1]: t-SNE's (van der Maaten and Hinton 2008) after PCA, of more than 3,000 PCA's alone;
        the same each time on one machine.
    """
    count = len(vectors)
    places = np.zeros((count, 2), dtype=np.float32)
    if count < 3 or np.ptp(vectors, axis=0).max() == 0:
        places[:, 0] = np.linspace(0, 1, count) if count > 1 else 0.5
        places[:, 1] = 0.5
        return places
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    dimensions = min(50, *vectors.shape)
    reduced = PCA(dimensions, random_state=SEED).fit_transform(vectors)
    if 10 <= count <= MAPPED_BY_TSNE:
        reduced = TSNE(perplexity=min(30.0, (count - 1) / 3), init="pca", random_state=SEED).fit_transform(
            reduced.astype(np.float32)
        )
    flat = np.zeros((count, 2), dtype=np.float64)
    flat[:, : min(2, dimensions)] = reduced[:, :2]
    low, high = flat.min(axis=0), flat.max(axis=0)
    scaled: np.ndarray = ((flat - low) / np.where(high > low, high - low, 1)).astype(np.float32)
    return scaled


def _drawn(index: Index, rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows, one of each class at least."""
    return draw_rows(index, rows, max(most, len(index.classes)), seed=SEED)


def _raw_vectors(
    predictor: Predictor, index: Index, rows: np.ndarray, known: Known | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(n,) rows and their (n, width) vectors as the network gives them, a few at a time, in any order."""
    if known is not None:
        there = rows[known.place_of[rows] >= 0]
        for start in range(0, len(there), BLOCK):
            some = there[start : start + BLOCK]
            yield some, np.asarray(known.vectors[known.place_of[some]])
        rows = rows[known.place_of[rows] < 0]
    for batch in own_squares(predictor.run, index, rows, threads=predictor.plan.threads):
        predictor.plan.watch.look()
        yield batch.rows, predictor.vectors(batch.squares, batch.aspects)


def known_vectors(run: Run, index: Index) -> Known | None:
    """What solving the head has left in the cache, where the backbone is still the one that it was solved on."""
    asked = from_json(run.config["asked"])
    root = asked.cache or default_cache_root()
    if not asked.transfer.knows or not (root / "features").is_dir():
        return None
    model = model_of(run)
    load_model_weights(model, run.existing(run.model_path.name))
    rows = index.rows("train")
    vectors = cached_features(
        model, rows, index=index, geometry=run.geometry, root=root,
        precision=f"torch.{run.chosen.machine.get('precision', 'float32')}",
    )  # fmt: skip
    if vectors is None:
        return None
    place_of = np.full(len(index), -1)
    place_of[rows] = np.arange(len(rows))
    return Known(vectors, place_of)
