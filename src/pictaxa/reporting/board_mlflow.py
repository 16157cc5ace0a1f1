"""A training on MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from ..runs.folder import Run
from ..system.extras import need
from .results import result_figures, result_numbers

EXPERIMENT = "pictaxa"
FOLDER = "pictaxa.run"  # the tag by which a run of MLflow is found again


class MlflowBoard:
    """Tells a tracking server of a run, in the experiment "pictaxa"; a training that goes on is the same run there."""

    name = "MLflow"

    def __init__(self, uri: str, run: Run, *, name: str) -> None:
        need("mlflow", extra="mlflow")
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=uri)
        known = self._client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known else self._client.create_experiment(EXPERIMENT)
        folder = str(run.path.resolve())
        found = self._client.search_runs([experiment], filter_string=f"tags.`{FOLDER}` = '{folder}'", max_results=1)
        started = found[0] if found else self._client.create_run(experiment, run_name=name, tags={FOLDER: folder})
        self._id = started.info.run_id

    def settings(self, settings: Mapping[str, Any]) -> None:
        """As parameters."""
        for name, value in settings.items():
            self._client.log_param(self._id, name, value)

    def pictures(self, images: np.ndarray) -> None:
        """(N, C, H, W) float32 in [0, 1], side by side."""
        row = np.concatenate([np.moveaxis(image, 0, 2) for image in images], axis=1)  # (H, N * W, C)
        pixels = (255 * row).round().astype(np.uint8)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "training-pictures.png"
            Image.fromarray(pixels.squeeze()).save(path)
            self._client.log_artifact(self._id, str(path))

    def epoch(self, number: int, values: Mapping[str, float]) -> None:
        """A point of each curve."""
        for name, value in values.items():
            self._client.log_metric(self._id, name, value, step=number)

    def result(self, run: Run) -> None:
        """Figures and numbers."""
        with TemporaryDirectory() as folder:
            for name, figure in result_figures(run).items():
                path = Path(folder) / f"{name}.png"
                figure.savefig(path, dpi=130)
                self._client.log_artifact(self._id, str(path), "result")
        for name, value in result_numbers(run).items():
            self._client.log_metric(self._id, f"result/{name}", value)
        self._client.set_terminated(self._id)

    def close(self) -> None:
        """Nothing is open between two calls."""
