"""A convolution that avoids oneDNN's slow bfloat16 kernels in training on CPUs.

The weight's gradient, where pixels are few. On CPUs with AMX that of a convolution with many channels and few pixels
(the last stages of any ResNet) takes three to five times as long as the forward pass. Written as a product, the
gradient of a k x k convolution is

    weight (O, k * k * C)  =  outputs' gradient (O, N * h * w)  @  patches (N * h * w, k * k * C)

and AMX does matrix products at full speed. Gathering the patches costs memory and time in proportion to the pixels, so
this pays where pixels are few.

A 1x1 convolution without stride. It is a matrix product of pixels and channels, forward and backward, with nothing to
gather, and faster as one unless its channels are few.

The input's gradient, in a depthwise convolution. With a stride it takes 13 to 60 times as long as the forward pass,
half of a MobileNet's training step. It is a depthwise convolution itself, without stride: of the outputs' gradient,
with zeros between its pixels, and the flipped kernel. The weight's, where the depthwise kernel is larger than 3x3, is
several times faster in float32.

docs/measured.md has the figures.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..system.device import cpu_has_amx

# Use the product while N * h * w <= this times k * k * C.
PIXELS_PER_WEIGHT = 4

# A 1x1 convolution is a product from so many weights on; its weight's gradient too, where both sides have a multiple of
# so many channels.
MIN_WEIGHTS, WHOLE_TILES = 4096, 64

LARGEST_FAST_KERNEL = 3  # of a depthwise convolution whose weight gradient is as fast in bfloat16 as in float32


class Conv2d(nn.Conv2d):
    """torch's Conv2d, the same parameters and the same function; only its backward pass may be computed otherwise."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, O, h, w)."""
        return self.convolve(input, self.weight, self.bias)

    def convolve(self, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """(N, C, H, W) -> (N, O, h, w) with these weights, which may be others than its own."""
        function = self._own_gradient(images)
        if function is None:
            return self._conv_forward(images, weight, bias)
        # Autocast does not reach into a Function: cast as it would.
        return function.apply(images.bfloat16(), weight.bfloat16(), bias, self.stride[0], self.padding)

    def _own_gradient(self, images: torch.Tensor) -> type[torch.autograd.Function] | None:
        """The Function whose backward pass is faster than torch's for these pictures, if any is."""
        if not (self.training and torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")):
            return None
        if images.device.type != "cpu" or torch.get_autocast_dtype("cpu") is not torch.bfloat16:
            return None
        if self.dilation != (1, 1) or self.stride[0] != self.stride[1] or isinstance(self.padding, str):
            return None
        if self.groups == self.in_channels == self.out_channels and self.bias is None:  # its own; one may come to it
            return _DepthwiseGradient
        if self.groups > 1 or not cpu_has_amx():
            return None
        pointwise = self.kernel_size == self.stride == (1, 1) and self.padding == (0, 0)
        if pointwise and self.weight.numel() >= MIN_WEIGHTS:
            return _Pointwise
        return _ProductGradient if product_pays(images.shape, self.weight, stride=self.stride[0]) else None


def product_pays(images: torch.Size, weight: torch.Tensor, *, stride: int) -> bool:
    """Whether the weight's gradient is faster as a product for images (N, C, H, W)."""
    rows = images[0] * (images[2] // stride) * (images[3] // stride)
    return rows <= PIXELS_PER_WEIGHT * weight[0].numel()


class _OwnGradient(torch.autograd.Function):
    """conv2d forward; those below have the gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        images: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        stride: int,
        padding: tuple[int, int],
    ) -> torch.Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        groups = images.shape[1] // weight.shape[1]
        bias = None if bias is None else bias.to(images.dtype)
        return F.conv2d(images, weight, bias, stride=stride, padding=padding, groups=groups)


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
        rows = pixels(gradient)
        weight_gradient = (rows.t() @ patches).view(channels, *kernel, -1)  # -> (O, k, k, C)
        return image_gradient, weight_gradient.permute(0, 3, 1, 2), _bias_gradient(ctx, rows), None, None


def pixels(maps: torch.Tensor) -> torch.Tensor:
    """(N, C, h, w) -> (N * h * w, C); no copy if they are stored channels last."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _bias_gradient(ctx: Any, rows: torch.Tensor) -> torch.Tensor | None:
    """(N * h * w, O) -> (O,) float32, where there is a bias."""
    return rows.sum(dim=0).float() if ctx.needs_input_grad[2] else None


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


class _Pointwise(_OwnGradient):
    """A 1x1 convolution as the products that it is."""

    @staticmethod
    def forward(
        ctx: Any,
        images: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        stride: int,
        padding: tuple[int, int],
    ) -> torch.Tensor:
        ctx.save_for_backward(images, weight)
        shape = (len(images), len(weight), *images.shape[2:])
        # Not a view of the product: a ReLU in place may follow.
        out = torch.empty(shape, dtype=images.dtype, memory_format=torch.channels_last)
        inputs, rows = pixels(images), pixels(out)  # (N * h * w, C) and (N * h * w, O)
        if bias is None:
            torch.mm(inputs, weight.flatten(1).t(), out=rows)
        else:
            torch.addmm(bias.to(out.dtype), inputs, weight.flatten(1).t(), out=rows)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        rows = pixels(gradient)
        image_gradient = None
        if ctx.needs_input_grad[0]:
            of_pixels = rows @ weight.flatten(1)  # (N * h * w, O) -> (N * h * w, C)
            image_gradient = of_pixels.view(len(images), *images.shape[2:], -1).permute(0, 3, 1, 2)
        whole_tiles = weight.shape[0] % WHOLE_TILES == weight.shape[1] % WHOLE_TILES == 0
        if whole_tiles or product_pays(images.shape, weight, stride=1):
            weight_gradient = (rows.t() @ pixels(images)).view_as(weight)
        else:
            weight_gradient = torch.ops.aten.convolution_backward(
                gradient, images, weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [False, True, False]
            )[1]
        return image_gradient, weight_gradient, _bias_gradient(ctx, rows), None, None


class _DepthwiseGradient(_OwnGradient):
    """The gradient of a depthwise conv2d for its input is a depthwise conv2d without stride."""

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        bias_gradient = _bias_gradient(ctx, pixels(gradient))
        image_gradient = None
        if ctx.needs_input_grad[0]:
            image_gradient = spread_gradient(gradient, images.shape, weight, stride=ctx.stride, padding=ctx.padding)
        if weight.shape[2] > LARGEST_FAST_KERNEL:
            gradient, images, weight = gradient.float(), images.float(), weight.float()
        weight_gradient = torch.ops.aten.convolution_backward(
            gradient, images, weight, None, [ctx.stride] * 2, list(ctx.padding), [1, 1], False, [0, 0], len(weight),
            [False, True, False],
        )[1]  # fmt: skip
        return image_gradient, weight_gradient, bias_gradient, None, None


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
