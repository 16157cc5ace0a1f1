"""Renames and merges the classes of a run without retraining.

The run itself stays as it is: a new one is written. A class that several became keeps the rows of all of them in the
last layer, and its probability is the sum of theirs (models/heads.py).
"""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..data.index import Index
from ..errors import ConfigError, close_matches, printable
from ..metrics import Predictions, summarise
from ..models.heads import parse_groups
from ..system.files import replacing
from .folder import Run, open_run
from .manifest import write_manifest
from .places import create_run, free_path
from .records import read_index, read_predictions, write_index, write_predictions
from .vectors import keep_vectors, read_vectors


@dataclass(frozen=True)
class Relabelling:
    """Which new class each old one becomes."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    becomes: tuple[int, ...]  # for each old class, its place in `new`

    @property
    def merges(self) -> bool:
        """Whether any new class has several old ones."""
        return len(self.new) < len(self.old)


def plan_relabelling(classes: Sequence[str], *, rename: Sequence[str], merge: Sequence[str]) -> Relabelling:
    """Plan what changes make of class names, which keep their order.

    Args:
        classes: names as the run has them.
        rename: changes `A=B`.
        merge: changes `C,D=E`; the class that several became stands where the first of them stood.

    Returns:
        The Relabelling. New names are as the index has them: composed (NFC), without blanks around them.

    Raises:
        ConfigError: a class is unknown or named twice, a change can be read in two ways, or fewer than two are left.

    Example:
        plan_relabelling(("cat", "dog", "pup"), rename=["cat=Cat"], merge=["dog,pup=Dog"]).new  # ("Cat", "Dog")
    """
    known = {unicodedata.normalize("NFC", name): name for name in classes}
    renames = [_read_change(word, known, several=False) for word in rename]
    merges = [_read_change(word, known, several=True) for word in merge]
    names = {name: name for name in classes}  # old -> new
    touched: set[str] = set()
    for change in (*renames, *merges):
        for name in change.members:
            if name in touched:
                raise ConfigError("each class once", found=f"{name!r} twice", fix="Name each class only once.")
            touched.add(name)
            names[name] = change.name
    _check_meant(names, merges)
    new = tuple(dict.fromkeys(names.values()))
    if len(new) < 2:
        raise ConfigError("at least two classes in the result", found=str(len(new)), fix="Merge fewer classes.")
    places = {name: i for i, name in enumerate(new)}
    return Relabelling(tuple(classes), new, tuple(places[names[name]] for name in classes))


@dataclass(frozen=True)
class _Change:
    members: tuple[str, ...]  # classes of the run
    name: str  # what they become


def _read_change(word: str, known: Mapping[str, str], *, several: bool) -> _Change:
    """What `A=B` means, or with `several` `C,D=E`; ConfigError where it means nothing, or more than one thing.

    Names may have = and commas in them, so that only the run's own classes tell where the old names end.
    """
    readings = []
    for place in (place for place, letter in enumerate(word) if letter == "="):
        before, after = word[:place], unicodedata.normalize("NFC", word[place + 1 :]).strip()
        if after and several:
            readings += [_Change(members, after) for members in _lists(before, known) if len(members) > 1]
        elif after and (name := _find(before, known)) is not None:
            readings.append(_Change((name,), after))
    if not readings:
        raise _meaningless(word, known, several=several)
    if len(readings) > 1:
        raise _ambiguous(word, readings[0], readings[1])
    name = readings[0].name
    if printable(name) != name:
        raise ConfigError("a name that is one line of text", found=repr(name), fix="Leave out control characters.")
    return readings[0]


def _find(text: str, known: Mapping[str, str]) -> str | None:
    """The class of that name, or of the name without blanks around it."""
    text = unicodedata.normalize("NFC", text)
    return known.get(text, known.get(text.strip()))


def _lists(text: str, known: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Ways to read a text as classes with commas between them; at most three: one may be a class alone."""
    pieces = text.split(",")
    longest = 1 + max(name.count(",") for name in known)
    ways: list[list[tuple[str, ...]]] = [[] for _ in pieces] + [[()]]  # from each piece to the end
    for start in reversed(range(len(pieces))):
        for end in range(start + 1, min(start + longest, len(pieces)) + 1):
            name = _find(",".join(pieces[start:end]), known)
            ways[start] += [] if name is None else [(name, *others) for others in ways[end]]
        del ways[start][3:]
    return ways[0]


def _ambiguous(word: str, first: _Change, second: _Change) -> ConfigError:
    told = [f"{' and '.join(map(repr, reading.members))} as {reading.name!r}" for reading in (first, second)]
    # Where the two part, one class is how the other begins: once that has another name, only the longer one fits.
    pairs = zip(first.members, second.members, strict=False)
    shorter = min(next(pair for pair in pairs if pair[0] != pair[1]), key=len)
    return ConfigError(
        "an argument with only one meaning", found=f"{word!r}, which is ambiguous: {', or '.join(told)}",
        fix=f"First rename {shorter!r} separately, to a name without = and commas.",
    )  # fmt: skip


def _meaningless(word: str, known: Mapping[str, str], *, several: bool) -> ConfigError:
    before, _, after = word.partition("=")
    members = before.split(",") if several else [before]
    if not after.strip() or (several and len(members) < 2):
        what = "--merge C,D=E with two classes or more" if several else "--rename A=B"
        return ConfigError(what, found=repr(word), fix="Write old names before the = and the new one after.")
    name = next(unicodedata.normalize("NFC", name).strip() for name in members if _find(name, known) is None)
    return ConfigError("a class of the run", found=repr(name), fix=close_matches(name, known.values()))


def _check_meant(names: Mapping[str, str], merges: Sequence[_Change]) -> None:
    """ConfigError where classes would become one that no merge lists together; names: old -> new."""
    for name in dict.fromkeys(names.values()):
        members = [old for old, new in names.items() if new == name]
        joined = {member for change in merges if change.name == name for member in change.members}
        if len(members) > 1 and not joined:
            raise ConfigError(
                "a different name for each class", found=f"{name!r} for {', '.join(members)}",
                fix=f"Write --merge {','.join(members)}={name} to merge them.",
            )  # fmt: skip
        others = sorted(set(members) - joined)
        if joined and others:
            raise ConfigError(
                f"a name for the merged class, or {others[0]!r} among the merged classes", found=repr(name),
                fix=f"Write --merge {','.join(members)}={name}.",
            )  # fmt: skip


def relabel_run(
    path: Path, out: Path | None, *, rename: Sequence[str], merge: Sequence[str]
) -> tuple[Run, Relabelling]:
    """Write a run with other classes beside one that stays as it is.

    Args:
        path: the run that stays.
        out: the new folder; by default RUN-classes-1, or the next free number.
        rename: changes such as tulips=tulip.
        merge: classes that become one, such as daisy,dandelion=composite.

    Returns:
        The new run, and which new class each old one became.

    Raises:
        RunError: the run lacks a file, or something is at `out`.
        ConfigError: a change names no class of the run, or can be read in two ways.

    Example:
        run, plan = relabel_run(Path("runs/photos-resnet18-1"), None, rename=["tulips=tulip"], merge=[])
    """
    old = open_run(path)
    plan = plan_relabelling(old.classes, rename=rename, merge=merge)
    model = old.existing(old.model_path.name)
    index = _relabelled_index(old, plan)
    predictions = _merged_predictions(old, plan)
    run = create_run(out or free_path(old.path.with_name(f"{old.path.resolve().name}-classes")))
    chosen = old.chosen
    if plan.merges:
        chosen = replace(chosen, model_options=tuple(_merged_options(chosen.model_options, plan)))
    run.write_classes(plan.new)
    run.write_geometry(old.geometry)
    write_index(run, index)
    for file, copy in ((model, run.model_path), (old.existing(old.log_path.name), run.log_path)):
        with replacing(copy) as partial:
            shutil.copyfile(file, partial)
    write_predictions(run, predictions, index=index)
    run.write_metrics(summarise(predictions, plan.new))
    squares, aspects, logits = old.probe()
    run.write_probe(squares, aspects, logits=_merged_logits(logits, plan))
    run.write_config(old.config["asked"], chosen)  # the last: with it the folder is a run
    write_manifest(run.path)
    vectors = read_vectors(old)
    if vectors is not None:  # the features are the same, whatever the classes are called
        keep_vectors(run, vectors)
    return run, plan


def relabelling_lines(run: Run, plan: Relabelling) -> Iterator[str]:
    """Tell as text what became of the classes, the accuracy with them, and where the new run is.

    Args:
        run: the new run.
        plan: what `relabel_run` returned with it.

    Returns:
        An iterator over lines of text.
    """
    for i, name in enumerate(plan.new):
        members = [old for old, becomes in zip(plan.old, plan.becomes, strict=True) if becomes == i]
        if members != [name]:
            yield f"class     {name}: formerly {' and '.join(members)}"
    metrics = run.metrics
    yield f"accuracy  {metrics['accuracy']:.1%} of {metrics['pictures']} validation pictures, with these classes"
    yield f"run       {run.path}"


def _relabelled_index(run: Run, plan: Relabelling) -> Index:
    index = replace(read_index(run), classes=plan.new)
    labels = index.labels
    known = np.array([*plan.becomes, -1])  # -1 stays: a picture without a label
    return index.with_columns({"label": known[labels].astype(np.int32)})


def _merged_predictions(run: Run, plan: Relabelling) -> Predictions:
    before = read_predictions(run, classes=plan.old)
    becomes = np.array(plan.becomes)
    sums = np.eye(len(plan.new), dtype=np.float32)[becomes]  # (old, new): 1 where the one becomes the other
    return replace(before, labels=becomes[before.labels], probabilities=before.probabilities @ sums)


def _merged_logits(logits: np.ndarray, plan: Relabelling) -> np.ndarray:
    merged = np.full((len(logits), len(plan.new)), -np.inf, dtype=logits.dtype)
    for old, new in enumerate(plan.becomes):
        merged[:, new] = np.logaddexp(merged[:, new], logits[:, old])
    return merged


def _merged_options(options: Sequence[str], plan: Relabelling) -> list[str]:
    """The architecture's options with `merged=`; a run that was merged before has more rows than classes."""
    rows: tuple[int, ...] = tuple(range(len(plan.old)))
    for option in options:
        if option.startswith("merged="):
            rows = parse_groups(option.partition("=")[2])
    others = [option for option in options if not option.startswith("merged=")]
    return [*others, "merged=" + ",".join(str(plan.becomes[row]) for row in rows)]
