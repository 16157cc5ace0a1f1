from __future__ import annotations

from pathlib import Path

import pytest

from pictaxa.errors import ConfigError
from pictaxa.models.canvas import Canvas, Caption, check_suffix, named, titled, written_shape
from pictaxa.models.layout import Extent
from pictaxa.models.parts import Part
from pictaxa.models.theme import DARK


def test_shapes_and_titles_as_a_slide_has_them():
    """Numbers apart by crosses; how often a part stands there; a long path by its end."""
    assert written_shape((64, 112, 112)) == "64 × 112 × 112" and written_shape((25088,)) == "25,088"
    assert titled(Part("3x3 conv, 64", "conv", count=2)) == "3x3 conv, 64  ×2"
    assert named(Part("block", "block", name="layer1.0", shape=(8, 4, 4))) == "layer1.0   8 × 4 × 4"
    assert named(Part("block", "block", name="a.long.way.down.to.layer1.0", shape=(8,))) == "… down.to.layer1.0   8"


@pytest.mark.parametrize(("name", "good"), [("a.svg", True), ("a.PNG", True), ("a.jpg", False), ("a", False)])
def test_only_two_formats(name: str, good: bool):
    """SVG and PNG, whatever the case."""
    if good:
        check_suffix(Path(name))
    else:
        with pytest.raises(ConfigError, match=r"\.svg or \.png"):
            check_suffix(Path(name))


def test_a_drawing_is_as_large_as_what_is_on_it(tmp_path: Path):
    """A box further right makes it wider; text is text."""
    widths = []
    for x in (100, 400):
        canvas = Canvas(DARK)
        canvas.box(Part("conv", "conv"), 0, 0, Extent(30, 30, 20), lines=["ReLU"])
        canvas.box(Part("conv", "conv"), x, 0, Extent(30, 30, 20), lines=[])
        canvas.write(Caption("two", ("below",)), tmp_path / "a.svg", arrows=[])
        widths.append(canvas.figure.get_size_inches()[0])
        assert all(word in (tmp_path / "a.svg").read_text() for word in ("two", "below", "ReLU"))
    assert widths[1] - widths[0] == pytest.approx(300 / 72)
