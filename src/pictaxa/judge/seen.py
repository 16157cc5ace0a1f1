"""Which of the judged pictures a run knows: its training and validation pictures, by their bytes or nearly equal.

An accuracy on pictures that a model was trained on says little about new ones, whatever folder they lie in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..config.by_name import from_json
from ..data.cache import build_cache
from ..data.cache_folder import default_cache_root
from ..data.drawing import draw_pictures
from ..data.index import Index
from ..data.reading import read_data
from ..data.squares import CacheSpec
from ..errors import PictaxaError
from ..images.decode import Square
from ..inspection.alike import find_alike
from ..inspection.quality import MIN_SIDE
from ..inspection.sketches import THUMB, thumbnails
from ..runs.folder import Run
from ..runs.records import read_index
from ..system.progress import DecodeProgress

BLOCK = 32  # squares that are measured at a time
MAX_COMPARED = 10_000  # pictures among which near copies are looked for
SPLITS = {"train": "training", "val": "validation"}


@dataclass(frozen=True)
class SeenPicture:
    """A judged picture that the run knows."""

    place: int  # among the judged pictures
    split: str  # train or val
    known_as: str  # its path in the run's index
    near: bool  # nearly equal; False: the same bytes


@dataclass(frozen=True)
class Familiarity:
    """What of the judged pictures a run knows, and why near copies were not looked for, if they weren't."""

    seen: tuple[SeenPicture, ...] = ()
    note: str = ""


class Thumbnails:
    """Small grey copies of squares, made in blocks as the squares come."""

    def __init__(self) -> None:
        self.waiting: list[np.ndarray] = []
        self.parts: list[np.ndarray] = []

    def add(self, square: Square) -> None:
        """Take one more."""
        self.waiting.append(square.pixels)
        if len(self.waiting) == BLOCK:
            self._measure()

    def all(self) -> np.ndarray:
        """(N, 64, 64) uint8, in their order."""
        self._measure()
        return np.concatenate([*self.parts, np.empty((0, THUMB, THUMB), np.uint8)])

    def _measure(self) -> None:
        if self.waiting:
            self.parts.append(thumbnails(torch.from_numpy(np.stack(self.waiting))).numpy())
            self.waiting.clear()


def find_seen(run: Run, digests: Sequence[str], thumbs: np.ndarray, *, threads: int) -> Familiarity:
    """Find what of other pictures a run was trained on or validated with.

    Args:
        run: the run.
        digests: of each judged picture, as the index has them (`digest_of`).
        thumbs: (N, 64, 64) uint8, their thumbnails; they are not needed of more than MAX_COMPARED.
        threads: that decode the run's pictures, where the cache lacks them.

    Returns:
        The Familiarity; a picture that is equal to one of training and to one of validation counts as training's.

    Raises:
        RunError: the run's index is damaged.

    Example:
        familiarity = find_seen(run, digests, thumbs, threads=2)
    """
    index = read_index(run)
    known: dict[str, tuple[str, str]] = {}  # hash -> split, path
    for split in ("val", "train"):
        rows = index.rows(split)
        known |= {
            digest: ("train" if run.folds else split, path)  # all but one of the folds have learnt from it
            for digest, path in zip(index.column("hash")[rows], index.column("path")[rows], strict=True)
            if digest
        }
    same = [SeenPicture(place, *known[digest], near=False) for place, digest in enumerate(digests) if digest in known]
    others = np.array([place for place, digest in enumerate(digests) if digest not in known], dtype=np.int64)
    if not len(others):
        return Familiarity(tuple(same))
    if len(known) + len(digests) > MAX_COMPARED:
        note = f"there are {len(known) + len(digests)} pictures, and at most {MAX_COMPARED} are compared"
        return Familiarity(tuple(same), note)
    near, note = _near(run, known, thumbs[others], threads=threads)
    return Familiarity((*same, *(SeenPicture(int(others[i]), *known[digest], near=True) for i, digest in near)), note)


def find_leaked(run: Run, digests: Sequence[str]) -> Familiarity:
    """Find what of a run's own validation pictures it was trained on too: those with the same bytes, which only the
    owner's own split, or a table with a file twice, can have on both sides.

    Args:
        run: the run.
        digests: of each validation picture, as the index has them.

    Returns:
        The Familiarity.

    Raises:
        RunError: the run's index is damaged.
    """
    index = read_index(run)
    rows = index.rows("train")
    taught = dict(zip(index.column("hash")[rows].tolist(), index.column("path")[rows].tolist(), strict=True))
    taught.pop("", None)
    leaked = [(place, digest) for place, digest in enumerate(digests) if digest in taught]
    return Familiarity(tuple(SeenPicture(place, "train", taught[digest], near=False) for place, digest in leaked))


def _near(
    run: Run, known: dict[str, tuple[str, str]], thumbs: np.ndarray, *, threads: int
) -> tuple[list[tuple[int, str]], str]:
    """(place in `thumbs`, hash of what it resembles), and why nothing was looked for, if so."""
    geometry = run.geometry
    if geometry.square < MIN_SIDE:
        return [], f"too many pictures look alike at {geometry.square} px"
    try:
        theirs, hashes = _own(run, known, threads=threads)
    except PictaxaError as error:  # they need not be there any more, nor any room for the cache
        return [], f"the run's own pictures can't be read ({error.found})"
    found: dict[int, str] = {}
    for pair in find_alike(np.concatenate([theirs, thumbs])):  # surest first
        if pair.first < len(theirs) <= pair.second:
            found.setdefault(pair.second - len(theirs), hashes[pair.first])
    gone = len(known) - len(theirs)
    return sorted(found.items()), f"{gone} of the run's own pictures are gone or changed" if gone else ""


def _own(run: Run, known: dict[str, tuple[str, str]], *, threads: int) -> tuple[np.ndarray, list[str]]:
    """Thumbnails (n, 64, 64) of the run's pictures that are still there, each once, and their hashes."""
    geometry, config = run.geometry, from_json(run.config["asked"])
    root = config.cache or default_cache_root()
    spec = CacheSpec(geometry.square, geometry.channels, geometry.decoding)
    listed = read_data(config.data, config.reading, cache=root)
    listed = draw_pictures(listed, config.pictures.pictures, seed=config.seed)
    with DecodeProgress() as progress:
        cache, index = build_cache(
            listed, spec, root=root, threads=threads, progress=progress, keep_pixels=config.pictures.decode == "once"
        )
    rows = _first_of_each(index, known)
    blocks = (cache.read(rows[start : start + BLOCK]) for start in range(0, len(rows), BLOCK))
    parts = [np.empty((0, THUMB, THUMB), np.uint8), *(thumbnails(torch.from_numpy(block)).numpy() for block in blocks)]
    return np.concatenate(parts), index.column("hash")[rows].tolist()


def _first_of_each(index: Index, known: dict[str, tuple[str, str]]) -> np.ndarray:
    """The first row of each hash that the run knows."""
    hashes = index.column("hash")
    usable = np.flatnonzero(index.usable)
    _, firsts = np.unique(hashes[usable].astype(str), return_index=True)
    rows = usable[np.sort(firsts)]
    kept: np.ndarray = rows[[hashes[row] in known for row in rows]]
    return kept


def familiarity_lines(
    familiarity: Familiarity, *, pictures: int, named: Callable[[int], str], unseen: tuple[int, int]
) -> list[str]:
    """Say what of the judged pictures a run knows.

    Args:
        familiarity: what was found.
        pictures: how many were judged.
        named: gives the name of the picture at a place.
        unseen: how many of the pictures that the run does not know were right, and how many there are.

    Returns:
        Lines of text; none where nothing was found.
    """
    lines = []
    for near, split in ((False, "train"), (False, "val"), (True, "train"), (True, "val")):
        some = [one for one in familiarity.seen if (one.near, one.split) == (near, split)]
        if some:
            what = f"{'near copies of ' if near else ''}{SPLITS[split]} pictures of this run"
            how = f" (such as {named(some[0].place)!r} of {some[0].known_as!r})" if near else " (the same bytes)"
            lines.append(f"seen      {len(some)} of {pictures} pictures are {what}{how}")
    if familiarity.seen:
        right, count = unseen
        others = f"accuracy {right / count:.1%} on the {count} others" if count else "there are no others"
        lines.append(f"          what follows says little about new pictures; {others}")
    if familiarity.note:
        lines.append(f"note      near copies of the run's own pictures were not all looked for: {familiarity.note}")
    return lines
