from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pictaxa
from pictaxa.api.explaining import explain
from pictaxa.cli.commands.explaining import explain as command
from pictaxa.cli.explaining import ExplainArguments
from pictaxa.cli.main import main
from pictaxa.explaining import checking, sheet
from pictaxa.explaining.methods import METHODS
from pictaxa.explaining.network import heat_maps, network_for
from pictaxa.explaining.pictures import Asked, explain_pictures
from pictaxa.inference.inputs import named_pictures
from pictaxa.inference.loading import load

Say = pytest.CaptureFixture[str]
Draw = Callable[..., Image.Image]


@pytest.fixture
def files(tmp_path: Path, draw: Draw) -> list[Path]:
    """Pictures of many kinds: wide, turned by EXIF, grey, transparent, of one colour, with a name in Chinese."""
    folder = tmp_path / "given"
    folder.mkdir()
    draw(0, 1, width=120, height=30).save(folder / "panorama.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    draw(1, 1, width=60, height=40).save(folder / "turned.jpg", exif=turned)
    draw(0, 2).convert("L").save(folder / "grey.png")
    draw(1, 2).convert("RGBA").save(folder / "clear.png")
    Image.new("RGB", (40, 40), (9, 9, 9)).save(folder / "one-colour.png")
    draw(0, 3).save(folder / "玫瑰.png")
    return sorted(folder.iterdir())


def test_answers_are_those_of_predict(backbone: Path, files: list[Path]):
    """Label and probability, in the order of the pictures, whatever their shape; each has its heat and its picture."""
    predictor = load(backbone, device="cpu")
    found = list(explain_pictures(predictor, named_pictures(files), Asked(top=2)))
    told = predictor.predict(files)
    assert [one.prediction.path for one in found] == [str(file) for file in files]
    for one, prediction in zip(found, told, strict=True):
        assert one.prediction.label == prediction.label
        assert [heat.label for heat in one.heats] == [name for name, _ in prediction.top(2)]
        assert [heat.probability for heat in one.heats] == pytest.approx([value for _, value in prediction.top(2)])
        assert one.picture is not None
        heat, seen = one.heats[0].on_picture(*one.picture.size)
        assert heat.shape == one.picture.size[::-1] and seen.any() and np.isfinite(heat).all()
    shapes = {Path(one.prediction.path).name: one.picture.size for one in found if one.picture is not None}
    assert shapes["turned.jpg"] == (40, 60) and shapes["panorama.png"] == (120, 30)


def test_the_command_and_the_function_take_the_same():
    """The function is pictaxa.explain, also once the package of a like name is loaded."""
    assert pictaxa.explain is explain and ExplainArguments(Path("run")).method == "grad-cam" and callable(command)


def test_many_pictures_go_through_in_order(backbone: Path, tmp_path: Path, make_photos: Callable[..., Path]):
    """More than a batch, one of them no picture: each keeps its own place, size and heat."""
    folder = make_photos(tmp_path / "many", {"a": 20, "b": 20})
    (folder / "a" / "10a.png").write_bytes(b"no picture")
    predictor = load(backbone, device="cpu")
    found = list(explain_pictures(predictor, named_pictures([folder]), Asked()))
    assert len(found) == 41 and sum(one.picture is None for one in found) == 1
    (alone,) = explain_pictures(predictor, named_pictures([found[30].prediction.path]), Asked())
    assert np.allclose(alone.heats[0].values, found[30].heats[0].values, atol=1e-4)


def test_heat_of_a_mirrored_picture_is_mirrored(backbone: Path):
    """Of a run that averages mirror images, as far as sums are rounded."""
    predictor = load(backbone, device="cpu")
    predictor.geometry = replace(predictor.geometry, tta="flip")
    squares, aspects, _ = predictor.run.probe()
    labels = np.zeros((len(squares), 1), dtype=np.int64)
    method = METHODS["grad-cam"]
    maps, mirrored = (
        heat_maps(predictor, network_for(predictor, method), method, squares=some, aspects=aspects, labels=labels)
        for some in (squares, np.ascontiguousarray(squares[:, :, ::-1]))
    )
    assert np.allclose(maps, mirrored[..., ::-1], atol=1e-4)


def test_explain_draws_each_picture(backbone: Path, files: list[Path], tmp_path: Path, capsys: Say):
    """A PNG for each with its own name; the answers are printed, and --json has where the heat is."""
    out, document = tmp_path / "why", tmp_path / "why.json"
    (tmp_path / "other").mkdir()
    again = tmp_path / "other" / "grey.png"
    again.write_bytes(files[1].read_bytes())
    broken = tmp_path / "other" / "broken.png"
    broken.write_bytes(b"\x89PNG")
    words = ["explain", str(backbone), *map(str, files), str(again), str(broken), "--out", str(out)]
    assert main([*words, "--top", "2", "--json", str(document), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert {path.name for path in out.iterdir()} >= {"grey.png", "grey-2.png", "玫瑰.png", "panorama.png"}
    assert "1 of 8 files could not be read" in said.err and "7 of 8 pictures by grad-cam" in said.out
    told = json.loads(document.read_text())
    assert told["method"] == "grad-cam" and len(told["pictures"]) == 8
    first = told["pictures"][0]
    assert len(first["heat"]) == 2 and first["heat"][0]["class"] == first["label"]
    for heat in first["heat"]:
        if "centre" in heat:
            assert all(0 <= part <= 1 for part in (*heat["centre"], *heat["box"]))
    with Image.open(out / "panorama.png") as drawn:
        assert drawn.width > 3 * drawn.height / 2


def test_all_on_one_sheet(backbone: Path, files: list[Path], tmp_path: Path):
    """A name that ends in .png is one drawing with a row for each; Python's function does the same."""
    out = tmp_path / "new" / "why.png"
    explained = pictaxa.explain(backbone, files, out, classes=["b", "a"], device="cpu")
    assert out.exists() and explained.drawn == (out,) and "<img" in explained._repr_html_()
    assert all([heat.label for heat in one.heats] == ["b", "a"] for one in explained)
    (one,) = pictaxa.explain(backbone, files[0], device="cpu")
    assert one.prediction.label in ("a", "b") and not pictaxa.explain(backbone, files[:1], device="cpu").drawn


def test_unseen_parts_are_dark_and_heat_is_coloured(backbone: Path, files: list[Path]):
    """In the overlay of a panorama its ends are grey and dark."""
    (one,) = pictaxa.explain(backbone, next(file for file in files if "panorama" in file.name), device="cpu")
    assert one.picture is not None
    picture = np.asarray(one.picture)
    drawn = sheet.overlay(picture, one.heats[0]).astype(int)
    _, seen = one.heats[0].on_picture(*one.picture.size)
    dark = drawn[~seen]
    if len(dark):
        assert (dark.max(axis=1) - dark.min(axis=1)).max() <= 1 and dark.mean() < 0.5 * picture[~seen].mean()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--check"),
        (["FILE", "--check"], "--check"),
        (["FILE", "--class", "c"], "a class of the run"),
        (["FILE", "--top", "0"], "--top from 1"),
        (["FILE", "--method", "attention-rollout"], "transformer"),
        (["FILE", "--method", "lime"], "--method"),
        (["nothing.jpg"], "nothing.jpg"),
        (["--check", "--pictures", "1"], "--pictures"),
    ],
)
def test_mistakes_are_one_line(words: list[str], told: str, backbone: Path, files: list[Path], capsys: Say):
    """What can't be explained ends in one line and exit status 2."""
    given = [str(files[0]) if word == "FILE" else word for word in words]
    assert main(["explain", str(backbone), *given, "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert re.search(re.escape(told), error) and error.count("\n") == 1


def test_without_captum_only_its_methods_fail(
    backbone: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: Say, tmp_path: Path
):
    """The others need no extra."""
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    words = ["explain", str(backbone), str(files[0]), "--device", "cpu", "--out", str(tmp_path / "a.png")]
    assert main([*words, "--method", "occlusion"]) == 2
    assert "pictaxa[explain]" in capsys.readouterr().err
    assert main([*words, "--method", "eigen-cam"]) == 0


def test_check_says_how_good_a_method_is(backbone: Path, tmp_path: Path, capsys: Say):
    """Areas of the method, of the middle outwards and of random order, with intervals, and a verdict in words."""
    document = tmp_path / "check.json"
    words = ["explain", str(backbone), "--check", "--pictures", "4", "--device", "cpu", "--json", str(document)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "on 4 validation pictures" in said and "from the middle" in said and "verdict" in said
    told = json.loads(document.read_text())
    ratio = told["orders"][0]["deletion_ratio"]
    assert told["pictures"] == 4 and ratio["low"] <= ratio["value"] <= ratio["high"]
    checked = pictaxa.check_explanations(backbone, pictures=4, device="cpu")
    assert checked.orders[0].deletion == pytest.approx(told["orders"][0]["deletion"])
    assert checking.check_lines(checked)[-1].startswith("verdict")
