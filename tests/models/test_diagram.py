from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictaxa.cli.main import main
from pictaxa.models.canvas import Caption
from pictaxa.models.diagram import draw_network
from pictaxa.models.parts import Arrow, Part, Sheet

Say = pytest.CaptureFixture[str]


def words_of(path: Path) -> list[str]:
    """The texts of an SVG."""
    return [
        "".join(text.itertext()).strip() for text in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vgg16", ("3x3 conv, 64  ×2", "2x2 max pool /2", "dense, 4096  ×2")),
        ("vit_b_16", ("encoder block  ×12", "attention, 12 heads", "concatenate cls_token")),
        ("googlenet", ("inception", "auxiliary head", "5x5 conv, 32")),
        ("mobilenet_v3_small", ("V3 block", "global average", "×")),
        ("resnet18", ("basic block", "+", "solid shortcut: the input as it is")),
    ],
)
def test_a_diagram_holds_the_networks_words(tmp_path: Path, name: str, words: tuple[str, ...]):
    """Layers, blocks with their number, and what the shortcuts mean, as text that can be searched."""
    path = tmp_path / f"{name}.svg"
    assert main(["models", name, "--diagram", str(path)]) == 0
    assert set(words) <= set(words_of(path)) and name in words_of(path)


def test_a_diagram_has_the_shape_of_a_slide(tmp_path: Path):
    """A deep network goes into columns; dark is dark, light is light."""
    for dark in (False, True):
        path = tmp_path / f"{dark}.png"
        assert main(["models", "resnet50", "--diagram", str(path), *(["--dark"] if dark else [])]) == 0
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        assert 1.2 < pixels.shape[1] / pixels.shape[0] < 2.6
        assert (np.median(pixels) < 60) == dark


def test_blocks_side_by_side(tmp_path: Path, capsys: Say):
    """One drawing of a block of each, with its name and cost."""
    path = tmp_path / "blocks.svg"
    names = ["resnet50", "resnet50v2", "mobilenet_v2", "vit_b_16"]
    assert main(["models", *names, "--block", str(path)]) == 0
    words = words_of(path)
    assert set(names) <= set(words) and "layer1.1" in words and "70,400 parameters" in words
    assert f"block         {path}" in capsys.readouterr().out


def test_shortcuts_have_the_papers_lines(tmp_path: Path):
    """An identity is solid, a projection dashed, and only those that are there are explained."""
    parts = tuple(Part(title, "conv", shape=(8, 4, 4)) for title in ("a", "b", "c"))
    told = {"identity": "solid", "projection": "dashed"}
    for style, word in told.items():
        arrows = (Arrow(0, 1), Arrow(1, 2), Arrow(0, 2, style))
        path = draw_network(Sheet(parts, arrows), Caption("x", ()), tmp_path / f"{style}.svg")
        said = " ".join(words_of(path))
        assert word in said and not any(other in said for other in {*told.values()} - {word})
        assert ("stroke-dasharray" in path.read_text()) == (style == "projection")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--diagram", "x.svg"], "one model"),
        (["--block", "x.svg"], "one model"),
        (["vgg16", "--diagram", "x.gif"], ".svg"),
        (["resnet18", "resnet34"], "--compare"),
        (["vgg16", "--block", "x.svg"], "--diagram"),
        (["resnet18", "--depth", "0"], "--depth"),
        (["--compare", "lenet5", "simple_cnn", "--diagram", "x.svg"], "published"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
):
    """What can't be drawn ends in one line and exit status 2."""
    monkeypatch.chdir(tmp_path)
    assert main(["models", *words]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not [*tmp_path.iterdir()]
