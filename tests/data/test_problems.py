"""data/problems.py, and with it every kind of problem: from a damaged file to the index, the journal and a run."""

from __future__ import annotations

import json
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pictaxa.cli.main import main
from pictaxa.data.cache import build_cache
from pictaxa.data.index import Index, index_from_columns
from pictaxa.data.journal import append, read_journal
from pictaxa.data.problems import KIND, KIND_TYPE, SENTENCE, kind_column, kinds_of_sentences, problem_columns
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec
from pictaxa.errors import Problem, ProblemKind, RunError
from pictaxa.inference.loading import load
from pictaxa.judge.evaluate import evaluate_run
from pictaxa.judge.evaluation import as_json
from pictaxa.runs.folder import open_run
from pictaxa.runs.manifest import remove_manifest
from pictaxa.runs.records import read_index

SPEC = CacheSpec(side=16, channels=3)

# Each kind's picture; the sentence is what a run folder or a cache of the version before kinds has of it.
PICTURES: dict[ProblemKind, tuple[str, str]] = {
    ProblemKind.UNREADABLE: ("gone.png", "unreadable: No such file or directory"),
    ProblemKind.EMPTY: ("empty.png", "empty file"),
    ProblemKind.NOT_A_PICTURE: ("page.jpg", "not a picture of a known format: a web page"),
    ProblemKind.UNSUPPORTED: (
        "two.tif", "a TIFF with 2 16-bit channels: only grey and RGB can be read, with or without transparency",
    ),
    ProblemKind.TRUNCATED: ("cut.png", "truncated: one of its chunks is truncated"),
    ProblemKind.DAMAGED: ("changed.png", "damaged: a chunk's checksum is wrong"),
    ProblemKind.BOMB: ("huge.png", "decompression bomb: 60000 x 60000 pixels, more than "),
    ProblemKind.NO_PATH: ("", "it has no path"),
    ProblemKind.REMOTE: ("https://example.org/a.png", "a URL: download it first"),
    ProblemKind.NO_LABEL: ("red/10.png", "it has no label"),
    ProblemKind.UNKNOWN_LABEL: ("red/11.png", "train has no class of its label"),
    ProblemKind.SEVERAL_LABELS: ("blue/11.png", "it has several labels: blue, red"),
}  # fmt: skip
DECODED = tuple(kind for kind, (name, _) in PICTURES.items() if "." in name and "/" not in name and name != "gone.png")


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def damage(folder: Path) -> None:
    """Files that are each damaged in their own way."""
    whole = (folder / "red" / "0.png").read_bytes()
    place = whole.index(b"IDAT") + 20
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = png_chunk(b"IHDR", head) + png_chunk(b"IDAT", zlib.compress(bytes(100))) + png_chunk(b"IEND", b"")
    # Width, height, two times 16 bits, black is zero, two channels, the second of no known meaning.
    tags = ((256, 1, 9), (257, 1, 9), (258, 2, 16 << 16 | 16), (262, 1, 1), (277, 1, 2), (338, 1, 0))
    entries = b"".join(struct.pack("<HHII", tag, 3, count, value) for tag, count, value in tags)
    files = {
        "empty.png": b"", "page.jpg": b"<!doctype html><p>404</p>", "cut.png": whole[: len(whole) // 2],
        "changed.png": whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
        "huge.png": b"\x89PNG\r\n\x1a\n" + bomb,
        "two.tif": b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4),
    }  # fmt: skip
    for name, data in files.items():
        (folder / name).write_bytes(data)


def region(name: str, *, split: str = "train", **label: object) -> dict[str, object]:
    return {"filename": name, "file_attributes": {**label, "split": split}, "regions": []}


@dataclass(frozen=True)
class Material:
    """A table with a picture of each kind of problem, and what was made of it."""

    table: Path
    cache: Path
    run: Path
    index: Index  # after decoding

    def row(self, kind: ProblemKind) -> int:
        return int(np.flatnonzero(self.index.column("path") == PICTURES[kind][0])[0])


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory, make_photos: Callable[..., Path]) -> Material:
    folder = tmp_path_factory.mktemp("problems")
    data = make_photos(folder / "photos", {"red": 12, "blue": 12})
    damage(data)
    rows = [region(f"{name}/{n}.png", label=name) for name in ("red", "blue") for n in range(10)]
    for kind, (name, _) in PICTURES.items():
        split = "test" if kind is ProblemKind.UNKNOWN_LABEL else "train"
        label: object = {ProblemKind.UNKNOWN_LABEL: "zebra", ProblemKind.NO_LABEL: ""}.get(kind, "red")
        if kind is ProblemKind.SEVERAL_LABELS:
            label = {"blue": True, "red": True}
        rows.append(region(name, split=split, label=label))
    table = data / "via.json"
    table.write_text(json.dumps({str(number): row for number, row in enumerate(rows)}))
    index, decoded = build(table, folder / "cache")
    assert decoded == 20 + len(DECODED)
    places = ["--cache", str(folder / "other"), "--out", str(folder / "run")]
    assert main(["train", str(table), "--model", "lenet5", "--size", "28", "--epochs", "1", *places]) == 0
    return Material(table, folder / "cache", folder / "run", index)


def build(table: Path, cache: Path) -> tuple[Index, int]:
    """The index after decoding, and how many pictures were decoded for it."""
    counts = [0]
    _, index = build_cache(
        read_data(table), SPEC, root=cache, threads=1, progress=lambda done, total: counts.append(total)
    )
    return index, counts[-1]


@pytest.mark.parametrize("kind", ProblemKind)
def test_each_kind_is_found_and_kept(material: Material, kind: ProblemKind):
    """From a damaged file, or a row that lacks something; from the journal, and from a run's index, the same again."""
    name, sentence = PICTURES[kind]
    problem = material.index.problem(material.row(kind))
    assert problem is not None and problem.kind is kind and str(problem).startswith(sentence)
    assert np.flatnonzero(material.index.of_kind(kind)).tolist() == [material.row(kind)]
    again, decoded = build(material.table, material.cache)
    kept = read_index(open_run(material.run))
    for index in (again, kept):
        assert dict(index.set_aside())[name] == problem and not index.usable[material.row(kind)]
    assert decoded == 0


def test_what_has_no_problem_has_none(material: Material):
    """The other pictures are usable, and all that is set aside is one of each kind."""
    aside = material.index.set_aside()
    assert {problem.kind for _, problem in aside} == set(ProblemKind) and len(aside) == len(ProblemKind)
    assert material.index.usable.sum() == 20 and material.index.problem(0) is None
    assert material.index.of_kind(*ProblemKind).sum() == len(ProblemKind)


@pytest.mark.parametrize("kind", DECODED)
def test_a_prediction_has_the_kind(material: Material, kind: ProblemKind):
    """Of a file that can't be decoded, with the same sentence as training's."""
    (prediction,) = load(material.run, device="cpu").predict(material.table.parent / PICTURES[kind][0])
    problem = material.index.problem(material.row(kind))
    assert prediction.problem_kind is kind and problem == Problem(kind, prediction.problem)


def test_an_evaluation_has_the_kinds(material: Material):
    """Each picture that is set aside with its kind, in the document for programs too."""
    evaluation = evaluate_run(material.run, material.table)
    told = {
        Path(entry["path"]).name: entry["problem_kind"]
        for entry in json.loads(json.dumps(as_json(evaluation)))["set_aside"]
    }
    expected = {Path(PICTURES[kind][0]).name or "photos": kind.value for kind in ProblemKind}
    assert told == expected


# ---- what the version before wrote, which has the sentences alone


def test_a_run_without_kinds_is_read(material: Material, tmp_path: Path):
    """Its index gets the kinds that its sentences had: the table is that of a new run."""
    run = open_run(shutil.copytree(material.run, tmp_path / "run"))
    whole = read_index(run)
    assert set(whole.table.column(KIND).to_pylist()) == {"", *ProblemKind}
    remove_manifest(run.path)
    pq.write_table(whole.table.drop([KIND]), run.index_path)
    assert read_index(run).table.equals(whole.table)


def test_a_cache_without_kinds_is_read(material: Material, tmp_path: Path):
    """Nothing is decoded again but what changed, and what is added then is found the next time."""
    root = shutil.copytree(material.cache, tmp_path / "cache")
    (journal,) = root.glob("*/journal")
    old = journal.read_bytes()
    records = read_journal(journal).records
    with journal.open("wb") as file:
        file.write(b"pictaxa\x04" + old[8:16])
        append(file, records.drop([KIND]))
    index, decoded = build(material.table, root)
    assert decoded == 0 and index.table.equals(material.index.table)
    assert read_journal(journal).records.equals(records)


@pytest.mark.parametrize("kind", ProblemKind)
def test_an_older_sentence_has_its_kind(kind: ProblemKind):
    """Among others, and never by a word in its middle; a sentence that nobody knows is of a damaged picture."""
    sentences = ["", PICTURES[kind][1], "something else", f"about {PICTURES[kind][1]}", PICTURES[kind][1], ""]
    others = [ProblemKind.DAMAGED.value] * 2
    assert kinds_of_sentences(pa.array(sentences)).to_pylist() == ["", kind, *others, kind, ""]
    assert kinds_of_sentences(pa.chunked_array([sentences[:2], sentences[2:]])).to_pylist()[1] == kind


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("its row has no bytes", ProblemKind.EMPTY),
        ("not a picture of a known format", ProblemKind.NOT_A_PICTURE),
        ("not a picture: an array of shape (2,), type uint8", ProblemKind.NOT_A_PICTURE),
        ("not pictures: values of type <U3", ProblemKind.NOT_A_PICTURE),
        ("a DICOM file without a picture that is read (modality SR, colours none)", ProblemKind.UNSUPPORTED),
        ("no longer complete in its shard", ProblemKind.TRUNCATED),
        ("the run has no class of its label", ProblemKind.UNKNOWN_LABEL),
        ("unreadable: a named pipe, not a file", ProblemKind.UNREADABLE),
        ("unreadable: truncated", ProblemKind.UNREADABLE),
    ],
)
def test_other_sentences_of_the_same_kinds(sentence: str, kind: ProblemKind):
    """Whatever else was written of a kind."""
    assert kinds_of_sentences(pa.array([sentence])).to_pylist() == [kind]


# ---- columns


def test_a_million_kinds_are_a_megabyte():
    """A byte for each picture, whatever the kinds are called; the same codes whichever of them there are."""
    names = np.array(["", "bomb", "truncated"])[np.arange(1_000_000) % 3]
    column = kind_column(pa.array(names))
    assert column.type == KIND_TYPE and column.nbytes < 1_001_000 and column[4].as_py() == "bomb"
    assert kind_column(["bomb"]).indices.to_pylist() == [column.indices[1].as_py()]
    assert kind_column(column[1:2].dictionary_decode().dictionary_encode()).equals(column[1:2])
    assert kind_column([]).to_pylist() == []


def test_a_kind_that_there_is_not():
    """It is named, in a run's index as an error of that run."""
    for kinds in (["", "lost"], pa.array(["lost"]), pa.chunked_array([["empty"], ["lost"]])):
        with pytest.raises(ValueError, match="'lost'"):
            kind_column(kinds)
    with pytest.raises(ValueError, match="None"):
        kind_column(pa.array([None], pa.string()))


@pytest.mark.parametrize("harm", ["unknown", "kind alone", "sentence alone", "no sentences"])
def test_a_run_whose_problems_are_no_problems(material: Material, tmp_path: Path, harm: str):
    """A kind that there is not, a kind without a sentence, and a sentence without a kind: an error of the run."""
    run = open_run(shutil.copytree(material.run, tmp_path / "run"))
    table = read_index(run).table
    row = material.row(ProblemKind.EMPTY)
    columns = {name: table.column(name).to_pylist() for name in (SENTENCE, KIND)}
    if harm == "unknown":
        columns[KIND][row] = "lost"
    elif harm == "kind alone":
        columns[SENTENCE][row] = ""
    elif harm == "sentence alone":
        columns[KIND][row] = ""
    for name, values in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.string()))
    remove_manifest(run.path)
    pq.write_table(table.drop([SENTENCE]) if harm == "no sentences" else table, run.index_path)
    with pytest.raises(RunError, match=r"problem"):
        read_index(run)


def test_an_index_by_hand():
    """Problems are put in and taken out; parts of an Index keep theirs, and several chunks are one column."""
    empty = Problem(ProblemKind.EMPTY, "empty file")
    columns = {"path": ["a", "b", "c"], "label": [0, 1, 0], "bytes": [1] * 3, "mtime_ns": [1] * 3}
    index = index_from_columns(columns, root=Path("x"), classes=("m", "n")).with_problems([None, empty, None])
    assert index.usable.tolist() == [True, False, True] and index.set_aside() == [("b", empty)]
    part = index.take(np.array([1, 0]))
    assert part.problem(0) == empty and part.problem(1) is None
    twice = Index(index.root, index.classes, pa.concat_tables([index.table, part.table]))
    assert twice.usable.tolist() == [True, False, True, False, True]
    assert twice.of_kind(ProblemKind.EMPTY, ProblemKind.BOMB).tolist() == [False, True, False, True, False]
    assert index.take(np.array([], dtype=np.int64)).usable.tolist() == []
    assert problem_columns([empty, None])[KIND].to_pylist() == ["empty", ""]
    with pytest.raises(AssertionError, match="kind and its sentence"):
        index_from_columns({**columns, "problem": ["", "x", ""]}, root=Path("x"), classes=("m", "n"))
