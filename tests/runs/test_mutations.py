"""Every file of a run is changed in many ways, and every command that reads a run is asked: none may fail with a
traceback, and none may answer otherwise than before without a word.

Where a run has a list of its files, each change is told. Without one, as in runs of earlier versions, what a file holds
is all there is: a change must be told or leave the answer as it was, but for changes that no reader could see.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file, save_file

from pictaxa.cli.main import main
from pictaxa.runs.names import DERIVED, LISTED, MANIFEST

TINY = ("--model", "lenet5", "--size", "28", "--batch-size", "8", "--precision", "float32", "--policy", "light")


def fuzzers_damage() -> ModuleType:
    """tests/fuzz/damage.py, which is no package's."""
    path = Path(__file__).parent.parent / "fuzz" / "damage.py"
    spec = importlib.util.spec_from_file_location("damage", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["damage"] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Place:
    """Where it all lies: the run as it was, the one that is changed, and what commands are given beside it."""

    folder: Path

    @property
    def whole(self) -> Path:
        """The run as the training left it."""
        return self.folder / "whole"

    @property
    def run(self) -> Path:
        """The copy that is changed; always at the same path, so that answers can be compared."""
        return self.folder / "run"

    def restore(self, *, listed: bool) -> None:
        """Make the copy anew."""
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.copytree(self.whole, self.run)
        if not listed:
            (self.run / MANIFEST).unlink()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, make_photos: Callable[..., Path]) -> Place:
    """A run of three classes, and other pictures of them."""
    folder = tmp_path_factory.mktemp("mutations")
    data = make_photos(folder / "photos", {"red": 12, "green": 12, "blue": 12})
    make_photos(folder / "new", {"red": 2, "green": 2}, first=50)
    words = ["train", str(data), *TINY, "--epochs", "3", "--lr", "0.02", "--cache", str(folder / "cache")]
    assert main([*words, "--out", str(folder / "run")]) == 0  # where it will be read: its answers name the place
    (folder / "run").rename(folder / "whole")
    return Place(folder)


# `plan RUN` reads it as `probe` and `train` do, in one function.
COMMANDS: dict[str, Callable[[Place], list[str]]] = {
    "predict": lambda at: ["predict", str(at.run), str(at.folder / "new")],
    "evaluate": lambda at: ["evaluate", str(at.run)],
    "classes": lambda at: ["classes", str(at.run)],
    "relabel": lambda at: ["classes", str(at.run), "--rename", "red=rot", "--out", str(at.folder / "out")],
    "convert": lambda at: [
        "weights", "convert", str(at.run), "--source", "pictaxa", "--model", "lenet5", "--out",
        str(at.folder / "out.safetensors"), "--channels", "3",
    ],
    "resume": lambda at: ["train", "--resume", str(at.run)],
    "evaluate others": lambda at: ["evaluate", str(at.run), str(at.folder / "new")],
    "report": lambda at: ["report", str(at.run)],
    "start from it": lambda at: [
        "train", str(at.folder / "photos"), "--weights", str(at.run), "--tune", "head", "--size", "28", "--out",
        str(at.folder / "out"),
    ],
    "probe with it": lambda at: ["probe", str(at.folder / "photos"), "--weights", str(at.run), "--size", "28"],
    "doubt labels": lambda at: ["inspect", str(at.folder / "photos"), "--run", str(at.run)],
}  # fmt: skip
QUICK = ("predict", "evaluate", "classes", "relabel", "convert", "resume")
# Which files each command reads; those of `state` are told by their folder.
MODEL_FILES = {"config.json", "classes.json", "pictures.json", "model.safetensors", "probe.npz"}
READS: dict[str, set[str]] = {
    **dict.fromkeys(COMMANDS, MODEL_FILES),
    "evaluate": MODEL_FILES | {"index.parquet"},
    "predict": MODEL_FILES | {"judgement.json"},
    "evaluate others": MODEL_FILES | {"index.parquet", "judgement.json"},
    "classes": {"config.json", "classes.json"},
    "relabel": set(LISTED),
    "report": set(LISTED) - {"model.safetensors", "probe.npz"},
    "resume": {*LISTED, "state"},
}


@dataclass(frozen=True)
class Answer:
    """What a command said and left."""

    status: int
    said: str
    left: str  # a digest of the files


def answer(at: Place, name: str) -> Answer:
    """Ask a command; a traceback is one of this test's, as nothing is caught here."""
    for out in ("out", "out.safetensors"):
        path = at.folder / out
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = main(COMMANDS[name](at))
    left = hashlib.sha256()
    shown = {"resume": at.run / "model.safetensors", "report": at.run / "report" / "index.html"}
    for path in (at.folder / "out" / "model.safetensors", at.folder / "out.safetensors", shown.get(name)):
        if status or path is None or not path.is_file():
            continue
        if path.suffix == ".safetensors":  # in any order of its metadata
            values = load_file(path)
            for key in sorted(values):
                left.update(key.encode() + values[key].numpy().tobytes())
        else:
            left.update(path.read_bytes())
    # Durations and speeds are never the same twice, and only those that begin a line of figures are ours.
    text = re.sub(r"\d+:\d\d|[\d,.]+(/s| s\b| pictures/s)|[\d.]+ seconds|decoded .*|waiting.*", "", said.getvalue())
    return Answer(status, text, left.hexdigest())


def differ(one: Answer, other: Answer, name: str) -> bool:
    """Whether two answers are not the same; a training tells its speed."""
    return one.left != other.left or (one.said != other.said and name != "start from it")


def told_of(file: str, after: Answer) -> bool:
    """Whether a file is named, or the pictures that are no longer those of the index."""
    return Path(file).name in after.said or re.search("(?m)^changed   ", after.said) is not None


Change = Callable[[Path], object]


def json_change(change: Callable[[dict[str, object]], object]) -> Change:
    def edit(path: Path) -> None:
        document = json.loads(path.read_text())
        document = change(document) or document
        path.write_text(json.dumps(document))

    return edit


def chosen(**changes: object) -> Change:
    return json_change(lambda document: document["chosen"].update(changes))  # type: ignore[attr-defined]


def column(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def edit(path: Path) -> None:
        table = pq.read_table(path)
        place = table.schema.get_field_index(name)
        values = change(table.column(name).to_numpy(zero_copy_only=False).copy())
        pq.write_table(table.set_column(place, name, pa.array(values)), path)

    return edit


def tensors(change: Callable[[dict[str, object]], object]) -> Change:
    def edit(path: Path) -> None:
        values = load_file(path)
        change(values)
        save_file(values, path)

    return edit


def arrays(change: Callable[[dict[str, np.ndarray]], object]) -> Change:
    def edit(path: Path) -> None:
        with np.load(path) as file:
            values = dict(file)
        change(values)
        np.savez(path, **values)

    return edit


LAST = "fc3.weight"
# Of these a reader can tell that something is wrong without a list of files.
MEANINGFUL: dict[str, dict[str, Change]] = {
    "config.json": {
        "list": lambda path: path.write_text("[]"), "no format": json_change(lambda d: d.pop("format") and None),
        "format as text": json_change(lambda d: d.update(format="2")),
        "true": json_change(lambda d: d.update(format=True)),
        "nothing chosen": json_change(lambda d: d.update(chosen=3)), "another model": chosen(model="alexnet"),
        "model of no kind": chosen(model=None), "size as text": chosen(size="28"), "root of no kind": chosen(root=[1]),
        "unknown option": chosen(model_options=["wings=2"]), "machine": chosen(machine="cpu"),
        "counts": chosen(train_pictures=3), "steps": chosen(steps="many"),
    },
    "classes.json": {
        "swapped": lambda path: path.write_text('{"0": "red", "1": "green", "2": "blue"}'),
        "doubled": lambda path: path.write_text('{"0": "blue", "1": "blue", "2": "red"}'),
        "one missing": lambda path: path.write_text('{"0": "blue", "1": "green"}'),
        "one more": lambda path: path.write_text('{"0": "blue", "1": "green", "2": "red", "3": "x"}'),
        "a gap": lambda path: path.write_text('{"0": "blue", "1": "green", "3": "red"}'),
        "list": lambda path: path.write_text('["blue", "green", "red"]'),
        "numbers": lambda path: path.write_text('{"0": 1, "1": 2, "2": 3}'),
        "null": lambda path: path.write_text("null"), "empty": lambda path: path.write_text("{}"),
    },
    "pictures.json": {
        "size": json_change(lambda d: d.update(size=64)), "text": json_change(lambda d: d.update(size="28")),
        "square": json_change(lambda d: d.update(square=28)), "channels": json_change(lambda d: d.update(channels=1)),
        "two channels": json_change(lambda d: d.update(channels=2)), "view": json_change(lambda d: d.update(view="x")),
        "mirrored": json_change(lambda d: d.update(tta="flip" if d["tta"] == "none" else "none")),
        "no view": json_change(lambda d: d.pop("view") and None), "more": json_change(lambda d: d.update(crop=1)),
        "decoding": json_change(lambda d: d.update(decoding=[])), "zero": json_change(lambda d: d.update(size=0)),
        "huge": json_change(lambda d: d.update(size=10**9)), "null": lambda path: path.write_text("null"),
    },
    "index.parquet": {
        "shifted labels": column("label", lambda v: np.roll(v, 1).astype(np.int32)),
        "labels beyond": column("label", lambda v: (v + 1).astype(np.int32)),
        "text labels": column("label", lambda v: v.astype(str)), "splits": column("split", lambda v: v + "x"),
        "no training": column("split", lambda v: np.where(v == "train", "val", v)),
        "paths": column("path", lambda v: np.roll(v, 1)),
        "no column": lambda path: pq.write_table(pq.read_table(path).drop(["path"]), path),
        "half": lambda path: pq.write_table(pq.read_table(path).slice(0, 18), path),
        "other table": lambda path: pq.write_table(pa.table({"a": [1]}), path),
    },
    "log.csv": {
        "no head": lambda path: path.write_text("\n".join(path.read_text().splitlines()[1:])),
        "words": lambda path: path.write_text(path.read_text().replace("28", "many")),
        "nan": lambda path: path.write_text(re.sub(r"0\.\d+", "nan", path.read_text(), count=1)),
        "order": lambda path: path.write_text("\n".join([(k := path.read_text().splitlines())[0], *k[:0:-1]])),
        "binary": lambda path: path.write_bytes(bytes(range(256))),
    },
    "model.safetensors": {
        "NaN": tensors(lambda t: t[LAST].view(-1)[:1].fill_(float("nan"))),  # type: ignore[attr-defined]
        "float16": tensors(lambda t: t.update({LAST: t[LAST].half()})),  # type: ignore[attr-defined]
        "shape": tensors(lambda t: t.update({LAST: t[LAST].T.contiguous()})),  # type: ignore[attr-defined]
        "rows": tensors(lambda t: t.update({LAST: t[LAST].flip(0).contiguous()})),  # type: ignore[attr-defined]
        "zeros": tensors(lambda t: t[LAST].zero_()),  # type: ignore[attr-defined]
        "one missing": tensors(lambda t: t.pop(LAST)), "renamed": tensors(lambda t: t.update({"x": t.pop(LAST)})),
        "mean": tensors(lambda t: t["mean"].add_(0.5)),  # type: ignore[attr-defined]
    },
    "predictions-val.parquet": {
        "shifted labels": column("label", lambda v: np.roll(v, 1)), "rows": column("row", lambda v: v + 1),
        "beyond": column("row", lambda v: v + 10_000), "negative": column("p:red", lambda v: -v),
        "NaN": column("p:red", lambda v: v * np.float32(np.nan)), "doubled": column("p:red", lambda v: v * 2),
        "columns renamed": lambda path: pq.write_table(
            (t := pq.read_table(path)).rename_columns([*t.column_names[:3], "p:red", "p:green", "p:blue"]), path
        ),
        "no column": lambda path: pq.write_table(pq.read_table(path).drop(["p:red"]), path),
        "empty": lambda path: pq.write_table(pq.read_table(path).slice(0, 0), path),
    },
    "metrics.json": {
        "list": lambda path: path.write_text("[1]"), "better": json_change(lambda d: d.update(accuracy=0.123)),
        "text": json_change(lambda d: d.update(accuracy="1.0")),
        "none": json_change(lambda d: d.pop("confusion") and None),
        "matrix": json_change(lambda d: d["confusion"].pop()),  # type: ignore[attr-defined]
        "names": json_change(lambda d: d["classes"].reverse()),  # type: ignore[attr-defined]
    },
    "judgement.json": {
        "list": lambda path: path.write_text("[1]"), "hotter": json_change(lambda d: d.update(temperature=1e9)),
        "text": json_change(lambda d: d.update(temperature="1.0")),
        "none": json_change(lambda d: d.pop("figures") and None), "more": json_change(lambda d: d.update(crop=1)),
        "of others": json_change(lambda d: d.update(made_from={"index.parquet": "0" * 64})),
        "names": json_change(lambda d: d["figures"]["classes"].reverse()),  # type: ignore[index]
    },
    "probe.npz": {
        "logits": arrays(lambda a: a.update(logits=a["logits"] + np.eye(3, dtype=np.float32)[0])),
        "fewer": arrays(lambda a: a.update(logits=a["logits"][:1])),
        "flat": arrays(lambda a: a.update(logits=a["logits"][0])),
        "float64": arrays(lambda a: a.update(aspects=a["aspects"].astype(float))),
        "NaN": arrays(lambda a: a.update(logits=a["logits"] * np.float32(np.nan))),
        "no squares": arrays(lambda a: a.pop("squares")), "aspects": arrays(lambda a: a.update(aspects=-a["aspects"])),
    },
}  # fmt: skip
FOLDER: Change = lambda path: (path.unlink(), path.mkdir())  # noqa: E731
ANYWHERE: dict[str, Change] = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "missing": lambda path: path.unlink(), "a folder": FOLDER,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}  # fmt: skip


def damages(name: str, count: int) -> dict[str, Change]:
    """What happens to files, the same every time."""
    damage = fuzzers_damage()

    def change(path: Path, number: int) -> None:
        data, _ = damage.damaged(name, 24, number, data=path.read_bytes(), other=b"0123456789" * 30)
        path.write_bytes(data)

    return {f"damage {number}": lambda path, number=number: change(path, number) for number in range(count)}


@pytest.mark.slow
@pytest.mark.parametrize("listed", [True, False])
def test_no_change_of_a_file_is_silent(place: Place, listed: bool):
    """Each file of a run, changed in every way, before every command that reads it: told in one line with status 2."""
    before = {}
    for name in COMMANDS:
        place.restore(listed=listed)
        answer(place, name)  # features that are computed now are only read later
        place.restore(listed=listed)
        before[name] = answer(place, name)
        assert before[name].status == 0, (name, before[name].said)
    counts: Counter[str] = Counter()
    wrong = []
    states = sorted(path.relative_to(place.whole).as_posix() for path in place.whole.glob("state/*"))
    files = [
        *(name for name in (*LISTED, *DERIVED) if (place.whole / name).exists()),
        *states,
    ]  # threads.json not always is
    assert len(files) >= len(LISTED)
    for file in [*files, MANIFEST] if listed else files:
        meant = MEANINGFUL.get(file, {})
        changes = meant | ANYWHERE | damages(file, 4)
        if listed:  # what is changed does not matter
            changes = dict(list(changes.items())[::2])
        for number, (told, change) in enumerate(changes.items()):
            names = [name for name in COMMANDS if name in QUICK or number % 16 == len(name) % 16]
            for name in names:
                place.restore(listed=listed)
                pristine = (place.run / file).read_bytes()
                change(place.run / file)
                if (place.run / file).is_file() and (place.run / file).read_bytes() == pristine:
                    continue
                try:
                    after = answer(place, name)
                except Exception as error:
                    wrong.append(f"{name} after {file} {told}: {type(error).__name__}: {error}")
                    continue
                counts[f"status {after.status}"] += 1
                reads = file.partition("/")[0] in READS[name] or file == MANIFEST
                reads = reads and file not in states[:-1]  # older than the newest, which is taken
                if after.status == 2 and not re.search(r"pictaxa: [^\n]+\n$", after.said):
                    wrong.append(f"{name} after {file} {told}: {after.said}")
                if after.status == 0 and differ(after, before[name], name) and not told_of(file, after):
                    seen = listed or told in meant
                    counts["silent"] += 1
                    if seen:
                        wrong.append(f"{name} after {file} {told}: another answer, and not a word")
                if listed and reads and after.status == 0 and told != "missing" and not told_of(file, after):
                    wrong.append(f"{name} after {file} {told}: nothing was told")
    print(dict(counts))
    assert not wrong, f"{len(wrong)} of {counts}:\n" + "\n".join(wrong)
