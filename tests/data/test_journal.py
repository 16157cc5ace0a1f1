from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pictaxa.data.journal import (
    GENERATION_BYTES,
    MAGIC,
    SCHEMA,
    append,
    new_generation,
    newest,
    pixels_of,
    places_of,
    read_journal,
    write_journal,
)


def records(*rows: tuple[str, int]) -> pa.Table:
    """(path, slot) of each."""
    blank = {
        "bytes": 1,
        "mtime_ns": 2,
        "sum": 3,
        "width": 4,
        "height": 5,
        "hash": "h",
        "problem": "",
        "problem_kind": "",
    }
    return pa.Table.from_pylist([{"path": path, "slot": slot} | blank for path, slot in rows], schema=SCHEMA)


def write(path: Path, *parts: pa.Table) -> None:
    if not path.exists() or not path.stat().st_size:
        write_journal(path, bytes(8), SCHEMA.empty_table())
    for part in parts:
        with path.open("ab") as file:
            append(file, part)


def test_what_is_written_is_read(tmp_path: Path):
    """Records of several openings come back as one table in their order; no file is no records."""
    parts = [records(("a", 0), ("b", 1)), records(), records(("花/ü.jpg", -1))]
    assert read_journal(tmp_path / "journal").records.num_rows == 0
    write(tmp_path / "journal", *parts)
    journal = read_journal(tmp_path / "journal")
    assert journal.pixels == "pixels-0000000000000000.u8"
    assert journal.records.equals(pa.concat_tables(parts).combine_chunks())


def test_another_generation_takes_the_place_of_the_first(tmp_path: Path):
    """In one step, with the records that it is given, and a name that no other has had."""
    path, names = tmp_path / "journal", set()
    for slot in range(3):
        write_journal(path, new_generation(), records(("a", slot)))
        journal = read_journal(path)
        names.add(journal.pixels)
        assert journal.records["slot"].to_pylist() == [slot]
    assert len(names) == 3 and list(tmp_path.iterdir()) == [path]


def test_a_journal_is_believed_up_to_the_first_damage(tmp_path: Path):
    """Cut at any byte, or with any byte changed, it gives whole records from the front and can be added to.

    With another generation's name, its records are of a pixel file that is not there.
    """
    path, parts = tmp_path / "journal", [records((f"{n}", n)) for n in range(3)]
    write(path, *parts)
    whole = path.read_bytes()
    for place in np.random.default_rng(0).permutation(len(whole))[:200]:
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :]):
            path.write_bytes(damaged)
            journal = read_journal(path)
            if len(damaged) == len(whole) and len(MAGIC) <= place < len(MAGIC) + GENERATION_BYTES:
                assert journal.pixels != pixels_of(bytes(GENERATION_BYTES))
                continue
            good = journal.records
            assert good.num_rows < 3 and good["slot"].to_pylist() == list(range(good.num_rows))
            write(path, records(("more", 9)))
            assert read_journal(path).records["path"].to_pylist() == [*good["path"].to_pylist(), "more"]


@pytest.mark.parametrize(
    ("written", "slots", "believed"),
    [
        ([("a", 0), ("b", 1)], 2, [("a", 0), ("b", 1)]),
        ([("a", 0), ("a", 1)], 2, [("a", 1)]),  # decoded again
        ([("a", 0), ("b", 1)], 1, [("a", 0)]),  # the pixel file was cut
        ([("a", 0), ("a", 1)], 1, []),  # its newest square is gone; the older one is of an older file
        ([("a", 0), ("b", 0)], 1, [("b", 0)]),  # given away anew
        ([("a", 0), ("b", 0), ("b", 1)], 2, [("b", 1)]),  # b changed; slot 0 holds the older b, not a
        ([("a", -1), ("b", -1), ("c", 0)], 1, [("a", -1), ("b", -1), ("c", 0)]),  # not decoded, all of them
        ([("a", 0), ("a", -1)], 1, [("a", -1)]),
    ],
)
def test_the_newest_of_each_path(written: list[tuple[str, int]], slots: int, believed: list[tuple[str, int]]):
    """A record counts when none of its path and none of its slot came after it, and its slot is in the pixel file."""
    found = newest(records(*written), slots=slots)
    assert list(zip(found["path"].to_pylist(), found["slot"].to_pylist(), strict=True)) == believed


def test_paths_are_found():
    """The place of each path among the records, and -1 where it has none."""
    assert places_of(pa.chunked_array([["b", "x"], ["a"]]), records(("a", 0), ("b", 1))).tolist() == [1, -1, 0]
