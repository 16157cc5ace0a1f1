"""`pictaxa nearest`: the training pictures that the network finds most like a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, printable
from ..images.decode import Held, Square
from ..inference.none_of_these import bank_of
from ..inference.own_pictures import own_squares
from ..inference.own_vectors import vectors_of_run
from ..inference.prediction import Prediction
from ..inference.predictor import Predictor
from ..reporting.answers import in_shape
from ..runs.records import read_index
from ..system.files import require_suffix, writing
from ..system.printing import lines_html, picture_html

BLOCK = 32  # pictures that are compared with the training pictures at a time
MAX_ROWS = 8  # of a drawing


@dataclass(frozen=True)
class Neighbour:
    """A training picture that is like another picture."""

    path: str  # where it was when the run was trained
    label: str
    similarity: float  # cosine of the angle between the two vectors, 1 for the same picture
    row: int  # of the run's index


@dataclass(frozen=True, repr=False)
class Nearest:
    """A picture, what the run says of it, and the training pictures that are most like it, the most alike first.

    Example:
        for one in pictaxa.nearest("runs/photos-resnet18-1", "holiday.jpg")[0].neighbours:
            print(one.label, one.similarity, one.path)
    """

    prediction: Prediction
    neighbours: tuple[Neighbour, ...]  # none for a picture that could not be read

    def lines(self) -> list[str]:
        """As text: the picture and its answer, then a line for each neighbour."""
        one = self.prediction
        if one.probabilities is None:
            return [f"{one.path}: not read: {one.problem}"]
        said = f"{one.label} {one.probability:.1%}"
        return [
            f"{one.path}: {said}" if one.answered else f"{one.path}: {one.answer}, perhaps {said}",
            *(f"    {near.similarity:.3f}  {near.label}  {near.path}" for near in self.neighbours),
        ]

    def as_json(self) -> dict[str, Any]:
        """As `--json` has it."""
        one = self.prediction
        if one.probabilities is None:
            return {"path": printable(one.path), "problem": one.problem, "problem_kind": one.problem_kind}
        near = [
            {"path": printable(near.path), "label": printable(near.label), "similarity": round(near.similarity, 4)}
            for near in self.neighbours
        ]
        return {
            "path": printable(one.path), "label": printable(one.label), "probability": round(one.probability, 6),
            "answer": printable(one.answer), "nearest": near,
        }  # fmt: skip

    def __repr__(self) -> str:
        labels = ", ".join(near.label for near in self.neighbours)
        return printable(f"<Nearest to {self.prediction.path} ({self.prediction.answer}): {labels or 'none'}>")


class NearestList(list[Nearest]):
    """What is nearest to several pictures, in their order; a notebook shows it as text, or as the drawing."""

    grid: Path | None = None

    def _repr_html_(self) -> str:
        drawn = picture_html(self.grid) if self.grid and self.grid.exists() else ""
        return drawn or lines_html([line for one in self for line in one.lines()])


def find_nearest(
    predictor: Predictor,
    pictures: Iterable[tuple[str, Callable[[], Held]]],
    *,
    count: int = 5,
    look: Callable[[Square], None] = lambda square: None,
) -> Iterator[Nearest]:
    """Find the training pictures that are most like other pictures.

    Args:
        predictor: the run, loaded.
        pictures: (name, function) pairs, as `Predictor.judge` takes them.
        count: how many of each, from 1 on.
        look: called with the square of each picture that can be read, in order.

    Returns:
        An iterator, in the order of the pictures; a few dozen are in memory.

    Raises:
        ConfigError: `count` is below 1.
        DataError: the run keeps no vectors, and its training pictures are gone.

    Example:
        (nearest,) = find_nearest(load("runs/photos-resnet18-1"), [("holiday.jpg", read)])
    """
    if count < 1:
        raise ConfigError("--count 1 or more", found=str(count), fix="Use --count 5, for example.")
    vectors = vectors_of_run(predictor)
    index, bank = read_index(predictor.run), bank_of(vectors)

    def found(waiting: list[tuple[Prediction, np.ndarray | None]]) -> Iterator[Nearest]:
        raw = [vector for _, vector in waiting if vector is not None]
        near = iter(())
        if raw:
            near = zip(*bank.nearest(vectors.project(np.stack(raw)), count=count), strict=True)
        for prediction, vector in waiting:
            neighbours: list[Neighbour] = []
            if vector is not None:
                places, similarities = next(near)
                for row, similarity in zip(bank.rows[places].tolist(), similarities.tolist(), strict=True):
                    label = index.classes[index.labels[row]]
                    neighbours.append(Neighbour(str(index.root / index.name(row)), label, similarity, row))
            yield Nearest(prediction, tuple(neighbours))

    waiting: list[tuple[Prediction, np.ndarray | None]] = []
    for judged in predictor.judge_with_vectors(pictures, look=look):
        waiting.append(judged)
        if len(waiting) == BLOCK:
            yield from found(waiting)
            waiting.clear()
    yield from found(waiting)


class NearestGrid:
    """Keeps the first pictures of a stream with their neighbours, and draws a row for each.

    Args:
        predictor: the run, loaded, for the training pictures.
        out: the PNG to write.

    Raises:
        ConfigError: `out` is no PNG.

    Example:
        grid = NearestGrid(predictor, Path("nearest.png"))
        for nearest in find_nearest(predictor, pictures, look=grid.look):
            grid.write(nearest)
        print(grid.draw())
    """

    def __init__(self, predictor: Predictor, out: Path) -> None:
        require_suffix(out, ".png", flag="--grid")
        self.out = out
        self._predictor = predictor
        self._squares: list[Square] = []
        self._kept: list[Nearest] = []
        self._read = 0

    def look(self, square: Square) -> None:
        """Take the square of the next picture that can be read, before what is nearest to it."""
        if len(self._squares) < MAX_ROWS:
            self._squares.append(square)

    def write(self, nearest: Nearest) -> None:
        """Take what is nearest to a picture."""
        if nearest.neighbours:
            self._read += 1
            if len(self._kept) < MAX_ROWS:
                self._kept.append(nearest)

    def draw(self) -> str:
        """Draw what was kept; in words where, and how many pictures it has. ConfigError where it can't be written."""
        from ..reporting.figures import BAD, INK, RIGHT, Tile, grid, save_figure  # matplotlib takes half a second

        if not self._kept:
            return "no grid is drawn: no picture could be read"
        theirs = self._theirs()
        rows = []
        for square, nearest in zip(self._squares, self._kept, strict=True):
            own = nearest.prediction
            pixels = in_shape(square.pixels, aspect=square.width / square.height)
            said = f"{own.label} {own.probability:.0%}"
            row = [Tile(pixels, title=said if own.answered else f"{own.answer}: {said}")]
            for near in nearest.neighbours:
                colour = INK if not own.answered else RIGHT if near.label == own.label else BAD
                blank = np.full((16, 16), 235, dtype=np.uint8)  # it is gone
                row.append(
                    Tile(theirs.get(near.row, blank), title=f"{near.label} {near.similarity:.2f}", colour=colour)
                )
            rows.append(row)
        with writing(self.out, flag="--grid"):
            self.out.parent.mkdir(parents=True, exist_ok=True)
            save_figure(grid(rows, inches=1.7), self.out)
        some = f"the first {len(rows)} of {self._read} pictures" if len(rows) < self._read else f"{self._read} pictures"
        return f"{self.out}: {some}, each with the training pictures that are most like it"

    def _theirs(self) -> dict[int, np.ndarray]:
        """The training pictures in their own shape, by rows of the index."""
        run = self._predictor.run
        rows = np.unique([near.row for nearest in self._kept for near in nearest.neighbours])
        batches = own_squares(run, read_index(run), rows, threads=self._predictor.plan.threads)
        return {
            int(row): in_shape(square, aspect=float(aspect))
            for batch in batches
            for row, square, aspect in zip(*batch, strict=True)
        }
