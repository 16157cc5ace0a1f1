"""What recipes came to when they were run: the rows of docs/recipes.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attained:
    """One run of a recipe on two CPU cores (AMD EPYC, float32): on what, how long, and what came of it."""

    data: str
    train_pictures: int
    val_pictures: int
    right: int  # of the latter
    epochs: int
    time: str  # minutes:seconds
    beside: str = ""  # flags that stood beside the recipe

    @property
    def accuracy(self) -> str:
        """In percent, with the interval of 95%."""
        from ..metrics import wilson_interval

        low, high = wilson_interval(self.right, self.val_pictures)
        return f"{self.right / self.val_pictures:.1%} ({100 * low:.1f}-{100 * high:.1f})"


_FLOWER_PHOTOS = ("flowers", 1250, 250)
ATTAINED: list[tuple[str, Attained]] = [
    ("default", Attained(*_FLOWER_PHOTOS, 209, 47, "9:58", "--weights none --minutes 10")),
    ("default", Attained(*_FLOWER_PHOTOS, 190, 21, "4:28", "--weights none --minutes 4.5")),
    ("flowers-alexnet-slim", Attained(*_FLOWER_PHOTOS, 163, 10, "3:59")),
    ("flowers-alexnet", Attained(*_FLOWER_PHOTOS, 158, 10, "4:30")),
    ("flowers-googlenet", Attained(*_FLOWER_PHOTOS, 104, 4, "9:54", "--minutes 10")),
    ("mnist-simple-cnn", Attained("MNIST", 48_000, 12_000, 11_778, 5, "3:09")),
    (
        "cifar-resnet20",
        Attained(
            "CIFAR-10", 40_000, 10_000, 7_799, 14, "21:10",
            "--fold 1/5 --steps 2800 --steps-per-epoch 200 --lr-schedule steps:0=1,1400=0.1,2100=0.01",
        ),
    ),
]  # fmt: skip
