"""What a backbone makes of every picture of a data set: vectors for search, clustering and plots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..config.training import TrainConfig
from ..errors import printable
from ..system.extras import need
from ..system.files import writing
from .vectors import begin, features_of, weights_told, with_backbone

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, repr=False)
class Embedding:
    """A feature vector for each picture that can be read, in the order of the data set.

    Example:
        embedding = pictaxa.embed("photos")
        nearest = (embedding.vectors @ embedding.vectors[0]).argsort()[::-1]
    """

    vectors: np.ndarray  # (N, width) float32, as the head takes them; may be a read-only memory map
    paths: tuple[str, ...]
    labels: np.ndarray  # (N,) int64, indices of `classes`
    classes: tuple[str, ...]
    model: str
    weights: str

    def __repr__(self) -> str:
        count, width = self.vectors.shape
        return printable(f"<Embedding of {count} pictures by {self.model}, {self.weights}: {width} numbers each>")

    def to_pandas(self) -> pandas.DataFrame:
        """Make a table for pandas: path, label, and a column for each number of the vectors, named from 0.

        Returns:
            The DataFrame, a row for each picture.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        pandas = need("pandas", extra="pandas")
        table = pandas.DataFrame(np.asarray(self.vectors))
        table.insert(0, "path", list(self.paths))
        table.insert(1, "label", [self.classes[label] for label in self.labels])
        return table

    def save(self, path: Path) -> None:
        """Write vectors, paths, labels and classes to a .npz file, which numpy reads without pickle.

        Args:
            path: the file.

        Raises:
            ConfigError: it can't be written.
        """
        with writing(path, flag="--out"), path.open("wb") as file:
            np.savez(
                file, vectors=self.vectors, paths=np.array(self.paths), labels=self.labels,
                classes=np.array(self.classes),
            )  # fmt: skip


def embed_data(config: TrainConfig) -> Embedding:
    """Compute the feature vectors of a data set's pictures, as prediction sees them, or take them from the cache.

    Args:
        config: the pictures, and the backbone: the weights that it names; with a model alone, fresh ones; with neither,
            ImageNet's of efficientnet_lite0.

    Returns:
        An Embedding.

    Raises:
        DataError: the pictures can't be read as a data set.
        WeightsError: the weights don't fit the model, or give features that are not finite.

    Example:
        embedding = embed_data(TrainConfig(Path("photos")))
    """
    config = with_backbone(config)
    start, cache, index = begin(config)
    rows = np.flatnonzero(index.usable)
    return Embedding(
        vectors=features_of(start, cache, index, rows),
        paths=tuple(index.name(row) for row in rows.tolist()),
        labels=index.labels[rows],
        classes=index.classes,
        model=start.config.model,
        weights=weights_told(config.transfer),
    )
