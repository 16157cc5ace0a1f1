"""What recipes came to when they were run: the rows of docs/recipes.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attained:
    """One run of a recipe on a CPU (AMD EPYC): on what, how long, and what came of it."""

    data: str
    train_pictures: int
    val_pictures: int
    right: int  # of the latter
    epochs: int
    time: str  # minutes:seconds
    beside: str = ""  # flags that stood beside the recipe
    cores: int = 2  # of the CPU; with two in float32, with one in what the machine's plan takes

    @property
    def accuracy(self) -> str:
        """In percent, with the interval of 95%."""
        from ..metrics import wilson_interval

        low, high = wilson_interval(self.right, self.val_pictures)
        return f"{self.right / self.val_pictures:.1%} ({100 * low:.1f}-{100 * high:.1f})"


_FLOWER_PHOTOS = ("flowers", 1250, 250)
_LITE = "--model efficientnet_lite0 --weights imagenet"
ATTAINED: list[tuple[str, Attained]] = [
    ("default", Attained(*_FLOWER_PHOTOS, 209, 47, "9:58", "--weights none --minutes 10")),
    ("default", Attained(*_FLOWER_PHOTOS, 190, 21, "4:28", "--weights none --minutes 4.5")),
    ("flowers-alexnet-slim", Attained(*_FLOWER_PHOTOS, 163, 10, "3:59")),
    ("flowers-alexnet", Attained(*_FLOWER_PHOTOS, 158, 10, "4:30")),
    ("flowers-leaky-resnet50", Attained(*_FLOWER_PHOTOS, 87, 1, "8:59", "--minutes 9", cores=1)),
    ("flowers-googlenet", Attained(*_FLOWER_PHOTOS, 104, 4, "9:54", "--minutes 10")),
    ("mnist-simple-cnn", Attained("MNIST", 48_000, 12_000, 11_778, 5, "3:09")),
    ("signs-resnet50", Attained("hand signs 0 to 5", 991, 246, 231, 20, "6:07", cores=1)),
    ("mnist-alexnet", Attained("MNIST", 232, 24, 2, 3, "1:03", "--seed 1", cores=1)),
    ("flowers-resnet50-transfer", Attained(*_FLOWER_PHOTOS, 229, 5, "2:32", f"{_LITE} --epochs 5", cores=1)),
    ("vit-finetune-head", Attained(*_FLOWER_PHOTOS, 218, 5, "0:05", f"{_LITE} --tune head --head 768", cores=1)),
    ("hotdog-frozen-resnet50", Attained("hot dogs", 640, 160, 119, 3, "0:27", _LITE, cores=1)),
    (
        "cifar-resnet20",
        Attained(
            "CIFAR-10", 40_000, 10_000, 7_799, 14, "21:10",
            "--fold 1/5 --steps 2800 --steps-per-epoch 200 --lr-schedule steps:0=1,1400=0.1,2100=0.01",
        ),
    ),
]  # fmt: skip
