"""The loop that a careful person would write first with torch, torchvision and timm, from the ImageNet weights.

All weights are trained with AdamW at 3e-4, 20 steps of warm-up and a cosine over the time, weight decay 0.02, label
smoothing 0.1, batches of 32, random crops of 35% to 100% and flips, in bfloat16 where the processor has it, channels
last. Validation after every epoch, the best of which is kept; two workers decode.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import NamedTuple

import timm
import torch
import torch.nn.functional as F
from shared import DEVIATION, MEAN, MODEL, SIDE, Clock, answer, arguments, has_bfloat16, imagenet_for_timm
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

PEAK, WARM_UP = 3e-4, 20  # of the learning rate; steps
BATCH, WORKERS = 32, 2


Batches = DataLoader[tuple[torch.Tensor, torch.Tensor]]


class Pictures(NamedTuple):
    """Batches of train/ and of val/, and what they hold."""

    train: Batches
    val: Batches
    train_count: int
    val_count: int
    classes: int


def read_pictures(folder: Path) -> Pictures:
    """As torchvision reads and varies them."""
    to_tensor = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([MEAN] * 3, [DEVIATION] * 3)]
    crop = v2.RandomResizedCrop(SIDE, scale=(0.35, 1.0), interpolation=v2.InterpolationMode.BICUBIC)
    varied = v2.Compose([crop, v2.RandomHorizontalFlip(), *to_tensor])
    centre = [v2.Resize(256, interpolation=v2.InterpolationMode.BICUBIC), v2.CenterCrop(SIDE)]
    train = ImageFolder(folder / "train", varied)
    val = ImageFolder(folder / "val", v2.Compose([*centre, *to_tensor]))
    assert train.classes == val.classes, "train/ and val/ have different classes"
    whole = len(train) >= BATCH
    return Pictures(
        DataLoader(train, BATCH, shuffle=True, drop_last=whole, num_workers=WORKERS, persistent_workers=True),
        DataLoader(val, BATCH, num_workers=WORKERS, persistent_workers=True),
        len(train),
        len(val),
        len(train.classes),
    )


def logits_of(model: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """In bfloat16 where that is fast."""
    with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
        logits = model(images.to(memory_format=torch.channels_last))
    return logits.float()


@torch.inference_mode()
def accuracy_of(model: torch.nn.Module, batches: Batches) -> float:
    """On all pictures of val/."""
    model.eval()
    right = count = 0
    for images, labels in batches:
        right += int((logits_of(model, images).argmax(1) == labels).sum())
        count += len(labels)
    return right / count


def main() -> None:
    """Train, judge, answer."""
    asked = arguments(__doc__).parse_args()
    torch.manual_seed(asked.seed)
    pictures = read_pictures(asked.folder)
    with tempfile.TemporaryDirectory() as place:
        ready = {"pretrained": True, "pretrained_cfg_overlay": imagenet_for_timm(Path(place))}
        model = timm.create_model(MODEL, num_classes=pictures.classes, **ready)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.02)
    clock, budget = Clock(), asked.minutes * 60
    step = seen = 0
    accuracies: list[float] = []
    while clock.seconds < budget:
        model.train()
        for images, labels in pictures.train:
            progress = clock.seconds / budget
            if progress >= 1:
                break
            step += 1
            rate = PEAK * min(1, step / WARM_UP) * (1 + math.cos(math.pi * progress)) / 2
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = F.cross_entropy(logits_of(model, images), labels, label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            seen += len(images)
        trained = clock.seconds
        accuracies.append(accuracy_of(model, pictures.val))
    answer(
        accuracy=accuracies[-1],
        best=max(accuracies),
        pictures=pictures.val_count,
        epochs=seen / pictures.train_count,
        rate=seen / trained,
        packages=("torch", "torchvision", "timm"),
        note="bfloat16" if has_bfloat16() else "float32",
    )


if __name__ == "__main__":
    main()
