"""Augmentation policies: the ranges of geometric changes, colour, noise and mixing."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

from ..config.by_name import read_mapping
from ..config.data import AugmentConfig
from ..errors import ConfigError, close_matches

FILE_SUFFIXES = (".yaml", ".yml", ".json")


MAX_OPERATIONS = 4  # of RandAugment, one after the other
PARTS = (
    "horizontal_flip", "vertical_flip", "shift", "shift_x", "shift_y", "hue", "channel_noise", "noise", "erasing",
    "trivial_augment", "rand_augment_strength", "cutmix", "mixup",
)  # fmt: skip


@dataclass(frozen=True)
class Policy:
    """Ranges of the random changes of a training picture; 0 (or an area of 1) means never.

    Angles are in degrees, shifts in parts of the view, zoom and the colour changes in parts (0.3: from 0.7 to 1.3),
    hue in repeats of the colour circle, noise in parts of full brightness, flips in probabilities.
    """

    crop_area: float = 1.0  # the least part of the picture that a random crop shows; 1: no random crop
    crop_stretch: float = 4 / 3  # the most that a crop is stretched one way (GoogLeNet, section 6)
    horizontal_flip: float = 0.0
    vertical_flip: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0  # both ways
    shift_x: float = 0.0  # instead of `shift`, where it is more
    shift_y: float = 0.0
    pad: float = 0.0  # pixels of black around it, of which a part of the picture's size is cut (He et al. 2015, 4.2)
    shear: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    channel_noise: float = 0.0  # one offset for each channel of a picture
    noise: float = 0.0  # standard deviation, of every pixel by itself
    erasing: float = 0.0  # probability that a rectangle is blotted out
    erasing_area: float = 0.33  # the most of the picture that it takes (Zhong et al. 2017; from 0.02 on)
    trivial_augment: float = 0.0  # probability of one operation of any strength (operations.py)
    rand_augment: float = 0.0  # operations of one strength, one after the other; a whole number
    rand_augment_strength: float = 0.3  # part of the widest range
    cutmix: float = 0.0  # probability per batch that pictures take a rectangle from each other (mixing.py)
    mixup: float = 0.0  # probability per batch that pictures are laid over each other (mixing.py)
    mixup_alpha: float = 0.2  # of the Beta distribution of the shares; 1: any share as often

    def __post_init__(self) -> None:
        _check("crop_area", self.crop_area, low=0.01, high=1.0)
        _check("crop_stretch", self.crop_stretch, low=1.0, high=4.0)
        for name in PARTS:
            _check(name, getattr(self, name), low=0.0, high=1.0)
        _check("erasing_area", self.erasing_area, low=0.02, high=1.0)
        _check("mixup_alpha", self.mixup_alpha, low=0.01, high=10.0)
        _check("cutmix and mixup together", self.cutmix + self.mixup, low=0.0, high=1.0)
        if self.rand_augment not in range(MAX_OPERATIONS + 1):
            raise ConfigError(
                f"rand_augment from 0 to {MAX_OPERATIONS} operations",
                found=f"{self.rand_augment:g}",
                fix="Use 2, for example.",
            )
        _check("pad", self.pad, low=0.0, high=64.0)
        _check("rotation", self.rotation, low=0.0, high=180.0)
        _check("shear", self.shear, low=0.0, high=60.0)
        for name in ("zoom", "brightness", "contrast", "saturation"):
            _check(name, getattr(self, name), low=0.0, high=0.95)


def _check(name: str, value: float, *, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"an augmentation {name} from {low:g} to {high:g}", found=f"{value:g}", fix=f"Change {name}.")


POLICIES: dict[str, Policy] = {
    "none": Policy(),
    "mirror": Policy(horizontal_flip=0.5),
    # For pictures whose place or side has a meaning: digits, signs, scans.
    "light": Policy(rotation=8, shift=0.08, zoom=0.08, brightness=0.1, contrast=0.1),
    # For photographs.
    "standard": Policy(crop_area=0.35, horizontal_flip=0.5, brightness=0.2, contrast=0.2, saturation=0.2),
    # For few photographs and long trainings.
    "strong": Policy(
        crop_area=0.35, horizontal_flip=0.5, rotation=15, brightness=0.4, contrast=0.4, saturation=0.4,
        hue=0.02, channel_noise=0.1,
    ),
    # Müller & Hutter 2021, "TrivialAugment: tuning-free yet state-of-the-art data augmentation".
    "trivial": Policy(crop_area=0.35, horizontal_flip=0.5, trivial_augment=1.0),
    # Cubuk et al. 2020, "RandAugment: practical automated data augmentation with a reduced search space": two of 9/30.
    "rand": Policy(crop_area=0.35, horizontal_flip=0.5, rand_augment=2, rand_augment_strength=0.3),
}  # fmt: skip


def find_policy(name: str, changes: tuple[str, ...] = ()) -> Policy:
    """A policy by name with some ranges changed, each written as `rotation=30`; ConfigError on unknown words."""
    if name not in POLICIES:
        raise ConfigError("the name of an augmentation policy", found=repr(name), fix=close_matches(name, POLICIES))
    known = [field.name for field in fields(Policy)]
    values: dict[str, float] = {}
    for change in changes:
        word, _, value = change.partition("=")
        word = word.strip().replace("-", "_")
        if word not in known:
            raise ConfigError("the name of an augmentation", found=repr(word), fix=close_matches(word, known))
        try:
            values[word] = float(value)
        except ValueError:
            raise ConfigError(
                f"a number in {word}=NUMBER", found=repr(change), fix=f"For example, write {word}=0.1."
            ) from None
    return replace(POLICIES[name], **values)


def read_policies(asked: AugmentConfig) -> AugmentConfig:
    """With what its files say in their place, a later word before an earlier one: `policy` and ranges by their names.

    ConfigError for a file that can't be read, or says anything else.
    """
    policy, words = asked.policy, []
    for word in asked.augment:
        if not word.lower().endswith(FILE_SUFFIXES):
            words.append(word)
            continue
        ranges = read_mapping(Path(word), what="an augmentation")
        policy = str(ranges.pop("policy")) if "policy" in ranges else policy
        words += [f"{name}={value}" for name, value in ranges.items()]
    resolved = replace(asked, policy=policy, augment=tuple(words))
    find_policy(resolved.policy or "none", resolved.augment)
    return resolved
