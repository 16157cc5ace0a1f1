"""Policies: how far training pictures may be moved and recoloured, and drawing that for a batch."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from ..errors import ConfigError, close_matches
from . import colour, geometry
from .draws import uniforms
from .geometry import ViewName


@dataclass(frozen=True)
class Policy:
    """Ranges of the random changes of a training picture; 0 (or an area of 1) means never.

    Angles are in degrees, shifts in parts of the view, zoom and the colour changes in parts (0.3: from 0.7 to 1.3),
    hue in turns of the colour circle, noise in parts of full brightness, flips in probabilities.
    """

    crop_area: float = 1.0  # the least part of the picture that a random crop shows; 1: no random crop
    crop_stretch: float = 4 / 3  # the most that a crop is stretched one way (GoogLeNet, section 6)
    horizontal_flip: float = 0.0
    vertical_flip: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    channel_noise: float = 0.0
    cutmix: float = 0.0  # probability per batch that pictures take a rectangle from each other (mixing.py)

    def __post_init__(self) -> None:
        _check("crop_area", self.crop_area, low=0.01, high=1.0)
        _check("crop_stretch", self.crop_stretch, low=1.0, high=4.0)
        for name in ("horizontal_flip", "vertical_flip", "shift", "hue", "channel_noise", "cutmix"):
            _check(name, getattr(self, name), low=0.0, high=1.0)
        _check("rotation", self.rotation, low=0.0, high=180.0)
        _check("shear", self.shear, low=0.0, high=60.0)
        for name in ("zoom", "brightness", "contrast", "saturation"):
            _check(name, getattr(self, name), low=0.0, high=0.95)


def _check(name: str, value: float, *, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"an augmentation {name} from {low:g} to {high:g}", found=f"{value:g}", fix=f"Change {name}.")


POLICIES: dict[str, Policy] = {
    "none": Policy(),
    # For pictures whose place or side has a meaning: digits, signs, scans.
    "light": Policy(rotation=8, shift=0.08, zoom=0.08, brightness=0.1, contrast=0.1),
    # For photographs.
    "standard": Policy(crop_area=0.35, horizontal_flip=0.5, brightness=0.2, contrast=0.2, saturation=0.2),
    # For few photographs and long trainings.
    "strong": Policy(
        crop_area=0.35, horizontal_flip=0.5, rotation=15, brightness=0.4, contrast=0.4, saturation=0.4,
        hue=0.02, channel_noise=0.1,
    ),
}  # fmt: skip


def find_policy(name: str, changes: tuple[str, ...] = ()) -> Policy:
    """A policy by name with some ranges changed, each written as `rotation=30`; ConfigError on unknown words."""
    if name not in POLICIES:
        raise ConfigError("an augmentation policy by its name", found=repr(name), fix=close_matches(name, POLICIES))
    known = [field.name for field in fields(Policy)]
    values: dict[str, float] = {}
    for change in changes:
        word, _, value = change.partition("=")
        word = word.strip().replace("-", "_")
        if word not in known:
            raise ConfigError("an augmentation by its name", found=repr(word), fix=close_matches(word, known))
        try:
            values[word] = float(value)
        except ValueError:
            raise ConfigError(
                f"a number in {word}=NUMBER", found=repr(change), fix=f"Write for example {word}=0.1."
            ) from None
    return replace(POLICIES[name], **values)


# The columns of a picture's row of draws: which random number decides what.
_DRAWS = (
    "area", "stretch", "across", "down", "horizontal_flip", "vertical_flip", "rotation", "shift_x", "shift_y",
    "shear", "zoom", "brightness", "contrast", "saturation", "hue", "red", "green", "blue",
)  # fmt: skip


@dataclass(frozen=True)
class Draws:
    """A batch's random numbers, and for whom."""

    values: np.ndarray  # (N, len(_DRAWS)) in [0, 1)

    @classmethod
    def of(cls, rows: np.ndarray, *, seed: int, epoch: int) -> Draws:
        """The draws of (seed, epoch, row) for each row."""
        return cls(uniforms(rows, len(_DRAWS), seed=seed, epoch=epoch))

    def unit(self, name: str) -> np.ndarray:
        """(N,) in [0, 1)."""
        column: np.ndarray = self.values[:, _DRAWS.index(name)]
        return column

    def around_zero(self, name: str, *, most: float) -> np.ndarray:
        """(N,) in [-most, most)."""
        return (2 * self.unit(name) - 1) * most

    def around_one(self, name: str, *, most: float) -> np.ndarray:
        """(N,) factors in [1 - most, 1 + most)."""
        return 1 + self.around_zero(name, most=most)


def draw_views(policy: Policy, aspects: np.ndarray, *, draws: Draws, view: ViewName) -> np.ndarray:
    """(N,) width/height -> (N, 2, 3) float32 views: the plain view, cropped, moved, turned, flipped at random."""
    aspects = aspects.astype(np.float64)
    half_width, half_height, x, y = _boxes(policy, aspects, draws=draws, view=view)
    x = x + draws.around_zero("shift_x", most=policy.shift) * 2 * half_width
    y = y + draws.around_zero("shift_y", most=policy.shift) * 2 * half_height
    zoom = draws.around_one("zoom", most=policy.zoom)
    flip_x = np.where(draws.unit("horizontal_flip") < policy.horizontal_flip, -1.0, 1.0)
    flip_y = np.where(draws.unit("vertical_flip") < policy.vertical_flip, -1.0, 1.0)
    return geometry.to_view(
        geometry.squash(aspects)
        @ geometry.translate(x, y)
        @ geometry.rotate(draws.around_zero("rotation", most=policy.rotation))
        @ geometry.shear(draws.around_zero("shear", most=policy.shear))
        @ geometry.scale(half_width * zoom * flip_x, half_height * zoom * flip_y)
    )


def _boxes(
    policy: Policy, aspects: np.ndarray, *, draws: Draws, view: ViewName
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Half width, half height and centre of the part that each picture shows, in its own frame."""
    if policy.crop_area >= 1.0:
        half_width, half_height = geometry.view_box(aspects, view=view)
        return half_width, half_height, np.zeros_like(aspects), np.zeros_like(aspects)
    area = policy.crop_area + (1 - policy.crop_area) * draws.unit("area")
    stretch = np.exp(draws.around_zero("stretch", most=np.log(policy.crop_stretch)))
    half_width = np.minimum(np.sqrt(aspects * area * stretch), aspects)
    half_height = np.minimum(np.sqrt(aspects * area / stretch), 1.0)
    x = draws.around_zero("across", most=1.0) * (aspects - half_width)
    y = draws.around_zero("down", most=1.0) * (1.0 - half_height)
    return half_width, half_height, x, y


def draw_colours(policy: Policy, draws: Draws) -> np.ndarray | None:
    """(N, 4, 4) float64 colour matrices, or None when the policy leaves colours alone."""
    if not any((policy.brightness, policy.contrast, policy.saturation, policy.hue, policy.channel_noise)):
        return None
    noise = np.stack([draws.around_zero(name, most=policy.channel_noise) for name in ("red", "green", "blue")], 1)
    matrices: np.ndarray = (
        colour.channel_noise(noise)
        @ colour.hue(draws.around_zero("hue", most=policy.hue))
        @ colour.saturation(draws.around_one("saturation", most=policy.saturation))
        @ colour.contrast(draws.around_one("contrast", most=policy.contrast))
        @ colour.brightness(draws.around_one("brightness", most=policy.brightness))
    )
    return matrices


@dataclass(frozen=True)
class Augmenter:
    """Cached squares to a model's training input."""

    policy: Policy
    view: ViewName
    seed: int

    def __call__(
        self, images: torch.Tensor, rows: np.ndarray, *, aspects: np.ndarray, epoch: int, size: int
    ) -> torch.Tensor:
        """(N, S, S, C) uint8, (N,) rows, (N,) width/height -> (N, C, size, size) float32 in [0, 1]."""
        draws = Draws.of(rows, seed=self.seed, epoch=epoch)
        views = draw_views(self.policy, aspects, draws=draws, view=self.view)
        padding = padding_of(self.view)
        out = geometry.resample(images, views, size=size, padding=padding)
        colours = draw_colours(self.policy, draws)
        return out if colours is None else colour.recolour(out, colours)


def padding_of(view: ViewName) -> geometry.Padding:
    """What lies beyond a picture's edge: black where the view fits it in, else its mirror image."""
    return "zeros" if view == "fit" else "reflection"
