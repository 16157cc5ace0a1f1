"""classes.json: the class names by index, the one and only order."""

from __future__ import annotations

from pathlib import Path

from .typed import damaged, read_json, typed


def read_classes(path: Path) -> tuple[str, ...]:
    """Read the names.

    Args:
        path: of a file that is there.

    Returns:
        Two names or more, by index.

    Raises:
        RunError: the file is damaged, or leaves out an index, or two classes have the same name.
    """
    document = typed(read_json(path), dict[str, str], path=path)
    names = tuple(document.values())
    if len(names) < 2 or list(document) != [str(label) for label in range(len(names))]:
        raise damaged(path, f"two or more classes in {path.name}, counted from 0", ", ".join(document) or "none")
    bad = next((name for name in names if not name or names.count(name) > 1), None)
    if bad is not None:
        raise damaged(path, f"a different name for each class in {path.name}", f"{bad!r} {names.count(bad)} times")
    return names


def check_same_classes(names: tuple[str, ...], judged: tuple[str, ...], *, path: Path, other: str) -> None:
    """Compare the classes with those that another file of the run has, in the same order.

    Args:
        names: by index.
        judged: likewise.
        path: of the file that `names` are from.
        other: name of the file that `judged` are from.

    Raises:
        RunError: they differ.
    """
    if names == judged:
        return
    found = f"{len(names)} classes instead of {len(judged)}"
    if len(names) == len(judged):
        pairs = zip(names, judged, strict=True)
        found = next(f"{here!r} in place of {there!r}" for here, there in pairs if here != there)
    raise damaged(path, f"the same classes in {path.name} and {other}, in the same order", found)
