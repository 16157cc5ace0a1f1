"""What a prediction is asked of: files, folders as training walks them, zip and tar files, and what a program holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from PIL import Image

from ..data.archives import archive_pictures, is_archive
from ..data.file_names import shown_name
from ..data.walk import PassedOver, walk_pictures
from ..errors import DataError, PictureError, ProblemKind, SettingError
from ..images.arrays import ArrayReader
from ..images.decode import Held, Picture, read_file
from ..images.decoding import PLAIN, Decoding
from ..system.progress import warn

# A picture: a path, Pillow's, an array, the bytes of a file, or a file that is open for reading bytes.
Given = str | os.PathLike[str] | Image.Image | np.ndarray | bytes | bytearray | memoryview | IO[bytes]
TAKEN = "a path, a picture of Pillow's, an array, bytes or an open file, or a list of these"
MAX_NOTES = 3  # of arrays that were taken in one of two ways; the others are counted


def given_pictures(
    pictures: Given | Iterable[Given], *, decoding: Decoding = PLAIN
) -> Iterator[tuple[str, Callable[[], Held]]]:
    """Name pictures, one or several, each with what reads it.

    What is in memory is copied in its turn, and an open file is read from its beginning: whoever gives pictures one by
    one may fill the same array or the same file anew each time.

    Args:
        pictures: paths as `walk` takes them, Pillow's pictures, arrays (images/arrays.py says how they are taken; of
            four axes each of the first is a picture), bytes, open files. A picture in a zip or tar file is called
            FILE#MEMBER; one without a name by what it is and its place, such as "array 3".
        decoding: of the run.

    Returns:
        An iterator over (name, reader), as `Predictor.judge` takes them.

    Raises:
        SettingError: something is no picture; raised at once for `pictures` itself, in its turn for what is in it.
        DataError: in its turn: there is nothing at a path, an archive is damaged, or an array's range is in doubt.

    Example:
        predictions = predictor.judge(given_pictures(["holiday.jpg", Image.open("cat.png")]))
    """
    return _named(_several(pictures), ArrayReader(decoding))


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
        yield from _of_file(path, passed)
    _tell(passed)


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
        yield from _files_of(Path(given), passed)
    _tell(passed)


def _files_of(path: Path, passed: PassedOver) -> Iterator[Path]:
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


def _of_file(path: Path, passed: PassedOver) -> Iterator[tuple[str, Callable[[], Picture]]]:
    if is_archive(path):
        yield from archive_pictures(path, passed)
    else:
        yield shown_name(str(path)), partial(read_file, path)


def _tell(passed: PassedOver) -> None:
    for note in passed.notes():
        warn(note)


def _several(pictures: Any) -> Iterable[Any]:
    """The pictures that are meant by one or several; SettingError where it is neither."""
    if isinstance(pictures, np.ndarray) and (pictures.ndim == 4 or pictures.dtype.kind in "OUS"):
        return pictures  # of pictures, or of paths
    if _is_one(pictures):
        return (pictures,)
    if isinstance(pictures, Mapping) or not isinstance(pictures, Iterable):
        _refuse("pictures", pictures)
    array = _as_array(pictures)  # a tensor of several pictures; of tables, such as a column of paths, the items
    return pictures if array is None or array.dtype.kind in "OUST" else _several(array)


def _is_one(given: Any) -> bool:
    if isinstance(given, (str, os.PathLike, Image.Image, bytes, bytearray, memoryview)) or hasattr(given, "read"):
        return True
    array = _as_array(given)
    return array is not None and array.dtype.kind not in "OUST" and array.ndim != 4


def _as_array(given: Any) -> np.ndarray | None:
    """An array, or a tensor of another library as one; None of anything else."""
    if isinstance(given, np.ndarray):
        return given
    if not hasattr(given, "__array__"):
        return None
    if hasattr(given, "detach"):  # torch's: of any device, with or without gradients
        given = given.detach().cpu()
        given = given.float() if given.is_floating_point() else given
    return np.asarray(given)


def _named(pictures: Iterable[Any], reader: ArrayReader) -> Iterator[tuple[str, Callable[[], Held]]]:
    passed, told = PassedOver(), 0
    for number, given in enumerate(pictures):
        if isinstance(given, (str, os.PathLike)):
            for path in _files_of(Path(given), passed):
                yield from _of_file(path, passed)
            continue
        name, held = _held(given, number, reader)
        yield name, partial(_give, held)
        for note in reader.notes[told:MAX_NOTES]:
            warn(f"note      {note}")
        told = len(reader.notes)
    if told > MAX_NOTES:
        warn(f"note      the same of {told - MAX_NOTES} more arrays")
    _tell(passed)


def _give(held: Held | PictureError) -> Held:
    if isinstance(held, PictureError):
        raise held
    return held


def _held(given: Any, number: int, reader: ArrayReader) -> tuple[str, Held | PictureError]:
    """What a picture in memory is called, and a copy of it that its owner can't change."""
    if isinstance(given, Image.Image):
        name = _file_name(given, "filename", f"picture {number}")
        try:
            return name, _copy(given)
        except Exception as error:  # Pillow's plugins raise many types on damaged files
            return name, PictureError(name, ProblemKind.DAMAGED.told(error))
    if isinstance(given, (bytes, bytearray, memoryview)):
        return f"bytes {number}", bytes(given)
    if hasattr(given, "read"):
        name = _file_name(given, "name", f"file {number}")
        try:
            return name, _whole(given, name=name)
        except OSError as error:
            return name, PictureError(name, ProblemKind.UNREADABLE.told(error.strerror or error))
    array = _as_array(given)
    if array is None or array.dtype.kind in "OUST":
        _refuse(f"pictures[{number}]", given)
    name = f"array {number}"
    return name, reader.read(array, name=name)


def _file_name(given: Any, attribute: str, otherwise: str) -> str:
    """The path that Pillow's picture or an open file comes from, where it says one."""
    name = getattr(given, attribute, None)
    return shown_name(os.fspath(name)) if isinstance(name, (str, os.PathLike)) and str(name) else otherwise


def _copy(image: Image.Image) -> Image.Image:
    copied = image.copy()
    copied.format = image.format  # which `copy` leaves out, and profiles ask for
    return copied


def _whole(file: Any, *, name: str) -> bytes:
    """All bytes of an open file, from its beginning where it can go back, as Pillow does."""
    try:
        if hasattr(file, "seekable") and file.seekable():
            file.seek(0)
        data = file.read()
    except UnicodeDecodeError:
        data = ""
    except ValueError as error:  # closed
        raise SettingError("an open file", found=f"{name}: {error}", fix="Open it, and close it afterwards.") from None
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise SettingError(
            "a file that is open for reading bytes", found=f"{name}, which gives {type(data).__name__}",
            fix="Open it with the mode 'rb'.",
        )  # fmt: skip
    return bytes(data)


def _refuse(name: str, given: Any) -> NoReturn:
    shown = repr(given)
    found = f"{type(given).__name__} {shown if len(shown) <= 60 else shown[:57] + '...'} as {name}"
    fix = "Check what it comes from: OpenCV's imread gives None for a file that it can't read." if given is None else (
        "Give one of these."
    )  # fmt: skip
    raise SettingError(TAKEN, found=found, fix=fix)
