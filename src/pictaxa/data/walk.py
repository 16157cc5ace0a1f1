"""The one way to walk over folders of pictures, for training, inspecting and predicting alike: links are followed, and
what is passed over is counted so that it can be told.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..images.decode import is_picture
from .file_names import shown_name

# Folders that systems, network drives and office programs make beside pictures, with copies or thumbnails of them.
SYSTEM_NAMES = frozenset({
    "__macosx", "network trash folder", "temporary items",  # macOS
    "$recycle.bin", "recycler", "recycled", "system volume information", "thumbs.db", "desktop.ini",  # Windows
    "lost+found",
    "@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@database",  # Synology
    "@recycle", "@recently-snapshot", "@thumb",  # QNAP
    "~snapshot", "_gsdata_", "_vti_cnf", "_vti_pvt", "_thumbs", "__pycache__",  # NetApp, GoodSync, FrontPage
})  # fmt: skip
SHOWN = 5  # names kept of each kind that is passed over


@dataclass
class PassedOver:
    """What a walk passed over: how much, and the first few names."""

    hidden: Counter[str] = field(default_factory=Counter)
    other_files: Counter[str] = field(default_factory=Counter)  # by suffix
    unreadable: Counter[str] = field(default_factory=Counter)  # folders, with the reason
    loops: list[tuple[str, str]] = field(default_factory=list)  # (link, where it leads back to)

    def notes(self) -> tuple[str, ...]:
        """A line for each kind that occurred."""
        lines = []
        if self.hidden:
            lines.append(f"skipped {self.hidden.total()} hidden or system folders and files: {_some(self.hidden)}")
        if self.other_files:
            kinds = [f"{suffix or 'no suffix'} x{count}" for suffix, count in self.other_files.most_common()]
            lines.append(f"skipped {self.other_files.total()} files that are not pictures: {_some(kinds)}")
        if self.unreadable:
            lines.append(f"could not read {self.unreadable.total()} folders: {_some(self.unreadable)}")
        if self.loops:
            lines.append(f"skipped {len(self.loops)} links that lead back to a folder above: {self.loops[0][0]!r}")
        return tuple(lines)

    def passes_hidden(self, name: str) -> bool:
        """Whether a name is hidden or the system's; then it is counted."""
        if not is_hidden(name):
            return False
        known = name if len(self.hidden) < SHOWN or name in self.hidden else "others"
        self.hidden[shown_name(known)] += 1
        return True

    def passes_file(self, name: str) -> None:
        """Count a file that is no picture by its name."""
        self.other_files[shown_name(Path(name).suffix.lower())] += 1


def _some(names: Counter[str] | list[str]) -> str:
    listed = [name for name in names if name != "others"]
    return ", ".join(listed[:SHOWN]) + (" and more" if len(listed) > SHOWN or "others" in names else "")


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or one that systems make for themselves."""
    return name.startswith((".", "~$")) or name.casefold() in SYSTEM_NAMES


def list_entries(folder: str | Path, passed: PassedOver) -> list[os.DirEntry[str]]:
    """What lies in a folder and is not hidden, by name; a folder that may not be read is counted, and empty."""
    try:
        with os.scandir(folder) as entries:  # tells folders from files without asking for each: a million are listed
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        passed.unreadable[f"{shown_name(str(folder))} ({error.strerror})"] += 1
        return []
    return [entry for entry in ordered if not passed.passes_hidden(entry.name)]


def walk_pictures(folder: str | Path, passed: PassedOver) -> Iterator[os.DirEntry[str]]:
    """Every picture at or below a folder, by its name's suffix, in a fixed order.

    Args:
        folder: where to begin. Links to folders are followed; one that leads back to a folder above is counted.
        passed: counts what is passed over.

    Returns:
        An iterator over directory entries, whose `path` begins with `folder`.

    Example:
        passed = PassedOver()
        paths = [entry.path for entry in walk_pictures("photos", passed)]
    """
    yield from _below(str(folder), passed, above=())


def _below(folder: str, passed: PassedOver, *, above: tuple[str, ...]) -> Iterator[os.DirEntry[str]]:
    real = os.path.realpath(folder)
    if real in above:
        passed.loops.append((shown_name(folder), shown_name(real)))
        return
    for entry in list_entries(folder, passed):
        if entry.is_dir():
            yield from _below(entry.path, passed, above=(*above, real))
        elif is_picture(entry.name):
            yield entry
        else:
            passed.passes_file(entry.name)
