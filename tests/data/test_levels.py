"""data/levels.py: one range for a set, from the set to prediction."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictaxa.api.runs import train
from pictaxa.cli.main import main
from pictaxa.config.data import DecodingConfig
from pictaxa.data.cache import build_cache
from pictaxa.data.levels import MAX_LOOKED, USUAL, choose_decoding
from pictaxa.data.reading import read_data
from pictaxa.data.squares import CacheSpec
from pictaxa.errors import ConfigError
from pictaxa.images.colour import DAMAGED
from pictaxa.images.decode import load_square
from pictaxa.images.decoding import ANY, AS_EARLIER, Level
from pictaxa.images.upright import PAGES
from pictaxa.inference.loading import load
from pictaxa.runs.manifest import remove_manifest


def micrographs(root: Path, *, kind: str, tops: dict[str, float], count: int = 6) -> Path:
    """A folder for each class of pictures that differ in brightness alone: 24 px ramps up to a number."""
    for name, top in tops.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            ramp = np.linspace(0, top, 24 * 24).reshape(24, 24)
            ramp.flat[number] = 0  # so that no two are the same
            Image.fromarray(ramp.astype(kind)).save(root / name / f"{number}.tif")
    return root


def test_dim_and_bright_stay_so(tmp_path: Path):
    """Counts as fractions, up to 40 and up to 900: 40 is 11 of 255 in every picture, and what was found is said."""
    index = read_data(micrographs(tmp_path, kind="float32", tops={"bright": 900, "dim": 40}))
    decoding, notes = choose_decoding(index, USUAL)
    assert decoding.levels == (Level("float", 0, 900),)
    (note,) = notes
    assert "0 is black and 900 is white" in note and "12 of them" in note and "--white-level" in note
    brightest = {
        name: load_square(tmp_path / name / "0.tif", side=24, channels=1, decoding=decoding).pixels.max()
        for name in ("bright", "dim")
    }
    assert brightest == {"bright": 255, "dim": 11}


def test_12_bits_in_16(tmp_path: Path):
    """The set uses 12 bits, and its range is theirs: 4095 is white."""
    index = read_data(micrographs(tmp_path, kind="uint16", tops={"a": 3000, "b": 600}))
    decoding, _ = choose_decoding(index, USUAL)
    assert decoding.levels == (Level("uint16", 0, 4095),)
    assert load_square(tmp_path / "b" / "0.tif", side=24, channels=1, decoding=decoding).pixels.max() == 37


def test_what_is_declared(tmp_path: Path):
    """--white-level needs no look at the pictures; --black-level alone is beside the white that is found."""
    index = read_data(micrographs(tmp_path, kind="uint16", tops={"a": 3000, "b": 600}))
    decoding, notes = choose_decoding(index, DecodingConfig(white_level=1000, black_level=-24, max_pixels=10**6))
    assert decoding.levels == (Level(ANY, -24, 1000),) and decoding.max_pixels == 10**6 and notes == ()
    decoding, _ = choose_decoding(index, DecodingConfig(black_level=95))
    assert decoding.levels == (Level("uint16", 95, 4095),)
    with pytest.raises(ConfigError, match="--black-level below 4095"):
        choose_decoding(index, DecodingConfig(black_level=5000))
    with pytest.raises(ConfigError, match="--white-level above --black-level"):
        DecodingConfig(white_level=3, black_level=3)
    for wrong in ({"white_level": float("nan")}, {"max_pixels": 0}):
        with pytest.raises(ConfigError):
            DecodingConfig(**wrong)


def test_the_brightest_is_found_among_many(tmp_path: Path):
    """Beyond the first look: one of the last of 70 pictures is the only one of more than 10 bits."""
    micrographs(tmp_path, kind="uint16", tops={"a": 1000, "b": 1000}, count=MAX_LOOKED // 2 + 3)
    Image.fromarray(np.full((24, 24), 4000, np.uint16)).save(tmp_path / "b" / "1.tif")
    decoding, _ = choose_decoding(read_data(tmp_path), USUAL)
    assert decoding.levels == (Level("uint16", 0, 4095),)


def test_bytes_need_no_level(tmp_path: Path, make_photos: Callable[..., Path]):
    """A set of usual photographs has none, and nothing is said."""
    decoding, notes = choose_decoding(read_data(make_photos(tmp_path / "photos", {"a": 3, "b": 3})), USUAL)
    assert decoding.levels == () and notes == ()


def test_a_cache_belongs_to_its_levels(tmp_path: Path):
    """With another white the squares are others, and none of the first are read; the same ones are not made again."""
    index = read_data(micrographs(tmp_path / "set", kind="uint16", tops={"a": 3000, "b": 600}))
    brightest = []
    for white in (4095, 65535, 4095):
        decoding, _ = choose_decoding(index, DecodingConfig(white_level=white))
        cache, _ = build_cache(index, CacheSpec(24, 1, decoding), root=tmp_path / "cache", threads=1)
        brightest.append(int(cache.read(np.arange(12)).max()))
    assert brightest == [187, 12, 187] and len(list((tmp_path / "cache").iterdir())) == 2


def test_what_was_done_to_pictures_is_counted(tmp_path: Path, make_photos: Callable[..., Path]):
    """Stacks and profiles that are damaged: in the index's notes, also when the cache is opened again."""
    data = make_photos(tmp_path / "photos", {"a": 3, "b": 3})
    for number in range(2):
        Image.new("RGB", (30, 30), (9, 90, number)).save(data / "a" / f"odd{number}.png", icc_profile=bytes(99))
    pages = [Image.new("L", (30, 30), value) for value in (10, 200)]
    pages[0].save(data / "b" / "stack.tif", save_all=True, append_images=pages[1:])
    for _ in range(2):
        _, index = build_cache(read_data(data), CacheSpec(16, 3), root=tmp_path / "cache", threads=1)
        assert {f"2 pictures {DAMAGED}", f"1 picture {PAGES}"} <= set(index.notes)


def test_prediction_has_the_trainings_range(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The run keeps what was found; evaluate and predict decode by it; a run that says nothing decodes as it did."""
    data = micrographs(tmp_path / "set", kind="float32", tops={"bright": 900, "dim": 40}, count=12)
    words = {"model": "resnet_lite", "size": 32, "batch_size": 8, "precision": "float32", "weights": "none"}
    trained = train(data, **words, epochs=2, out=tmp_path / "run", policy="none")
    assert trained.geometry.decoding.levels == (Level("float", 0, 900),)
    assert "900 is white" in capsys.readouterr().out
    cache_side = trained.geometry.square
    index = read_data(data)
    cache, _ = build_cache(
        index, CacheSpec(cache_side, 1, trained.geometry.decoding), root=tmp_path / "cache", threads=1
    )
    (_, square), *_ = trained._squares([("dim", (data / "dim" / "0.tif").read_bytes)])
    row = [index.name(row) for row in range(len(index))].index("dim/0.tif")
    assert np.array_equal(cache.read(np.array([row]))[0], square.pixels) and square.pixels.max() == 11
    assert main(["evaluate", str(tmp_path / "run")]) == 0

    kept = json.loads((tmp_path / "run" / "pictures.json").read_text())
    before = {name: value for name, value in kept.items() if name != "decoding"}
    remove_manifest(tmp_path / "run")  # as a run of that time has none
    (tmp_path / "run" / "pictures.json").write_text(json.dumps(before))
    old = load(tmp_path / "run")
    assert old.geometry == replace(trained.geometry, decoding=AS_EARLIER)
    (_, square), *_ = old._squares([("dim", (data / "dim" / "0.tif").read_bytes)])
    assert square.pixels.max() == 255, "each picture by its own range"
