from __future__ import annotations

import ast
import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image, ImageCms

from pictaxa.exporting import predict_onnx
from pictaxa.exporting.export import ExportConfig, export_run
from pictaxa.inference.loading import load
from pictaxa.metrics import cooled, softmax
from pictaxa.runs.exported import Export
from pictaxa.runs.judgement import read_judgement

SOURCE = Path(predict_onnx.__file__)


@pytest.fixture(scope="session")
def folder(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """The run as ONNX."""
    return export_run(shipped, ExportConfig("onnx"), out=tmp_path_factory.mktemp("alone") / "onnx")


@pytest.fixture(scope="session")
def program(folder: Export) -> ModuleType:
    """predict.py of the folder, as a program of its own."""
    spec = importlib.util.spec_from_file_location("predict", folder.path / "predict.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """A picture's file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def odd_pictures() -> dict[str, bytes]:
    """Pictures of the kinds that people have, each with something that a plain reader gets wrong."""
    rng = np.random.default_rng(7)
    smooth = np.asarray(
        Image.fromarray(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)).resize((240, 160), Image.Resampling.BICUBIC)
    )
    photo = Image.fromarray(smooth)
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = np.dstack([smooth, np.linspace(0, 255, 240 * 160).reshape(160, 240).astype(np.uint8)])
    wide = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ"))
    deep = (smooth[..., 0].astype(np.uint16) * 257).astype(np.uint16)
    grey = Image.fromarray(smooth[..., 1])
    return {
        "plain.jpg": encoded(photo, "JPEG", quality=95),
        "turned.jpg": encoded(photo, "JPEG", quality=95, exif=exif),
        "progressive.jpg": encoded(photo, "JPEG", quality=95, progressive=True),
        "large.jpg": encoded(photo.resize((1800, 1200)), "JPEG", quality=95),
        "panorama.png": encoded(photo.resize((900, 60)), "PNG"),
        "tower.png": encoded(photo.resize((40, 500)), "PNG"),
        "cmyk.jpg": encoded(photo.convert("CMYK"), "JPEG", quality=95),
        "grey.jpg": encoded(grey, "JPEG", quality=95),
        "grey16.png": encoded(Image.fromarray(deep), "PNG"),
        "clear.png": encoded(Image.fromarray(clear), "PNG"),
        "clear-grey.png": encoded(Image.fromarray(clear[..., [0, 3]], "LA"), "PNG"),
        "palette.png": encoded(photo.quantize(32), "PNG"),
        "palette-clear.png": encoded(photo.quantize(32), "PNG", transparency=3),
        "marked.png": encoded(photo, "PNG", transparency=tuple(smooth[0, 0].tolist())),
        "one-bit.png": encoded(grey.convert("1"), "PNG"),
        "turned.tif": encoded(photo, "TIFF", exif=exif),
        "photo.webp": encoded(photo, "WEBP", lossless=True),
        "moving.gif": encoded(photo.quantize(64), "GIF", save_all=True, append_images=[grey.quantize(8)]),
        "tiny.png": encoded(photo.resize((5, 3)), "PNG"),
        "profile-damaged.jpg": encoded(photo, "JPEG", quality=95, icc_profile=wide.tobytes()[:100]),
    }


@pytest.mark.parametrize("name", sorted(odd_pictures()))
def test_odd_pictures_have_the_same_answers(name: str, folder: Export, program: ModuleType, shipped: Path):
    """As `pictaxa predict` gives them, to what the two resizing filters round differently (one step of 255)."""
    predictor, data = load(shipped, device="cpu"), odd_pictures()[name]
    judgement = read_judgement(predictor.run)
    assert judgement is not None
    (prediction,) = predictor.predict([data])
    assert prediction.logits is not None, prediction.problem
    expected = dict(
        zip(predictor.classes, cooled(softmax(prediction.logits[None]), judgement.temperature)[0], strict=True)
    )
    said = dict(program.Classifier(folder.path).predict(data))
    assert said.keys() == expected.keys()
    assert max(abs(said[one] - expected[one]) for one in expected) < 5e-3


def test_the_views_are_the_packages_own(folder: Export, program: ModuleType):
    """Of any square, aspect, view and size: the input is that of every prediction, to float32's rounding."""
    from pictaxa.augment.preprocess import Geometry
    from pictaxa.inference.exported import inputs_of

    rng = np.random.default_rng(3)
    classifier = program.Classifier(folder.path)
    for view in ("centre", "fit", "squash"):
        for side, size, aspect in (
            (64, 48, 1.5),
            (64, 64, 0.6),
            (63, 20, 2.7),
            (120, 28, 0.3),
            (32, 32, 1.0),
            (40, 56, 1.2),
        ):
            square = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
            geometry = Geometry(square=side, channels=3, view=view, size=size, tta="none")
            expected = inputs_of(square[None], np.array([aspect], dtype=np.float32), geometry=geometry)[0]
            classifier.geometry = {"view": view, "size": size}
            classifier.square = lambda picture, given=(square, aspect): given
            assert np.abs(classifier.image(b"") - expected).max() < 2e-5, (view, side, size, aspect)


def test_the_program_takes_nothing_else():
    """It imports the standard library, numpy, pillow and onnxruntime, and neither torch nor this package."""
    names = set()
    for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    assert names - set(sys.stdlib_module_names) == {"numpy", "onnxruntime", "PIL"}


def test_the_program_from_the_command_line(folder: Export, tmp_path: Path):
    """Files and folders, a line each; one that can't be read is named, and the exit status says so."""
    (tmp_path / "plain.jpg").write_bytes(odd_pictures()["plain.jpg"])
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    done = subprocess.run(
        [sys.executable, folder.path / "predict.py", "--json", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "broken.jpg: not read" in done.stderr and "Traceback" not in done.stderr
    (line,) = map(json.loads, done.stdout.splitlines())
    assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert set(line["probabilities"]) == {"red", "green", "blue"}
