"""Ultralytics' classification, with all its own defaults, from nothing: its weights come from an address.

`YOLO("yolo26n-cls.yaml").train(data=FOLDER, time=MINUTES / 60)`: float32 on a CPU, 224 px, its augmentation, validation
after every epoch, the best of which it keeps. Its smallest model: a larger one sees fewer pictures in the same minutes.
AGPL-3.0: measured here, needed nowhere.
"""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path

from shared import answer, arguments, count_pictures

MODEL = "yolo26n-cls.yaml"


def main() -> None:
    """Train, judge, answer."""
    asked = arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        os.environ |= {"YOLO_OFFLINE": "1", "YOLO_CONFIG_DIR": name, "YOLO_AUTOINSTALL": "false"}
        from ultralytics import YOLO

        data = place / "data"  # links: it writes a list of the pictures beside train/
        data.mkdir()
        for split in ("train", "val"):
            (data / split).symlink_to((asked.folder / split).resolve())
        length = {"time": asked.minutes / 60, "patience": 10_000}
        where = {"project": name, "name": "run", "device": "cpu", "plots": False, "verbose": False}
        YOLO(MODEL).train(data=str(data), seed=asked.seed, **length, **where)
        with (place / "run" / "results.csv").open(newline="") as file:
            rows = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(file)]
    accuracies = [float(row["metrics/accuracy_top1"]) for row in rows]
    pictures = count_pictures(asked.folder / "train")
    answer(
        accuracy=accuracies[-1],
        best=max(accuracies),
        pictures=count_pictures(asked.folder / "val"),
        epochs=len(rows),
        rate=len(rows) * pictures / float(rows[-1]["time"]),
        packages=("torch", "torchvision", "ultralytics-opencv-headless"),
        note=f"float32, {MODEL.removesuffix('.yaml')}",
    )


if __name__ == "__main__":
    main()
