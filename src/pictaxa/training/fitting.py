"""Fits the head before the rest is trained, on the frozen backbone's features, where the weights lack one.

A linear head is solved (solve.py). One with hidden layers has no single best: it begins as the solved linear one, where
it is wide enough to hold it, and is trained by gradient from there for as long as pictures that it does not learn from
are told apart better; a start that nothing improves on stays.
"""

from __future__ import annotations

import copy
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..config.learning import OptimizerConfig
from ..config.usual import resolved
from ..data.batches import epoch_order
from ..data.split import NO_PAIRS, find_units, parts_of_class
from ..inference.features import FeaturePass, extract_features
from ..models.contract import Classifier, ClassifierLayer
from ..models.heads import HiddenHead, MergedLayer
from ..system.progress import CountProgress, clock, say
from .job import Job
from .learner import take_plain_vectors, train_passes
from .logistic import BLOCK, HeadProblem, standardise
from .loss import weigh_classes
from .optimizer import Optimizer, make_optimizer
from .solve import FOLDS, SolvedHead, deal_folds, solve_head
from .step import StepRules, take_step

TRIED = 512  # pictures by which the backbone's speed is taken, where there are many
MIN_PICTURES = 2_000  # that a head learns from, however slow the backbone
# Of --minutes that the backbone may take for the head before the rest is trained. Where it takes more, a third of an
# epoch would be left: a head that has seen fewer pictures loses more than that brings (docs/measured.md).
TIME_SHARE = 0.5

# Of a head with hidden layers. Adam's usual rate; weight decay and the end keep it from memorising.
LR, WEIGHT_DECAY, BATCH, MAX_EPOCHS, PATIENCE = 1e-3, 1e-2, 128, 60, 5


def can_solve(model: Classifier) -> bool:
    """Whether the model's head is one that is found here: dense layers that end in the classes."""
    head = model.get_submodule(model.main_head())
    return isinstance(head, (ClassifierLayer, HiddenHead)) and not isinstance(head, MergedLayer)


def fit_head(job: Job, model: Classifier) -> None:
    """Fit the best head to the backbone's features of the training pictures, and report its accuracy.

    WeightsError where the backbone gives numbers that are not finite.
    """
    before = time.monotonic()
    rows = _affordable_rows(job, model)
    views = extract_features(job.feature_source, model, train_passes(job, rows))
    problem = head_problem(job, rows, views)
    solved = solve_head(problem)
    head = model.get_submodule(model.main_head())
    if isinstance(head, HiddenHead):
        model.set_submodule(model.main_head(), _train_hidden(head, problem, solved))
    else:
        assert isinstance(head, nn.Linear)
        with torch.no_grad():
            head.weight.copy_(torch.from_numpy(solved.weight))
            head.bias.copy_(torch.from_numpy(solved.bias))
    right, judged = solved.held_out_right(problem.labels)
    held_out = f", {right / judged:.1%} cross-validated" if judged else ""
    say(
        f"head      solved on {len(rows)} pictures in {clock(time.monotonic() - before)}: "
        f"accuracy {solved.train_accuracy:.1%} on them{held_out} (penalty {solved.penalty:.2g})"
    )


def head_problem(job: Job, rows: np.ndarray, views: list[np.ndarray]) -> HeadProblem:
    """What the head has to tell apart: the training pictures' vectors, each view (n, width) of the rows (n,)."""
    balanced = job.config.schedule.sampling == "balanced"
    weights = weigh_classes(job, always=balanced)
    return HeadProblem(
        views=views,
        labels=job.index.labels[rows],
        classes=len(job.index.classes),
        groups=find_units(job.index, rows, alike=NO_PAIRS if job.alike is None else job.alike).of,
        class_weights=None if weights is None else weights.cpu().numpy(),
        label_smoothing=resolved(job.config.optimization.label_smoothing),
        seed=job.config.seed,
        device=job.plan.device,
    )


def _affordable_rows(job: Job, model: Classifier) -> np.ndarray:
    """(n,) int64: the training pictures, or as many of each class as the backbone can look at in its time."""
    rows, minutes = job.train_rows, job.config.schedule.minutes
    if minutes is None or len(rows) <= MIN_PICTURES or job.config.transfer.on_features:
        return rows
    shuffled = np.random.default_rng([job.config.seed, 5]).permutation(rows)
    before = time.monotonic()
    extract_features(job.feature_source, model, [FeaturePass(np.sort(shuffled[:TRIED]))])
    rate = TRIED / max(1e-3, time.monotonic() - before)
    most = max(MIN_PICTURES, int(rate * minutes * 60 * TIME_SHARE / max(1, job.config.transfer.feature_views)))
    if most >= len(rows):
        return rows
    say(f"note      the head is solved on {most} of the {len(rows)} pictures to stay within the time limit")
    evenly = np.argsort(parts_of_class(job.index.labels[shuffled]), kind="stable")  # the first of each class first
    return np.sort(shuffled[evenly[:most]])


def _train_hidden(head: HiddenHead, problem: HeadProblem, solved: SolvedHead) -> HiddenHead:
    """A head with hidden layers for vectors as they come, at the epoch that told held-out pictures apart best."""
    scaled = _Scaled(problem, *standardise(problem.views))
    fold_of = deal_folds(problem.labels, problem.groups, folds=FOLDS, seed=problem.seed)
    learn, held = np.flatnonzero(fold_of != 0), np.flatnonzero(fold_of == 0)
    epochs = 0
    if len(held):
        # A start that has seen the held-out pictures would hide what training does for them.
        trial, seen = copy.deepcopy(head), solve_head(problem.part(learn))
        holds = _begin_linear(trial, seen, scaled)
        linear_loss = scaled.loss(seen.logits(np.asarray(problem.views[0][held])), held)
        epochs, loss = _best_epoch(trial, scaled, learn=learn, held=held)
        if not holds and loss > linear_loss:
            say(
                f"note      hidden layers narrower than twice the number of classes do worse than a linear head "
                f"(held-out loss {loss:.3f} against {linear_loss:.3f}): leave --head out"
            )
    _begin_linear(head, solved, scaled)
    optimizer = make_optimizer(head, OptimizerConfig(optimizer="adamw", weight_decay=WEIGHT_DECAY))
    for epoch in range(epochs):
        _train_epoch(head, optimizer, scaled, np.arange(len(problem.labels)), epoch=epoch)
    say(f"head      hidden layers trained for {epochs} epochs from there, the best number on held-out pictures")
    take_plain_vectors(head, scaled.mean, scaled.scale)
    return head


class _Scaled:
    """A problem's vectors as a head with hidden layers takes them: mean zero, variance one."""

    def __init__(self, problem: HeadProblem, mean: np.ndarray, scale: np.ndarray) -> None:
        self.problem = problem
        self.mean, self.scale = (torch.from_numpy(value).to(problem.device) for value in (mean, scale))
        weights = problem.class_weights
        self.rules = StepRules(
            problem.seed, problem.device, label_smoothing=problem.label_smoothing, clip_grad_norm=None,
            class_weights=None if weights is None else torch.from_numpy(weights).to(problem.device),
        )  # fmt: skip

    def vectors(self, places: np.ndarray, *, view: int = 0) -> torch.Tensor:
        """(m,) places -> (m, width)."""
        vectors = torch.from_numpy(np.array(self.problem.views[view][places])).to(self.problem.device)
        return (vectors - self.mean).mul_(self.scale)

    def labels(self, places: np.ndarray) -> torch.Tensor:
        """(m,) int64."""
        return torch.from_numpy(self.problem.labels[places]).to(self.problem.device)

    def loss(self, logits: np.ndarray | torch.Tensor, places: np.ndarray) -> float:
        """The mean cross-entropy of (m, classes) logits."""
        logits = torch.as_tensor(logits, device=self.problem.device)
        return float(F.cross_entropy(logits, self.labels(places)))


def _begin_linear(head: HiddenHead, solved: SolvedHead, scaled: _Scaled) -> bool:
    """Make a head with hidden layers give a linear one's logits; False where they are too narrow for it.

    ReLU(x) - ReLU(-x) = x: two units for each class carry its logit through, all others begin without a say.
    """
    layers = [layer for layer in head if isinstance(layer, nn.Linear)]
    classes = len(solved.bias)
    if min(layer.out_features for layer in layers[:-1]) < 2 * classes:
        return False
    weight, bias = (torch.from_numpy(value).to(scaled.mean.device) for value in (solved.weight, solved.bias))
    bias, weight = bias + weight @ scaled.mean, weight / scaled.scale
    carried = slice(0, 2 * classes)
    signs = torch.cat([torch.eye(classes), -torch.eye(classes)]).to(weight.device)  # (2 * classes, classes)
    with torch.no_grad():
        layers[0].weight[carried], layers[0].bias[carried] = signs @ weight, signs @ bias
        for layer in layers[1:-1]:
            layer.weight[carried], layer.bias[carried] = 0.0, 0.0
            layer.weight[carried, carried] = torch.eye(2 * classes, device=weight.device)
        layers[-1].weight.zero_()
        layers[-1].bias.zero_()
        layers[-1].weight[:, carried] = signs.T
    return True


def _best_epoch(head: HiddenHead, scaled: _Scaled, *, learn: np.ndarray, held: np.ndarray) -> tuple[int, float]:
    """After how many epochs held-out pictures (m,) are told apart best, and their loss then."""
    optimizer = make_optimizer(head, OptimizerConfig(optimizer="adamw", weight_decay=WEIGHT_DECAY))
    best, least = 0, _held_out_loss(head, scaled, held)
    with CountProgress("hidden layers", total=MAX_EPOCHS) as progress:
        for epoch in range(MAX_EPOCHS):
            _train_epoch(head, optimizer, scaled, learn, epoch=epoch)
            loss = _held_out_loss(head, scaled, held)
            if loss < least:
                best, least = epoch + 1, loss
            if epoch + 1 - best >= PATIENCE:
                break
            progress.count()
    return best, least


@torch.inference_mode()
def _held_out_loss(head: HiddenHead, scaled: _Scaled, held: np.ndarray) -> float:
    head.eval()
    parts = [head(scaled.vectors(held[first : first + BLOCK])) for first in range(0, len(held), BLOCK)]
    return scaled.loss(torch.cat(parts), held)


def _train_epoch(head: HiddenHead, optimizer: Optimizer, scaled: _Scaled, places: np.ndarray, *, epoch: int) -> None:
    """Once over the vectors at (n,) places: the order and the step are those of the loop."""
    problem = scaled.problem
    order = epoch_order(places, epoch, seed=problem.seed, batch_size=BATCH)
    head.train()
    for number, some in enumerate(order, start=epoch * len(order)):
        take_step(
            lambda vectors: ((head(vectors), 1.0),), optimizer, targets=((scaled.labels(some), 1.0),),
            inputs=scaled.vectors(some, view=epoch % len(problem.views)), lr=LR, number=number, rules=scaled.rules,
        )  # fmt: skip
    head.eval()
