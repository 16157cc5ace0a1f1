"""A convolution whose weight gradient is one matrix product where that is faster.

On CPUs with AMX, oneDNN's bfloat16 weight gradient of a convolution with many channels and few pixels (the last stages
of any ResNet) takes three to five times as long as its forward pass. Written as a product, the gradient of a k x k
convolution is

    weight (O, k * k * C)  =  outputs' gradient (O, N * h * w)  @  patches (N * h * w, k * k * C)

and AMX does matrix products at full speed. Gathering the patches costs memory and time in proportion to the pixels, so
this pays where pixels are few; docs/measured.md has the figures behind PIXELS_PER_WEIGHT.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..device import cpu_has_amx

# Use the product while N * h * w <= this times k * k * C.
PIXELS_PER_WEIGHT = 4


class Conv2d(nn.Conv2d):
    """torch's Conv2d, the same parameters and the same function; only its backward pass may be computed otherwise."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, O, h, w)."""
        if self.training and torch.is_grad_enabled() and self._product_pays(input):
            # Autocast does not reach into a Function: cast as it would.
            weight = self.weight.bfloat16()
            return _ProductGradient.apply(input.bfloat16(), weight, self.stride[0], self.padding)  # type: ignore[no-untyped-call]  # torch's has no types
        return super().forward(input)

    def _product_pays(self, images: torch.Tensor) -> bool:
        if images.device.type != "cpu" or not torch.is_autocast_enabled("cpu") or not cpu_has_amx():
            return False
        if self.bias is not None or self.groups != 1 or self.dilation != (1, 1) or isinstance(self.padding, str):
            return False
        pixels = images.shape[0] * (images.shape[2] // self.stride[0]) * (images.shape[3] // self.stride[0])
        return pixels <= PIXELS_PER_WEIGHT * self.weight[0].numel()


class _ProductGradient(torch.autograd.Function):
    """conv2d forward and for the input's gradient; one matrix product for the weight's."""

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
        return F.conv2d(images, weight, stride=stride, padding=padding)

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
