"""What a prediction is asked of: files, folders as training walks them, and zip and tar files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from ..data.archives import archive_pictures, is_archive
from ..data.file_names import shown_name
from ..data.walk import PassedOver, walk_pictures
from ..errors import DataError
from ..images.decode import Picture, read_file
from ..system.progress import warn


def named_pictures(paths: Iterable[str | Path]) -> Iterator[tuple[str, Callable[[], Picture]]]:
    """Name the pictures of files, folders and zip or tar files, each with what reads it.

    Args:
        paths: as `walk` takes them. A picture in a zip or tar file is called FILE#MEMBER.

    Returns:
        An iterator over (name, reader), as `Predictor.judge` takes them.

    Raises:
        DataError: there is nothing at a path, or a zip or tar file is damaged; raised when its turn comes.

    Example:
        predictions = predictor.judge(named_pictures(["holiday.jpg", "more-photos", "photos.zip"]))
    """
    passed = PassedOver()
    for path in walk(paths):
        if is_archive(path):
            yield from archive_pictures(path, passed)
        else:
            yield shown_name(str(path)), partial(read_file, path)
    for note in passed.notes():
        warn(note)


def walk(paths: Iterable[str | Path]) -> Iterator[Path]:
    """List files as they are given, and folders as the pictures below them, which training would find there too.

    What is passed over in folders (hidden and system files, files that are no pictures, folders that may not be read,
    links that lead back) is told in a warning at the end.

    Args:
        paths: files, whatever their suffix, and folders.

    Returns:
        An iterator over the files.

    Raises:
        DataError: there is nothing at a path; raised when its turn comes.

    Example:
        files = list(walk(["holiday.jpg", "more-photos"]))
    """
    passed = PassedOver()
    for given in paths:
        path = Path(given)
        if path.is_dir():
            yield from (Path(entry.path) for entry in walk_pictures(path, passed))
        elif path.exists() or path.is_symlink():
            yield path
        else:
            raise DataError(
                "a picture or a folder of pictures",
                found=f"nothing at {shown_name(str(path))!r}",
                fix="Check the path.",
            )
    for note in passed.notes():
        warn(note)
