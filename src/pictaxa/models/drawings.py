"""What `pictaxa models` draws: a network, blocks of several side by side, accuracy against cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import ModelError
from .canvas import Caption, written_shape
from .catalogue import billions, figures
from .diagram import draw_blocks, draw_network
from .parts import block_sheets, network_sheet
from .summary import Summary
from .tradeoff import Worth, draw_tradeoff
from .zoo import ZOO, find_entry

ALL = "all"  # after --compare: every entry whose accuracy is published


def draw_entry(summary: Summary, path: Path, *, dark: bool = False) -> Path:
    """Draw a network from top to bottom.

    Args:
        summary: the network, from `read_entry`.
        path: the file to write, .svg or .png.
        dark: whether light on dark.

    Returns:
        The file.

    Raises:
        ConfigError: the file has another suffix, or can't be written.
    """
    line = (
        f"{summary.trainable:,} parameters, {billions(summary.multiply_adds)} multiply-adds, {summary.depth} layers "
        f"deep; shapes are channels × height × width"
    )
    if any(len(node.shape) == 2 for node in summary.graph.nodes):
        line += ", or tokens × width"
    caption = Caption(summary.name, (find_entry(summary.name).paper, line))
    return draw_network(network_sheet(summary.graph), caption, path, dark=dark)


def draw_block_of(summaries: Sequence[Summary], path: Path, *, dark: bool = False) -> Path:
    """Draw a block of each of several networks side by side: the first whose shortcut is the identity, or the first.

    Args:
        summaries: the networks, from `read_entry`.
        path: the file to write, .svg or .png.
        dark: whether light on dark.

    Returns:
        The file.

    Raises:
        ModelError: a network has no blocks.
        ConfigError: the file has another suffix, or can't be written.
    """
    drawn = []
    for summary in summaries:
        blocks = block_sheets(summary.graph)
        if not blocks:
            raise ModelError(
                "a network with blocks", found=f"{summary.name}, a row of layers", fix="Use --diagram instead."
            )
        plain = (name for name, sheet in blocks.items() if any(arrow.style == "identity" for arrow in sheet.arrows))
        name = next(plain, next(iter(blocks)))
        parts = blocks[name].parts
        shape = next(part.shape for part in reversed(parts) if part.kind != "port")
        cost = sum(part.multiply_adds for part in parts)
        lines = (
            name,
            f"to {written_shape(shape)}",
            f"{sum(part.parameters for part in parts):,} parameters",
            f"{billions(cost)} multiply-adds",
        )
        drawn.append((Caption(summary.name, lines), blocks[name]))
    title = "A block of each" if len(drawn) > 1 else f"A block of {summaries[0].name}"
    return draw_blocks(drawn, Caption(title, ()), path, dark=dark)


def draw_compared(names: Sequence[str], path: Path, *, dark: bool = False) -> tuple[Path, list[str]]:
    """Draw published accuracy against cost.

    Args:
        names: entries, those without published weights among them; ALL alone for all that have some.
        path: the file to write, .svg or .png.
        dark: whether light on dark.

    Returns:
        The file, and the entries that are not in it, as nobody has published their accuracy.

    Raises:
        ModelError: a name is unknown, or fewer than two have a published accuracy.
        ConfigError: the file has another suffix, or can't be written.
    """
    known = figures()
    worths, left_out = [], []
    for name in ZOO if tuple(names) == (ALL,) else names:
        published = find_entry(name).published
        if published is None:
            left_out.append(name)
            continue
        worths.append(Worth(name, find_entry(name).family, published.accuracy, *reversed(known[name])))
    if len(worths) < 2:
        raise ModelError(
            "two models or more with a published accuracy (pictaxa weights list)",
            found=" ".join(worth.name for worth in worths) or "none",
            fix="Name others.",
        )
    return draw_tradeoff(worths, path, dark=dark), left_out
