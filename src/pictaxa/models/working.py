"""`pictaxa formulas`: the arithmetic of convolutional networks with the working shown, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import ModelError
from .formulas import (
    Layer,
    conv_multiply_adds,
    conv_parameters,
    output_size,
    receptive_field,
    separable_share,
)

FORMULAS = """\
output size      W pixels, kernel F, stride S, P pixels of padding on each side
  valid          ceil((W - F + 1) / S)
  same           ceil(W / S)
  padded         floor((W - F + 2 P) / S) + 1
                 pictaxa formulas size 224 --kernel 7 --stride 2 --padding 3

receptive field  from the last layer back, beginning with r = 1; padding does not matter
  before a layer r = (r - 1) * stride + kernel
                 pictaxa formulas field 7/2 3/2 3 3

convolution      C channels in, N out, kernel k, G groups, an output of h x h pixels
  weights        k * k * (C / G) * N, and N biases
  multiply-adds  weights without biases * h * h
  separable      k * k * C (depthwise, G = C), then C * N (pointwise): 1 / N + 1 / k^2 of a full one
                 pictaxa formulas conv 256 256 --kernel 3 --size 14 --groups 32

blocks           what residual, inverted residual and encoder blocks cost
                 pictaxa formulas blocks --channels 64"""


def size_lines(size: int, *, kernel: int, stride: int = 1, padding: int | None = None) -> Iterator[str]:
    r"""Work out the pixels along a side after a convolution or a pool, for each padding.

    Args:
        size: pixels along a side of the input.
        kernel: side of the kernel, pixels.
        stride: pixels between two windows.
        padding: pixels on each side; None for half a kernel.

    Yields:
        A line for valid, same and this padding.

    Raises:
        ModelError: the kernel is larger than the input, or a number is below its least.

    Example:
        print(*size_lines(224, kernel=7, stride=2, padding=3), sep="\\n")
    """
    around = kernel // 2 if padding is None else padding
    padded = output_size(size, kernel=kernel, stride=stride, padding=around)
    if kernel <= size:
        valid = output_size(size, kernel=kernel, stride=stride)
        yield f"valid      ceil(({size} - {kernel} + 1) / {stride}) = ceil({size - kernel + 1} / {stride}) = {valid}"
    else:
        yield f"valid      nothing: the kernel of {kernel} pixels is larger than the {size} of the input"
    yield f"same       ceil({size} / {stride}) = {output_size(size, kernel=kernel, stride=stride, padding='same')}"
    room = size - kernel + 2 * around
    yield (
        f"padding {around}  floor(({size} - {kernel} + 2 * {around}) / {stride}) + 1 = floor({room} / {stride}) + 1 = "
        f"{room // stride} + 1 = {padded}"
    )


def field_lines(layers: Sequence[Layer]) -> Iterator[str]:
    r"""Work out the receptive field and the stride of a list of layers.

    Args:
        layers: from the first to the last.

    Yields:
        A line for each layer, from the last back; the field, and the stride.

    Example:
        print(*field_lines([Layer(7, 2), Layer(3, 2), Layer(3)]), sep="\\n")
    """
    field = 1
    yield "from the last layer back, r = (r - 1) * stride + kernel, beginning with r = 1"
    for number in range(len(layers), 0, -1):
        kernel, stride = layers[number - 1]
        before = (field - 1) * stride + kernel
        yield f"  layer {number}  {kernel}x{kernel} /{stride}  ({field} - 1) * {stride} + {kernel} = {before}"
        field = before
    yield f"field     {field} x {field} pixels"
    strides = [layer.stride for layer in layers]
    product = 1
    for stride in strides:
        product *= stride
    yield f"stride    {' * '.join(map(str, strides))} = {product} pixels between two positions"
    grown = ", ".join(str(receptive_field(layers[:number])) for number in range(1, len(layers) + 1))
    yield f"growing   {grown} after each layer"


def conv_lines(
    in_channels: int, channels: int, *, kernel: int = 3, size: int = 1, groups: int = 1, bias: bool = False
) -> Iterator[str]:
    r"""Work out weights and multiply-adds of a convolution: plain, grouped, and depthwise separable.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        kernel: side of the kernel, pixels.
        size: pixels along a side of the output.
        groups: number of groups; a line of its own from 2 on.
        bias: whether each output channel has a bias.

    Yields:
        A line for each kind of convolution, and how many times cheaper the separable one is.

    Raises:
        ModelError: the groups don't divide the channels, or a number is below 1.

    Example:
        print(*conv_lines(256, 256, kernel=3, size=14), sep="\\n")
    """

    def line(word: str, inputs: int, outputs: int, *, k: int, of: int) -> str:
        weights = conv_parameters(inputs, outputs, kernel=k, bias=False, groups=of)
        cost = conv_multiply_adds(inputs, outputs, kernel=k, size=size, groups=of)
        taken = f"({inputs} / {of})" if of > 1 else f"{inputs}"
        biases = f" + {outputs} = {weights + outputs:,}" if bias else ""
        return (
            f"{word:14} {k} * {k} * {taken} * {outputs} = {weights:,}{biases} weights; "
            f"{weights:,} * {size} * {size} = {cost:,} multiply-adds"
        )

    yield line("plain", in_channels, channels, k=kernel, of=1)
    if groups > 1:
        yield line(f"in {groups} groups", in_channels, channels, k=kernel, of=groups)
    yield line("depthwise", in_channels, in_channels, k=kernel, of=in_channels)
    yield line("pointwise", in_channels, channels, k=1, of=1)
    plain = conv_parameters(in_channels, channels, kernel=kernel, bias=False)
    depthwise = conv_parameters(in_channels, in_channels, kernel=kernel, bias=False, groups=in_channels)
    both = depthwise + conv_parameters(in_channels, channels, kernel=1, bias=False)
    yield f"separable      {depthwise:,} + {both - depthwise:,} = {both:,} weights: {plain / both:.2f} times fewer"
    share = separable_share(channels, kernel=kernel)
    yield f"               1 / {channels} + 1 / {kernel * kernel} = {share:.4f}, and 1 / {share:.4f} = {1 / share:.2f}"


def block_lines(channels: int = 64) -> Iterator[str]:
    r"""Work out the convolution weights of the blocks that papers compare.

    Args:
        channels: C, a multiple of 16.

    Yields:
        Lines for stacked 3x3 convolutions, residual blocks, ResNeXt's, separable ones, inverted residuals, and a
        transformer's encoder block.

    Raises:
        ModelError: `channels` is not a multiple of 16.

    Example:
        print(*block_lines(64), sep="\\n")
    """
    if channels < 16 or channels % 16:
        raise ModelError("channels in a multiple of 16", found=str(channels), fix="For example, use 64.")
    c, wide = channels, 4 * channels

    def weights(*convs: tuple[int, int, int, int]) -> tuple[str, int]:
        """(in, out, kernel, groups) of each -> the working and the sum."""
        counts = [conv_parameters(i, o, kernel=k, bias=False, groups=g) for i, o, k, g in convs]
        terms = [f"{k} * {k} * {i // g} * {o}" for i, o, k, g in convs]
        added = f"{' + '.join(f'{count:,}' for count in counts)} = " if len(counts) > 1 else ""
        return f"{' + '.join(terms)} = {added}{sum(counts):,}", sum(counts)

    def row(word: str, *convs: tuple[int, int, int, int]) -> str:
        return f"  {word:32} {weights(*convs)[0]}"

    three = (c, c, 3, 1)
    yield f"VGG, section 2.3: what sees 5x5 or 7x7, with C = {c} channels"
    yield row("two 3x3, 18 C^2", three, three)
    yield row("one 5x5, 25 C^2", (c, c, 5, 1))
    yield row("three 3x3, 27 C^2", three, three, three)
    yield row("one 7x7, 49 C^2", (c, c, 7, 1))
    yield "ResNet, figure 5: a bottleneck handles four times the channels for the price of a basic block"
    yield row(f"basic block of {c}", three, three)
    yield row(f"bottleneck {wide}-{c}-{wide}", (wide, c, 1, 1), three, (c, wide, 1, 1))
    yield row(f"basic block of {wide}", (wide, wide, 3, 1), (wide, wide, 3, 1))
    yield "ResNeXt, figure 1: the same price in 32 groups, twice as wide"
    yield row(f"ResNeXt {wide}-{2 * c}-{wide}", (wide, 2 * c, 1, 1), (2 * c, 2 * c, 3, 32), (2 * c, wide, 1, 1))
    yield "MobileNets, section 3.1: a depthwise 3x3 and a 1x1 cost an eighth to a ninth of a full 3x3"
    yield row("full 3x3", three)
    yield row("depthwise 3x3 and 1x1", (c, c, 3, c), (c, c, 1, 1))
    yield f"  {'times cheaper':32} 1 / (1 / {c} + 1 / 9) = {1 / separable_share(c):.2f}; 9 for ever more channels"
    yield "MobileNetV2, figure 3b: widened six times, filtered, narrowed"
    yield row(f"inverted residual {c}-{6 * c}-{c}", (c, 6 * c, 1, 1), (6 * c, 6 * c, 3, 6 * c), (6 * c, c, 1, 1))
    yield f"Vision Transformer: an encoder block of width D = {c}, 12 D^2"
    yield f"  {'queries, keys, values, output':32} 4 * {c} * {c} = {4 * c * c:,}"
    yield f"  {'MLP of 4 D':32} 2 * {c} * {4 * c} = {8 * c * c:,}"
