"""Exit statuses of the commands, and writing their --json files."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..errors import ConfigError
from ..runs.names import CONFIG, DERIVED, LISTED, TEST_LOOKS
from ..system.files import require_utf8, writing

FILES_FOLLOW = "--"  # among the words: what comes after it is no flag, whatever it begins with
EXIT_FOUND = 1  # inspect --strict
EXIT_MISTAKE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def check_place(path: Path | None, flag: str, *, makes_folder: bool = False) -> None:
    """Make sure, before the work, that a file can be written after it.

    Args:
        path: the file that is to be written, if any.
        flag: the flag that names it.
        makes_folder: whether folders that are not there will be made.

    Raises:
        ConfigError: it is a folder or a run's own file, its folder is missing, or nothing may be written there.
    """
    if path is None:
        return
    require_utf8(path, ConfigError)
    folder = path.absolute().parent
    if makes_folder:
        while not folder.exists():
            folder = folder.parent
    problem = ""
    if path.is_dir():
        problem = "a folder"
    elif not folder.is_dir():
        problem = f"no folder {str(folder)!r}"
    elif path.name in (*LISTED, *DERIVED, TEST_LOOKS) and (path.absolute().parent / CONFIG).exists():
        problem = "a file of a run, which this would change"
    elif not os.access(path if path.exists() else folder, os.W_OK):
        problem = "no permission to write there"
    if problem:
        raise ConfigError(f"a file to write for {flag}", found=f"{str(path)!r}: {problem}", fix=f"Change {flag}.")


def write_json(path: Path | None, document: object) -> None:
    """Write a document where --json says, if it does; ConfigError when that can't be done."""
    if path is None:
        return
    with writing(path, flag="--json"):
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
