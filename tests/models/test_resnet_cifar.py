from __future__ import annotations

from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from pictaxa.models import resnet_cifar
from pictaxa.models.resnet_ablations import Ablation, Order, Pad, Shortcut
from pictaxa.models.resnet_cifar import Block, CifarResNet, Size
from pictaxa.models.zoo import create_model

NO_COST = ("identity", "none")  # shortcuts without parameters


def block(shortcut: str = "identity", order: str = "original", *, gate_bias: float = -6.0) -> Block:
    torch.manual_seed(0)
    ablation = Ablation(shortcut, order, 0.5, 0.25, gate_bias)  # type: ignore[arg-type]  # words from a table
    return Block(16, 16, stride=1, bottleneck=False, ablation=ablation).eval()


@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("shortcut", get_args(Shortcut))
@pytest.mark.parametrize("order", get_args(Order))
def test_every_ablation_trains(bottleneck: bool, shortcut: Shortcut, order: Order):
    """Every shortcut in every order gives logits, and a gradient to every parameter."""
    size, ablation = Size(1, bottleneck, order), Ablation(shortcut, order, 0.5, 0.5, -6.0)
    model = CifarResNet(10, 3, size=size, ablation=ablation).train()
    logits = model(torch.rand(2, 3, 32, 32))
    assert logits.shape == (2, 10)
    F.cross_entropy(logits, torch.tensor([0, 1])).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_plain_network_adds_nothing():
    """shortcut=none leaves F(x) with the same parameters (He et al. 2015, figure 6), as option A has none."""
    plain, images = block("none"), torch.randn(2, 16, 8, 8)
    with torch.no_grad():
        assert torch.equal(plain(images), F.relu(plain.residual(images)))
    with torch.device("meta"):
        counts = {sum(p.numel() for p in create_model("cifar_resnet56", shortcut=s).parameters()) for s in NO_COST}
    assert len(counts) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar_resnet1202", "cifar_preresnet1001"])
def test_a_thousand_fresh_layers_can_be_evaluated(name: str):
    """Their logits are finite and tell pictures apart."""
    torch.manual_seed(5)
    model = create_model(name, 10).eval()
    with torch.no_grad():
        logits = model(torch.rand(4, 3, 32, 32))
    assert logits.isfinite().all() and 1e-6 < logits.std() < 1e3


def test_deep_networks_begin_with_measured_statistics(monkeypatch: pytest.MonkeyPatch):
    """Weights and the draws that follow are as without it; only the running statistics differ."""

    def made() -> tuple[CifarResNet, torch.Tensor]:
        torch.manual_seed(0)
        model = create_model("cifar_preresnet110", 10, shortcut="dropout")
        return model, torch.rand(3)

    plain, after = made()
    monkeypatch.setattr(resnet_cifar, "MAX_UNMEASURED", 10)
    measured, same = made()
    assert torch.equal(after, same)
    differing = {name for name, value in plain.state_dict().items() if not value.equal(measured.state_dict()[name])}
    assert differing == {name for name in plain.state_dict() if "running" in name}
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        plain_size, size = (float(model.eval()(images).abs().max()) for model in (plain, measured))
    assert size < 100 and plain_size > 1e4


def test_option_a_has_no_parameters():
    """Every other pixel, and zeros for the new channels."""
    images = torch.arange(32.0).reshape(1, 2, 4, 4)
    out = Pad(3, stride=2)(images)
    assert out.shape == (1, 5, 2, 2)
    assert torch.equal(out[:, :2], images[:, :, ::2, ::2]) and out[:, 2:].abs().sum() == 0


def test_shortcuts_are_what_their_names_say():
    """With the residual path silenced, what is left is the shortcut: scaled, gated, dropped."""
    images = torch.rand(2, 16, 8, 8)

    def rest(shortcut: str, **options: float) -> torch.Tensor:
        unit = block(shortcut, **options)
        torch.nn.init.zeros_(unit.residual.norms[-1].weight)
        if "gating" in shortcut:
            torch.nn.init.zeros_(unit.shortcut.gate.conv.weight)
            torch.nn.init.constant_(unit.shortcut.gate.conv.bias, options["gate_bias"])
        with torch.no_grad():
            return unit(images)

    assert torch.allclose(rest("identity"), images)
    assert torch.allclose(rest("constant"), images * 0.5)
    closed = 1 - torch.sigmoid(torch.tensor(-6.0))
    assert torch.allclose(rest("exclusive_gating", gate_bias=-6.0), images * closed)
    assert torch.allclose(rest("shortcut_only_gating", gate_bias=0.0), images * 0.5)
    assert not torch.allclose(rest("conv1x1"), images)
    unit = block("dropout").train()
    assert unit.shortcut.dropout.p == 0.5


def test_gates_start_with_their_bias():
    """The gates' biases are the option's: -6 opens the shortcut almost wholly."""
    model = create_model("cifar_resnet20", 10, shortcut="shortcut_only_gating", gate_bias=-7.0)
    biases = [value for name, value in model.named_parameters() if name.endswith("gate.conv.bias")]
    assert len(biases) == 9 and all((bias == -7).all() for bias in biases)


def test_full_preactivation_is_a_plain_sum():
    """In the full pre-activation order a block adds to its input and nothing follows the sum (figure 4e)."""
    unit, images = block(order="full_preact"), torch.randn(2, 16, 8, 8)
    with torch.no_grad():
        assert torch.allclose(unit(images), images + unit.residual(images))
        original = block()
        assert torch.equal(original(images), F.relu(images + original.residual(images)))
