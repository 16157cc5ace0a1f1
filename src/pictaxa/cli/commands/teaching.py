"""Commands for those who learn and teach: formulas, look."""

from __future__ import annotations

from ...system.printing import print_line, print_lines
from ..exit_codes import check_place
from ..teaching import (
    BlocksArguments,
    ConvolutionArguments,
    FieldArguments,
    FormulasArguments,
    LookArguments,
    SizeArguments,
)


def formulas(arguments: FormulasArguments, started: float) -> int:
    """List the formulas."""
    from ...models.working import FORMULAS

    print_lines(FORMULAS.splitlines())
    return 0


def size(arguments: SizeArguments, started: float) -> int:
    """Work out an output size."""
    from ...models.working import size_lines

    print_lines(size_lines(arguments.size, kernel=arguments.kernel, stride=arguments.stride, padding=arguments.padding))
    return 0


def field(arguments: FieldArguments, started: float) -> int:
    """Work out a receptive field."""
    from ...models.formulas import read_layer
    from ...models.working import field_lines

    print_lines(field_lines([read_layer(word) for word in arguments.layers]))
    return 0


def convolution(arguments: ConvolutionArguments, started: float) -> int:
    """Work out what a convolution costs."""
    from ...models.working import conv_lines

    lines = conv_lines(
        arguments.in_channels,
        arguments.channels,
        kernel=arguments.kernel,
        size=arguments.size,
        groups=arguments.groups,
        bias=arguments.bias,
    )
    print_lines([*lines])  # all or none: a number that doesn't fit is told alone
    return 0


def blocks(arguments: BlocksArguments, started: float) -> int:
    """Work out what blocks cost."""
    from ...models.working import block_lines

    print_lines(block_lines(arguments.channels))
    return 0


def look(arguments: LookArguments, started: float) -> int:
    """Draw what a network looks with and what it sees."""
    from ...data.cache_folder import default_cache_root
    from ...explaining.look import look_at
    from ...explaining.subject import EntryWeights, find_subject

    check_place(arguments.out, "--out", makes_folder=True)
    weights = EntryWeights(
        file=arguments.weights,
        source=arguments.source,
        normalization=arguments.normalization,
        options=arguments.model_options,
        cache=arguments.cache or default_cache_root(),
    )
    subject = find_subject(arguments.model, arguments.picture, weights=weights, size=arguments.size)
    seen = look_at(subject, arguments.out, show=arguments.show)
    print_line(f"look      {seen.path}: {', '.join(seen.shown)} of {subject.name} with {subject.told}")
    print_lines(f"left out  {line}" for line in seen.left_out)
    return 0
