from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pictaxa
from pictaxa.cli.main import main
from pictaxa.data.index import index_from_columns
from pictaxa.errors import ConfigError, SettingError
from pictaxa.inspection.findings import Doubt, Finding
from pictaxa.inspection.review import Applied, Review, apply_review, doubted, read_review, review_line

Make = Callable[..., Path]
INDEX = index_from_columns(
    {
        "path": ["a.png", "b.png", "c.png", "d.png"], "label": [0, 1, 0, 1], "bytes": [1] * 4, "mtime_ns": [1] * 4,
        "hash": ["1", "2", "3", "4"],
    },
    root=Path("photos"), classes=("cat", "dog"),
)  # fmt: skip


def saved(path: Path, decisions: list[dict[str, Any]], **others: Any) -> Path:
    """A file as the page saves it."""
    path.write_text(json.dumps({"kind": "pictaxa label review", "format": 1, "decisions": decisions} | others))
    return path


def decision(path: str, digest: str, given: str, label: str | None) -> dict[str, Any]:
    """One of its decisions."""
    return {"path": path, "hash": digest, "given": given, "label": label}


def test_each_decision_is_applied(tmp_path: Path):
    """A label is changed, confirmed, its picture left out; what is no more what it was is passed over."""
    file = saved(
        tmp_path / "reviewed.json",
        [
            decision("a.png", "1", "cat", "dog"), decision("b.png", "2", "dog", "dog"),
            decision("c.png", "3", "cat", None), decision("d.png", "other", "dog", "cat"),
            decision("gone.png", "5", "dog", "cat"),
        ],
    )  # fmt: skip
    applied = apply_review(INDEX, read_review(file))
    assert applied.labels.tolist() == [1, 1, 0, 1] and applied.left_out == {2}
    assert (applied.kept, applied.changed, applied.passed_over) == (1, 1, 2)
    assert "1 labels changed, 1 confirmed, 1 pictures left out; 2 passed over" in review_line(applied)
    assert "passed over" not in review_line(Applied(applied.labels, set(), 1, 0, 0))


def test_a_label_that_changed_since_is_passed_over():
    """A decision is about a picture with this label."""
    review = Review("pictaxa label review", 1, (read_decision("a.png", "1", "dog", "dog"),))
    assert apply_review(INDEX, review).passed_over == 1


def read_decision(*words: str) -> Any:
    """A Decision."""
    from pictaxa.inspection.review import Decision

    return Decision(*words)


def test_a_class_that_is_none_is_told():
    """With close ones; nothing is invented."""
    review = Review("pictaxa label review", 1, (read_decision("a.png", "1", "cat", "dgo"),))
    with pytest.raises(ConfigError, match="dog"):
        apply_review(INDEX, review)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"kind": "pictaxa label review"}', "[" * 100_000,
        '{"kind": "other", "format": 1, "decisions": []}',
        '{"kind": "pictaxa label review", "format": 2, "decisions": []}',
        '{"kind": "pictaxa label review", "format": 1, "decisions": [{"path": 1}]}',
        '{"kind": "pictaxa label review", "format": 1, "decisions": [{"path": "", "hash": "", "given": "", "label": 3}]}',  # noqa: E501
        '{"kind": "pictaxa label review", "format": 1, "decisions": [], "more": 1}',
        json.dumps(
            {"kind": "pictaxa label review", "format": 1, "decisions": [decision("a.png", "1", "cat", "dog")] * 2}
        ),
    ],
)  # fmt: skip
def test_a_strangers_file_is_one_line(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]):
    """Whatever is in it: no traceback, and nothing is written."""
    file = tmp_path / "reviewed.json"
    file.write_text(text)
    out = tmp_path / "good.csv"
    assert main(["inspect", str(tmp_path), "--reviewed", str(file), "--fix", str(out)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1 and not out.exists()
    with pytest.raises(ConfigError):
        read_review(file)


def test_a_file_that_is_not_there(tmp_path: Path):
    """It is told by its name."""
    with pytest.raises(ConfigError, match=r"none\.json"):
        read_review(tmp_path / "none.json")


def test_the_strongest_doubt_comes_first():
    """Of two findings about a picture the stronger doubt counts."""
    weak, strong, middle = Doubt(1, 0.6, 0.4), Doubt(1, 0.9, 0.05), Doubt(0, 0.7, 0.2)
    first = Finding("label", "", rows=(0, 1), doubts={0: weak, 1: middle})
    second = Finding("label", "", rows=(0,), doubts={0: strong})
    assert doubted([first, second]) == {0: strong, 1: middle} and list(doubted([first, second])) == [0, 1]


def test_flags_that_need_each_other(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """What is missing is told before the work, on the command line and in Python."""
    data = make_photos(tmp_path / "photos", {"red": 2, "green": 2})
    assert main(["inspect", str(data), "--review", str(tmp_path / "a.html")]) == 2
    assert "--run or --folds" in capsys.readouterr().err
    assert main(["inspect", str(data), "--reviewed", str(tmp_path / "a.json")]) == 2
    assert "--fix" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="run or folds"):
        pictaxa.inspect(data, review=tmp_path / "a.html")
    with pytest.raises(ConfigError, match="fix"):
        pictaxa.inspect(data, reviewed=tmp_path / "a.json")
    with pytest.raises(SettingError):
        pictaxa.inspect(data, reviewed=3, fix=tmp_path / "a.csv")


def test_reviewed_labels_are_trained_on(tmp_path: Path, make_photos: Make):
    """The manifest has them, pictures that were left out are not in it, and no file is touched."""
    data = make_photos(tmp_path / "photos", {"red": 3, "green": 3})
    before = {path: path.read_bytes() for path in data.rglob("*.png")}
    inspection = pictaxa.inspect(data)
    hashes = dict(zip(inspection.index.column("path"), inspection.index.column("hash"), strict=True))
    file = saved(
        tmp_path / "reviewed.json",
        [
            decision("red/0.png", hashes["red/0.png"], "red", "green"),
            decision("green/1.png", hashes["green/1.png"], "green", None),
        ],
    )
    pictaxa.inspect(data, reviewed=file, fix=tmp_path / "good.csv")
    rows = list(csv.DictReader((tmp_path / "good.csv").read_text().splitlines()))
    labels = {Path(row["path"]).relative_to(data).as_posix(): row["label"] for row in rows}
    assert labels["red/0.png"] == "green" and labels["red/1.png"] == "red" and "green/1.png" not in labels
    assert len(labels) == 5 and before == {path: path.read_bytes() for path in data.rglob("*.png")}
