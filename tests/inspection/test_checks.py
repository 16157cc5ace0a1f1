from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pictaxa.data.index import Index, index_from_columns
from pictaxa.errors import Problem, ProblemKind
from pictaxa.images.decode import Header
from pictaxa.inspection.alike import Pair
from pictaxa.inspection.checks import Facts, check, connected
from pictaxa.inspection.findings import KINDS, Finding, dropped_rows
from pictaxa.inspection.quality import Quality, measure_quality


def an_index(rows: int = 40, **columns: object) -> Index:
    """Two classes in turn, all in train, all different and fine, but for the columns given."""
    whole: dict[str, object] = {
        "path": [f"{number}.jpg" for number in range(rows)],
        "label": np.arange(rows) % 2,
        "split": ["train"] * rows,
        "bytes": [1] * rows,
        "mtime_ns": [1] * rows,
        "width": [100] * rows,
        "height": [80] * rows,
        "hash": [f"h{number}" for number in range(rows)],
    }
    return index_from_columns(whole | columns, root=Path(), classes=("a", "b"))


def kinds(facts: Facts) -> dict[str, Finding]:
    return {finding.kind: finding for finding in check(facts)}


def changed(values: list[object], **places: object) -> list[object]:
    return [places.get(f"at{number}", value) for number, value in enumerate(values)]


def test_nothing_is_wrong_with_fine_pictures():
    """No finding at all."""
    assert check(Facts(an_index())) == []


def test_what_could_not_be_decoded():
    """By the kind of problem, with each picture's own words, which decide nothing."""
    problems: list[Problem | None] = [None] * 40
    for row, kind in enumerate(ProblemKind):
        problems[row] = Problem(kind, f"truncated words about {row}")
    found = kinds(Facts(an_index().with_problems(problems)))
    assert {kind: finding.rows for kind, finding in found.items()} == {
        "unreadable": (0, 1, 2, 3, 5, 7, 8), "truncated": (4,), "bomb": (6,), "unlabelled": (9, 10, 11),
    }  # fmt: skip
    assert found["truncated"].notes == {4: "truncated words about 4"}


def test_copies_by_their_consequence():
    """Within a class, across classes, across splits; both at once is both."""
    hashes = changed([f"h{n}" for n in range(40)], at2="h0", at4="h0", at5="h1", at7="h6", at9="h8", at11="h10")
    splits = changed(["train"] * 40, at5="val", at9="val")
    found = kinds(Facts(an_index(hash=hashes, split=splits)))
    assert found["duplicate"].sets == ((0, 2, 4),)
    assert found["leak"].sets == ((1, 5), (8, 9)) and found["contradiction"].sets == ((6, 7), (8, 9), (10, 11))
    assert dropped_rows(found.values(), splits) == {2, 4, 1, 6, 7, 8, 9, 10, 11}


def test_near_copies_by_their_consequence():
    """The same three, from pairs; what is exactly the same is no near copy."""
    hashes = changed([f"h{n}" for n in range(40)], at21="h20")
    pairs = (Pair(0, 2, 0.99, False), Pair(2, 4, 0.95, True), Pair(6, 7, 0.94, False), Pair(20, 21, 1.0, False))
    found = kinds(Facts(an_index(hash=hashes), pairs=pairs))
    assert found["near-duplicate"].sets == ((0, 2, 4),) and found["near-contradiction"].sets == ((6, 7),)
    assert "mirrored" in found["near-duplicate"].notes[4]
    assert connected([(5, 1), (2, 3), (1, 2)]) == [(1, 2, 3, 5)]
    assert connected([(9, 4), (7, 0), (3, 9)]) == [(0, 7), (3, 4, 9)] and connected([]) == []


def test_groups_that_are_split_apart():
    """A group in train and val is one finding with all of its rows."""
    groups = [""] * 10 + ["one"] * 10 + ["two"] * 20
    splits = ["train"] * 15 + ["val"] * 5 + ["test"] * 20
    assert kinds(Facts(an_index(group=groups, split=splits)))["group-leak"].sets == (tuple(range(10, 20)),)


def test_shapes():
    """Far from the others in size or aspect, and far below the size to train at."""
    width = changed([100] * 40, at1=1000, at2=400, at3=20)
    height = changed([80] * 40, at1=800, at2=20, at3=16)
    found = kinds(Facts(an_index(width=width, height=height), size=64))
    assert found["size"].rows == (1, 3) and found["aspect"].rows == (2,) and found["tiny"].rows == (3,)
    assert found["aspect"].notes == {2: "400 x 20 px"}


def test_headers():
    """Suffixes that lie, modes unlike most, pictures to be turned."""
    headers = {row: Header("JPEG", "RGB", 1) for row in range(40)}
    headers |= {1: Header("PNG", "RGB", 1), 2: Header("MPO", "RGB", 1), 3: Header("JPEG", "CMYK", 6)}
    found = kinds(Facts(an_index(), headers=headers))
    assert found["suffix"].notes == {1: "is PNG"} and found["modes"].notes == {3: "CMYK"}
    assert found["rotated"].rows == (3,)


def test_looks():
    """Dark, bright, flat, empty, blurred and grey pictures, worst first, each under the worst name."""
    rows = 40
    quality = Quality(*(np.full(rows, value, dtype=np.float32) for value in (0.5, 0.6, 1.2, 0.1)))
    for name, row, value in (
        ("brightness", 0, 0.05), ("brightness", 1, 0.01), ("brightness", 2, 0.95), ("contrast", 3, 0.1),
        ("contrast", 4, 0.01), ("sharpness", 5, 0.3), ("colour", 6, 0.0), ("brightness", 4, 0.0),
    ):  # fmt: skip
        getattr(quality, name)[row] = value
    found = kinds(Facts(an_index(), quality=quality, looked=np.arange(rows)))
    told = {kind: finding.rows for kind, finding in found.items()}
    assert told == {"uniform": (4,), "dark": (1, 0), "bright": (2,), "contrast": (3,), "blurred": (5,), "grey": (6,)}


def test_tiny_pictures_are_not_called_blurred():
    """Of 8 pixels no tile shows whether the picture is sharp."""
    quality = Quality(*(np.full(40, value, dtype=np.float32) for value in (0.5, 0.6, 0.3, 0.1)))
    small = an_index(width=[8] * 40, height=[8] * 40)
    assert "blurred" not in kinds(Facts(small, quality=quality, looked=np.arange(40), side=8))


def test_classes():
    """Few pictures, and very different numbers of them."""
    labels = np.array([0] * 37 + [1] * 3)
    found = kinds(Facts(an_index(label=labels)))
    assert "b 3" in found["small"].text and "a has 37 pictures, b 3" in found["imbalance"].text


def test_quality_of_made_pictures():
    """Black, white, grey, noise and the same noise softened are told apart by their numbers."""
    noise = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    soft = torch.nn.functional.avg_pool2d(noise.permute(2, 0, 1).float()[None], 9, stride=1, padding=4)
    squares = torch.stack([
        torch.zeros(64, 64, 3, dtype=torch.uint8), torch.full((64, 64, 3), 255, dtype=torch.uint8), noise,
        soft[0].permute(1, 2, 0).to(torch.uint8), noise[..., :1].expand(64, 64, 3),
    ])  # fmt: skip
    quality = measure_quality(squares)
    assert quality.brightness[:3] == pytest.approx([0.0, 1.0, 0.5], abs=0.02)
    assert quality.contrast[:2] == pytest.approx([0.0, 0.0]) and quality.contrast[2] > 0.6
    assert quality.sharpness[3] < 0.5 < quality.sharpness[2]
    assert quality.colour[4] == pytest.approx(0.0, abs=1e-6) and quality.colour[2] > 0.1


def test_every_kind_has_words():
    """A title and an advice in whole sentences."""
    for name, kind in KINDS.items():
        assert kind.title and kind.advice.endswith("."), name
