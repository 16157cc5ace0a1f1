"""The baseline that anybody would try first: scikit-learn's logistic regression on the features of timm's network.

The features of one pass, prediction's own view of 224 px, in bfloat16 where the processor has it; standardised; C by
five-fold cross-validation on the training pictures. It takes the time that it takes, whatever the minutes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import timm
import torch
from shared import MODEL, Clock, answer, arguments, has_bfloat16, imagenet_for_timm
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from timm.data import create_transform, resolve_model_data_config
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

STRENGTHS = np.logspace(-4, 0, 9)  # C, scikit-learn's inverse of the penalty


@torch.inference_mode()
def features_of(model: torch.nn.Module, pictures: ImageFolder) -> tuple[np.ndarray, np.ndarray]:
    """(n, 1280) and the labels."""
    vectors, labels = [], []
    for images, classes in DataLoader(pictures, batch_size=32, num_workers=2):
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
            vectors.append(model(images.to(memory_format=torch.channels_last)).float().numpy())
        labels.append(classes.numpy())
    return np.concatenate(vectors), np.concatenate(labels)


def main() -> None:
    """Fit, judge, answer."""
    asked = arguments(__doc__).parse_args()
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        ready = {"pretrained": True, "pretrained_cfg_overlay": imagenet_for_timm(Path(place))}
        model = timm.create_model(MODEL, num_classes=0, **ready)
    model = model.eval().to(memory_format=torch.channels_last)
    view = create_transform(**resolve_model_data_config(model))
    train, val = (ImageFolder(asked.folder / split, view) for split in ("train", "val"))
    vectors, labels = features_of(model, train)
    folds = StratifiedKFold(min(5, int(np.bincount(labels).min())), shuffle=True, random_state=asked.seed)
    whole = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    search = GridSearchCV(whole, {"logisticregression__C": STRENGTHS}, cv=folds, scoring="neg_log_loss")
    search.fit(vectors, labels)
    rate = len(train) / clock.seconds
    vectors, labels = features_of(model, val)
    answer(
        accuracy=float((search.predict(vectors) == labels).mean()),
        pictures=len(val),
        rate=rate,
        packages=("torch", "torchvision", "timm", "scikit-learn"),
        note=f"C = {search.best_params_['logisticregression__C']:.2g}",
    )


if __name__ == "__main__":
    main()
