from __future__ import annotations

import re

import pytest

from pictaxa.cli.main import main
from pictaxa.models.zoo import ZOO


def test_the_list_names_every_entry(capsys: pytest.CaptureFixture[str]):
    """pictaxa models has a line for each entry with its parameters, and every entry has a place in docs/zoo.md."""
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines[1:] if line}
    assert set(ZOO) <= set(rows)
    assert "25,557,032" in rows["resnet50"] and "4.09 G" in rows["resnet50"] and "He et al. 2015" in rows["resnet50"]


def test_one_model_layer_by_layer(capsys: pytest.CaptureFixture[str]):
    """pictaxa models NAME --size shows each step's output, parameters, multiply-adds, field, memory and what it takes
    from, and the totals.
    """
    assert main(["models", "resnet50", "--size", "64", "--channels", "1", "--classes", "10"]) == 0
    out = capsys.readouterr().out
    first = next(line for line in out.splitlines() if line.startswith("conv1 "))
    shown = ["7x7 conv /2, 64", "64 x 32 x 32", "3,136", "3,211,264", "7", "0.26", "normalise"]
    assert re.split(r"\s{2,}", first)[1:] == shown
    assert "trainable     23,522,250 parameters" in out and "depth         50 " in out


def test_a_model_folded(capsys: pytest.CaptureFixture[str]):
    """--depth 1 has the network's own parts, with their sums; GoogLeNet's auxiliary heads among them."""
    assert main(["models", "googlenet", "--depth", "1"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:] if line}
    assert re.split(r"\s{2,}", rows["inception3a"])[1:4] == ["inception", "256 x 28 x 28", "163,696"]
    assert "auxiliary head" in rows["aux1"] and rows["aux1"].split()[-1] == "inception4a"


def test_models_side_by_side(capsys: pytest.CaptureFixture[str]):
    """--compare prints a line for each model, with measured speed."""
    assert main(["models", "--classes", "10", "--compare", "lenet5", "simple_cnn"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("lenet5", "simple_cnn"))]
    assert len(rows) == 2 and "61,706" in rows[0] and "2,770,634" in rows[1]
    assert all(float(row.split()[-2]) > 0 for row in rows)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["resnet5"], "resnet50"),
        (["vgg16", "--size", "8"], "at least 32"),
        (["--compare", "vgg16"], "two names"),
        (["googlenet", "--model-options", "aux_pool=sam"], "same"),
    ],
)
def test_mistakes_are_one_line(words: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    """Unknown names, small sizes and half-given commands end in one line and exit status 2."""
    assert main(["models", *words]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
