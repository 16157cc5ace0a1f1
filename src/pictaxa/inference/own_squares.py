"""The squares of a run's own pictures, decoded as the run decodes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..data.fetching import Fetcher
from ..errors import PictureError
from ..images.decode import Square, square_of
from ..runs.folder import Run
from ..runs.records import read_index


def squares_of(run: Run, rows: Iterable[int]) -> Iterator[tuple[int, Square]]:
    """Decode pictures of a run, one by one; those that can't be read any more are passed over.

    Args:
        run: the run; its pictures are read from where it was trained.
        rows: of its index.

    Yields:
        (row, Square), in the order of the rows.

    Example:
        row, square = next(squares_of(run, read_predictions(run).rows))
    """
    geometry = run.geometry
    with Fetcher(read_index(run)) as fetcher:
        for row in rows:
            try:
                square = square_of(
                    fetcher.fetch(row), name=fetcher.name(row), side=geometry.square, channels=geometry.channels,
                    decoding=geometry.decoding,
                )  # fmt: skip
            except PictureError:
                continue
            yield row, square
