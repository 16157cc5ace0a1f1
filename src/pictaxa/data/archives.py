"""Pictures within zip and tar files, read one after the other and never unpacked to the disk."""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from ..errors import DataError, PictureError, Problem, ProblemKind
from ..images.decode import is_picture
from ..limits import MAX_PICTURE_BYTES, MAX_TAR_HEADER_BYTES, MAX_TAR_SIZE
from .file_names import shown_name
from .layout import check_kind
from .walk import PassedOver

ZIPS, TARS = (".zip",), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ZIP_PIECE = 2**12  # bytes that are asked for at a time: of so many packed ones bzip2 makes up to 80 MB
# Members that say something of the next one, in as many bytes as they like.
WITH_WORDS = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
)  # fmt: skip
IS_UTF8 = 0x800  # zip's flag of a name in UTF-8; others were written by systems with encodings of their own

# A picture's name, and what gives its encoded bytes; PictureError with the reason.
Named = tuple[str, Callable[[], bytes]]


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or tar file by its name."""
    return path.name.lower().endswith((*ZIPS, *TARS))


def archive_pictures(path: Path, passed: PassedOver) -> Iterator[Named]:
    """The pictures of a zip or tar file, in the order in which they lie in it.

    Args:
        path: the file.
        passed: counts the hidden and the other files that are passed over.

    Returns:
        An iterator over (FILE#MEMBER, what gives the bytes).

    Raises:
        DataError: the file is none of these, or is damaged.

    Example:
        names = [name for name, fetch in archive_pictures(Path("holiday.zip"), PassedOver())]
    """
    check_kind(path)
    members = _zipped if path.name.lower().endswith(ZIPS) else _tarred
    try:
        for name, size_bytes, read in members(path):
            parts = name.split("/")
            if any(passed.passes_hidden(part) for part in parts):
                continue
            if is_picture(parts[-1]):
                yield f"{shown_name(str(path))}#{name}", _checked(name, size_bytes, read)
            else:
                passed.passes_file(parts[-1])
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise DataError(
            "a whole zip or tar file", found=f"{shown_name(path.name)!r}: {error}", fix="Fetch or pack it again."
        ) from None


def open_tar(path: Path, *, mode: Literal["r:", "r:*"]) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The members of a tar file, each with the open file, in order.

    Args:
        path: the file.
        mode: tarfile's: with a star it may be packed.

    Returns:
        An iterator; the file is closed at its end.

    Raises:
        tarfile.TarError, OSError, EOFError: it is damaged, or says of a member what no file can have.

    Example:
        names = [member.name for _, member in open_tar(Path("a.tar"), mode="r:")]
    """
    with tarfile.open(path, mode, tarinfo=_BoundedInfo) as archive:
        for member in archive:
            # Behind a member of a negative size tarfile would find the same one again, and no file has the other end.
            if not 0 <= member.size <= MAX_TAR_SIZE:
                raise tarfile.ReadError(f"{shown_name(member.name)!r} of {member.size:,} bytes")
            yield archive, member


class _BoundedInfo(tarfile.TarInfo):
    """A member's header. Of a long name, and of PAX's words, all is read at once, whatever their header says."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _BoundedInfo:
        """From 512 bytes; tarfile.ReadError for one with too many words."""
        info = super().frombuf(buf, encoding, errors)
        if info.type in WITH_WORDS and not 0 <= info.size <= MAX_TAR_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {info.size:,} bytes")
        return info


def _zipped(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                name = member.filename
                if not member.flag_bits & IS_UTF8:  # what Python decoded by its default, from bytes of unknown encoding
                    name = shown_name(os.fsdecode(name.encode("cp437")))
                yield name, member.file_size, partial(_unzipped, archive, member)


def _tarred(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    for archive, member in open_tar(path, mode="r:*"):
        stream = archive.extractfile(member) if member.isreg() else None
        if stream is not None:
            yield shown_name(member.name), member.size, stream.read


def _unzipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes. Asked for all of it, zipfile unpacks what is there before it looks how much there should be."""
    with archive.open(member) as stream:
        parts = list(iter(partial(stream.read, ZIP_PIECE), b""))
    return b"".join(parts)


def _checked(name: str, size_bytes: int, read: Callable[[], bytes]) -> Callable[[], bytes]:
    """What gives a member's bytes later, when the archive stands elsewhere: they are read now."""
    try:
        data: bytes | Problem = (
            ProblemKind.BOMB.told(f"{size_bytes:,} bytes") if size_bytes > MAX_PICTURE_BYTES else read()
        )
    except (RuntimeError, NotImplementedError) as error:  # a password, a compression that zipfile does not know
        data = ProblemKind.UNREADABLE.told(error)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        data = ProblemKind.DAMAGED.told(error)

    def fetch() -> bytes:
        if isinstance(data, Problem):
            raise PictureError(name, data)
        return data

    return fetch
