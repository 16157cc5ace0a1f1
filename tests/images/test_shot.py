from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from pictaxa.images.shot import DATE, DETAILS, HEAD, MODEL, TAKEN, Shot, read_head, shot_of


def photo(*, model: str = "", taken: str = "", date: str = "", size: int = 64) -> bytes:
    """A JPEG with EXIF."""
    exif = Image.Exif()
    if model:
        exif[MODEL] = model
    if date:
        exif[DATE] = date
    if taken:
        exif.get_ifd(DETAILS)[TAKEN] = taken
    buffer = io.BytesIO()
    Image.effect_noise((size, size), 60).save(buffer, "JPEG", exif=exif, quality=95)
    return buffer.getvalue()


def test_camera_and_month():
    """When a photo was taken comes before when its file was changed; a name is one line."""
    data = photo(model="Pixel\n 7\x00", taken="2024:07:30 12:00:00", date="2025:01:01 00:00:00")
    assert shot_of(data) == Shot("Pixel 7", "2024-07")
    assert shot_of(photo(date="2025:01:01 00:00:00")) == Shot("", "2025-01")
    assert shot_of(photo(taken="0000:00:00 00:00:00")) == Shot()
    assert len(shot_of(photo(model="x" * 500)).camera) == 60


def test_what_has_no_exif_says_nothing(tmp_path: Path):
    """Nor does what is no picture, or is not there, or is no file."""
    assert shot_of(photo()) == shot_of(b"") == shot_of(b"Exif\0\0") == Shot()
    assert read_head(tmp_path / "none.jpg") == read_head(tmp_path) == b""


def test_only_the_beginning_of_a_file_is_read(tmp_path: Path):
    """A photo of megabytes costs no more than a small one."""
    (tmp_path / "large.jpg").write_bytes(photo(model="M1", size=1000))
    head = read_head(tmp_path / "large.jpg")
    assert len(head) == HEAD and shot_of(head).camera == "M1"


@pytest.mark.parametrize("cut", range(20, 120, 7))
def test_damaged_exif_does_no_harm(cut: int):
    """Cut off anywhere, or with other bytes in it."""
    data = photo(model="Pixel 7", taken="2024:07:30 12:00:00")
    assert isinstance(shot_of(data[:cut]), Shot)
    assert isinstance(shot_of(data[:cut] + b"\xff\xfe\x00" + data[cut + 3 :]), Shot)
