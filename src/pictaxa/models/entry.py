"""An entry of the zoo, as data: how to build it, which pictures it takes, and what is known of it in other libraries.

Each family's file ends in its ENTRIES. `zoo.py` puts them together; `weights/` reads other libraries' files by them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from ..config.learning import Normalization, Source
from .contract import Classifier


@dataclass(frozen=True)
class Rule:
    r"""Names that match `pattern` as a whole become `target` (`re.sub`), or are dropped for a `reason`.

    Example:
        Rule(r"features\.(.+)", r"convs.\1")
    """

    pattern: str
    target: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        assert bool(self.target) != bool(self.reason), "a rule renames or gives a reason to drop"


def layer_rules(layers: Iterable[tuple[str, str]]) -> tuple[Rule, ...]:
    """Rules for the tensors of layers.

    Args:
        layers: (path in the other library's model, ours) of each layer.

    Returns:
        A Rule for each, which keeps what stands behind the path: weight, bias, running_mean ...

    Example:
        layer_rules([("features.0", "conv1")])  # features.0.weight becomes conv1.weight
    """
    return tuple(Rule(theirs.replace(".", r"\.") + r"\.(.+)", rf"{ours}.\1") for theirs, ours in layers)


@dataclass(frozen=True)
class Elsewhere:
    """An entry's network in another library."""

    rules: tuple[Rule, ...] = ()  # its names -> ours: of layers in Keras, else of tensors
    options: Mapping[str, object] = field(default_factory=dict)  # with which the entry computes what it does there
    normalization: Normalization | None = None  # what its weights expect there; None: the entry's own, or not known
    norm_scale: bool = True  # whether its batch norms have a scale
    counted: bool = False  # whether its layers have no names but Keras' counters, in the order in which they were made
    by_place: bool = False  # whether the rules are of the groups in which a file has its layers, not of their own names


@dataclass(frozen=True)
class Published:
    """One file of weights for 1,000 classes of ImageNet, either at an address or in a package."""

    address: str  # "" where a package brings the file
    digest: str  # ALGORITHM:HEX; the hex may be the digest's beginning
    source: Source
    normalization: Normalization | None  # None: the source's usual one
    accuracy: float  # top-1 on ImageNet's validation pictures, percent, as published
    size: int  # of the pictures that it was measured with, pixels
    resized: int | None  # their shorter side before the centre crop, pixels; None: not published
    licence: str  # of the code that it comes with; ImageNet itself is for research
    package: str = ""  # NAME==VERSION on the package index
    file: str = ""  # its path in the package
    extra: str = ""  # of pictaxa's, which installs the package; "": it comes with pictaxa itself

    def __post_init__(self) -> None:
        assert bool(self.address) != bool(self.package and self.file), "a file is at an address or in a package"


def torchvision_file(
    file: str, accuracy: float, *, size: int = 224, resized: int = 256, normalization: Normalization | None = None
) -> Published:
    """A row of torchvision's `Weights`; the digest is the first eight hex digits of SHA-256 in the file's name."""
    digest = "sha256:" + file.removesuffix(".pth").rpartition("-")[2]
    address = f"https://download.pytorch.org/models/{file}"
    return Published(address, digest, "torchvision", normalization, accuracy, size, resized, licence="BSD-3-Clause")


def keras_file(name: str, md5: str, accuracy: float, *, normalization: Normalization) -> Published:
    """A row of Keras' `applications`, of its ResNets."""
    folder = "https://storage.googleapis.com/tensorflow/keras-applications/resnet"
    address = f"{folder}/{name}_weights_tf_dim_ordering_tf_kernels.h5"
    return Published(address, f"md5:{md5}", "keras", normalization, accuracy, 224, None, licence="Apache-2.0")


@dataclass(frozen=True)
class Entry:
    """How to build an architecture, which pictures it takes, and what is known of it elsewhere.

    Example:
        entry = find_entry("resnet18")
        model = entry.build(5, entry.channels)  # 5 classes; create_model checks its arguments too
    """

    network: Callable[..., Classifier]
    family: str
    year: int
    paper: str
    size: int  # its usual input, in pixels
    channels: int = 3  # of its usual input
    min_size: int = 32
    multiple: int = 1  # sides must be multiples of it
    fixed_sizes: tuple[int, ...] = ()  # the only inputs it takes; () for any from min_size on
    size_option: bool = False  # whether it is built for one input size, its option `size`
    row: Mapping[str, object] = field(default_factory=dict)  # arguments that nobody chooses: of the table of sizes
    defaults: Mapping[str, object] = field(default_factory=dict)  # of options, where other than the network's
    published: Published | None = None  # its ImageNet weights
    elsewhere: Mapping[Source, Elsewhere] = field(default_factory=dict)

    def build(self, num_classes: int, in_channels: int, **options: object) -> Classifier:
        """The network with fresh weights; nothing is checked here."""
        return self.network(num_classes, in_channels, **self.row, **{**self.defaults, **options})

    def known_to(self, source: Source) -> Elsewhere:
        """What is known of the entry in a library; nothing but our own names where it says nothing."""
        return self.elsewhere.get(source, Elsewhere())

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """The options other than classes and channels, by name: the network's keyword-only arguments."""
        parameters = inspect.signature(self.network).parameters.values()
        return {
            p.name: p.replace(default=self.defaults.get(p.name, p.default))
            for p in parameters
            if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name not in self.row
        }

    @property
    def option_types(self) -> dict[str, Any]:
        """The type of each option, by name."""
        hints = get_type_hints(self.network.__init__ if inspect.isclass(self.network) else self.network)
        return {name: hints[name] for name in self.options}

    @property
    def any_size(self) -> bool:
        """Whether one model takes pictures of several sizes, multiples of 32 among them."""
        return not self.fixed_sizes and not self.size_option and 32 % self.multiple == 0
