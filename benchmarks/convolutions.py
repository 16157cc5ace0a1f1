"""Why convolutions here are computed as they are: memory format in float32; depthwise and 1x1 ones in bfloat16.

    python benchmarks/convolutions.py            # some minutes
    python benchmarks/convolutions.py --only depthwise

The sides take turns, after one call of each that does not count; medians of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from pictaxa.config.machine import MachineConfig
from pictaxa.models.contract import Classifier
from pictaxa.models.convolution import pixels, spread_gradient
from pictaxa.models.zoo import ZOO, create_model
from pictaxa.system.device import apply_plan, choose_plan, lay_out
from turns import seconds_in_turn

ROUNDS = 5
# (entry, pictures in a batch)
ENTRIES = (
    ("alexnet_owt", 32), ("vgg11", 4), ("googlenet", 16), ("inception_v3", 4), ("resnet18", 13), ("resnet50", 6),
    ("resnet50v2", 6), ("resnext50_32x4d", 6), ("mobilenet_v1", 32), ("mobilenet_v2", 32), ("mobilenet_v3_small", 64),
)  # fmt: skip
# (channels, side in pixels, stride, kernel) of depthwise convolutions in MobileNets; batches of 64
DEPTHWISE = (
    (96, 112, 2, 3), (144, 56, 1, 3), (144, 56, 2, 3), (384, 14, 1, 3), (240, 14, 1, 5), (576, 7, 1, 5),
    (288, 14, 2, 5),
)  # fmt: skip

# (channels, channels out, side in pixels) of 1x1 convolutions in ResNet-50, GoogLeNet and MobileNet v2; batches of 16
POINTWISE = (
    (64, 64, 56), (64, 256, 56), (256, 64, 56), (512, 128, 28), (256, 1024, 14), (1024, 256, 14), (2048, 512, 7),
    (192, 64, 28), (832, 384, 7), (24, 144, 56), (144, 24, 56), (96, 576, 14),
)  # fmt: skip


def milliseconds(sides: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Median of each side, in turn."""
    seconds = seconds_in_turn(sides, rounds=rounds)
    return {name: 1000 * statistics.median(values) for name, values in seconds.items()}


def forward(model: Classifier, images: torch.Tensor) -> None:
    """Logits in evaluation."""
    model.eval()
    with torch.no_grad():
        model(images)


def step(model: Classifier, images: torch.Tensor, labels: torch.Tensor) -> None:
    """Forward and backward in training."""
    model.train().zero_grad()
    heads = model.training_logits(images)
    torch.stack([weight * F.cross_entropy(logits, labels) for logits, weight in heads]).sum().backward()


def memory_formats(rounds: int, layers: int) -> None:
    """Whole networks in float32, weights contiguous and channels last."""
    print("float32, ms: forward contiguous, channels last, times as fast; forward and backward the same")
    for name, count in ENTRIES[:layers]:
        last = create_model(name, 10)
        contiguous = lay_out(create_model(name, 10), torch.contiguous_format)
        images, labels = torch.rand(count, 3, ZOO[name].size, ZOO[name].size), torch.zeros(count, dtype=torch.long)
        sides = {"contiguous": contiguous, "last": last}
        times = (
            milliseconds({side: partial(forward, model, images) for side, model in sides.items()}, rounds=rounds),
            milliseconds({side: partial(step, model, images, labels) for side, model in sides.items()}, rounds=rounds),
        )
        cells = (f"{t['contiguous']:8.0f}{t['last']:8.0f}{t['contiguous'] / t['last']:8.2f}" for t in times)
        print(f"{name:20}" + "   ".join(cells), flush=True)


def depthwise_times(channels: int, side: int, stride: int, kernel: int, *, rounds: int) -> dict[str, float]:
    """Milliseconds of a layer's forward pass and gradients, torch's and ours."""
    padding = kernel // 2
    images = torch.randn(64, channels, side, side).bfloat16().to(memory_format=torch.channels_last)
    weight = torch.randn(channels, 1, kernel, kernel).bfloat16()
    gradient = torch.randn_like(F.conv2d(images, weight, None, stride, padding, 1, channels))

    def of(mask: list[bool], cast: Callable[[torch.Tensor], torch.Tensor]) -> object:
        return torch.ops.aten.convolution_backward(
            cast(gradient), cast(images), cast(weight), None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0],
            channels, mask,
        )  # fmt: skip

    return milliseconds(
        {
            "forward": lambda: F.conv2d(images, weight, None, stride, padding, 1, channels),
            "input": lambda: of([True, False, False], torch.Tensor.bfloat16),
            "input, ours": lambda: spread_gradient(
                gradient, images.shape, weight, stride=stride, padding=(padding, padding)
            ),
            "weight": lambda: of([False, True, False], torch.Tensor.bfloat16),
            "weight, in float32": lambda: of([False, True, False], torch.Tensor.float),
        },
        rounds=rounds,
    )


def depthwise_gradients(rounds: int, layers: int) -> None:
    """Single layers in bfloat16, channels last: torch's gradients and ours."""
    print("depthwise, bfloat16, batch 64, ms: forward; input's gradient torch's, ours; weight's bfloat16, in float32")
    for channels, side, stride, kernel in DEPTHWISE[:layers]:
        label = f"{channels} channels, {kernel}x{kernel}/{stride} at {side} px"
        times = depthwise_times(channels, side, stride, kernel, rounds=rounds)
        print(f"{label:32}" + "".join(f"{value:9.1f}" for value in times.values()), flush=True)


def pointwise_times(channels: int, out_channels: int, side: int, *, rounds: int) -> dict[str, float]:
    """Milliseconds of a layer's forward pass and gradients, torch's and as matrix products."""
    images = torch.randn(16, channels, side, side).bfloat16().to(memory_format=torch.channels_last)
    weight = torch.randn(out_channels, channels, 1, 1).bfloat16()
    gradient = torch.randn_like(F.conv2d(images, weight))
    rows, out_rows, matrix = pixels(images), pixels(gradient), weight.flatten(1)

    def of(mask: list[bool]) -> object:
        return torch.ops.aten.convolution_backward(
            gradient, images, weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, mask
        )

    return milliseconds(
        {
            "forward": lambda: F.conv2d(images, weight),
            "forward, product": lambda: rows @ matrix.t(),
            "input": lambda: of([True, False, False]),
            "input, product": lambda: out_rows @ matrix,
            "weight": lambda: of([False, True, False]),
            "weight, product": lambda: out_rows.t() @ rows,
        },
        rounds=rounds,
    )


def pointwise_products(rounds: int, layers: int) -> None:
    """Single layers in bfloat16, channels last: torch's convolution and matrix products."""
    print("1x1, bfloat16, batch 16, ms: forward torch's, product; input's gradient the same; weight's the same")
    for channels, out_channels, side in POINTWISE[:layers]:
        times = pointwise_times(channels, out_channels, side, rounds=rounds)
        cells = "".join(f"{value:9.1f}" for value in times.values())
        print(f"{f'{channels} to {out_channels} channels at {side} px':32}{cells}", flush=True)


PARTS = {"formats": memory_formats, "depthwise": depthwise_gradients, "pointwise": pointwise_products}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="one of the parts")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--layers", type=int, default=99, help="of each part, at most so many layers or networks")
    asked = parser.parse_args()
    apply_plan(choose_plan(MachineConfig()))
    for name, run in PARTS.items():
        if asked.only in (None, name):
            run(asked.rounds, asked.layers)


if __name__ == "__main__":
    main()
