"""The arguments of the commands for those who learn and teach: formulas and look."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from ..config.learning import Normalization, Source


@dataclass(frozen=True)
class FormulasArguments:
    """List the formulas of convolutional networks, and the commands that work them out: formulas size, field, conv and
    blocks.
    """


@dataclass(frozen=True)
class SizeArguments:
    """Work out how large a map is after a convolution or a pool, with each kind of padding."""

    size: int
    """Pixels along a side of the input."""
    _: KW_ONLY
    kernel: int
    """Side of the kernel, pixels."""
    stride: int = 1
    """Pixels between two windows."""
    padding: int | None = None
    """Pixels on each side. Default: half a kernel."""


@dataclass(frozen=True)
class FieldArguments:
    """Work out how much of the picture a position sees after some layers: its receptive field."""

    layers: tuple[str, ...]
    """The layers in their order, each as KERNEL or KERNEL/STRIDE, such as 7/2 3/2 3 3."""


@dataclass(frozen=True)
class ConvolutionArguments:
    """Work out the weights and multiply-adds of a convolution: plain, grouped, and depthwise separable."""

    in_channels: int
    """Channels of the input."""
    channels: int
    """Channels of the output."""
    _: KW_ONLY
    kernel: int = 3
    """Side of the kernel, pixels."""
    size: int = 1
    """Pixels along a side of the output."""
    groups: int = 1
    """Number of groups for a grouped convolution; both numbers of channels are multiples of it."""
    bias: bool = False
    """Count a bias for each output channel."""


@dataclass(frozen=True, kw_only=True)
class BlocksArguments:
    """Work out what the blocks of the well-known networks cost: VGG's, ResNet's, ResNeXt's, MobileNet's, ViT's."""

    channels: int = 64
    """Channels of the blocks, a multiple of 16."""


@dataclass(frozen=True)
class LookArguments:
    """Draw what a network looks with and what it sees: its first kernels, its maps after each stage, what excites a
    channel most, the attention of each head, the similarity of position embeddings, the receptive field of a unit, and
    what augmentation makes of the picture.
    """

    model: str
    """Run folder, or an architecture (pictaxa models lists them)."""
    picture: Path | None = None
    """A picture to look at. Default: a validation picture of the run; for an architecture none, and what needs one is
    not drawn."""
    _: KW_ONLY
    out: Path = Path("look.png")
    """The PNG or SVG to write, or a page, .html, that also says what one sees."""
    show: tuple[str, ...] = ()
    """kernels: of the first layer; features: maps after each stage; channels: the validation pictures of the run that
    excite a channel most; attention: of each head of each block, from the class token; positions: cosine similarity of
    position embeddings; field: what the middle unit of each stage sees; augmentation: of the picture, as in training.
    Default: all that the network has."""
    weights: Path | None = None
    """Of an architecture: imagenet (published weights), a checkpoint file, or none (fresh weights). Default: imagenet
    if they are installed with pictaxa, else none."""
    source: Source = "pictaxa"
    """Library that the checkpoint comes from; it is never guessed."""
    normalization: Normalization | None = None
    """Input normalization of the checkpoint (see pictaxa weights convert --help); required for a Keras file."""
    model_options: tuple[str, ...] = ()
    """The architecture's own options, such as padding=same."""
    size: int | None = None
    """Input size, pixels per side. Default: that of the run or the architecture."""
    cache: Path | None = None
    """Folder for published weights. Default: PICTAXA_CACHE, or pictaxa in the user's cache folder."""
