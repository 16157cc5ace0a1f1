from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictaxa.cli.main import main
from pictaxa.config.data import AugmentConfig, PicturesConfig
from pictaxa.reporting.preview import draw_preview

Make = Callable[..., Path]


def test_a_preview_shows_pictures_and_their_views(tmp_path: Path, make_photos: Make):
    """A PNG with the pictures' colours in it; another policy draws something else; bad pictures are passed over."""
    data = make_photos(tmp_path / "照片", {"红": 3, "绿": 3})
    (data / "红" / "00.png").write_bytes(b"broken")
    drawn = {}
    for policy in ("none", "strong"):
        out = tmp_path / f"{policy}.png"
        assert main(["preview", str(data), "--policy", policy, "--out", str(out)]) == 0
        with Image.open(out) as image:
            drawn[policy] = np.asarray(image.convert("RGB")).astype(int)
    reds = np.abs(drawn["none"] - [200, 40, 40]).max(axis=2) < 60
    assert reds.mean() > 0.05
    assert drawn["none"].shape == drawn["strong"].shape and np.abs(drawn["none"] - drawn["strong"]).mean() > 1


def test_mistakes_are_one_line(tmp_path: Path, make_photos: Make, capsys: pytest.CaptureFixture[str]):
    """A policy that does not exist and a place that can't be written are told."""
    data = make_photos(tmp_path / "photos", {"a": 3, "b": 3})
    assert main(["preview", str(data), "--policy", "stong"]) == 2
    assert "strong" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["preview", str(data), "--out", str(tmp_path / "file" / "x.png")]) == 2
    assert "--out" in capsys.readouterr().err


def test_a_policy_without_operations_has_one_picture(tmp_path: Path, make_photos: Make):
    """What is done is drawn one by one only where there is something to do."""
    data = make_photos(tmp_path / "photos", {"a": 2, "b": 2})
    for policy, several in (("none", False), ("standard", True)):
        out = tmp_path / f"{policy}.png"
        path, operations = draw_preview(data, out, augmentation=AugmentConfig(policy=policy), pictures=PicturesConfig())
        assert path == out and out.exists()
        assert (operations is not None and operations.exists()) if several else operations is None
