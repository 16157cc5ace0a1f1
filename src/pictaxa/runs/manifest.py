"""manifest.json: size and SHA-256 of every file that a finished run leaves, so that a changed file is told.

It is written last, when a training or a relabelling ends, and removed before a training goes on: where it is, the run
is finished and its files are those that are listed. What is made of a finished run (derived.py) joins the list when it
is made. Runs of earlier versions, and unfinished ones, have none.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import RunError, as_word
from ..system.files import write_atomically
from .names import LISTED, MANIFEST, RESULTS, STATE, TEST_LOOKS
from .typed import read_json, typed

READERS = 4  # files hashed at a time; hashing leaves other threads alone


@dataclass(frozen=True)
class Listed:
    """A file as it was when the run was finished."""

    size: int  # bytes
    sha256: str  # hex digits


def write_manifest(folder: Path) -> None:
    """List the files of a finished run, as they are now.

    Args:
        folder: of the run.

    Raises:
        OSError: a file can't be read, or the list can't be written.

    Example:
        write_manifest(Path("runs/photos-resnet18-1"))
    """
    states = sorted(path.relative_to(folder).as_posix() for path in (folder / STATE).glob("*.safetensors"))
    names = [*(name for name in (*LISTED, TEST_LOOKS) if (folder / name).exists()), *states]
    with ThreadPoolExecutor(READERS, thread_name_prefix="manifest") as pool:
        listed = zip(names, pool.map(lambda name: listed_as(folder / name), names), strict=True)
        document = {name: asdict(entry) for name, entry in listed}
    write_atomically(folder / MANIFEST, json.dumps(document, indent=2) + "\n")


def list_again(folder: Path, name: str) -> None:
    """Put a file that was made later into the list of a finished run; a run without a list gets none.

    Args:
        folder: of the run.
        name: of a file that is there.

    Raises:
        OSError: the file can't be read, or the list can't be written.
        RunError: the list is damaged.

    Example:
        list_again(run.path, JUDGEMENT)
    """
    listed = read_manifest(folder)
    if listed is not None:
        listed[name] = listed_as(folder / name)
        document = {name: asdict(entry) for name, entry in listed.items()}
        write_atomically(folder / MANIFEST, json.dumps(document, indent=2) + "\n")


def remove_manifest(folder: Path) -> None:
    """Before a run's files change: there is no list, rather than a wrong one."""
    (folder / MANIFEST).unlink(missing_ok=True)


def read_manifest(folder: Path) -> dict[str, Listed] | None:
    """Read the list of a run's files.

    Args:
        folder: of the run.

    Returns:
        The files by their names; None where the run has no list.

    Raises:
        RunError: it is damaged.
    """
    path = folder / MANIFEST
    if not path.exists():
        return None
    fix = f"Restore it from a backup. If there is none, remove {path}: the run is then read without it."
    return typed(read_json(path, fix=fix), dict[str, Listed], path=path, fix=fix)


def check_file(folder: Path, name: str) -> None:
    """Compare a file of a run with the list; without one nothing is known.

    Args:
        folder: of the run.
        name: of a file that is there, such as state/step-000000018.safetensors.

    Raises:
        RunError: the file is not what it was when the run was finished, or the list is damaged.
    """
    listed = read_manifest(folder)
    if listed is None:
        return
    path = folder / name
    then = listed.get(name)
    if then is None:
        found = f"{str(path)!r}, which is not listed in {MANIFEST}"
    elif path.stat().st_size != then.size:
        found = f"a changed file {str(path)!r} of {path.stat().st_size} bytes instead of {then.size}"
    elif listed_as(path) != then:
        found = f"a changed file {str(path)!r}: its SHA-256 is not the one in {MANIFEST}"
    else:
        return
    again = f", or remove it and make it again with: pictaxa train --resume {as_word(folder)}"
    raise RunError(
        f"{name} as it was when the run was finished", found=found,
        fix=f"If the change is yours, remove {folder / MANIFEST}: files are then read without it. Else restore it from "
        f"a backup{again if name in RESULTS else '.'}",
    )  # fmt: skip


def listed_as(path: Path) -> Listed:
    """The entry of a file as it is now."""
    with path.open("rb") as file:
        return Listed(size=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
