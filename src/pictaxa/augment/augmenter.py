"""From cached squares to the training input: draws a policy's random parameters and applies them to whole batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from . import colour, geometry, pixels
from .draws import uniforms
from .geometry import ViewName, padding_of
from .operations import Choice, choose_operations
from .policy import MAX_OPERATIONS, Policy
from .warping import planes_of, warp

BLOCK_BYTES = 2**23  # of float32 pictures that are worked on together, on a CPU; docs/measured.md

# The columns of a picture's row of draws: which random number decides what.
_DRAWS = (
    "area", "stretch", "across", "down", "horizontal_flip", "vertical_flip", "rotation", "shift_x", "shift_y",
    "shear", "zoom", "brightness", "contrast", "saturation", "hue", "red", "green", "blue",
    "erasing", "erasing_area", "erasing_stretch", "erasing_across", "erasing_down", "noise", "noise_across",
    "noise_down", "trivial",
    *(f"{what}_{turn}" for turn in range(MAX_OPERATIONS) for what in ("operation", "strength", "way")),
    "brightness_offset",
)  # fmt: skip


@dataclass(frozen=True)
class Draws:
    """A batch's random numbers, and for whom."""

    values: np.ndarray  # (N, len(_DRAWS)) in [0, 1)

    @classmethod
    def of(cls, rows: np.ndarray, *, seed: int, epoch: int, repeats: np.ndarray) -> Draws:
        """The draws of (seed, epoch, row, earlier times in the epoch) for each row."""
        return cls(uniforms(rows + (repeats.astype(np.int64) << 40), len(_DRAWS), seed=seed, epoch=epoch))

    @classmethod
    def chosen(cls, count: int, values: dict[str, float]) -> Draws:
        """Named draws as given for `count` pictures, and all others in the middle."""
        draws = cls(np.full((count, len(_DRAWS)), 0.5))
        for name, value in values.items():
            draws.values[:, _DRAWS.index(name)] = value
        return draws

    def unit(self, name: str) -> np.ndarray:
        """(N,) in [0, 1)."""
        column: np.ndarray = self.values[:, _DRAWS.index(name)]
        return column

    def around_zero(self, name: str, *, most: float) -> np.ndarray:
        """(N,) in [-most, most)."""
        return (2 * self.unit(name) - 1) * most

    def between(self, name: str, ends: tuple[float, float]) -> np.ndarray:
        """(N,) from the first of two numbers to the second, a draw of 0.5 in their middle."""
        low, high = ends
        return (low + high) / 2 + self.around_zero(name, most=(high - low) / 2)


def draw_views(
    policy: Policy,
    aspects: np.ndarray,
    *,
    draws: Draws,
    view: ViewName,
    size: int,
    heights: np.ndarray | None = None,
) -> np.ndarray:
    """(N,) width/height -> (N, 3, 3) float64 views: the plain view, cropped, moved, turned, flipped at random.

    `size` is the side of what is shown, in pixels; `heights` are those of the pictures themselves, which crop_pixels
    needs.
    """
    aspects = aspects.astype(np.float64)
    half_width, half_height, x, y = _boxes(policy, aspects, draws=draws, view=view, heights=heights)
    x = x + draws.around_zero("shift_x", most=max(policy.shift, policy.shift_x)) * 2 * half_width
    y = y + draws.around_zero("shift_y", most=max(policy.shift, policy.shift_y)) * 2 * half_height
    if policy.pad:
        x = x + _whole_pixels(policy.pad, draws.unit("shift_x")) * 2 * half_width / size
        y = y + _whole_pixels(policy.pad, draws.unit("shift_y")) * 2 * half_height / size
    zoom = draws.between("zoom", policy.factors("zoom"))
    flip_x = np.where(draws.unit("horizontal_flip") < policy.horizontal_flip, -1.0, 1.0)
    flip_y = np.where(draws.unit("vertical_flip") < policy.vertical_flip, -1.0, 1.0)
    views: np.ndarray = (
        geometry.squash(aspects)
        @ geometry.translate(x, y)
        @ geometry.rotate(draws.around_zero("rotation", most=policy.rotation))
        @ geometry.shear(draws.around_zero("shear", most=policy.shear))
        @ geometry.scale(half_width * zoom * flip_x, half_height * zoom * flip_y)
    )
    return views


def _whole_pixels(most: float, units: np.ndarray) -> np.ndarray:
    """(N,) in [0, 1] -> whole numbers from -most to most, each as often."""
    steps: np.ndarray = np.floor(units * (2 * int(most) + 1)) - int(most)
    return np.minimum(steps, int(most))


def _boxes(
    policy: Policy, aspects: np.ndarray, *, draws: Draws, view: ViewName, heights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Half width, half height and centre of the part that each picture shows, in its own frame."""
    if policy.crop_pixels:
        assert heights is not None, "crop_pixels needs the heights of the pictures"
        side = policy.crop_pixels / heights  # of half the picture's height, which is 1; a smaller picture is all shown
        half_width, half_height = np.minimum(side, aspects), np.minimum(side, 1.0)
        x = draws.around_zero("across", most=1.0) * (aspects - half_width)
        y = draws.around_zero("down", most=1.0) * (1.0 - half_height)
        return half_width, half_height, x, y
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
    changes = (policy.brightness, policy.contrast, policy.saturation, policy.hue, policy.channel_noise)
    if not any((*changes, policy.brightness_offset)):
        return None
    noise = np.stack([draws.around_zero(name, most=policy.channel_noise) for name in ("red", "green", "blue")], 1)
    offset = draws.around_zero("brightness_offset", most=policy.brightness_offset)
    matrices: np.ndarray = (
        colour.channel_noise(noise + offset[:, None])
        @ colour.hue(draws.around_zero("hue", most=policy.hue))
        @ colour.saturation(draws.between("saturation", policy.factors("saturation")))
        @ colour.contrast(draws.between("contrast", policy.factors("contrast")))
        @ colour.brightness(draws.between("brightness", policy.factors("brightness")))
    )
    return matrices


@dataclass(frozen=True)
class Augmenter:
    """Cached squares to a model's training input.

    The random changes of a picture are a function of the seed, the epoch, its row, and how often it came before in the
    epoch.

    Args:
        policy: how far pictures may be changed.
        view: what is seen of a picture that is not cropped.
        seed: of the draws.
        heights: (rows,) of the pictures themselves, pixels, for each row of the index; only crop_pixels needs them.

    Example:
        augment = Augmenter(find_policy("standard"), "centre", seed=0)
        images = augment(squares, rows, repeats=np.zeros(len(rows), np.int64), aspects=aspects, epoch=0, size=224)
    """

    policy: Policy
    view: ViewName
    seed: int
    heights: np.ndarray | None = None

    @property
    def padding(self) -> geometry.PaddingMode:
        """How to pad beyond a picture's edge."""
        return "zeros" if self.policy.pad else padding_of(self.view)

    def __call__(
        self, images: torch.Tensor, rows: np.ndarray, *, repeats: np.ndarray, aspects: np.ndarray, epoch: int, size: int
    ) -> torch.Tensor:
        """Vary pictures as an epoch has them.

        Args:
            images: (N, S, S, C) uint8.
            rows: (N,) int64 rows of the index.
            repeats: (N,) int64, how often each row came before in the epoch.
            aspects: (N,) float, width / height of each picture.
            epoch: from 0 on.
            size: side of the result, pixels.

        Returns:
            (N, C, size, size) float32 in [0, 1], on the pictures' device.
        """
        draws = Draws.of(rows, seed=self.seed, epoch=epoch, repeats=repeats)
        heights = None if self.heights is None else self.heights[rows]
        return self.show(images, draws, aspects=aspects, size=size, heights=heights)

    def show(
        self, images: torch.Tensor, draws: Draws, *, aspects: np.ndarray, size: int, heights: np.ndarray | None = None
    ) -> torch.Tensor:
        """As a call, with these draws; on a CPU some pictures at a time: what lies between stays in its cache."""
        count, channels = len(images), images.shape[3]
        views = draw_views(self.policy, aspects, draws=draws, view=self.view, size=size, heights=heights)
        for choice in draw_operations(self.policy, draws):
            views = views @ choice.moves()
        views = geometry.to_view(views)
        if images.device.type != "cpu":
            return self._paint(geometry.resample(images, views, size=size, padding=self.padding), draws)
        seen = warp(images, views, size=size, padding=self.padding)
        out = torch.empty(count, channels, size, size)
        block = max(4, BLOCK_BYTES // (4 * channels * size**2))
        for start in range(0, count, block):
            part = slice(start, start + block)
            out[part] = self._paint(planes_of(seen[part]), Draws(draws.values[part]))
        return out

    def _paint(self, out: torch.Tensor, draws: Draws) -> torch.Tensor:
        """All that is done to (N, C, size, size) float32 pictures after they were looked at."""
        policy, choices = self.policy, draw_operations(self.policy, draws)
        colours = draw_colours(policy, draws)
        for choice in choices:
            if choice.recolours:
                colours = choice.colours() if colours is None else choice.colours() @ colours
        out = out if colours is None else colour.recolour(out, colours)
        for choice in choices:
            choice.change_pixels(out)
        if policy.noise:
            places = np.stack([draws.unit("noise_across"), draws.unit("noise_down")], axis=1)
            out = pixels.add_noise(out, draws.unit("noise") * policy.noise, places)
        if policy.erasing:
            pixels.erase(out, draw_rectangles(policy, draws))
        return out


def draw_operations(policy: Policy, draws: Draws) -> list[Choice]:
    """What TrivialAugment and RandAugment do to each picture, one choice after the other."""
    chosen = []
    if policy.trivial_augment:
        takes = draws.unit("trivial") < policy.trivial_augment
        chosen.append(
            choose_operations(draws.unit("operation_0"), draws.unit("strength_0") * takes, draws.unit("way_0"))
        )
    for turn in range(int(policy.rand_augment)):
        strengths = np.full(len(draws.values), policy.rand_augment_strength)
        chosen.append(choose_operations(draws.unit(f"operation_{turn}"), strengths, draws.unit(f"way_{turn}")))
    return chosen


def draw_rectangles(policy: Policy, draws: Draws) -> np.ndarray:
    """(N, 4) top, bottom, left, right of what is blotted out, in parts of the side; empty for most pictures."""
    area = 0.02 + (policy.erasing_area - 0.02) * draws.unit("erasing_area")
    stretch = np.exp(draws.around_zero("erasing_stretch", most=np.log(10 / 3)))
    takes = draws.unit("erasing") < policy.erasing
    height, width = (np.minimum(np.sqrt(area * ratio), 1.0) * takes for ratio in (1 / stretch, stretch))
    top, left = draws.unit("erasing_down") * (1 - height), draws.unit("erasing_across") * (1 - width)
    return np.stack([top, top + height, left, left + width], axis=1)
