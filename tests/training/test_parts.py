"""schedule.py, optimizer.py, averaging.py and checkpoint.py: the loop's parts, each by itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from pictaxa.config.learning import OptimizerConfig, ScheduleConfig, TransferConfig
from pictaxa.config.usual import FROM_KNOWN, FROM_NOTHING, Usual
from pictaxa.errors import ConfigError, RunError
from pictaxa.models.zoo import create_model
from pictaxa.runs.log import LOG_COLUMNS
from pictaxa.training.averaging import Follower, start_average
from pictaxa.training.checkpoint import KEPT, Counters, load_state, save_state
from pictaxa.training.optimizer import Optimizer, make_optimizer, set_lr
from pictaxa.training.schedule import Length, lr_at, peak_lr, size_at
from pictaxa.training.transfer import lr_scales
from pictaxa.weights.files import load_tensors, read_notes, save_tensors


def test_the_rate_warms_up_and_anneals_to_zero():
    """Linear to the peak, half of it in the middle of the cosine, zero at the end."""
    schedule = ScheduleConfig(warmup=0.1)
    rates = [lr_at(part, step=0, epoch=0, peak=1.0, schedule=schedule) for part in (0.05, 0.1, 0.55, 1.0)]
    assert rates == pytest.approx([0.5, 1.0, 0.5, 0.0])
    assert lr_at(0.0, step=0, epoch=0, peak=1.0, schedule=schedule) > 0
    assert lr_at(0.0, step=0, epoch=0, peak=1.0, schedule=ScheduleConfig(warmup=0.0)) == 1.0


@pytest.mark.parametrize(
    ("curve", "rates"),
    [
        ("constant", [2.0] * 6),
        ("every:2=0.5", [2.0, 2.0, 1.0, 1.0, 0.5, 0.5]),
        ("steps:0=0.1,20=1,40=0.1", [0.2, 0.2, 2.0, 2.0, 0.2, 0.2]),
        ("steps:30=0.5", [1.0] * 6),
    ],
)
def test_the_rate_may_follow_another_curve(curve: str, rates: list[float]):
    """Six epochs of ten steps: as it is, times a factor after some epochs, or that part from a step on."""
    schedule = ScheduleConfig(lr_schedule=curve, warmup=0.0)
    found = [lr_at(epoch / 6, step=10 * epoch, epoch=epoch, peak=2.0, schedule=schedule) for epoch in range(6)]
    assert found == pytest.approx(rates)
    late = replace(schedule, warmup=0.5)
    assert lr_at(0.25, step=15, epoch=1, peak=2.0, schedule=late) == pytest.approx(1.0)


@pytest.mark.parametrize("curve", ["", "linear", "every:0=0.5", "every:2", "steps:", "steps:1=x", "steps:1=0.5,"])
def test_a_curve_that_is_none(curve: str):
    """It is refused with those that there are."""
    with pytest.raises(ConfigError, match="--lr-schedule cosine, constant"):
        ScheduleConfig(lr_schedule=curve)


@pytest.mark.parametrize(
    ("usual", "optimizer", "rate"),
    [
        (FROM_NOTHING, "sgd", 0.15),
        (FROM_NOTHING, "adamw", 0.002),
        (FROM_KNOWN, "sgd", 0.01),
        (FROM_KNOWN, "adam", 3e-4),
        (FROM_KNOWN, "adamw", 3e-4),
    ],
)
def test_the_rate_follows_the_batch(usual: Usual, optimizer: str, rate: float):
    """The usual one at the usual batch, twice that at twice the batch, no more from 512 on; one asked for stays."""
    batch = usual.batch_size
    assert peak_lr(ScheduleConfig(batch_size=batch), optimizer, usual=usual) == rate
    assert peak_lr(ScheduleConfig(batch_size=2 * batch), optimizer, usual=usual) == 2 * rate
    most = pytest.approx(rate * 512 / batch)
    assert all(peak_lr(ScheduleConfig(batch_size=n), optimizer, usual=usual) == most for n in (512, 1024))
    assert peak_lr(ScheduleConfig(lr=0.5), optimizer, usual=usual) == 0.5


@pytest.mark.parametrize(
    ("progress", "size", "min_size", "progressive_resizing", "sides"),
    [  # the last are those from nothing and from known weights
        (0.0, 128, 32, 0.6, (64, 96)),
        (0.29, 128, 32, 0.6, (64, 96)),
        (0.3, 128, 32, 0.6, (96, 96)),
        (0.6, 128, 32, 0.6, (128, 128)),
        (0.0, 224, 32, 0.6, (128, 160)),  # of 112, which lies between two multiples of 32
        (0.3, 224, 32, 0.6, (160, 192)),
        (0.0, 64, 64, 0.6, (64, 64)),
        (0.0, 32, 32, 0.6, (32, 32)),
        (0.0, 128, 32, 0.0, (128, 128)),
    ],
)
def test_pictures_are_small_first(
    progress: float, size: int, min_size: int, progressive_resizing: float, sides: tuple[int, int]
):
    """The first part of the size, then the second, then all of it; never below what the model takes."""
    for usual, side in zip((FROM_NOTHING, FROM_KNOWN), sides, strict=True):
        words = {"size": size, "min_size": min_size, "progressive_resizing": progressive_resizing}
        assert size_at(progress, **words, small_sizes=usual.small_sizes) == side


def test_length_in_steps_and_in_seconds():
    """Progress counts steps, or seconds up to a reserve for the last validation."""
    assert Length(steps=10, seconds=None).progress(5, seconds=99, reserve=9) == 0.5
    assert Length(steps=None, seconds=100).progress(5, seconds=45, reserve=10) == 0.5
    assert Length(steps=None, seconds=100).progress(5, seconds=200, reserve=10) == 1.0
    assert Length(steps=None, seconds=5).progress(0, seconds=0.0, reserve=10) == 0.0  # no time but for the validation
    assert Length(steps=None, seconds=5).progress(0, seconds=0.1, reserve=10) == 1.0
    assert Length(steps=10, seconds=None).progress(11, seconds=0, reserve=0) == 1.0
    assert Length(steps=10, seconds=None).seconds_left(4, seconds=8) == pytest.approx(12)
    assert Length(steps=10, seconds=None).seconds_left(0, seconds=3) == pytest.approx(30)
    assert Length(steps=None, seconds=100).seconds_left(4, seconds=30) == 70


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_decay_is_on_weights_only(name: str):
    """Biases and batch norm have no weight decay, and each optimizer makes the loss smaller."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    optimizer = make_optimizer(model, OptimizerConfig(optimizer=name, weight_decay=0.1))
    decays = [group["weight_decay"] for group in optimizer.groups for _ in group["params"]]
    by_parameter = {id(parameter): decay for parameter, decay in zip(optimizer.parameters, decays, strict=True)}
    assert [by_parameter[id(parameter)] for parameter in model.parameters()] == [0.1, 0, 0, 0, 0.1, 0]
    images, labels = torch.randn(8, 1, 3, 3), torch.arange(8) % 2
    losses = []
    for _ in range(20):
        set_lr(optimizer, 0.02)
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("weights", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("gradients", [torch.channels_last, torch.contiguous_format])
def test_updates_do_not_depend_on_the_memory_format(
    name: str, weights: torch.memory_format, gradients: torch.memory_format
):
    """However weights and gradients lie in memory, three steps end where torch's plain optimizer ends."""
    torch.manual_seed(0)
    model = nn.Conv2d(3, 4, 3, bias=False).to(memory_format=weights)  # as square as a kernel can be
    plain = nn.Parameter(model.weight.detach().clone(memory_format=torch.contiguous_format))
    optimizer = make_optimizer(model, OptimizerConfig(optimizer=name, weight_decay=0.1))
    reference = {
        "sgd": lambda: torch.optim.SGD([plain], lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
        "adam": lambda: torch.optim.Adam([plain], lr=0.1, weight_decay=0.1),
        "adamw": lambda: torch.optim.AdamW([plain], lr=0.1, weight_decay=0.1),
    }[name]()
    for _ in range(3):
        gradient = torch.randn(4, 3, 3, 3)
        model.weight.grad = gradient.contiguous(memory_format=gradients)
        plain.grad = gradient
        set_lr(optimizer, 0.1)
        optimizer.step()
        reference.step()
    assert model.weight.is_contiguous(memory_format=weights)
    assert torch.allclose(model.weight, plain, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        ({"nesterov": "no"}, lambda weight: torch.optim.SGD([weight], lr=0.1, momentum=0.9)),
        ({"momentum": 0.0}, lambda weight: torch.optim.SGD([weight], lr=0.1)),
        ({"optimizer": "adam", "eps": 0.1}, lambda weight: torch.optim.Adam([weight], lr=0.1, eps=0.1)),
    ],
)
def test_other_forms_of_an_optimizer(settings: dict[str, object], reference: Callable[..., torch.optim.Optimizer]):
    """Plain momentum, none at all, and another epsilon end where torch's optimizers with them end."""
    torch.manual_seed(0)
    model = nn.Linear(3, 4, bias=False)
    plain = nn.Parameter(model.weight.detach().clone())
    asked = replace(OptimizerConfig(optimizer="sgd", weight_decay=0.0), **settings)
    ours, theirs = make_optimizer(model, asked), reference(plain)
    for _ in range(3):
        model.weight.grad = plain.grad = torch.randn(4, 3)
        set_lr(ours, 0.1)
        ours.step()
        theirs.step()
    assert torch.allclose(model.weight, plain, atol=1e-6)


def test_decay_may_be_on_all():
    """weight_decay_on all: biases, scales and shifts too, as torch.optim has it by itself."""
    model = create_model("resnet18", 2)
    everything = OptimizerConfig(optimizer="sgd", weight_decay=0.1, weight_decay_on="all")
    (group,) = make_optimizer(model, everything).groups
    assert group["weight_decay"] == 0.1 and len(group["params"]) == len(list(model.parameters()))


def test_the_average_follows_the_weights():
    """After many steps at constant weights the average is them; with decay 0 it always is."""
    model = nn.BatchNorm2d(3)
    average = start_average(model)
    with torch.no_grad():
        model.weight.fill_(5.0)
        model.num_batches_tracked.fill_(7)
    follower = Follower(average, model)
    follower.follow(decay=0.9, step=1000)
    assert torch.allclose(average.weight, torch.full((3,), 0.9 * 1 + 0.1 * 5))
    assert average.num_batches_tracked == 7
    follower.follow(decay=0.0, step=1000)
    assert torch.equal(average.weight, model.weight)


@pytest.mark.parametrize(("step", "part"), [(0, 0.9), (1, 9 / 11), (8, 0.5), (80, 0.1), (890, 0.01), (9000, 0.01)])
def test_the_random_start_is_soon_forgotten(step: int, part: float):
    """The first steps go further towards the weights: 9 / (10 + step) of the way, until that is less than asked for."""
    model = nn.Linear(1, 1, bias=False)
    average = start_average(model)
    assert not average.training and not average.weight.requires_grad
    with torch.no_grad():
        average.weight.fill_(0.0)
        model.weight.fill_(1.0)
    Follower(average, model).follow(decay=0.99, step=step)
    assert average.weight.item() == pytest.approx(part, rel=1e-4)


def test_what_has_no_gradient_stays():
    """A frozen or unused parameter is passed over, and its neighbours move by their own gradients."""
    for name in ("sgd", "adam", "adamw"):
        model = nn.ModuleList([nn.Linear(2, 2, bias=False) for _ in range(3)])
        model[0].weight.requires_grad_(False)
        before = [layer.weight.detach().clone() for layer in model]
        optimizer = make_optimizer(model, OptimizerConfig(optimizer=name, weight_decay=0.1))
        assert len(optimizer.parameters) == 2
        set_lr(optimizer, 0.1)
        model[2](torch.ones(1, 2)).sum().backward()
        optimizer.step()
        same = [torch.equal(layer.weight, old) for layer, old in zip(model, before, strict=True)]
        assert same == [True, True, False]


def test_a_training_begins_at_nothing():
    """No step and no second are done, and any epoch is better than the one that is kept."""
    new = Counters()
    assert (new.epoch, new.batch, new.step, new.seconds, new.right, new.pictures, new.loss_sum) == (0,) * 7
    assert new.best_accuracy < 0 and new.best_epoch < 0 and new.best_loss is None and new.log == []


def test_a_new_epoch_begins_with_no_sums():
    """What counts an epoch is zero, what counts the training goes on."""
    counters = Counters(
        epoch=3, batch=4, step=50, seconds=9.0, loss_sum=2.0, right=5, pictures=8, epoch_seconds=3.0,
        waiting_seconds=1.0, best_accuracy=0.7, best_epoch=2, validation_seconds=0.5,
    )  # fmt: skip
    counters.start_epoch()
    assert counters == Counters(
        epoch=3, step=50, seconds=9.0, best_accuracy=0.7, best_epoch=2, validation_seconds=0.5
    )  # fmt: skip


def a_session() -> tuple[nn.Module, nn.Module, Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = make_optimizer(model, OptimizerConfig(optimizer="adam", weight_decay=5e-4))
    set_lr(optimizer, 0.1)
    model(torch.randn(4, 3)).square().sum().backward()
    optimizer.step()
    return model, start_average(model), optimizer


def test_an_optimizer_does_not_load_torchs_compiler():
    """Neither making one nor its steps: the compiler takes seconds to load, at each training's start."""
    code = """
import sys, torch
from pictaxa.config.learning import OptimizerConfig
from pictaxa.training.optimizer import make_optimizer, set_lr
for name in ("sgd", "adam", "adamw"):
    layer = torch.nn.Linear(2, 2)
    optimizer = make_optimizer(layer, OptimizerConfig(optimizer=name, weight_decay=0.1))
    set_lr(optimizer, 0.1)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_state_comes_back_whole(tmp_path: Path):
    """Weights, averages, optimizer moments and counters are what was saved; only the last two states are kept."""
    model, average, optimizer = a_session()
    row = dict.fromkeys(LOG_COLUMNS, 1) | {"val_loss": None}
    for step in range(4):
        counters = Counters(epoch=2, step=step, log=[row])
        save_state(tmp_path / "state", counters, model=model, average=average, optimizer=optimizer)
    assert len(list((tmp_path / "state").glob("*.safetensors"))) == KEPT
    other, other_average, other_optimizer = a_session()
    with torch.no_grad():
        for parameter in [*other.parameters(), *other_average.parameters()]:
            parameter.zero_()
    loaded = load_state(tmp_path / "state", model=other, average=other_average, optimizer=other_optimizer)
    assert loaded == Counters(epoch=2, step=3, log=[row])
    for ours, theirs in ((model, other), (average, other_average)):
        assert all(torch.equal(ours.state_dict()[name], value) for name, value in theirs.state_dict().items())
    for number, values in optimizer.state.items():
        for name, value in values.items():
            assert torch.equal(value, other_optimizer.state[number][name])


def test_a_damaged_state_gives_way_to_the_one_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The newest state cut short: the one before is used, and it is said; none left: an error that says so."""
    model, average, optimizer = a_session()
    for step in (1, 2):
        save_state(tmp_path / "state", Counters(step=step), model=model, average=average, optimizer=optimizer)
    newest = tmp_path / "state" / "step-000000002.safetensors"
    newest.write_bytes(newest.read_bytes()[:-20])
    assert load_state(tmp_path / "state", model=model, average=average, optimizer=optimizer).step == 1
    assert "step-000000001.safetensors, as a newer state can't be used" in capsys.readouterr().out
    (tmp_path / "state" / "step-000000001.safetensors").unlink()
    with pytest.raises(RunError, match="checkpoint"):
        load_state(tmp_path / "state", model=model, average=average, optimizer=optimizer)


STATES: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "a weight is missing": lambda tensors: tensors.pop(next(name for name in tensors if name.startswith("model."))),
    "not finite": lambda tensors: tensors["average.0.bias"].fill_(torch.nan),
    "a momentum of another shape": lambda tensors: tensors.update({"optimizer.0.exp_avg": torch.zeros(9)}),
    "other counters": lambda tensors: tensors,
}


@pytest.mark.parametrize("case", STATES)
def test_a_state_of_another_training_gives_way(tmp_path: Path, case: str):
    """Whole files whose contents don't fit are passed over as damaged ones are; a folder in one's place is told."""
    model, average, optimizer = a_session()
    folder = tmp_path / "state"
    for step in (1, 2):
        save_state(folder, Counters(step=step), model=model, average=average, optimizer=optimizer)
    newest = folder / "step-000000002.safetensors"
    tensors = load_tensors(newest)
    STATES[case](tensors)
    notes = {"counters": '{"step": "two"}'} if case == "other counters" else read_notes(newest)
    save_tensors(tensors, newest, notes=notes)
    assert load_state(folder, model=model, average=average, optimizer=optimizer).step == 1
    newest.unlink()
    newest.mkdir()
    with pytest.raises(RunError, match="a folder at"):
        load_state(folder, model=model, average=average, optimizer=optimizer)


def test_a_learnt_backbone_may_take_smaller_steps_than_its_head():
    """--backbone-lr-scale is the part of the rate that all but the classifier layer gets, whatever else is tuned."""
    model = create_model("resnet_lite", 3)
    shares = lr_scales(model, TransferConfig(weights=Path("a"), tune="last:2", backbone_lr_scale=0.25))
    assert set(shares.values()) == {0.25}
    assert dict(model.named_parameters()).keys() - shares.keys() == {"fc.weight", "fc.bias"}
    optimizer = make_optimizer(model, OptimizerConfig(optimizer="sgd", weight_decay=0.1), shares=shares)
    set_lr(optimizer, 0.2)
    assert {group["lr"] for group in optimizer.groups} == {0.05, 0.2}
    at_full_rate = sum(p.numel() for group in optimizer.groups for p in group["params"] if group["lr"] == 0.2)
    assert at_full_rate == sum(p.numel() for p in model.fc.parameters())
    with pytest.raises(ConfigError, match="--backbone-lr-scale"):
        TransferConfig(weights=Path("a"), backbone_lr_scale=1.5)


@pytest.mark.parametrize(
    "transfer", [TransferConfig(weights=Path("a"), backbone_lr_scale=1.0), TransferConfig(backbone_lr_scale=0.5)]
)
def test_all_learns_at_one_rate(transfer: TransferConfig):
    """By default, and from nothing whatever --backbone-lr-scale says: there is no learnt backbone."""
    assert not lr_scales(create_model("resnet_lite", 3), transfer)
