"""A convolution whose gradients are computed otherwise where oneDNN's bfloat16 kernels for CPUs are slow.

The weight's, where pixels are few. On CPUs with AMX that gradient of a convolution with many channels and few pixels
(the last stages of any ResNet) takes three to five times as long as the forward pass. Written as a product, the
gradient of a k x k convolution is

    weight (O, k * k * C)  =  outputs' gradient (O, N * h * w)  @  patches (N * h * w, k * k * C)

and AMX does matrix products at full speed. Gathering the patches costs memory and time in proportion to the pixels, so
this pays where pixels are few.

The input's, in a depthwise convolution. With a stride it takes 13 to 60 times as long as the forward pass, half of a
MobileNet's training step. It is a depthwise convolution itself, without stride: of the outputs' gradient, with zeros
between its pixels, and the flipped kernel. The weight's, where the depthwise kernel is larger than 3x3, is several
times faster in float32.

docs/measured.md has the figures.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..device import cpu_has_amx

# Use the product while N * h * w <= this times k * k * C.
PIXELS_PER_WEIGHT = 4

LARGEST_FAST_KERNEL = 3  # of a depthwise convolution whose weight gradient is as fast in bfloat16 as in float32


class Conv2d(nn.Conv2d):
    """torch's Conv2d, the same parameters and the same function; only its backward pass may be computed otherwise."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, O, h, w)."""
        function = self._own_gradient(input)
        if function is None:
            return super().forward(input)
        # Autocast does not reach into a Function: cast as it would.
        return function.apply(input.bfloat16(), self.weight.bfloat16(), self.stride[0], self.padding)

    def _own_gradient(self, images: torch.Tensor) -> type[torch.autograd.Function] | None:
        """The Function whose backward pass is faster than torch's for these pictures, if any is."""
        if not (self.training and torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")):
            return None
        if images.device.type != "cpu" or torch.get_autocast_dtype("cpu") is not torch.bfloat16:
            return None
        if self.bias is not None or self.dilation != (1, 1) or isinstance(self.padding, str):
            return None
        if self.groups == self.in_channels == self.out_channels and self.stride[0] == self.stride[1]:
            return _DepthwiseGradient
        if self.groups == 1 and cpu_has_amx() and self._product_pays(images):
            return _ProductGradient
        return None

    def _product_pays(self, images: torch.Tensor) -> bool:
        pixels = images.shape[0] * (images.shape[2] // self.stride[0]) * (images.shape[3] // self.stride[0])
        return pixels <= PIXELS_PER_WEIGHT * self.weight[0].numel()


class _OwnGradient(torch.autograd.Function):
    """conv2d forward; those below have the gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        images: torch.Tensor,
        weight: torch.Tensor,
        stride: int,
        padding: tuple[int, int],
    ) -> torch.Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        groups = images.shape[1] // weight.shape[1]
        return F.conv2d(images, weight, stride=stride, padding=padding, groups=groups)


class _ProductGradient(_OwnGradient):
    """conv2d's own gradient for the input; one matrix product for the weight's."""

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        image_gradient = None
        if ctx.needs_input_grad[0]:
            image_gradient = torch.ops.aten.convolution_backward(
                gradient, images, weight, None, [ctx.stride] * 2, list(ctx.padding), [1, 1], False, [0, 0], 1,
                [True, False, False],
            )[0]  # fmt: skip
        channels, kernel = weight.shape[0], weight.shape[2:]
        patches = _patches(images, kernel=kernel, stride=ctx.stride, padding=ctx.padding)
        rows = gradient.permute(0, 2, 3, 1).reshape(-1, channels)  # (N, O, h, w) -> (N * h * w, O)
        weight_gradient = (rows.t() @ patches).view(channels, *kernel, -1)  # -> (O, k, k, C)
        return image_gradient, weight_gradient.permute(0, 3, 1, 2), None, None


def _patches(images: torch.Tensor, *, kernel: torch.Size, stride: int, padding: tuple[int, int]) -> torch.Tensor:
    """(N, C, H, W) -> (N * h * w, k * k * C): what each output pixel sees, channels last."""
    images = F.pad(images, (padding[1], padding[1], padding[0], padding[0])).permute(0, 2, 3, 1).contiguous()
    count, height, width, channels = images.shape
    rows, columns = (height - kernel[0]) // stride + 1, (width - kernel[1]) // stride + 1
    of_picture, of_row, of_pixel, of_channel = images.stride()
    windows = images.as_strided(
        (count, rows, columns, *kernel, channels),
        (of_picture, stride * of_row, stride * of_pixel, of_row, of_pixel, of_channel),
    )
    return windows.reshape(count * rows * columns, -1)


class _DepthwiseGradient(_OwnGradient):
    """The gradient of a depthwise conv2d for its input is a depthwise conv2d without stride."""

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        image_gradient = None
        if ctx.needs_input_grad[0]:
            image_gradient = spread_gradient(gradient, images.shape, weight, stride=ctx.stride, padding=ctx.padding)
        if weight.shape[2] > LARGEST_FAST_KERNEL:
            gradient, images, weight = gradient.float(), images.float(), weight.float()
        weight_gradient = torch.ops.aten.convolution_backward(
            gradient, images, weight, None, [ctx.stride] * 2, list(ctx.padding), [1, 1], False, [0, 0], len(weight),
            [False, True, False],
        )[1]  # fmt: skip
        return image_gradient, weight_gradient, None, None


def spread_gradient(
    gradient: torch.Tensor, images: torch.Size, weight: torch.Tensor, *, stride: int, padding: tuple[int, int]
) -> torch.Tensor:
    """Gradient (N, C, h, w) -> that of images (N, C, H, W), through a depthwise kernel (C, 1, k, k)."""
    (count, channels, height, width), kernel = images, weight.shape[2:]
    if stride > 1:
        # As large as the convolution's result would be without stride, and channels last in memory.
        rows, columns = height + 2 * padding[0] - kernel[0] + 1, width + 2 * padding[1] - kernel[1] + 1
        apart = gradient.new_zeros(count, rows, columns, channels).permute(0, 3, 1, 2)
        apart[:, :, ::stride, ::stride] = gradient
        gradient = apart
    beyond = (kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[1])
    return F.conv2d(gradient, weight.flip(2, 3), padding=beyond, groups=channels)
