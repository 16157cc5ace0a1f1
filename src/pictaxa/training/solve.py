"""A linear head on a frozen backbone's vectors, solved and not trained: there is one best, and no rate or epoch to it.

Multinomial logistic regression with an L2 penalty is convex: from any start L-BFGS (Liu & Nocedal 1989) comes to the
same weights. What is left to choose is the penalty, and cross-validation on the training pictures does: pictures that
are alike lie in one fold, the path goes from strong penalties to weak ones, each beginning where the one before ended,
and ends where the held-out loss rises.

Vectors are brought to mean zero and variance one, and the weights are looked for along the directions in which the
vectors vary, each at the length that its curvature asks for: L-BFGS then needs some ten steps instead of a hundred.

Where there are too many vectors for the memory, the penalty is chosen on a part of them and the head is solved on all,
block by block: the gradient over all of them is a sum. Mini-batches would need a rate, and a Gram matrix fits squares
and not probabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from ..errors import WeightsError
from ..progress import CountProgress

FOLDS = 5
PENALTIES = tuple(10.0**power for power in np.arange(1.0, -4.1, -0.5))  # of a mean loss, for weights of unit vectors
USUAL_PENALTY = 0.1  # where there is nothing to choose it by: about right for a dozen pictures a class
RISES = 1  # of the held-out loss, after which weaker penalties are not tried
BLOCK = 8192  # vectors at a time
MAX_CHOSEN_ON = 20_000  # pictures that the penalty is chosen on
MAX_FOLDED = 300_000  # pictures times classes up to which there are all the folds, beyond it one part is held out
MAX_ROTATED = 2048  # numbers in a vector up to which directions are looked for: it costs their third power
MAX_SINGLE = 300_000_000  # numbers times classes up to which one thread is faster than two
STEPS, FINAL_STEPS = 40, 200  # of L-BFGS, at most
PRECISION, FINAL_PRECISION = 1e-6, 1e-9  # the part of the loss that its last step brings
TOLERANCE = 1e-6  # of the loss's gradient


@dataclass(frozen=True)
class HeadProblem:
    """What a head is to tell apart."""

    views: Sequence[np.ndarray]  # each (n, width) float32: every picture's vector, one view or several of it
    labels: np.ndarray  # (n,) int64
    classes: int
    groups: np.ndarray  # (n,) int64: pictures with one number are alike and stay on one side
    class_weights: np.ndarray | None = None  # (classes,) float32
    label_smoothing: float = 0.0
    seed: int = 0
    device: torch.device = torch.device("cpu")  # noqa: RUF009  # immutable

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self.views[0].shape[1])

    def part(self, places: np.ndarray) -> HeadProblem:
        """The same of some pictures, (m,) int64 places."""
        views = [np.asarray(view[places]) for view in self.views]
        return replace(self, views=views, labels=self.labels[places], groups=self.groups[places])


@dataclass(frozen=True)
class SolvedHead:
    """The best linear head, for vectors as the backbone gives them, and what is known of it."""

    weight: np.ndarray  # (classes, width) float32
    bias: np.ndarray  # (classes,) float32
    penalty: float
    held_out: np.ndarray  # (n, classes) float32 probabilities by heads that had not seen the picture; NaN for none
    train_accuracy: float

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """(m, width) -> (m, classes) float32."""
        return np.asarray(vectors @ self.weight.T + self.bias, dtype=np.float32)

    def held_out_right(self, labels: np.ndarray) -> tuple[int, int]:
        """How many of the judged pictures were right, and how many were judged."""
        judged = np.isfinite(self.held_out[:, 0])
        return int((self.held_out[judged].argmax(axis=1) == labels[judged]).sum()), int(judged.sum())


@dataclass(frozen=True)
class HeldOut:
    """A penalty, and what heads at it say of pictures that they had not seen."""

    penalty: float
    probabilities: np.ndarray  # (n, classes) float32; NaN for pictures that no fold judged
    fold_of: np.ndarray  # (n,) int64, -1 for those


def cross_validate(problem: HeadProblem, scaling: Scaling, *, all_folds: bool = False) -> HeldOut:
    """Choose the penalty on pictures that a head has not seen; with very many in one fold alone, but for `all_folds`.

    Where no class has two pictures that differ there is nothing to choose by, and the penalty is the usual one.
    """
    fold_of = deal_folds(problem.labels, problem.groups, folds=FOLDS, seed=problem.seed)
    judged = [fold for fold in range(FOLDS) if (fold_of == fold).any()]
    if len(problem.labels) * problem.classes > MAX_FOLDED and not all_folds:
        judged = judged[:1]
    if not judged:
        nothing = np.full((len(problem.labels), problem.classes), np.nan, dtype=np.float32)
        return HeldOut(USUAL_PENALTY, nothing, fold_of)
    penalty, said = _choose_penalty(problem, scaling, fold_of, judged)
    return HeldOut(penalty, said, np.where(np.isin(fold_of, judged), fold_of, -1))


def solve_head(problem: HeadProblem) -> SolvedHead:
    """The head with the least penalised loss, its penalty chosen by cross-validation.

    WeightsError where a vector is not finite.
    """
    check_finite(problem.views)
    scaling = Scaling.of(problem)
    chosen_on = _some(problem)
    part = problem if chosen_on is None else problem.part(chosen_on)
    chosen = cross_validate(part, scaling)
    held_out = np.full((len(problem.labels), problem.classes), np.nan, dtype=np.float32)
    held_out[slice(None) if chosen_on is None else chosen_on] = chosen.probabilities
    # The penalty's whole weight stays while pictures grow in number.
    penalty = chosen.penalty * len(part.labels) / len(problem.labels)
    weight = solve_at(problem, scaling, penalty, steps=FINAL_STEPS)
    scaled_weight, bias = weight[:, :-1], weight[:, -1]
    plain = scaled_weight * scaling.scale
    shift = bias - plain @ scaling.mean
    right = sum(
        int(((block @ plain.T + shift).argmax(axis=1) == labels).sum()) for block, labels in _blocks_of(problem)
    )
    return SolvedHead(
        plain.astype(np.float32), shift.astype(np.float32), penalty, held_out,
        train_accuracy=right / (len(problem.labels) * len(problem.views)),
    )  # fmt: skip


def deal_folds(labels: np.ndarray, groups: np.ndarray, *, folds: int, seed: int) -> np.ndarray:
    """(n,) int64: the fold that judges each picture, from 0 on; -1 for what only ever teaches.

    Each class is dealt out evenly, whole groups at a time; the lone group of a class always teaches, as nothing else
    could.
    """
    fold_of = np.full(len(labels), -1)
    random = np.random.default_rng(seed)
    _, first = np.unique(groups, return_index=True)  # a group under two labels counts with the first
    dealt = np.full(int(groups.max()) + 1, -1)
    for label in np.unique(labels):
        own = random.permutation(groups[first[labels[first] == label]])
        if len(own) > 1:
            dealt[own] = (np.arange(len(own)) + random.integers(folds)) % folds
    fold_of[:] = dealt[groups]
    return fold_of


@dataclass(frozen=True)
class Scaling:
    """How vectors are brought to one scale, and the directions in which they then vary."""

    mean: np.ndarray  # (width,) float32
    scale: np.ndarray  # (width,) float32
    directions: torch.Tensor | None  # (width, width) float32, a direction in each column
    variances: torch.Tensor  # (width,) float32: of the scaled vectors along each

    @classmethod
    def of(cls, problem: HeadProblem) -> Scaling:
        """From all vectors; the directions from a part of very many."""
        mean, scale = standardise(problem.views)
        some = _some(problem)
        part = problem if some is None else problem.part(some)
        width = problem.width
        if width > MAX_ROTATED:
            return cls(mean, scale, None, torch.ones(width, device=problem.device))
        total, count = torch.zeros(width, width, device=problem.device), 0
        for block, _ in _blocks_of(part):
            scaled = torch.from_numpy((block - mean) * scale).to(problem.device)
            total += scaled.T @ scaled
            count += len(scaled)
        # In float32 LAPACK does not always converge where there are fewer pictures than numbers in a vector.
        variances, directions = torch.linalg.eigh((total / count).double().cpu())
        variances, directions = (found.float().to(problem.device) for found in (variances, directions))
        return cls(mean, scale, directions, variances.clamp_min(0))


def standardise(views: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, width) -> float32 mean and scale, each (width,): (vectors - mean) * scale has variance one.

    Numbers that hardly vary are not enlarged to the others' size: they are mostly noise.
    """
    count = sum(len(view) for view in views)
    blocks = [view[first : first + BLOCK] for view in views for first in range(0, len(view), BLOCK)]  # of a memory map
    mean = sum(block.sum(axis=0, dtype=np.float64) for block in blocks) / count
    deviation = np.sqrt(sum(((block - mean) ** 2).sum(axis=0) for block in blocks) / count)
    typical = np.sqrt((deviation**2).mean()) + 1e-12
    return mean.astype(np.float32), (1 / np.maximum(deviation, typical / 4)).astype(np.float32)


def check_finite(views: Sequence[np.ndarray]) -> None:
    """WeightsError where some vectors have NaN or infinity in them."""
    bad = sum(
        int((~np.isfinite(view[first : first + BLOCK]).all(axis=1)).sum())
        for view in views
        for first in range(0, len(view), BLOCK)
    )
    if bad:
        found = f"NaN or infinity for {bad} of {sum(map(len, views))} pictures"
        raise WeightsError("finite numbers from the backbone", found=found, fix="Check the weights.")


def solve_at(
    problem: HeadProblem, scaling: Scaling, penalty: float, *, steps: int, precision: float = FINAL_PRECISION
) -> np.ndarray:
    """(classes, width + 1) float32 weights for scaled vectors, and biases, at one penalty of the mean loss."""
    return _Solver(problem, scaling, slice(None)).solve(penalty, steps=steps, precision=precision)


class _Solver:
    """The loss of a problem's vectors, or of a part of them, and L-BFGS from where it last ended.

    Weights are (classes, width + 1), the biases last. Where the vectors fit into the memory they are scaled and turned
    into their directions once; where not, each block is scaled whenever it is read, and the weights are turned instead.
    """

    def __init__(self, problem: HeadProblem, scaling: Scaling, places: np.ndarray | slice) -> None:
        self.problem, self.scaling, self.places = problem, scaling, places
        device = problem.device
        self.mean, self.scale = (torch.from_numpy(value).to(device) for value in (scaling.mean, scaling.scale))
        self.labels = torch.from_numpy(problem.labels[places]).to(device)
        weights = problem.class_weights
        self.class_weights = None if weights is None else torch.from_numpy(weights).to(device)
        pictures = len(self.labels) * len(problem.views)
        self.total = float(pictures)
        if self.class_weights is not None:
            self.total = float(self.class_weights[self.labels].sum()) * len(problem.views)
        self.kept: list[tuple[torch.Tensor, torch.Tensor]] | None = None
        if pictures * problem.width <= MAX_CHOSEN_ON * MAX_ROTATED:
            self.kept = [(self._turned(vectors), labels) for vectors, labels in self._read()]
        # Waking a second thread takes longer than a small problem's whole step.
        self.single = device.type == "cpu" and pictures * problem.width * problem.classes <= MAX_SINGLE
        self.point = torch.zeros(problem.classes, problem.width + 1, device=device)  # along the directions

    def _turned(self, vectors: torch.Tensor) -> torch.Tensor:
        """(m, width) along the directions."""
        return vectors if self.scaling.directions is None else vectors @ self.scaling.directions

    def _across(self, point: torch.Tensor) -> torch.Tensor:
        """Weights along the directions as weights for scaled vectors, both (classes, width + 1)."""
        directions = self.scaling.directions
        if directions is None:
            return point
        return torch.cat([point[:, :-1] @ directions.T, point[:, -1:]], dim=1)

    def _read(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Scaled vectors (m, width) and labels (m,), block by block."""
        for view in self.problem.views:
            own = view if isinstance(self.places, slice) else view[self.places]
            for first in range(0, len(self.labels), BLOCK):
                block = torch.from_numpy(np.array(own[first : first + BLOCK])).to(self.problem.device)
                yield (block - self.mean).mul_(self.scale), self.labels[first : first + BLOCK]

    def loss(self, point: torch.Tensor, penalty: float) -> tuple[float, torch.Tensor]:
        """Of weights along the directions, and its gradient."""
        if self.kept is not None:
            total, gradient = self._sum(point, self.kept)
        else:
            total, gradient = self._sum(self._across(point), self._read())
            gradient = torch.cat([self._turned(gradient[:, :-1]), gradient[:, -1:]], dim=1)
        gradient /= self.total
        gradient[:, :-1] += penalty * point[:, :-1]
        return total / self.total + penalty / 2 * float((point[:, :-1] ** 2).sum()), gradient

    def _sum(
        self, weight: torch.Tensor, blocks: Iterable[tuple[torch.Tensor, torch.Tensor]]
    ) -> tuple[float, torch.Tensor]:
        """The cross-entropy over all blocks, and its gradient."""
        smoothing, classes = self.problem.label_smoothing, self.problem.classes
        gradient = torch.zeros_like(weight)
        total = 0.0
        for vectors, labels in blocks:
            logs = torch.addmm(weight[:, -1], vectors, weight[:, :-1].T).log_softmax(dim=1)  # (m, classes)
            own = logs.gather(1, labels[:, None])[:, 0]
            losses = -(1 - smoothing) * own - smoothing * logs.mean(dim=1)
            miss = logs.exp_().sub_(smoothing / classes)
            miss.scatter_add_(1, labels[:, None], torch.full_like(own, smoothing - 1)[:, None])
            if self.class_weights is not None:
                weights = self.class_weights[labels]
                losses, miss = losses * weights, miss * weights[:, None]
            total += float(losses.sum(dtype=torch.float64))
            gradient[:, :-1].addmm_(miss.T, vectors)
            gradient[:, -1] += miss.sum(dim=0)
        return total, gradient

    def solve(self, penalty: float, *, steps: int, precision: float) -> np.ndarray:
        """The weights for scaled vectors, (classes, width + 1) float32, of the least loss.

        `precision` is the part of the loss that a step must bring; `steps` are the most.
        """
        from scipy.optimize import minimize  # loaded only for this

        classes = self.problem.classes
        curvature = (1 - 1 / classes) / classes  # of the loss, per unit of variance, where nothing is learnt yet
        lengths = torch.sqrt(curvature * self.scaling.variances + penalty)
        lengths = torch.cat([lengths, torch.full_like(lengths[:1], curvature**0.5)])

        def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
            point = torch.from_numpy(flat.astype(np.float32)).view_as(self.point).to(self.point.device)
            loss, gradient = self.loss(point / lengths, penalty)
            return loss, (gradient / lengths).double().cpu().numpy().ravel()

        threads = torch.get_num_threads()
        torch.set_num_threads(1 if self.single else threads)
        try:
            start = (self.point * lengths).double().cpu().numpy().ravel()
            options = {"maxiter": steps, "gtol": TOLERANCE, "ftol": precision}
            found = minimize(evaluate, start, jac=True, method="L-BFGS-B", options=options)
        finally:
            torch.set_num_threads(threads)
        point = torch.from_numpy(found.x.astype(np.float32)).view_as(self.point).to(self.point.device)
        self.point = point / lengths
        return self._across(self.point).cpu().numpy()


def _choose_penalty(
    problem: HeadProblem, scaling: Scaling, fold_of: np.ndarray, judged: list[int]
) -> tuple[float, np.ndarray]:
    """The penalty, and what the heads at it say of what they had not seen, (n, classes).

    It is the strongest whose held-out loss is within one standard error of the least (Breiman et al. 1984, section
    3.4.3): of losses that the folds can't tell apart the simplest head.
    """
    rows = np.flatnonzero(np.isin(fold_of, judged))
    said = np.zeros((len(PENALTIES), len(rows), problem.classes), dtype=np.float32)
    losses = np.zeros((len(PENALTIES), len(rows)))
    tried = len(PENALTIES)
    with CountProgress("head", total=len(judged)) as progress:
        for fold in judged:
            own = np.flatnonzero(fold_of[rows] == fold)  # places among the judged ones
            solver = _Solver(problem, scaling, np.flatnonzero(fold_of != fold))
            view = (np.asarray(problem.views[0][rows[own]]) - scaling.mean) * scaling.scale
            labels = problem.labels[rows[own]]
            least, rises = np.inf, 0
            for place, penalty in enumerate(PENALTIES[:tried]):
                weight = solver.solve(penalty, steps=STEPS, precision=PRECISION)
                logs = F.log_softmax(torch.from_numpy(view @ weight[:, :-1].T + weight[:, -1]), dim=1).numpy()
                said[place, own] = np.exp(logs)
                losses[place, own] = -logs[np.arange(len(own)), labels]
                loss = float(losses[place, own].mean())
                rises = rises + 1 if loss > least else 0
                least = min(least, loss)
                if rises == RISES:
                    tried = place + 1
                    break
            progress.count()
    means = losses[:tried].mean(axis=1)
    best = int(np.argmin(means))
    error = losses[best].std() / np.sqrt(len(rows))
    chosen = int(np.flatnonzero(means <= means[best] + error)[0])
    probabilities = np.full((len(problem.labels), problem.classes), np.nan, dtype=np.float32)
    probabilities[rows] = said[chosen]
    return PENALTIES[chosen], probabilities


def _some(problem: HeadProblem) -> np.ndarray | None:
    """Places (m,) of the pictures that choices are made on, drawn at random; None for all of them."""
    count, most = len(problem.labels), MAX_CHOSEN_ON // len(problem.views)
    if count <= most:
        return None
    return np.sort(np.random.default_rng([problem.seed, 1]).choice(count, size=most, replace=False))


def _blocks_of(problem: HeadProblem) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Vectors (m, width) as they are and labels (m,), block by block, of all views."""
    for view in problem.views:
        for first in range(0, len(view), BLOCK):
            yield np.asarray(view[first : first + BLOCK]), problem.labels[first : first + BLOCK]
