#!/usr/bin/env python3
"""Say what is on pictures, with the network in this folder. It needs numpy, pillow and onnxruntime, and nothing else.

    python predict.py holiday.jpg more-photos
    python predict.py --json holiday.jpg

From Python, with this folder on the path:

    from predict import Classifier
    Classifier().predict("holiday.jpg")  # [("daisy", 0.91), ("tulips", 0.05), ...], the most probable class first
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image, ImageCms, ImageOps

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".avif"}
NEAR = 6  # sides of the square: a longer picture is averaged by a whole number first
SAME = 2  # of 255: a profile that changes colours by no more is sRGB's own
WHITES = (1.0, 255.0, 65535.0)  # what programs multiply by that write fractions


class Classifier:
    """The network of an exported folder.

    Args:
        folder: with export.json; by default the one that this file is in.
        threads: that compute; 0 for as many as there are cores.
    """

    def __init__(self, folder: str | Path | None = None, *, threads: int = 0) -> None:
        folder = Path(__file__).resolve().parent if folder is None else Path(folder)
        document = json.loads((folder / "export.json").read_text(encoding="utf-8"))
        network = folder / document["network"]
        data = network.read_bytes()
        if hashlib.sha256(data).hexdigest() != document["files"][network.name]["sha256"]:
            raise SystemExit(f"predict: expected {network} as it was exported; found a changed file. Export again.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self.classes: list[str] = document["classes"]
        self.geometry: dict[str, Any] = document["geometry"]
        self.batch: int = document["batch"] or 1
        self.logits: bool = document["output"] == "logits"

    def predict(self, picture: str | Path | bytes | Image.Image) -> list[tuple[str, float]]:
        """(class, probability) pairs of a file, its bytes or a picture of Pillow's, the most probable class first."""
        answers = self.probabilities(self.image(picture)[None])[0]
        order = np.argsort(-answers, kind="stable")
        return [(self.classes[label], float(answers[label])) for label in order]

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(N, C, size, size) float32 in [0, 1] -> (N, classes) float32; logits if the folder has these."""
        said = []
        for begin in range(0, len(images), self.batch):
            part = images[begin : begin + self.batch]
            filled = np.concatenate([part, np.repeat(part[-1:], self.batch - len(part), axis=0)])
            said.append(self.session.run(None, {"images": filled})[0][: len(part)])
        return np.concatenate(said)

    def image(self, picture: str | Path | bytes | Image.Image) -> np.ndarray:
        """A picture as the network takes it: (C, size, size) float32 in [0, 1]."""
        square, aspect = self.square(picture)
        view, size = self.geometry["view"], self.geometry["size"]
        # How much of the square's width and height the view shows: the largest square in the middle, the smallest one
        # around the picture, or the picture pressed into a square.
        side = {"centre": min(aspect, 1.0), "fit": max(aspect, 1.0)}.get(view)
        shown = (1.0, 1.0) if side is None else (side / aspect, side)
        if shown == (1.0, 1.0) and size == len(square):
            return square.transpose(2, 0, 1).astype(np.float32) / 255
        # (S, S, C) -> (C, S, S)
        pixels = square.transpose(2, 0, 1).astype(np.float32)
        while max(shown) * pixels.shape[-1] / size > 2 * (1 + 1e-6):  # so that nothing is passed over
            pixels = _half(pixels)
        across, down = (_weights(pixels.shape[-1], size, part, black=view == "fit") for part in shown)
        return (down @ pixels @ across.T).astype(np.float32) / 255

    def square(self, picture: str | Path | bytes | Image.Image) -> tuple[np.ndarray, float]:
        """A picture pressed into a square, (S, S, C) uint8, and its width over its height."""
        side, channels = self.geometry["square"], self.geometry["channels"]
        image = (
            picture
            if isinstance(picture, Image.Image)
            else Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture)
        )
        width, height = image.size
        most = self.geometry["decoding"]["max_pixels"]
        if image.format == "JPEG":
            image.draft(None, (side, side))
        if image.size[0] * image.size[1] > most:
            raise ValueError(f"{width} x {height} pixels, more than {most:,}")
        image.load()
        if image.format == "TIFF":  # which Pillow has turned by now
            width, height = image.size
        elif image.getexif().get(0x0112, 1) in (5, 6, 7, 8):  # on its side
            width, height = height, width
        profile = image.info.get("icc_profile", b"")
        eight = _eight_bits(ImageOps.exif_transpose(image), self.geometry["decoding"])
        reducing = NEAR / 2 if max(eight.size) > NEAR * side else None
        small = (
            eight
            if eight.size == (side, side)
            else eight.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=reducing)
        )
        small = _to_srgb(small, profile) if self.geometry["decoding"]["revision"] > 1 else small
        small = small.convert("L" if channels == 1 else "RGB")
        return np.asarray(small).reshape(side, side, channels), width / height


def _eight_bits(image: Image.Image, decoding: dict[str, Any]) -> Image.Image:
    """As L, RGB or CMYK, on white; numbers of more bits by the range that the training pictures had."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        kind = "float" if image.mode == "F" else "uint16" if image.mode.startswith("I;16") else values.dtype.name
        black, white = _range(values, kind, decoding)
        scaled = np.clip((values.astype(np.float64) - black) * (255 / max(white - black, 1e-300)), 0, 255)
        return Image.fromarray(np.rint(scaled).astype(np.uint8))
    if image.mode == "CMYK":
        return image
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        white_page = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white_page, clear).convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("L" if image.mode == "1" else "RGB")


def _range(values: np.ndarray, kind: str, decoding: dict[str, Any]) -> tuple[float, float]:
    """Which number is black and which white."""
    for level in decoding["levels"] or ():
        if level["kind"] in (kind, "any"):
            return level["black"], level["white"]
    low, high = float(values.min()), float(values.max())
    if kind.startswith("u"):
        return 0.0, float(2 ** int(high).bit_length() - 1) if high > 0 else 65535.0
    usual = next((white for white in WHITES if kind == "float" and white / 2 < high <= white), None)
    black = min(low, 0.0)
    return black, usual or (high if high > black else black + 1.0)


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours as the file's profile means them; as they are where it has none, or a damaged one."""
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        grey = source.profile.xcolor_space.strip() == "GRAY"
        mode = "L" if grey else source.profile.xcolor_space.strip()
        if (mode == "CMYK") != (image.mode == "CMYK"):
            return image
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        shown = ImageCms.applyTransform(image.convert(mode), transform)
        steps = np.linspace(0, 255, 9).round().astype(np.uint8)
        lattice = steps[None] if grey else np.stack(np.meshgrid(*[steps] * 3), axis=-1).reshape(-1, 1, 3)
        if mode != "CMYK":
            after = np.asarray(ImageCms.applyTransform(Image.fromarray(lattice), transform))
            if np.abs(after.astype(int) - lattice.reshape(*lattice.shape[:2], -1)).max() <= SAME:
                return image
        return image if shown is None else shown if image.mode != "L" else shown.convert("L")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _half(pixels: np.ndarray) -> np.ndarray:
    """(C, S, S) -> (C, ceil(S / 2), ceil(S / 2)), the mean of four."""
    if pixels.shape[-1] % 2:
        pixels = np.pad(pixels, ((0, 0), (0, 1), (0, 1)), mode="edge")
    return (pixels[:, 0::2, 0::2] + pixels[:, 1::2, 0::2] + pixels[:, 0::2, 1::2] + pixels[:, 1::2, 1::2]) / 4


def _weights(side: int, size: int, shown: float, *, black: bool) -> np.ndarray:
    """(size, side): how much of each pixel is in each point, between the two nearest; mirrored or black beyond."""
    centres = (2 * np.arange(size) + 1) / size - 1
    places = ((centres * shown + 1) * side - 1) / 2
    if not black:
        places = np.abs((places + 0.5) % (2 * side) - 0.5 + 0.5) - 0.5
        places = np.clip(np.where(places > side - 0.5, 2 * side - 1 - places, places), 0, side - 1)
    first = np.floor(places).astype(int)
    weights = np.zeros((size, side), dtype=np.float32)
    for place, share in ((first, first + 1 - places), (first + 1, places - first)):
        inside = (place >= 0) & (place < side)
        weights[np.flatnonzero(inside), place[inside]] += share[inside]
    return weights


def main() -> int:
    """Say it for files and the pictures in folders; exit status 1 where some can't be read."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("pictures", nargs="+", type=Path, help="files, or folders of pictures")
    parser.add_argument("--top", type=int, default=3, help="how many classes of each picture (default: 3)")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each picture, with all classes")
    arguments = parser.parse_args()
    classifier, bad = Classifier(), 0
    for given in arguments.pictures:
        inside = (
            sorted(path for path in given.rglob("*") if path.suffix.lower() in SUFFIXES) if given.is_dir() else [given]
        )
        for path in inside:
            try:
                said = classifier.predict(path)
            except (OSError, ValueError, SyntaxError) as error:
                bad += 1
                print(f"{path}: not read: {error}", file=sys.stderr)
                continue
            if arguments.json:
                print(json.dumps({"path": str(path), "probabilities": dict(said)}, ensure_ascii=False))
            else:
                print(f"{path}: " + ", ".join(f"{name} {value:.1%}" for name, value in said[: arguments.top]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
