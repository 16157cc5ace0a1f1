from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pictaxa.errors import ConfigError
from pictaxa.reporting.comparing import Worth, draw_worths

Trained = tuple[Path, Path]


def worth(label: str, multiply_adds: int = 400_000) -> Worth:
    return Worth(label, 0.9, 0.8, 0.95, multiply_adds=multiply_adds, pictures_per_second=100.0)


def test_runs_are_drawn_with_their_curves(trained: Trained, tmp_path: Path):
    """Their labels are in the drawing, whatever is in them; SVG has text as text, and PNG is one."""
    _, run = trained
    worths = [worth("A  $x_2$"), worth("B  <script>", 800_000)]
    text = draw_worths(worths, [run, run], tmp_path / "new" / "plot.svg").read_text()
    assert "A $x_2$" in text.replace("  ", " ") and "&lt;script&gt;" in text and "million multiply-adds" in text
    with Image.open(draw_worths(worths, [run, run], tmp_path / "plot.png")) as drawn:
        assert drawn.format == "PNG" and drawn.width > 1000
    with pytest.raises(ConfigError, match="--plot"):
        draw_worths(worths, [run, run], tmp_path / "plot.pdf")
