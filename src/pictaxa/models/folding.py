"""Networks for prediction only: batch norms are folded into the convolutions before them.

In evaluation a batch norm is a fixed scale and shift per channel, and so is what a convolution can do:

    gamma * (conv(x, W) + b - mean) / s + beta  =  conv(x, W * gamma / s) + (b - mean) * gamma / s + beta

The logits stay the same to the rounding of float32, and a pass over every map is saved (docs/measured.md). Which batch
norm follows which convolution, and nothing else takes what lies between them, is read from a forward pass of one
empty picture, so it holds for any network, ours or timm's.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .contract import Classifier, evaluating
from .layers import convolve, is_plain
from .watching import Watch, tensors_in


def fold_norms(model: Classifier, *, size: int) -> Classifier:
    """Copy a model for prediction, with each batch norm that follows a convolution folded into it.

    Args:
        model: the model; it stays as it is.
        size: a side that the model takes, pixels; a blank picture of it is passed through to find the pairs.

    Returns:
        A copy in evaluation mode with the same logits, to the rounding of float32, for pictures of any size.

    Example:
        folded = fold_norms(create_model("resnet18", 5), size=224)
    """
    model = copy.deepcopy(model).eval()
    for conv_path, norm_path in foldable(model, size=size):
        conv, norm = model.get_submodule(conv_path), model.get_submodule(norm_path)
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None and norm.running_var is not None
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        parent, _, name = norm_path.rpartition(".")
        setattr(model.get_submodule(parent), name, nn.Identity())
    return model


def foldable(model: Classifier, *, size: int) -> list[tuple[str, str]]:
    """Find each convolution whose result only a batch norm takes.

    Args:
        model: a model in evaluation mode; it stays as it is.
        size: a side that the model takes, pixels.

    Returns:
        (path of the convolution, path of the batch norm) pairs.

    Example:
        foldable(create_model("resnet18", 5).eval(), size=224)[0]  # ("conv1", "bn1")
    """
    assert not model.training, "a pass would change the statistics"
    with torch.no_grad(), _Finder() as finder:
        model(torch.zeros(1, model.in_channels, size, size, device=model.mean.device))
    paths = {id(tensor): name.rpartition(".")[0] for name, tensor in model.state_dict(keep_vars=True).items()}
    pairs = []
    for kernel, between, mean in finder.pairs:
        conv, norm = paths.get(id(kernel)), paths.get(id(mean))
        once = all(finder.uses[id(tensor)] == 1 for tensor in (kernel, between, mean))
        # Only torch's own: a class derived from it may do more than the batch norm.
        if conv and norm and once and type(model.get_submodule(norm)) is nn.BatchNorm2d:
            pairs.append((conv, norm))
    return pairs


# Asking for a shape is no use of the numbers.
_SHAPE = torch.Tensor.shape.__get__  # type: ignore[attr-defined]  # the stub has a tuple, no getter
_ASKING = (torch.Tensor.dim, torch.Tensor.size, _SHAPE)


class _Finder(Watch):
    """Notes which results of convolutions batch norms take, and how often each tensor is used."""

    def __init__(self) -> None:
        super().__init__()
        self.uses: Counter[int] = Counter()
        self.kernels: dict[int, torch.Tensor] = {}  # of each convolution, by the id of its result
        self.pairs: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []  # kernel, what lies between, mean
        self.seen: list[Any] = []  # kept alive, so that no id comes twice

    def saw(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        if func in _ASKING:
            return
        inputs = tensors_in(args, kwargs)
        self.uses.update(map(id, inputs))
        self.seen += [*inputs, out]
        if func is torch.conv2d:
            self.kernels[id(out)] = args[1]
        elif func is F.batch_norm and id(args[0]) in self.kernels:
            self.pairs.append((self.kernels[id(args[0])], args[0], args[1]))


class MergedNorm(nn.Module):
    """A convolution and the batch norm after it as one convolution, for training with fixed statistics.

    The kernel and the bias are computed anew from both in every pass, so that gradients reach the weights of both; what
    is saved is one pass over every map forward and two backward.

    Args:
        conv: a convolution and nothing more (`is_plain`).
        norm: the batch norm that takes its result, with scale and shift.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Convolve and normalize maps.

        Args:
            images: (N, C, H, W).

        Returns:
            (N, O, h, w).
        """
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()  # (O,)
        kernel = self.conv.weight * scale[:, None, None, None]
        shift = norm.bias - norm.running_mean * scale
        bias = shift if self.conv.bias is None else shift + self.conv.bias * scale
        return convolve(self.conv, images, kernel, bias)


def share_norms(model: Classifier, *, size: int) -> Classifier:
    """Make a twin of a model with its batch norms merged, for training with fixed statistics.

    It computes what the model does in evaluation mode. Parameters and statistics are the model's own tensors: training
    one trains the other.

    Args:
        model: the model, which stays as it is.
        size: a side that the model takes, pixels.

    Returns:
        The twin, each part in the mode of the model's. Only batch norms with scale and shift, after plain convolutions,
        are merged.

    Example:
        twin = share_norms(model, size=224).train()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)  # steps on the twin's loss train both
    """
    with evaluating(model):
        pairs = foldable(model, size=size)
    tensors = [*model.parameters(), *model.buffers()]
    shared = copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})
    for conv_path, norm_path in pairs:
        conv, norm = shared.get_submodule(conv_path), shared.get_submodule(norm_path)
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        if norm.affine and is_plain(conv):
            shared.set_submodule(conv_path, MergedNorm(conv, norm))
            shared.set_submodule(norm_path, nn.Identity())
    return shared
