"""The network that is exported: a run's model with everything between its input and its answers."""

from __future__ import annotations

import torch
from torch import nn

from ..config.exporting import Output
from ..inference.kept_model import model_of
from ..models.contract import Classifier
from ..models.folding import fold_norms
from ..models.heads import apart
from ..runs.folder import Run
from ..weights.files import load_model_weights


class ExportedNetwork(nn.Module):
    """Pictures in, answers out: normalization, mirror images, calibration and softmax included.

    Args:
        model: in evaluation mode.
        mirrors: whether the logits of a picture and its mirror image are averaged, as the run's `tta` says.
        temperature: by which logits are divided before the softmax.
        output: "probabilities", or "logits", which are neither calibrated nor in a softmax.

    Example:
        network = ExportedNetwork(model, mirrors=False, temperature=1.0, output="probabilities")
        probabilities, vectors = network(torch.rand(1, 3, 224, 224))
    """

    def __init__(self, model: Classifier, *, mirrors: bool, temperature: float, output: Output) -> None:
        super().__init__()
        self.backbone, self.head = apart(model)
        self.mirrors = mirrors
        self.temperature = temperature
        self.output = output

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Answer.

        Args:
            images: (N, C, size, size) float32 in [0, 1].

        Returns:
            (N, classes) float32 answers, and (N, width) float32 vectors of the pictures themselves, by which a picture
            is told that is like none of the training pictures.
        """
        images = images.to(self.backbone.mean.dtype)
        vectors = self.backbone(images)
        logits = self.head(vectors).float()
        if self.mirrors:
            logits = (logits + self.head(self.backbone(images.flip(-1))).float()) / 2
        answers = logits if self.output == "logits" else (logits / self.temperature).softmax(dim=1)
        return answers, vectors.float()


def network_of(run: Run, *, temperature: float, output: Output = "probabilities") -> ExportedNetwork:
    """Build the network that a run exports, on the CPU, in float32.

    Args:
        run: a finished run.
        temperature: of its softmax.
        output: what it gives.

    Returns:
        The network in evaluation mode, its batch norms folded into convolutions.

    Raises:
        RunError: the run lacks a file, or has one that is damaged or changed.
    """
    geometry = run.geometry
    model = model_of(run)
    load_model_weights(model, run.existing(run.model_path.name))
    folded = fold_norms(model, size=geometry.size).requires_grad_(requires_grad=False)
    network = ExportedNetwork(folded, mirrors=geometry.tta == "flip", temperature=temperature, output=output)
    return network.eval()
