"""Augmentation policies: the ranges of geometric changes, colour, noise and mixing."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..config.by_name import read_mapping
from ..config.data import AugmentConfig
from ..errors import ConfigError, close_matches

FILE_SUFFIXES = (".yaml", ".yml", ".json")


MAX_OPERATIONS = 4  # of RandAugment, one after the other
FACTORS = ("zoom", "brightness", "contrast", "saturation")  # which may have two ends, such as zoom=0.8:1.0
MAX_FACTOR = 4.0
RANGES = {  # of what may be other than from 0 to 1
    "crop_area": (0.01, 1.0), "crop_stretch": (1.0, 4.0), "erasing_area": (0.02, 1.0), "mixup_alpha": (0.01, 10.0),
    "pad": (0.0, 64.0), "crop_pixels": (0.0, 4096.0), "rotation": (0.0, 180.0), "shear": (0.0, 60.0),
    "zoom": (0.0, 0.95), "brightness": (0.0, 0.95),
    "contrast": (0.0, 0.95), "saturation": (0.0, 0.95), "rand_augment": (0.0, float(MAX_OPERATIONS)),
}  # fmt: skip


Factors = float | tuple[float, float]  # 0.3: from 0.7 to 1.3; or both ends


@dataclass(frozen=True)
class Policy:
    """Ranges of the random changes of a training picture; 0 (or an area of 1) means never.

    Angles are in degrees, shifts in parts of the view, zoom and the colour changes in parts (0.3: from 0.7 to 1.3; or
    both ends, such as (0.8, 1.0)), hue in turns of the colour circle, noise and offsets in parts of full brightness,
    flips in probabilities.
    """

    crop_area: float = 1.0  # the least part of the picture that a random crop shows; 1: no random crop
    crop_pixels: float = 0.0  # side of a random crop in the picture's own pixels (tf.image.random_crop); 0: none
    crop_stretch: float = 4 / 3  # the most that a crop is stretched one way (GoogLeNet, section 6)
    horizontal_flip: float = 0.0
    vertical_flip: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0  # both ways
    shift_x: float = 0.0  # instead of `shift`, where it is more
    shift_y: float = 0.0
    pad: float = 0.0  # pixels of black around it, of which a part of the picture's size is cut (He et al. 2015, 4.2)
    shear: float = 0.0
    zoom: Factors = 0.0  # of what is seen: below 1 shows less, larger
    brightness: Factors = 0.0
    brightness_offset: float = 0.0  # added to all pixels of a picture (tf.image.random_brightness), both ways
    contrast: Factors = 0.0
    saturation: Factors = 0.0
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
        if self.rand_augment not in range(MAX_OPERATIONS + 1):
            expected = f"rand_augment from 0 to {MAX_OPERATIONS} operations"
            raise ConfigError(expected, found=f"{self.rand_augment:g}", fix="Use 2, for example.")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                _check_factors(field.name, value)
            else:
                _check(field.name, value, RANGES.get(field.name, (0.0, 1.0)))
        _check("cutmix and mixup together", self.cutmix + self.mixup, (0.0, 1.0))

    def factors(self, name: str) -> tuple[float, float]:
        """The least and the largest factor of one of FACTORS.

        Example:
            Policy(zoom=0.3).factors("zoom")  # (0.7, 1.3)
        """
        value: Factors = getattr(self, name)
        return value if isinstance(value, tuple) else (1 - value, 1 + value)


def _check_factors(name: str, ends: tuple[float, float]) -> None:
    low, high = ends
    if name not in FACTORS:
        raise ConfigError(
            f"one number for {name}", found=f"{low:g}:{high:g}", fix=f"Two ends are for {', '.join(FACTORS)}."
        )
    least = 0.05 if name == "zoom" else 0.0
    if not least <= low <= high <= MAX_FACTOR:
        raise ConfigError(
            f"{name}=LOW:HIGH with factors from {least:g} to {MAX_FACTOR:g}", found=f"{low:g}:{high:g}",
            fix=f"For example, write {name}=0.8:1.0.",
        )  # fmt: skip


def _check(name: str, value: float, bounds: tuple[float, float]) -> None:
    low, high = bounds
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
    """Find a policy by name, with some ranges changed.

    Args:
        name: one of POLICIES.
        changes: each a range and its new value, written as `rotation=30`, or `zoom=0.8:1.0` with both ends of the
            factor; a later one wins.

    Returns:
        The policy.

    Raises:
        ConfigError: an unknown name, which is told with close matches, or a value that can't be.

    Example:
        policy = find_policy("standard", ("rotation=30", "vertical-flip=0.5"))
    """
    if name not in POLICIES:
        raise ConfigError("the name of an augmentation policy", found=repr(name), fix=close_matches(name, POLICIES))
    known = [field.name for field in fields(Policy)]
    values: dict[str, Any] = {}
    for change in changes:
        word, _, value = change.partition("=")
        word = word.strip().replace("-", "_")
        if word not in known:
            raise ConfigError("the name of an augmentation", found=repr(word), fix=close_matches(word, known))
        try:
            values[word] = _number_or_ends(value)
        except ValueError:
            raise ConfigError(
                f"a number in {word}=NUMBER", found=repr(change), fix=f"For example, write {word}=0.1."
            ) from None
    return replace(POLICIES[name], **values)


def _as_word(value: object) -> str:
    """A value of a file as it stands on the command line: [0.8, 1.0] is 0.8:1.0."""
    return ":".join(map(str, value)) if isinstance(value, list) else str(value)


def _number_or_ends(text: str) -> Factors:
    """A number, or two with a colon between; ValueError for anything else."""
    low, colon, high = text.partition(":")
    return (float(low), float(high)) if colon else float(low)


def read_policies(asked: AugmentConfig) -> AugmentConfig:
    """Read the files that `--augment` names: what they say stands in their place, and a later word wins.

    Args:
        asked: `augment` has ranges as `rotation=30`, and files of them, .yaml or .json, which may name a `policy` too.

    Returns:
        The same without files.

    Raises:
        ConfigError: a file can't be read, or says anything else.

    Example:
        asked = read_policies(AugmentConfig(augment=("mine.yaml", "rotation=30")))
    """
    policy, words = asked.policy, []
    for word in asked.augment:
        if not word.lower().endswith(FILE_SUFFIXES):
            words.append(word)
            continue
        ranges = read_mapping(Path(word), what="an augmentation")
        policy = str(ranges.pop("policy")) if "policy" in ranges else policy
        words += [f"{name}={_as_word(value)}" for name, value in ranges.items()]
    resolved = replace(asked, policy=policy, augment=tuple(words))
    find_policy(resolved.policy or "none", resolved.augment)
    return resolved
