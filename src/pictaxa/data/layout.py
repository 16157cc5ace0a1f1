"""What a layout of data is: how it is recognised, listed and opened. Each is a file of layouts/, in its registry."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..config.data import ReadingConfig
from ..errors import DataError
from ..images.decode import Picture
from .file_names import shown_name
from .listing import Listing, file_status, some
from .split_names import split_of_name


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
    takes_one: bool = False  # whether a data set of it is one place, so that a pattern of several is a mistake


def check_places(files: list[Path], layout: Layout) -> None:
    """DataError for several places where the layout takes one, and for folders among several."""
    if len(files) < 2:
        return
    folders = [file for file in files if file.is_dir()]
    if layout.takes_one or folders:
        raise DataError(
            f"one place for the layout {layout.name}" if layout.takes_one else "files, or one folder",
            found=f"{len(files)}: {some([str(file) for file in files], at_most=3)}",
            fix="Give one of them, or the folder that contains them.",
        )


def check_kind(place: Path) -> None:
    """DataError for a pipe, a socket or a device, which must not be opened; nothing for what is not there."""
    _, _, problem = file_status(place)
    if problem and place.exists() and not place.is_dir():
        raise DataError("a file or a folder", found=f"{shown_name(str(place))!r}: {problem}", fix="Check the path.")


def common_folder(files: list[Path]) -> Path:
    """The folder that paths of several files begin at: their own, or the nearest one above all of them."""
    folders = {file.parent for file in files}
    return files[0].parent if len(folders) == 1 else Path(os.path.commonpath([each.absolute() for each in folders]))


def split_of_file(file: Path, *, among: list[Path]) -> str:
    """The split that a file's name speaks of, or else its folder's, where several have files; "" for neither."""
    several = len({other.parent for other in among}) > 1
    return split_of_name(file.stem) or (split_of_name(file.parent.name) if several else None) or ""


def told_from(root: Path, file: Path) -> str:
    """A file's path from a folder above it, as an Index has it."""
    return shown_name(Path(os.path.relpath(file, root)).as_posix())


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
    patterns = (f"*{suffix}", f"*/*{suffix}")
    found = next(filter(None, (sorted(filter(Path.is_file, files[0].glob(pattern))) for pattern in patterns)), [])
    if not found:
        raise DataError(f"{suffix} files", found=f"none in {str(files[0])!r}", fix="Check the path.")
    return found
