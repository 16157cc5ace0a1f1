"""Reads the picture of an Index row, whatever file it is in."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import PictaxaError, PictureError, ProblemKind
from ..images.decode import Picture, read_file
from .index import Index
from .layout import PictureFile
from .layouts.registry import open_pictures

MAX_OPEN = 8  # files at a time


class Fetcher:
    """Gives an Index's pictures, to several threads at once; keeps a few files open until the end of a `with`."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.open: OrderedDict[Path, PictureFile] = OrderedDict()  # the newest last
        self.readers: Counter[Path] = Counter()  # of each, how many threads read from it now
        self.broken: dict[Path, Exception] = {}  # opening them once was enough
        self.lock = threading.Lock()

    def fetch(self, row: int) -> Picture:
        """A row's picture; PictureError names it and the reason."""
        file, inside = self.index.location(row)
        if not inside:
            return read_file(file)
        try:
            with self._opened(file) as pictures:
                return pictures.fetch(inside)
        except PictureError as error:
            raise PictureError(self.name(row), error.problem) from None
        except PictaxaError as error:
            raise PictureError(self.name(row), ProblemKind.UNREADABLE.told(error.found)) from None
        except OSError as error:
            raise PictureError(self.name(row), ProblemKind.UNREADABLE.told(error.strerror or error)) from None
        except Exception as error:  # damaged files make their libraries raise many types
            raise PictureError(self.name(row), ProblemKind.DAMAGED.told(error or type(error).__name__)) from None

    def name(self, row: int) -> str:
        """Where the picture is, in words."""
        return str(self.index.root / self.index.name(row))

    @contextmanager
    def _opened(self, file: Path) -> Iterator[PictureFile]:
        with self.lock:
            if file in self.broken:
                raise self.broken[file]
            if file not in self.open:
                try:
                    self.open[file] = open_pictures(file)
                except Exception as error:
                    self.broken[file] = error
                    raise
            self.open.move_to_end(file)
            self.readers[file] += 1
            pictures = self.open[file]
        try:
            yield pictures
        finally:
            with self.lock:
                self.readers[file] -= 1
                idle = [other for other in self.open if not self.readers[other]]
                for other in idle[: max(0, len(self.open) - MAX_OPEN)]:
                    self.open.pop(other).close()

    def close(self) -> None:
        """Close all files."""
        with self.lock:
            for file in self.open.values():
                file.close()
            self.open.clear()

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
