"""Other names for a run's classes, and several classes as one, with all that was learnt kept.

The run itself stays as it is: a new one is written. A class that several became keeps the rows of all of them in the
last layer, and its probability is the sum of theirs (models/heads.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .data.index import Index, open_index
from .errors import ConfigError, close_matches
from .metrics import Predictions, summarise
from .models.heads import parse_groups
from .run import Run, create_run, open_run
from .training.validation import write_predictions


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
    """What `A=B` renames and `C,D=E` merges make of class names; ConfigError on unknown and doubled names.

    Classes keep their order; one that several became stands where the first of them stood.
    """
    names = {name: name for name in classes}  # old -> new
    touched: set[str] = set()
    for words, several in ((rename, False), (merge, True)):
        for word in words:
            before, equals, after = word.partition("=")
            members = before.split(",") if several else [before]
            if not equals or not after or (several and len(members) < 2):
                what = "--merge C,D=E with two classes or more" if several else "--rename A=B"
                raise ConfigError(what, found=repr(word), fix="Write old names before the = and the new one after.")
            for name in members:
                if name not in names:
                    raise ConfigError("a class of the run", found=repr(name), fix=close_matches(name, names))
                if name in touched:
                    raise ConfigError("each class once", found=f"{name!r} twice", fix="Leave one out.")
                touched.add(name)
                names[name] = after
    new = tuple(dict.fromkeys(names.values()))
    wanted = {word.partition("=")[2] for word in merge}
    for name in new:
        members = [old for old in classes if names[old] == name]
        if len(members) > 1 and name not in wanted:
            raise ConfigError(
                "a name of its own for each class", found=f"{name!r} for {', '.join(members)}",
                fix=f"Write --merge {','.join(members)}={name} if they are to be one.",
            )  # fmt: skip
        joined = [word.partition("=")[0].split(",") for word in merge if word.partition("=")[2] == name]
        if joined and set(members) != {member for group in joined for member in group}:
            others = sorted(set(members) - {member for group in joined for member in group})
            raise ConfigError(
                f"a name for the merged class, or {others[0]!r} among what is merged", found=repr(name),
                fix=f"Write --merge {','.join(members)}={name}.",
            )  # fmt: skip
    if len(new) < 2:
        raise ConfigError("two classes or more in the end", found=str(len(new)), fix="Merge fewer.")
    places = {name: place for place, name in enumerate(new)}
    return Relabelling(tuple(classes), new, tuple(places[names[name]] for name in classes))


def relabel_run(
    path: Path, out: Path | None, *, rename: Sequence[str], merge: Sequence[str]
) -> tuple[Run, Relabelling]:
    """Write a run with other classes beside one that stays as it is; RunError when one of its files is missing."""
    old = open_run(path)
    plan = plan_relabelling(old.classes, rename=rename, merge=merge)
    model = old.existing(old.model_path.name)
    index = _relabelled_index(old, plan)
    predictions = _merged_predictions(old, plan)
    run = create_run(out or _next_path(old.path))
    config = old.config
    chosen: dict[str, Any] = config["chosen"]
    if plan.merges:
        chosen["model_options"] = _merged_options(chosen["model_options"], plan)
    run.write_config(config["asked"], chosen)
    run.write_classes(plan.new)
    run.write_geometry(old.geometry)
    pq.write_table(index.table, run.index_path)
    shutil.copyfile(model, run.model_path)
    shutil.copyfile(old.existing(old.log_path.name), run.log_path)
    write_predictions(run, predictions, classes=plan.new, split="val", index_paths=index.column("path"))
    run.write_metrics(summarise(predictions, plan.new))
    squares, aspects, logits = old.probe()
    run.write_probe(squares, aspects, logits=_merged_logits(logits, plan))
    return run, plan


def relabelling_lines(run: Run, plan: Relabelling) -> Iterator[str]:
    """As a person reads it."""
    for place, name in enumerate(plan.new):
        members = [old for old, becomes in zip(plan.old, plan.becomes, strict=True) if becomes == place]
        if members != [name]:
            yield f"class     {name}: {' and '.join(members)} until now"
    metrics = run.metrics
    yield f"accuracy  {metrics['accuracy']:.1%} of {metrics['pictures']} validation pictures, with these classes"
    yield f"run       {run.path}"


def _next_path(path: Path) -> Path:
    number = 1
    while (found := path.with_name(f"{path.resolve().name}-classes-{number}")).exists():
        number += 1
    return found


def _relabelled_index(run: Run, plan: Relabelling) -> Index:
    index = replace(open_index(run), classes=plan.new)
    labels = index.labels
    known = np.array([*plan.becomes, -1])  # -1 stays: a picture without a label
    return index.with_columns({"label": known[labels].astype(np.int32)})


def _merged_predictions(run: Run, plan: Relabelling) -> Predictions:
    table = pq.read_table(run.existing(run.predictions_path("val").name))
    before = np.stack([_column(table, f"p:{name}") for name in plan.old], axis=1)
    after = np.zeros((len(before), len(plan.new)), dtype=before.dtype)
    for old, new in enumerate(plan.becomes):
        after[:, new] += before[:, old]
    labels = np.array(plan.becomes)[_column(table, "label")]
    return Predictions(rows=_column(table, "row"), labels=labels, probabilities=after)


def _column(table: pa.Table, name: str) -> np.ndarray:
    values: np.ndarray = table.column(name).to_numpy()
    return values


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
