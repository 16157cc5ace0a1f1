from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from pictaxa.cli.main import main
from pictaxa.models.drawings import draw_compared
from pictaxa.models.tradeoff import Worth, draw_tradeoff
from pictaxa.weights.published import PUBLISHED


def names_in(path: Path) -> list[str]:
    return [
        "".join(text.itertext()).strip() for text in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
    ]


def test_every_published_network_is_drawn(tmp_path: Path):
    """--compare all --diagram names each entry with a published accuracy in both drawings."""
    path = tmp_path / "all.svg"
    assert main(["models", "--compare", "all", "--diagram", str(path)]) == 0
    words = names_in(path)
    assert all(words.count(name) == 2 for name in PUBLISHED)


def test_points_stand_where_their_figures_are(tmp_path: Path):
    """The better network is drawn above the other one."""
    worths = [Worth("small", "a", 60.0, 10**8, 10**6), Worth("large", "b", 80.0, 10**10, 10**8)]
    path = draw_tradeoff(worths, tmp_path / "two.svg", dark=True)
    assert {"small", "large"} <= set(names_in(path))


def test_those_without_a_published_accuracy_are_told(tmp_path: Path):
    """Named entries that nobody has published weights of are left out."""
    path, left_out = draw_compared(["resnet18", "lenet5", "vgg16"], tmp_path / "a.png")
    assert path.exists() and left_out == ["lenet5"]
