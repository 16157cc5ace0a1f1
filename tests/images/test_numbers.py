"""images/numbers.py, decoding.py: numbers to bytes, by one range for a set."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pictaxa.errors import RunError
from pictaxa.images.decoding import ANY, AS_EARLIER, PLAIN, Decoding, Level
from pictaxa.images.numbers import Numbers, find_levels, to_bytes
from pictaxa.runs.typed import typed

TYPES = ("uint16", "int16", "uint32", "int32", "float32", "float64")


def shown(values: list[float], kind: str, decoding: Decoding = PLAIN, **more: object) -> list[int]:
    """A row of numbers as bytes."""
    numbers = Numbers(np.array([values], dtype=kind), **more)
    row: list[int] = np.asarray(to_bytes(numbers, decoding))[0].tolist()
    return row


def test_one_range_for_a_set():
    """A dim and a bright picture stay dim and bright: 40 of 900 is 11, 900 is white."""
    dim, bright = (Numbers(np.array([[0, top]], dtype=np.float32)) for top in (40.0, 900.0))
    (level,) = find_levels([dim, bright])
    assert level == Level("float", 0.0, 900.0) and find_levels([dim, bright])[level] == 2
    decoding = Decoding(levels=(level,))
    assert shown([0, 40], "float32", decoding) == [0, 11] and shown([0, 900], "float32", decoding) == [0, 255]
    assert shown([1800, -3], "float32", decoding) == [255, 0], "what is beyond the range is its end"


@pytest.mark.parametrize(
    ("kind", "low", "high", "level"),
    [
        ("uint16", 3, 4000, (0, 4095)), ("uint16", 0, 4095, (0, 4095)), ("uint16", 0, 4096, (0, 8191)),
        ("uint16", 9, 65535, (0, 65535)), ("uint16", 0, 200, (0, 255)), ("uint16", 0, 0, (0, 65535)),
        ("uint32", 0, 4_000_000_000, (0, 2**32 - 1)), ("int16", -1000, 2000, (-1000, 2000)), ("int16", 3, 90, (0, 90)),
        ("float32", 0, 0.9, (0, 1)), ("float32", 0.1, 254, (0, 255)), ("float64", 0, 60000, (0, 65535)),
        ("float32", 0, 900, (0, 900)), ("float32", -2, 2, (-2, 2)), ("float32", 0, 0.04, (0, 0.04)),
        ("float32", 0, 0, (0, 1)), ("float32", -3, -3, (-3, -2)),
    ],
)  # fmt: skip
def test_what_is_found(kind: str, low: float, high: float, level: tuple[float, float]):
    """The bits that a set uses; of fractions what programs multiply by, or their own highest; black at 0 or below."""
    (found,) = find_levels([Numbers(np.array([[low, high]], dtype=kind))])
    assert (found.black, found.white) == pytest.approx(level)


def test_kinds_have_ranges_of_their_own():
    """Fractions among 16-bit pictures don't become black; what the file declares counts for nobody else."""
    files = [Numbers(np.array([[0, 4000]], dtype=np.uint16)), Numbers(np.array([[0, 0.8]], dtype=np.float32))]
    declared = Numbers(np.array([[0, 60000]], dtype=np.uint16), white=65535.0)
    decoding = Decoding(levels=tuple(find_levels([*files, declared])))
    assert shown([4095], "uint16", decoding) == [255] and shown([0.5], "float64", decoding) == [128]
    assert shown([512], "uint16", decoding, white=1023.0) == [128]


def test_what_is_declared_wins():
    """--white-level and --black-level hold for all kinds, and over what files declare."""
    decoding = Decoding(levels=(Level(ANY, -100, 400),))
    assert shown([-100, 150, 400, 900], "int16", decoding) == [0, 128, 255, 255]
    assert shown([400], "uint16", decoding, white=65535.0) == [255]


def test_numbers_that_the_training_has_not_seen():
    """16 bits and fractions up to 1 say by themselves which is white; others are refused, and not guessed."""
    known = Decoding(levels=())
    assert shown([0, 257, 65535], "uint16", known) == [0, 1, 255]
    assert shown([0, 0.5, 1], "float32", known) == [0, 128, 255]
    for kind, top in (("float32", 900), ("uint32", 70_000), ("int16", 90)):
        with pytest.raises(ValueError, match="the training pictures had no such values"):
            shown([0, top], kind, known)
    assert shown([0, 900], "float32") == [0, 255], "nothing is known of a set: its own range"


def test_negatives_and_transparency():
    """The lowest number of a negative is white; what is transparent becomes white, half of it half so."""
    assert shown([0, 4095], "uint16", negative=True) == [255, 0]
    assert shown([0, 0, 65535], "uint16", opacity=np.array([[1, 0.5, 0]])) == [0, 128, 255]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(value: float):
    """They are refused wherever they stand, in every way of scaling."""
    for decoding in (PLAIN, Decoding(levels=()), Decoding(levels=(Level(ANY, 0, 1),))):
        with pytest.raises(ValueError, match="not finite"):
            shown([0, value, 1], "float32", decoding)


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(st.sampled_from(TYPES), st.integers(0, 2**31), st.booleans(), st.booleans())
def test_bytes_follow_the_numbers(kind: str, seed: int, colour: bool, negative: bool):
    """For every type: brighter numbers never give darker bytes, each within half a step of where it belongs."""
    draws = np.random.default_rng(seed)
    span = (-300, 300) if kind.startswith(("i", "f")) else (0, 5000)
    values = draws.uniform(*span, (6, 5, 3) if colour else (6, 5)).astype(kind)
    level = Level(ANY, *sorted(draws.choice(np.arange(span[0], span[1] + 1), 2, replace=False).tolist()))
    found = np.asarray(to_bytes(Numbers(values, negative=negative), Decoding(levels=(level,))))
    part = ((values.astype(np.float64) - level.black) / (level.white - level.black)).clip(0, 1)
    assert found.dtype == np.uint8 and found.shape == values.shape
    assert np.abs(found - 255 * (1 - part if negative else part)).max() <= 0.5 + 1e-9


def test_it_is_kept_as_json():
    """As it was, to the last digit: its key is made of its text."""
    for decoding in (PLAIN, Decoding(levels=(Level("uint16", 0.0, 4095.0),), max_pixels=9), Decoding(levels=())):
        kept = json.loads(json.dumps(asdict(decoding)))
        assert repr(typed(kept, Decoding, path=Path("pictures.json"))) == repr(decoding)
    keys = {one.key for one in (PLAIN, AS_EARLIER, Decoding(levels=()), Decoding(max_pixels=9))}
    assert len(keys) == 4, "what was decoded otherwise lies elsewhere"
    with pytest.raises(RunError, match="levles"):
        typed({"levles": []}, Decoding, path=Path("pictures.json"))
