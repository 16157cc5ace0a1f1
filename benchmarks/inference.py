"""What a forward pass in float32 spends its time on, and what was tried to make it faster.

    python benchmarks/inference.py               # a few minutes
    python benchmarks/inference.py --only folding

folding: whole networks as they train, with batch norms folded into the convolutions before them, and with bias and
activation in the convolution's kernel too, as prediction has them. joined: a convolution and a ReLU after it, against
oneDNN's kernel that does both. pictures: what comes before the first
convolution of a network with TF-same padding. pools: max pooling by torch, in two passes, by oneDNN.
The sides take turns, after one call of each that does not count; medians of the rounds, and the range of the ratios.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from pictaxa.config.machine import MachineConfig
from pictaxa.models.folding import fold_norms
from pictaxa.models.fusing import fast_copy
from pictaxa.models.same_padding import pad_same
from pictaxa.models.zoo import ZOO, create_model
from pictaxa.system.device import apply_plan, choose_plan, lay_out
from turns import seconds_in_turn

ROUNDS = 9
# (entry, pictures in a batch)
FOLDED = (
    ("efficientnet_lite0", 32), ("mobilenet_v2", 32), ("mobilenet_v3_large", 32), ("inception_v3", 8), ("resnet50", 16),
    ("resnet50_course", 16), ("resnet50v2", 16), ("vgg16", 4),
)  # fmt: skip
# (channels, channels out, kernel, side in pixels); batches of 16
JOINED = ((64, 64, 1, 56), (256, 64, 1, 56), (64, 64, 3, 56), (128, 128, 3, 28), (256, 256, 3, 14), (3, 64, 7, 224))
# (channels, side in pixels); 3x3/2, batches of 32
POOLED = ((48, 55), (64, 112), (192, 56))


def compare(label: str, sides: dict[str, Callable[[], object]]) -> None:
    """Print each side's median milliseconds, and how many times as fast as the first each other is."""
    seconds = seconds_in_turn(sides, rounds=ROUNDS)
    first, *others = sides
    cells = [f"{first} {1000 * statistics.median(seconds[first]):.1f}"]
    for name in others:
        ratios = [ours / other for ours, other in zip(seconds[first], seconds[name], strict=True)]
        cells.append(
            f"{name} {1000 * statistics.median(seconds[name]):.1f}, {statistics.median(ratios):.2f} times as fast "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )
    print(f"{label:26} " + "; ".join(cells), flush=True)


def channels_last(*shape: int) -> torch.Tensor:
    """Random numbers (N, C, H, W) in that order of memory."""
    return torch.randn(*shape).contiguous(memory_format=torch.channels_last)


def folding() -> None:
    """Whole networks as they train, without their batch norms, and as they predict."""
    for name, count in FOLDED:
        size = ZOO[name].size
        model = lay_out(create_model(name, 10).eval(), torch.channels_last)
        sides = {"plain": model, "folded": fold_norms(model, size=size), "fused": fast_copy(model, size=size)}
        images = channels_last(count, 3, size, size)
        compare(name, {side: partial(computed, images) for side, computed in sides.items()})


def joined() -> None:
    """A convolution with its ReLU."""
    for channels, width, kernel, side in JOINED:
        stride, padding = (2, 3) if kernel == 7 else (1, kernel // 2)
        images, bias = channels_last(16, channels, side, side), torch.zeros(width)
        weight = channels_last(width, channels, kernel, kernel)

        def apart(x: torch.Tensor = images, w: torch.Tensor = weight, b: torch.Tensor = bias, s: int = stride,
                  p: int = padding) -> torch.Tensor:  # fmt: skip
            return F.relu(F.conv2d(x, w, b, stride=s, padding=p), inplace=True)

        def together(x: torch.Tensor = images, w: torch.Tensor = weight, b: torch.Tensor = bias, s: int = stride,
                     p: int = padding) -> torch.Tensor:  # fmt: skip
            return torch.ops.mkldnn._convolution_pointwise(x, w, b, [p, p], [s, s], [1, 1], 1, "relu", [], "")

        label = f"{channels} to {width}, {kernel}x{kernel}/{stride} at {side} px"
        compare(label, {"apart": apart, "joined": together})


def pictures() -> None:
    """What alexnet_half does with 64 pictures, and of it what comes before its first convolution."""
    model = create_model("alexnet_half", 5).eval()
    images = torch.rand(64, 3, ZOO["alexnet_half"].size, ZOO["alexnet_half"].size)
    first = next(part for part in model.modules() if isinstance(part, torch.nn.Conv2d))

    def before_the_first() -> torch.Tensor:
        padded = pad_same(model.normalise(images), kernel=first.kernel_size[0], stride=first.stride[0])
        return padded.contiguous(memory_format=torch.channels_last)

    compare("alexnet_half, 64 pictures", {"all": lambda: model(images), "its pictures": before_the_first})


def pools() -> None:
    """3x3/2 max pooling."""
    for channels, side in POOLED:
        images = channels_last(32, channels, side, side)
        ways = {"torch's": at_once, "two passes": in_two_passes, "oneDNN's": by_onednn}
        compare(f"{channels} channels at {side} px", {name: partial(way, images) for name, way in ways.items()})


def at_once(x: torch.Tensor) -> torch.Tensor:
    """As torch has it."""
    return F.max_pool2d(x, 3, stride=2)


def in_two_passes(x: torch.Tensor) -> torch.Tensor:
    """Rows, then columns."""
    return F.max_pool2d(F.max_pool2d(x, (1, 3), stride=(1, 2)), (3, 1), stride=(2, 1))


def by_onednn(x: torch.Tensor) -> torch.Tensor:
    """In its own format, there and back."""
    pooled: torch.Tensor = torch.ops.aten.mkldnn_max_pool2d(x.to_mkldnn(), [3, 3], [2, 2]).to_dense()
    return pooled


PARTS = {"folding": folding, "joined": joined, "pictures": pictures, "pools": pools}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="one of the parts")
    asked = parser.parse_args().only
    apply_plan(choose_plan(MachineConfig()))
    with torch.inference_mode():
        for name, run in PARTS.items():
            if asked in (None, name):
                print(f"{name}, milliseconds:")
                run()


if __name__ == "__main__":
    main()
