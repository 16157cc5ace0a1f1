"""Files that are made of a finished run: they may be absent, and are made again where they are not what they were.

Each says in `made_from` what it was made of, by the SHA-256 of those files, so that one that was left from before the
training went on is not taken for the run's. Nothing else depends on them: where the folder can't be written to, what
would stand in them is computed whenever it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import RunError
from ..system.files import replacing
from ..system.progress import warn
from .folder import Run
from .manifest import list_again, listed_as, read_manifest
from .writer import only_writer


def digests(run: Run, names: Sequence[str]) -> dict[str, str]:
    """SHA-256 of files of a run: those of its list, where it has one, else those of the files as they are.

    Args:
        run: the run.
        names: of the files.

    Returns:
        Hex digits by names; a file that is neither listed nor there is left out.
    """
    listed = read_manifest(run.path) or {}
    found = {}
    for name in names:
        if name in listed:
            found[name] = listed[name].sha256
        elif (run.path / name).is_file():
            found[name] = listed_as(run.path / name).sha256
    return found


def find_derived(run: Run, name: str) -> Path | None:
    """Find a derived file that may be read.

    Args:
        run: the run.
        name: of the file, one of DERIVED.

    Returns:
        Its path; None where it is not there, or not what the run's list says.
    """
    path = run.path / name
    if not path.is_file():
        return None
    listed = read_manifest(run.path)
    if listed is None:
        return path
    return path if name in listed and listed_as(path) == listed[name] else None


def changed_since(run: Run, made_from: Mapping[str, str]) -> list[str]:
    """Which files are no longer those that something was made of.

    Args:
        run: the run.
        made_from: SHA-256 by names, as `digests` gave them.

    Returns:
        Their names; one that is gone can't be told, and counts as the same.
    """
    return [name for name, digest in digests(run, list(made_from)).items() if made_from[name] != digest]


def keep_derived(run: Run, name: str, write: Callable[[Path], object]) -> bool:
    """Write a derived file and put it into the run's list.

    Args:
        run: the run.
        name: of the file, one of DERIVED.
        write: writes it at the path that it is given.

    Returns:
        Whether it is kept: not where the folder can't be written to, or another process writes in it, which is no
        fault.
    """
    try:
        with only_writer(run.path):
            with replacing(run.path / name) as partial:
                write(partial)
            list_again(run.path, name)
    except (OSError, RunError):
        return False
    return True


def tell_made_again(run: Run, name: str, *, changed: Sequence[str] = ()) -> None:
    """Say why another file takes the place of one that is there, unless a training that went on has just left it.

    Args:
        run: the run.
        name: of the file.
        changed: names of files that it was made of and that are others now; none: it is itself not what it was.
    """
    listed = read_manifest(run.path)
    if not (run.path / name).exists() or (listed is not None and name not in listed):
        return
    if changed:
        warn(f"note      {run.path / name} was made of another {', '.join(changed)}, and is made again")
    else:
        warn(f"note      {run.path / name} is not what was made of this run, and is made again")
