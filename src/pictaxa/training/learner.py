"""What is trained, and on what: the whole model on pictures, or its head alone on a frozen backbone's features."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..augment.mixing import draw_mix, neighbours
from ..data.batches import Batch, read_batches
from ..inference.features import FeaturePass, extract_features
from ..models.contract import Classifier
from ..models.folding import share_norms
from ..models.fusing import fast_copy
from ..models.heads import dropout_before, first_layer
from ..system.progress import say
from ..weights.files import load_model_weights, save_tensors
from . import logistic
from .averaging import start_average
from .job import Job
from .loss import Outputs, Targets
from .optimizer import Optimizer, make_optimizer
from .transfer import lr_scales, set_training
from .validation import evaluate, save_predictions, split_logits

# Of the standardised vectors, root mean square. At the usual peak rate the training loss rises during warm-up and comes
# back; a quarter of that rate, which is what half the length does, learns smoothly (docs/measured/transfer.md).
VECTOR_LENGTH = 16.0


class WholeModel:
    """A model and the moving average of its weights, trained on pictures that are augmented anew in each epoch."""

    def __init__(self, job: Job, model: Classifier) -> None:
        self.job = job
        self.trained = model
        self.average = start_average(model)
        self.augment = job.augmenter
        kept = job.config.transfer.keeps_statistics
        self.computed = share_norms(model, size=job.geometry.size) if kept else model

    def make_optimizer(self) -> Optimizer:
        """For all that is not frozen, each part at its share of the rate."""
        config = self.job.config
        return make_optimizer(self.trained, config.optimization, shares=lr_scales(self.trained, config.transfer))

    def set_training(self) -> None:
        """Training mode, but for what is frozen."""
        set_training(self.computed, keep_statistics=self.job.config.transfer.keeps_statistics)

    def batches(self, order: list[np.ndarray], *, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The pictures of an epoch's rows from batch `first` on, each read while the one before it is worked on."""
        job = self.job
        return read_batches(job.cache, order, labels=job.index.labels, device=job.plan.device, first=first)

    def prepare_batch(self, batch: Batch, *, epoch: int, step: int, progress: float) -> tuple[torch.Tensor, Targets]:
        """What the model sees of a batch, and what it should say."""
        job, size = self.job, self.job.size_at(progress)
        images = self.augment(
            batch.images, batch.rows, repeats=batch.repeats, aspects=batch.aspects, epoch=epoch, size=size
        )
        mix = draw_mix(job.policy, step, seed=job.config.seed)
        images, own_share = mix.pictures(images) if mix else (images, 1.0)
        return images, ((batch.labels, own_share), (neighbours(batch.labels), 1 - own_share))

    def outputs(self, images: torch.Tensor) -> Outputs:
        """The main head's logits, and any auxiliary heads'."""
        with self.job.plan.autocast():
            if self.job.config.transfer.freezes:  # auxiliary heads too, which may be new and know nothing
                return ((self.computed(images), 1.0),)
            return self.computed.training_logits(images)

    @property
    def best_path(self) -> Path:
        """Where the weights of the best epoch are."""
        return self.job.run.model_path

    def validate(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) rows that an epoch is judged by and the average's (n, classes) float32 logits, as prediction's are."""
        rows = self.job.judged_rows
        return rows, split_logits(self.job, fast_copy(self.average, size=self.job.geometry.size), rows)

    def keep_best(self) -> None:
        """Write the average's weights into the run folder."""
        save_tensors(self.average.state_dict(), self.best_path)

    def finish(self) -> None:
        """The best weights are written already; where some pictures judged them, all do now.

        So they do where what was written of them is there no more.
        """
        job = self.job
        if len(job.judged_rows) == len(job.val_rows) and job.run.has_results:
            return
        load_model_weights(self.average, self.best_path)
        accuracy = write_result(job, self.average)["val_accuracy"]
        say(f"evaluated on all {len(job.val_rows)} validation pictures: {accuracy:.1%}")


def drop_(values: torch.Tensor, rate: float) -> torch.Tensor:
    """Dropout in place of floats of any shape, its mask drawn a byte for each; `rate` in 256ths, at most 255 of them.

    Torch's own takes four times as long on a CPU: half of a step in which there is nothing but a head to train.
    """
    words = torch.empty(-(-values.numel() // 8), dtype=torch.int64, device=values.device).random_(-(2**63), None)
    drawn = words.view(torch.uint8)[: values.numel()].view(values.shape)
    kept = max(1, 256 - round(rate * 256))
    mask = torch.lt(drawn, kept, out=torch.empty_like(values))  # as floats: a product with truths is many times slower
    return values.mul_(mask).mul_(256 / kept)


class VectorHead(nn.Module):
    """A head on vectors that are moved and scaled to mean zero and one length; it is given them as they are."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, head: nn.Module, *, mean: np.ndarray, scale: np.ndarray, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.head = copy.deepcopy(head)
        first = first_layer(self.head)
        for name, value in (("mean", mean), ("scale", scale)):  # each (width,) float32
            self.register_buffer(name, torch.from_numpy(value).to(first.weight.device))
        with torch.no_grad():  # the same logits as before
            first.bias.add_(first.weight @ self.mean)
            first.weight.div_(self.scale)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """(N, width) -> (N, classes)."""
        vectors = (vectors - self.mean).mul_(self.scale)
        if self.training and self.dropout:
            drop_(vectors, self.dropout)
        logits: torch.Tensor = self.head(vectors)
        return logits

    def plain(self) -> nn.Module:
        """A copy of the head that takes vectors as a backbone gives them."""
        return take_plain_vectors(copy.deepcopy(self.head), self.mean, self.scale)


@torch.no_grad()
def take_plain_vectors(head: nn.Module, mean: torch.Tensor, scale: torch.Tensor) -> nn.Module:
    """Make a head for (vectors - mean) * scale one for vectors as they come, in place: the logits stay.

    `mean` and `scale` are (width,) float32 on the head's device.
    """
    first = first_layer(head)
    first.weight.mul_(scale)
    first.bias.sub_(first.weight @ mean)
    return head


class HeadAlone:
    """A model's head, trained on cached features of its frozen backbone.

    It is what `--tune head --solve-head no` trains. The pictures go through the backbone here, unless they have before.
    With one view the backbone sees pictures as prediction does; with K views, as the first K epochs would have varied
    them, and epoch e learns from view e modulo K.
    """

    def __init__(self, job: Job, model: Classifier) -> None:
        self.job = job
        self.model = model
        teaching, judging = train_passes(job, job.train_rows), prediction_passes(job, job.val_rows)
        vectors = extract_features(job.feature_source, model, [*teaching, *judging])  # each (n, width)
        self.views, self.val_vectors = vectors[: len(teaching)], vectors[len(teaching) :]
        self.places = np.full(len(job.index), -1)
        self.places[job.train_rows] = np.arange(len(job.train_rows))
        width = self.views[0].shape[1]
        mean, scale = np.zeros(width, np.float32), np.ones(width, np.float32)  # which change nothing
        if job.config.transfer.standardise == "yes":
            mean, scale = standardise(self.views[0])
        head = model.get_submodule(model.main_head())
        rate = dropout_before(model, size=job.geometry.size)
        self.trained = VectorHead(head, mean=mean, scale=scale, dropout=rate)
        self.average = start_average(self.trained)

    def make_optimizer(self) -> Optimizer:
        """For the head."""
        return make_optimizer(self.trained, self.job.config.optimization)

    def set_training(self) -> None:
        """With dropout."""
        self.trained.train()

    def batches(self, order: list[np.ndarray], *, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The vectors of an epoch's rows from batch `first` on, of the epoch's view."""
        job, view = self.job, self.views[epoch % len(self.views)]
        for rows in order[first:]:
            yield Batch(
                images=torch.from_numpy(view[self.places[rows]]).to(job.plan.device),
                labels=torch.from_numpy(job.index.labels[rows]).to(job.plan.device),
                rows=rows,
                aspects=job.cache.aspects[rows],
                repeats=np.zeros(len(rows), dtype=np.int64),  # a view is the same every time
            )

    def prepare_batch(self, batch: Batch, *, epoch: int, step: int, progress: float) -> tuple[torch.Tensor, Targets]:
        """The vectors as they are."""
        return batch.images, ((batch.labels, 1.0),)

    def outputs(self, vectors: torch.Tensor) -> Outputs:
        """The one head's logits."""
        return ((self.trained(vectors), 1.0),)

    @property
    def best_path(self) -> Path:
        """Where the best head is."""
        return self.job.run.best_head_path

    @torch.inference_mode()
    def validate(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) rows of the validation pictures and the average's (n, classes) float32 logits, as prediction's are."""
        head = self.average.plain().eval()
        passes = [head(torch.from_numpy(np.array(one)).to(self.job.plan.device)) for one in self.val_vectors]
        logits: np.ndarray = torch.stack(passes).mean(dim=0).cpu().numpy()
        return self.job.val_rows, logits

    def keep_best(self) -> None:
        """Write the head alone: the backbone, which may be large, follows at the end."""
        save_tensors(self.average.state_dict(), self.best_path)

    def finish(self) -> None:
        """Write the whole model with the best head, and judge it as prediction computes it."""
        load_model_weights(self.average, self.best_path)
        self.model.set_submodule(self.model.main_head(), self.average.plain())
        write_result(self.job, self.model)


def write_result(job: Job, model: Classifier) -> dict[str, float]:
    """Write a model and what it says of all validation pictures, as prediction computes it; the scores."""
    save_tensors(model.state_dict(), job.run.model_path)
    rows = job.val_rows
    logits = split_logits(job, fast_copy(model, size=job.geometry.size), rows)
    save_predictions(job, rows, logits)
    return evaluate(job, rows, logits)


def train_passes(job: Job, rows: np.ndarray) -> list[FeaturePass]:
    """The views of training pictures (n,) that a head learns from: prediction's, or as many as are asked for.

    Mirror images, which prediction averages over, would bring nothing for twice the time (docs/measured/starting.md).
    """
    views = job.config.transfer.feature_views
    if views <= 1:
        return [FeaturePass(rows)]
    if job.policy.mixup or job.policy.cutmix:
        say("note      mixup and cutmix are off: a head is trained on the features of single pictures")
    return [FeaturePass(rows, augment=job.augmenter, epoch=view, size=job.size) for view in range(views)]


def prediction_passes(job: Job, rows: np.ndarray) -> list[FeaturePass]:
    """The views of pictures (n,) that prediction takes: the picture, and its mirror image where the two are averaged.

    Those of training and of validation pictures are computed alike.
    """
    return [FeaturePass(rows, mirrored=mirrored) for mirrored in (False, True)[: job.geometry.passes]]


def standardise(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, width) -> float32 mean and scale, each (width,): (vectors - mean) * scale has one root mean square length.

    As the solver scales them (logistic.py), but for the length.
    """
    mean, scale = logistic.standardise([vectors])
    return mean, (scale * (VECTOR_LENGTH / np.sqrt(len(mean)))).astype(np.float32)


Learner = WholeModel | HeadAlone
