"""fastai's `fine_tune` from the ImageNet weights: as its book does it, or with --tuned as well as it goes on a CPU.

Both: `vision_learner` with timm's model, its own head, optimizer and rates, one epoch of the head and then as many of
all as fill the minutes, which a few batches beforehand tell; those do not count.
As the book does it: float32, pictures made 460 px in the workers, then augmented and cropped to 224 px in batches.
--tuned: random crops of 35% to 100% and flips in the workers, bfloat16 where the processor has it (fastai's own
`to_bf16` asks for a GPU's), channels last.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from fastai.vision.all import (
    Callback,
    CancelFitException,
    ChannelsLast,
    FlipItem,
    ImageDataLoaders,
    Learner,
    Normalize,
    RandomResizedCrop,
    Resize,
    accuracy,
    aug_transforms,
    set_seed,
    vision_learner,
)
from shared import MODEL, SIDE, Clock, answer, arguments, count_pictures, has_bfloat16, imagenet_for_timm

BATCHES = 6  # that tell the pace; the first two do not count where there are more


class Bfloat16(Callback):
    """What `to_bf16` does, for the CPU."""

    order = 10

    def before_batch(self) -> None:
        """Forward pass and loss in bfloat16."""
        self.autocast = torch.autocast("cpu", torch.bfloat16)
        self.autocast.__enter__()

    def after_pred(self) -> None:
        """The loss takes float32."""
        self.learn.pred = self.pred.float()

    def after_loss(self) -> None:
        """The backward pass follows the forward pass."""
        self.autocast.__exit__(None, None, None)


class Pace(Callback):
    """Notes when batches are done, and ends the training after a few."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def before_train(self) -> None:
        """The first batch's time has the start of the workers in it."""
        self.times.append(time.monotonic())

    def after_batch(self) -> None:
        """Enough of them end the training."""
        self.times.append(time.monotonic())
        if len(self.times) > BATCHES:
            raise CancelFitException

    def before_validate(self) -> None:
        """A small set is through before."""
        raise CancelFitException

    def seconds(self) -> float:
        """Of a batch."""
        gaps = [after - before for before, after in pairwise(self.times)]
        return statistics.median(gaps[min(2, len(gaps) - 1) :])


def learner(folder: Path, overlay: dict[str, Any], *, tuned: bool, seed: int) -> Learner:
    """The usual way to one, with weights from a file."""
    set_seed(seed)
    if tuned:
        crop = RandomResizedCrop(SIDE, min_scale=0.35)
        ways: dict[str, Any] = {"item_tfms": [crop, FlipItem()]}
    else:
        ways = {"item_tfms": Resize(460), "batch_tfms": aug_transforms(size=SIDE, min_scale=0.75)}
    batch = min(64, count_pictures(folder / "train"))
    loaders = ImageDataLoaders.from_folder(folder, train="train", valid="val", seed=seed, bs=batch, **ways)
    learn = vision_learner(loaders, MODEL, metrics=accuracy, pretrained_cfg_overlay=overlay)
    (normalize,) = loaders.after_batch.fs.filter(lambda way: isinstance(way, Normalize))
    assert torch.allclose(normalize.mean.flatten().cpu(), torch.tensor(overlay["mean"])), "other inputs than told"
    if tuned:
        learn.add_cb(ChannelsLast())
        if has_bfloat16():
            learn.add_cb(Bfloat16())
    return learn


def epochs_that_fill(seconds: float, learn: Learner) -> tuple[int, float]:
    """How many, and the seconds that finding out took; a picture of val/ is taken for half of one to train."""
    clock, pace = Clock(), Pace()
    learn.unfreeze()
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, cbs=pace)
    train, val = learn.dls.train, learn.dls.valid
    an_epoch = pace.seconds() * (len(train) + len(val) / 2)
    return max(2, round(seconds / an_epoch)), clock.seconds


def main() -> None:
    """Train, judge, answer."""
    parser = arguments(__doc__)
    parser.add_argument("--tuned", action="store_true")
    asked = parser.parse_args()
    ways = {"tuned": asked.tuned, "seed": asked.seed}
    with tempfile.TemporaryDirectory() as place:
        overlay = imagenet_for_timm(Path(place))
        epochs, uncounted = epochs_that_fill(asked.minutes * 60, learner(asked.folder, overlay, **ways))
        learn = learner(asked.folder, overlay, **ways)
    clock = Clock()
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(epochs - 1)
    pictures = len(learn.dls.train) * learn.dls.train.bs
    answer(
        accuracy=float(learn.recorder.values[-1][-1]),
        pictures=len(learn.dls.valid_ds),
        epochs=epochs,
        rate=epochs * pictures / clock.seconds,
        uncounted=uncounted,
        packages=("torch", "torchvision", "timm", "fastai"),
        note="bfloat16" if asked.tuned and has_bfloat16() else "float32",
    )


if __name__ == "__main__":
    main()
