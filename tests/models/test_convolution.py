from __future__ import annotations

import pytest
import torch
from torch import nn

from pictaxa.models import convolution
from pictaxa.models.convolution import Conv2d
from pictaxa.models.layers import convolve
from pictaxa.models.same_padding import SameConv2d


def check_gradients(ours: Conv2d, images: torch.Tensor, *, function: type[torch.autograd.Function]) -> None:
    """Gradients of input and weight agree with torch's in float64 to bfloat16's precision.

    Where torch's own in bfloat16 is further off than a hundredth (the input's, on processors without AVX-512), ours may
    be as far, and no further.
    """
    plain, exact = (
        nn.Conv2d(
            ours.in_channels, ours.out_channels, ours.kernel_size, ours.stride, ours.padding, groups=ours.groups,
            bias=ours.bias is not None,
        )
        for _ in range(2)
    )  # fmt: skip
    with torch.no_grad():
        for mine, *others in zip(ours.parameters(), plain.parameters(), exact.parameters(), strict=True):
            mine.copy_(mine.bfloat16())
            for other in others:
                other.copy_(mine)
    images = images.bfloat16().float()
    with torch.autocast("cpu", torch.bfloat16):
        assert ours._own_gradient(images.requires_grad_()) is function
        out = ours(images)
    target = torch.randn(out.shape).bfloat16()
    wanted = gradients(exact.double(), images.double(), target.double())
    assert (out - exact(images.double())).abs().max() < 0.01 * out.abs().max()
    torchs = gradients(plain.to(memory_format=torch.channels_last), images, target.float())
    for mine, theirs, right in zip(gradients(ours, images, target.float()), torchs, wanted, strict=True):
        allowed = max(0.01 * right.abs().max(), (theirs - right).abs().max())
        assert mine.dtype is torch.float32 and (mine - right).abs().max() <= allowed


def gradients(layer: nn.Conv2d, images: torch.Tensor, target: torch.Tensor) -> list[torch.Tensor]:
    """Of the layer's parameters and of the images, in bfloat16 unless they are float64."""
    images = images.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=images.dtype is torch.float32):
        out = layer(images)
    (out.to(target.dtype) * target).sum().backward()
    found = [parameter.grad for parameter in layer.parameters()] + [images.grad]
    return [gradient for gradient in found if gradient is not None]


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [5, 8])
@pytest.mark.parametrize("bias", [False, True])
def test_the_product_is_the_gradient(monkeypatch: pytest.MonkeyPatch, kernel: int, stride: int, size: int, bias: bool):
    """The weight's gradient as a matrix product is torch's, whatever kernel, stride and size."""
    monkeypatch.setattr(convolution, "cpu_has_amx", lambda: True)
    torch.manual_seed(0)
    ours = Conv2d(32, 24, kernel, stride=stride, padding=kernel // 2, bias=bias).to(memory_format=torch.channels_last)
    check_gradients(ours, torch.randn(2, 32, size, size), function=convolution._ProductGradient)


@pytest.mark.parametrize(("channels", "out_channels"), [(64, 128), (80, 64)])  # whole tiles, and not
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [(3, 2), (24, 31)])  # few pixels and many
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_a_pointwise_convolution_is_a_product(
    monkeypatch: pytest.MonkeyPatch, channels: int, out_channels: int, bias: bool, size: tuple[int, int],
    memory_format: torch.memory_format,
):  # fmt: skip
    """1x1 as matrix products: result and gradients are torch's, however pictures lie; a ReLU in place may follow."""
    monkeypatch.setattr(convolution, "cpu_has_amx", lambda: True)
    torch.manual_seed(0)
    ours = Conv2d(channels, out_channels, 1, bias=bias)
    images = torch.randn(2, channels, *size).contiguous(memory_format=memory_format)
    check_gradients(ours, images, function=convolution._Pointwise)
    with torch.autocast("cpu", torch.bfloat16):
        out = ours(images)
        assert out.is_contiguous(memory_format=torch.channels_last)
        torch.relu_(out).sum().backward()


@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (3, 0), (5, 2), (5, 0), (1, 0)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(9, 9), (8, 8), (7, 12)])
def test_a_depthwise_gradient(kernel: int, padding: int, stride: int, size: tuple[int, int]):
    """The input's gradient through a flipped kernel is torch's; padding 0 is how TF-same arrives."""
    torch.manual_seed(0)
    ours = Conv2d(6, 6, kernel, stride=stride, padding=padding, groups=6, bias=False)
    check_gradients(ours, torch.randn(2, 6, *size), function=convolution._DepthwiseGradient)


@pytest.mark.parametrize(
    ("ours", "function"),
    [
        (Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False), convolution._DepthwiseGradient),
        (Conv2d(8, 8, 5, padding=2, groups=8, bias=False), convolution._DepthwiseGradient),
        (Conv2d(64, 128, 1, bias=False), convolution._Pointwise),
        (Conv2d(32, 24, 3, padding=1, bias=False), convolution._ProductGradient),
        (SameConv2d(8, 8, 3, stride=2, groups=8, bias=False), convolution._DepthwiseGradient),
    ],
    ids=["depthwise", "depthwise-5x5", "pointwise", "product", "same"],
)
def test_other_weights_and_a_bias(
    monkeypatch: pytest.MonkeyPatch, ours: Conv2d, function: type[torch.autograd.Function]
):
    """With a kernel and a bias that are computed, as of a merged norm: gradients reach both and the pictures."""
    monkeypatch.setattr(convolution, "cpu_has_amx", lambda: True)
    torch.manual_seed(0)
    scale, bias = torch.rand(ours.out_channels) + 0.5, torch.randn(ours.out_channels)
    images, target = torch.randn(2, ours.in_channels, 8, 8).bfloat16().float(), None
    with torch.no_grad():
        ours.weight.copy_(ours.weight.bfloat16())
    found = []
    for kind in (torch.float32, torch.float64):
        leaves = [tensor.detach().to(kind, copy=True).requires_grad_() for tensor in (ours.weight, scale, bias, images)]
        weight, factor, shift, pictures = leaves
        kernel = weight * factor[:, None, None, None]
        with torch.autocast("cpu", torch.bfloat16, enabled=kind is torch.float32):
            assert (ours._own_gradient(pictures) is function) == (kind is torch.float32)
            out = convolve(ours, pictures, kernel, shift)
        target = torch.randn(out.shape).bfloat16() if target is None else target
        (out.to(kind) * target.to(kind)).sum().backward()
        found.append([out, *(leaf.grad for leaf in leaves)])
    for mine, right in zip(*found, strict=True):
        assert (mine - right).abs().max() < 0.015 * right.abs().max()


def test_they_are_used_only_where_they_pay(monkeypatch: pytest.MonkeyPatch):
    """Not without autocast to bfloat16, the product not without AMX or for large pictures, none in evaluation."""
    few, many = torch.rand(2, 64, 4, 4), torch.rand(8, 64, 64, 64)
    conv = Conv2d(64, 64, 3, padding=1, bias=False)
    grouped = Conv2d(64, 64, 3, padding=1, groups=4, bias=False)
    depthwise = Conv2d(64, 64, 3, stride=2, padding=1, groups=64, bias=False)
    monkeypatch.setattr(convolution, "cpu_has_amx", lambda: True)
    assert conv._own_gradient(few) is depthwise._own_gradient(few) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert conv._own_gradient(few) is not None and depthwise._own_gradient(few) is not None
        assert conv._own_gradient(many) is grouped._own_gradient(few) is None
        assert conv.eval()._own_gradient(few) is depthwise.eval()._own_gradient(few) is None
        with torch.no_grad():
            assert conv.train()._own_gradient(few) is depthwise.train()._own_gradient(few) is None
    monkeypatch.setattr(convolution, "cpu_has_amx", lambda: False)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv._own_gradient(few) is None and depthwise._own_gradient(few) is not None
