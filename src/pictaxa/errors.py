"""Every error that a user can cause and fix, as one tree.

    PictaxaError
      ConfigError         a setting, flag or config file
        UsageError        arguments of the command line that fit no command or flag
        SettingError      a setting or argument of that name or type is not taken; to Python a TypeError too
      DataError           a folder of pictures, its classes or its splits
      PictureError        one picture that can't be decoded (it is set aside, the others are not affected)
      CacheError          the pixel cache: no room, or damaged
      ModelError          an unknown model, option or input size
      WeightsError        weights of another library that don't fit the model
      FetchError          a published file that can't be downloaded, or has the wrong content
      RunError            a folder that is not a run, has a newer format, or lacks a file
      TrainingError       training can't go on: the loss is not finite, the budget is too small
      MachineError        a full disk, files that can't be written, too little memory
      MissingExtraError   an optional package that a command needs

Each message is one line: what was expected, what was found, and what to do.
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

# Errors of the system that only its user can fix. EFBIG: more than 4 GB on a FAT disk.
REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


class ProblemKind(StrEnum):
    """Why a picture is set aside. Whatever counts, groups or filters pictures asks for this, and never for a sentence.

    The values stand in run folders and caches: what has one keeps it.
    """

    UNREADABLE = "unreadable"  # for a reason outside the file (permissions, a missing extra): it is tried again
    EMPTY = "empty"  # no bytes
    NOT_A_PICTURE = "not_a_picture"  # another kind of file, or numbers that are no pixels
    UNSUPPORTED = "unsupported"  # a picture of a kind that is not read
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    BOMB = "bomb"  # decoding it takes more memory or time than is safe
    NO_PATH = "no_path"  # of a table's row
    REMOTE = "remote"  # a URL instead of a file
    NO_LABEL = "no_label"
    UNKNOWN_LABEL = "unknown_label"  # of no class that the training has
    SEVERAL_LABELS = "several_labels"

    def told(self, detail: object) -> Problem:
        """The problem of this kind whose sentence begins with the kind, and goes on with what is known of the file."""
        return Problem(self, f"{TOLD[self]}: {detail}")


TOLD = {
    ProblemKind.UNREADABLE: "unreadable", ProblemKind.TRUNCATED: "truncated", ProblemKind.DAMAGED: "damaged",
    ProblemKind.BOMB: "decompression bomb",
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """Why one picture is set aside: its kind, and the sentence for people, which is what `str` gives."""

    kind: ProblemKind
    detail: str

    def __str__(self) -> str:
        return self.detail


class PictaxaError(Exception):
    """An error that the user can fix: one line, exit status 2, no traceback."""

    def __init__(self, expected: str, *, found: str, fix: str) -> None:
        self.expected = expected
        self.found = found
        self.fix = fix
        super().__init__(one_line(f"expected {expected}; found {found}. {fix}"))


class ConfigError(PictaxaError):
    """A setting that is unknown or out of its range."""


class UsageError(ConfigError):
    """Arguments of the command line that fit no command or flag; `mistake` is a whole sentence."""

    def __init__(self, mistake: str, *, fix: str) -> None:
        super().__init__("a command as described by --help", found=mistake, fix=fix)
        self.args = (one_line(f"{mistake} {fix}"),)

    def __str__(self) -> str:
        return str(self.args[0])


class SettingError(ConfigError, TypeError):
    """A setting or an argument of a function whose name is not known, or whose value is of a type that is not taken."""


class DataError(PictaxaError):
    """A data set that can't be trained on as it is."""


class CacheError(PictaxaError):
    """The pixel cache can't be written or read."""


class ModelError(PictaxaError):
    """A model name, option or input size that does not exist."""


class WeightsError(PictaxaError):
    """Weights that don't fit the model they are meant for."""


class FetchError(PictaxaError):
    """A published file that can't be downloaded, or differs from what was published."""


class RunError(PictaxaError):
    """A folder that is not a run this version can read."""


class TrainingError(PictaxaError):
    """Training had to stop; the last good state is kept."""


class MissingExtraError(PictaxaError):
    """An optional package is needed and absent."""


class MachineError(PictaxaError):
    """A full disk, files that can't be written, or too little memory."""


class PictureError(PictaxaError):
    """One picture that can't be decoded; `name` is the file, `problem` what is wrong, `reason` that as a sentence."""

    def __init__(self, name: str, problem: Problem) -> None:
        self.name = name
        self.problem = replace(problem, detail=one_line(problem.detail))
        super().__init__(
            "a readable picture",
            found=f"{name!r}: {self.reason}",
            fix="Replace or remove the file.",
        )

    @property
    def reason(self) -> str:
        """The short cause, for people."""
        return self.problem.detail

    def __reduce__(self) -> tuple[type[PictureError], tuple[str, Problem]]:
        # Exceptions are rebuilt from `args` when they cross a process; ours takes other arguments.
        return PictureError, (self.name, self.problem)


def machine_error(
    error: Exception,
    *,
    room_fix: str = "Free some space or allow writing, and run the command again.",
    memory_fix: str = "Close other programs, or use --device cpu if the GPU has too little.",
) -> MachineError | None:
    """Tell what the machine refuses as an error of ours.

    Args:
        error: what was raised.
        room_fix: what to do about a file that can't be written, as a sentence.
        memory_fix: what to do about too little memory, as a sentence.

    Returns:
        A MachineError for a full disk, a file that can't be written or too little memory; None for everything else.
    """
    if isinstance(error, OSError) and error.errno in REFUSALS:  # a write that fails doesn't name its file
        found = ": ".join(filter(None, (error.filename and repr(str(error.filename)), error.strerror)))
        return MachineError("files that can be written", found=found, fix=room_fix)
    # A GPU's is a RuntimeError of torch, and torch's on a CPU is no more than that.
    told = isinstance(error, RuntimeError) and re.search("out of memory|can't allocate memory", str(error))
    if told or isinstance(error, MemoryError):
        asked = re.search("(?i)tried to allocate [0-9.]+ [a-z]+", str(error))  # and advice on the allocator follows
        return MachineError("enough memory", found=asked[0] if asked else "out of memory", fix=memory_fix)
    return None


# Control characters (a terminal obeys them), ends of lines, what turns the direction of writing, halves of characters.
HALVES = re.compile("[\ud800-\udfff]")  # os.fsdecode makes them of bytes that it can't decode
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Make a text that any terminal, file and page can show; every name that a person reads goes through it.

    Args:
        text: any text; a file name's undecodable bytes as `os.fsdecode` has them.

    Returns:
        The text, with control characters, ends of lines, marks that turn the direction of writing, and bytes that are
        no UTF-8 as escapes.

    Example:
        printable("a\nb\udcff.jpg") == r"a\nb\xff.jpg"
    """
    return UNPRINTABLE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    byte = code - 0xDC00  # what os.fsdecode makes of a byte that it can't decode
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else repr(match[0])[1:-1]


def one_line(text: str) -> str:
    """The text on one line: every run of white space becomes one space, and what can't be shown becomes escapes."""
    return printable(" ".join(text.split()))


def as_word(path: object) -> str:
    """Write a path as one word of a command, so that a message's command can be pasted into a shell.

    Args:
        path: of a file or folder.

    Returns:
        The path, in quotation marks where it has blanks or anything else that a shell would take for its own.

    Example:
        as_word(Path("my runs/one"))  # "'my runs/one'"
    """
    text = str(path)
    if os.name == "nt":  # whose shells know double quotation marks alone
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)


def close_matches(word: str, known: Iterable[str]) -> str:
    """Say what to do about an unknown word.

    Args:
        word: what was given.
        known: what there is.

    Returns:
        A sentence that names up to three near words, or all of them where none is near.

    Example:
        close_matches("epohcs", ["epochs", "size"])  # "Did you mean epochs?"
    """
    names = list(known)
    near = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Choose one of: {', '.join(names)}."
