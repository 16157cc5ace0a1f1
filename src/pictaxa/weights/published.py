"""Published ImageNet weights by entry: where the file is, how to check it, what it is worth, how it wants its pictures.

Addresses, digests, accuracies and geometry are their publishers' own words, torchvision's `Weights` and Keras'
`applications`. torchvision's digest is the first eight hex digits of SHA-256 that stand in the file's name; Keras' is
MD5. Where a publisher has several sets, this is the first; of the ViTs it is the one trained on ImageNet alone, those
after it are not for commerce. Entries that are not here have no published file, or none whose publisher gives a digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import WeightsError, close_matches

if TYPE_CHECKING:  # it loads torch, and the list needs none
    from .loading import Feeding, Source

_TORCHVISION = "https://download.pytorch.org/models/"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"


@dataclass(frozen=True)
class Published:
    """One file of weights for 1,000 classes of ImageNet."""

    address: str
    digest: str  # ALGORITHM:HEX; the hex may be the digest's beginning
    source: Source
    feeding: Feeding | None  # None: the source's usual one
    accuracy: float  # top-1 on ImageNet's validation pictures, percent, as published
    size: int  # of the pictures that it was measured with, pixels
    resized: int | None  # their shorter side before the centre crop, pixels; None: not published
    licence: str  # of the code that it comes with; ImageNet itself is for research


def _torchvision(
    file: str, accuracy: float, *, size: int = 224, resized: int = 256, feeding: Feeding | None = None
) -> Published:
    digest = "sha256:" + file.removesuffix(".pth").rpartition("-")[2]
    return Published(
        _TORCHVISION + file, digest, "torchvision", feeding, accuracy, size, resized, licence="BSD-3-Clause"
    )


def _keras(name: str, md5: str, accuracy: float, *, feeding: Feeding) -> Published:
    address = f"{_KERAS}{name}_weights_tf_dim_ordering_tf_kernels.h5"
    return Published(address, f"md5:{md5}", "keras", feeding, accuracy, 224, None, licence="Apache-2.0")


PUBLISHED: dict[str, Published] = {
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
    "googlenet_bn": _torchvision("googlenet-1378be20.pth", 69.778, feeding="-1-1"),
    "inception_v3": _torchvision("inception_v3_google-0cc3c7bd.pth", 77.294, size=299, resized=342, feeding="-1-1"),
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
    "resnet50_v1": _keras("resnet50", "2cb95161c43110f7111970584f804107", 74.9, feeding="caffe"),
    "resnet101_v1": _keras("resnet101", "f1aeb4b969a6efcfb50fad2f0c20cfc5", 76.4, feeding="caffe"),
    "resnet152_v1": _keras("resnet152", "100835be76be38e30d865e96f2aaae62", 76.6, feeding="caffe"),
    "resnet50v2": _keras("resnet50v2", "3ef43a0b657b3be2300d5770ece849e0", 76.0, feeding="-1-1"),
    "resnet101v2": _keras("resnet101v2", "6343647c601c52e1368623803854d971", 77.2, feeding="-1-1"),
    "resnet152v2": _keras("resnet152v2", "a49b44d1979771252814e80f8ec446f9", 78.0, feeding="-1-1"),
}


def find_published(name: str) -> Published:
    """The published weights of an entry; WeightsError where there are none."""
    if name not in PUBLISHED:
        raise WeightsError(
            "a model with published weights (pictaxa weights list)",
            found=repr(name),
            fix=close_matches(name, PUBLISHED),
        )
    return PUBLISHED[name]


def list_lines() -> Iterator[str]:
    """The table as a person reads it."""
    yield f"{'model':19} {'accuracy':>8}  {'pixels':>6}  {'whose':11}  {'licence':12}  file"
    for name, row in PUBLISHED.items():
        yield f"{name:19} {row.accuracy:7.1f}%  {row.size:6d}  {row.source:11}  {row.licence:12}  {row.address}"
    yield ""
    yield "accuracy: top-1 on ImageNet's validation pictures, as published; the weights' terms include ImageNet's own"
