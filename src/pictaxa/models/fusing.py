"""Networks for prediction only, on CPUs: convolution, bias and activation fused into one kernel.

oneDNN adds the bias and applies the activation while a convolution's results are still in registers, and wants a
kernel's weights in an order of its own; torch asks it for both only when it compiles. Asked for directly, here, a pass
of EfficientNet-Lite0 in bfloat16 takes half as long as with the same weights under autocast (docs/measured.md).

TF-same padding with a stride is uneven (a pixel more on the right and at the bottom), which would take a padded copy of
the map. A kernel with a row and a column of zeros before it and one pixel more on both sides sees the same:

    left 0, right 1, kernel w0 w1 w2      =      left 1, right 1, kernel 0 w0 w1 w2
"""

from __future__ import annotations

from typing import TypeGuard

import torch
import torch.nn.functional as F
from torch import nn

from ..system.device import cpu_has_bfloat16
from .contract import Classifier
from .folding import fold_norms
from .layers import is_plain
from .same_padding import SameConv2d, pad_same, same_pixels

# What oneDNN calls the activations, and their bounds.
_ACTIVATIONS: dict[type[nn.Module], tuple[str, list[float]]] = {
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
    nn.Hardswish: ("hardswish", []),
}

MAX_PACKED = 4  # shapes of pictures that a convolution keeps its weights for


def can_fuse(device: torch.device, precision: torch.dtype) -> bool:
    """Check whether networks on a device and in a precision can be fused on this machine.

    Args:
        device: where the network is.
        precision: what it computes in.

    Returns:
        True for a CPU with oneDNN in float32, and in bfloat16 where the CPU computes it natively.

    Example:
        can_fuse(torch.device("cpu"), torch.float32)
    """
    native = precision is torch.float32 or (precision is torch.bfloat16 and cpu_has_bfloat16())
    if device.type != "cpu" or not native:
        return False
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


def fast_copy(model: Classifier, *, size: int, precision: torch.dtype = torch.float32) -> Classifier:
    """Copy a model for prediction as fast as its device allows: norms folded, convolutions fused where they can be.

    Args:
        model: the model; it stays as it is.
        size: a side that the model takes, pixels.
        precision: of fused convolutions, float32 or bfloat16; in bfloat16 call the copy under autocast, for all else.

    Returns:
        A copy in evaluation mode with the same logits, to rounding. Where it is fused it can't be trained, copied or
        saved, as fused convolutions have no parameters.

    Example:
        fast = fast_copy(model, size=224)
        with torch.inference_mode():
            logits = fast(torch.rand(8, 3, 224, 224))
    """
    folded = fold_norms(model, size=size)
    return fuse_in_place(folded, precision=precision) if can_fuse(folded.mean.device, precision) else folded


def fuse_in_place(fused: Classifier, *, precision: torch.dtype) -> Classifier:
    """Fuse the convolutions of a model whose norms are folded.

    Args:
        fused: the model, in evaluation mode and where `can_fuse` holds; changed in place.
        precision: what the fused convolutions compute in, float32 or bfloat16.

    Returns:
        The same model.

    Example:
        fused = fuse_in_place(fold_norms(model, size=224), precision=torch.float32)
    """
    for sequence in [part for part in fused.modules() if isinstance(part, nn.Sequential)]:
        _fuse_activations(sequence, precision=precision)
    for path, part in list(fused.named_modules()):
        if _can_be(part):
            fused.set_submodule(path, FusedConv2d(part, precision=precision))
    return fused


def _fuse_activations(sequence: nn.Sequential, *, precision: torch.dtype) -> None:
    """Each convolution with the activation that follows it, where only folded norms stand between them."""
    before: tuple[str, nn.Conv2d] | None = None
    for name, part in list(sequence.named_children()):
        if type(part) in _ACTIVATIONS and before is not None:
            sequence.set_submodule(before[0], FusedConv2d(before[1], activation=part, precision=precision))
            sequence.set_submodule(name, nn.Identity())
        if not isinstance(part, nn.Identity):
            before = (name, part) if _can_be(part) else None


def _can_be(part: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether a part is a convolution that FusedConv2d computes: its padding is zeros, their number known."""
    return (
        isinstance(part, nn.Conv2d)
        and is_plain(part)
        and part.padding_mode == "zeros"
        and not isinstance(part.padding, str)
    )


class FusedConv2d(nn.Module):
    """A convolution in one precision with its bias and an activation, as one oneDNN kernel; it has no parameters.

    Args:
        conv: the convolution, a plain one with zero padding given in pixels; it stays as it is.
        precision: what it computes in, float32 or bfloat16.
        activation: ReLU, ReLU6 or Hardswish; None for none.

    Example:
        fused = FusedConv2d(nn.Conv2d(3, 8, 3), precision=torch.float32, activation=nn.ReLU())
    """

    def __init__(self, conv: nn.Conv2d, *, precision: torch.dtype, activation: nn.Module | None = None) -> None:
        super().__init__()
        assert not isinstance(conv.padding, str)
        self.kernel, self.stride = conv.kernel_size, list(conv.stride)
        self.padding, self.dilation, self.groups = list(conv.padding), list(conv.dilation), conv.groups
        self.activation, self.bounds = _ACTIVATIONS[type(activation)] if activation is not None else ("none", [])
        self.weight = conv.weight.detach().to(precision)  # (O, I / groups, k, k)
        self.uneven = F.pad(self.weight, (1, 0, 1, 0)) if isinstance(conv, SameConv2d) else None
        self.bias = None if conv.bias is None else conv.bias.detach().to(precision)
        self.packed: dict[tuple[int, ...], torch.Tensor] = {}  # by the pictures' shape, on which the best order depends

    def _pack(self, weight: torch.Tensor, padding: list[int], shape: torch.Size) -> torch.Tensor:
        """(O, I / groups, k, k) in oneDNN's own order for pictures of a shape (N, I, H, W)."""
        key = (*shape, weight.shape[-1])
        if key not in self.packed:
            if len(self.packed) == MAX_PACKED:
                self.packed.clear()
            self.packed[key] = torch.ops.mkldnn._reorder_convolution_weight(
                weight, padding, self.stride, self.dilation, self.groups, shape
            )
        return self.packed[key]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Convolve, add the bias and activate.

        Args:
            images: (N, I, H, W).

        Returns:
            (N, O, h, w) in the precision of the weights.
        """
        weight, padding = self.weight, self.padding
        if self.uneven is not None:  # TF-same
            rows, columns = same_pixels(images, kernel=self.kernel, stride=self.stride[0])
            padding = [-(-rows // 2), -(-columns // 2)]
            if rows % 2 and columns % 2:
                weight = self.uneven
            elif rows % 2 or columns % 2:
                images, padding = pad_same(images, kernel=self.kernel, stride=self.stride[0]), [0, 0]
        return torch.ops.mkldnn._convolution_pointwise(
            images.to(weight.dtype), self._pack(weight, padding, images.shape), self.bias, padding, self.stride,
            self.dilation, self.groups, self.activation, self.bounds, "",
        )  # fmt: skip
