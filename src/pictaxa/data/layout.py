"""What a layout of data is: how it is recognised, listed and opened. Each is a file of layouts/, in its registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..config.data import ReadingConfig
from ..errors import DataError
from ..images.decode import Picture
from .listing import Listing


class PictureFile(Protocol):
    """A file with pictures in it; several threads may ask at once."""

    def fetch(self, inside: str) -> Picture:
        """Encoded bytes or pixels; PictureError with the reason."""

    def close(self) -> None:
        """Let the file go."""


class ListPictures(Protocol):
    """Lists the pictures of files, or of a folder as the only one of them; none is opened."""

    def __call__(self, files: list[Path], reading: ReadingConfig, *, for_training: bool) -> Listing:
        """DataError where there are none, or they don't fit each other. To be judged, training pictures may lack."""


@dataclass(frozen=True)
class Layout:
    """One way to store a data set on a disk."""

    name: str  # as --layout has it
    recognises: Callable[[Path], bool]  # whether a file, or a folder by what lies in it, has this layout
    lists: ListPictures
    # Of layouts whose pictures lie within files: whether a file is one of them, and its reader.
    holds: Callable[[Path], bool] = lambda file: False
    opens: Callable[[Path], PictureFile] | None = None


def holds_files(folder: Path, suffix: str) -> bool:
    """Whether files of a kind are in a folder, or in a sub-folder, as on Hugging Face."""
    return folder.is_dir() and any(
        path.suffix.lower() == suffix and not path.name.startswith(".")
        for place in (folder, *(inside for inside in folder.iterdir() if inside.is_dir() and inside.name[0] != "."))
        for path in place.iterdir()
    )


def files_within(files: list[Path], suffix: str) -> list[Path]:
    """A folder as its files of this kind; files as they are. DataError where there are none."""
    if not files[0].is_dir():
        return files
    found = sorted(files[0].glob(f"*{suffix}")) or sorted(files[0].glob(f"*/*{suffix}"))
    if not found:
        raise DataError(f"{suffix} files", found=f"none in {str(files[0])!r}", fix="Check the path.")
    return found
