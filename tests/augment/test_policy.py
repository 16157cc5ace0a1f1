from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pictaxa.augment.policy import POLICIES, Policy, find_policy, read_policies
from pictaxa.config.data import AugmentConfig
from pictaxa.errors import ConfigError


def test_changes_by_name():
    """`rotation=30` changes one range of a policy; unknown names give close matches, bad values say so."""
    assert find_policy("none", ("rotation=30", "horizontal-flip=0.5")) == Policy(rotation=30, horizontal_flip=0.5)
    for name, changes, words in [
        ("strnog", (), "strong"),
        ("none", ("rotaton=3",), "rotation"),
        ("none", ("rotation=far",), "NUMBER"),
        ("none", ("rotation=999",), "180"),
    ]:
        with pytest.raises(ConfigError, match=words):
            find_policy(name, changes)
    assert {field.name for field in fields(Policy)} >= {"shear", "hue", "vertical_flip", "channel_noise"}


def test_ranges_with_two_ends(tmp_path: Path):
    """zoom=0.8:1.0 and a file's [0.8, 1.0] are both ends of the factor, as in Keras; other ranges take one number."""
    assert find_policy("none", ("zoom=0.8:1.0",)) == Policy(zoom=(0.8, 1.0))
    assert Policy(brightness=0.3).factors("brightness") == pytest.approx((0.7, 1.3))
    (tmp_path / "a.yaml").write_text("zoom: [0.8, 1.0]\nbrightness: 0.5:1.2\n")
    resolved = read_policies(AugmentConfig(augment=(str(tmp_path / "a.yaml"),)))
    assert resolved.augment == ("zoom=0.8:1.0", "brightness=0.5:1.2")
    for change, told in [
        ("zoom=1.2:0.8", "LOW:HIGH"), ("zoom=0:1", "0.05"), ("brightness=0.5:9", "to 4"),
        ("rotation=0:30", "one number"), ("zoom=0.8:", "NUMBER"), ("saturation=a:b", "NUMBER"),
    ]:  # fmt: skip
        with pytest.raises(ConfigError, match=told):
            find_policy("none", (change,))


def test_ranges_that_make_no_sense_are_refused():
    """Each bound is told with what to change."""
    for words, told in [
        ({"erasing_area": 0.0}, "erasing_area"),
        ({"cutmix": 0.7, "mixup": 0.6}, "together"),
        ({"rand_augment": 1.5}, "operations"),
        ({"rand_augment": 5}, "operations"),
        ({"mixup_alpha": 0}, "mixup_alpha"),
    ]:
        with pytest.raises(ConfigError, match=told):
            Policy(**words)


def test_ranges_in_a_file(tmp_path: Path):
    """A YAML or JSON file stands for its lines where it is named: what is written after it wins."""
    (tmp_path / "a.yaml").write_text("policy: light\nrotation: 30\nshift: 0.2\n")
    (tmp_path / "b.json").write_text('{"shift": 0.3}')
    asked = AugmentConfig(augment=("zoom=0.5", str(tmp_path / "a.yaml"), str(tmp_path / "b.json"), "rotation=10"))
    resolved = read_policies(asked)
    assert resolved == AugmentConfig(
        policy="light", augment=("zoom=0.5", "rotation=30", "shift=0.2", "shift=0.3", "rotation=10")
    )
    found = find_policy(resolved.policy, resolved.augment)
    assert (found.zoom, found.rotation, found.shift) == (0.5, 10, 0.3)
    assert found.brightness == POLICIES["light"].brightness
    for text, told in [("rotaton: 3", "rotation"), ("- 3", "name: value"), ("policy: lihgt", "light")]:
        (tmp_path / "a.yaml").write_text(text)
        with pytest.raises(ConfigError, match=told):
            read_policies(asked)
    with pytest.raises(ConfigError, match="augmentation file"):
        read_policies(AugmentConfig(augment=(str(tmp_path / "none.yaml"),)))


def test_every_range_is_explained():
    """docs/augmentation.md has each policy and each range."""
    text = (Path(__file__).parents[2] / "docs" / "augmentation.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in [*POLICIES, *(field.name for field in fields(Policy))])
