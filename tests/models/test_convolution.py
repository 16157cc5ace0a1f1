from __future__ import annotations

import pytest
import torch
from torch import nn

from pictaxa.models import convolution
from pictaxa.models.convolution import Conv2d


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [5, 8])
def test_the_product_is_the_gradient(monkeypatch: pytest.MonkeyPatch, kernel: int, stride: int, size: int):
    """Gradients of input and weight agree with torch's in float64 to bfloat16's precision."""
    monkeypatch.setattr(convolution, "cpu_has_amx", lambda: True)
    torch.manual_seed(0)
    ours = Conv2d(32, 24, kernel, stride=stride, padding=kernel // 2, bias=False).to(memory_format=torch.channels_last)
    exact = nn.Conv2d(32, 24, kernel, stride=stride, padding=kernel // 2, bias=False).double()
    with torch.no_grad():
        ours.weight.copy_(ours.weight.bfloat16())
        exact.weight.copy_(ours.weight)
    images = torch.randn(2, 32, size, size).bfloat16().float().requires_grad_()
    others = images.detach().double().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        assert ours._product_pays(images)
        out = ours(images)
    target = torch.randn(out.shape).bfloat16()
    (out.float() * target).sum().backward()
    (exact(others) * target.double()).sum().backward()
    assert images.grad is not None and others.grad is not None
    for mine, theirs in ((ours.weight.grad, exact.weight.grad), (images.grad, others.grad)):
        assert (mine - theirs).abs().max() < 0.01 * theirs.abs().max()


def test_it_is_used_only_where_it_pays(monkeypatch: pytest.MonkeyPatch):
    """Not without AMX or autocast, not with groups, not for large pictures, and never in evaluation."""
    few, many = torch.rand(2, 64, 4, 4), torch.rand(8, 64, 64, 64)
    conv = Conv2d(64, 64, 3, padding=1, bias=False)
    grouped = Conv2d(64, 64, 3, padding=1, groups=4, bias=False)
    monkeypatch.setattr(convolution, "cpu_has_amx", lambda: True)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv._product_pays(few) and not conv._product_pays(many) and not grouped._product_pays(few)
        assert conv.eval()(few).grad_fn is not None and "Product" not in type(conv(few).grad_fn).__name__
    assert not conv._product_pays(few)
    monkeypatch.setattr(convolution, "cpu_has_amx", lambda: False)
    with torch.autocast("cpu", torch.bfloat16):
        assert not conv._product_pays(few)
