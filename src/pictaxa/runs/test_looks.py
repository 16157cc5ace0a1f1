"""test-looks.json: each time that test pictures were judged by a run. The more looks, the less the last one is worth,
as whoever looks chooses by what is seen.

It can't be made again, as what is made of a finished run can. So one that is damaged is an error, and not a first look.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from ..errors import RunError
from ..system.files import write_atomically
from .folder import Run
from .manifest import list_again, read_manifest
from .names import TEST_LOOKS
from .typed import damaged, read_json, typed

OWN = ""  # the data set of a look at the run's own test pictures


@dataclass(frozen=True)
class TestLook:
    """One look at test pictures."""

    __test__ = False  # pytest takes it for none of its own

    when: str  # local time, such as 2026-11-28 09:30:00
    data: str  # the data set; "" for the run's own
    pictures: int
    right: int
    digest: str  # of the pictures: the same ones have the same

    @property
    def accuracy(self) -> float:
        """The share of pictures that were classified correctly, from 0 to 1."""
        return self.right / self.pictures


def read_test_looks(run: Run) -> tuple[TestLook, ...]:
    """Read how often, and when, test pictures were judged by a run.

    Args:
        run: the run.

    Returns:
        The looks in their order; none where nobody has looked.

    Raises:
        RunError: the file is damaged, or is not the one that the run's list has.

    Example:
        len(read_test_looks(open_run("runs/photos-resnet18-1")))
    """
    listed = read_manifest(run.path) or {}
    if not (run.path / TEST_LOOKS).exists() and TEST_LOOKS not in listed:
        return ()
    path = run.existing(TEST_LOOKS)
    looks: tuple[TestLook, ...] = typed(read_json(path), tuple[TestLook, ...], path=path)
    for look in looks:
        if look.pictures < 1 or not 0 <= look.right <= look.pictures:
            found = f"{look.right} right of {look.pictures}"
            raise damaged(path, f"looks at one picture or more in {TEST_LOOKS}", found)
    return looks


def looks_at(looks: Sequence[TestLook], data: str) -> list[TestLook]:
    """Those of some looks that were at a data set, "" for the run's own."""
    return [look for look in looks if look.data == data]


def add_test_look(run: Run, data: str, hashes: Sequence[str], *, right: int) -> tuple[TestLook, bool]:
    """Count a look at test pictures.

    Args:
        run: the run that judged them.
        data: the data set; "" for the run's own.
        hashes: of the pictures that were judged, one or more.
        right: how many of them it classified correctly.

    Returns:
        The look, and whether it is kept: not where the run's folder can't be written to.

    Raises:
        RunError: the file of the looks before is damaged.
    """
    digest = hashlib.blake2b("\n".join(sorted(hashes)).encode(), digest_size=12).hexdigest()
    when = datetime.now().isoformat(sep=" ", timespec="seconds")
    look = TestLook(when, data, len(hashes), right, digest)
    document = [asdict(one) for one in (*read_test_looks(run), look)]
    try:
        write_atomically(run.path / TEST_LOOKS, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        list_again(run.path, TEST_LOOKS)
    except (OSError, RunError):
        return look, False
    return look, True
