from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pictaxa.cli.main import main
from pictaxa.config.learning import NO_WEIGHTS, TransferConfig
from pictaxa.config.training import TrainConfig
from pictaxa.errors import ConfigError
from pictaxa.models.contract import Classifier, ClassifierLayer
from pictaxa.models.zoo import ZOO, create_model, find_entry
from pictaxa.runs.folder import open_run
from pictaxa.training import transfer
from pictaxa.training.learner import WholeModel
from pictaxa.training.transfer import IMAGENET, IMAGENET_MODEL, freeze, lr_scales, resolve_model, set_training
from pictaxa.weights.published import find_published
from pictaxa.weights.translated import Translated

Make = Callable[..., Path]
TINY = ("--size", "32", "--batch-size", "8", "--precision", "float32", "--policy", "light", "--epochs", "2")


def changed(run: Path, backbone: Path) -> set[str]:
    """The tensors in which two runs' last states differ, of the weights themselves and of their average."""
    last = sorted((run / "state").iterdir())[-1]
    before = load_file(backbone / "model.safetensors")
    return {
        name
        for name, value in load_file(last).items()
        if name.partition(".")[0] in ("model", "average") and not value.equal(before[name.partition(".")[2]])
    }


@pytest.mark.parametrize("views", ["0", "1", "3", "solved"])
def test_a_frozen_backbone_is_bitwise_unchanged(backbone: Path, tmp_path: Path, make_photos: Make, views: str):
    """--tune head changes the last layer alone: no other parameter and no batch norm statistic, averaged or not."""
    how = ("--feature-views", "3") if views == "solved" else ("--feature-views", views, "--solve-head", "no")
    data = make_photos(tmp_path / "photos", {"x": 20, "y": 20, "z": 20})
    words = ["train", str(data), "--weights", str(backbone), "--tune", "head", "--out", str(tmp_path / "run"), *TINY]
    assert main([*words, "--optimizer", "adamw", *how]) == 0
    run = open_run(tmp_path / "run")
    assert run.config["chosen"]["model"] == "resnet_lite"
    (layer,) = create_model("resnet_lite", 3).head_layers()
    before, after = load_file(backbone / "model.safetensors"), load_file(run.model_path)
    assert before.keys() == after.keys()
    names = [name for name in before if not name.startswith(f"{layer}.")]
    assert len(names) > 50
    for name in names:
        assert after[name].equal(before[name]), name
    assert after[f"{layer}.weight"].shape[0] == 3
    if views == "solved":
        assert not list(run.state_path.glob("step-*")) and not run.log_rows()
        return
    last = load_file(sorted(run.state_path.glob("step-*"))[-1])
    assert not any(name.startswith("optimizer.2") for name in last)  # the head's weight and bias are all it has
    if views == "0":
        parts = [name for name in last if name.partition(".")[0] in ("model", "average")]
        assert all(last[name].equal(before[name.partition(".")[2]]) for name in parts if f".{layer}." not in name)


@pytest.mark.parametrize("statistics", ["auto", "update"])
def test_the_last_blocks_can_be_trained(backbone: Path, tmp_path: Path, make_photos: Make, statistics: str):
    """--tune last:1 changes the head and the last block, if asked for its statistics too, and nothing before."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    words = ["train", str(data), "--weights", str(backbone), "--tune", "last:1", "--out", str(tmp_path / "run"), *TINY]
    assert main([*words, "--norm-statistics", statistics]) == 0
    model = create_model("resnet_lite", 2)
    *_, last, head = model.blocks_in_order()
    paths = {name.partition(".")[2] for name in changed(tmp_path / "run", backbone)}
    assert all(any(name.startswith(f"{path}.") for name in paths) for path in [*last, *head])
    assert all(any(name.startswith(f"{path}.") for path in [*last, *head]) for name in paths)
    assert any("running_mean" in name for name in paths) == (statistics == "update")


@pytest.mark.parametrize("statistics", ["auto", "update"])
def test_statistics_stay_as_they_came(backbone: Path, tmp_path: Path, make_photos: Make, statistics: str):
    """--tune all: every weight moves and every batch norm's statistics stay, unless they are to be updated."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    words = ["train", str(data), "--weights", str(backbone), "--out", str(tmp_path / "run"), *TINY, "--lr", "0.01"]
    assert main([*words, "--norm-statistics", statistics]) == 0
    paths = {name.partition(".")[2] for name in changed(tmp_path / "run", backbone)}
    model = create_model("resnet_lite", 2)
    buffers = {name for name, _ in model.named_buffers()} - {"mean", "std"}
    assert paths == {name for name, _ in model.named_parameters()} | (buffers if statistics == "update" else set())


def test_classes_known_by_name_keep_their_rows(
    backbone: Path, tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]
):
    """Unless it is solved: a new class gets a new row, the old ones keep theirs wherever they stand; a line says so."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    (data / "0new").mkdir()
    for path in (data / "b").iterdir():
        path.rename(data / "0new" / path.name) if int(path.stem) % 2 else None
    words = ["train", str(data), "--weights", str(backbone), "--out", str(tmp_path / "run"), *TINY]
    assert main([*words, "--lr", "1e-9", "--ema-decay", "0", "--solve-head", "no"]) == 0
    assert "2 of 3 classes are known" in capsys.readouterr().out
    old, new = load_file(backbone / "model.safetensors"), load_file(tmp_path / "run" / "model.safetensors")
    (name,) = (name for name, value in old.items() if value.ndim == 2)
    assert open_run(tmp_path / "run").classes == ("0new", "a", "b")
    assert torch.allclose(new[name][1:], old[name], atol=1e-5)


@pytest.mark.parametrize("solve", ["auto", "no"])
def test_other_classes_get_a_new_head(
    backbone: Path, tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str], solve: str
):
    """As many classes, but others: the head starts anew, and a line says so."""
    data = make_photos(tmp_path / "photos", {"x": 20, "y": 20})
    words = ["train", str(data), "--weights", str(backbone), "--out", str(tmp_path / "run"), *TINY]
    assert main([*words, "--lr", "1e-9", "--ema-decay", "0", "--solve-head", solve]) == 0
    assert "none of the 2 classes of the weights" in capsys.readouterr().out
    old, new = load_file(backbone / "model.safetensors"), load_file(tmp_path / "run" / "model.safetensors")
    (name,) = (name for name, value in old.items() if value.ndim == 2)
    assert not torch.allclose(new[name], old[name], atol=1e-3)


def test_converted_checkpoints_say_what_they_are(tmp_path: Path, make_photos: Make):
    """A file of `pictaxa weights convert` needs no --model, and its options come along."""
    model = create_model("cifar_resnet20", 4, shortcut="dropout")
    torch.save({k: v for k, v in model.state_dict().items() if k not in ("mean", "std")}, tmp_path / "a.pth")
    out = tmp_path / "b.safetensors"
    words = ["weights", "convert", str(tmp_path / "a.pth"), "--source", "torchvision", "--model", "cifar_resnet20"]
    assert main([*words, "--model-options", "shortcut=dropout", "--out", str(out)]) == 0
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    assert main(["train", str(data), "--weights", str(out), "--out", str(tmp_path / "run"), *TINY]) == 0
    chosen = open_run(tmp_path / "run").config["chosen"]
    assert (chosen["model"], chosen["model_options"]) == ("cifar_resnet20", ["shortcut=dropout"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--tune", "head", "--model", "resnet_lite"), "--weights with --tune head"),
        (("--tune", "head", "--weights", "none"), "--weights with --tune head"),
        (("--tune", "last:0", "--weights", "BODY"), "--tune all, head, last:N"),
        (("--tune", "head", "--weights", "BODY", "--augment", "rotation=9", "--epochs", "1"), "--feature-views of 2"),
        (("--weights", "BODY", "--head", "64,drop:0.5"), "head=1024,dropout:0.5"),
        (("--tune", "last:99", "--weights", "BODY"), "at most"),
        (("--weights", "missing.safetensors"), "a run or a file of weights"),
        (("--weights", __file__), "--model NAME with --weights"),
        (("--weights", "BODY", "--model", "resnet18"), "weights of a resnet_lite"),
    ],
)
def test_mistakes_are_told_before_anything_is_decoded(
    backbone: Path, tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...], told: str,
):  # fmt: skip
    """Each in one line with status 2, and no run folder is made."""
    data = make_photos(tmp_path / "photos", {"a": 4, "b": 4})
    given = [str(backbone) if word == "BODY" else word for word in words]
    assert main(["train", str(data), "--out", str(tmp_path / "run"), *TINY, *given]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_settings_check_themselves():
    """Freezing needs weights, and --tune knows its words."""
    with pytest.raises(ConfigError, match="--weights"):
        TransferConfig(weights=NO_WEIGHTS, tune="last:2")
    with pytest.raises(ConfigError, match="last:N"):
        TransferConfig(weights=Path("a"), tune="first:2")


@pytest.mark.parametrize("name", [name for name in ZOO if name not in ("cifar_resnet1202", "cifar_preresnet1001")])
def test_blocks_are_in_the_networks_order(name: str):
    """The last part is the head, nothing is in two parts, and parts are called in their order."""
    with torch.device("meta"):
        model = create_model(name, 10).eval()
    parts = model.blocks_in_order()
    paths = [path for part in parts for path in part]
    assert len(set(paths)) == len(paths) and len(parts) >= 2
    assert any(isinstance(model.get_submodule(path), ClassifierLayer) for path in parts[-1])
    inside = {id(p) for path in paths for p in model.get_submodule(path).parameters()}
    left = {key for key, p in model.named_parameters() if id(p) not in inside}
    assert all(key.partition(".")[0] in (*model.auxiliary, "cls_token", "pos_embed") for key in left)
    called: list[int] = []
    for number, part in enumerate(parts):
        for path in part:
            model.get_submodule(path).register_forward_pre_hook(lambda *_, number=number: called.append(number))
    side = ZOO[name].size
    with torch.no_grad():
        model(torch.empty(1, 3, side, side, device="meta"))
    assert sorted(set(called)) == list(range(len(parts)))
    assert called == sorted(called)


def test_frozen_parts_are_in_evaluation_mode():
    """In training, batch norm and dropout of what is frozen do as in evaluation; of the rest, as in training."""
    model: Classifier = create_model("mobilenet_v3_small", 3)
    freeze(model, "last:2")
    set_training(model)
    *backbone, _, _, _ = model.blocks_in_order()
    for path in (path for part in backbone for path in part):
        assert not any(part.training for part in model.get_submodule(path).modules())
    assert any(isinstance(part, nn.BatchNorm2d) and part.training for part in model.modules())
    assert any(isinstance(part, nn.Dropout) and part.training for part in model.modules())


@pytest.mark.parametrize("tune", ["head", "last:1", "last:2"])
@pytest.mark.parametrize("name", [name for name in ZOO if name not in ("cifar_resnet1202", "cifar_preresnet1001")])
def test_dropout_is_on_only_before_what_learns(name: str, tune: str):
    """In training, a dropout in a frozen block or before a frozen layer is off, and any other is on."""
    options = {"dropout": 0.1} if "dropout" in find_entry(name).option_types else {}
    with torch.device("meta"):
        model = create_model(name, 10, **options)
    freeze(model, tune)
    set_training(model)
    waiting: list[nn.Dropout] = []  # called, and nothing with weights after them yet
    judged: dict[nn.Dropout, bool] = {}  # whether what comes next learns

    def called(part: nn.Module, _: object) -> None:
        weights = list(part.parameters(recurse=False))
        if isinstance(part, nn.Dropout):
            waiting.append(part)
        elif weights:
            judged.update(dict.fromkeys(waiting, any(weight.requires_grad for weight in weights)))
            waiting.clear()

    for part in model.modules():
        if not list(part.children()):
            part.register_forward_pre_hook(called)
    side = ZOO[name].size
    model.training_logits(torch.empty(2, 3, side, side, device="meta"))
    blocks = [part for part in model.modules() if list(part.parameters())]
    frozen = [part for part in blocks if not any(weight.requires_grad for weight in part.parameters())]
    inside = {part for block in frozen for part in block.modules()}
    told = {part: learns and part not in inside for part, learns in judged.items() if part.p > 0}
    assert {part: part.training for part in told} == told


def test_an_auxiliary_head_has_no_part_in_what_is_frozen():
    """With a frozen part only the main head's loss counts; otherwise an auxiliary head learns at a head's rate."""
    model = create_model("googlenet_bn", 3)
    for tune, heads in (("last:2", 1), ("all", 3)):
        transfer = TransferConfig(weights=Path("a"), tune=tune)
        plan = SimpleNamespace(autocast=nullcontext)
        learner = SimpleNamespace(job=SimpleNamespace(config=SimpleNamespace(transfer=transfer), plan=plan))
        learner.trained = learner.computed = model.train()
        assert len(WholeModel.outputs(learner, torch.rand(2, 3, 224, 224))) == heads
    shares = lr_scales(model, TransferConfig(weights=Path("a"), backbone_lr_scale=0.5))
    assert shares and not any(name.startswith("aux") for name in shares)


@pytest.mark.parametrize("words", [(), ("--model", "cifar_resnet20")])
def test_options_of_the_weights_come_along(tmp_path: Path, make_photos: Make, words: tuple[str, ...]):
    """The architecture is built as the weights had it, whether it is named again or not; a given option wins."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    same = ["train", str(data), *TINY]
    first = [*same, "--model", "cifar_resnet20", "--model-options", "shortcut=dropout", "--out", str(tmp_path / "one")]
    assert main(first) == 0
    again = [*same, *words, "--weights", str(tmp_path / "one" / "model.safetensors")]
    assert main([*again, "--out", str(tmp_path / "two")]) == 0
    assert main([*again, "--model-options", "shortcut=identity", "--out", str(tmp_path / "three")]) == 0
    chosen = [open_run(tmp_path / name).config["chosen"]["model_options"] for name in ("two", "three")]
    assert chosen == [["shortcut=dropout"], ["shortcut=identity"]]


def test_a_runs_file_is_the_run(backbone: Path, tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """RUN/model.safetensors says as much as RUN: rows of other classes are not taken for these."""
    data = make_photos(tmp_path / "photos", {"x": 20, "y": 20})
    words = [
        "train",
        str(data),
        "--weights",
        str(backbone / "model.safetensors"),
        "--out",
        str(tmp_path / "run"),
        *TINY,
    ]
    assert main(words) == 0
    assert "none of the 2 classes of the weights" in capsys.readouterr().out


def test_the_weights_size_is_the_default(tmp_path: Path, make_photos: Make):
    """A network that is built for one size of pictures goes on with the size that its weights have."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    words = ["train", str(data), *TINY]
    sized = [*words, "--model", "simple_cnn", "--size", "40", "--out", str(tmp_path / "one")]
    assert main(sized) == 0
    small = [word for word in words if word not in ("--size", "32")]
    again = ["--weights", str(tmp_path / "one"), "--tune", "head", "--out", str(tmp_path / "two"), "--policy", "none"]
    assert main([*small, *again]) == 0
    assert open_run(tmp_path / "two").config["chosen"]["size"] == 40


@pytest.mark.parametrize("head", ["none", "16"])
def test_another_head_on_a_run_that_has_one(
    backbone: Path, tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str], head: str
):
    """The backbone comes along and the head is new, as asked; none is a plain one."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    words = ["train", str(data), "--tune", "head", *TINY]
    first = [*words, "--weights", str(backbone), "--head", "24", "--out", str(tmp_path / "one")]
    assert main(first) == 0
    capsys.readouterr()
    second = [*words, "--weights", str(tmp_path / "one"), "--head", head, "--out", str(tmp_path / "two")]
    assert main(second) == 0
    assert "of a head with other layers than this model's" in capsys.readouterr().out
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    layers = {"none": {"fc"}, "16": {"fc.0", "fc.2"}}[head]
    assert {name.rpartition(".")[0] for name in two if name.startswith("fc.")} == layers
    assert all(two[name].equal(value) for name, value in one.items() if not name.startswith("fc."))


def test_grey_weights_for_colour_pictures(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """What was learnt from grey pictures goes on with coloured ones."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    words = ["train", str(data), *TINY]
    grey = [*words, "--model", "cifar_resnet20", "--channels", "1", "--out", str(tmp_path / "one")]
    assert main(grey) == 0
    assert main([*words, "--weights", str(tmp_path / "one"), "--out", str(tmp_path / "two")]) == 0
    assert "grey spread over three colours" in capsys.readouterr().out
    assert open_run(tmp_path / "two").geometry.channels == 3


def test_weights_that_are_not_finite_are_refused(
    backbone: Path, tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]
):
    """One line and no run: nothing can be learnt from them."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    weights = load_file(backbone / "model.safetensors")
    weights["fc.weight"][0, 0] = float("nan")
    save_file(weights, tmp_path / "nan.safetensors")
    words = ["--weights", str(tmp_path / "nan.safetensors"), "--model", "resnet_lite", "--out", str(tmp_path / "run")]
    for tune in ("all", "head"):
        assert main(["train", str(data), *words, "--tune", tune, *TINY]) == 2
        said = capsys.readouterr().err
        assert "finite" in said and "fc.weight" in said and said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_what_the_weights_lack_is_not_frozen(
    tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Layers before the head that a file lacks would stay at random: one line names the --tune that trains them."""
    data = make_photos(tmp_path / "photos", {"a": 20, "b": 20})
    weights = create_model("mobilenet_v3_small", 2).state_dict()
    save_file({name: value.contiguous() for name, value in weights.items()}, tmp_path / "a.safetensors")
    load = transfer.load

    def without_dense(model: Classifier, translated: Translated) -> None:
        load(model, translated)
        translated.fresh.update({"classifier.0": "the file has a different head", "classifier.3": "likewise"})

    monkeypatch.setattr(transfer, "load", without_dense)
    words = ["train", str(data), "--weights", str(tmp_path / "a.safetensors"), "--model", "mobilenet_v3_small", *TINY]
    for tune in ("head", "head,all", "last:1"):
        status = main([*words, "--tune", tune, "--out", str(tmp_path / tune), "--epochs", "1"])
        said = capsys.readouterr().err
        assert (status, "Use --tune last:1 or all." in said) == ((2, True) if tune == "head" else (0, False))
    assert not (tmp_path / "head").exists()


def test_kept_statistics_are_those_of_batch_norms_alone():
    """They stay as in prediction; whatever else a training changes is set to it, dropout among it."""
    model = create_model("mobilenet_v2", 3)
    set_training(model, keep_statistics=True)
    kinds = {isinstance(part, nn.BatchNorm2d): part.training for part in model.modules()}
    assert kinds == {True: False, False: True}
    assert all(part.training != isinstance(part, nn.BatchNorm2d) for part in model.modules())
    assert any(isinstance(part, nn.Dropout) for part in model.modules())
    assert all(part.training for part in set_training(model).modules())


def test_imagenets_weights_without_a_model(tmp_path: Path):
    """They name the architecture, where they come from and how they were fed; another way is refused."""
    asked = TrainConfig(data=tmp_path, cache=tmp_path / "cache", transfer=TransferConfig(weights=IMAGENET))
    found, published = resolve_model(asked), find_published(IMAGENET_MODEL)
    assert found.model == IMAGENET_MODEL and found.transfer.weights is not None and found.transfer.weights.is_file()
    assert (found.transfer.source, found.transfer.normalization) == (published.source, published.normalization)
    with pytest.raises(ConfigError, match="--normalization lite, with which the published weights"):
        resolve_model(replace(asked, transfer=TransferConfig(weights=IMAGENET, normalization="imagenet")))
