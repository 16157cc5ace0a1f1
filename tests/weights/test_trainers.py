"""Checkpoints as common training scripts write them."""

from __future__ import annotations

import argparse
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pictaxa.config.learning import TransferConfig
from pictaxa.config.training import TrainConfig
from pictaxa.errors import WeightsError
from pictaxa.models.contract import Classifier
from pictaxa.models.entry import Source
from pictaxa.models.zoo import create_model
from pictaxa.training.transfer import resolve_model, start_from_weights
from pictaxa.weights.loading import load_weights

State = dict[str, torch.Tensor]


def network(name: str = "cifar_resnet20", classes: int = 4) -> Classifier:
    """A network whose every number is its own, running statistics included."""
    model = create_model(name, classes).eval()
    for name, value in model.state_dict().items():
        if "." in name and value.is_floating_point():
            value.add_(torch.rand_like(value) * 0.1)
    return model


def state(model: Classifier, prefix: str = "", *, head: str = "fc", without_head: bool = False) -> State:
    """Its state dict as torchvision has it, with the head under another name or none."""
    found = {}
    for name, value in model.state_dict().items():
        if name in ("mean", "std") or (without_head and name.startswith("fc.")):
            continue
        found[prefix + (name.replace("fc.", f"{head}.", 1) if name.startswith("fc.") else name)] = value
    return found


def arguments() -> argparse.Namespace:
    return argparse.Namespace(lr=0.1, data=Path("photos"), model="resnet20", betas=(0.9, 0.999))


def momentum(model: Classifier) -> dict[str, object]:
    """An optimizer's state after a step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return optimizer.state_dict()


KINDS: dict[str, Callable[[Classifier], object]] = {
    "torchvision": lambda m: {
        "model": state(m), "optimizer": momentum(m), "lr_scheduler": {"last_epoch": 3}, "epoch": 3, "args": arguments(),
    },
    "timm": lambda m: {
        "epoch": 3, "arch": "resnet20", "state_dict": state(m), "optimizer": momentum(m), "version": 2,
        "args": arguments(), "amp_scaler": {"scale": 65536.0}, "metric": np.float64(71.5),
    },
    "numpy": lambda m: {
        "net": state(m), "acc": np.float32(0.9), "history": np.arange(300.0), "confusion": [np.int64(3)],
        "rng": np.random.get_state(),
    },
    "Lightning": lambda m: {
        "epoch": 3, "global_step": 100, "pytorch-lightning_version": "2.4.0",
        "state_dict": OrderedDict(
            {
                **state(m, "model."), "criterion.weight": torch.ones(4), "train_acc.tp": torch.zeros(4),
                "train_acc.fp": torch.zeros(4),
            }
        ),
        "callbacks": {"ModelCheckpoint{'monitor': 'val_loss'}": {"best_model_score": torch.tensor(0.5)}},
        "hyper_parameters": {"lr": 0.1, "loss": torch.nn.CrossEntropyLoss(), "counts": defaultdict(int, {"a": 1})},
        "optimizer_states": [momentum(m)],
    },
    "DataParallel": lambda m: {"state_dict": state(m, "module."), "best_acc1": torch.tensor(71.0)},
    "nested": lambda m: {"state_dict": state(m, "module.backbone.")},
    "resnet": lambda m: state(m, "resnet."),
    "own": lambda m: {"network_weights": state(m), "epoch": 3},
    "Dropout and Linear": lambda m: state(m, head="fc.1"),
    "the head beside the backbone": lambda m: {
        **state(m, "encoder.", without_head=True), "classifier.1.weight": m.fc.weight, "classifier.1.bias": m.fc.bias,
    },
    "averaged": lambda m: {**state(m, "module."), "n_averaged": torch.tensor(3)},
    "the same twice": lambda m: {**state(m, "net."), **state(m, "wrapped.net.")},
}  # fmt: skip


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_checkpoints_of_trainers_give_the_same_logits(kind: str, zipped: bool, tmp_path: Path):
    """What a script keeps beside the weights, and calls them, changes no bit of the logits."""
    if kind == "Lightning" and not zipped:
        pytest.skip("it writes the archive alone")
    model, other, images = network(), create_model("cifar_resnet20", 4).eval(), torch.rand(2, 3, 32, 32)
    torch.save(KINDS[kind](model), tmp_path / "a.ckpt", _use_new_zipfile_serialization=zipped)
    told = load_weights(other, tmp_path / "a.ckpt", source="torchvision")
    assert torch.equal(other(images), model(images)) and not told.fresh and not told.dropped
    assert all(len(line) < 200 for line in told.lines())


def test_what_was_removed_and_left_out_is_told(tmp_path: Path):
    """The prefix in one line, and whatever is not under it in another."""
    torch.save(KINDS["Lightning"](network()), tmp_path / "a.ckpt")
    lines = load_weights(create_model("cifar_resnet20", 4), tmp_path / "a.ckpt", source="torchvision").lines()
    assert "note      names begin with 'model.', which was removed" in lines
    left = "criterion.weight, train_acc.tp, train_acc.fp"
    assert f"dropped   {left}: not under 'model.', where the network is" in lines
    many = {**state(network(), "net."), **{f"metric.{number}": torch.ones(2) for number in range(50)}}
    torch.save(many, tmp_path / "b.pth")
    lines = load_weights(create_model("cifar_resnet20", 4), tmp_path / "b.pth", source="torchvision").lines()
    assert any("metric.0, metric.1, metric.2 and 47 more: not under 'net.'" in line for line in lines)


@pytest.mark.parametrize("seed", range(12))
def test_any_prefix_is_found(seed: int, tmp_path: Path):
    """Whatever text stands before the names, ended by a dot, and whatever else is in the file."""
    draw = np.random.default_rng(seed)
    letters = [*"abcxyz019_-. /é模", "conv1", "layer1.", "fc", "module.", "weight"]
    prefix = "".join(draw.choice(letters) for _ in range(draw.integers(1, 12))) + "."
    model, other, images = network(), create_model("cifar_resnet20", 4).eval(), torch.rand(1, 3, 32, 32)
    torch.save({**state(model, prefix), "loss.weight": torch.ones(4)}, tmp_path / "a.pth")
    load_weights(other, tmp_path / "a.pth", source="torchvision")
    assert torch.equal(other(images), model(images)), prefix


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("student.", "teacher."),
        ("module.encoder_q.", "module.encoder_k."),
        ("model.", "ema."),
        ("", "model_ema.module."),
    ],
)
@pytest.mark.parametrize("nested", [True, False])
def test_two_networks_are_never_chosen_from(one: str, two: str, nested: bool, tmp_path: Path):
    """Both are named; with `prefix` the one that is meant is loaded."""
    first, second, other = network(), network(), create_model("cifar_resnet20", 4).eval()
    document: object = {**state(first, one), **state(second, two)}
    if nested and one == "student.":
        document = {"student": state(first), "teacher": state(second), "args": arguments()}
    torch.save(document, tmp_path / "a.pth")
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(WeightsError, match="one network in the file") as told:
        load_weights(other, tmp_path / "a.pth", source="torchvision")
    assert repr(two) in str(told.value) and "--weights-prefix" in str(told.value)
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())
    images = torch.rand(1, 3, 32, 32)
    load_weights(other, tmp_path / "a.pth", source="torchvision", prefix=two)
    assert torch.equal(other(images), second(images))


def test_a_training_takes_the_prefix_and_names_what_is_no_weights(tmp_path: Path):
    """--weights-prefix of a training chooses as prefix= does; a SavedModel's folder is named for what it is."""
    first, second, other = network(), network(), create_model("cifar_resnet20", 4)
    torch.save({**state(first, "student."), **state(second, "teacher.")}, tmp_path / "a.pth")
    config = TransferConfig(weights=tmp_path / "a.pth", source="torchvision", weights_prefix="teacher.")
    start_from_weights(other, config, ["a", "b", "c", "d"])
    assert torch.equal(other.conv1.weight, second.conv1.weight)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")
    transfer = TransferConfig(weights=tmp_path / "saved")
    with pytest.raises(WeightsError, match="SavedModel"):
        resolve_model(TrainConfig(data=tmp_path, transfer=transfer))


def test_a_prefix_that_is_none_is_told(tmp_path: Path):
    """With what the names begin instead."""
    torch.save(state(network(), "net."), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="begin with net"):
        load_weights(create_model("cifar_resnet20", 4), tmp_path / "a.pth", source="torchvision", prefix="model.")


def test_wrappers_with_two_networks_are_refused(tmp_path: Path):
    """Neither of two plain dictionaries of weights is taken for being the first; an average beside one is only told."""
    first, second = network(), network()
    torch.save({"model": state(first), "net": state(second)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"'model\.' and 'net\.'"):
        load_weights(create_model("cifar_resnet20", 4), tmp_path / "a.pth", source="torchvision")
    torch.save({"model": state(first), "model_ema": state(second, "module.")}, tmp_path / "b.pth")
    other, images = create_model("cifar_resnet20", 4).eval(), torch.rand(1, 3, 32, 32)
    told = load_weights(other, tmp_path / "b.pth", source="torchvision")
    assert torch.equal(other(images), first(images))
    assert told.unread == {"model_ema": "other weights; those in model are used"}


@pytest.mark.parametrize("head", ["hidden", "projection", "norm", "two"])
def test_other_heads_leave_the_backbone(head: str, tmp_path: Path):
    """Of a head that isn't the network's own layer nothing is used, and that is told."""
    model, other = network(), create_model("cifar_resnet20", 4)
    before = other.fc.weight.clone()
    linear = {"weight": torch.ones(4, 64), "bias": torch.ones(4)}
    layers = {
        "hidden": {"fc.0": {"weight": torch.ones(8, 64), "bias": torch.ones(8)}, "fc.2": {"weight": torch.ones(4, 8)}},
        "projection": {"head.0": {"weight": torch.ones(8, 64), "bias": torch.ones(8)}, "head.2": linear},
        "norm": {"fc.0": {"weight": torch.ones(64), "bias": torch.ones(64)}, "fc.1": linear},
        "two": {"fc": linear, "classifier": linear},
    }[head]
    own = {f"{layer}.{name}": value for layer, values in layers.items() for name, value in values.items()}
    torch.save({**state(model, without_head=True), **own}, tmp_path / "a.pth")
    told = load_weights(other, tmp_path / "a.pth", source="torchvision")
    assert torch.equal(other.fc.weight, before) and torch.equal(other.conv1.weight, model.conv1.weight)
    assert {*told.dropped} >= {*own} - {"fc.weight", "fc.bias"} and list(told.fresh) == ["fc"]


def test_a_head_of_ones_own_on_several_dense_layers(tmp_path: Path):
    """All dense layers of the network stay new, as with Keras' files."""
    model, other = create_model("alexnet_half_slim", 4), create_model("alexnet_half_slim", 4)
    names = {name: value for name, value in model.state_dict().items() if "." in name and not name.startswith("fc")}
    before = other.fc1.weight.clone()
    torch.save({**names, "classifier.1.weight": torch.ones(4, 7)}, tmp_path / "a.pth")
    told = load_weights(other, tmp_path / "a.pth", source="torchvision")
    assert torch.equal(other.fc1.weight, before) and {"fc1", "fc2", "fc3"} <= told.fresh.keys()
    assert any(torch.equal(other.state_dict()[name], value) for name, value in names.items())


@pytest.mark.parametrize(
    ("made", "asked", "source", "words"),
    [
        ("resnet34", "resnet18", "torchvision", "use --model resnet34"),
        ("resnet18", "resnet50", "torchvision", "use --model resnet18"),
        ("cifar_resnet20", "resnet18", "torchvision", "use --model cifar_resnet20"),
        ("resnet18", "vgg11", "torchvision", "use --model resnet18"),
    ],
)
def test_another_architecture_is_named(made: str, asked: str, source: Source, words: str, tmp_path: Path):
    """A short message: the first three names of each kind, how many, and which entry the file is of."""
    torch.save({"state_dict": state(create_model(made, 4), "model.")}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=words) as told:
        load_weights(create_model(asked, 4), tmp_path / "a.pth", source=source)
    assert len(str(told.value)) < 700 and "more" in str(told.value)


def test_names_of_nothing_known_are_told_shortly(tmp_path: Path):
    """A file of other tensors says what fits and what to check; Hugging Face's names are known as such."""
    names = {f"resnet.embedder.embedder.{number}.convolution.weight": torch.ones(3) for number in range(300)}
    torch.save(names, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="Hugging Face") as told:
        load_weights(create_model("resnet18", 4), tmp_path / "a.pth", source="torchvision")
    assert len(str(told.value)) < 700
    torch.save({f"a.{number}": torch.ones(3) for number in range(300)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="check --model and --source") as told:
        load_weights(create_model("resnet18", 4), tmp_path / "a.pth", source="torchvision")
    assert len(str(told.value)) < 700
