from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from pictaxa.augment.policy import find_policy
from pictaxa.cli.arguments import TrainArguments
from pictaxa.cli.main import main
from pictaxa.cli.parse import parse
from pictaxa.cli.training import settings_beside
from pictaxa.config.attained import ATTAINED
from pictaxa.config.by_name import config_fields, from_json, to_json, with_words
from pictaxa.config.learning import LENGTHS
from pictaxa.config.recipes import RECIPES, Recipe
from pictaxa.config.training import TrainConfig
from pictaxa.errors import ConfigError
from pictaxa.models.contract import NORMALIZATIONS
from pictaxa.models.zoo import create_model, find_entry, parse_options
from pictaxa.runs.folder import open_run
from pictaxa.training.optimizer import make_optimizer
from pictaxa.training.setup import setup
from pictaxa.training.transfer import lr_scales, resolve_model
from pictaxa.weights.files import load_tensors, save_tensors

Make = Callable[..., Path]
KEPT_CLASSES = 1000  # of the weights that a recipe starts from
NO_POLICY = find_policy("none", ())
NEEDING = sorted(name for name, recipe in RECIPES.items() if recipe.needs)
QUICK = {"mnist-simple-cnn", "flowers-alexnet-slim", "signs-resnet50", "cifar-resnet20"}
EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in RECIPES]


def training(words: list[str], recipe: str) -> TrainConfig:
    """What the command line makes of a recipe and the words beside it."""
    return parse(TrainArguments, [*words, "--recipe", recipe], "train", fill=settings_beside).training


def flat(config: TrainConfig) -> dict[str, object]:
    """Every setting by its name, as it stands in config.json."""
    whole = to_json(config)
    return {name: value for group in whole.values() if isinstance(group, dict) for name, value in group.items()} | {
        name: value for name, value in whole.items() if not isinstance(value, dict)
    }


def plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", RECIPES)
def test_flags_python_and_files_say_the_same(name: str):
    """--recipe, recipe= and `recipe:` in a file give one config, with every setting of the recipe in it."""
    weights = {"weights": "x.safetensors"} if name in NEEDING else {}
    flags = ["--weights", "x.safetensors"] if weights else []
    by_flags = training(["photos", *flags], name)
    by_words = with_words(TrainConfig(data=Path("photos")), {"recipe": name, **weights})
    assert by_flags == by_words == from_json({"data": "photos", "recipe": name, **weights})
    settings, found = RECIPES[name].settings, flat(by_words)
    assert {word: found[word] for word in settings} == {word: plain(value) for word, value in settings.items()}
    assert found["recipe"] == name and from_json(to_json(by_words)) == by_words


@pytest.mark.parametrize("name", NEEDING)
def test_a_recipe_says_what_must_stand_beside_it(name: str, capsys: pytest.CaptureFixture[str]):
    """A frozen backbone needs weights; the list of settings shows how to give them."""
    assert main(["recipes", name]) == 0
    assert f"--recipe {name} --weights" in capsys.readouterr().out
    if RECIPES[name].settings.get("tune", "all") != "all":
        with pytest.raises(ConfigError, match="--weights"):
            resolve_model(with_words(TrainConfig(data=Path("photos")), {"recipe": name}))


def test_what_stands_beside_a_recipe_wins(tmp_path: Path, make_photos: Make):
    """Flags, words and lines of a file; another length replaces the recipe's, of whatever kind."""
    words = ["photos", "--epochs", "2", "--lr=0.5", "--policy", "strong"]
    config = training(words, "cifar-resnet20")
    assert (config.schedule.epochs, config.schedule.steps, config.schedule.lr) == (2, None, 0.5)
    assert config.augmentation.policy == "strong" and config.optimization.nesterov == "no"
    again = with_words(TrainConfig(data=Path("photos")), {"recipe": "cifar-resnet20", "minutes": 1.0, "size": 48})
    assert (again.schedule.minutes, again.schedule.steps, again.pictures.size) == (1.0, None, 48)


def test_unknown_recipes_and_settings(capsys: pytest.CaptureFixture[str]):
    """A close match is named; no recipe has a word that is no setting, nor two lengths."""
    assert main(["train", "photos", "--recipe", "mnist-simple"]) == 2
    assert "mnist-simple-cnn" in capsys.readouterr().err
    known = set(config_fields(TrainConfig))
    for name, recipe in RECIPES.items():
        assert set(recipe.settings) <= known and sum(word in recipe.settings for word in LENGTHS) <= 1, name
        assert recipe.what and recipe.source and recipe.data and recipe.validates, name


def test_the_list_has_every_recipe(capsys: pytest.CaptureFixture[str]):
    """One line each."""
    assert main(["recipes"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(RECIPES)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory, make_photos: Make) -> Path:
    """Seven classes with digits for names, twelve pictures each."""
    return make_photos(tmp_path_factory.mktemp("digits"), {str(digit): 12 for digit in range(7)})


def small(recipe: Recipe) -> int:
    """The least side that its model takes."""
    entry = find_entry(str(recipe.settings.get("model", "resnet_lite")))
    if entry.fixed_sizes:
        return min(entry.fixed_sizes)
    return entry.size if entry.size < 32 else max(32, entry.min_size + 3 if entry.min_size > 32 else 0)


def small_words(recipe: Recipe, folder: Path) -> list[str]:
    """Flags that make a recipe quick: the least size, few pictures in a step, and the weights that it needs."""
    size, settings = small(recipe), recipe.settings
    words = ["--size", str(size), "--square", str(size), "--batch-size", "14"]
    if not recipe.needs:
        return words
    model_name = str(settings["model"])
    options = parse_options(model_name, settings.get("model_options", ()))
    options |= {"size": size} if find_entry(model_name).size_option else {}
    model = create_model(model_name, KEPT_CLASSES, **options)
    if "normalization" in settings:  # as the recipe's own weights are fed
        model.set_normalization(*NORMALIZATIONS[settings["normalization"]])
    save_tensors(model.state_dict(), folder / "backbone.safetensors")
    return [*words, "--weights", str(folder / "backbone.safetensors"), "--source", "pictaxa"]


HE_3X3 = math.sqrt(2 / (64 * 9))  # He et al. 2015, of 64 outputs
# A weight of each model that starts from nothing, and the deviation that it starts with in the set-up's own words.
FIRST_WEIGHTS = {
    "simple_cnn": ("d2.weight", math.sqrt(2 / (128 + 7)), "Glorot, as Keras' layers"),
    "alexnet": ("conv3.weight", math.sqrt(2 / (256 * 9 + 384 * 9)), "Glorot, as Keras' layers"),
    "alexnet_half": ("conv3.weight", math.sqrt(2 / (128 * 9 + 192 * 9)), "Glorot, as Keras' layers"),
    "alexnet_half_slim": ("conv3.weight", math.sqrt(2 / (128 * 9 + 192 * 9)), "Glorot, as Keras' layers"),
    "vgg16": ("convs.5.weight", math.sqrt(2 / (128 * 9)), "2 / fan out"),
    "googlenet": ("inception4a.branch2.1.conv.weight", math.sqrt(2 / (96 * 9 + 208 * 9)), "Glorot"),
    "resnet50_course": ("layer1.0.conv2.weight", math.sqrt(2 / (64 * 9 + 64 * 9)), "Glorot, as Keras' layers"),
    "resnet50_course_leaky": ("layer1.0.conv2.weight", math.sqrt(2 / (64 * 9 + 64 * 9)), "Glorot, as Keras' layers"),
    "resnet50v2": ("layer1.0.conv2.weight", math.sqrt(2 / (64 * 9 + 64 * 9)), "Glorot, as Keras' layers"),
    "birds-resnet50v2-torch": ("layer1.0.conv2.weight", math.sqrt(1 / (3 * 64 * 9)), "torch's own"),
    "cifar": ("layer3.1.residual.convs.0.weight", HE_3X3, "He et al. 2015"),
}
LEARNING = {"head": ("fc.",), "last:1": ("pre_logits.", "classifier.")}  # of what --tune says


@pytest.mark.parametrize("name", EACH)
def test_what_is_decided_before_the_first_step(name: str, digits: Path, tmp_path: Path):
    """First weights, what is frozen, the optimizer's groups and the ranges of augmentation are the set-up's."""
    recipe = RECIPES[name]
    if name == "default":
        return  # a set-up of our own: its parts have their tests
    words = [str(digits), *small_words(recipe, tmp_path)]
    start = setup(training(words, name))
    settings, model = recipe.settings, start.model
    flips, pads = "horizontal_flip=0.5" in settings.get("augment", ()), "pad=4" in settings.get("augment", ())
    wanted = replace(NO_POLICY, horizontal_flip=0.5 * flips, pad=4.0 * pads)
    assert start.policy == wanted
    tune = settings.get("tune", "all")
    learning = {path for path, parameter in model.named_parameters() if parameter.requires_grad}
    starts = LEARNING.get(tune, ("",))
    if name == "hotdog-frozen-resnet50":
        starts = ("fc.head.",)
    assert learning == {path for path, _ in model.named_parameters() if path.startswith(starts)} and learning
    optimizer = make_optimizer(model, start.config.optimization, shares=lr_scales(model, start.config.transfer))
    decay = settings["weight_decay"]
    assert {(group["lr_scale"], group["weight_decay"]) for group in optimizer.groups} <= {(1.0, decay), (1.0, 0.0)}
    assert sum(view.numel() for view in optimizer.stored) == sum(model.get_parameter(path).numel() for path in learning)
    if not recipe.needs:
        model_name = str(settings["model"])
        known = name if name in FIRST_WEIGHTS else "cifar" if model_name.startswith("cifar") else model_name
        path, deviation, source = FIRST_WEIGHTS[known]
        if settings.get("model_options") and model_name.startswith("cifar"):
            path = next(p for p, w in model.named_parameters() if p.startswith("layer3.1.") and w.shape[2:] == (3, 3))
        if "preresnet164" in model_name or "preresnet1001" in model_name:  # bottlenecks
            path = "layer3.1.residual.convs.1.weight"
        weight = model.get_parameter(path)
        assert weight.std().item() == pytest.approx(deviation, rel=5 / math.sqrt(weight.numel())), source


# Pixels of 0 to 255 make AlexNet's first losses large. Without a warm-up and with the running statistics of two
# steps, the other's validation is beyond float32 at its own rate, which ends a training: on a set of its own size 390
# steps come before the first validation.
GENTLER = {"cifar-ablation-constant-0-1": 0.01, "mnist-alexnet": 1e-4}


@pytest.mark.parametrize("name", EACH)
def test_every_setting_reaches_the_run(name: str, digits: Path, tmp_path: Path):
    """A few steps on tiny pictures: the settings, the steps' rates, how pictures are fed, the epoch that is kept."""
    recipe, run = RECIPES[name], tmp_path / "run"
    settings = recipe.settings | ({"lr": GENTLER[name]} if name in GENTLER else {})
    words = [*small_words(recipe, tmp_path), "--steps", "4", "--steps-per-epoch", "2"]
    if name in GENTLER:
        words += ["--lr", str(GENTLER[name])]
    assert main(["train", str(digits), "--recipe", name, *words, "--out", str(run)]) == 0
    trained = open_run(run)
    found = flat(from_json(trained.config["asked"]))
    given = {"size", "square", "batch_size", "source", *LENGTHS, "steps_per_epoch"}
    for word, value in settings.items():
        if word not in given and word not in ("model_options",):
            assert found[word] == plain(value), word
    assert len(trained.classes) == len(settings.get("only", range(7)))
    rows = trained.log_rows()
    assert [int(row["step"]) for row in rows] == [2, 4]
    if settings.get("lr_schedule") in ("constant", "every:4=0.92"):
        assert [float(row["lr"]) for row in rows] == pytest.approx([settings["lr"]] * 2)
    if str(settings.get("lr_schedule")).startswith("steps:0=0.1"):
        assert [float(row["lr"]) for row in rows] == pytest.approx([0.1 * settings["lr"]] * 2)
    if settings.get("best_by") == "last" and "validation_pictures" not in settings:
        assert trained.metrics["accuracy"] == pytest.approx(float(rows[-1]["val_accuracy"]), abs=1e-5)
    if "normalization" in settings and not recipe.needs:
        mean, std = NORMALIZATIONS[str(settings["normalization"])]
        tensors = load_tensors(trained.model_path)
        for told, wanted in (("mean", mean), ("std", std)):
            assert tensors[told].mean().item() == pytest.approx(sum(wanted) / 3, rel=1e-5)


# What the tutorials' own code has, read in it, setting by setting; what is easily taken for something else.
TAUGHT = {
    "birds-resnet50v2": {"normalization": "0-255", "lr": 1e-3, "batch_size": 8, "epochs": 10, "eps": 1e-7},
    "birds-resnet50v2-torch": {
        "normalization": "imagenet", "lr": 1e-4, "lr_schedule": "constant", "eps": 1e-8, "augment": [],
    },
    "mnist-alexnet": {"normalization": "0-255", "pictures": 256, "momentum": 0.0, "lr": 0.01, "fold": "1/10"},
    "mnist-simple-cnn": {"normalization": "0-1", "lr": 1e-3, "eps": 1e-7},
    "flowers-leaky-resnet50": {"normalization": "0-255", "lr": 1e-4, "eps": 1e-8, "steps_per_epoch": 100},
    "flowers-vgg16": {"normalization": "0-1", "lr": 1e-4, "best_by": "loss"},
    "flowers-resnet50-transfer": {
        "normalization": "rgb-mean", "augment": ["horizontal_flip=0.5"], "feature_views": 0, "lr": 2e-4,
        "batch_size": 16, "best_by": "accuracy",
    },
    "signs-resnet50": {"normalization": "0-1", "lr": 1e-3, "eps": 1e-7, "batch_size": 32, "epochs": 20},
    "hotdog-frozen-resnet50": {"normalization": None, "steps_per_epoch": 10, "validation_pictures": 320},
    "cifar-resnet20": {"fold": "1/10", "weight_decay": 1e-4, "batch_size": 128},
}  # fmt: skip


@pytest.mark.parametrize("name", TAUGHT)
def test_settings_are_the_tutorials(name: str):
    """How pictures are fed, the rate and its curve, Adam's epsilon, what is mirrored and what judges an epoch."""
    weights = {"weights": "x.safetensors"} if name in NEEDING else {}
    found = flat(with_words(TrainConfig(data=Path("photos")), {"recipe": name, **weights}))
    assert {word: found[word] for word in TAUGHT[name]} == TAUGHT[name]


@pytest.mark.parametrize(
    ("name", "epsilon", "momentum"),
    [
        ("flowers-leaky-resnet50", 1e-3, 0.01), ("signs-resnet50", 1e-3, 0.01), ("birds-resnet50v2", 1e-3, 0.01),
        ("birds-resnet50v2-torch", 1e-5, 0.1), ("flowers-resnet50-transfer", 1e-5, 0.1),
        ("hotdog-frozen-resnet50", 1.001e-5, 0.01),
    ],
)  # fmt: skip
def test_batch_norms_are_the_tutorials(name: str, epsilon: float, momentum: float):
    """BatchNormalization() has 1e-3 and 0.99, which is 0.01 in torch's words; where a tutorial says another, it."""
    settings = RECIPES[name].settings
    with torch.device("meta"):
        options = parse_options(str(settings["model"]), settings.get("model_options", ()))
        model = create_model(str(settings["model"]), 5, **options)
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms and {(norm.eps, norm.momentum) for norm in norms} == {(epsilon, momentum)}


def test_dropout_of_the_flowers_vgg():
    """Before the first dense layer, between it and the second, and none before the last."""
    with torch.device("meta"):
        model = create_model("vgg16", 5, **parse_options("vgg16", RECIPES["flowers-vgg16"].settings["model_options"]))
    parts = [model.dropout, *model.classifier]
    order = [type(part).__name__ for part in parts if not isinstance(part, nn.ReLU) and getattr(part, "p", 1) > 0]
    assert order == ["Dropout", "Linear", "Dropout", "Linear", "ClassifierLayer"]


def test_torchs_residual_blocks_have_no_biases():
    """The PyTorch tutorial's ResNet50V2 has 25,549,416 parameters with 1,000 classes: Keras' without 18,944 biases."""
    settings = RECIPES["birds-resnet50v2-torch"].settings
    with torch.device("meta"):
        model = create_model("resnet50v2", 1000, **parse_options("resnet50v2", settings["model_options"]))
    assert sum(parameter.numel() for parameter in model.parameters()) == 25_568_360 - 18_944 == 25_549_416


def test_another_model_beside_a_recipe():
    """Its options fall away with the model they are for, and with weights the normalization of the former's; both stay
    where the model does.
    """
    words = {"recipe": "flowers-resnet50-transfer", "model": "efficientnet_lite0", "weights": "imagenet"}
    config = with_words(TrainConfig(data=Path("photos")), words)
    assert config.model_options == () and config.transfer.normalization is None
    assert config == training(["photos", "--model", "efficientnet_lite0", "--weights", "imagenet"], words["recipe"])
    config = training(["photos", "--model", "resnet18"], "flowers-alexnet")
    assert config.model_options == () and config.transfer.normalization == "0-1"
    config = training(["photos", "--model", "resnet50", "--weights", "a.h5"], "flowers-resnet50-transfer")
    assert config.model_options == ("padding=same",) and config.transfer.normalization == "rgb-mean"
    config = training(["photos", "--model", "vgg11", "--normalization", "0-255"], "flowers-resnet50-transfer")
    assert config.transfer.normalization == "0-255"


def test_a_recipe_says_what_validates(capsys: pytest.CaptureFixture[str]):
    """And what is done otherwise than in its source, with what that reports."""
    assert main(["recipes", "hotdog-frozen-resnet50"]) == 0
    said = capsys.readouterr().out
    assert "validates a fifth of train/" in said and "test/ stays unseen" in said and "differs   pixels" in said
    assert main(["recipes", "birds-resnet50v2-torch"]) == 0
    assert "reported  90.3% of 113" in capsys.readouterr().out


def test_every_recipe_is_in_the_docs():
    """By its name, or by its family's and its own end."""
    told = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
    for name in RECIPES:
        *_, end = name.removeprefix("cifar-ablation-").split("net")
        assert f"`{name}`" in told or f"`{end}`" in told, name


def test_what_recipes_attained_is_told(capsys: pytest.CaptureFixture[str]):
    """Each run has its row in both languages, and stands under its recipe."""
    docs = Path(__file__).parents[2] / "docs"
    for page in (docs / "recipes.md", docs / "zh" / "recipes.md"):
        rows = [line.split(" | ") for line in page.read_text(encoding="utf-8").splitlines() if re.search(r"\d\)", line)]
        rows = [row for row in rows if len(row) == 8]
        assert len(rows) == len(ATTAINED), page
        for (name, run), (who, _, pictures, epochs, time, accuracy, _, reported) in zip(ATTAINED, rows, strict=True):
            assert who == f"| `{name}`" + (f" `{run.beside}`" if run.beside else "")
            assert pictures == f"{run.train_pictures:,} + {run.val_pictures:,}"
            assert (epochs, time, accuracy) == (str(run.epochs), run.time, run.accuracy)
            assert page.parent.name == "zh" or reported.rstrip(" |") == RECIPES[name].reported
    for name, run in ATTAINED:
        assert main(["recipes", name]) == 0
        assert f"result    {run.accuracy}" in capsys.readouterr().out
